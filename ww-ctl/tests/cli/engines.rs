//! Engines that are not there, may not be used, or are none; and the real one.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{ctl, run, said, tool};

/// Every command that needs an Engine.
const NEED_ONE: [&[&str]; 12] = [
    &["ls"],
    &["show", "shop"],
    &["show", "shop", "--evidence"],
    &["show", "shop", "--history"],
    &["wait", "shop", "--for", "UP"],
    &["start", "shop"],
    &["stop", "shop"],
    &["restart", "shop"],
    &["logs", "shop"],
    &["events"],
    &["exec", "shop", "--", "true"],
    &["cfg", "shop"],
];

#[test]
fn an_engine_that_is_down_is_five_for_every_command() {
    for arguments in NEED_ONE
        .into_iter()
        .chain([&["run", "shop:1", "--name", "shop"][..]])
    {
        let ran = run(tool()
            .args(["-H", "unix:///nonexistent/docker.sock"])
            .args(arguments));
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(&ran), @r"
            exit 5
            ww-ctl: cannot reach the Docker Engine at /nonexistent/docker.sock: No such file or directory (os error 2)
              is Docker running? start it (systemctl start docker), or name another Engine with -H or DOCKER_HOST
            ");
        }
    }
}

#[test]
fn a_socket_nobody_listens_on_is_an_engine_that_is_down() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("docker.sock");
    drop(UnixListener::bind(&socket).expect("a socket"));
    let ran = run(tool()
        .arg("ls")
        .env("DOCKER_HOST", format!("unix://{}", socket.display())));
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(ran.stderr.contains("Connection refused"), "{}", ran.stderr);
}

#[test]
fn a_socket_that_may_not_be_opened_says_which_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("its mode");
    let socket = dir.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o000)).expect("its mode");
    // The tool itself may lie where another user cannot go: a copy.
    let copy = dir.path().join("ww-ctl");
    std::fs::copy(env!("CARGO_BIN_EXE_ww-ctl"), &copy).expect("a copy");
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=12345", "--regid=12345", "--clear-groups"])
        .arg(&copy)
        .args(["-H", &format!("unix://{}", socket.display()), "ls"])
        .env("DOCKER_CONFIG", "/nonexistent");
    let words = said(&run(&mut command)).replace(&socket.display().to_string(), "SOCKET");
    insta::assert_snapshot!(words, @r"
    exit 5
    ww-ctl: cannot open the Docker Engine's socket SOCKET: permission denied
      be in the `docker` group (sudo usermod -aG docker $USER, then log in again) or run as root: one of them may open SOCKET
    ");
}

/// Answers one connection on a socket with `answer`.
fn serve(answer: &'static [u8]) -> (tempfile::TempDir, String, std::thread::JoinHandle<()>) {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = [0; 1024];
        let length = stream.read(&mut request).expect("a request");
        assert!(request[..length].starts_with(b"GET /_ping HTTP/1.1\r\n"));
        stream.write_all(answer).expect("an answer");
    });
    let url = format!("unix://{}", socket.display());
    (dir, url, server)
}

#[test]
fn what_is_no_engine_or_too_old_a_one_is_told() {
    for (answer, words) in [
        (&b"SSH-2.0-OpenSSH_9.9\r\n"[..], "it does not speak HTTP"),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "404 Not Found",
        ),
        (
            b"HTTP/1.1 200 OK\r\nApi-Version: 1.24\r\nContent-Length: 2\r\n\r\nOK",
            "it speaks API 1.24 at most",
        ),
    ] {
        let (_dir, url, server) = serve(answer);
        let ran = ctl(&["-H", &url, "ls"]);
        server.join().expect("the server");
        assert_eq!(ran.code, Some(5), "{ran:?}");
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn one_host_of_two_that_is_down_hides_nothing_of_the_other() {
    let ran = ctl(&[
        "-H",
        "unix:///var/run/docker.sock",
        "-H",
        "unix:///nonexistent/docker.sock",
        "ls",
        "-o",
        "json",
    ]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(ran.stdout.contains("\"schema\": 1"), "{}", ran.stdout);
    for word in [
        "warning: host nonexistent/docker does not answer: cannot reach the Docker Engine at /nonexistent",
        "; never answered",
    ] {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
    for word in [
        "\"status\": \"live\"",
        "\"status\": \"lost\"",
        "\"last_answered\": null",
    ] {
        assert!(ran.stdout.contains(word), "{}", ran.stdout);
    }
}

#[test]
fn a_host_that_is_named_is_the_only_one_that_is_asked_and_an_unknown_one_is_told() {
    let hosts = [
        "-H",
        "unix:///var/run/docker.sock",
        "-H",
        "unix:///nonexistent/docker.sock",
    ];
    let there = ctl(&[&hosts[..], &["stop", "--yes", "local/no-such-container"]].concat());
    assert_eq!(there.code, Some(3), "{there:?}");
    assert!(
        !there.stderr.contains("nonexistent/docker"),
        "{}",
        there.stderr
    );
    let silent = ctl(&[&hosts[..], &["stop", "--yes", "no-such-container"]].concat());
    assert_eq!(silent.code, Some(5), "{silent:?}");
    let words = "there is no container `no-such-container`, unless it is on nonexistent/docker";
    assert!(silent.stderr.contains(words), "{}", silent.stderr);
    let ours = "-H unix:///var/run/docker.sock stop --yes ops9/shop";
    let unknown = ctl(&ours.split(' ').collect::<Vec<_>>());
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert!(
        unknown.stderr.contains("no host here is called `ops9`"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_name_that_is_not_there_is_three_for_every_command() {
    for arguments in NEED_ONE.iter().filter(|words| words.len() > 1) {
        let mut arguments = arguments.to_vec();
        arguments[1] = "no-such-container-anywhere";
        let ran = ctl(&arguments);
        assert_eq!(ran.code, Some(3), "{arguments:?}: {ran:?}");
        assert!(
            ran.stderr
                .contains("there is no container `no-such-container-anywhere`"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("ww-ctl ls"), "{}", ran.stderr);
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = tool()
        .args(["ls", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("its end");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_signal_ends_it_with_128_and_its_number() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = tool()
            .args(["-v", "events"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool starts");
        let mut talk = BufReader::new(child.stderr.take().expect("its stderr"));
        let mut line = String::new();
        talk.read_line(&mut line).expect("a line");
        assert!(line.contains("watching"), "{line}");
        let sent = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(child.id().to_string())
            .status();
        assert!(sent.expect("kill").success());
        let deadline = std::time::Duration::from_secs(10);
        assert_eq!(end_within(&mut child, deadline), Some(code), "{signal}");
    }
}

fn end_within(child: &mut std::process::Child, limit: Duration) -> Option<i32> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let id = child.id();
    std::thread::spawn(move || {
        if receiver.recv_timeout(limit).is_err() {
            // It hangs: ended here, so that the test fails instead of waiting for ever.
            let _gone = Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .status();
        }
    });
    let code = child.wait().expect("its end").code();
    let _ended = sender.send(());
    code
}
