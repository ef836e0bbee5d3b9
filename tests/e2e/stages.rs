//! `ww-ctl stop` shows a stop stage by stage, whoever speaks the agent's protocol.

use crate::lab::{Guest, Lab, ww_ctl};

/// Ends once the other script says that it has stopped.
const RUN: &str = r"trap 'touch /tmp/asked' TERM
while [ ! -e /tmp/stopped ]; do sleep 0.02; done
";

/// An agent by the book: what it says first, an answer to who asks, and a stop in three stages.
const AGENT: &str = r#"say() { echo "$1"; }
say '{"type":"hello","protocol":1,"agent":"9.9.9","boot":"b1"}'
say '{"type":"snapshot","at":"2026-11-22T16:15:00Z","booted":"2026-11-22T16:14:40Z","state":"UP","since":"2026-11-22T16:14:52Z","since_ms":8150,"cause":"warmup finished","health":{"status":"passing"},"restarts":{"total":0,"in_a_row":0,"max":5},"stop":{"drain_ms":5000,"services_ms":60000,"svcdown_ms":20000,"grace_ms":5000},"services":[{"service":"web","status":"up","since":"2026-11-22T16:14:44Z","pid":31}]}'
[ -e /tmp/asked ] || { read request && say '{"type":"answer","id":1,"ok":true,"result":{"heard":"begun"}}'; }
while [ ! -e /tmp/asked ]; do sleep 0.02; done
say '{"type":"state","number":9,"at":"2026-11-22T16:20:00Z","from":"UP","state":"STOPPED","cause":"SIGTERM","lasted_ms":1}'
say '{"type":"stopping","stage":"draining","at":"2026-11-22T16:20:00Z","limit_ms":5000}'
sleep 0.2
say '{"type":"stopping","stage":"services","at":"2026-11-22T16:20:01Z","limit_ms":60000}'
say '{"type":"service","service":"web","status":"down","since":"2026-11-22T16:20:01Z","exit":0}'
sleep 1.2
say '{"type":"stopping","stage":"svcdown","at":"2026-11-22T16:20:02Z","limit_ms":20000}'
sleep 0.2
touch /tmp/stopped
sleep 60
"#;

fn speaker(lab: &Lab) -> Guest {
    let tree = lab.tree("speaker");
    let script = |text: &str| format!("#!/bin/sh\n{text}");
    tree.file("run", 0o755, &script(RUN));
    tree.file("bin/ww-agent", 0o755, &script(AGENT));
    let mount = format!("{}:/ww", tree.path().display());
    let options = ["--label", "io.whaleware.agent=1", "-v", &mount];
    let guest = lab.start("speaker", lab.base(), &options, &["/ww/run"]);
    guest.reaches("UP");
    guest
}

#[test]
fn each_stage_has_its_time_and_its_limit_and_the_end_is_not_missed() {
    let lab = Lab::new("stages");
    let guest = speaker(&lab);
    let ran = ww_ctl(["stop", &guest.name, "-o", "json"]).expect(0);
    let name = &guest.name;
    let mut rest = ran.stderr.as_str();
    for words in [
        &format!(
            "{name}: stopping may take up to 1m 38s: drain 5s, services 1m, svcdown 20s, ending svcdown 5s, grace 5s, killing 3s\n"
        ),
        &format!("{name}: STOPPED (SIGTERM)\n"),
        &format!("{name}: drain "),
        "ms of 5s\n",
        &format!("{name}: services 1."),
        "s of 1m\n",
        &format!("{name}: svcdown "),
        "ms of 20s\n",
        &format!("{name}: DOCKERDOWN (exited 0, STOPPED: SIGTERM)\n"),
    ] {
        let place = rest.find(words);
        let place = place.unwrap_or_else(|| panic!("{words:?} is not next in {}", ran.stderr));
        rest = &rest[place + words.len()..];
    }
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let stages = json["results"][0]["stages"].as_array().expect("stages");
    let seen: Vec<_> = stages
        .iter()
        .map(|one| (one["stage"].as_str(), one["limit_ms"].as_u64()))
        .collect();
    assert_eq!(
        seen,
        [
            (Some("draining"), Some(5_000)),
            (Some("services"), Some(60_000)),
            (Some("svcdown"), Some(20_000)),
        ]
    );
    let services = stages[1]["took_ms"].as_u64().expect("how long it took");
    assert!((1_000..10_000).contains(&services), "{services}");
}

#[test]
fn services_and_who_keeps_nothing_are_shown() {
    let lab = Lab::new("stages");
    let guest = speaker(&lab);
    let shown = ww_ctl(["show", &guest.name]).expect(0).stdout;
    let line = shown.lines().find(|line| line.starts_with("  web "));
    let line = line.unwrap_or_else(|| panic!("no service in {shown}"));
    assert!(line.contains("up") && line.contains("31"), "{line}");
    std::fs::create_dir(guest.data.join(".ww")).expect("a directory");
    // Its agent does not answer; the files do, and nothing else of theirs is believed.
    std::os::unix::fs::symlink("/etc/passwd", guest.data.join(".ww/history.1.jsonl"))
        .expect("a link");
    let entry = r#"{"at":"2026-11-22T03:00:00Z","boot":"b0","event":"state","state":"UP","cause":"warmup finished"}"#;
    std::fs::write(guest.data.join(".ww/history.jsonl"), entry).expect("a file");
    crate::lab::docker(["kill", &guest.name]).expect(0);
    let ran = ww_ctl(["show", &guest.name, "--history"]).expect(0);
    assert!(ran.stdout.contains("warmup finished"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("ended without a word in UP"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("root:"), "{}", ran.stdout);
    ran.says(&["history.1.jsonl", "no regular file"]);
    ww_ctl(["show", &guest.name, "--evidence"])
        .expect(1)
        .says(&["cannot show the evidence", "/data/.ww"]);
}
