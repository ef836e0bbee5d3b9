//! Scripts that tell the world, and far ends that do not listen.
//!
//! etcd and `PostgreSQL` are the real ones. What takes HTTP and UDP is this file's own: it is no
//! Elasticsearch and no statsd, but refuses whatever is not, word by word, what those take.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::{Guest, Lab, PATIENCE, docker, now, run, until, until_or, ww_ctl};

/// All a life has, in order.
const LIFE: [&str; 6] = ["BOOT", "FIRSTBOOT", "UPGRADING", "WARMUP", "UP", "STOPPED"];
/// So much longer a boot may take where the far end is in trouble: the agent's own second, and what
/// the machine is late by.
const LONGER: u64 = 1000 + 500;
/// How late a far end is that is slow, in milliseconds.
const SLOW: u64 = 1200;
/// A name that breaks what is pasted together.
const NAME: &str = "o'ne \"two\" \\ $(three); ünï";

/// What becomes of a far end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    Stopped,
    Frozen,
    Slow,
}

/// Somebody who is told.
trait Far {
    /// Where it is told now.
    fn port(&self) -> u16;
    fn begin(&mut self, trouble: Trouble);
    fn end(&mut self, trouble: Trouble);
    /// What it was told by this name, in the order in which it came. May fail while it is in trouble.
    fn states(&self, name: &str) -> Vec<String>;
    /// Whether what a check printed has come, as it was; also where it is not to come.
    fn has_numbers(&self, name: &str) -> bool;
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a script finds or makes in the target directory.
fn made(script: &str) -> PathBuf {
    let target = std::env::current_exe().expect("this program");
    // target/debug/deps/examples-…
    let target = target.ancestors().nth(3).expect("the target directory");
    let made = run(Command::new(project().join("scripts").join(script)).arg(target)).expect(0);
    PathBuf::from(made.stdout.trim())
}

/// An image of an example's scripts, with a check each second.
fn image(lab: &Lab, base: &str, example: &str) -> String {
    let tree = lab.tree(example);
    let source = project().join("examples").join(example).join("ww");
    run(Command::new("cp").arg("-aT").arg(source).arg(tree.path())).expect(0);
    let monitor = r#"echo '{"orders": {"open now": 7}, "drift": -2.5, "word": "no number"}'"#;
    tree.file("usr/monitor", 0o755, &format!("#!/bin/sh\n{monitor}\n"));
    let (tag, path) = (lab.tag(), tree.path().to_str().expect("UTF-8"));
    ww_ctl(["image", "build", "--base", base, "--tree", path, "-t", &tag]).expect(0);
    tag
}

fn start(lab: &Lab, what: &str, image: &str, notify: &Value) -> Guest {
    let all = json!({"notify": notify, "ww": {"monitor": {"interval": "1s"}}});
    let environment = format!("CFG={all}");
    let guest = lab.start(what, image, &["--network=host", "-e", &environment], &[]);
    guest.reaches("UP");
    guest
}

/// How long it took to come up, by the agent's own record.
fn boot(guest: &Guest) -> u64 {
    let status: Value = serde_json::from_str(&guest.status()).expect("JSON");
    let all = status["transitions"].as_array().expect("transitions");
    let up = all.iter().position(|one| one["state"] == "UP").expect("UP");
    let lasted = |one: &Value| one["lasted_ms"].as_u64().expect("a duration");
    all.iter().take(up + 1).map(lasted).sum()
}

fn stop(guest: &Guest) {
    docker(["stop", "-t", "30", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0, "{}", guest.output());
}

/// A life while all is well, and one for each kind of trouble that begins before it does and ends
/// when it is UP.
#[expect(
    clippy::print_stdout,
    reason = "how long each boot took is what one wants to know"
)]
fn lives(
    lab: &Lab,
    image: &str,
    far: &mut dyn Far,
    notify: impl Fn(u16) -> Value,
    troubles: &[Trouble],
) {
    let untold = start(lab, "untold", image, &json!({}));
    let quiet = boot(&untold);
    stop(&untold);
    println!("nobody is told: UP after {quiet} ms");

    let named = |name: &str, port| {
        let mut notify = notify(port);
        notify["name"] = name.into();
        notify
    };
    let well = start(lab, "well", image, &named(NAME, far.port()));
    println!("all is well: UP after {} ms", boot(&well));
    told(far, NAME, "UP", &well);
    until("its numbers", || far.has_numbers(NAME).then_some(()));
    stop(&well);
    told(far, NAME, "STOPPED", &well);
    assert_eq!(far.states(NAME), LIFE, "{}", well.output());

    for trouble in troubles {
        let name = format!("{trouble:?}").to_lowercase();
        far.begin(*trouble);
        let guest = start(lab, &name, image, &named(&name, far.port()));
        let took = boot(&guest);
        println!("{name}: UP after {took} ms");
        assert!(
            took <= quiet + LONGER,
            "{name}: {took} ms, without {quiet} ms"
        );
        match trouble {
            Trouble::Stopped => {}
            // The script gives up by itself; the agent would do that later.
            Trouble::Frozen => until("it to give up", || {
                let output = guest.output();
                assert!(!output.contains("was cut after"), "{output}");
                output.contains("lifecycle exited 1").then_some(())
            }),
            Trouble::Slow => told(far, &name, "UP", &guest),
        }
        far.end(*trouble);
        told(far, &name, "UP", &guest);
        docker(["rm", "-f", &guest.name]).expect(0);
    }
}

