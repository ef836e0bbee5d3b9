//! `events --since`: what has been, each thing once, and what happens then, with no seam between.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::lab::{Guest, Lab, docker, run, until, ww_ctl, ww_ctl_command};

/// A value of a line of JSON, as it stands there.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let begin = format!("\"{name}\":");
    let (_, rest) = line.split_once(&begin)?;
    let end = if let Some(text) = rest.strip_prefix('"') {
        text.find('"').map(|end| end + 2)
    } else {
        rest.find([',', '}'])
    };
    Some(rest[..end?].trim_matches('"'))
}

fn states(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter(|line| value(line, "event") == Some("state"));
    lines
        .map(|line| value(line, "state").expect("a state"))
        .collect()
}

fn image(lab: &Lab) -> String {
    let tree = lab.tree("app");
    tree.all_scripts();
    lab.image(&tree)
}

fn past(guest: &Guest) -> String {
    let words = [
        "events",
        &guest.name,
        "--since",
        "1h",
        "--until",
        "now",
        "-o",
        "jsonl",
    ];
    ww_ctl(words).expect(0).stdout
}

#[test]
fn what_has_been_is_told_once_and_in_order_whether_it_runs_or_not() {
    let lab = Lab::new("events");
    let guest = lab.start("app", &image(&lab), &[], &[]);
    guest.reaches("UP");
    let up = ["DOCKERUP", "BOOT", "FIRSTBOOT", "UPGRADING", "WARMUP", "UP"];
    assert_eq!(states(&past(&guest)), up);
    ww_ctl(["restart", &guest.name]).expect(0);
    let mut expected = [&up[..], &["RESTARTING", "UP"]].concat();
    let told = past(&guest);
    assert_eq!(states(&told), expected);
    let restarting = told
        .lines()
        .find(|line| value(line, "state") == Some("RESTARTING"));
    let restarting = restarting.expect("the restart");
    assert_eq!(value(restarting, "from"), Some("UP"), "{restarting}");
    assert!(
        value(restarting, "cause")
            .expect("a cause")
            .starts_with("operator ")
    );
    docker(["stop", "-t", "60", &guest.name]).expect(0);
    expected.extend(["STOPPED", "DOCKERDOWN"]);
    assert_eq!(states(&past(&guest)), expected, "it does not run any more");
    docker(["start", &guest.name]).expect(0);
    guest.reaches("UP");
    expected.extend(["DOCKERUP", "BOOT", "UPGRADING", "WARMUP", "UP"]);
    let told = past(&guest);
    assert_eq!(states(&told), expected, "a boot before this one");
    // By time, and no more than asked for.
    let lines: Vec<&str> = told.lines().collect();
    let cut = value(lines[8], "at").expect("a time");
    let words = [
        "events",
        &guest.name,
        "--since",
        cut,
        "--until",
        "now",
        "-o",
        "jsonl",
    ];
    let later = ww_ctl(words).expect(0).stdout;
    assert_eq!(later.lines().collect::<Vec<_>>(), lines[8..]);
    // One that is gone is remembered by its Engine.
    docker(["rm", "-fv", &guest.name]).expect(0);
    assert!(
        past(&guest)
            .lines()
            .last()
            .is_some_and(|line| line.contains("\"REMOVED\""))
    );
}

#[test]
fn nothing_is_lost_nor_told_twice_where_the_past_ends() {
    let lab = Lab::new("events");
    let guest = lab.start("app", &image(&lab), &[], &[]);
    guest.reaches("UP");
    // Signals without a pause: restarts that are asked for meanwhile become one.
    let name = guest.name.clone();
    let looping = std::thread::spawn(move || {
        for _ in 0..40 {
            docker(["kill", "-s", "HUP", &name]).expect(0);
        }
    });
    let mut watching = Vec::new();
    for _ in 0..4 {
        // Each has its seam at another point of the same loop.
        let child = ww_ctl_command()
            .args(["events", &guest.name, "--since", "1h", "-o", "jsonl"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("the tool starts");
        let mut reader = BufReader::new(child.stdout.take().expect("its output"));
        let mut first = String::new();
        reader.read_line(&mut first).expect("text");
        watching.push((child, reader, first));
    }
    looping.join().expect("signals");
    // Nothing is under way any more when its last word is UP, and one more word marks the end.
    let history = || {
        ww_ctl([
            "show",
            &guest.name,
            "--history",
            "-n",
            "100000",
            "-o",
            "jsonl",
        ])
        .expect(0)
        .stdout
    };
    let kept = until("the last restart to end", || {
        let kept = history();
        (states(&kept).last() == Some(&"UP") && history() == kept).then_some(kept)
    });
    docker(["stop", "-t", "60", &guest.name]).expect(0);
    let transition = |line: &str| {
        // What the Engine tells of a start or an end has none.
        let lasted = value(line, "lasted_ms").filter(|lasted| *lasted != "null")?;
        let (at, state) = (value(line, "at")?, value(line, "state")?);
        Some(format!("{at} {state} {lasted}"))
    };
    let expected: Vec<String> = kept.lines().filter_map(transition).collect();
    assert!(expected.len() > 20, "{kept}");
    for (mut child, reader, first) in watching {
        let mut told = Vec::new();
        for line in std::iter::once(Ok(first)).chain(reader.lines()) {
            let line = line.expect("text");
            if value(&line, "state") == Some("STOPPED") {
                break;
            }
            told.extend(transition(&line));
        }
        child.kill().expect("its end");
        child.wait().expect("its end");
        assert_eq!(told, expected, "as its agent has it, in order, each once");
    }
}

#[test]
fn a_name_that_was_never_there_is_told_as_such() {
    let ran = run(ww_ctl_command().args(["events", "no-such-container", "--since", "1m"]));
    ran.expect(3).says(&["no-such-container"]);
}
