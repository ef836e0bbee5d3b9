//! Asterisk 16 and 22 on the same data.

use serde_json::Value;

use crate::debian;
use crate::lab::{Guest, Lab, Ran, docker, until, until_or, ww_ctl};

/// Not those of `defaults.json`; a semicolon begins a comment in Asterisk's files.
const CFG: &str = r#"CFG={
    "ami": {"user": "boss", "secret": "hush;ami"}, "ari": {"user": "boss", "secret": "hush;ari"},
    "patience": 3, "ww": {"monitor": {"interval": "1s"}}
}"#;

fn runs(lab: &Lab, tag: &str) -> Guest {
    let guest = Guest {
        name: lab.named("pbx"),
        data: lab.directory("data-pbx"),
    };
    let (label, data) = (lab.label(), guest.data.display().to_string());
    ww_ctl([
        "run",
        tag,
        "--label",
        &label,
        "--name",
        &guest.name,
        "--network",
        "none",
        "--env",
        CFG,
        "--data",
        &data,
        "--wait",
    ])
    .expect(0);
    guest
}

/// A command of the shell in the container.
fn inside(guest: &Guest, command: &str) -> Ran {
    docker(["exec", &guest.name, "sh", "-c", command])
}

/// A command at Asterisk's console.
fn console(guest: &Guest, command: &str) -> String {
    let command = ["exec", &guest.name, "asterisk", "-rx", command];
    docker(command).expect(0).stdout
}

/// An action of AMI, by the account of the configuration.
fn ami(guest: &Guest, action: &str) -> Ran {
    let action = action.replace('\n', "\\r\\n");
    inside(
        guest,
        &format!("printf '{action}\\r\\n\\r\\n' | /ww/files/ami"),
    )
}

/// A call from an extension to another one.
fn originate(guest: &Guest, from: &str, to: &str) {
    let action = format!(
        "Action: Originate\nChannel: Local/{from}@load\nContext: load\nExten: {to}\nPriority: 1\nAsync: true"
    );
    let queued = ami(guest, &action).expect(0);
    assert!(
        queued.stdout.contains("Originate successfully queued"),
        "{queued:?}"
    );
}

/// Waits until the monitor tells all of these.
#[track_caller]
fn tells(guest: &Guest, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let told = || -> Value {
        let status: Value = serde_json::from_str(&guest.status()).expect("JSON");
        status["monitor"]["value"].clone()
    };
    until_or(
        || format!("{what}: {}", told()),
        || Some(told()).filter(|told| told.is_object() && is(told)),
    )
}

/// AMI, ARI, calls and the queue, as a user would see them.
fn serves(guest: &Guest, version: &str) {
    guest.reaches("healthy");
    let is = |told: &Value| {
        told["version"]
            .as_str()
            .is_some_and(|is| is.starts_with(version))
    };
    let before = tells(guest, "the version", is);
    let processed = before["calls_processed"].as_u64().expect("a number");
    let info = inside(guest, "/ww/files/ari GET /asterisk/info").expect(0);
    let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
    assert_eq!(info["system"]["version"], before["version"]);
    // A call that lasts, and another one that waits as long as nobody takes it.
    originate(guest, "399", "200");
    tells(guest, "a call", |told| {
        told["channels"] == 2
            && told["calls"] == 1
            && told["calls_processed"].as_u64() > Some(processed)
    });
    let pause = "Action: QueuePause\nQueue: support\nInterface: Local/answer@agents/n\nPaused";
    ami(guest, &format!("{pause}: true")).expect(0);
    originate(guest, "398", "400");
    tells(guest, "one who waits", |told| {
        told["queue_callers"] == 1
            && told["queue_available"] == 0
            && told["queue_longest_hold_s"].as_u64() > Some(0)
    });
    let channels = inside(guest, "/ww/files/ari GET /channels").expect(0);
    let channels: Value = serde_json::from_str(&channels.stdout).expect("JSON");
    assert_eq!(channels.as_array().map(Vec::len), Some(4), "{channels:#}");
    ami(guest, &format!("{pause}: false")).expect(0);
    tells(guest, "nobody who waits", |told| told["queue_callers"] == 0);
    ami(guest, "Action: Hangup\nChannel: /^Local/.*$/").expect(0);
    tells(guest, "the end of all calls", |told| {
        told["channels"] == 0 && told["calls"] == 0
    });
}

