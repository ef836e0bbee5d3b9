//! A container with a terminal (`docker run -t`): what is typed means what it says, and no script is
//! stopped for good because the terminal is not its own.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::harness::{Agent, Image, until};

/// The agent as the leader of a session that has this terminal.
fn start(image: Image) -> (Agent, PtyMaster) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname_r(&master).unwrap();
    // The error stream stays a file, so that the test can wait for what is said there.
    let script = format!("exec setsid --ctty -- \"$@\" < {name} > {name}");
    let agent = image.around(&["sh", "-c", &script, "sh"]).start();
    (agent, master)
}

#[test]
fn what_is_typed_to_interrupt_stops_in_order() {
    let (mut agent, mut terminal) = start(Image::new());
    agent.wait_state("UP");
    terminal.write_all(b"\x03").unwrap();
    assert_eq!(agent.exit(), 0);
    assert!(agent.stderr().contains("SIGINT"), "{}", agent.stderr());
    let mut printed = [0; 4096];
    let count = terminal.read(&mut printed).unwrap();
    let printed = String::from_utf8_lossy(&printed[..count]).into_owned();
    assert!(printed.contains("= LIFECYCLE: STOPPED"), "{printed}");
}

#[test]
fn what_is_typed_to_suspend_does_not() {
    let (mut agent, mut terminal) = start(Image::new());
    agent.wait_state("UP");
    terminal.write_all(b"\x1a").unwrap();
    // It answers, so it was not stopped.
    let answer = agent.listen().ask(r#"{"id":1,"type":"cfg"}"#);
    assert_eq!(answer["ok"], true);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_script_that_asks_the_terminal_is_ended_by_a_stop_all_the_same() {
    let body = "echo asks >> $LOG; read answer < /dev/tty; echo $? >> $LOG";
    let (mut agent, terminal) = start(Image::new().script("boot", body));
    agent.wait_log("asks", 1);
    // It is no process of the foreground: the kernel stops it.
    until("the script to be stopped", || {
        agent
            .others()
            .iter()
            .any(|(_, state)| *state == 'T')
            .then_some(())
    });
    let (code, took) = agent.stop();
    assert_eq!(code, 0);
    assert!(took < std::time::Duration::from_secs(4), "took {took:?}");
    assert!(terminal.as_raw_fd() >= 0);
}

#[test]
fn a_terminal_that_goes_away_asks_for_a_restart_and_ends_nothing() {
    let (mut agent, terminal) = start(Image::new());
    let mut listener = agent.listen();
    listener.state("UP");
    drop(terminal);
    assert_eq!(listener.change("RESTARTING")["cause"], "SIGHUP");
    listener.change("UP");
    assert_eq!(agent.stop().0, 0);
}
