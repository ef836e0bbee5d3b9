//! `restart --rolling`: a fleet behind a balancer loses no request, and one that does not come back
//! is the last one begun.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::balancer::{Balancer, Load, PAGE};
use crate::engine::{Engine, Kind};
use crate::lab::{Guest, Lab, run, until, ww_ctl, ww_ctl_command};

/// So many are restarted under load.
const MEMBERS: usize = 20;
/// So many of them may be out at once.
const AT_ONCE: usize = 3;

/// A web server that is ready while it is UP, and is never checked but when somebody asks.
fn web(lab: &Lab) -> String {
    let tree = lab.tree("web");
    tree.all_scripts()
        .script(
            "svcup",
            "[ -e /data/broken ] && exit 7; httpd -p 8080 -h /ww/files",
        )
        // The port has to be free again when it is over.
        .script(
            "svcdown",
            "killall httpd; while pidof httpd > /dev/null; do usleep 10000; done",
        )
        .file(
            "usr/lifecycle",
            0o755,
            "#!/bin/sh\nif [ \"$1\" = UP ]; then echo ok > /ww/files/ready; else rm -f /ww/files/ready; fi\n\
             echo \"= LIFECYCLE: $1\"\n",
        )
        .file(
            "usr/monitor",
            0o755,
            "#!/bin/sh\n[ -e /data/sick ] && exit 3\necho check >> /data/checks\n\
             wget -q -O /dev/null http://127.0.0.1:8080/ || exit 1\n",
        )
        .file("files/index.html", 0o644, &"x".repeat(PAGE))
        .defaults(
            r#"{"ww":{"drain":"500ms","monitor":{"interval":"1h","failures":100},"restart":{"max":1,"backoff":"10ms"}}}"#,
        );
    lab.image(&tree)
}

fn start(lab: &Lab, image: &str, count: usize) -> Vec<Guest> {
    let numbers: Vec<usize> = (1..=count).collect();
    // A few at a time, as quickly as the Engine takes them.
    let started: Vec<Guest> = thread::scope(|scope| {
        let workers: Vec<_> = numbers
            .chunks(count.div_ceil(4))
            .map(|numbers| {
                scope.spawn(|| {
                    let start = |number: &usize| {
                        let what = format!("web-{number:02}");
                        lab.start(&what, image, &["-p", "127.0.0.1::8080"], &[])
                    };
                    numbers.iter().map(start).collect::<Vec<_>>()
                })
            })
            .collect();
        let join = |worker: thread::ScopedJoinHandle<'_, Vec<Guest>>| worker.join();
        workers
            .into_iter()
            .flat_map(|worker| join(worker).expect("all started"))
            .collect()
    });
    ww_ctl(["wait", &all(lab), "--for", "UP", "--timeout", "60s"]).expect(0);
    started
}

/// A pattern that means all of them.
fn all(lab: &Lab) -> String {
    format!("{}*", lab.named("web"))
}

fn restarts(guest: &Guest) -> usize {
    guest.log().iter().filter(|line| *line == "+svcup").count() - 1
}

fn address(guest: &Guest) -> SocketAddr {
    let port = guest.inspect("{{(index (index .NetworkSettings.Ports \"8080/tcp\") 0).HostPort}}");
    format!("127.0.0.1:{port}").parse().expect("an address")
}

/// `ww-ctl events`, recorded.
struct Recorder {
    events: Child,
    file: std::path::PathBuf,
}

impl Recorder {
    fn start(lab: &Lab, hosts: &[&str]) -> Self {
        let file = lab.directory("events").join("events.jsonl");
        let events = ww_ctl_command()
            .args(hosts)
            .args(["-v", "events", &all(lab), "-o", "jsonl"])
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&file).expect("a file"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("ww-ctl");
        let mut recorder = Self { events, file };
        // It says so when it watches.
        let mut said = std::io::BufReader::new(recorder.events.stderr.take().expect("its stderr"));
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
        assert!(!line.is_empty(), "ww-ctl events has ended");
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        recorder
    }

    /// The states of all containers, in the order they were entered by the clock they share.
    fn states(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(&self.file).expect("its file");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let state = |line: &str| {
            let event: Value = serde_json::from_str(line).expect("JSON");
            let state = event["state"].as_str()?.to_owned();
            let at: jiff::Timestamp = event["at"].as_str()?.parse().expect("a time");
            Some((at, event["name"].as_str()?.to_owned(), state))
        };
        let mut states: Vec<_> = whole.lines().filter_map(state).collect();
        states.sort();
        let states = states.into_iter();
        states.map(|(_, name, state)| (name, state)).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.events.kill());
        drop(self.events.wait());
    }
}

