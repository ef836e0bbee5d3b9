//! What a running script says of itself is seen live, and hurts nobody however it is said.

use std::fs;
use std::fs::Permissions;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Agent, Image, Listener, now, until};

const ANYBODY: [&str; 5] = [
    "setpriv",
    "--reuid=12345",
    "--regid=12345",
    "--clear-groups",
    "--",
];
/// A flood long enough to be in everybody's way.
const MANY: u32 = 50_000;

/// An image whose scripts find the applet as `$NOTIFY`, and [`sender`] as `$SENDER`, which does what
/// `$WW_TEST_SENDS` says.
fn image() -> Image {
    let own = std::env::current_exe().unwrap();
    Image::new()
        .variable("NOTIFY", concat!(env!("CARGO_BIN_EXE_ww-agent"), " notify"))
        .variable(
            "SENDER",
            &format!("{} --exact notify::sender", own.display()),
        )
}

/// Waits in a script for a file the test makes.
fn wait_for(file: &str) -> String {
    format!("while [ ! -e $ROOT/{file} ]; do sleep 0.01; done\n")
}

fn touch(agent: &Agent, file: &str) {
    fs::write(agent.path(file), "").unwrap();
}

fn address(name: &str) -> SocketAddr {
    let name = name.strip_prefix('@').expect("an abstract name");
    SocketAddr::from_abstract_name(name).unwrap()
}

/// The lines of a script's run, up to its last.
fn run_of(listener: &mut Listener, hook: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    loop {
        let line = listener.line("hook");
        if line["hook"] != hook {
            continue;
        }
        let is_over = line["result"] != "running";
        lines.push(line);
        if is_over {
            return lines;
        }
    }
}

/// The next line of this script that says this.
fn says(listener: &mut Listener, hook: &str, status: &str) -> Value {
    loop {
        let line = listener.line("hook");
        if line["hook"] == hook && line["status"] == status {
            return line;
        }
    }
}

/// Sends what no applet would. Started by the scripts below; by itself it shows that it can send.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "this is a script's program, which has an environment"
)]
fn sender() {
    let socket = UnixDatagram::unbound().unwrap();
    let Ok(what) = std::env::var("WW_TEST_SENDS") else {
        let name = format!("@ww-test-sender-{}", std::process::id());
        let other = UnixDatagram::bind_addr(&address(&name)).unwrap();
        socket.send_to_addr(b"x", &address(&name)).unwrap();
        assert_eq!(other.recv(&mut [0; 2]).unwrap(), 1);
        return;
    };
    let place = address(&std::env::var("WW_NOTIFY_SOCKET").unwrap());
    let send = |bytes: &[u8]| {
        socket.send_to_addr(bytes, &place).unwrap();
    };
    match what.as_str() {
        "once" => send(b"STATUS=last words"),
        "many" => {
            for number in 1..=MANY {
                send(format!("STATUS={number}\nX_WW_PROGRESS={}", number / 1000).as_bytes());
            }
        }
        "without end" => loop {
            // An agent that has left is the end of it.
            if socket.send_to_addr(b"STATUS=flood", &place).is_err() {
                return;
            }
        },
        "odd" => {
            // A simple generator of bytes that look like nothing.
            let mut state = 0x2545_f491_4f6c_dd1d_u64;
            for length in 0..2000 {
                let bytes: Vec<u8> = (0..length)
                    .map(|_| {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        state.to_le_bytes()[0]
                    })
                    .collect();
                send(&bytes);
            }
            send(&vec![b'x'; 65_536]);
            send(b"STATUS=\x1b[2J\xff after\nX_WW_PROGRESS=200");
        }
        other => panic!("what is {other}"),
    }
}

