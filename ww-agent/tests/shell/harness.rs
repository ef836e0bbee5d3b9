//! Starts an agent on a tree of scripts, and waits for what it does with a deadline.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Nothing here takes so long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at what no event tells.
const LOOK: Duration = Duration::from_millis(5);

/// Starts what follows as PID 1 of a name space of its own.
const SPACE: [&str; 6] = [
    "unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount",
    "--mount-proc",
];

#[expect(clippy::disallowed_methods, reason = "the clock seam of these tests")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "these tests' seam to their environment"
)]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// Looks until `seen` has an answer.
pub(crate) fn until<T>(what: &str, seen: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, seen)
}

/// Looks until `seen` has an answer, for what takes its time.
pub(crate) fn until_within<T>(
    patience: Duration,
    what: &str,
    mut seen: impl FnMut() -> Option<T>,
) -> T {
    let deadline = now() + patience;
    loop {
        if let Some(found) = seen() {
            return found;
        }
        assert!(now() < deadline, "waited in vain for {what}");
        std::thread::sleep(LOOK);
    }
}

/// An image's tree, and how its agent is started.
pub(crate) struct Image {
    root: TempDir,
    environment: Vec<(String, String)>,
    stdin: Option<Stdio>,
    stdout: Option<Stdio>,
    around: Vec<String>,
    supervisor: Vec<String>,
    arguments: Vec<String>,
    directory: Option<PathBuf>,
    is_first: bool,
    /// It makes itself the leader of a session, which the leader of a group cannot.
    becomes_leader: bool,
}