#[test]
fn twenty_behind_a_balancer_are_restarted_and_no_request_is_lost() {
    let lab = Lab::new("rolling");
    let members = start(&lab, &web(&lab), MEMBERS);
    let addresses: Vec<SocketAddr> = members.iter().map(address).collect();
    let balancer = Balancer::start(&lab.directory("balancer"), &addresses);
    let recorder = Recorder::start(&lab, &[]);
    let load = Load::start(balancer.address);
    let ran = ww_ctl([
        "restart",
        "--rolling",
        "--timeout",
        "30s",
        "--max-unavailable",
        &AT_ONCE.to_string(),
        "--yes",
        &all(&lab),
    ])
    .expect(0)
    .says(&[&format!("{MEMBERS}/{MEMBERS} {}", lab.named("web-"))]);
    let served = load.stop();
    assert!(served.lost.is_empty(), "{served:?}");
    assert!(served.per_second > 100.0, "no load: {served:?}");
    assert_eq!(ran.stdout.matches(" is UP after ").count(), MEMBERS);
    for member in &members {
        assert_eq!(restarts(member), 1, "{}: {:?}", member.name, member.log());
        let checks = std::fs::read_to_string(member.data.join("checks")).unwrap_or_default();
        assert!(!checks.is_empty(), "{} was not checked", member.name);
    }

    let told = until("the last event", || {
        let told = recorder.states();
        (told.iter().filter(|(_, state)| state == "UP").count() >= MEMBERS).then_some(told)
    });
    let mut out = BTreeSet::new();
    let mut most = 0;
    let mut count = BTreeMap::new();
    for (name, state) in &told {
        *count.entry((name, state)).or_insert(0) += 1;
        if state == "UP" {
            out.remove(name);
        } else {
            out.insert(name);
        }
        most = most.max(out.len());
    }
    assert!((2..=AT_ONCE).contains(&most), "{most} at once: {told:?}");
    // RESTARTING and UP, once each, and nothing else.
    assert_eq!(count.len(), 2 * MEMBERS, "{told:?}");
    assert!(count.values().all(|count| *count == 1), "{told:?}");
}

#[test]
fn one_that_does_not_come_back_is_the_last_one_begun() {
    let lab = Lab::new("rolling");
    let members = start(&lab, &web(&lab), 5);
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let untouched = |from: usize| {
        for member in &members[from..] {
            assert_eq!(restarts(member), 0, "{} was touched", member.name);
            assert!(!member.log().contains(&"+svcdown".to_owned()));
        }
    };
    // It is UP and never passes.
    std::fs::write(members[1].data.join("sick"), "").expect("a file");
    let ran = ww_ctl([
        "restart",
        "--rolling",
        "--timeout",
        "2s",
        "--yes",
        &all(&lab),
    ])
    .expect(4);
    let left = format!(
        "not touched ({} took too long): {}",
        names[1],
        names[2..].join(" ")
    );
    ran.says(&[
        &format!("1/5 {}: UP after ", names[0]),
        "failing: monitor exited 3",
        &left,
    ]);
    untouched(2);

    // It is not well, so its turn comes first; it is well again, and the next does not come back.
    std::fs::remove_file(members[1].data.join("sick")).expect("the file");
    std::fs::write(members[2].data.join("broken"), "").expect("a file");
    let ran = ww_ctl(["restart", "--rolling", "--yes", "-o", "json", &all(&lab)])
        .expect(1)
        .says(&[
            &format!("first those that are not well: {} (failing)", names[1]),
            &format!("1/5 {}: UP after ", names[1]),
            &format!("2/5 {}: UP after ", names[0]),
            &format!("2/5 {}: failed", names[2]),
            "in a row: svcup exited 7",
        ]);
    untouched(3);
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let told: Vec<(bool, &str)> = told["results"]
        .as_array()
        .expect("the results")
        .iter()
        .map(|one| {
            let reason = one["reason"].as_str().expect("a reason");
            (
                one["ok"] == true,
                reason.split(": ").next().expect("a word"),
            )
        })
        .collect();
    let rest = (false, "not touched");
    assert_eq!(told, [(true, ""), (true, ""), (false, "ERROR"), rest, rest]);

    // One that is down is not well, and a signal does not start it.
    assert_eq!(members[2].exit_code(), 1);
    let counts: Vec<usize> = members.iter().map(restarts).collect();
    ww_ctl(["restart", "--rolling", "--yes", &all(&lab)])
        .expect(1)
        .says(&["it does not run"]);
    assert_eq!(counts, members.iter().map(restarts).collect::<Vec<_>>());
    // Whole containers are started by it.
    std::fs::remove_file(members[2].data.join("broken")).expect("the file");
    ww_ctl(["restart", "--rolling", "--container", "--yes", &all(&lab)]).expect(0);
    for member in &members {
        member.reaches("UP");
    }
}

