//! A fleet that is only played: Engines and agents that speak the real protocols, many more than one
//! machine could run.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// How often agents say something.
const TICK: Duration = Duration::from_millis(10);
/// The states agents go through.
const STATES: [&str; 4] = ["UP", "RESTARTING", "WARMUP", "UP"];

/// The fleet.
pub(crate) struct Simulated {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
    urls: Vec<String>,
}

struct Shared {
    /// What the container of a host with a number is called.
    called: fn(usize, usize) -> String,
    /// Containers of each host.
    containers: usize,
    /// Agents that are listened to, those that wait longest for their turn first.
    agents: Mutex<VecDeque<Agent>>,
    told: AtomicUsize,
    over: AtomicBool,
}

struct Agent {
    stream: UnixStream,
    number: u64,
}

impl Simulated {
    /// So many hosts with so many containers each, whose agents tell so many changes in a second.
    pub(crate) fn start(place: &Path, hosts: usize, containers: usize, changes: usize) -> Self {
        let called = |host, number| format!("app-{host}-{number}");
        Self::called(place, hosts, containers, changes, called)
    }

    /// The same, the containers called so.
    pub(crate) fn called(
        place: &Path,
        hosts: usize,
        containers: usize,
        changes: usize,
        called: fn(usize, usize) -> String,
    ) -> Self {
        let paths: Vec<PathBuf> = (0..hosts)
            .map(|host| place.join(format!("host{host}.sock")))
            .collect();
        let urls = paths
            .iter()
            .map(|path| format!("unix://{}", path.display()));
        let shared = Arc::new(Shared {
            called,
            containers,
            agents: Mutex::default(),
            told: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let urls = urls.collect();
        let own = shared.clone();
        let listeners: Vec<_> = paths
            .iter()
            .map(|path| std::os::unix::net::UnixListener::bind(path).expect("a socket"))
            .collect();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                for (host, listener) in listeners.into_iter().enumerate() {
                    listener.set_nonblocking(true).expect("a socket");
                    let listener = UnixListener::from_std(listener).expect("a socket");
                    #[expect(clippy::disallowed_methods, reason = "all end with their runtime")]
                    tokio::spawn(listen(own.clone(), host, listener));
                }
                own.tell(changes).await;
            });
        });
        Self {
            shared,
            thread: Some(thread),
            urls,
        }
    }

    /// Where its Engines are.
    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// A shell command that opens the dashboard of it, and leaves its process' id in a file.
    pub(crate) fn dashboard(&self, program: &Path, pid: &Path) -> String {
        let hosts: Vec<String> = self.urls.iter().map(|url| format!("-H {url}")).collect();
        format!(
            "sh -c 'echo $$ > {}; exec {} -v {} top'; echo left with $?",
            pid.display(),
            program.display(),
            hosts.join(" ")
        )
    }

    /// How many agents are listened to.
    pub(crate) fn listened_to(&self) -> usize {
        self.shared
            .agents
            .lock()
            .expect("no panic while held")
            .len()
    }

    /// How many changes have been told so far.
    pub(crate) fn told(&self) -> usize {
        self.shared.told.load(Ordering::SeqCst)
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    /// Lets agents speak until it is over.
    async fn tell(&self, changes: usize) {
        let mut tick = tokio::time::interval(TICK);
        let share = changes / 100;
        while !self.over.load(Ordering::SeqCst) {
            tick.tick().await;
            for _ in 0..share {
                let agent = self.agents.lock().expect("no panic while held").pop_front();
                let Some(mut agent) = agent else { break };
                agent.number += 1;
                let line = agent.change();
                // Whoever does not listen any more is forgotten.
                if agent.stream.write_all(&packed(&line)).await.is_ok() {
                    self.told.fetch_add(1, Ordering::SeqCst);
                    self.agents
                        .lock()
                        .expect("no panic while held")
                        .push_back(agent);
                }
            }
        }
    }

    fn listing(&self, host: usize) -> String {
        let one = |number: usize| {
            json!({
                "Id": id(host, number),
                "Names": [format!("/{}", (self.called)(host, number))],
                "Image": "registry.example/app:1.0",
                "ImageID": "sha256:0",
                "Command": "/ww/bin/ww-agent",
                "Created": 1_760_000_000,
                "Labels": {"io.whaleware.agent": "1"},
                "State": "running",
                "Status": "Up 1 hour",
                "Mounts": [],
            })
        };
        let all: Vec<_> = (0..self.containers).map(one).collect();
        json!(all).to_string()
    }
}

impl Agent {
    fn change(&self) -> String {
        let at = |number: u64| STATES[usize::try_from(number % 4).unwrap_or(0)];
        json!({
            "type": "state",
            "number": self.number + 5,
            "at": "2026-11-22T09:15:00Z",
            "from": at(self.number - 1),
            "state": at(self.number),
            "cause": "the simulation says so",
            "lasted_ms": 1000,
            "restarts": self.number / 4,
        })
        .to_string()
    }
}

fn id(host: usize, number: usize) -> String {
    format!("{:064x}", host * 100_000 + number + 1)
}