/// How often its service was started again, when it is up.
fn restarts(guest: &Guest) -> Option<u64> {
    let status: Value = serde_json::from_str(&guest.status()).expect("JSON");
    let service = &status["services"][0];
    assert_eq!(service["service"], "asterisk", "{status:#}");
    (service["status"] == "up").then(|| service["restarts"].as_u64().unwrap_or(0))
}

fn strangers_are_refused(guest: &Guest) {
    // The accounts that everybody may read in `defaults.json`.
    let login = "Action: Login\\r\\nUsername: admin\\r\\nSecret: test-ami\\r\\n\\r\\n";
    let basic = "Authorization: Basic $(printf admin:test-ari | base64)";
    let get =
        format!("GET /ari/asterisk/info HTTP/1.1\\r\\nHost: localhost\\r\\n{basic}\\r\\n\\r\\n");
    for (port, asked, expected) in [
        (5038, login, "Authentication failed"),
        (8088, &get, "401 Unauthorized"),
    ] {
        let talk = format!(
            "exec 3<> /dev/tcp/127.0.0.1/{port}; printf \"{asked}\" >&3; timeout 10 head -n 3 <&3"
        );
        let refused = docker(["exec", &guest.name, "bash", "-c", &talk]).expect(0);
        assert!(refused.stdout.contains(expected), "{refused:?}");
    }
    let modes = inside(guest, "stat -c '%a %U %G' /run/asterisk/etc/*.conf").expect(0);
    assert!(modes.stdout.lines().count() > 10, "{modes:?}");
    for mode in modes.stdout.lines() {
        assert_eq!(mode, "640 root asterisk");
    }
}

fn upgraded(guest: &Guest, tag: &str, from: &str, to: &str) {
    ww_ctl(["upgrade", &guest.name, "--image", tag]).expect(0);
    let printed = guest.output();
    assert!(
        printed.contains(&format!("upgrade: data of Asterisk {from}")),
        "{printed}"
    );
    assert!(console(guest, "core show version").contains(&format!("Asterisk {to}")));
    assert!(console(guest, "database get whale ware").contains("Value: 42"));
    // A member that was added while the other version ran.
    assert!(console(guest, "queue show support").contains("Local/305@load"));
    let before = inside(guest, "cat /data/asterisk/before-version").expect(0);
    assert!(before.stdout.starts_with(from), "{before:?}");
    serves(guest, to);
}

#[test]
fn a_version_is_swapped_for_another_one_on_the_same_data_and_back() {
    let lab = Lab::new("asterisk");
    let old = debian::image(&lab, "asterisk", "bullseye");
    let new = debian::image(&lab, "asterisk", "sid");
    for tag in [&old, &new] {
        ww_ctl(["check", "--image", tag])
            .expect(0)
            .says(&["0 errors, 0 warnings, 0 notes"]);
    }
    let guest = runs(&lab, &old);
    serves(&guest, "16.");
    strangers_are_refused(&guest);
    console(&guest, "database put whale ware 42");
    // Paused, so that it takes no calls.
    let add = "Action: QueueAdd\nQueue: support\nInterface: Local/305@load\nPaused: true";
    ami(&guest, add).expect(0);
    upgraded(&guest, &new, "16.", "22.");
    upgraded(&guest, &old, "22.", "16.");
    upgraded(&guest, &new, "16.", "22.");

    // It alone is started again.
    assert_eq!(restarts(&guest), Some(0));
    inside(&guest, "kill -9 $(cat /run/asterisk/asterisk.pid)").expect(0);
    until("that it is started again", || {
        (restarts(&guest) == Some(1)).then_some(())
    });
    assert!(
        guest
            .output()
            .contains("service asterisk was ended by SIGKILL")
    );
    serves(&guest, "22.");
    // One that stands still does not answer.
    inside(&guest, "kill -STOP $(cat /run/asterisk/asterisk.pid)").expect(0);
    until("the word of the monitor", || {
        let printed = guest.output();
        printed
            .contains("monitor exited 1, 3 checks in a row")
            .then_some(())
    });
    assert!(guest.output().contains("ami: no answer in 3 s"));
    guest.reaches("UP");
    serves(&guest, "22.");

    ww_ctl(["restart", &guest.name]).expect(0);
    tells(&guest, "a new life", |told| told["calls_processed"] == 0);
    serves(&guest, "22.");
    ww_ctl(["stop", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0);
    assert!(!guest.output().contains("hush"), "secrets are not printed");
}
