//! What a backup costs, beside `tar | zstd` and restic in the same run.
//!
//! `make bench` builds what this needs. Every figure is a ratio to a peer; absolute times are those of the machine it
//! ran on. Parts alone: `cargo bench --bench backup -- speed`, `outage`, `million`, `restic`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot measure ends, and printing is what it is for"
)]
#![expect(
    dead_code,
    reason = "the laboratory of the end-to-end tests is shared, not all of it is used here"
)]

#[path = "../../tests/e2e/lab.rs"]
mod lab;
#[path = "../../tests/e2e/tree.rs"]
mod tree;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::{Lab, run, ww_ctl_command};

/// Compared as often, one after the other.
const ROUNDS: usize = 5;

fn main() {
    // `cargo test --benches` asks for a quick look that everything still runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    let wants = |part: &str| {
        let words = std::env::args().skip(1);
        let mut parts = words.filter(|word| !word.starts_with('-')).peekable();
        parts.peek().is_none() || parts.any(|wanted| wanted == part)
    };
    if wants("speed") {
        speed(if quick { 8 << 20 } else { 1 << 30 });
    }
    if wants("outage") {
        outage(if quick { 8 << 20 } else { 1 << 30 });
    }
    if wants("restic") {
        restic(if quick { 8 << 20 } else { 1 << 30 });
    }
    if wants("million") {
        million(if quick { 2_000 } else { 1_000_000 });
    }
}

/// Data in a container that only keeps them, and a vault.
struct Scene {
    lab: Lab,
    name: String,
    data: PathBuf,
    vault: PathBuf,
}

impl Scene {
    fn new(what: &str) -> Self {
        let lab = Lab::new("bench");
        let name = lab.named(what);
        let root = lab.directory("kept");
        let words = [
            format!("--root={}", root.display()),
            format!("--label={}", lab.label()),
        ];
        run(ww_ctl_command().args(["data", "create", &name]).args(words)).expect(0);
        Self {
            data: root.join(&name),
            vault: lab.directory("vault"),
            lab,
            name,
        }
    }

    fn backup(&self) -> Command {
        let mut command = ww_ctl_command();
        command.args(["backup", "-q", &self.name, "--to"]);
        command.arg(&self.vault).stdout(Stdio::null());
        command
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-ec", script]);
        command.env("DATA", &self.data);
        command.env("OUT", self.lab.directory("peer"));
        command
    }
}

/// 1 GB of files as a server has them: a few large ones, many small ones, text and what is compressed already.
fn speed(bytes: u64) {
    let scene = Scene::new("speed");
    let made = fill(&scene.data, bytes);
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut peer = scene.shell(
            "tar -C \"$DATA\" -cf - . | zstd -q -f -3 -T0 -o \"$OUT/data.tar.zst\"; sync \"$OUT/data.tar.zst\"",
        );
        peers.push(timed(&mut peer).0);
        ours.push(timed(&mut scene.backup()).0);
    }
    let rate = |took: f64| made.to_f64() / took / 1e6;
    let (ours, peers) = (median(ours), median(peers));
    println!(
        "backup of {made} bytes: {:.0} MB/s with digests, list of files and sync; tar | zstd -3 -T0, synced: {:.0} MB/s; {:.2} of it",
        rate(ours),
        rate(peers),
        peers / ours
    );
    let mut reading = Vec::new();
    let mut unpacking = Vec::new();
    for round in 0..ROUNDS {
        // Into a new place each time, and with nothing else to be written: a file system is slow to use again what was
        // just removed.
        run(&mut Command::new("sync")).expect(0);
        let mut peer = scene.shell(
            "mkdir \"$TREE\"; zstd -q -dc \"$OUT/data.tar.zst\" | tar -C \"$TREE\" -xf -; sync -f \"$TREE\"",
        );
        peer.env(
            "TREE",
            scene.lab.directory("peer").join(format!("tree-{round}")),
        );
        unpacking.push(timed(&mut peer).0);
        run(&mut Command::new("sync")).expect(0);
        let mut restore = ww_ctl_command();
        restore.args(["restore", "-q", "-y", &scene.name, "--from"]);
        restore.arg(&scene.vault).arg("--into-dir");
        restore.arg(scene.lab.directory("restored").join(round.to_string()));
        reading.push(timed(restore.stdout(Stdio::null())).0);
    }
    let (ours, peers) = (median(reading), median(unpacking));
    println!(
        "restore: {:.0} MB/s, proven and synced; zstd -d | tar -x, synced: {:.0} MB/s; {:.2} of it",
        rate(ours),
        rate(peers),
        peers / ours
    );
}

