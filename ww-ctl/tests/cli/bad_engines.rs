//! Engines that misbehave, beside one that does not: each is named, and none hides the other.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::{Ran, run, tool};

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own seam to the clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// An answer of `what` in JSON.
fn json(what: &str) -> Vec<u8> {
    let length = what.len();
    format!("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: {length}\r\n\r\n{what}").into()
}

/// The head of an answer in chunks.
const CHUNKS: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Writes one chunk for ever, until nobody listens.
fn pour(stream: &mut UnixStream, begin: &str, rest: &str) {
    let mut chunk = |text: &str| write!(stream, "{:x}\r\n{text}\r\n", text.len());
    if chunk(begin).is_err() {
        return;
    }
    let rest = rest.repeat(64 * 1024 / rest.len());
    while chunk(&rest).is_ok() {}
}

/// Keeps a connection open until the other side closes it.
fn hang(stream: &mut UnixStream) {
    let _closed = stream.read_to_end(&mut Vec::new());
}

/// How an Engine differs from a good one: whether it has answered a path itself.
type Bad = fn(&str, &mut UnixStream) -> bool;

/// A good one.
const GOOD: Bad = |_, _| false;

/// A path it was asked for, and when.
type Asked = (String, Instant);

/// An Engine with one running container, which nobody can look into.
struct Engine {
    dir: tempfile::TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Engine {
    fn start(container: &'static str, bad: Bad) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join(container)).expect("a socket");
        let asked = Arc::default();
        let engine = Self { dir, asked };
        let asked = engine.asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let asked = asked.clone();
                std::thread::spawn(move || serve(container, stream, bad, &asked));
            }
        });
        engine
    }

    fn url(&self) -> String {
        let mut socket = std::fs::read_dir(self.dir.path()).expect("its directory");
        let socket = socket.next().expect("its socket").expect("its name").path();
        format!("unix://{}", socket.display())
    }

    /// When it was asked for a path.
    fn asked(&self, path: &str) -> Vec<Instant> {
        let asked = self.asked.lock().expect("no panic while held");
        let of_path = asked.iter().filter(|(known, _)| known == path);
        of_path.map(|(_, at)| *at).collect()
    }
}

fn serve(container: &str, mut stream: UnixStream, bad: Bad, asked: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split(['?', ' ']).nth(1).unwrap_or_default().to_owned();
    let path = match path.strip_prefix("/v1.41") {
        Some(path) => path.to_owned(),
        None => path,
    };
    asked
        .lock()
        .expect("no panic while held")
        .push((path.clone(), now()));
    if bad(&path, &mut stream) {
        return;
    }
    let mut id = String::new();
    for byte in container.bytes() {
        let _never = write!(id, "{byte:02x}");
    }
    let id = format!("{id:0<64}");
    let answer = match path.as_str() {
        "/_ping" => json("OK"),
        "/containers/json" => json(&format!(
            r#"[{{"Id":"{id}","Names":["/{container}"],"Image":"of-a-test","Labels":{{"io.whaleware.agent":"1"}},"State":"running","Status":"Up"}}]"#
        )),
        "/events" => {
            let _left = stream.write_all(CHUNKS);
            return hang(&mut stream);
        }
        _ => b"HTTP/1.1 500 Oops\r\nContent-Length: 15\r\n\r\n{\"message\":\"no\"}"[..].into(),
    };
    let _left = stream.write_all(&answer);
}

fn command(engines: &[&Engine]) -> Command {
    let mut command = tool();
    for engine in engines {
        command.args(["-H", &engine.url()]);
    }
    command
}

fn ask(engines: &[&Engine], arguments: &[&str]) -> (Ran, Duration) {
    let begun = now();
    let ran = run(command(engines).args(arguments));
    (ran, begun.elapsed())
}

