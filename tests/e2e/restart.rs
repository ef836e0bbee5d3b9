//! Restarts: by signal, by the operator's tool, ten at once, and those that do not work.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::lab::{Guest, Lab, docker, run, until, ww_ctl, ww_ctl_command};
use crate::proxy::Proxy;

fn app(lab: &Lab, what: &str, svcup: &str, cfg: &str) -> Guest {
    let tree = lab.tree(what);
    tree.all_scripts().script("svcup", svcup);
    let option = format!("CFG={cfg}");
    let guest = lab.start(what, &lab.image(&tree), &["-e", &option], &[]);
    guest.reaches("UP");
    guest
}

#[test]
fn by_signal_and_by_the_tool_it_goes_through_restarting_to_up() {
    let lab = Lab::new("restart");
    let guest = app(&lab, "app", "", "{}");
    docker(["kill", "-s", "HUP", &guest.name]).expect(0);
    guest.wrote("-svcup", 2);
    guest.reaches("UP");
    let status = guest.status();
    assert!(status.contains("\"cause\":\"SIGHUP\""), "{status}");

    let ran = ww_ctl(["restart", &guest.name, "--timeout", "30s"]).expect(0);
    assert!(
        ran.stderr.contains("UP") || ran.stdout.contains("UP"),
        "{ran:?}"
    );
    // Only after UP was reached again does it return.
    assert_eq!(
        guest.log().iter().filter(|line| *line == "-svcup").count(),
        3
    );
    let status = guest.status();
    assert!(status.contains("operator "), "who asked is told: {status}");
    assert_eq!(
        guest.log()[guest.log().len() - 4..],
        ["+svcdown", "-svcdown", "+svcup", "-svcup"],
        "a restart does not warm up unless asked to"
    );
}

#[test]
fn ten_signals_at_once_are_two_restarts_at_most() {
    let lab = Lab::new("restart");
    let guest = app(&lab, "app", "sleep 0.3", "{}");
    let pid = guest.inspect("{{.State.Pid}}");
    for _ in 0..10 {
        run(Command::new("kill").args(["-HUP", &pid])).expect(0);
    }
    guest.wrote("-svcup", 2);
    guest.reaches("UP");
    // A last one, alone, shows that all of the ten are over.
    ww_ctl(["restart", &guest.name, "--timeout", "30s"]).expect(0);
    let ups = guest.log().iter().filter(|line| *line == "+svcup").count();
    assert!(
        (3..=4).contains(&ups),
        "{ups} times svcup: {:?}",
        guest.log()
    );
}

#[test]
fn one_that_is_being_restarted_already_or_not_up_yet_is_watched_until_it_is() {
    let lab = Lab::new("restart");
    let tree = lab.tree("app");
    let slow = "until test -e /data/go; do sleep 0.05; done; rm /data/go";
    tree.all_scripts()
        .script("upgrade", slow)
        .script("svcdown", slow);
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    for (state, ups, signals) in [("UPGRADING", 1, 1), ("RESTARTING", 2, 3)] {
        guest.reaches(state);
        let mut second = ww_ctl_command();
        second.args(["restart", &guest.name, "--timeout", "30s"]);
        let second = second
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        until("the signal", || {
            let kills = docker([
                "events",
                "--since",
                "10m",
                "--until",
                "0s",
                "--filter",
                "event=kill",
                "--filter",
                &format!("container={}", guest.name),
            ]);
            (kills.stdout.lines().count() == signals).then_some(())
        });
        std::fs::write(guest.data.join("go"), "").expect("a file");
        let ran = second.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(0), "{said}");
        let log = guest.log();
        assert_eq!(log.iter().filter(|line| *line == "-svcup").count(), ups);
        ww_ctl(["restart", &guest.name, "--no-wait"]).expect(0);
    }
}

