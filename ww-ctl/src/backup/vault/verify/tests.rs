//! What changed is found, wherever it did.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::*;
use crate::backup::vault::tests::{id, publish, publish_hook, tree};
use crate::backup::vault::{How, Set, Vault, Verified};

/// Numbers that are hard to foresee, and can be had again.
struct Numbers(u64);

impl Numbers {
    fn new() -> Self {
        let mut seed = [0; 8];
        let mut random = File::open("/dev/urandom").unwrap();
        random.read_exact(&mut seed).unwrap();
        Self(u64::from_le_bytes(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// A vault with one backup, verified in every way.
struct Scene {
    _directory: tempfile::TempDir,
    vault: Vault,
    at: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tree = tree(directory.path());
        let mut numbers = Numbers(1);
        let noise: Vec<u8> = (0..100_000)
            .flat_map(|_| numbers.next().to_le_bytes())
            .collect();
        fs::write(tree.join("noise"), noise).unwrap();
        for file in 0..200 {
            fs::write(tree.join(format!("below/{file}")), format!("file {file}")).unwrap();
        }
        let vault = Vault::make(&directory.path().join("vault")).unwrap();
        let one = id("20261122T161500Z-7f3a");
        let mut set = publish(&vault, "shop", &one, &tree);
        for how in [How::Quick, How::Full, How::Drill] {
            set.record_verified(how, Verified::new(one.time(), true, None))
                .unwrap();
        }
        Self {
            at: vault.path().join("shop").join(one.as_str()),
            vault,
            _directory: directory,
        }
    }

    fn set(&self) -> Result<Set, VaultError> {
        self.vault.find("shop")
    }

    /// What is found to be wrong with it.
    fn faults(&self, depth: Depth) -> Vec<String> {
        match self.set() {
            Err(error) => vec![chain(&error)],
            Ok(set) => verify(&set, depth, None, &Gauge::new()).unwrap().faults,
        }
    }
}

fn flip(path: &Path, at: usize, bit: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= bit;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_as_it_was_is_good() {
    let scene = Scene::new();
    for depth in [Depth::Quick, Depth::Full] {
        assert_eq!(scene.faults(depth), Vec::<String>::new());
    }
}

#[test]
fn a_byte_that_changed_is_found_wherever_it_is() {
    let scene = Scene::new();
    let rounds = if std::env::vars_os().any(|(name, _)| name == "WW_SOAK") {
        500
    } else {
        60
    };
    let files = [
        "data.tar.zst",
        "files.jsonl.zst",
        "manifest.json",
        "verified.json",
    ];
    let mut numbers = Numbers::new();
    for round in 0..rounds {
        let seed = numbers.0;
        // Most bytes are in one file, and the others count as much.
        let path = scene.at.join(files[round % files.len()]);
        let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
        let (at, bit) = (numbers.below(length), 1 << numbers.below(8));
        flip(&path, at, bit);
        let faults = scene.faults(Depth::Full);
        let words = format!(
            "byte {at} of {length} in {}, bit {bit:#x}, seed {seed}",
            path.display()
        );
        assert!(!faults.is_empty(), "{words}");
        flip(&path, at, bit);
    }
    assert_eq!(scene.faults(Depth::Full), Vec::<String>::new());
    println!("{rounds} bytes changed, each found");
}

#[test]
fn what_is_cut_longer_missing_or_something_else_is_found_and_nothing_hangs() {
    let scene = Scene::new();
    let path = scene.at.join("data.tar.zst");
    let whole = fs::read(&path).unwrap();
    let longer = [whole.as_slice(), b"x"].concat();
    for (content, words) in [
        (&whole[..whole.len() - 1], "bytes and not"),
        (&longer, "has more than its"),
    ] {
        fs::write(&path, content).unwrap();
        let faults = scene.faults(Depth::Quick);
        assert!(faults[0].contains(words), "{faults:?}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(scene.faults(Depth::Full), ["data.tar.zst is missing"]);
    // The right bytes behind a link are not those of the backup.
    let elsewhere = scene.at.join("../../elsewhere");
    fs::write(&elsewhere, &whole).unwrap();
    symlink(&elsewhere, &path).unwrap();
    let faults = scene.faults(Depth::Quick);
    assert!(faults[0].contains("it is a link"), "{faults:?}");
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let faults = scene.faults(Depth::Quick);
    assert!(faults[0].contains("no regular file"), "{faults:?}");
}

#[test]
fn a_list_that_tells_of_other_files_is_found_though_every_digest_is_right() {
    let scene = Scene::new();
    let set = scene.set().unwrap();
    let mut lines = Vec::new();
    let mut list = files(&set, 0, None).unwrap();
    while let Some(line) = listed::read(&mut list).unwrap() {
        lines.push(line);
    }
    let compared = |lines: &[Line]| {
        let mut text = Vec::new();
        for line in lines {
            line.write(&mut text).unwrap();
        }
        let mut comparing = Comparing::new(&text[..]);
        let content = reader(&set, 0, None).unwrap();
        index(content, &mut comparing, "files.jsonl.zst", &Gauge::new()).unwrap();
        comparing.end().join("; ")
    };
    assert_eq!(compared(&lines), "");
    let noise = lines
        .iter()
        .position(|line| line.path.0 == b"noise")
        .unwrap();
    let mut other = lines.clone();
    other[noise].sha256 = Some("0".repeat(64));
    assert_eq!(compared(&other), "noise is not as it is listed");
    other[noise].path.0 = b"nois\x1b[2Je".to_vec();
    assert_eq!(compared(&other), "noise is where noise is listed");
    let found = compared(&lines[..lines.len() - 1]);
    assert!(found.ends_with("and what follows is not listed"), "{found}");
    let mut more = lines.clone();
    more.push(lines[noise].clone());
    assert_eq!(compared(&more), "noise and what follows is listed only");
}

#[test]
fn it_ends_when_it_is_told_to() {
    let scene = Scene::new();
    let gauge = Gauge::new();
    gauge.stop();
    let verdict = verify(&scene.set().unwrap(), Depth::Full, None, &gauge);
    assert!(matches!(verdict, Err(SealError::Stopped)));
}

#[test]
fn what_a_script_wrote_is_compared_file_by_file() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let set = publish_hook(&vault, "shop", &id("20261122T161500Z-7f3a"), &tree);
    let at = set.place().path().join("hook");
    let faults = |depth| verify(&set, depth, None, &Gauge::new()).unwrap().faults;
    for depth in [Depth::Quick, Depth::Full] {
        assert_eq!(faults(depth), Vec::<String>::new());
    }
    flip(&at.join("a"), 100, 1);
    // It has two names.
    assert_eq!(
        faults(Depth::Quick),
        [
            "hook: a is not as it is listed",
            "hook: below/again is not as it is listed"
        ]
    );
    flip(&at.join("a"), 100, 1);
    flip(&at.join("holey"), 5 << 20, 1);
    assert_eq!(faults(Depth::Quick), ["hook: holey is not as it is listed"]);
    flip(&at.join("holey"), 5 << 20, 1);
    assert_eq!(
        faults(Depth::Full),
        Vec::<String>::new(),
        "holes are gone, and are none"
    );
    fs::remove_file(at.join("below/b")).unwrap();
    symlink("/etc/passwd", at.join("below/b")).unwrap();
    fs::write(at.join("new"), "").unwrap();
    assert_eq!(
        faults(Depth::Quick),
        [
            "hook: below/b is not as it is listed",
            "hook: new is not listed"
        ]
    );
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(&at, &elsewhere).unwrap();
    symlink(&elsewhere, &at).unwrap();
    let found = faults(Depth::Quick);
    assert!(found[0].starts_with("hook cannot be read"), "{found:?}");
}
