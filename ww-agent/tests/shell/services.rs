//! Foreground services: started, watched one by one, stopped in order.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};
use serde_json::Value;

use crate::harness::{Agent, Image, Listener, until};

/// Hears TERM, and says when it goes.
fn polite(name: &str) -> String {
    format!("trap 'echo bye-{name} >> \"$LOG\"; exit 0' TERM\nwhile :; do sleep 0.05; done")
}

fn with_services(names: &[&str]) -> Image {
    names.iter().fold(Image::new(), |image, name| {
        image.script(&format!("svc.d/{name}"), &polite(name))
    })
}

fn service<'a>(snapshot: &'a Value, name: &str) -> &'a Value {
    let services = snapshot["services"].as_array().expect("services");
    let found = services.iter().find(|one| one["service"] == name);
    found.expect("the service is told")
}

/// Its process, outside of the agent's name space.
fn process_of(agent: &Agent, name: &str) -> i32 {
    let wanted = agent.path(&format!("ww/usr/svc.d/{name}"));
    let wanted = wanted.to_str().unwrap();
    until("the service's process", || {
        agent.others().into_iter().find_map(|(pid, _)| {
            // What its shell has just forked is called the same.
            let leads = getpgid(Some(Pid::from_raw(pid))) == Ok(Pid::from_raw(pid));
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let mut words = line.split(|byte| *byte == 0);
            (leads && words.any(|word| word == wanted.as_bytes())).then_some(pid)
        })
    })
}

fn next_service(listener: &mut Listener, name: &str, status: &str) -> Value {
    loop {
        let line = listener.line("service");
        if line["service"] == name && line["status"] == status {
            return line;
        }
    }
}

