//! `exec`: a program in a container, its streams byte for byte, its terminal as if it were here.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

use crate::lab::{Guest, Lab, docker, run, until, ww_ctl, ww_ctl_command, ww_ctl_path};
use crate::pty::Terminal;

fn guest(lab: &Lab) -> Guest {
    lab.start_bare("plain", lab.base(), &[], &["sleep", "600"])
}

/// Runs a program with this input and its end.
fn with_input(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut stdin = child.stdin.take().expect("its input");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // What has ended before takes no more.
            drop(stdin.write_all(input));
        });
        child.wait_with_output().expect("its end")
    })
}

/// Bytes without a pattern that a frame or a line could be cut by unseen.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next)
        .flatten()
        .take(length)
        .collect()
}

#[test]
fn streams_are_passed_on_byte_for_byte_and_the_code_is_the_programs_own() {
    let lab = Lab::new("exec");
    let guest = guest(&lab);
    let name = guest.name.as_str();
    // Both outputs apart, and the code.
    let script = "printf 'out\\000\\n'; printf 'err\\n' >&2; exit 7";
    let ran = ww_ctl(["exec", name, "--", "sh", "-c", script]).expect(7);
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("out\0\n", "err\n")
    );
    for (words, code) in [
        (&["sh", "-c", "kill -9 $$"][..], 137),
        // As Docker itself tells a program that cannot be run.
        (&["/etc"], 126),
        // Its outputs are closed long before its end.
        (&["sh", "-c", "exec >&- 2>&-; sleep 1; exit 5"], 5),
    ] {
        run(ww_ctl_command().args(["exec", name, "--"]).args(words)).expect(code);
    }
    let absent = ww_ctl(["exec", name, "--", "no-such-program"]);
    assert!([126, 127].contains(&absent.code()), "{absent:?}");
    let why = format!("cannot start `no-such-program` in {name}\n");
    let absent = absent.says(&[&why]);
    assert!(absent.stdout.contains("no-such-program") || absent.stderr.contains("no-such-program"));
    // What ends so by itself was started.
    let ended = ww_ctl(["exec", name, "--", "sh", "-c", "exit 127"]).expect(127);
    assert_eq!(ended.stderr, "");
    // It is written down that it was run, and by no word what might be a secret.
    let journal = lab.directory("audit").join("journal");
    run(ww_ctl_command().env("WW_AUDIT_FILE", &journal).args([
        "exec",
        "-e",
        "TOKEN=s3cret",
        name,
        "--",
        "sh",
        "-c",
        "exit 3 # s3cret",
    ]))
    .expect(3);
    let kept = std::fs::read_to_string(&journal).expect("the journal");
    assert!(
        kept.contains("\"exec\"") && kept.contains("ran sh") && kept.contains(name),
        "{kept}"
    );
    assert!(!kept.contains("s3cret"), "{kept}");
    // Who, where, with which variables.
    let script = "id -u; pwd; echo \"$ONE $TWO\"";
    let options = ["-u", "guest", "-w", "/tmp", "-e", "ONE=1", "-e", "TWO"];
    let ran = run(ww_ctl_command()
        .env("TWO", "2")
        .args(["exec", name])
        .args(options)
        .args(["--", "sh", "-c", script]));
    assert_eq!(ran.expect(0).stdout, "1000\n/tmp\n1 2\n");
    // The end of the input is the end of the program's input.
    let cat = |command: &mut Command, input: &[u8]| {
        let ended = with_input(command.args(["exec", name, "--", "cat"]), input);
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        ended.stdout
    };
    assert_eq!(cat(&mut ww_ctl_command(), b"hi\n"), b"hi\n");
    let large = noise(50 << 20);
    assert!(cat(&mut ww_ctl_command(), &large) == large, "50 MB differ");
    // A program that does not want its input gets on without it.
    let head = with_input(
        ww_ctl_command().args(["exec", name, "--", "head", "-c", "3"]),
        &large[..10 << 20],
    );
    assert_eq!(
        (head.status.code(), &head.stdout[..]),
        (Some(0), &large[..3])
    );
    // The same over TCP, where nothing of the host can be of help.
    let address = forwarded();
    let remote = format!("tcp://{address}");
    let over_tcp = cat(ww_ctl_command().args(["-H", &remote]), &large[..10 << 20]);
    assert!(over_tcp == large[..10 << 20], "10 MB over TCP differ");
}

/// A TCP port of this machine that leads to its Engine, half-closes passed on.
fn forwarded() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let engine = UnixStream::connect("/var/run/docker.sock").expect("the Engine");
            let (to, from) = (engine.try_clone(), client.try_clone());
            let (to, from) = (to.expect("a clone"), from.expect("a clone"));
            std::thread::spawn(move || {
                forward(from, &to);
                drop(to.shutdown(Shutdown::Write));
            });
            std::thread::spawn(move || {
                forward(engine, &client);
                drop(TcpStream::shutdown(&client, Shutdown::Write));
            });
        }
    });
    address
}

