//! Every JSON of a real fleet in all its states is as `docs/schema.json` says.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::lab::{Guest, Lab, docker, run, until, ww_ctl, ww_ctl_command};
use crate::shape::{Shapes, undescribed};

#[test]
fn every_field_is_described() {
    let found = undescribed();
    assert!(found.is_empty(), "without a description: {found:#?}");
}

/// `ww-ctl events`, listened to until it is dropped.
struct Listener {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Listener {
    /// Listens to the containers of a laboratory; returns when it does.
    fn new(lab: &Lab) -> Self {
        let pattern = lab.named("*");
        let mut child = ww_ctl_command()
            .args(["-v", "events", &pattern, "-o", "jsonl"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ww-ctl events");
        let mut talk = BufReader::new(child.stderr.take().expect("its talk"));
        let mut line = String::new();
        talk.read_line(&mut line).expect("a line");
        assert!(line.contains("watching"), "{line}");
        std::thread::spawn(move || talk.lines().for_each(drop));
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, lines }
    }

    /// The lines up to the first that is wanted.
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).expect("a line");
            assert_ne!(read, 0, "it has ended after {seen:#?}");
            let event: Value = serde_json::from_str(&line).expect("JSON");
            let is_wanted = wanted(&event);
            seen.push(event);
            if is_wanted {
                return seen;
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `ls` and `show` of one, in both forms.
fn seen(shapes: &Shapes, guest: &Guest) -> Value {
    let filter = format!("name={}", guest.name);
    let listed = ww_ctl(["ls", "-a", "--filter", &filter, "-o", "json"]).expect(0);
    let document = shapes.document("ls", &listed.stdout);
    let listed = ww_ctl(["ls", "-a", "--filter", &filter, "-o", "jsonl"]).expect(0);
    shapes.lines("lsLine", &listed.stdout);
    for format in ["json", "jsonl"] {
        let shown = ww_ctl(["show", &guest.name, "-o", format]).expect(0);
        shapes.document("show", &shown.stdout);
    }
    document["containers"][0].clone()
}

#[test]
fn containers_in_every_state_and_what_happens_to_them() {
    let shapes = Shapes::new();
    let lab = Lab::new("schema");
    let mut events = Listener::new(&lab);

    let tree = lab.tree("app");
    // The watchdog strikes once, and a service ends once.
    tree.all_scripts()
        .script(
            "monitor",
            "[ -e /data/well ] || { touch /data/well; echo ill; exit 1; }\necho '{\"queue\":17}'",
        )
        .file(
            "usr/svc.d/web",
            0o755,
            "#!/bin/sh\n[ -e /data/again ] || { touch /data/again; exit 3; }\nexec sleep 600\n",
        )
        .script("boot", "[ \"$KIND\" != hangs ] || sleep 600")
        .script("firstboot", "[ \"$KIND\" != broken ] || exit 7")
        .defaults(r#"{"ww":{"monitor":{"interval":"200ms"},"restart":{"backoff":"100ms"}},"db":{"host":"a"}}"#);
    let image = lab.image(&tree);
    let app = lab.start("app", &image, &["-p", "127.0.0.1::8080", "-m", "64m"], &[]);
    app.wrote("-svcup", 2);
    app.reaches("healthy");
    let one = seen(&shapes, &app);
    assert_eq!(
        (&one["state"], &one["agent"]),
        (&"UP".into(), &"direct".into())
    );
    assert_eq!(one["memory_limit_bytes"], 64 << 20);
    assert_eq!(one["services"][0]["service"], "web");

    for (what, document, line) in [
        ("--history", "history", "historyLine"),
        ("--evidence", "evidence", "evidence"),
    ] {
        let told = ww_ctl(["show", &app.name, what, "-o", "json"]).expect(0);
        assert_eq!(shapes.document(document, &told.stdout)["from"], "agent");
        let told = ww_ctl(["show", &app.name, what, "-o", "jsonl"]).expect(0);
        shapes.lines(line, &told.stdout);
    }

    // Another that never gets up, one that fails, one without an agent.
    let hangs = lab.start("hangs", &image, &["-e", "KIND=hangs"], &[]);
    hangs.wrote("+boot", 1);
    let one = seen(&shapes, &hangs);
    assert_eq!(
        (&one["state"], &one["running"]["hook"]),
        (&"BOOT".into(), &"boot".into())
    );
    let broken = lab.start("broken", &image, &["-e", "KIND=broken"], &[]);
    assert_eq!(broken.exit_code(), 1);
    let one = seen(&shapes, &broken);
    assert_eq!(
        (&one["state"], &one["exit_code"]),
        (&"DOCKERDOWN".into(), &1.into())
    );
    let plain = lab.start_bare("plain", lab.base(), &[], &["sleep", "600"]);
    let one = seen(&shapes, &plain);
    assert_eq!(
        (&one["state"], &one["agent"]),
        (&Value::Null, &"none".into())
    );

    // What was waited for in vain is told as it is.
    let failed = ww_ctl(["wait", &broken.name, "--for", "UP", "-o", "json"]).expect(1);
    let result = &shapes.document("results", &failed.stdout)["results"][0];
    assert_eq!((&result["ok"], &result["exit"]), (&false.into(), &1.into()));
    assert!(
        result["reason"]
            .as_str()
            .expect("a reason")
            .contains("it is down"),
        "{result}"
    );
    let late = ww_ctl([
        "wait",
        &hangs.name,
        "--for",
        "UP",
        "--timeout",
        "500ms",
        "-o",
        "jsonl",
    ]);
    let result = &shapes.lines("resultLine", &late.expect(4).stdout)[0];
    assert_eq!((&result["ok"], &result["exit"]), (&false.into(), &4.into()));

    what_happens(&shapes, &lab, &app, &hangs);
    let told = events.until(|event| event["event"] == "removed");
    for event in &told {
        shapes.value("event", event);
    }
    for kind in [
        "appeared", "state", "health", "service", "stopping", "renamed",
    ] {
        let has = told.iter().any(|event| event["event"] == kind);
        assert!(has, "no {kind} among {told:#?}");
    }
}

/// A silent agent, a paused container, a renaming, a stop, an end.
fn what_happens(shapes: &Shapes, lab: &Lab, app: &Guest, hangs: &Guest) {
    let pid = hangs.inspect("{{.State.Pid}}");
    run(Command::new("kill").args(["-STOP", &pid])).expect(0);
    let listed = ww_ctl(["ls", &hangs.name, "-o", "json"]).expect(0);
    let document = shapes.document("ls", &listed.stdout);
    assert_eq!(document["containers"][0]["agent"], "silent");
    docker(["pause", &app.name]).expect(0);
    assert_eq!(seen(shapes, app)["engine"], "paused");
    docker(["unpause", &app.name]).expect(0);
    let renamed = lab.named("renamed");
    docker(["rename", &app.name, &renamed]).expect(0);
    let stopped = ww_ctl(["stop", &renamed, "-o", "json"]).expect(0);
    let stages = &shapes.document("results", &stopped.stdout)["results"][0]["stages"];
    assert!(!stages.as_array().expect("stages").is_empty(), "{stages}");
    let kept = ww_ctl(["show", &renamed, "--history", "-o", "json"]).expect(0);
    assert_eq!(shapes.document("history", &kept.stdout)["from"], "files");
    docker(["rm", "-v", &renamed]).expect(0);
}

#[test]
fn names_of_several_hosts_are_names_again() {
    let lab = Lab::new("schema");
    let tree = lab.tree("app");
    tree.all_scripts();
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    let socket = lab.directory("two").join("second.sock");
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).expect("a link");
    let second = format!("unix://{}", socket.display());
    let ctl = |arguments: &[&str]| {
        let hosts = ["-H", "unix:///var/run/docker.sock", "-H", &second];
        run(ww_ctl_command().args(hosts).args(arguments))
    };
    let filter = format!("name={}", guest.name);
    let listed = ctl(&["ls", "--filter", &filter, "-o", "name"])
        .expect(0)
        .stdout;
    let names: Vec<&str> = listed.lines().collect();
    assert_eq!(names.len(), 2, "{listed}");
    assert!(
        names.contains(&format!("local/{}", guest.name).as_str()),
        "{listed}"
    );
    ctl(&["show", &guest.name])
        .expect(2)
        .says(&["means 2 containers", "HOST/NAME"]);
    for name in names {
        for arguments in [
            &["ls", name, "-o", "name"][..],
            &["show", name, "-o", "name"],
            &["wait", name, "--for", "UP", "-o", "name"],
            &["start", name, "-o", "name"],
        ] {
            let ran = ctl(arguments).expect(0);
            assert_eq!(ran.stdout, format!("{name}\n"), "{arguments:?}");
        }
    }
    until("the words of a wait, with the host", || {
        let ran = ctl(&["wait", "--for", "UP", "--filter", &filter]).expect(0);
        ran.stdout
            .contains(&format!("local/{} is UP", guest.name))
            .then_some(())
    });
}