/// Waits until this state is the last one it was told.
#[track_caller]
fn told(far: &dyn Far, name: &str, state: &str, guest: &Guest) {
    until_or(
        || {
            format!(
                "{state} of {name}: {:?}\n{}",
                far.states(name),
                guest.output()
            )
        },
        || (far.states(name).last()? == state).then_some(()),
    );
}

/// One request, whole; none where whoever sent it has gone.
struct Request {
    first: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn read(stream: &mut TcpStream) -> Option<Result<Self, String>> {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let mut lines = head.split("\r\n");
                let first = lines.next().unwrap_or_default().to_owned();
                let split = |line: &str| {
                    line.split_once(": ")
                        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                };
                let Some(headers) = lines.map(split).collect::<Option<Vec<_>>>() else {
                    return Some(Err(format!("headers that are none: {head}")));
                };
                let length = headers.iter().find(|(name, _)| name == "content-length");
                let Some(length) = length.and_then(|(_, length)| length.parse::<usize>().ok())
                else {
                    return Some(Err(format!("no length: {head}")));
                };
                let body = &bytes[end + 4..];
                if body.len() > length {
                    return Some(Err(format!("more than {length} bytes: {head}")));
                }
                if body.len() == length {
                    let body = String::from_utf8(body.to_vec()).map_err(|error| error.to_string());
                    return Some(body.map(|body| Self {
                        first,
                        headers,
                        body,
                    }));
                }
            }
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(count) => bytes.extend(&piece[..count]),
            }
        }
    }

    /// Fails unless it has this header, once.
    fn has(&self, name: &str, value: &str) -> Result<(), String> {
        let all: Vec<&str> = self
            .headers
            .iter()
            .filter(|(one, _)| one == name)
            .map(|(_, value)| value.as_str())
            .collect();
        if all == [value] {
            Ok(())
        } else {
            Err(format!("{name}: {all:?}"))
        }
    }
}

/// What is taken from a request, or what is wrong with it.
type Check = fn(&Request) -> Result<Value, String>;