#[test]
fn whoever_leaves_is_told_what_is_left() {
    let lab = Lab::new("rolling");
    let members = start(&lab, &web(&lab), 3);
    std::fs::write(members[1].data.join("sick"), "").expect("a file");
    let rolling = ww_ctl_command()
        .args(["restart", "--rolling", "--yes", &all(&lab)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ww-ctl");
    members[1].wrote("-svcup", 2);
    let pid = rolling.id().to_string();
    run(Command::new("kill").args(["-s", "INT", &pid])).expect(0);
    let ended = rolling.wait_with_output().expect("its end");
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8_lossy(&ended.stderr);
    for words in [
        "1 of 3 were restarted".to_owned(),
        format!("in work, which goes on: {}", members[1].name),
        format!("not touched: {}", members[2].name),
    ] {
        assert!(said.contains(&words), "{said}");
    }
    assert_eq!(restarts(&members[2]), 0);
}

#[test]
fn an_engine_that_is_restarted_meanwhile_is_waited_for() {
    let lab = Lab::new("rolling");
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("svcup", "while [ -e /data/hold ]; do sleep 0.1; done")
        .defaults(r#"{"ww":{"monitor":{"interval":"1h"}}}"#);
    let image = lab.image(&tree);
    let keeps = ["--live-restore"];
    let kind = Kind {
        options: &keeps,
        subordinate: None,
    };
    let mut engine = Engine::start(lab.directory("far/engine"), &kind);
    engine.load(&image);
    let members = [1, 2, 3, 4, 5, 6].map(|number| {
        let name = lab.named(&format!("web-{number}"));
        let data = lab.directory(&format!("data-{number}"));
        let mount = format!("{}:/data", data.display());
        let run = [
            "run",
            "-d",
            "--net=none",
            "--name",
            &name,
            "-v",
            &mount,
            &image,
        ];
        engine.docker(&run).expect(0);
        Guest { name, data }
    });
    let url = engine.url();
    let hosts = ["-H", &url];
    let wait = ["wait", &all(&lab), "--for", "UP", "--timeout", "60s"];
    run(ww_ctl_command().args(hosts).args(wait)).expect(0);
    // The second is in work for as long as that takes.
    let hold = members[1].data.join("hold");
    std::fs::write(&hold, "").expect("a file");
    let recorder = Recorder::start(&lab, &hosts);
    let said = lab.directory("said").join("stderr");
    let mut rolling = ww_ctl_command()
        .args(hosts)
        .args(["restart", "--rolling", "--yes", &all(&lab)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&said).expect("a file"))
        .spawn()
        .expect("ww-ctl");
    members[1].wrote("+svcup", 2);
    engine.signal("TERM");
    engine.ended();
    std::fs::remove_file(&hold).expect("the file");
    until("the second UP", || {
        let up = (members[1].name.clone(), "UP".to_owned());
        recorder.states().contains(&up).then_some(())
    });
    let begun: usize = members.iter().map(restarts).sum();
    assert_eq!(begun, 2, "nothing is begun meanwhile");
    engine.begin(&keeps);
    engine.answers();
    let status = rolling.wait().expect("its end");
    let words = std::fs::read_to_string(&said).expect("what it says");
    assert_eq!(status.code(), Some(0), "{words}");
    for member in &members {
        assert_eq!(restarts(member), 1, "{}: {words}", member.name);
        assert_eq!(
            words
                .matches(&format!("/6 {}: UP after ", member.name))
                .count(),
            1
        );
    }
    let told = until("the last event", || {
        let told = recorder.states();
        (told.iter().filter(|(_, state)| state == "UP").count() >= members.len()).then_some(told)
    });
    let expected: Vec<(String, String)> = members
        .iter()
        .flat_map(|one| ["RESTARTING", "UP"].map(|state| (one.name.clone(), state.to_owned())))
        .collect();
    // One after the other, each once, in their order.
    assert_eq!(told, expected);
}