#[test]
fn three_statuses_are_seen_live_by_every_listener() {
    let firstboot = [
        "$NOTIFY --status one --progress 10\n",
        &wait_for("second"),
        "$NOTIFY --status two\n",
        &wait_for("third"),
        "$NOTIFY --progress 90 --status three\n",
        &wait_for("end"),
    ]
    .concat();
    let mut agent = image()
        .script("boot", &wait_for("listening"))
        .script("firstboot", &firstboot)
        .start();
    let mut early = agent.listen();
    assert_eq!(early.line("snapshot")["running"]["hook"], "boot");
    touch(&agent, "listening");
    let one = says(&mut early, "firstboot", "one");
    assert_eq!(
        (&one["progress"], &one["result"]),
        (&10.into(), &"running".into())
    );
    let mut late = agent.listen();
    let running = late.line("snapshot")["running"].clone();
    assert_eq!(running["hook"], "firstboot");
    assert_eq!(
        (&running["status"], &running["progress"]),
        (&"one".into(), &10.into())
    );
    for (file, status, progress) in [("second", "two", 10), ("third", "three", 90)] {
        touch(&agent, file);
        for listener in [&mut early, &mut late] {
            let line = listener.line("hook");
            assert_eq!(
                (&line["status"], &line["progress"]),
                (&status.into(), &progress.into())
            );
            assert_eq!(
                (&line["run"], &line["result"]),
                (&one["run"], &"running".into())
            );
            assert!(line["duration_ms"].as_u64() >= one["duration_ms"].as_u64());
        }
    }
    touch(&agent, "end");
    for listener in [&mut early, &mut late] {
        let line = listener.line("hook");
        assert_eq!(
            (&line["result"], &line["status"]),
            (&"ok".into(), &"three".into())
        );
        assert_eq!(line["progress"], 90);
        let upgrade = listener.line("hook");
        assert_eq!(upgrade["hook"], "upgrade");
        assert_eq!(upgrade["status"], Value::Null, "it is another script's");
    }
    early.state("UP");
    let hooks = agent.listen().line("snapshot")["hooks"].clone();
    let of = |name: &str| {
        let mut hooks = hooks.as_array().unwrap().iter();
        hooks.find(|run| run["hook"] == name).unwrap()["status"].clone()
    };
    assert_eq!(
        (of("firstboot"), of("upgrade")),
        ("three".into(), Value::Null)
    );
    let stderr = agent.stderr();
    assert!(stderr.contains("firstboot: one (10 %)\n"), "{stderr}");
    assert!(stderr.contains("firstboot: three (90 %)\n"), "{stderr}");
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn what_is_said_just_before_the_end_is_not_lost() {
    let mut agent = image()
        .script("boot", &wait_for("listening"))
        .script(
            "firstboot",
            "env > $ROOT/env; for i in 1 2 3 4 5; do $NOTIFY --status $i; done; \
             $NOTIFY --status last --progress 100; exit 3",
        )
        .start();
    let mut listener = agent.listen();
    listener.line("snapshot");
    touch(&agent, "listening");
    let lines = run_of(&mut listener, "firstboot");
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["result"], &last["exit"]),
        (&"failed".into(), &3.into())
    );
    assert_eq!(
        (&last["status"], &last["progress"]),
        (&"last".into(), &100.into())
    );
    assert_eq!(agent.exit(), 1);
    let environment = fs::read_to_string(agent.path("env")).unwrap();
    let has = |name: &str| environment.lines().any(|line| line.starts_with(name));
    assert!(has("WW_NOTIFY_SOCKET=@ww-notify/"), "{environment}");
    assert!(!has("NOTIFY_SOCKET="), "a daemon would take it for its own");
}