/// Fails unless these are its keys, all of them words but `stats`, and `at` a time.
fn fields(value: &Value, expected: &[&str], at: &str) -> Result<(), String> {
    let object = value.as_object().ok_or("no object")?;
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    let mut expected = expected.to_vec();
    keys.sort_unstable();
    expected.sort_unstable();
    let typed = object.iter().all(|(key, value)| {
        if key == "stats" {
            value.is_object()
        } else {
            value.is_string()
        }
    });
    let time = value[at].as_str().unwrap_or_default();
    let dated = time.len() >= 20 && time.ends_with('Z') && time.as_bytes().get(10) == Some(&b'T');
    if keys == expected && typed && dated {
        Ok(())
    } else {
        Err(format!("not as agreed: {value}"))
    }
}

fn hook(request: &Request) -> Result<Value, String> {
    if request.first != "POST /states HTTP/1.1" {
        return Err(request.first.clone());
    }
    request.has("content-type", "application/json")?;
    request.has("authorization", "Bearer of tests")?;
    let value: Value = serde_json::from_str(&request.body).map_err(|error| error.to_string())?;
    if value["stats"].is_null() {
        fields(
            &value,
            &["id", "name", "host", "state", "cause", "at"],
            "at",
        )?;
    } else {
        fields(&value, &["name", "host", "state", "stats", "at"], "at")?;
    }
    Ok(value)
}

fn bulk(request: &Request) -> Result<Value, String> {
    if request.first != "POST /_bulk HTTP/1.1" {
        return Err(request.first.clone());
    }
    request.has("content-type", "application/x-ndjson")?;
    let lines: Vec<&str> = request.body.split('\n').collect();
    let [action, document, ""] = lines[..] else {
        return Err(format!(
            "not two lines, each with its end: {:?}",
            request.body
        ));
    };
    let read = |line| serde_json::from_str::<Value>(line).map_err(|error| error.to_string());
    let (action, mut document) = (read(action)?, read(document)?);
    if document["stats"].is_null() {
        fields(
            &document,
            &["name", "host", "state", "cause", "@timestamp"],
            "@timestamp",
        )?;
        let id = &action["index"]["_id"];
        if !id.is_string() || action != json!({"index": {"_index": "lives", "_id": id}}) {
            return Err(action.to_string());
        }
        document["id"] = id.clone();
    } else {
        fields(
            &document,
            &["name", "host", "state", "stats", "@timestamp"],
            "@timestamp",
        )?;
        if action != json!({"index": {"_index": "lives"}}) {
            return Err(action.to_string());
        }
    }
    Ok(document)
}

/// What a receiver and its thread share.
struct Shared {
    heard: Mutex<Vec<Result<Value, String>>>,
    late: AtomicU64,
    closing: AtomicBool,
    /// Held as long as it is frozen.
    gate: Mutex<()>,
}

/// A receiver of HTTP.
struct Receiver {
    port: u16,
    check: Check,
    shared: &'static Shared,
    frozen: Option<MutexGuard<'static, ()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    fn new(check: Check) -> Self {
        // For the test's life: what is frozen holds a lock of it.
        let shared = Box::leak(Box::new(Shared {
            heard: Mutex::default(),
            late: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            gate: Mutex::new(()),
        }));
        let mut receiver = Self {
            port: 0,
            check,
            shared,
            frozen: None,
            thread: None,
        };
        receiver.listen();
        receiver
    }

    fn listen(&mut self) {
        let listener = until("its port", || {
            TcpListener::bind(("127.0.0.1", self.port)).ok()
        });
        self.port = listener.local_addr().expect("an address").port();
        let (shared, check) = (self.shared, self.check);
        shared.closing.store(false, Ordering::SeqCst);
        self.thread = Some(std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.closing.load(Ordering::SeqCst) {
                    return;
                }
                drop(shared.gate.lock().expect("no panic while held"));
                pause(shared.late.load(Ordering::SeqCst));
                answer(stream, check, &shared.heard);
            }
        }));
    }

    fn close(&mut self) {
        self.frozen = None;
        self.shared.closing.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("its thread");
        }
    }

    /// All that was heard by this name; fails where any of it was not as agreed.
    fn heard(&self, name: &str) -> Vec<Value> {
        let heard = self.shared.heard.lock().expect("no panic while held");
        let all = heard
            .iter()
            .map(|one| one.as_ref().unwrap_or_else(|wrong| panic!("{wrong}")));
        all.filter(|one| one["name"] == name).cloned().collect()
    }
}