impl Image {
    /// An image that knows nothing of whaleware.
    pub(crate) fn foreign() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            stdin: None,
            stdout: None,
            around: Vec::new(),
            supervisor: vec![env!("CARGO_BIN_EXE_ww-agent").into(), "run".into()],
            arguments: Vec::new(),
            directory: None,
            is_first: true,
            becomes_leader: false,
        }
    }

    /// With the agent as it is shipped, where it matters how it was built.
    pub(crate) fn shipped(mut self) -> Self {
        let agent = variable("WW_AGENT_BINARY").expect("WW_AGENT_BINARY: run `make test`");
        self.supervisor[0] = agent.into_string().expect("a path in UTF-8");
        self
    }

    /// An image without any script.
    pub(crate) fn bare() -> Self {
        let image = Self::foreign();
        fs::create_dir_all(image.path("ww/usr")).unwrap();
        fs::create_dir_all(image.path("data")).unwrap();
        image
    }

    /// An image whose every script appends its name to the log; there is no monitor.
    pub(crate) fn new() -> Self {
        ["boot", "firstboot", "upgrade", "svcup", "warmup", "svcdown"]
            .into_iter()
            .fold(Self::bare(), |image, name| image.script(name, ""))
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// A shell script that appends its name to the log and then does `body`.
    pub(crate) fn script(self, name: &str, body: &str) -> Self {
        let text = format!("#!/bin/sh\necho {name} >> \"$LOG\"\n{body}\n");
        self.file(&format!("ww/usr/{name}"), text.as_bytes(), 0o755)
    }

    /// Any file.
    pub(crate) fn file(self, path: &str, content: &[u8], mode: u32) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(crate) fn cfg(self, json: &str) -> Self {
        self.variable("CFG", json)
    }

    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// The one command the agent is there for.
    pub(crate) fn command(mut self, words: &[&str]) -> Self {
        let words = ["--"].iter().chain(words);
        self.arguments = words.map(ToString::to_string).collect();
        self
    }

    /// Another program than the agent, with its first arguments.
    pub(crate) fn supervisor(mut self, words: &[&str]) -> Self {
        self.supervisor = words.iter().map(ToString::to_string).collect();
        self
    }

    /// Where the agent is started.
    pub(crate) fn directory(mut self, path: &Path) -> Self {
        self.directory = Some(path.to_owned());
        self
    }

    /// Not as PID 1 but as a process among others, with a process group of its own.
    pub(crate) fn among_others(mut self) -> Self {
        self.is_first = false;
        self
    }

    /// The agent as the leader of a session that has this terminal, for its three streams.
    pub(crate) fn on_terminal(mut self, name: &str) -> Self {
        self.becomes_leader = true;
        let script = format!("exec setsid --ctty -- \"$@\" < {name} > {name} 2>&1");
        self.around(&["sh", "-c", &script, "sh"])
    }

    /// A command the agent is started by, which replaces itself.
    pub(crate) fn around(mut self, command: &[&str]) -> Self {
        self.around = command.iter().map(ToString::to_string).collect();
        self
    }

    /// Starts the agent, as PID 1 unless [`Self::among_others`].
    pub(crate) fn start(mut self) -> Agent {
        let child = self.spawn();
        Agent { image: self, child }
    }

    fn spawn(&mut self) -> Child {
        let file = |name: &str| File::create(self.root.path().join(name)).unwrap();
        let (stdout, stderr) = (file("stdout"), file("stderr"));
        let space: &[&str] = if self.is_first { &SPACE } else { &[] };
        let own = [&self.around, &self.supervisor, &self.arguments];
        let mut words = space
            .iter()
            .copied()
            .chain(own.into_iter().flatten().map(String::as_str));
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        if !self.is_first && !self.becomes_leader {
            command.process_group(0);
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
            .env_remove("CFG")
            .env_remove("CFG_FILE")
            .env("WW_ROOT", self.root.path())
            .env("ROOT", self.root.path())
            .env("LOG", self.root.path().join("log"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(self.stdin.take().unwrap_or_else(Stdio::null))
            .stdout(self.stdout.take().unwrap_or_else(|| stdout.into()))
            .stderr(stderr);
        command
            .spawn()
            .expect("these tests need `unshare` and the right to use it (root)")
    }
}

/// A running agent. When it goes out of scope everything of it is ended.
pub(crate) struct Agent {
    image: Image,
    child: Child,
}

impl Agent {
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.image.path(path)
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(path)).unwrap_or_default()).into_owned()
    }

    /// What the agent and its scripts wrote to stdout.
    pub(crate) fn stdout(&self) -> String {
        self.text("stdout")
    }

    /// What they wrote to stderr.
    pub(crate) fn stderr(&self) -> String {
        self.text("stderr")
    }

    /// The lines the scripts appended.
    pub(crate) fn log(&self) -> Vec<String> {
        self.text("log").lines().map(str::to_owned).collect()
    }

    /// Waits until the scripts have appended this line so many times.
    pub(crate) fn wait_log(&self, line: &str, times: usize) {
        let what = format!("{line} in the log; stderr: {}", self.stderr());
        until(&what, || {
            let seen = self.log().iter().filter(|seen| *seen == line).count();
            (seen >= times).then_some(())
        });
    }

    pub(crate) fn wait_stderr(&self, text: &str) {
        until(&format!("{text} on stderr"), || {
            self.stderr().contains(text).then_some(())
        });
    }

    /// The agent's number outside of its name space.
    pub(crate) fn pid(&self) -> i32 {
        let child = self.child.id();
        let program = Path::new(&self.image.supervisor[0]).file_name().unwrap();
        until("the agent's process", || {
            let pid = if self.image.is_first {
                *children(child).first()?
            } else {
                child.cast_signed()
            };
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            (name.trim() == program).then_some(pid)
        })
    }

    /// The agent's own children, ended or not.
    pub(crate) fn children(&self) -> Vec<i32> {
        children(self.pid().cast_unsigned())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the end and answers the exit code.
    pub(crate) fn exit(&mut self) -> i32 {
        let child = &mut self.child;
        let status = until("the end of the agent", || child.try_wait().unwrap());
        status.code().expect("an exit code, not a signal")
    }

    /// Asks for the end, and answers the exit code and how long it took.
    pub(crate) fn stop(&mut self) -> (i32, Duration) {
        let began = now();
        self.signal(Signal::SIGTERM);
        let code = self.exit();
        (code, now() - began)
    }

    /// Ends the agent and all of its scripts the way a loss of power does, as far as they can see.
    pub(crate) fn cut_the_power(&mut self) {
        self.signal(Signal::SIGKILL);
        let child = &mut self.child;
        until("the end of the agent", || child.try_wait().unwrap());
    }

    /// Starts an agent that has ended again, on what is left of its tree.
    pub(crate) fn start_again(&mut self) {
        self.child = self.image.spawn();
    }

    /// Sets a variable for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.image.environment.push((name.into(), value.into()));
    }

    /// Connects to the socket as soon as it is there.
    pub(crate) fn listen(&self) -> Listener {
        Listener::new(&self.path("run/ww/agent.sock"))
    }

    /// Waits until the life cycle has come to this state.
    pub(crate) fn wait_state(&self, state: &str) {
        self.listen().state(state);
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.path("data/whaleup").exists()
    }

    /// Processes of the agent's name space, the agent not counted, with their state letter.
    pub(crate) fn others(&self) -> Vec<(i32, char)> {
        let agent = self.pid();
        let space = fs::read_link(format!("/proc/{agent}/ns/pid")).unwrap();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let theirs = fs::read_link(entry.path().join("ns/pid"));
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let state = stat
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.trim_start().chars().next());
            if pid != agent
                && let (Ok(theirs), Some(state)) = (theirs, state)
                && theirs == space
            {
                found.push((pid, state));
            }
        }
        found
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // `--kill-child` does not reach one that has changed its user. PID 1 takes all with it.
        // Where the agent is not, its children lead the groups of what they started.
        for pid in children(self.child.id()) {
            if !self.image.is_first {
                let _ = kill(Pid::from_raw(-pid), Signal::SIGKILL);
            }
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let (log, stderr) = (self.log(), self.stderr());
            let stdout: String = self.stdout().chars().take(2000).collect();
            // The test's own output, which shows only when it fails.
            println!("log: {log:?}\nstdout: {stdout}\nstderr: {stderr}");
        }
    }
}

