//! Clients that mean harm, all at once: the life cycle goes on in time, memory stays bounded, and an
//! honest client sees everything.

use std::collections::VecDeque;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

use crate::harness::{Agent, Image, Listener, now, until};
use crate::listener::{INTERVAL, MONITOR, Seen};
use crate::{alone, soak};

/// Connections that are there at the same time.
const CROWD: usize = 1000;
/// Clients of each kind that come before the crowd takes all places.
const DEAF: usize = 24;
const HALVES: usize = 8;
const SLOW: usize = 8;
const LIARS: u64 = 4;
/// The line that does not end.
const ENDLESS: u64 = 1 << 30;
/// A line of more than 64 KiB is none; a client is let go soon after. The rest lies in the kernel.
const CUT: u64 = 4 << 20;
/// All clients together may hold 2 MiB of the agent's memory; the allocator may need as much again
/// for what it cannot put together.
const MEMORY: u64 = 4 << 20;
/// How much later than without hostile clients a check may be.
const LATE: Duration = Duration::from_millis(10);
/// Between two restarts.
const RESTARTS: Duration = Duration::from_millis(900);

/// What is done to an agent, until it is over.
struct Attack {
    path: PathBuf,
    over: AtomicBool,
    connections: AtomicU64,
}

impl Attack {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn connect(&self) -> Option<UnixStream> {
        let stream = UnixStream::connect(&self.path).ok()?;
        self.connections.fetch_add(1, Ordering::Relaxed);
        let patience = Some(Duration::from_millis(100));
        stream.set_write_timeout(patience).unwrap();
        Some(stream)
    }

    fn several(&self, count: usize) -> Vec<UnixStream> {
        (0..count).filter_map(|_| self.connect()).collect()
    }

    /// Writes bytes at random, and connects again when it is let go or not heard any more.
    fn lie(&self, seed: u64) {
        let mut bytes = Random(seed);
        while !self.is_over() {
            let Some(mut stream) = self.connect() else {
                return;
            };
            let mut piece = [0; 4096];
            while !self.is_over() {
                bytes.fill(&mut piece);
                if stream.write_all(&piece).is_err() {
                    break;
                }
            }
        }
    }

    /// Writes one byte now and then to each.
    fn dawdle(&self, mut streams: Vec<UnixStream>) {
        while !self.is_over() {
            for stream in &mut streams {
                let _ = stream.write(b"{");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Begins all of it: first those that are to have a place.
    fn begin(self: &Arc<Self>) -> JoinHandle<(u64, ErrorKind)> {
        let endless = self.connect().unwrap();
        let (deaf, slow, mut halves) =
            (self.several(DEAF), self.several(SLOW), self.several(HALVES));
        for stream in &mut halves {
            stream.write_all(&vec![b'{'; 60 * 1024]).unwrap();
        }
        self.spawn(move |attack| attack.dawdle(slow));
        for seed in 1..=LIARS {
            self.spawn(move |attack| attack.lie(seed));
        }
        self.spawn(move |attack| {
            attack.crowd();
            drop((deaf, halves));
        });
        std::thread::spawn(move || self::endless(endless))
    }

    fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        what: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let attack = Arc::clone(self);
        std::thread::spawn(move || what(&attack))
    }

    /// Keeps a crowd connected; who has been there longest goes, and another one comes.
    fn crowd(&self) {
        let mut crowd: VecDeque<UnixStream> = self.several(CROWD).into();
        while !self.is_over() {
            crowd.pop_front();
            crowd.extend(self.connect());
        }
    }
}

/// Writes a line without end; answers how much of it was taken, and how it ended.
fn endless(mut stream: UnixStream) -> (u64, ErrorKind) {
    stream.set_write_timeout(None).unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let mut written = 0;
    while written < ENDLESS {
        match stream.write(&piece) {
            Ok(count) => written += count as u64,
            Err(error) => return (written, error.kind()),
        }
    }
    (written, ErrorKind::Other)
}

/// Ends the attack, also when a test fails.
struct End(Arc<Attack>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            piece.copy_from_slice(&self.0.to_le_bytes()[..piece.len()]);
        }
    }
}

/// The agent's own memory, in bytes.
fn memory(agent: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{agent}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap();
    kilobytes * 1024
}

fn descriptors(agent: i32) -> usize {
    fs::read_dir(format!("/proc/{agent}/fd")).unwrap().count()
}