/// Waits as long as a slow far end does.
fn pause(milliseconds: u64) {
    let (_held, never) = mpsc::channel::<()>();
    never.recv_timeout(Duration::from_millis(milliseconds)).ok();
}

fn answer(mut stream: TcpStream, check: Check, heard: &Mutex<Vec<Result<Value, String>>>) {
    let Some(request) = Request::read(&mut stream) else {
        return;
    };
    let checked = request.and_then(|request| check(&request));
    let (status, body) = match &checked {
        Ok(_) => ("200 OK", r#"{"took":1,"errors":false,"items":[]}"#),
        Err(_) => ("400 Bad Request", "{}"),
    };
    heard.lock().expect("no panic while held").push(checked);
    let length = body.len();
    // Whoever does not wait for it any more is none the worse.
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .ok();
}

impl Far for Receiver {
    fn port(&self) -> u16 {
        self.port
    }

    fn begin(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Stopped => self.close(),
            Trouble::Frozen => {
                self.frozen = Some(self.shared.gate.lock().expect("no panic while held"));
            }
            Trouble::Slow => self.shared.late.store(SLOW, Ordering::SeqCst),
        }
    }

    fn end(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Stopped => self.listen(),
            Trouble::Frozen => self.frozen = None,
            Trouble::Slow => self.shared.late.store(0, Ordering::SeqCst),
        }
    }

    fn states(&self, name: &str) -> Vec<String> {
        let mut all = self.heard(name);
        all.retain(|one| one["stats"].is_null());
        // One whose answer was late is sent again.
        all.dedup_by(|one, other| one["id"] == other["id"]);
        all.iter()
            .map(|one| one["state"].as_str().expect("a state").to_owned())
            .collect()
    }

    fn has_numbers(&self, name: &str) -> bool {
        let all = self.heard(name);
        let stats = all
            .iter()
            .map(|one| &one["stats"])
            .find(|stats| stats.is_object());
        let expected = json!({"orders": {"open now": 7}, "drift": -2.5, "word": "no number"});
        stats.is_some_and(|stats| {
            assert_eq!(*stats, expected);
            true
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            self.close();
        }
    }
}

const ALL: [Trouble; 3] = [Trouble::Stopped, Trouble::Frozen, Trouble::Slow];

#[test]
fn a_web_hook_hears_each_state_and_holds_nothing_up() {
    let lab = Lab::new("notify-http");
    let image = image(&lab, lab.base(), "notify-http");
    let mut far = Receiver::new(hook);
    let notify = |port| json!({"url": format!("http://127.0.0.1:{port}/states"), "header": "Authorization: Bearer of tests"});
    lives(&lab, &image, &mut far, notify, &ALL);
}

#[test]
fn elasticsearch_is_given_what_bulk_takes_and_holds_nothing_up() {
    let lab = Lab::new("notify-elasticsearch");
    let image = image(&lab, lab.base(), "notify-elasticsearch");
    let mut far = Receiver::new(bulk);
    let notify = |port| json!({"url": format!("http://127.0.0.1:{port}/"), "index": "lives"});
    lives(&lab, &image, &mut far, notify, &ALL);
}

/// A receiver of gauges.
struct Gauges {
    port: u16,
    socket: Option<UdpSocket>,
    heard: Mutex<Vec<String>>,
}

impl Gauges {
    fn listen(&mut self) {
        let socket = until("its port", || {
            UdpSocket::bind(("127.0.0.1", self.port)).ok()
        });
        socket.set_nonblocking(true).expect("a socket");
        self.port = socket.local_addr().expect("an address").port();
        self.socket = Some(socket);
    }

