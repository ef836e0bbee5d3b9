//! `run`, interrupted at each of its steps: nothing is left half-made.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use super::{image, of};
use crate::lab::{Lab, PATIENCE, docker, now, until, ww_ctl_command};

/// As Ctrl-C does.
fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.expect("kill").success());
}

/// An Engine whose answer to one request is held back until it is let go.
struct Held {
    socket: PathBuf,
    /// Says that the Engine has answered.
    answered: Receiver<()>,
    /// Lets the answer through.
    release: Sender<()>,
}

impl Held {
    /// Holds back the answer to the first request that has these words in it.
    fn new(lab: &Lab, words: &'static str) -> Self {
        let socket = lab.directory("proxy").join("docker.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let (tell, answered) = channel();
        let (release, wait) = channel();
        let hold = Arc::new(Mutex::new(Some((tell, wait))));
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let hold = hold.clone();
                std::thread::spawn(move || forward(client, words, &hold));
            }
        });
        Self {
            socket,
            answered,
            release,
        }
    }
}

type Hold = Mutex<Option<(Sender<()>, Receiver<()>)>>;

/// One connection, both ways, until either side has ended it.
fn forward(mut client: UnixStream, words: &str, once: &Hold) {
    let Ok(mut server) = UnixStream::connect("/var/run/docker.sock") else {
        return;
    };
    let mut request = [0; 4096];
    let Ok(length) = client.read(&mut request) else {
        return;
    };
    let line = String::from_utf8_lossy(&request[..length]);
    let is_it = line.lines().next().is_some_and(|line| line.contains(words));
    let held = is_it
        .then(|| once.lock().expect("no panic while held").take())
        .flatten();
    if server.write_all(&request[..length]).is_err() {
        return;
    }
    let (mut from, mut to) = (
        client.try_clone().expect("a descriptor"),
        server.try_clone().expect("a descriptor"),
    );
    std::thread::spawn(move || {
        let _gone = std::io::copy(&mut from, &mut to);
        let _gone = to.shutdown(std::net::Shutdown::Write);
    });
    if let Some((tell, wait)) = held {
        let mut answer = [0; 4096];
        let length = server.read(&mut answer).unwrap_or(0);
        let _left = tell.send(());
        let _left = wait.recv_timeout(PATIENCE);
        if client.write_all(&answer[..length]).is_err() {
            return;
        }
    }
    let _gone = std::io::copy(&mut server, &mut client);
    let _gone = client.shutdown(std::net::Shutdown::Both);
}

/// The tool at work, and what it has said so far.
struct Running {
    child: Child,
    talk: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Running {
    fn new(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool starts");
        let talk = BufReader::new(child.stderr.take().expect("its stderr"));
        Self {
            child,
            talk,
            said: String::new(),
        }
    }

    /// Reads on until it has said this.
    #[track_caller]
    fn says(&mut self, words: &str) {
        let begun = now();
        while !self.said.contains(words) {
            let read = self.talk.read_line(&mut self.said).expect("text");
            assert!(
                read > 0 && begun.elapsed() < PATIENCE,
                "{words}: {}",
                self.said
            );
        }
    }

    /// Its exit code, and all it has said.
    fn end(mut self) -> (Option<i32>, String) {
        self.talk.read_to_string(&mut self.said).expect("text");
        (self.child.wait().expect("its end").code(), self.said)
    }
}

fn command(lab: &Lab, image: &str, socket: Option<&Path>, words: &[&str]) -> Command {
    let mut command = ww_ctl_command();
    if let Some(socket) = socket {
        command
            .arg("-H")
            .arg(format!("unix://{}", socket.display()));
    }
    let label = lab.label();
    command.args(["run", image, "--name", &lab.named("shop"), "-l", &label]);
    command.args(words);
    command
}

#[test]
fn while_it_reads_what_is_given_nothing_is_made() {
    let lab = Lab::new("interrupted");
    let image = image(&lab);
    let pipe = lab.directory("pipe").join("cfg");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .expect("mkfifo")
            .success()
    );
    let path = pipe.to_str().expect("UTF-8");
    let running = Running::new(&mut command(&lab, &image, None, &["--cfg", path]));
    // It has come as far as opening the pipe; nothing is ever written to it.
    let writer = std::fs::OpenOptions::new()
        .write(true)
        .open(&pipe)
        .expect("a reader");
    interrupt(&running.child);
    let (code, said) = running.end();
    drop(writer);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("nothing was started"), "{said}");
    assert_eq!(of(&image), [""; 0]);
}

#[test]
fn between_making_and_starting_it_is_taken_back() {
    let lab = Lab::new("interrupted");
    let image = image(&lab);
    for words in ["/containers/create?name=wwtest", "/archive?path="] {
        let held = Held::new(&lab, words);
        let arguments = ["--set", "memory=8"];
        let mut running = Running::new(&mut command(&lab, &image, Some(&held.socket), &arguments));
        held.answered.recv_timeout(PATIENCE).expect("the request");
        assert_eq!(of(&image).len(), 1, "the Engine has made it: {words}");
        interrupt(&running.child);
        running.says("to leave nothing half-made");
        held.release.send(()).expect("one that waits");
        let (code, said) = running.end();
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("nothing was started"), "{said}");
        assert_eq!(of(&image), [""; 0], "{words}: {said}");
        std::fs::remove_file(&held.socket).expect("the socket");
    }
}

#[test]
fn what_is_started_goes_on() {
    let lab = Lab::new("interrupted");
    let image = image(&lab);
    let name = lab.named("shop");
    let held = Held::new(&lab, "/start");
    let mut running = Running::new(&mut command(&lab, &image, Some(&held.socket), &["--wait"]));
    held.answered.recv_timeout(PATIENCE).expect("the request");
    interrupt(&running.child);
    running.says("to leave nothing half-made");
    held.release.send(()).expect("one that waits");
    let (code, said) = running.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(
        said.contains(&format!("{name} was started and goes on")),
        "{said}"
    );
    until("it to run", || {
        let shown = docker(["inspect", "-f", "{{.State.Running}}", &name]).expect(0);
        (shown.stdout.trim() == "true").then_some(())
    });
}
