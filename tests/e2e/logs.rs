//! `logs`: several in one by time, over restarts, and nothing a terminal would obey.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::lab::{Lab, docker, run, until, ww_ctl, ww_ctl_command, ww_ctl_path};
use crate::pty::Terminal;

/// The value of a text field of a line of JSON.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let begin = format!("\"{name}\":\"");
    let rest = line.split_once(&begin).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn lines_of_three_are_told_in_the_order_of_their_times() {
    let lab = Lab::new("logs");
    let script = "for n in $(seq 60); do echo \"$0 $n\"; usleep 5000; done";
    let guests = ["one", "two", "three"]
        .map(|what| lab.start_bare(what, lab.base(), &[], &["sh", "-c", script, what]));
    for guest in &guests {
        guest.exit_code();
    }
    let names = guests.each_ref().map(|guest| guest.name.as_str());
    let told = run(ww_ctl_command().args(["logs", "-o", "jsonl"]).args(names)).expect(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(lines.len(), 180);
    let times: Vec<String> = lines.iter().map(|line| padded(field(line, "at"))).collect();
    assert!(times.is_sorted(), "{times:?}");
    for (guest, what) in guests.iter().zip(["one", "two", "three"]) {
        let own: Vec<&str> = lines
            .iter()
            .filter(|line| field(line, "name") == guest.name)
            .map(|line| field(line, "line"))
            .collect();
        let expected: Vec<String> = (1..=60).map(|n| format!("{what} {n}")).collect();
        assert_eq!(own, expected);
    }
    // As text: each with its name, all names as wide as the widest.
    let wide = names.iter().map(|name| name.len()).max().expect("names");
    let shown = run(ww_ctl_command().args(["logs", "--tail", "1"]).args(names)).expect(0);
    for (name, what) in names.iter().zip(["one", "two", "three"]) {
        let line = format!("{name:<wide$} | {what} 60\n");
        assert!(shown.stdout.contains(&line), "{}", shown.stdout);
    }
    // Between two times.
    let since = field(lines[50], "at");
    let until = field(lines[99], "at");
    let part = run(ww_ctl_command()
        .args(["logs", "-o", "jsonl", "--since", since, "--until", until])
        .args(names))
    .expect(0);
    assert_eq!(part.stdout.lines().collect::<Vec<_>>(), lines[50..=99]);
}

/// A time with all its digits: of two texts the one that is less is earlier.
fn padded(time: &str) -> String {
    let (seconds, digits) = time
        .trim_end_matches('Z')
        .split_once('.')
        .unwrap_or((time, ""));
    format!("{seconds}.{digits:0<9}")
}

/// A program that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn what_is_followed_is_followed_over_restarts_until_it_is_removed() {
    let lab = Lab::new("logs");
    // Each life says its number, then goes on until it is told to end.
    let script = "trap 'echo ends; exit 0' TERM; n=$(cat /data/n 2> /data/odd || echo 1); echo $((n + 1)) > /data/n; \
                  echo life $n; while :; do usleep 20000; done";
    let one = lab.start("one", lab.base(), &[], &["sh", "-c", script]);
    let two = lab.start("two", lab.base(), &[], &["sh", "-c", script]);
    let mut following = Ended(
        ww_ctl_command()
            .args(["logs", "-f", &one.name, &two.name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool starts"),
    );
    let mut reader = BufReader::new(following.0.stdout.take().expect("its output"));
    let mut told = Vec::new();
    let mut reads = |wanted: String| {
        while told.last() != Some(&wanted) {
            let mut line = String::new();
            let length = reader.read_line(&mut line).expect("text");
            assert!(length > 0, "it ended before {wanted:?}: {told:?}");
            let line = line.trim_end().replace(" | ", " ");
            told.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    };
    let name = &one.name;
    for life in 1..4 {
        reads(format!("{name} life {life}"));
        docker(["restart", name]).expect(0);
    }
    reads(format!("{name} life 4"));
    // Stopped for a while, then started by somebody.
    docker(["stop", name]).expect(0);
    reads(format!("{name} ends"));
    docker(["start", name]).expect(0);
    reads(format!("{name} life 5"));
    for guest in [&one, &two] {
        docker(["rm", "-fv", &guest.name]).expect(0);
    }
    let ended = until("its end", || following.0.try_wait().expect("its end"));
    assert_eq!(ended.code(), Some(0));
    let own: Vec<&String> = told.iter().filter(|line| line.starts_with(name)).collect();
    let mut expected: Vec<String> = (1..5)
        .flat_map(|life| [format!("{name} life {life}"), format!("{name} ends")])
        .collect();
    expected.push(format!("{name} life 5"));
    assert_eq!(
        own,
        expected.iter().collect::<Vec<_>>(),
        "each line once, in order"
    );
    let words = std::io::read_to_string(following.0.stderr.take().expect("its talk"));
    let words = words.expect("text");
    assert!(words.contains(&format!("{name}: has ended")), "{words}");
    assert!(words.contains(&format!("{name}: was removed")), "{words}");
}

#[test]
fn odd_output_arrives_as_it_is_in_a_file_and_harmless_on_a_terminal() {
    let lab = Lab::new("logs");
    // Control characters, and a line of 1 MiB.
    let script = "printf '\\001\\002\\003 \\033]0;title\\007\\033[2Jhostile\\033[31m red\\n'; \
                  head -c 1048576 /dev/zero | tr '\\000' x; echo; echo the last";
    let mut expected = b"\x01\x02\x03 \x1b]0;title\x07\x1b[2Jhostile\x1b[31m red\n".to_vec();
    expected.extend(std::iter::repeat_n(b'x', 1 << 20));
    expected.extend_from_slice(b"\nthe last\n");
    let with_returns = String::from_utf8(expected.clone())
        .expect("text")
        .replace('\n', "\r\n");
    for (what, options, expected) in [
        ("pipe", &[][..], expected),
        ("tty", &["-t"], with_returns.into_bytes()),
    ] {
        let guest = lab.start_bare(what, lab.base(), options, &["sh", "-c", script]);
        guest.exit_code();
        let written = run(ww_ctl_command().args(["logs", &guest.name]))
            .expect(0)
            .stdout;
        assert!(
            written.into_bytes() == expected,
            "{what}: another output than was printed"
        );
        let recorded = ww_ctl(["logs", "-o", "jsonl", &guest.name])
            .expect(0)
            .stdout;
        assert!(!recorded.contains('\x1b'));
        let long: usize = recorded
            .lines()
            .map(|line| field(line, "line"))
            .filter(|line| line.starts_with('x'))
            .map(str::len)
            .sum();
        assert_eq!(long, 1 << 20, "{what}");
        let shell = format!(
            "{} logs {}; echo left with $?",
            ww_ctl_path().display(),
            guest.name
        );
        let mut terminal = Terminal::new(&shell, 24, 80);
        terminal.shows("the end", |screen| screen.contains("left with 0"));
        let has = |bytes: &[u8]| terminal.raw.windows(bytes.len()).any(|part| part == bytes);
        assert!(has(b"hostile\x1b[31m red\x1b[0m") && has("x…".as_bytes()) && has(b"the last"));
        assert!(
            !has(b"\x1b]") && !has(b"\x1b[2J") && !has(b"\x07"),
            "{what}"
        );
        assert!(
            terminal.raw.len() < 64 << 10,
            "{what}: {} bytes",
            terminal.raw.len()
        );
    }
}

#[test]
fn one_that_cannot_be_read_hides_nothing_of_the_other() {
    let lab = Lab::new("logs");
    let mute = lab.start_bare("mute", lab.base(), &["--log-driver", "none"], &["true"]);
    let loud = lab.start_bare("loud", lab.base(), &[], &["echo", "heard"]);
    loud.exit_code();
    let ran = ww_ctl(["logs", "--no-prefix", &mute.name, &loud.name]);
    assert_eq!(ran.stdout, "heard\n");
    ran.expect(1)
        .says(&[&mute.name, "does not support reading"]);
    let dead = [
        "-H",
        "unix:///var/run/docker.sock",
        "-H",
        "unix:///nonexistent.sock",
    ];
    let both = run(ww_ctl_command()
        .args(dead)
        .args(["logs", "--no-prefix", &loud.name]));
    assert_eq!(both.stdout, "heard\n");
    both.expect(5)
        .says(&["cannot reach the Docker Engine at /nonexistent.sock"]);
}