#[test]
fn an_end_that_is_seen_first_does_not_swallow_what_was_said_before() {
    let orphan = format!("setsid sh -c '{}' &", wait_for("orphan").replace('\n', ""));
    let mut agent = image()
        .variable("WW_TEST_SENDS", "once")
        .script("boot", &orphan)
        .script("firstboot", &format!("{}exec $SENDER", wait_for("go")))
        .start();
    let mut listener = agent.listen();
    agent.wait_log("firstboot", 1);
    let pid = agent.pid();
    // One that is greeted only when all is over would wait for what it was told at once.
    listener.line("snapshot");
    agent.signal(Signal::SIGSTOP);
    until("the agent to stand still", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.contains(") T ").then_some(())
    });
    // The signal that is pending first is that of another child.
    for (number, file) in [(1, "orphan"), (2, "go")] {
        touch(&agent, file);
        until("a process to end", || {
            let dead = agent
                .others()
                .into_iter()
                .filter(|(_, state)| *state == 'Z');
            (dead.count() == number).then_some(())
        });
    }
    agent.signal(Signal::SIGCONT);
    let lines = run_of(&mut listener, "firstboot");
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["result"], &last["status"]),
        (&"ok".into(), &"last words".into())
    );
    assert!(agent.stderr().contains("firstboot: last words\n"));
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn any_user_and_any_descendant_may_speak() {
    let mut agent = image()
        .script("boot", &wait_for("listening"))
        .script(
            "firstboot",
            &format!("{} $NOTIFY --status other", ANYBODY.join(" ")),
        )
        .script("upgrade", "setsid -w $NOTIFY --status away")
        .start();
    let mut listener = agent.listen();
    listener.line("snapshot");
    touch(&agent, "listening");
    for (hook, status) in [("firstboot", "other"), ("upgrade", "away")] {
        let lines = run_of(&mut listener, hook);
        assert_eq!(lines.last().unwrap()["status"], status);
    }
    assert_eq!(agent.stop().0, 0);
    // The agent itself as somebody who may write nowhere.
    let around: Vec<&str> = ANYBODY.into_iter().chain(["env"]).collect();
    let image = Image::bare()
        .variable("NOTIFY", concat!(env!("CARGO_BIN_EXE_ww-agent"), " notify"))
        .file(
            "ww/usr/upgrade",
            b"#!/bin/sh\n$NOTIFY --status here\n",
            0o755,
        )
        .around(&around);
    fs::set_permissions(image.path(""), Permissions::from_mode(0o755)).unwrap();
    let mut agent = image.start();
    agent.wait_stderr("upgrade: here\n");
    agent.wait_stderr("WARMUP -> UP");
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn scripts_beside_the_life_cycle_do_not_speak_for_it() {
    // Each says something and leaves where it was told to say it. `pushstats` runs while `svcdown`
    // does, which waits until it has said it.
    let wrong = "echo $WW_NOTIFY_SOCKET > $ROOT/${0##*/}.place; $NOTIFY --status wrong";
    let monitor = format!("{wrong} --progress 7; echo '{{}}'");
    let pushstats = format!("{}{wrong} && touch $ROOT/told", wait_for("stops"));
    // Said there it counts for nobody, whoever says it: who it was may be gone when it is heard.
    let svcdown = format!(
        "touch $ROOT/stops\n{}for place in lifecycle monitor pushstats\n\
         do WW_NOTIFY_SOCKET=$(cat $ROOT/$place.place) $NOTIFY --status wrong || exit 1; done",
        wait_for("told")
    );
    let mut agent = image()
        .script("lifecycle", wrong)
        .script("monitor", &monitor)
        .script("pushstats", &pushstats)
        .script("svcdown", &svcdown)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    let answer = listener.ask(r#"{"id":1,"type":"check"}"#);
    assert_eq!(answer["ok"], true, "{answer}");
    agent.wait_log("pushstats", 1);
    agent.signal(Signal::SIGTERM);
    let lines = run_of(&mut listener, "svcdown");
    assert_eq!(lines.last().unwrap()["result"], "ok", "{lines:?}");
    for line in lines {
        assert_eq!(line["status"], Value::Null, "{line}");
    }
    assert_eq!(agent.exit(), 0);
    let stderr = agent.stderr();
    assert!(!stderr.contains("wrong"), "{stderr}");
}

#[test]
fn a_flood_is_told_in_drops_and_its_last_is_kept() {
    let mut agent = image()
        .variable("WW_TEST_SENDS", "many")
        .script("boot", &wait_for("listening"))
        .script("firstboot", "exec $SENDER")
        .start();
    let mut listener = agent.listen();
    listener.line("snapshot");
    touch(&agent, "listening");
    let lines = run_of(&mut listener, "firstboot");
    let last = lines.last().unwrap();
    assert_eq!(last["result"], "ok", "{last}");
    assert_eq!(
        (&last["status"], &last["progress"]),
        (&MANY.to_string().into(), &50.into())
    );
    let told: Vec<u32> = lines
        .iter()
        .filter_map(|line| line["status"].as_str()?.parse().ok())
        .collect();
    assert!(told.is_sorted(), "{told:?}");
    let tenths = last["duration_ms"].as_u64().unwrap() / 100;
    let most = usize::try_from(tenths).unwrap() + 3;
    assert!(lines.len() <= most, "{} lines, at most {most}", lines.len());
    let stderr = agent.stderr();
    let logged = stderr
        .lines()
        .filter(|line| line.contains("firstboot: "))
        .count();
    assert!((1..=most.div_ceil(10) + 2).contains(&logged), "{stderr}");
    assert!(
        stderr.contains(&format!("firstboot: {MANY} (50 %)\n")),
        "{stderr}"
    );
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_flood_without_end_delays_nothing() {
    let mut agent = image()
        .variable("WW_TEST_SENDS", "without end")
        .script(
            "svcup",
            "for i in 1 2 3 4; do $SENDER & done; $NOTIFY --status started",
        )
        .script("warmup", "$NOTIFY --status warm")
        .script("monitor", "echo '{}'")
        .cfg(r#"{"ww":{"stop":{"grace":"100ms"}}}"#)
        .start();
    let mut listener = agent.listen();
    listener.state("UP");
    let began = now();
    let answer = listener.ask(r#"{"id":1,"type":"check"}"#);
    assert_eq!(answer["ok"], true, "{answer}");
    let checked = now() - began;
    let began = now();
    agent.signal(Signal::SIGHUP);
    listener.change("RESTARTING");
    let heard = now() - began;
    listener.state("UP");
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    // Without a bound on what is taken at once it would be for ever.
    let most = Duration::from_secs(2);
    assert!(
        checked < most && heard < most && took < most,
        "{checked:?} {heard:?} {took:?}"
    );
}

#[test]
fn bytes_at_random_and_too_many_of_them() {
    let mut agent = image()
        .variable("WW_TEST_SENDS", "odd")
        .script("boot", &wait_for("listening"))
        .script("firstboot", "exec $SENDER")
        .start();
    let mut listener = agent.listen();
    listener.line("snapshot");
    touch(&agent, "listening");
    let lines = run_of(&mut listener, "firstboot");
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["result"], &last["status"]),
        (&"ok".into(), &"[2J\u{fffd} after".into())
    );
    assert_eq!(last["progress"], Value::Null);
    let stderr = agent.stderr();
    assert!(stderr.contains("was dropped (1 in all)"), "{stderr}");
    listener.state("UP");
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn who_is_not_of_this_container_is_not_heard() {
    let mut agent = image()
        .script("boot", &wait_for("listening"))
        .script(
            "firstboot",
            &format!("echo $WW_NOTIFY_SOCKET > $ROOT/place\n{}", wait_for("end")),
        )
        .start();
    let mut listener = agent.listen();
    listener.line("snapshot");
    touch(&agent, "listening");
    let place = until("the socket's name", || {
        let place = fs::read_to_string(agent.path("place")).ok()?;
        place.strip_suffix('\n').map(str::to_owned)
    });
    let socket = UnixDatagram::unbound().unwrap();
    for _ in 0..10 {
        socket
            .send_to_addr(b"STATUS=stranger", &address(&place))
            .unwrap();
    }
    agent.wait_stderr("was dropped (10 in all)");
    touch(&agent, "end");
    let lines = run_of(&mut listener, "firstboot");
    assert!(
        lines.iter().all(|line| line["status"].is_null()),
        "{lines:?}"
    );
    assert_eq!(agent.stop().0, 0);
}