/// One that runs on, with what it says.
struct Running {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the tool");
        let said = BufReader::new(child.stderr.take().expect("its stderr"));
        Self { child, said }
    }

    /// The next line it says.
    fn says(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        line
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[test]
fn a_listing_without_an_end_fills_no_memory_and_hides_nobody() {
    let good = Engine::start("good", GOOD);
    let bad = Engine::start("bad", |path, stream| {
        let is_it = path == "/containers/json";
        if is_it && stream.write_all(CHUNKS).is_ok() {
            pour(stream, "[", " ");
        }
        is_it
    });
    let (ran, _) = ask(&[&good, &bad], &["ls"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(ran.stdout.contains("good"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("its answer is too long"),
        "{}",
        ran.stderr
    );
}

#[test]
fn one_that_does_not_say_what_process_a_container_is_holds_nobody_up() {
    let good = Engine::start("good", GOOD);
    let bad = Engine::start("bad", |path, stream| {
        let is_it = path.starts_with("/containers/") && path != "/containers/json";
        if is_it {
            hang(stream);
        }
        is_it
    });
    let (ran, took) = ask(&[&good, &bad], &["ls"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for name in ["good", "bad"] {
        assert!(ran.stdout.contains(name), "{}", ran.stdout);
    }
    // Its inspecting is given 2 s, and its running of programs 10.
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[test]
fn an_event_without_an_end_is_given_up() {
    let bad = Engine::start("bad", |path, stream| {
        let is_it = path == "/events";
        if is_it && stream.write_all(CHUNKS).is_ok() {
            pour(stream, "{\"a\":\"", "x");
        }
        is_it
    });
    let mut events = Running::start(command(&[&bad]).arg("events"));
    let said = events.says();
    assert!(said.contains("a line of its answer has no end"), "{said}");
}

/// It has no containers, so that all that is asked before its events is answered; these end where they begin.
#[test]
fn one_that_answers_and_breaks_off_at_once_is_asked_ever_more_rarely() {
    let bad = Engine::start("bad", |path, stream| {
        let answer = match path {
            "/events" => [CHUNKS, b"0\r\n\r\n"].concat(),
            "/containers/json" => json("[]"),
            _ => return false,
        };
        let _left = stream.write_all(&answer);
        true
    });
    let mut events = Running::start(command(&[&bad]).arg("events"));
    let begun = now();
    let listed = loop {
        let listed = bad.asked("/containers/json");
        if listed.len() >= 5 {
            break listed;
        }
        assert_eq!(events.child.try_wait().expect("its state"), None);
        assert!(begun.elapsed() < Duration::from_secs(60), "{listed:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    // Three quarters of 250 ms, and twice as long each time; a busy machine makes it longer only.
    let pauses = listed.windows(2).map(|two| two[1] - two[0]);
    for (pause, least) in pauses.zip([187, 375, 750, 1500]) {
        assert!(pause >= Duration::from_millis(least), "{listed:?}");
    }
}

#[test]
fn all_of_them_are_not_there_while_a_host_is_silent_and_one_that_is_named_is() {
    let good = Engine::start("good", GOOD);
    let dead = Engine::start("dead", |_, _| true);
    for (meant, code) in [
        (&["--all"][..], 5),
        (&["g*"], 5),
        (&["--filter", "image=of-a-test"], 5),
        (&["good"], 0),
    ] {
        let arguments = [&["wait", "--for", "DOCKERUP"], meant].concat();
        let (ran, _) = ask(&[&good, &dead], &arguments);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stdout.contains("is DOCKERUP"), "{}", ran.stdout);
        assert!(ran.stderr.contains("does not answer"), "{}", ran.stderr);
        let (ran, _) = ask(&[&good], &arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}

#[test]
fn a_host_nobody_knows_is_three_whoever_is_silent() {
    let good = Engine::start("good", GOOD);
    let dead = Engine::start("dead", |_, _| true);
    let (ran, _) = ask(&[&good, &dead], &["wait", "--for", "UP", "../good"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let words = "there is no container `../good`: no host here is called `..`\n";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn it_ends_in_order_when_its_terminal_goes_and_goes_on_under_nohup() {
    let hang_up = |running: &Running| {
        let id = running.child.id().to_string();
        let told = Command::new("kill").args(["-HUP", &id]).status();
        assert!(told.expect("kill").success());
    };
    let watched = |engine: &Engine, running: &mut Running| {
        // It listens for signals before it asks anybody.
        while engine.asked("/events").is_empty() {
            assert_eq!(running.child.try_wait().expect("its state"), None);
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let engine = Engine::start("good", GOOD);
    let mut events = Running::start(command(&[&engine]).arg("events"));
    watched(&engine, &mut events);
    hang_up(&events);
    // A code of its own, and not what the kernel says of one that was killed.
    let status = events.child.wait().expect("its end");
    assert_eq!(status.code(), Some(129), "{status}");

    let engine = Engine::start("good", GOOD);
    let ours = command(&[&engine]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
    shell
        .arg(ours.get_program())
        .args(ours.get_args())
        .arg("events");
    for (name, value) in ours.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut events = Running::start(&mut shell);
    watched(&engine, &mut events);
    hang_up(&events);
    let ended = Command::new("kill")
        .arg(events.child.id().to_string())
        .status();
    assert!(ended.expect("kill").success());
    let status = events.child.wait().expect("its end");
    assert_eq!(status.code(), Some(143), "{status}");
}
