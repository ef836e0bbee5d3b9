//! What is kept when the watchdog strikes, before anything is stopped.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use serde_json::Value;

use crate::harness::{Agent, Image, until};

/// Fails once, when `$ROOT/sick` appears.
const SICK: &str = "#!/bin/sh\n[ -e $ROOT/sick ] || exit 0\nrm $ROOT/sick\necho 'no answer on port 8080'\nexit 3\n";
const OFTEN: &str = r#"{"ww":{"monitor":{"interval":"20ms"},"restart":{"backoff":"1ms"},"stop":{"grace":"200ms"}}}"#;

/// The test that starts this program once more.
const THIS: &str = "evidence::a_hanging_worker_is_seen_before_it_is_stopped";

fn image() -> Image {
    Image::new()
        .file("ww/usr/monitor", SICK.as_bytes(), 0o755)
        .cfg(OFTEN)
}

fn evidence(agent: &Agent, index: u32) -> Value {
    let request = format!(r#"{{"id":1,"type":"evidence","index":{index}}}"#);
    let answer = agent.listen().ask(&request);
    assert_eq!(answer["ok"], true, "{answer}");
    answer["result"].clone()
}

/// Makes the watchdog strike, and waits until the services are up again.
fn strike(agent: &Agent) {
    let mut listener = agent.listen();
    listener.state("UP");
    fs::write(agent.path("sick"), "").unwrap();
    listener.change("RESTARTING");
    listener.change("UP");
}

/// Hangs with five threads and thirty files, having said so.
fn work() -> ! {
    let files: Vec<File> = (0..30).map(|_| File::open("/dev/null").unwrap()).collect();
    let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    while count("task") < 5 {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
    // The directory that is being read is open, too.
    println!("\nworker {} {} end", count("task"), count("fd") - 1);
    assert_eq!(files.len(), 30);
    loop {
        std::thread::park();
    }
}

#[expect(clippy::disallowed_methods, reason = "this program is its own worker")]
fn is_worker() -> bool {
    std::env::var_os("WORKER").is_some()
}

#[test]
fn a_hanging_worker_is_seen_before_it_is_stopped() {
    if is_worker() {
        work();
    }
    let program = std::env::current_exe().unwrap();
    let program = program.display();
    let mut agent = image()
        .script(
            "svcup",
            &format!(
                "echo 'serving now'; WORKER=1 setsid {program} --exact {THIS} --nocapture \
                 > $ROOT/worker 2>&1 & echo $! > $ROOT/pid"
            ),
        )
        .script(
            "svcdown",
            "grep -q a_hanging_worker $ROOT/data/.ww/evidence-1.json && echo was-seen >> $LOG\n\
             kill -0 $(cat $ROOT/pid) && echo was-alive >> $LOG\nkill -9 $(cat $ROOT/pid)",
        )
        .start();
    let [threads, descriptors] = until("the worker", || {
        let text = fs::read_to_string(agent.path("worker")).ok()?;
        let words: Vec<&str> = text
            .lines()
            .find(|line| line.ends_with(" end"))?
            .split(' ')
            .collect();
        Some([words[1].parse::<u64>().ok()?, words[2].parse::<u64>().ok()?])
    });
    assert_eq!(threads, 5);
    assert!((33..40).contains(&descriptors), "{descriptors}");
    strike(&agent);
    agent.wait_log("was-alive", 1);
    agent.wait_log("was-seen", 1);
    let found = evidence(&agent, 0);
    assert_eq!(found["kept"], 1);
    let report = found["report"].clone();
    assert_eq!(report["cause"], "monitor exited 3");
    assert_eq!(report["monitor"]["text"], "no answer on port 8080");
    let processes = report["processes"].as_array().unwrap();
    assert_eq!(
        (&processes[0]["pid"], &processes[0]["parent"]),
        (&1.into(), &0.into())
    );
    let worker = processes
        .iter()
        .find(|one| {
            one["command"]
                .as_str()
                .unwrap()
                .contains("a_hanging_worker")
        })
        .unwrap();
    assert_eq!(worker["threads"], threads);
    assert_eq!(worker["descriptors"], descriptors);
    assert_eq!(worker["state"], "S");
    assert_eq!(worker["parent"], 1);
    assert!(worker["memory_bytes"].as_u64().unwrap() > 100_000);
    let log = report["log"].as_array().unwrap();
    assert!(log.iter().any(|line| line == "serving now"), "{log:?}");
    let mode = fs::metadata(agent.path("data/.ww/evidence-1.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(agent.stop().0, 0);
    agent.start_again();
    agent.wait_state("UP");
    let again = evidence(&agent, 0);
    assert_eq!(again["report"], report);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn what_was_asked_for_leaves_none() {
    let agent = image().start();
    agent.wait_state("UP");
    let mut listener = agent.listen();
    listener.ask(r#"{"id":1,"type":"restart"}"#);
    listener.change("UP");
    let found = evidence(&agent, 0);
    assert_eq!(found["kept"], 0);
    assert!(found.get("report").is_none());
}

#[test]
fn the_newest_are_kept_also_of_giving_up() {
    let mut agent = Image::new()
        .file("ww/usr/monitor", b"#!/bin/sh\nexit 1\n", 0o755)
        .cfg(r#"{"ww":{"monitor":{"interval":"20ms"},"restart":{"backoff":"1ms","backoff_max":"1ms","max":6}}}"#)
        .start();
    assert_eq!(agent.exit(), 1);
    fs::remove_file(agent.path("ww/usr/monitor")).unwrap();
    agent.start_again();
    agent.wait_state("UP");
    let newest = evidence(&agent, 0);
    assert_eq!(newest["kept"], 5);
    let cause = newest["report"]["cause"].as_str().unwrap();
    assert!(cause.starts_with("gave up after 6 restarts"), "{cause}");
    // As times, not as text: `24.2Z` is before `24.267Z`.
    let at = |index| -> Timestamp {
        let report = &evidence(&agent, index)["report"];
        report["at"].as_str().unwrap().parse().unwrap()
    };
    let times: Vec<Timestamp> = (0..5).map(at).collect();
    assert!(
        times.is_sorted_by(|newer, older| newer > older),
        "{times:?}"
    );
    assert!(evidence(&agent, 5).get("report").is_none());
}

#[test]
fn where_it_cannot_be_kept_the_newest_is_told_all_the_same() {
    let agent = image().file("data/.ww", b"theirs", 0o644).start();
    strike(&agent);
    strike(&agent);
    let found = evidence(&agent, 0);
    assert_eq!(found["kept"], 1);
    assert_eq!(found["report"]["cause"], "monitor exited 3");
    assert!(evidence(&agent, 1).get("report").is_none());
    let stderr = agent.stderr();
    let told = stderr.matches("evidence is kept in memory only: ").count();
    assert_eq!(told, 2, "{stderr}");
    assert!(!stderr.contains("evidence is kept: "), "{stderr}");
}

#[test]
fn it_is_said_whether_it_is_kept() {
    let agent = image().start();
    strike(&agent);
    agent.wait_stderr("evidence is kept: ");
    let mount = "mount --bind $ROOT/data $ROOT/data && \
                 mount -o remount,ro,bind $ROOT/data && exec \"$@\"";
    let agent = image().around(&["sh", "-c", mount, "sh"]).start();
    strike(&agent);
    agent.wait_stderr("evidence is kept in memory only: ");
    let found = evidence(&agent, 0);
    assert_eq!(found["report"]["cause"], "monitor exited 3");
}

#[test]
fn five_hundred_processes_with_long_names_fit() {
    let name = format!("1000.{}", "0".repeat(400));
    let agent = image()
        .script(
            "svcup",
            &format!(
                "[ -e $ROOT/many ] || for i in $(seq 500); do sleep {name} & done; touch $ROOT/many"
            ),
        )
        .script("svcdown", "kill -9 -1")
        .start();
    strike(&agent);
    let file = fs::metadata(agent.path("data/.ww/evidence-1.json")).unwrap();
    assert!(file.len() <= 48 * 1024, "{}", file.len());
    let report = evidence(&agent, 0)["report"].clone();
    let told = report["processes"].as_array().unwrap().len();
    let omitted = report["omitted"].as_u64().unwrap();
    assert!(told >= 60, "{told}");
    assert!(
        omitted + u64::try_from(told).unwrap() >= 500,
        "{told} {omitted}"
    );
}
