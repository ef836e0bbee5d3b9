//! The socket: what is told, what can be asked, and by whom.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Image, until};

#[test]
fn hello_and_a_snapshot_come_first() {
    let agent = Image::new().start();
    agent.wait_state("UP");
    let mut listener = agent.listen();
    let hello = listener.next().unwrap();
    assert_eq!(
        (&hello["type"], &hello["protocol"]),
        (&"hello".into(), &1.into())
    );
    let snapshot = listener.next().unwrap();
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["state"], "UP");
    let states: Vec<_> = snapshot["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["BOOT", "FIRSTBOOT", "UPGRADING", "WARMUP", "UP"]);
    assert_eq!(snapshot["hooks"].as_array().unwrap().len(), 5);
    assert_eq!(snapshot["stop"]["grace_ms"], 5000);
}

#[test]
fn a_restart_names_who_asked() {
    let agent = Image::new().start();
    let mut listener = agent.listen();
    listener.state("UP");
    let answer = listener.ask(r#"{"id":"r","type":"restart","by":"alice@ops1"}"#);
    assert_eq!((&answer["id"], &answer["ok"]), (&"r".into(), &true.into()));
    let snapshot = agent.listen().line("snapshot");
    assert_eq!(snapshot["restarts"]["cause"], "operator alice@ops1");
}

#[test]
fn an_announced_signal_has_a_name_once() {
    let agent = Image::new().start();
    let mut listener = agent.listen();
    listener.state("UP");
    let announce = r#"{"id":1,"type":"announce","signal":"HUP","by":"bob@ops2"}"#;
    assert_eq!(listener.ask(announce)["ok"], true);
    agent.signal(Signal::SIGHUP);
    assert_eq!(listener.change("RESTARTING")["cause"], "operator bob@ops2");
    listener.change("UP");
    agent.signal(Signal::SIGHUP);
    assert_eq!(listener.change("RESTARTING")["cause"], "SIGHUP");
}

#[test]
fn a_stop_that_is_asked_for_is_one() {
    let mut agent = Image::new().start();
    let mut listener = agent.listen();
    listener.state("UP");
    let answer = listener.ask(r#"{"id":1,"type":"stop","by":"carol"}"#);
    assert_eq!(answer["ok"], true);
    assert_eq!(agent.exit(), 0);
    assert!(
        agent.stderr().contains("operator carol"),
        "{}",
        agent.stderr()
    );
}

#[test]
fn a_check_is_answered_with_its_report() {
    let agent = Image::new().script("monitor", "echo '{\"n\":5}'").start();
    let mut listener = agent.listen();
    listener.state("UP");
    let answer = listener.ask(r#"{"id":1,"type":"check"}"#);
    assert_eq!(answer["result"]["value"]["n"], 5);
    assert_eq!(answer["result"]["exit"], 0);
}

#[test]
fn a_check_without_a_monitor_is_refused() {
    let agent = Image::new().start();
    let mut listener = agent.listen();
    listener.state("UP");
    for _ in 0..2 {
        let answer = listener.ask(r#"{"id":1,"type":"check"}"#);
        assert_eq!(answer["error"]["code"], "refused");
    }
}

#[test]
fn a_filter_is_answered_and_one_that_never_ends_holds_nothing_up() {
    let agent = Image::new()
        .cfg(r#"{"db":{"host":"a"},"list":[1,2]}"#)
        .start();
    let mut endless = agent.listen();
    endless.state("UP");
    endless.write(b"{\"id\":\"endless\",\"type\":\"cfg\",\"filter\":\". | last(repeat(1))\"}\n");
    // While that one turns, others are served and the life cycle goes on.
    let mut listener = agent.listen();
    listener.state("UP");
    for (filter, values) in [
        ("db.host", serde_json::json!(["a"])),
        (".list[]", serde_json::json!([1, 2])),
        (".nothing", serde_json::json!([null])),
    ] {
        let request = serde_json::json!({"id": filter, "type": "cfg", "filter": filter});
        let answer = listener.ask(&request.to_string());
        assert_eq!(answer["result"]["values"], values, "{answer}");
    }
    agent.signal(Signal::SIGHUP);
    listener.change("RESTARTING");
    listener.change("UP");
    let refused = listener.ask(r#"{"id":9,"type":"cfg","filter":"list["}"#);
    assert_eq!(refused["error"]["code"], "filter", "{refused}");
    let answer = endless.line("answer");
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&"endless".into(), &"filter".into())
    );
}

#[test]
fn the_configuration_is_told_with_its_origins() {
    let agent = Image::new().cfg("{\"memory\":400}").start();
    let mut listener = agent.listen();
    let answer = listener.ask(r#"{"id":1,"type":"cfg"}"#);
    assert_eq!(answer["result"]["values"][0]["memory"], 400);
    let answer = listener.ask(r#"{"id":2,"type":"cfg","origin":true}"#);
    assert_eq!(answer["result"]["origins"][0]["layer"], "CFG");
}

#[test]
fn garbage_and_long_lines_are_answered_and_survived() {
    let agent = Image::new().start();
    let mut listener = agent.listen();
    listener.state("UP");
    listener.write(b"\x00\xff garbage\n");
    assert_eq!(listener.line("answer")["error"]["code"], "malformed");
    listener.write(&vec![b'x'; 300_000]);
    assert_eq!(listener.line("answer")["error"]["code"], "malformed");
    let answer = listener.ask("\n{\"id\":9,\"type\":\"dance\"}");
    assert_eq!(
        (&answer["id"], &answer["error"]["code"]),
        (&9.into(), &"unknown".into())
    );
}

#[test]
fn another_user_may_read_and_not_ask() {
    let agent = Image::new().start();
    agent.wait_state("UP");
    let open = |path: &str, mode| {
        std::fs::set_permissions(agent.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for path in ["", "run", "run/ww"] {
        open(path, 0o755);
    }
    let program = "use IO::Socket::UNIX;\n\
                   my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die;\n\
                   print scalar <$s>; <$s>;\n\
                   print $s '{\"id\":1,\"type\":\"stop\"}', \"\\n\"; $s->flush;\n\
                   while (<$s>) { if (/\"answer\"/) { print; last } }\n";
    let output = Command::new("setpriv")
        .args(["--reuid", "12345", "--regid", "12345", "--clear-groups"])
        .args(["/usr/bin/perl", "-e", program])
        .arg(agent.path("run/ww/agent.sock"))
        .output()
        .unwrap();
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert_eq!(lines[0]["type"], "hello");
    assert_eq!(lines[1]["error"]["code"], "forbidden");
    assert!(!agent.stderr().contains("STOPPED"));
}

#[test]
fn a_client_that_does_not_read_is_let_go_and_the_others_are_not() {
    let agent = Image::new()
        .file(
            "ww/usr/monitor",
            b"#!/bin/sh\nhead -c 14000 /dev/zero | tr '\\0' x\n",
            0o755,
        )
        .cfg(r#"{"ww":{"monitor":{"interval":"15ms"}}}"#)
        .start();
    agent.wait_state("UP");
    let mut idle = agent.listen();
    let mut listener = agent.listen();
    for _ in 0..60 {
        listener.line("monitor");
    }
    // What was in flight for it is still there, then comes the end.
    until("the end of the connection", || {
        idle.next().is_none().then_some(())
    });
    listener.line("monitor");
}

#[test]
fn a_stale_socket_is_replaced() {
    let image = Image::new();
    let path = image.path("run/ww/agent.sock");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let agent = image.start();
    agent.wait_state("UP");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn a_path_that_is_too_long_does_not_keep_it_from_booting() {
    let long = format!("/tmp/{}", "x".repeat(120));
    let mut agent = Image::new().variable("WW_SOCKET", &long).start();
    agent.wait_log("warmup", 1);
    agent.wait_stderr("WARMUP -> UP");
    assert!(agent.stderr().contains("107"), "{}", agent.stderr());
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_script_that_runs_is_in_the_snapshot_and_its_end_is_told() {
    let agent = Image::new()
        .script(
            "boot",
            "while [ ! -e $ROOT/go ]; do sleep 0.02; done; exit 0",
        )
        .start();
    agent.wait_log("boot", 1);
    let mut listener = agent.listen();
    let snapshot = listener.line("snapshot");
    assert_eq!(snapshot["running"]["hook"], "boot");
    assert_eq!(snapshot["running"]["result"], "running");
    std::fs::write(agent.path("go"), "").unwrap();
    let ended = listener.line("hook");
    assert_eq!(
        (&ended["hook"], &ended["result"]),
        (&"boot".into(), &"ok".into())
    );
    assert_eq!(ended["exit"], 0);
}

#[test]
fn somebody_who_leaves_at_once_is_followed_all_the_same() {
    let mut agent = Image::new().start();
    agent.wait_state("UP");
    let mut listener = agent.listen();
    listener.write(b"{\"id\":1,\"type\":\"stop\"}\n");
    drop(listener);
    assert_eq!(agent.exit(), 0);
}

#[test]
fn one_too_many_is_told_how_things_stand_and_let_go() {
    let agent = Image::new().start();
    agent.wait_state("UP");
    let others: Vec<_> = (0..64).map(|_| agent.listen()).collect();
    let mut late = agent.listen();
    assert_eq!(late.line("snapshot")["state"], "UP");
    assert!(late.next().is_none(), "it is kept all the same");
    drop(others);
}

#[test]
fn some_places_are_kept_for_who_may_ask() {
    let agent = Image::new().start();
    agent.wait_state("UP");
    for path in ["", "run", "run/ww"] {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(agent.path(path), mode).unwrap();
    }
    // Another user connects until one is let go, says how many stay, and keeps them.
    let program = "use IO::Socket::UNIX; use IO::Handle; STDOUT->autoflush(1);\n\
                   my @kept;\n\
                   while (1) {\n\
                   \x20 my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die;\n\
                   \x20 my $said = '';\n\
                   \x20 while (($said =~ tr/\\n//) < 2) {\n\
                   \x20   sysread($s, $said, 65536, length $said) or die;\n\
                   \x20 }\n\
                   \x20 my $ready = ''; vec($ready, fileno($s), 1) = 1;\n\
                   \x20 last if select($ready, undef, undef, 0.3) && !sysread($s, $said, 65536);\n\
                   \x20 push @kept, $s;\n\
                   }\n\
                   print scalar(@kept), \"\\n\"; <STDIN>;\n";
    // Most places by somebody who may ask; he leaves but a few to others.
    let mine: Vec<_> = (0..54)
        .map(|_| {
            let mut one = agent.listen();
            one.line("snapshot");
            one
        })
        .collect();
    let mut other = Command::new("setpriv")
        .args(["--reuid", "12345", "--regid", "12345", "--clear-groups"])
        .args(["/usr/bin/perl", "-e", program])
        .arg(agent.path("run/ww/agent.sock"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut count = String::new();
    let mut said = std::io::BufReader::new(other.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut count).unwrap();
    assert_eq!(count.trim(), "2");
    let mut operator = agent.listen();
    assert_eq!(operator.ask(r#"{"id":1,"type":"restart"}"#)["ok"], true);
    drop(other.stdin.take());
    other.wait().unwrap();
    drop(mine);
}

#[test]
fn who_writes_nothing_that_is_a_request_is_not_heard_any_more_and_still_told() {
    let agent = Image::new().start();
    let mut listener = agent.listen();
    listener.state("UP");
    for _ in 0..64 {
        listener.write(b"nonsense\n");
        assert_eq!(listener.line("answer")["error"]["code"], "malformed");
    }
    listener.write(b"nonsense\n{\"id\":1,\"type\":\"stop\"}\n");
    agent.signal(Signal::SIGHUP);
    listener.change("RESTARTING");
    listener.change("UP");
    assert!(!agent.stderr().contains("STOPPED"));
}

#[test]
fn a_line_without_an_end_ends_with_the_connection() {
    use std::io::{Read, Write};
    let agent = Image::new().start();
    agent.wait_state("UP");
    let mut stream =
        std::os::unix::net::UnixStream::connect(agent.path("run/ww/agent.sock")).unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let taken = (0..1000)
        .take_while(|_| stream.write_all(&piece).is_ok())
        .count();
    assert!(taken < 100, "{taken} pieces");
    // It was told why.
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("a line is longer than"), "{told}");
}

#[test]
fn a_second_agent_in_the_same_container_does_nothing() {
    let agent = Image::new().cfg("{\"memory\":5}").start();
    agent.wait_state("UP");
    let before = agent.log();
    let pid = agent.pid().to_string();
    let second = Command::new("nsenter")
        .args([
            "-t",
            &pid,
            "-p",
            "-m",
            env!("CARGO_BIN_EXE_ww-agent"),
            "run",
        ])
        .env("WW_ROOT", agent.path(""))
        .env("CFG", "{\"memory\":6}")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("runs in this container already"), "{said}");
    assert_eq!(agent.log(), before, "it ran a script");
    let merged = std::fs::read_to_string(agent.path("ww/etc/cfg.json")).unwrap();
    assert!(merged.contains('5'), "{merged}");
}