fn greeting() -> [String; 2] {
    let hello = json!({"type": "hello", "protocol": 1, "agent": "0.1.0", "boot": "b1"});
    let snapshot = json!({
        "type": "snapshot",
        "at": "2026-11-22T09:15:00Z",
        "booted": "2026-11-22T09:00:00Z",
        "state": "UP",
        "since": "2026-11-22T09:00:01Z",
        "since_ms": 899_000,
        "cause": "svcup finished",
        "health": {"status": "passing", "failures": 0},
        "monitor": {"at": "2026-11-22T09:14:55Z", "exit": 0, "duration_ms": 12, "value": {"queue": 7}},
        "restarts": {"total": 0, "in_a_row": 0, "max": 5},
        "stop": {"drain_ms": 0, "svcdown_ms": 10_000, "grace_ms": 5000},
        "transitions": transitions(),
        "hooks": hooks(),
        "resources": {"at": "2026-11-22T09:15:00Z", "cpu_percent": 1.5, "memory_bytes": 20_000_000},
    });
    [hello.to_string(), snapshot.to_string()]
}

/// The way up, as an agent tells it.
fn transitions() -> serde_json::Value {
    let states = ["BOOT", "FIRSTBOOT", "UPGRADING", "WARMUP", "UP"];
    let report = |(place, state): (usize, &&str)| {
        json!({
            "number": place + 1,
            "at": "2026-11-22T09:00:01Z",
            "from": place.checked_sub(1).map(|before| states[before]),
            "state": state,
            "cause": "the script before ended well",
            "lasted_ms": 200,
        })
    };
    states.iter().enumerate().map(report).collect()
}

/// The scripts that ran on it.
fn hooks() -> serde_json::Value {
    let scripts = [
        ("boot", "BOOT"),
        ("firstboot", "FIRSTBOOT"),
        ("upgrade", "UPGRADING"),
        ("svcup", "WARMUP"),
        ("warmup", "WARMUP"),
    ];
    let run = |(place, (hook, state)): (usize, &(&str, &str))| {
        json!({
            "run": place + 1,
            "hook": hook,
            "state": state,
            "at": "2026-11-22T09:00:00Z",
            "result": "ok",
            "duration_ms": 180,
            "exit": 0,
        })
    };
    scripts.iter().enumerate().map(run).collect()
}

/// A line as the Engine passes on what a program wrote on its standard output.
fn packed(line: &str) -> Vec<u8> {
    let length = u32::try_from(line.len() + 1).expect("a short line");
    let header = [&[1, 0, 0, 0][..], &length.to_be_bytes()].concat();
    [&header, line.as_bytes(), b"\n"].concat()
}

async fn listen(shared: Arc<Shared>, host: usize, listener: UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        #[expect(clippy::disallowed_methods, reason = "all end with their runtime")]
        tokio::spawn(serve(shared.clone(), host, stream));
    }
}

/// Answers one request as the Engine does. A connection that breaks was left by who asked.
async fn serve(shared: Arc<Shared>, host: usize, mut stream: UnixStream) -> Option<()> {
    let head = head(&mut stream).await?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let path = path.split('?').next()?;
    let parts: Vec<&str> = path.split('/').collect();
    match (method, &parts[..]) {
        (_, ["", "_ping"]) => {
            let answer = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK";
            stream.write_all(answer.as_bytes()).await.ok()
        }
        ("GET", [.., "containers", "json"]) => {
            answer(&mut stream, 200, &shared.listing(host)).await
        }
        ("GET", [.., "events"]) => {
            let header = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
            stream.write_all(header.as_bytes()).await.ok()?;
            // Nothing happens, and until who asked has left.
            stream.read_u8().await.ok().map(drop)
        }
        ("GET", [.., "containers", id, "json"]) => {
            // A process of this machine that is in none of its containers.
            let state = json!({"Status": "running", "Running": true, "Pid": std::process::id()});
            let config = json!({"Tty": false});
            let details = json!({"Id": id, "Name": "/app", "State": state, "Config": config});
            answer(&mut stream, 200, &details.to_string()).await
        }
        ("POST", [.., "containers", id, "exec"]) => {
            answer(&mut stream, 201, &json!({"Id": id}).to_string()).await
        }
        ("POST", [.., "exec", _, "start"]) => {
            let header = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
                          Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
            stream.write_all(header.as_bytes()).await.ok()?;
            for line in greeting() {
                stream.write_all(&packed(&line)).await.ok()?;
            }
            let mut agents = shared.agents.lock().expect("no panic while held");
            agents.push_back(Agent { stream, number: 0 });
            Some(())
        }
        _ => answer(&mut stream, 404, r#"{"message":"page not found"}"#).await,
    }
}

async fn answer(stream: &mut UnixStream, status: u16, body: &str) -> Option<()> {
    let answer = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.ok()
}

/// The head of a request; its body is read and thrown away.
async fn head(stream: &mut UnixStream) -> Option<String> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    while bytes.len() < end + length.unwrap_or(0) {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}
