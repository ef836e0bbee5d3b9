//! On a real terminal: the command gets it, ^Z stops the job, `fg` resumes it, ^C reaches the command.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::harness::{Agent, Image, PATIENCE, now};

/// What is typed, and what is shown.
struct Terminal {
    file: File,
    text: String,
}

impl Terminal {
    /// Starts the image's program as the leader of a session that has this terminal. What it writes to
    /// stderr is shown too.
    fn start(image: Image) -> (Self, Agent) {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let master = posix_openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let agent = image.on_terminal(&name).start();
        let file = File::from(OwnedFd::from(master));
        let text = String::new();
        (Self { file, text }, agent)
    }

    fn types(&mut self, keys: &str) {
        self.file.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, and answers all that was up to then.
    #[track_caller]
    fn shows(&mut self, wanted: &str) -> String {
        let deadline = now() + PATIENCE;
        loop {
            if let Some(at) = self.text.find(wanted) {
                let rest = self.text.split_off(at + wanted.len());
                return std::mem::replace(&mut self.text, rest);
            }
            assert!(now() < deadline, "{wanted:?} is not shown: {:?}", self.text);
            let mut buffer = [0; 4096];
            let mut ready = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
            poll(&mut ready, 100_u8).unwrap();
            match self.file.read(&mut buffer) {
                Ok(count) => self
                    .text
                    .push_str(&String::from_utf8_lossy(&buffer[..count])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Nobody has it open, yet or any more.
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

const BASH: [&str; 4] = ["bash", "--norc", "--noprofile", "-i"];

/// Answers each line with another.
const ECHO: &str = "sed -u 's/^/got:/'";

/// Says when it has begun and when it goes on: what is typed before that the shell might still get. It
/// makes no process meanwhile, which could be stopped between fork and exec and hold its parent there.
const TELLS: &str =
    "trap \"echo con\"tinued CONT; sleep 1000 & echo be\"\"gun; while :; do wait; done";

/// An interactive shell with job control, in which `$A COMMAND` is the agent.
fn shell() -> (Terminal, Agent) {
    let image = Image::foreign()
        .supervisor(&BASH)
        .variable("PS1", "ready> ")
        .variable("A", &format!("{} run --", env!("CARGO_BIN_EXE_ww-agent")))
        .among_others();
    let (mut terminal, agent) = Terminal::start(image);
    terminal.shows("ready> ");
    (terminal, agent)
}

/// The agent itself as the leader of the session: PID 1 as with `docker run -t`, and not.
fn leaders(command: &[&str]) -> [(Terminal, Agent); 2] {
    let image = || Image::foreign().command(command);
    [image(), image().among_others()].map(Terminal::start)
}

#[test]
fn a_job_is_suspended_by_what_is_typed_and_resumes_in_the_foreground() {
    let (mut terminal, _bash) = shell();
    terminal.types(&format!("$A {ECHO}\n"));
    terminal.types("one\n");
    terminal.shows("got:one");
    for round in 0..3 {
        terminal.types("\x1a");
        terminal.shows("Stopped");
        terminal.shows("ready> ");
        // The shell has its terminal again.
        terminal.types(&format!("echo here-$((40+{round}))\n"));
        terminal.shows(&format!("here-4{round}"));
        terminal.shows("ready> ");
        terminal.types("fg\n");
        terminal.types(&format!("two-{round}\n"));
        terminal.shows(&format!("got:two-{round}"));
    }
    terminal.types("\x04");
    terminal.shows("ready> ");
    terminal.types("echo code-$?\n");
    terminal.shows("code-0");
}

#[test]
fn what_is_typed_to_interrupt_reaches_the_command_once_and_not_the_shell() {
    let (mut terminal, _bash) = shell();
    terminal.types(
        "$A sh -c 'trap \"echo in\"terrupted INT; echo be\"\"gun; while :; do sleep 0.02; done'\n",
    );
    terminal.shows("begun");
    terminal.types("\x03");
    terminal.shows("interrupted");
    terminal.types("\x1c");
    let between = terminal.shows("ready> ");
    assert!(!between.contains("interrupted"), "{between}");
    terminal.types("echo code-$?\n");
    // QUIT, which it does not catch.
    terminal.shows("code-131");
    terminal.types("$A sh -c 'echo be\"\"gun; exec sleep 1000'\n");
    terminal.shows("begun");
    terminal.types("\x03");
    terminal.shows("ready> ");
    terminal.types("echo code-$?\n");
    terminal.shows("code-130");
}

#[test]
fn one_in_the_background_that_wants_to_read_stops_and_gets_the_terminal_with_fg() {
    let (mut terminal, _bash) = shell();
    terminal.types(&format!("$A {ECHO} &\n"));
    terminal.shows("ready> ");
    // Told by the shell before its next prompt.
    terminal.types("until jobs | grep -q Stopped; do sleep 0.05; done; echo it has sto\"\"pped\n");
    terminal.shows("has stopped");
    terminal.shows("ready> ");
    terminal.types("fg\nline\n");
    terminal.shows("got:line");
    terminal.types("\x03");
    terminal.shows("ready> ");
}

#[test]
fn one_in_the_background_that_is_put_into_the_foreground_while_it_runs_gets_the_terminal() {
    let (mut terminal, bash) = shell();
    terminal
        .types("$A sh -c 'until [ -e $ROOT/go ]; do sleep 0.02; done; read a; echo got:$a' &\n");
    terminal.shows("ready> ");
    terminal.types("fg\n");
    terminal.shows("read a");
    std::fs::write(bash.path("go"), "").unwrap();
    terminal.types("line\n");
    terminal.shows("got:line");
    terminal.shows("ready> ");
}

#[test]
fn with_another_input_than_the_terminal_the_job_is_suspended_all_the_same() {
    let (mut terminal, _bash) = shell();
    terminal.types(&format!("$A sh -c '{TELLS}' < /dev/null\n"));
    terminal.shows("begun");
    terminal.types("\x1a");
    terminal.shows("Stopped");
    terminal.shows("ready> ");
    terminal.types("fg\n");
    terminal.shows("continued");
    terminal.types("\x03");
    terminal.shows("ready> ");
    terminal.types("echo code-$?\n");
    terminal.shows("code-130");
}

#[test]
fn one_that_suspends_itself_gives_the_terminal_back() {
    let (mut terminal, _bash) = shell();
    for signal in ["TSTP", "STOP"] {
        terminal.types(&format!("$A sh -c 'kill -{signal} $$; echo go\"\"ne on'\n"));
        terminal.shows("Stopped");
        terminal.shows("ready> ");
        terminal.types("fg\n");
        terminal.shows("gone on");
        terminal.shows("ready> ");
    }
}

#[test]
fn the_leader_of_a_session_is_not_suspended_for_nobody_could_resume_it() {
    for (mut terminal, mut agent) in leaders(&["sed", "-u", "s/^/got:/"]) {
        terminal.types("one\n");
        terminal.shows("got:one");
        terminal.types("\x1a");
        terminal.types("two\n");
        terminal.shows("got:two");
        terminal.types("\x03");
        assert_eq!(agent.exit(), 130);
    }
}

#[test]
fn a_shell_as_the_command_has_job_control() {
    for (mut terminal, mut agent) in leaders(&BASH) {
        terminal.types("PS1='ready'\"> \"\n");
        terminal.shows("ready> ");
        terminal.types("echo fl\"\"ags:$-:\n");
        terminal.shows("flags:");
        let flags = terminal.shows(":\r\n");
        assert!(flags.contains('m'), "{flags}");
        terminal.types(&format!("sh -c '{TELLS}'\n"));
        terminal.shows("begun");
        terminal.types("\x1a");
        terminal.shows("Stopped");
        terminal.shows("ready> ");
        terminal.types("fg\n");
        terminal.shows("continued");
        terminal.types("\x03");
        terminal.shows("ready> ");
        terminal.types("exit 9\n");
        assert_eq!(agent.exit(), 9);
    }
}

#[test]
fn lines_pass_through_it_to_the_end() {
    for (mut terminal, mut agent) in leaders(&["tac"]) {
        terminal.types("1st\n2nd\n3rd\n\x04");
        terminal.shows("3rd\r\n2nd\r\n1st\r\n");
        assert_eq!(agent.exit(), 0);
    }
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    for (terminal, mut agent) in leaders(&["sleep", "1000"]) {
        agent.wait_state("UP");
        drop(terminal);
        assert_eq!(agent.exit(), 129);
    }
}
