//! Both ways to an agent, and what a container that lies gets.

use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::lab::{Lab, docker, run, ww_ctl, ww_ctl_path};
use crate::pty::Terminal;

/// The operator's tool as a user who may use Docker and nothing else.
fn as_ordinary_user() -> Command {
    let group = run(Command::new("stat").args(["-c", "%g", "/var/run/docker.sock"])).expect(0);
    let group = group.stdout.trim().to_owned();
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=12345",
            "--regid=12345",
            "--groups",
            &group,
            "--inh-caps=-all",
        ])
        .arg(ww_ctl_path())
        .env("HOME", "/");
    command
}

#[test]
fn an_ordinary_user_gets_the_same_through_exec() {
    let lab = Lab::new("reach");
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("monitor", "echo '{\"queue\":17}'")
        .defaults(r#"{"memory":400}"#);
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    let pid = guest.inspect("{{.State.Pid}}");
    let denied = run(Command::new("setpriv")
        .args(["--reuid=12345", "--regid=12345", "--clear-groups", "ls"])
        .arg(format!("/proc/{pid}/root/")));
    assert_ne!(
        denied.code(),
        0,
        "this user could use the direct way: {denied:?}"
    );

    let filter = format!("name={}", guest.name);
    let listed = run(as_ordinary_user().args(["ls", "--filter", &filter, "-o", "json"])).expect(0);
    let direct = ww_ctl(["ls", "--filter", &filter, "-o", "json"]).expect(0);
    for text in [&listed.stdout, &direct.stdout] {
        assert!(text.contains("\"UP\""), "{text}");
    }
    assert_eq!(
        run(as_ordinary_user().args(["cfg", &guest.name, "memory"]))
            .expect(0)
            .stdout,
        "400\n"
    );
    run(as_ordinary_user().args(["restart", &guest.name, "--timeout", "30s"])).expect(0);
    guest.wrote("-svcup", 2);
}

#[test]
fn a_planted_link_to_a_socket_of_the_host_gets_nothing() {
    let lab = Lab::new("reach");
    // A socket of the host that would write down whatever it is sent.
    let directory = lab.directory("host");
    let path = directory.join("victim.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    listener.set_nonblocking(true).expect("non-blocking");
    // The container's PID 1 is no agent; its socket is a link that names the host's.
    let tree = lab.tree("app");
    tree.file("usr/boot", 0o755, "#!/bin/sh\n");
    let image = lab.image(&tree);
    for (what, plant, options) in [
        (
            "absolute",
            format!("ln -s {} /run/ww/agent.sock", path.display()),
            vec![],
        ),
        (
            "dots",
            format!(
                "ln -s ../../../../../../..{} /run/ww/agent.sock",
                path.display()
            ),
            vec![],
        ),
        (
            "magic",
            format!("ln -s /proc/1/root{} /run/ww/agent.sock", path.display()),
            vec![],
        ),
        // Worse: the host's socket really is in the container, by a mount.
        (
            "mounted",
            "ln -s /mnt/victim.sock /run/ww/agent.sock".to_owned(),
            vec!["-v".to_owned(), format!("{}:/mnt", directory.display())],
        ),
    ] {
        let script = format!(
            "mkdir -p /run/ww /dev/shm/ww; {plant}; echo planted >> /data/log; exec sleep 600"
        );
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let guest = lab.start(what, &image, &options, &["/bin/sh", "-c", &script]);
        guest.wrote("planted", 1);
        let filter = format!("name={}", guest.name);
        let listed = ww_ctl(["ls", "--filter", &filter, "-o", "json"]).expect(0);
        assert!(
            listed.stdout.contains("DOCKERUP"),
            "{what}: {}",
            listed.stdout
        );
        let refused = ww_ctl(["cfg", &guest.name]);
        assert_ne!(refused.code(), 0, "{what}");
        match listener.accept() {
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{what}"),
            Ok((mut stream, _)) => {
                use std::io::Read;
                // Connected to it may have been, told nothing.
                stream.set_nonblocking(false).expect("blocking");
                let mut heard = Vec::new();
                stream.read_to_end(&mut heard).expect("its end");
                assert!(
                    heard.is_empty(),
                    "{what}: {}",
                    String::from_utf8_lossy(&heard)
                );
                assert_eq!(
                    what, "mounted",
                    "only a mount is within the container's root"
                );
            }
        }
    }
}

#[test]
fn an_agent_that_is_silent_is_shown_as_such_and_hides_nobody() {
    let lab = Lab::new("reach");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let frozen = lab.start("frozen", &image, &[], &[]);
    let other = lab.start("honest", &image, &[], &[]);
    frozen.reaches("UP");
    other.reaches("UP");
    // A stopped agent still has its socket: the kernel takes the connection, nobody says hello.
    run(Command::new("kill").args(["-STOP", &frozen.inspect("{{.State.Pid}}")])).expect(0);
    let filter = format!("name={}", lab.named("*"));
    let listed = ww_ctl(["ls", "--filter", &filter, "-o", "jsonl"]).expect(0);
    assert_eq!(listed.stdout.lines().count(), 2, "{}", listed.stdout);
    let line = |name: &str| {
        let mut lines = listed.stdout.lines();
        lines.find(|line| line.contains(name)).expect("its line")
    };
    assert!(line(&other.name).contains("\"UP\""), "{}", listed.stdout);
    let silent = line(&frozen.name);
    assert!(
        silent.contains("DOCKERUP") && silent.contains("agent silent"),
        "{silent}"
    );
}

#[test]
fn control_sequences_of_a_container_do_not_reach_the_terminal() {
    let lab = Lab::new("reach");
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("warmup", "printf '\\033]0;owned\\007\\033[2Jlog line\\n'")
        .script("monitor", "printf '\\033]0;owned\\007\\033[31mnot json'")
        .defaults(r#"{"ww":{"monitor":{"interval":"100ms"}}}"#);
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.wrote("-monitor", 1);
    guest.reaches("healthy");
    for arguments in [vec!["show", &guest.name], vec!["ls"]] {
        let ran = run(crate::lab::ww_ctl_command().args(&arguments)).expect(0);
        let obeyed = ran.stdout.contains(['\u{1b}', '\u{7}']);
        assert!(!obeyed, "{arguments:?}: {:?}", ran.stdout);
    }
    // To a pipe the log is what it is; to a terminal it is made fit for one.
    let piped = ww_ctl(["logs", &guest.name]).expect(0);
    assert!(
        piped
            .stdout
            .contains("\u{1b}]0;owned\u{7}\u{1b}[2Jlog line"),
        "{piped:?}"
    );
    let shell = format!("{} logs {}", ww_ctl_path().display(), guest.name);
    let mut terminal = Terminal::new(&shell, 24, 80);
    terminal.shows("its output", |screen| screen.contains("log line"));
    let raw = String::from_utf8_lossy(&terminal.raw);
    assert!(
        !raw.contains("owned") && !raw.contains("\u{1b}[2J"),
        "{raw:?}"
    );
    docker(["stop", &guest.name]).expect(0);
}
