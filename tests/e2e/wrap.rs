//! `ww-agent run -- COMMAND` as the entry point of a container whose image knows nothing of it.

use std::time::Duration;

use crate::lab::{Guest, Lab, docker, now, until};
use crate::pty::Terminal;

/// The base image with the agent's file put into the container, and nothing else of whaleware.
fn start(lab: &Lab, what: &str, options: &[&str], command: &[&str]) -> Guest {
    let agent = crate::lab::agent_path();
    let mount = format!("{}:/ww-agent:ro", agent.display());
    let own = ["-v", &mount, "--entrypoint", "/ww-agent"];
    let command = [&["run", "--"], command].concat();
    lab.start_bare(
        what,
        lab.base(),
        &[own.as_slice(), options].concat(),
        &command,
    )
}

#[test]
fn docker_sees_the_commands_exit_code_and_its_output_alone() {
    let lab = Lab::new("wrap");
    for (what, program, code) in [
        ("exits", "echo out; echo err >&2; exit 42", 42),
        ("dies", "echo out; echo err >&2; kill -9 $$", 137),
    ] {
        let guest = start(&lab, what, &[], &["sh", "-c", program]);
        assert_eq!(guest.exit_code(), code);
        let logs = docker(["logs", &guest.name]).expect(0);
        assert_eq!(logs.stdout, "out\n");
        assert_eq!(logs.stderr, "err\n");
        // What is left of the agent is the directory of its socket.
        let changes = docker(["diff", &guest.name]).expect(0).stdout;
        let strange = changes.lines().find(|line| {
            let path = line.split_once(' ').map_or("", |(_, path)| path);
            // Docker's own mount point for the agent.
            !["/run", "/run/ww", "/ww-agent"].contains(&path)
        });
        assert_eq!(strange, None, "{changes}");
    }
    let guest = start(&lab, "missing", &[], &["no-such-command"]);
    assert_eq!(guest.exit_code(), 127);
    let said = guest.output();
    assert!(
        said.contains("`no-such-command` is in no directory of PATH"),
        "{said}"
    );
}

#[test]
fn a_stop_is_the_commands_and_takes_no_longer_than_that() {
    let lab = Lab::new("wrap");
    for (what, program, code) in [
        ("plain", "exec sleep 1000", 143),
        (
            "polite",
            "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done",
            0,
        ),
    ] {
        let guest = start(&lab, what, &["-w", "/tmp"], &["sh", "-c", program]);
        until("it to be up", || {
            let asked = docker(["exec", &guest.name, "/ww-agent", "status"]);
            asked.stdout.contains("UP").then_some(())
        });
        if code == 0 {
            until("the command", || {
                guest.output().contains("up").then_some(())
            });
        }
        let begun = now();
        docker(["stop", "-t", "60", &guest.name]).expect(0);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(8), "took {took:?}");
        assert_eq!(guest.exit_code(), code);
    }
}

#[test]
fn on_a_terminal_the_command_hears_what_is_typed() {
    let lab = Lab::new("wrap");
    let agent = crate::lab::agent_path();
    // The lab removes what has its label, however the test ends.
    let label = lab.label();
    let command = format!(
        "docker run --rm -it --label {label} -v {}:/ww-agent:ro --entrypoint /ww-agent {} run -- \
         sh -c 'trap \"echo interrupted; exit 7\" INT; echo begun; read line; echo got-$line; read more'; \
         echo code-$?",
        agent.display(),
        lab.base()
    );
    let mut terminal = Terminal::new(&command, 24, 80);
    terminal.shows("the command", |screen| screen.contains("begun"));
    terminal.keys("hello\n");
    terminal.shows("what the command made of it", |screen| {
        screen.contains("got-hello")
    });
    // Nobody could resume it.
    terminal.keys("\x1a");
    terminal.keys("\x03");
    terminal.shows("the end", |screen| {
        screen.contains("interrupted") && screen.contains("code-7")
    });
}
