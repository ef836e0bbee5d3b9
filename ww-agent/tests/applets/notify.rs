//! What `notify` sends, and to whom.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Outcome, outcome, ww_agent};

/// A stand-in for the agent.
struct Ear {
    directory: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Ear {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self { directory, socket }
    }

    fn client(&self, arguments: &[&str]) -> Command {
        let mut command = ww_agent();
        command
            .arg("notify")
            .args(arguments)
            .env("NOTIFY_SOCKET", self.directory.path().join("notify"));
        command
    }

    /// The next datagram. A descriptor that comes along is closed, as no room is given for it.
    fn hears(&self) -> String {
        heard(&self.socket)
    }
}

fn heard(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 8192];
    let count = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test measures")]
fn timed(command: &mut Command) -> (Outcome, Duration) {
    let began = Instant::now();
    let outcome = outcome(command);
    (outcome, began.elapsed())
}

#[test]
fn everything_it_can_say_is_one_datagram_and_a_barrier() {
    let ear = Ear::new();
    let mut child = ear
        .client(&[
            "--status",
            "-50 % done, a=b",
            "--progress=40%",
            "--ready",
            "--stopping",
            "--watchdog",
            "--extend",
            "1m 30s",
        ])
        .spawn()
        .unwrap();
    assert_eq!(
        ear.hears(),
        "STATUS=-50 % done, a=b\nX_WW_PROGRESS=40\nREADY=1\nSTOPPING=1\nWATCHDOG=1\n\
         EXTEND_TIMEOUT_USEC=90000000\n"
    );
    assert_eq!(child.try_wait().unwrap(), None, "it waits to be heard");
    assert_eq!(ear.hears(), "BARRIER=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_text_cannot_say_something_else_besides() {
    let ear = Ear::new();
    outcome(&mut ear.client(&["--status", "a\nREADY=1\r\n"])).is(0, "");
    assert_eq!(ear.hears(), "STATUS=a READY=1\n");
    ear.hears();
    let long = "é".repeat(10_000);
    outcome(&mut ear.client(&["--status", &long])).is(0, "");
    assert!(ear.hears().len() < 4096);
    ear.hears();
    outcome(&mut ear.client(&["--status", ""])).is(0, "");
    assert_eq!(ear.hears(), "STATUS=\n");
}

#[test]
fn the_agents_own_variable_comes_first_and_names_may_be_abstract() {
    let ear = Ear::new();
    let name = format!("ww-test-notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let own = UnixDatagram::bind_addr(&address).unwrap();
    outcome(
        ear.client(&["--ready"])
            .env("WW_NOTIFY_SOCKET", format!("@{name}")),
    )
    .is(0, "");
    assert_eq!(heard(&own), "READY=1\n");
    ear.socket.set_nonblocking(true).unwrap();
    assert!(ear.socket.recv(&mut [0; 16]).is_err());
}

#[test]
fn one_who_does_not_listen_is_waited_for_a_second() {
    let ear = Ear::new();
    let (silent, took) = timed(&mut ear.client(&["--ready"]));
    silent.is(0, "");
    assert!(took >= Duration::from_millis(900), "{took:?}");
    // Nothing more fits.
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    let place = ear.directory.path().join("notify");
    while other.send_to(b"x", &place).is_ok() {}
    let said = format!(
        "ww-agent notify: cannot tell {}: it has had no time to listen for a second\n",
        place.display()
    );
    outcome(&mut ear.client(&["--ready"])).fails(1, &said);
    drop(ear.socket);
    let said = format!(
        "ww-agent notify: cannot tell {}: nobody listens there any more\n",
        place.display()
    );
    let mut command = ww_agent();
    command
        .args(["notify", "--ready"])
        .env("NOTIFY_SOCKET", &place);
    outcome(&mut command).fails(1, &said);
}

#[test]
fn without_a_socket_it_says_who_it_is_for() {
    let expected = "ww-agent notify: nobody to tell: neither WW_NOTIFY_SOCKET nor NOTIFY_SOCKET is set; it \
                    is for the scripts that the agent runs, and what they start\n";
    outcome(ww_agent().args(["notify", "--ready"])).fails(1, expected);
    let mut empty = ww_agent();
    empty.args(["notify", "--ready"]).env("NOTIFY_SOCKET", "");
    outcome(&mut empty).fails(1, expected);
    let gone = outcome(
        ww_agent()
            .args(["notify", "--ready"])
            .env("NOTIFY_SOCKET", "/nonexistent/\u{1b}[2J"),
    );
    assert_eq!(gone.code, Some(1));
    assert!(
        gone.stderr
            .starts_with("ww-agent notify: cannot tell /nonexistent/\u{fffd}[2J: "),
        "{gone:?}"
    );
}

#[test]
fn what_cannot_be_said_is_named() {
    let table: [(&[&str], &str); 12] = [
        (
            &[],
            "nothing to say: give `--status TEXT`, `--progress N` or another",
        ),
        (
            &["--progress", "101"],
            "`--progress` is a whole number from 0 to 100, not `101`",
        ),
        (
            &["--progress", "-1"],
            "`--progress` is a whole number from 0 to 100, not `-1`",
        ),
        (
            &["--progress=4.5"],
            "`--progress` is a whole number from 0 to 100, not `4.5`",
        ),
        (
            &["--progress=+4"],
            "`--progress` is a whole number from 0 to 100, not `+4`",
        ),
        (&["--progress"], "`--progress` needs a number after it"),
        (&["--ready", "--status"], "`--status` needs a text after it"),
        (
            &["--extend", "soon\u{1b}"],
            "`--extend` is a duration such as 30s or 2m, not `soon\u{fffd}`",
        ),
        (
            &["--extend=-5s"],
            "`--extend` is a duration such as 30s or 2m, not `-5s`",
        ),
        (&["--ready=1"], "`--ready` takes no value"),
        (
            &["--statsu", "x"],
            "there is no option `--statsu`; did you mean `--status`?",
        ),
        (&["importing"], "one argument too many: `importing`"),
    ];
    for (arguments, why) in table {
        let expected = format!("ww-agent notify: {why}\nTry: ww-agent notify --help\n");
        outcome(ww_agent().arg("notify").args(arguments)).fails(2, &expected);
    }
}