fn agent() -> Agent {
    let cfg = format!(
        r#"{{"ww":{{"monitor":{{"interval":"{}ms"}}}}}}"#,
        INTERVAL.as_millis()
    );
    // As it goes into images: its memory and its speed are what matters here.
    let agent = Image::new()
        .shipped()
        .file("ww/usr/monitor", MONITOR, 0o755)
        .cfg(&cfg)
        .start();
    agent.wait_state("UP");
    agent
}

/// Both agents live a fast life for a while; answers the most memory the first one had.
fn live(agents: [&Agent; 2], duration: Duration) -> u64 {
    let pid = agents[0].pid();
    let (end, mut restart, mut most) = (now() + duration, now() + RESTARTS, 0);
    while now() < end {
        most = most.max(memory(pid));
        if now() >= restart {
            for agent in agents {
                agent.signal(Signal::SIGHUP);
            }
            restart += RESTARTS;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    most
}

fn raise_limit() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

/// What came of an attack.
struct Outcome {
    /// Bytes the agent took more than before.
    memory: u64,
    /// How much of the endless line was taken, and how it ended.
    endless: (u64, ErrorKind),
    connections: u64,
    /// What the listeners have seen, that of the attacked agent first.
    seen: [Seen; 2],
}

/// Attacks the first agent while both live.
fn attacked(agents: &mut [Agent; 2], duration: Duration) -> Outcome {
    let paths = agents.each_ref().map(socket);
    let attack = Arc::new(Attack {
        path: paths[0].clone(),
        over: AtomicBool::new(false),
        connections: AtomicU64::new(0),
    });
    let _end = End(Arc::clone(&attack));
    let listeners = paths.map(|path| {
        let mut listener = Listener::new(&path);
        let seen = Seen::first(&listener.line("snapshot"));
        std::thread::spawn(move || seen.all(listener))
    });
    let pid = agents[0].pid();
    let (before, open) = (memory(pid), descriptors(pid));
    let endless = attack.begin();
    let most = live([&agents[0], &agents[1]], duration);
    attack.over.store(true, Ordering::Relaxed);
    let endless = endless.join().unwrap();
    until("all of them to be gone", || {
        (descriptors(pid) <= open).then_some(())
    });
    for agent in agents.iter_mut() {
        assert_eq!(agent.stop().0, 0);
    }
    let seen = listeners.map(|listener| listener.join().expect("nothing to be missed"));
    Outcome {
        memory: most.saturating_sub(before),
        endless,
        connections: attack.connections.load(Ordering::Relaxed),
        seen,
    }
}

fn socket(agent: &Agent) -> PathBuf {
    agent.path("run/ww/agent.sock")
}

#[test]
fn hostile_clients_make_nothing_late_and_take_little() {
    let _alone = alone();
    raise_limit();
    let duration = Duration::from_secs(if soak::is_wanted() { 60 } else { 6 });
    // The second lives the same life at the same time, and nobody attacks it: what a busy machine
    // does to both is not the agent's doing.
    let mut agents = [agent(), agent()];
    let outcome = attacked(&mut agents, duration);
    let [attacked, calm] = &outcome.seen;
    for (name, seen) in [("attacked", attacked), ("calm", calm)] {
        println!(
            "{name}: {} checks, {} transitions; 50, 75, 95 of 100 late by {:?}",
            seen.checks,
            seen.transitions,
            [50, 75, 95].map(|percent| seen.late(percent))
        );
    }
    let (memory, (written, end)) = (outcome.memory, outcome.endless);
    println!(
        "{} connections; {} KiB more than before; {written} bytes of one line, then {end}",
        outcome.connections,
        memory / 1024
    );
    assert!(outcome.connections > CROWD as u64);
    assert!(memory <= MEMORY, "{memory} bytes more than before");
    assert!(written < CUT, "{written} bytes of one line were taken");
    assert!(
        matches!(end, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
        "{end}"
    );
    // Of the checks of a few seconds the latest few say more about the machine than about the agent.
    let percents: &[usize] = if soak::is_wanted() {
        &[50, 75, 95]
    } else {
        &[50, 75]
    };
    for &percent in percents {
        let (late, usual) = (attacked.late(percent), calm.late(percent));
        assert!(
            late <= usual + LATE,
            "{percent} of 100: {late:?}, without hostile clients {usual:?}"
        );
    }
    // An agent that does not get to its checks has none that are late.
    let (checks, usual) = (attacked.checks, calm.checks);
    assert!(checks * 5 >= usual * 4, "{checks} checks, not {usual}");
}
