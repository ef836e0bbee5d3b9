//! Between the operator's tool and the Engine: counts what changes something, and kills the tool there
//! or lets it hear late of what happens.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::lab::run;

/// Where the Engine of this machine listens.
const ENGINE: &str = "/var/run/docker.sock";

/// When the tool is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the Engine has heard of it.
    Before,
    /// When the Engine has been told, and may be at it.
    Amid,
    /// When the Engine has done it, and before the tool knows.
    After,
}

/// A way to the Engine on which the tool is killed at the request of this number.
pub(crate) struct Proxy {
    path: PathBuf,
    shared: Arc<Shared>,
}

/// What does not end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// What a container uses.
    Figures,
    /// What it prints.
    Output,
}

/// Of which container.
type Stream = (Kind, String);

struct Shared {
    /// The number of the request, and when; 0 for never.
    at: usize,
    moment: Moment,
    /// So much later the Engine's events come.
    late: Duration,
    seen: AtomicUsize,
    log: Mutex<Vec<String>>,
    /// What was ever followed, and by how many it still is.
    streams: Mutex<BTreeMap<Stream, usize>>,
    pid: AtomicU32,
    over: AtomicBool,
}

impl Proxy {
    pub(crate) fn listen(path: &Path, at: usize, moment: Moment) -> Self {
        Self::with(path, at, moment, Duration::ZERO)
    }

    /// One that kills nobody, and behind which events come late.
    pub(crate) fn late(path: &Path, late: Duration) -> Self {
        Self::with(path, 0, Moment::Before, late)
    }

    fn with(path: &Path, at: usize, moment: Moment, late: Duration) -> Self {
        // One that was there before has ended.
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).expect("a socket");
        let shared = Arc::new(Shared {
            at,
            moment,
            late,
            seen: AtomicUsize::new(0),
            log: Mutex::default(),
            streams: Mutex::default(),
            pid: AtomicU32::new(0),
            over: AtomicBool::new(false),
        });
        let own = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                if own.over.load(Ordering::SeqCst) {
                    return;
                }
                let own = own.clone();
                // A connection that breaks is the tool's end, or the Engine's word.
                std::thread::spawn(move || drop(own.serve(client)));
            }
        });
        Self {
            path: path.to_owned(),
            shared,
        }
    }

    /// What the tool is told for the Engine's address.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// The tool that is to be killed.
    pub(crate) fn is_for(&self, pid: u32) {
        self.shared.pid.store(pid, Ordering::SeqCst);
    }

    /// The ids of the containers whose figures were ever asked for.
    pub(crate) fn ever_measured(&self) -> Vec<String> {
        let streams = self.shared.streams.lock().expect("no panic while held");
        let figures = streams.keys().filter(|(kind, _)| *kind == Kind::Figures);
        figures.map(|(_, id)| id.clone()).collect()
    }

    /// The ids of those whose figures are being read, once for each reader.
    pub(crate) fn measured(&self) -> Vec<String> {
        self.shared.open(Kind::Figures)
    }

    /// The ids of those whose output is being followed, once for each reader.
    pub(crate) fn followed(&self) -> Vec<String> {
        self.shared.open(Kind::Output)
    }

    /// What has changed something so far, as `POST start`.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.shared.log.lock().expect("no panic while held").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the one who waits for connections.
        drop(UnixStream::connect(&self.path));
    }
}

impl Shared {
    fn opens(&self, stream: Option<&Stream>) {
        if let Some(stream) = stream {
            let mut streams = self.streams.lock().expect("no panic while held");
            *streams.entry(stream.clone()).or_default() += 1;
        }
    }

    fn closes(&self, stream: Option<&Stream>) {
        let mut streams = self.streams.lock().expect("no panic while held");
        if let Some(count) = stream.and_then(|stream| streams.get_mut(stream)) {
            *count -= 1;
        }
    }

    fn open(&self, wanted: Kind) -> Vec<String> {
        let streams = self.streams.lock().expect("no panic while held");
        let open = streams.iter().filter(|((kind, _), _)| *kind == wanted);
        open.flat_map(|((_, id), count)| std::iter::repeat_n(id.clone(), *count))
            .collect()
    }

    fn serve(self: &Arc<Self>, mut client: UnixStream) -> std::io::Result<()> {
        let Some((head, rest)) = head(&mut client)? else {
            return Ok(());
        };
        let mut engine = UnixStream::connect(ENGINE)?;
        let change = change(&head);
        let dies = change
            .as_ref()
            .is_some_and(|change| self.is_the_one(change));
        if dies && self.moment == Moment::Before {
            self.kill();
            return Ok(());
        }
        engine.write_all(one_only(&head).as_bytes())?;
        engine.write_all(&rest)?;
        let stream = stream(&head);
        self.opens(stream.as_ref());
        let (mut from, mut to) = (client.try_clone()?, engine.try_clone()?);
        let own = self.clone();
        std::thread::spawn(move || {
            let _ended = std::io::copy(&mut from, &mut to);
            own.closes(stream.as_ref());
            let _ended = to.shutdown(Shutdown::Write);
        });
        if dies {
            let mut answer = Vec::new();
            if self.moment == Moment::After {
                engine.read_to_end(&mut answer)?;
            }
            self.kill();
            return Ok(());
        }
        if is_events(&head) {
            let mut told = vec![0; 1024 * 1024];
            loop {
                let count = engine.read(&mut told)?;
                if count == 0 {
                    break;
                }
                std::thread::sleep(self.late);
                client.write_all(&told[..count])?;
            }
        }
        std::io::copy(&mut engine, &mut client)?;
        client.shutdown(Shutdown::Both)
    }

    fn is_the_one(&self, change: &str) -> bool {
        let mut log = self.log.lock().expect("no panic while held");
        log.push(change.to_owned());
        self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.at
    }

    fn kill(&self) {
        let pid = self.pid.load(Ordering::SeqCst).to_string();
        run(Command::new("kill").args(["-KILL", &pid])).expect(0);
    }
}

/// The head of a request, and what came with it; none where the connection was only tried.
fn head(client: &mut UnixStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), rest)));
        }
        match client.read(&mut buffer)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The same request, after which the connection is closed, unless it becomes something else.
fn one_only(head: &str) -> String {
    let lower = head.to_ascii_lowercase();
    if lower.contains("\r\nupgrade:") || lower.contains("\r\nconnection: close") {
        return head.to_owned();
    }
    head.replacen("\r\n", "\r\nConnection: close\r\n", 1)
}

/// Whether a request asks for what happens.
fn is_events(head: &str) -> bool {
    let path = head.split([' ', '?']).nth(1);
    path.is_some_and(|path| path.ends_with("/events"))
}

/// The stream of a container that a request asks for.
fn stream(head: &str) -> Option<Stream> {
    let (path, query) = head.split(' ').nth(1)?.split_once('?')?;
    let (before, what) = path.rsplit_once('/')?;
    let (before, id) = before.rsplit_once('/')?;
    let kind = match what {
        "stats" => Kind::Figures,
        "logs" if query.contains("follow=1") => Kind::Output,
        _ => return None,
    };
    before
        .ends_with("/containers")
        .then(|| (kind, id.to_owned()))
}

/// What a request changes; none where it changes nothing.
fn change(head: &str) -> Option<String> {
    let mut words = head.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let path = path.split('?').next()?;
    let last = path.rsplit('/').next()?;
    let changes = match method {
        "POST" => !path.contains("/exec"),
        "DELETE" => true,
        _ => false,
    };
    let what = if method == "DELETE" { "" } else { last };
    changes.then(|| format!("{method} {what}").trim_end().to_owned())
}
