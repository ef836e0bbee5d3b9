//! The audit journal: every action leaves a trace there, whatever ends it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::lab::{Guest, Lab, Ran, run, until, ww_ctl_command};

fn app(lab: &Lab) -> Guest {
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("svcup", "while [ -e /data/slow ]; do sleep 0.1; done");
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    guest
}

fn ww_ctl(journal: &Path, arguments: &[&str]) -> Ran {
    run(ww_ctl_command()
        .env("WW_AUDIT_FILE", journal)
        .args(arguments))
}

#[test]
fn what_is_done_is_written_down_and_what_is_not_is_not() {
    let lab = Lab::new("audit");
    let guest = app(&lab);
    let journal = lab.directory("audit").join("journal");
    let name = guest.name.as_str();
    ww_ctl(&journal, &["--read-only", "stop", name]).expect(6);
    ww_ctl(&journal, &["ls"]).expect(0);
    ww_ctl(&journal, &["wait", name, "--for", "UP"]).expect(0);
    ww_ctl(&journal, &["stop", &format!("{name}*")]).expect(6);
    assert!(!journal.exists(), "nothing was done");

    ww_ctl(&journal, &["restart", name, "--timeout", "30s"]).expect(0);
    std::fs::write(guest.data.join("slow"), "").expect("a file");
    ww_ctl(&journal, &["restart", name, "--timeout", "1s"]).expect(4);
    std::fs::remove_file(guest.data.join("slow")).expect("the file");
    guest.reaches("UP");
    ww_ctl(&journal, &["stop", name]).expect(0);
    ww_ctl(&journal, &["restart", name]).expect(1);
    ww_ctl(&journal, &["start", name]).expect(0);

    let shown = ww_ctl(&journal, &["audit", "-o", "jsonl", "--filter", name]).expect(0);
    let id = guest.inspect("{{.Id}}");
    let told: Vec<_> = shown
        .stdout
        .lines()
        .map(|line| {
            let one: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(one["targets"][0]["id"], *id, "{one}");
            assert_eq!(one["results"][0]["id"], *id, "{one}");
            let words = one["results"][0]["words"].as_str().expect("words");
            let words = words.split([' ', ':']).next().expect("a word");
            format!(
                "{} {} {words}",
                one["action"].as_str().expect("a word"),
                one["exit"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "restart 0 UP",
            "restart 4 still",
            "stop 0 DOCKERDOWN",
            "restart 1 it",
            "start 0 UP",
        ]
    );
}

#[test]
fn one_that_is_killed_or_interrupted_has_left_its_beginning() {
    let lab = Lab::new("audit");
    let guest = app(&lab);
    let journal = lab.directory("audit").join("journal");
    std::fs::write(guest.data.join("slow"), "").expect("a file");
    for (nth, (signal, result)) in [("KILL", "not ended (killed?)"), ("INT", "interrupted")]
        .into_iter()
        .enumerate()
    {
        let mut acting = ww_ctl_command()
            .env("WW_AUDIT_FILE", &journal)
            .args(["restart", &guest.name])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ww-ctl");
        until("it to be written down", || {
            let shown = ww_ctl(&journal, &["audit"]).stdout;
            (shown.matches("restart").count() == nth + 1 && shown.contains("under way"))
                .then_some(())
        });
        let pid = acting.id().to_string();
        run(Command::new("kill").args(["-s", signal, &pid])).expect(0);
        acting.wait().expect("its end");
        let shown = ww_ctl(&journal, &["audit"]).expect(0).stdout;
        let last = shown.lines().last().expect("a line");
        assert!(last.contains(result), "{signal}: {last}");
    }
    std::fs::remove_file(guest.data.join("slow")).expect("the file");
}

#[test]
fn a_journal_that_cannot_be_written_keeps_nobody_from_acting() {
    let lab = Lab::new("audit");
    let guest = app(&lab);
    let ran = ww_ctl(Path::new("/proc/journal"), &["restart", &guest.name]).expect(0);
    let warnings = ran.stderr.matches("audit journal").count();
    assert_eq!(warnings, 1, "{}", ran.stderr);
}