/// The children of a process, ended or not.
fn children(pid: u32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let pids = text.split_whitespace();
    pids.map(|pid| pid.parse().unwrap()).collect()
}

/// A client of the agent's socket.
pub(crate) struct Listener {
    lines: BufReader<UnixStream>,
    state: String,
}

impl Listener {
    pub(crate) fn new(path: &Path) -> Self {
        let stream = until("the socket", || UnixStream::connect(path).ok());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            lines: BufReader::new(stream),
            state: String::new(),
        }
    }

    /// The next line; none at the end.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("waited in vain for a line: {error}"),
        }
        let value: Value = serde_json::from_str(&line).expect("every line is JSON");
        if let Some(state) = value["state"].as_str()
            && matches!(value["type"].as_str(), Some("snapshot" | "state"))
        {
            state.clone_into(&mut self.state);
        }
        Some(value)
    }

    /// The next line of this type.
    pub(crate) fn line(&mut self, kind: &str) -> Value {
        loop {
            let line = self.next().expect("the connection to stay");
            if line["type"] == kind {
                return line;
            }
        }
    }

    /// Reads until this is the state.
    pub(crate) fn state(&mut self, state: &str) {
        while self.state != state {
            self.next()
                .unwrap_or_else(|| panic!("ended before {state}"));
        }
    }

    /// The next change to this state.
    pub(crate) fn change(&mut self, state: &str) -> Value {
        loop {
            let line = self.line("state");
            if line["state"] == state {
                return line;
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.lines.get_mut().write_all(bytes).unwrap();
    }

    /// Asks, and reads until the answer.
    pub(crate) fn ask(&mut self, request: &str) -> Value {
        self.write(format!("{request}\n").as_bytes());
        self.line("answer")
    }
}