fn forward(mut from: impl Read, mut to: impl Write) {
    drop(std::io::copy(&mut from, &mut to));
}

#[test]
fn what_cannot_be_run_is_said_before_it_is_tried() {
    let lab = Lab::new("exec");
    let guest = guest(&lab);
    docker(["pause", &guest.name]).expect(0);
    let words = ["exec", &guest.name, "--", "true"];
    ww_ctl(words)
        .expect(1)
        .says(&["is paused", "docker unpause"]);
    docker(["kill", &guest.name]).expect(0);
    guest.exit_code();
    ww_ctl(words)
        .expect(1)
        .says(&["does not run", "docker start"]);
}

#[test]
fn a_terminal_is_the_programs_own() {
    let lab = Lab::new("exec");
    let guest = guest(&lab);
    let file = lab.directory("tty").join("path");
    let shell = format!(
        "tty > {}; B=$(stty -g); {} exec {} -- sh; C=$?; A=$(stty -g); [ \"$A\" = \"$B\" ] && echo same modes; echo left with $C",
        file.display(),
        ww_ctl_path().display(),
        guest.name,
    );
    let mut terminal = Terminal::new(&shell, 24, 80);
    terminal.shows("a prompt", |screen| screen.contains('#'));
    // The words that are looked for differ from those that are typed, which are seen too.
    terminal.keys("until [ \"$(stty size)\" = '24 80' ]; do sleep .05; done; echo si''zed\r");
    terminal.shows("the size", |screen| screen.contains("sized"));
    terminal.keys("until [ \"$(stty size)\" = '33 91' ]; do sleep .05; done; echo re''sized\r");
    let tty = std::fs::read_to_string(&file).expect("its path");
    run(Command::new("stty").args(["-F", tty.trim(), "rows", "33", "cols", "91"])).expect(0);
    terminal.shows("the new size", |screen| screen.contains("resized"));
    // Ctrl-C is for the program, and only for it.
    terminal.keys("sh -c 'echo wai\"\"ting; exec sleep 600'\r");
    terminal.shows("a program that waits", |screen| screen.contains("waiting"));
    // A terminal forgets what was typed before it.
    let prompt = |screen: &str| screen.trim_end().ends_with('#');
    terminal.keys("\x03");
    terminal.shows("a prompt again", prompt);
    terminal.keys("echo en''ded $?\r");
    terminal.shows("its end", |screen| screen.contains("ended 130"));
    // A single Ctrl-P arrives, with nothing after it.
    terminal.keys("echo no''w; cat\r");
    terminal.shows("a program that reads", |screen| screen.contains("now"));
    terminal.keys("\x10");
    terminal.shows("the key", |screen| screen.contains("^P"));
    terminal.keys("\x03");
    terminal.shows("a prompt again", prompt);
    terminal.keys("exit 3\r");
    let after = terminal.shows("the end", |screen| screen.contains("left with 3"));
    assert!(after.contains("same modes"), "{after}");
}

#[test]
fn one_can_leave_a_program_running() {
    let lab = Lab::new("exec");
    let guest = guest(&lab);
    let shell = format!(
        "{} exec {} -- sh -c 'echo up; exec sleep 601'; echo left with $?",
        ww_ctl_path().display(),
        guest.name,
    );
    let mut terminal = Terminal::new(&shell, 24, 80);
    terminal.shows("the program", |screen| screen.contains("up"));
    terminal.keys("\0\x1d\x1e");
    terminal.shows("the shell", |screen| {
        screen.contains("the program goes on") && screen.contains("left with 0")
    });
    let processes = docker(["top", &guest.name]).expect(0).stdout;
    assert!(processes.contains("sleep 601"), "{processes}");
}

#[test]
fn the_terminal_is_given_back_when_it_is_killed() {
    let lab = Lab::new("exec");
    let guest = guest(&lab);
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)] {
        let file = lab.directory("pids").join(signal);
        let shell = format!(
            "B=$(stty -g); sh -c 'echo $$ > {}; exec {} exec {} -- sh'; C=$?; A=$(stty -g); [ \"$A\" = \"$B\" ] && echo same modes; echo left with $C",
            file.display(),
            ww_ctl_path().display(),
            guest.name,
        );
        let mut terminal = Terminal::new(&shell, 24, 80);
        terminal.keys("echo ra''w\r");
        terminal.shows("the program", |screen| screen.contains("raw"));
        let pid = until("its process", || {
            let pid = std::fs::read_to_string(&file).ok()?;
            pid.ends_with('\n').then(|| pid.trim().to_owned())
        });
        run(Command::new("kill").args([&format!("-{signal}"), &pid])).expect(0);
        let after = terminal.shows(&format!("exit {code} after {signal}"), |screen| {
            screen.contains(&format!("left with {code}"))
        });
        assert!(after.contains("same modes"), "{signal}:\n{after}");
    }
}