#[test]
fn one_that_does_not_come_back_is_said_to() {
    let lab = Lab::new("restart");
    let guest = app(
        &lab,
        "app",
        "[ -e /data/broken ] && exit 7; true",
        r#"{"ww":{"restart":{"max":1,"backoff":"10ms"}}}"#,
    );
    std::fs::write(guest.data.join("broken"), "").expect("a file");
    let ran = ww_ctl(["restart", &guest.name, "--timeout", "30s"]).expect(1);
    assert!(ran.stderr.contains("svcup exited 7"), "{ran:?}");
    assert_eq!(guest.exit_code(), 1);
}

#[test]
fn one_that_takes_too_long_is_four() {
    let lab = Lab::new("restart");
    let guest = app(&lab, "app", "[ -e /data/slow ] && sleep 600; true", "{}");
    std::fs::write(guest.data.join("slow"), "").expect("a file");
    let ran = ww_ctl(["restart", &guest.name, "--timeout", "2s"]).expect(4);
    assert!(ran.stderr.contains("RESTARTING"), "{ran:?}");
    assert!(ran.stderr.contains(&guest.name), "{ran:?}");
}

#[test]
fn the_watchdog_restarts_and_says_why() {
    let lab = Lab::new("restart");
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("monitor", "[ -e /data/once ] || { touch /data/once; echo 'port 80 is closed'; exit 4; }; echo '{\"n\":1}'")
        .defaults(r#"{"ww":{"monitor":{"interval":"200ms"},"restart":{"backoff":"10ms"}}}"#);
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.wrote("-svcup", 2);
    guest.reaches("healthy");
    let shown = ww_ctl(["show", &guest.name]).expect(0);
    assert!(
        shown.stdout.contains("monitor exited 4"),
        "{}",
        shown.stdout
    );
}

#[test]
fn start_and_stop_are_watched_until_they_are_true() {
    let lab = Lab::new("restart");
    let guest = app(&lab, "app", "", "{}");
    let ran = ww_ctl(["stop", &guest.name]).expect(0);
    assert_eq!(
        guest.inspect("{{.State.Status}} {{.State.ExitCode}}"),
        "exited 0",
        "{ran:?}"
    );
    assert_eq!(guest.log().last().map(String::as_str), Some("-svcdown"));
    ww_ctl(["start", &guest.name]).expect(0);
    assert_eq!(guest.log().last().map(String::as_str), Some("-warmup"));
    assert!(guest.status().contains("\"state\":\"UP\""));
    // A stop that Docker does not know of would be undone by its restart policy.
    let tree = lab.tree("always");
    tree.all_scripts();
    let always = lab.start("always", &lab.image(&tree), &["--restart", "always"], &[]);
    always.reaches("UP");
    ww_ctl(["stop", &always.name]).expect(0);
    assert_eq!(
        always.inspect("{{.State.Status}} {{.RestartCount}}"),
        "exited 0"
    );
}

#[test]
fn an_engine_whose_word_is_late_does_not_end_the_new_life_with_the_old_one() {
    let lab = Lab::new("restart");
    let tree = lab.tree("app");
    // Long enough that it is not UP before the end of the life before is told.
    tree.all_scripts().script("warmup", "sleep 4");
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    let socket = lab.directory("late").join("socket");
    let proxy = Proxy::late(&socket, Duration::from_secs(1));
    let mut restart = ww_ctl_command();
    restart.args(["-H", &proxy.url(), "restart", "--container", &guest.name]);
    let told = run(restart.args(["--timeout", "60s"])).expect(0).stderr;
    let place = |word: &str| told.find(word).unwrap_or_else(|| panic!("{word}: {told}"));
    assert!(
        place("DOCKERDOWN") < place("WARMUP") && place("WARMUP") < place(": UP ("),
        "{told}"
    );
    assert_eq!(told.matches("DOCKERDOWN").count(), 1, "{told}");
}

#[test]
fn read_only_refuses() {
    let lab = Lab::new("restart");
    let guest = app(&lab, "app", "", "{}");
    for action in ["restart", "stop"] {
        ww_ctl(["--read-only", action, &guest.name])
            .expect(6)
            .says(&["read-only"]);
    }
    assert_eq!(guest.inspect("{{.State.Status}}"), "running");
    let log = guest.log();
    assert_eq!(
        log.last().map(String::as_str),
        Some("-warmup"),
        "something was done"
    );
}