    /// All that has come: its name and its value. A gauge with a sign is a change.
    fn gauges(&self) -> Vec<(String, String)> {
        let mut heard = self.heard.lock().expect("no panic while held");
        let mut packet = [0; 16384];
        while let Some(Ok(length)) = self.socket.as_ref().map(|socket| socket.recv(&mut packet)) {
            assert!(
                length <= 1432,
                "{length} bytes do not fit into every packet"
            );
            let text = std::str::from_utf8(&packet[..length]).expect("UTF-8");
            heard.extend(text.lines().map(str::to_owned));
        }
        heard
            .iter()
            .map(|line| gauge(line).unwrap_or_else(|| panic!("no gauge: {line:?}")))
            .collect()
    }
}

fn gauge(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_suffix("|g")?.split_once(':')?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    let words = name
        .split('.')
        .all(|word| !word.is_empty() && word.chars().all(plain));
    let digits = value.strip_prefix('-').unwrap_or(value);
    let number =
        digits.starts_with(|first: char| first.is_ascii_digit()) && digits.parse::<f64>().is_ok();
    (words && number).then(|| (name.to_owned(), value.to_owned()))
}

fn gauge_name(name: &str, path: &str) -> String {
    let word = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(word).collect();
    format!("lives.{name}.{path}")
}

impl Far for Gauges {
    fn port(&self) -> u16 {
        self.port
    }

    fn begin(&mut self, _trouble: Trouble) {
        self.socket = None;
    }

    fn end(&mut self, _trouble: Trouble) {
        self.listen();
    }

    fn states(&self, name: &str) -> Vec<String> {
        let wanted = gauge_name(name, "state");
        let mut all = self.gauges();
        all.retain(|(name, _)| *name == wanted);
        // It is said again and again.
        all.dedup();
        let state = |value: &str| {
            LIFE.iter()
                .zip(["1", "2", "3", "4", "5", "7"])
                .find(|(_, number)| *number == value)
        };
        all.iter()
            .map(|(_, value)| (*state(value).expect("a state").0).to_owned())
            .collect()
    }

    fn has_numbers(&self, name: &str) -> bool {
        let all = self.gauges();
        let of = |path| {
            let wanted = gauge_name(name, path);
            let all = all.iter().filter(|(name, _)| *name == wanted);
            all.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        let (open, drift) = (of("orders.open_now"), of("drift"));
        // Down to it, and not by it.
        open.contains(&"7") && drift.starts_with(&["0", "-2.5"])
    }
}

#[test]
fn statsd_gets_gauges_and_holds_nothing_up() {
    let lab = Lab::new("notify-statsd");
    let image = image(&lab, lab.base(), "notify-statsd");
    let mut far = Gauges {
        port: 0,
        socket: None,
        heard: Mutex::default(),
    };
    far.listen();
    let notify = |port| json!({"host": "127.0.0.1", "port": port, "prefix": "lives"});
    // One that is frozen or slow is no other to UDP than one that listens.
    lives(&lab, &image, &mut far, notify, &[Trouble::Stopped]);
}

/// Lets through what comes, but late.
struct Slow {
    port: u16,
}

impl Slow {
    fn before(far: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        // Both end with the test's process.
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    pause(SLOW);
                    let Ok(far) = TcpStream::connect(("127.0.0.1", far)) else {
                        return;
                    };
                    let (Ok(from), Ok(to)) = (near.try_clone(), far.try_clone()) else {
                        return;
                    };
                    std::thread::spawn(move || carry(&from, &to));
                    carry(&far, &near);
                });
            }
        });
        Self { port }
    }
}

fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    std::io::copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Write).ok();
}

/// The real one, in a container.
struct Real {
    guest: Guest,
    port: u16,
    slow: Slow,
    is_slow: bool,
    states: fn(&Self, &str) -> Vec<String>,
    has_numbers: fn(&Self, &str) -> bool,
    is_well: fn(&Self) -> bool,
}

impl Real {
    fn until_well(&self) {
        until_or(
            || self.guest.output(),
            || (self.is_well)(self).then_some(()),
        );
    }