#[test]
fn they_start_between_svcup_and_warmup_and_stop_before_svcdown_the_other_way_round() {
    let mut agent = with_services(&["20-web", "10-db"])
        // They are given a moment to install what they do when they are told to go.
        .script(
            "warmup",
            "until grep -q svc.d/10-db $LOG && grep -q svc.d/20-web $LOG; do sleep 0.01; done",
        )
        .start();
    agent.wait_state("UP");
    let snapshot = agent.listen().line("snapshot");
    for name in ["10-db", "20-web"] {
        assert_eq!(service(&snapshot, name)["status"], "up");
        assert!(service(&snapshot, name)["pid"].is_number());
    }
    assert_eq!(
        snapshot["stop"]["services_ms"],
        // One after the other, the second a grace after the first at the latest.
        5_000 + 60_000 + 3_000 + 5_000 + 3_000
    );
    // Until each has said that it hears.
    let mut listener = agent.listen();
    let (code, _) = agent.stop();
    assert_eq!(code, 0);
    let log = agent.log();
    let at = |line: &str| log.iter().position(|one| one == line);
    assert_eq!(
        log[..4],
        ["boot", "firstboot", "upgrade", "svcup"],
        "{log:?}"
    );
    assert!(at("bye-20-web") < at("bye-10-db"), "{log:?}");
    assert!(at("bye-10-db") < at("svcdown"), "{log:?}");
    let mut stages = Vec::new();
    while let Some(line) = listener.next() {
        if line["type"] == "stopping" {
            stages.push(line["stage"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(stages, ["services", "svcdown"]);
}

#[test]
fn an_end_is_noticed_at_once_and_it_alone_is_started_again() {
    let agent = with_services(&["db", "web"])
        .cfg(r#"{"ww":{"restart":{"backoff":"50ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    let db = process_of(&agent, "db");
    kill(Pid::from_raw(process_of(&agent, "web")), Signal::SIGKILL).unwrap();
    let line = next_service(&mut listener, "web", "waiting");
    assert_eq!(line["exit"], 137);
    assert_eq!(line["detail"], "was ended by SIGKILL");
    let line = next_service(&mut listener, "web", "up");
    assert_eq!(line["restarts"], 1);
    assert_eq!(process_of(&agent, "db"), db);
    assert_eq!(
        agent.log().iter().filter(|line| *line == "svcdown").count(),
        0
    );
    assert!(agent.stderr().contains("service web was ended by SIGKILL"));
}

#[test]
fn health_fails_while_a_service_is_down_and_says_why_until_it_has_been_up_for_a_while() {
    let agent = with_services(&["web"])
        .script(
            "svc.d/bad",
            "until [ -e $ROOT/fail ]; do sleep 0.01; done\nexit 9",
        )
        .script("monitor", "")
        .cfg(
            r#"{"ww":{"monitor":{"interval":"20ms"},
                "restart":{"backoff":"1ms","backoff_max":"1ms","max":0}}}"#,
        )
        .start();
    let mut listener = agent.listen();
    while listener.line("health")["status"] != "passing" {}
    fs::write(agent.path("fail"), "").unwrap();
    while listener.line("health")["status"] != "failing" {}
    // Up for a moment again and again, with checks that pass: that is not well.
    loop {
        let line = listener.line("health");
        assert_eq!(line["status"], "failing", "{line}");
        assert_eq!(line["detail"], "service bad exited 9");
        if line["failures"].as_u64() > Some(3) {
            break;
        }
    }
    let path = agent.path("run/ww/agent.sock");
    let health = Command::new(env!("CARGO_BIN_EXE_ww-agent"))
        .arg("health")
        .env("WW_SOCKET", path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&health.stdout);
    assert_eq!(health.status.code(), Some(1), "{said}");
    assert!(said.starts_with("UP, health failing("), "{said}");
    assert!(said.ends_with("): service bad exited 9\n"), "{said}");
    // A second one that fails is told, though the whole is no less well for it.
    kill(Pid::from_raw(process_of(&agent, "web")), Signal::SIGKILL).unwrap();
    let both = "service bad exited 9, service web was ended by SIGKILL";
    while listener.line("health")["detail"] != both {}
    fs::remove_file(agent.path("fail")).unwrap();
    let passing = loop {
        let line = listener.line("health");
        if line["status"] == "passing" {
            break line;
        }
    };
    assert_eq!(passing["detail"], Value::Null);
}

#[test]
fn on_the_way_up_one_that_fails_too_often_is_an_error() {
    let mut agent = with_services(&["db"])
        .script("svc.d/web", "exit 3")
        .script("warmup", "exec sleep 1000")
        .cfg(r#"{"ww":{"restart":{"max":2,"backoff":"1ms","backoff_max":"5ms"}}}"#)
        .start();
    assert_eq!(agent.exit(), 1);
    let stderr = agent.stderr();
    assert!(
        stderr.contains("ERROR") && stderr.contains("service web exited 3, after 2 restarts"),
        "{stderr}"
    );
    assert_eq!(
        agent
            .log()
            .iter()
            .filter(|line| *line == "svc.d/web")
            .count(),
        3
    );
}

#[test]
fn up_it_leads_to_a_restart_of_all() {
    let agent = with_services(&["db"])
        .script(
            "svc.d/web",
            "[ -e $ROOT/broken ] && exit 3\necho past-it >> $LOG\nwhile :; do sleep 0.05; done",
        )
        .cfg(r#"{"ww":{"restart":{"max":2,"backoff":"1ms","backoff_max":"5ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    // UP is that its process exists, which may not have looked yet.
    agent.wait_log("past-it", 1);
    fs::write(agent.path("broken"), "").unwrap();
    kill(Pid::from_raw(process_of(&agent, "web")), Signal::SIGKILL).unwrap();
    let line = listener.change("RESTARTING");
    assert_eq!(
        line["cause"],
        "service web exited 3, after 2 restarts of it in a row"
    );
    fs::remove_file(agent.path("broken")).unwrap();
    listener.change("UP");
    assert!(agent.log().contains(&"bye-db".to_owned()));
}

#[test]
fn nothing_of_it_is_left_before_it_is_started_again() {
    // A child in the service's group that does not hear TERM.
    let body = "(trap '' TERM; while :; do sleep 0.05; done) &\necho $! >> $ROOT/children\n\
                exec sleep 1000";
    let agent = Image::new()
        .script("svc.d/web", body)
        .cfg(r#"{"ww":{"restart":{"backoff":"1ms"},"stop":{"grace":"100ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    agent.wait_log("svc.d/web", 1);
    let children = agent.path("children");
    until("the child", || {
        fs::read_to_string(&children)
            .ok()
            .filter(|text| text.contains('\n'))
    });
    let before = agent.others().len();
    let all = agent.others();
    let sleeper = all.into_iter().find(|(pid, _)| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.starts_with(b"sleep\x001000"))
    });
    kill(Pid::from_raw(sleeper.expect("it runs").0), Signal::SIGKILL).unwrap();
    next_service(&mut listener, "web", "up");
    agent.wait_log("svc.d/web", 2);
    until("as many processes as before", || {
        (agent.others().len() <= before).then_some(())
    });
}

#[test]
fn one_that_says_when_it_is_ready_holds_warmup_until_then() {
    let agent_path = env!("CARGO_BIN_EXE_ww-agent");
    let agent = Image::new()
        .script(
            "svc.d/web",
            "until [ -e $ROOT/go ]; do sleep 0.01; done\n\
             $AGENT notify --status 'serving on 8080' --ready\nexec sleep 1000",
        )
        .variable("AGENT", agent_path)
        .cfg(r#"{"ww":{"services":{"web":{"notify":true}}}}"#)
        .start();
    let mut listener = agent.listen();
    next_service(&mut listener, "web", "starting");
    assert!(!agent.log().contains(&"warmup".to_owned()));
    fs::write(agent.path("go"), "").unwrap();
    next_service(&mut listener, "web", "up");
    listener.state("UP");
    agent.wait_log("warmup", 1);
    let snapshot = agent.listen().line("snapshot");
    assert_eq!(service(&snapshot, "web")["text"], "serving on 8080");
}

#[test]
fn one_that_gives_no_sign_of_life_is_ended_and_started_again() {
    let agent = Image::new()
        .script(
            "svc.d/web",
            "echo $WATCHDOG_USEC > $ROOT/usec\n$AGENT notify --watchdog\nexec sleep 1000",
        )
        .variable("AGENT", env!("CARGO_BIN_EXE_ww-agent"))
        .cfg(r#"{"ww":{"services":{"web":{"watchdog":"300ms"}},"restart":{"backoff":"1ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    let line = loop {
        let line = next_service(&mut listener, "web", "waiting");
        if line["detail"] == "gave no sign of life for 300ms" {
            break line;
        }
    };
    assert_eq!(line["exit"], Value::Null);
    assert_eq!(fs::read_to_string(agent.path("usec")).unwrap(), "300000\n");
    agent.wait_log("svc.d/web", 2);
    agent.wait_stderr("warning: service web gave no sign of life for 300ms");
    let told = causes(&agent);
    assert!(
        told.contains(&"web gave no sign of life for 300ms".to_owned()),
        "{told:?}"
    );
}

/// What the history tells of services.
fn causes(agent: &Agent) -> Vec<String> {
    let answer = agent.listen().ask(r#"{"id":1,"type":"history"}"#);
    let entries = answer["result"]["entries"].as_array().unwrap();
    let word = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entries = entries.iter().filter(|entry| entry["event"] == "service");
    let told = entries.map(|entry| word(entry, "name") + " " + &word(entry, "cause"));
    told.collect()
}

#[test]
fn one_that_is_not_ready_in_time_and_one_that_says_it_has_failed_are_told() {
    let say = "import os, socket, time\n\
               name = '\\0' + os.environ['WW_NOTIFY_SOCKET'][1:]\n\
               socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'WATCHDOG=trigger', name)\n\
               time.sleep(1000)\n";
    let agent = Image::new()
        .file("trigger.py", say.as_bytes(), 0o644)
        .script("svc.d/a", "exec /usr/bin/python3 $ROOT/trigger.py")
        .script("svc.d/b", "exec sleep 1000")
        .cfg(
            r#"{"ww":{"services":{"b":{"notify":true,"ready_timeout":"100ms"}},
                "restart":{"backoff":"1ms","max":0}}}"#,
        )
        .start();
    for what in ["a said that it has failed", "b was not ready after 100ms"] {
        agent.wait_stderr(&format!("service {what}"));
        let told = causes(&agent);
        assert!(told.contains(&what.to_owned()), "{told:?}");
    }
}

#[test]
fn only_one_that_is_asked_to_speak_finds_where_to() {
    let agent = Image::new()
        .script(
            "svc.d/a",
            "echo \"[$NOTIFY_SOCKET]\" > $ROOT/a; exec sleep 1000",
        )
        .script(
            "svc.d/b",
            "echo \"[$NOTIFY_SOCKET]\" > $ROOT/b; exec sleep 1000",
        )
        .variable("NOTIFY_SOCKET", "/somebody/elses")
        .cfg(r#"{"ww":{"services":{"b":{"watchdog":"1h"}}}}"#)
        .start();
    agent.wait_state("UP");
    let read = |name: &str| {
        until(name, || {
            fs::read_to_string(agent.path(name))
                .ok()
                .filter(|text| text.ends_with('\n'))
        })
    };
    assert_eq!(read("a"), "[]\n");
    assert!(read("b").starts_with("[@"));
}

#[test]
fn what_does_not_end_when_it_is_asked_to_is_killed_when_its_time_is_over() {
    let mut agent = Image::new()
        .script(
            "svc.d/deaf",
            "trap '' TERM; echo deaf >> $LOG; while :; do sleep 0.05; done",
        )
        .cfg(r#"{"ww":{"services":{"deaf":{"stop_timeout":"300ms"}}}}"#)
        .start();
    agent.wait_log("deaf", 1);
    agent.wait_state("UP");
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took >= std::time::Duration::from_millis(300), "{took:?}");
    assert!(took < std::time::Duration::from_secs(4), "{took:?}");
    assert_eq!(agent.log().last().map(String::as_str), Some("svcdown"));
    let stderr = agent.stderr();
    let told = stderr.matches("warning: service deaf").count();
    assert_eq!(told, 1, "{stderr}");
    assert!(
        stderr.contains("service deaf did not end within 0.3 s: killed"),
        "{stderr}"
    );
    agent.start_again();
    agent.wait_state("UP");
    let told = causes(&agent);
    assert_eq!(told, ["deaf did not end within 0.3 s: killed"]);
}

#[test]
fn what_editors_leave_behind_is_no_service_and_is_said() {
    let agent = Image::new()
        .script("svc.d/.hidden", "exec sleep 1000")
        .script("svc.d/web~", "exec sleep 1000")
        .script("svc.d/web.dpkg-old", "exec sleep 1000")
        .cfg(r#"{"ww":{"services":{"wbe":{}}}}"#)
        .start();
    agent.wait_state("UP");
    let snapshot = agent.listen().line("snapshot");
    assert_eq!(snapshot["services"], Value::Null);
    let stderr = agent.stderr();
    for name in [".hidden", "web~", "web.dpkg-old"] {
        let text = format!("svc.d/{name} is left out");
        assert!(stderr.contains(&text), "{stderr}");
    }
    assert!(stderr.contains("settings for a service wbe"), "{stderr}");
}

/// One that is silently absent must not be UP.
fn is_an_error(mut agent: Agent, cause: &str) {
    let code = agent.exit();
    let (log, stderr) = (agent.log(), agent.stderr());
    assert_eq!(code, 1, "{stderr}");
    let told = stderr
        .lines()
        .any(|line| line.contains("WARMUP -> ERROR") && line.contains(cause));
    assert!(told, "{stderr}");
    assert!(log.contains(&"svcdown".to_owned()), "{log:?}");
    assert!(!log.contains(&"warmup".to_owned()), "{log:?}");
    assert!(!log.contains(&"svc.d/a".to_owned()), "{log:?}");
}

#[test]
fn a_name_that_is_no_services_is_an_error() {
    for (name, cause) in [
        ("main", "a service cannot be called main"),
        ("x\u{1b}[2J", "a service cannot be called x[2J"),
    ] {
        let image = with_services(&["a"]).script(&format!("svc.d/{name}"), "exec sleep 1000");
        is_an_error(image.start(), cause);
    }
    let image = with_services(&["a"]);
    let name = std::ffi::OsStr::from_bytes(b"x\xff");
    fs::write(image.path("ww/usr/svc.d").join(name), "").unwrap();
    is_an_error(image.start(), "it is not UTF-8");
}

#[test]
fn more_than_there_may_be_are_an_error() {
    let names: Vec<_> = (0..33).map(|number| format!("s{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let agent = with_services(&names).start();
    is_an_error(agent, "/ww/usr/svc.d holds 33 services; there may be 32");
}

#[test]
fn a_directory_that_cannot_be_read_is_an_error() {
    let agent = Image::new().file("ww/usr/svc.d", b"", 0o644).start();
    is_an_error(agent, "cannot read /ww/usr/svc.d: ");
}

#[test]
fn that_it_is_started_again_is_said_only_where_it_is() {
    let mut agent = with_services(&["db", "web"])
        .cfg(r#"{"ww":{"drain":"1h","restart":{"backoff":"1ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    kill(Pid::from_raw(process_of(&agent, "web")), Signal::SIGKILL).unwrap();
    next_service(&mut listener, "web", "waiting");
    next_service(&mut listener, "web", "up");
    let again = |text: &str| text.matches("is started again").count();
    agent.wait_stderr("service web is started again after a pause");
    assert_eq!(again(&agent.stderr()), 1, "{}", agent.stderr());
    // While a restart drains, one that ends stays down until all are started.
    agent.signal(Signal::SIGHUP);
    listener.change("RESTARTING");
    kill(Pid::from_raw(process_of(&agent, "db")), Signal::SIGKILL).unwrap();
    next_service(&mut listener, "db", "down");
    agent.wait_stderr("service db was ended by SIGKILL");
    agent.signal(Signal::SIGTERM);
    listener.change("STOPPED");
    agent.stop();
    assert_eq!(again(&agent.stderr()), 1, "{}", agent.stderr());
}