/// How long services are down for it.
fn outage(bytes: u64) {
    let lab = Lab::new("bench");
    let tree = lab.tree("outage");
    tree.all_scripts();
    let guest = lab.start("outage", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    let made = fill(&guest.data, bytes);
    let (name, out) = (guest.name.as_str(), lab.directory("peer").join("data.tar"));
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut peer = Command::new("sh");
        peer.args([
            "-ec",
            "docker stop \"$NAME\"; tar -C \"$DATA\" -cf \"$OUT\" .; docker start \"$NAME\"",
        ]);
        peer.env("NAME", name)
            .env("DATA", &guest.data)
            .env("OUT", &out);
        // What others have written is no part of it.
        run(&mut Command::new("sync")).expect(0);
        let begun = lab::now();
        run(&mut peer).expect(0);
        guest.reaches("UP");
        peers.push(begun.elapsed().as_secs_f64());
        let mut command = ww_ctl_command();
        run(&mut Command::new("sync")).expect(0);
        command.args(["backup", "-q", name, "-o", "json", "--to"]);
        let ran = run(command.arg(lab.directory("vault"))).expect(0);
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let outage = told["results"][0]["outage_ms"].as_u64();
        ours.push(outage.expect("an outage").to_f64() / 1e3);
        guest.reaches("UP");
    }
    let a_gigabyte = |took: f64| took / (made.to_f64() / 1e9);
    let (ours, peers) = (median(ours), median(peers));
    println!(
        "outage: {:.2} s a GB; docker stop, tar, docker start until UP: {:.2} s a GB; {:.2} times ours",
        a_gigabyte(ours),
        a_gigabyte(peers),
        peers / ours
    );
}

/// The memory of a backup of very many files.
fn million(files: usize) {
    let scene = Scene::new("million");
    for directory in 0..files.div_ceil(1000) {
        let directory = scene.data.join(format!("directory-{directory}"));
        fs::create_dir(&directory).expect("a directory");
        for file in 0..1000 {
            fs::write(directory.join(format!("file-{file}")), b"x").expect("a file");
        }
    }
    let (took, memory) = timed(&mut scene.backup());
    println!(
        "{files} files: {took:.1} s, {:.1} MiB of memory at most",
        memory.to_f64() / 1024.0
    );
    assert!(memory <= 64 << 10, "more than 64 MiB");
}

/// The same data into a restic repository, twice.
fn restic(bytes: u64) {
    let Some(restic) = peer("restic") else {
        println!("restic: not found, not measured");
        return;
    };
    let scene = Scene::new("restic");
    let made = fill(&scene.data, bytes);
    let with = |words: &[&str]| {
        let mut command = Command::new(&restic);
        command.args(words).stdout(Stdio::null());
        command.env("RESTIC_PASSWORD", "bench");
        command.env("RESTIC_REPOSITORY", scene.lab.directory("restic"));
        command.env("RESTIC_CACHE_DIR", scene.lab.directory("cache"));
        command
    };
    let rate = |took: f64| made.to_f64() / took / 1e6;
    timed(&mut with(&["init"]));
    let ours = timed(&mut scene.backup()).0;
    let mut again = with(&["backup", "-q", "--force"]);
    let mut first = with(&["backup", "-q"]);
    let first = timed(first.arg(&scene.data)).0;
    let second = timed(again.arg(&scene.data)).0;
    println!(
        "backup: {:.0} MB/s; restic: first {:.0} MB/s, second {:.0} MB/s",
        rate(ours),
        rate(first),
        rate(second)
    );
}

fn peer(name: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the benchmarks' own seam")]
    let places = [std::env::var_os("WW_PEERS"), std::env::var_os("PATH")];
    let [peers, path] = places;
    let peers = peers.map(|peers| PathBuf::from(peers).join("bin"));
    let path = path.unwrap_or_default();
    let mut places = peers.into_iter().chain(std::env::split_paths(&path));
    places.find_map(|place| Some(place.join(name)).filter(|path| path.exists()))
}

/// Fills a directory: a half of large files, a half of small ones; a third of all cannot be compressed.
fn fill(directory: &Path, bytes: u64) -> u64 {
    let mut state = 1_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 33
    };
    let mut made = 0;
    let mut number = 0;
    while made < bytes {
        let is_large = number % 2000 == 0;
        let size = if is_large {
            bytes / 32
        } else {
            1000 + noise() % 30_000
        };
        let place = directory.join(format!("directory-{}", number / 500));
        fs::create_dir_all(&place).expect("a directory");
        let file = fs::File::create(place.join(format!("file-{number}"))).expect("a file");
        let mut file = std::io::BufWriter::new(file);
        let mut left = size;
        while left > 0 {
            let piece = if number % 3 == 0 {
                noise().to_le_bytes().to_vec()
            } else {
                format!(
                    "{} GET /shop/{}/item HTTP/1.1 200\n",
                    made + left,
                    noise() % 1000
                )
                .into_bytes()
            };
            let taken = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            file.write_all(&piece[..taken]).expect("room");
            left -= taken as u64;
        }
        file.flush().expect("room");
        made += size;
        number += 1;
    }
    made
}

/// Runs a command to its end: how many seconds it took, and the most KiB of memory it had.
fn timed(command: &mut Command) -> (f64, u64) {
    let begun = lab::now();
    let mut child = command.spawn().expect("it starts");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut memory = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().expect("its end") {
            break ended;
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let most = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|most| most.trim().strip_suffix(" kB")?.parse().ok());
        memory = memory.max(most.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success(), "{command:?}: {ended}");
    (begun.elapsed().as_secs_f64(), memory)
}

trait ToF64 {
    fn to_f64(self) -> f64;
}

impl ToF64 for u64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn to_f64(self) -> f64 {
        self as f64
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