    fn exec(&self, words: &[&str]) -> crate::lab::Ran {
        run(Command::new("docker")
            .args(["exec", &self.guest.name])
            .args(words))
    }
}

impl Far for Real {
    fn port(&self) -> u16 {
        if self.is_slow {
            self.slow.port
        } else {
            self.port
        }
    }

    fn begin(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Stopped => drop(docker(["kill", &self.guest.name]).expect(0)),
            Trouble::Frozen => drop(docker(["pause", &self.guest.name]).expect(0)),
            Trouble::Slow => self.is_slow = true,
        }
    }

    fn end(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Stopped => drop(docker(["start", &self.guest.name]).expect(0)),
            Trouble::Frozen => drop(docker(["unpause", &self.guest.name]).expect(0)),
            Trouble::Slow => self.is_slow = false,
        }
        self.until_well();
    }

    fn states(&self, name: &str) -> Vec<String> {
        (self.states)(self, name)
    }

    fn has_numbers(&self, name: &str) -> bool {
        (self.has_numbers)(self, name)
    }
}

/// A port that was free a moment ago.
fn free() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

fn etcdctl(far: &Real, words: &[&str]) -> String {
    let endpoint = format!("--endpoints=http://127.0.0.1:{}", far.port);
    far.exec(&[&["timeout", "5", "/etcd/etcdctl", &endpoint], words].concat())
        .stdout
}

fn key(name: &str) -> String {
    format!("/lives/{name}")
}

