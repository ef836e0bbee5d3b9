//! A real balancer on loopback, and a steady load that notices whatever is lost.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::lab::{PATIENCE, haproxy_path, now, until};

/// How many send requests at the same time.
const CLIENTS: usize = 4;
/// Between two requests of one of them.
const PAUSE: Duration = Duration::from_millis(12);
/// What the members answer with; long enough to be cut short if that could happen.
pub(crate) const PAGE: usize = 2000;

/// haproxy in front of some members, by readiness.
pub(crate) struct Balancer {
    daemon: Child,
    pub(crate) address: SocketAddr,
}

impl Balancer {
    /// It asks each member every 100 ms whether it is ready. One that is not leaves after two
    /// answers and comes back with one, so that one that is back is known before the next has left.
    /// Nothing hides a loss: no request is tried twice, none goes to another member.
    pub(crate) fn start(directory: &Path, members: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let mut config = String::from(
            "global\n  maxconn 1000\n\
             defaults\n  mode http\n  retries 0\n  option http-server-close\n  timeout connect 2s\n  \
             timeout client 10s\n  timeout server 10s\n  timeout queue 1s\n\
             frontend in\n  bind fd@0\n  default_backend members\n\
             backend members\n  balance roundrobin\n  option httpchk GET /ready\n  \
             http-check expect status 200\n  \
             default-server check inter 100ms fastinter 100ms downinter 100ms fall 2 rise 1\n",
        );
        for (number, member) in members.iter().enumerate() {
            writeln!(config, "  server member-{number} {member}").expect("memory");
        }
        let file = directory.join("haproxy.cfg");
        std::fs::write(&file, config).expect("its configuration");
        let log = std::fs::File::create(directory.join("haproxy.log")).expect("its log");
        let program = haproxy_path();
        let libraries = program.ancestors().nth(2).expect("a directory").join("lib");
        let mut daemon = Command::new(&program)
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .env("LD_LIBRARY_PATH", libraries)
            // The port is taken already: nobody can take it in between.
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(log.try_clone().expect("its log"))
            .stderr(log)
            .spawn()
            .expect("haproxy");
        until("the balancer to serve", || {
            if let Some(status) = daemon.try_wait().expect("its state") {
                let log = std::fs::read_to_string(directory.join("haproxy.log"));
                panic!("haproxy ended with {status}: {}", log.unwrap_or_default());
            }
            request(address).is_ok().then_some(())
        });
        Self { daemon, address }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

/// One request by a connection of its own; an error unless all of the page has come.
fn request(address: SocketAddr) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(|error| error.to_string())?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        .map_err(|error| format!("write: {error}"))?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .map_err(|error| format!("read: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(status.to_owned());
    }
    if body.len() != PAGE {
        return Err(format!("{} bytes of {PAGE}", body.len()));
    }
    Ok(())
}

/// A steady load.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(usize, Vec<String>)>>,
    begun: std::time::Instant,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) requests: usize,
    pub(crate) lost: Vec<String>,
    pub(crate) per_second: f64,
}

impl Load {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = || {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let (mut requests, mut lost) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    requests += 1;
                    if let Err(error) = request(address) {
                        lost.push(error);
                    }
                    thread::sleep(PAUSE);
                }
                (requests, lost)
            })
        };
        Self {
            clients: (0..CLIENTS).map(|_| client()).collect(),
            begun: now(),
            stop,
        }
    }

    pub(crate) fn stop(mut self) -> Served {
        self.stop.store(true, Ordering::Relaxed);
        let mut served = Served {
            requests: 0,
            lost: Vec::new(),
            per_second: 0.0,
        };
        for client in std::mem::take(&mut self.clients) {
            let (requests, lost) = client.join().expect("a client");
            served.requests += requests;
            served.lost.extend(lost);
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        served.per_second = f64::from(u32::try_from(served.requests).expect("few")) / seconds;
        served
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