fn etcd(lab: &Lab) -> Real {
    let place = made("etcd.sh");
    let mount = format!(
        "{}:/etcd:ro",
        place.canonicalize().expect("a path").display()
    );
    let (port, peers) = (free(), free());
    let (own, peers) = (
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{peers}"),
    );
    let cluster = format!("default={peers}");
    let words = [
        "/etcd/etcd",
        "--data-dir",
        "/tmp/etcd",
        "--listen-client-urls",
        &own,
        "--advertise-client-urls",
        &own,
        "--listen-peer-urls",
        &peers,
        "--initial-advertise-peer-urls",
        &peers,
        "--initial-cluster",
        &cluster,
    ];
    let guest = lab.start_bare(
        "etcd",
        &databases(lab),
        &["--network=host", "-v", &mount],
        &words,
    );
    let is_well = |far: &Real| {
        !etcdctl(far, &["get", "/", "--prefix", "--keys-only", "-w", "json"]).is_empty()
    };
    let states = |far: &Real, name: &str| {
        // All it was, by the revisions in which it changed.
        let at = |revision: u64| {
            let revision = format!("--rev={revision}");
            let shown = etcdctl(far, &["get", &key(name), "--print-value-only", &revision]);
            let told: Option<Value> = serde_json::from_str(&shown).ok();
            told.map(|told| told["state"].as_str().expect("a state").to_owned())
        };
        let shown = etcdctl(far, &["get", &key(name), "-w", "json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap_or_default();
        let of = |what: &str| shown["kvs"][0][what].as_u64();
        let (Some(first), Some(last)) = (of("create_revision"), of("mod_revision")) else {
            return Vec::new();
        };
        let mut all: Vec<String> = (first..=last).filter_map(at).collect();
        all.dedup();
        all
    };
    let far = Real {
        guest,
        port,
        slow: Slow::before(port),
        is_slow: false,
        states,
        // Only its states are there.
        has_numbers: |_, _| true,
        is_well,
    };
    far.until_well();
    far
}

#[test]
fn etcd_has_each_state_and_forgets_who_died() {
    let lab = Lab::new("notify-etcd");
    let image = image(&lab, lab.base(), "notify-etcd");
    let mut far = etcd(&lab);
    let notify =
        |port| json!({"url": format!("http://127.0.0.1:{port}"), "prefix": "/lives/", "ttl": 30});
    lives(&lab, &image, &mut far, notify, &ALL);

    let mut notify = notify(far.port);
    (notify["name"], notify["ttl"]) = ("mortal".into(), 5.into());
    let guest = start(&lab, "mortal", &image, &notify);
    told(&far, "mortal", "UP", &guest);
    // It lives on as long as it is refreshed, and not much longer.
    let is_there = || !etcdctl(&far, &["get", &key("mortal")]).is_empty();
    let begun = now();
    until("twice its time", || {
        assert!(is_there(), "{}", guest.output());
        (begun.elapsed() > Duration::from_secs(10)).then_some(())
    });
    docker(["kill", "-s", "KILL", &guest.name]).expect(0);
    let died = now();
    until("it to be forgotten", || (!is_there()).then_some(()));
    assert!(
        died.elapsed() < Duration::from_secs(20),
        "{:?}",
        died.elapsed()
    );
}

/// Debian's `PostgreSQL` and psql, with the C library that etcd wants too. `timeout` is busybox's.
fn databases(lab: &Lab) -> String {
    let (tag, more) = (lab.tag(), lab.tree("more"));
    more.file("usr/bin/.more", 0o644, "")
        .link("usr/bin/timeout", "busybox");
    let line = format!(
        "tar -c -C '{}' . -C '{}' usr/bin/timeout | docker import \
         --change 'ENV PATH=/usr/bin:/usr/sbin:/usr/lib/postgresql/15/bin' --change 'WORKDIR /' - {tag}",
        made("databases.sh").display(),
        more.path().display(),
    );
    run(Command::new("sh").args(["-ec", &line])).expect(0);
    tag
}

fn psql(far: &Real, sql: &str) -> crate::lab::Ran {
    let port = far.port.to_string();
    far.exec(&[
        "timeout",
        "5",
        "psql",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "db",
        "-d",
        "postgres",
        "-Atc",
        sql,
    ])
}

/// The table, as the example's page makes it.
fn table() -> String {
    let page = std::fs::read_to_string(project().join("examples/notify-postgres/README.md"))
        .expect("a page");
    let (_, rest) = page.split_once("```sql\n").expect("SQL");
    rest.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn postgresql_has_a_row_for_each_state_and_holds_nothing_up() {
    let lab = Lab::new("notify-postgres");
    let base = databases(&lab);
    let image = image(&lab, &base, "notify-postgres");
    let port = free();
    let line = format!(
        "[ -d /pg ] || {{ mkdir /pg && chown db:db /pg && su db -c 'initdb -D /pg -A trust --no-locale -E UTF8'; }} || exit\n\
         rm -f /pg/postmaster.pid\n\
         exec su db -c 'exec postgres -D /pg -k /tmp -p {port} -c listen_addresses=127.0.0.1 -c jit=off -c shared_buffers=16MB'"
    );
    let guest = lab.start_bare("server", &base, &["--network=host"], &["sh", "-c", &line]);
    let is_well = |far: &Real| psql(far, "select 1").stdout == "1\n";
    let states = |far: &Real, name: &str| {
        let name = name.replace('\'', "''");
        // In the order in which they came.
        let sql = format!(
            "select state from whaleware where name = '{name}' and stats is null order by ctid"
        );
        psql(far, &sql).stdout.lines().map(str::to_owned).collect()
    };
    let has_numbers = |far: &Real, name: &str| {
        let name = name.replace('\'', "''");
        let sql = format!(
            "select distinct stats->'orders'->>'open now' from whaleware where name = '{name}' and stats is not null"
        );
        psql(far, &sql).stdout == "7\n"
    };
    let mut far = Real {
        guest,
        port,
        slow: Slow::before(port),
        is_slow: false,
        states,
        has_numbers,
        is_well,
    };
    far.until_well();
    psql(&far, &format!("create role teller login; {}", table())).expect(0);
    let notify = |port| json!({"url": format!("postgresql://teller@127.0.0.1:{port}/postgres")});
    lives(&lab, &image, &mut far, notify, &ALL);
}
