//! Backups are written, found, and told from what is none.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use ww_archive::pack::{PackOptions, pack};
use ww_archive::{Entry, Problem, Watch};

use super::*;
use crate::backup::source::Gauge;

struct Quiet;

impl Watch for Quiet {
    fn entry(&mut self, _: &Entry) {}
    fn bytes(&mut self, _: u64) {}
    fn problem(&mut self, _: Problem) {}
    fn is_over(&self) -> bool {
        false
    }
}

/// A tree and its raw archive.
fn raw(incoming: &Incoming, tree: &Path) -> File {
    let mut raw = incoming.spool().unwrap();
    let root = File::open(tree).unwrap();
    pack(root.as_fd(), &PackOptions::default(), &mut raw, &mut Quiet).unwrap();
    raw.rewind().unwrap();
    raw
}

pub(super) fn tree(directory: &Path) -> std::path::PathBuf {
    let tree = directory.join("tree");
    fs::create_dir_all(tree.join("below")).unwrap();
    fs::write(tree.join("a"), vec![7; 300_000]).unwrap();
    fs::write(tree.join("below/b"), "b").unwrap();
    fs::hard_link(tree.join("a"), tree.join("below/again")).unwrap();
    symlink("nowhere", tree.join("link")).unwrap();
    let mut holey = File::create(tree.join("holey")).unwrap();
    holey.set_len(10 << 20).unwrap();
    holey.seek(std::io::SeekFrom::Start(5 << 20)).unwrap();
    holey.write_all(b"amid").unwrap();
    tree
}

fn part(sealed: Sealed, kind: PartKind) -> Part {
    Part {
        kind,
        place: "/data".into(),
        backing: BackingOf {
            kind: BackingKind::Directory,
            source: "/srv/data".into(),
        },
        source: "host".into(),
        loses: Vec::new(),
        excluded: Vec::new(),
        below: Vec::new(),
        payload: sealed.payload,
        files: sealed.files,
        counts: sealed.counts,
        problems: ProblemsTold::default(),
    }
}

pub(super) fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

pub(super) fn publish(vault: &Vault, name: &str, id: &Id, tree: &Path) -> Set {
    let lock = vault.lock(name).unwrap();
    let incoming = lock.incoming(id).unwrap();
    let raw = raw(&incoming, tree);
    let options = SealOptions::default();
    let sealed = incoming.seal(raw, 1, &options, &Gauge::new()).unwrap();
    let mut manifest = Manifest::new(id.clone(), name, id.time(), Consistency::Live);
    manifest.parts.push(part(sealed, PartKind::Data));
    incoming.publish(&manifest).unwrap()
}

pub(super) fn publish_hook(vault: &Vault, name: &str, id: &Id, tree: &Path) -> Set {
    let lock = vault.lock(name).unwrap();
    let incoming = lock.incoming(id).unwrap();
    let raw = raw(&incoming, tree);
    let options = SealOptions::default();
    let sealed = incoming.seal_tree(raw, 1, &options, &Gauge::new()).unwrap();
    assert_eq!(sealed.payload.file, "hook");
    let mut manifest = Manifest::new(id.clone(), name, id.time(), Consistency::Hook);
    manifest.parts.push(part(sealed, PartKind::Hook));
    incoming.publish(&manifest).unwrap()
}

fn digest(path: &Path) -> String {
    sha256(&fs::read(path).unwrap())
}

#[test]
fn a_backup_is_there_when_it_is_complete_and_reads_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let id = id("20261122T161500Z-7f3a");
    let lock = vault.lock("shop").unwrap();
    let incoming = lock.incoming(&id).unwrap();
    let mut raw = raw(&incoming, &tree);
    let copy = raw.try_clone().unwrap();
    let options = SealOptions::default();
    let sealed = incoming.seal(copy, 1, &options, &Gauge::new()).unwrap();
    assert!(vault.listed("shop").unwrap().is_empty());
    assert_eq!(sealed.counts.entries, 7);
    assert_eq!(sealed.counts.files, 3);
    assert_eq!(sealed.counts.hard_links, 1);
    assert_eq!(sealed.counts.directories, 2);

    let mut manifest = Manifest::new(id.clone(), "shop", id.time(), Consistency::Live);
    manifest.parts.push(part(sealed, PartKind::Data));
    let set = incoming.publish(&manifest).unwrap();
    assert_eq!(vault.listed("shop").unwrap().len(), 1);
    let at = vault.path().join("shop").join(id.as_str());
    let payload = &set.manifest.parts[0].payload;
    assert_eq!(payload.sha256, digest(&at.join("data.tar.zst")));
    let files = &set.manifest.parts[0].files;
    assert_eq!(files.sha256, digest(&at.join("files.jsonl.zst")));
    let mut left: Vec<_> = fs::read_dir(vault.path().join("shop"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, [".lock", id.as_str()]);

    let (mut written, mut read) = (Vec::new(), Vec::new());
    raw.rewind().unwrap();
    raw.read_to_end(&mut written).unwrap();
    reader(&set, 0, None)
        .unwrap()
        .read_to_end(&mut read)
        .unwrap();
    assert!(written == read);
    let mut list = super::files(&set, 0, None).unwrap();
    let mut lines = Vec::new();
    while let Some(line) = read_line(&mut list).unwrap() {
        lines.push(line);
    }
    let find = |path: &str| lines.iter().find(|line| line.path.0 == path.as_bytes());
    assert_eq!(find("below/b").unwrap().sha256, Some(sha256(b"b")));
    assert!(find("holey").unwrap().blocks_sha256.is_some());
    assert_eq!(lines.len(), 7);
}

#[test]
fn one_that_is_not_finished_leaves_nothing_and_one_that_was_killed_is_swept() {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::make(directory.path()).unwrap();
    let lock = vault.lock("shop").unwrap();
    let incoming = lock.incoming(&id("20261122T161500Z-7f3a")).unwrap();
    let at = directory
        .path()
        .join("shop/.incoming-20261122T161500Z-7f3a");
    assert!(at.exists());
    drop(incoming);
    assert!(!at.exists());
    std::mem::forget(lock.incoming(&id("20261122T161500Z-7f3a")).unwrap());
    assert_eq!(lock.sweep().unwrap().len(), 1);
    assert!(!at.exists());
    assert!(matches!(vault.lock("shop"), Err(VaultError::Locked { .. })));
    assert!(vault.lock("other").is_ok());
    drop(lock);
    assert!(vault.lock("shop").is_ok());
}

#[test]
fn one_is_found_by_what_is_written_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let (one, two) = (id("20261122T161500Z-7f3a"), id("20261123T161500Z-aaaa"));
    publish(&vault, "shop", &one, &tree);
    publish(&vault, "shop", &two, &tree);
    publish(&vault, "blog", &id("20261122T161500Z-aaaa"), &tree);
    let found = |reference: &str| vault.find(reference).map(|set| set.reference());
    let expected = format!("shop/{one}");
    for reference in [&expected, one.as_str(), "7f3a", "shop/7f3a"] {
        assert_eq!(found(reference).unwrap(), expected, "{reference}");
    }
    assert_eq!(found("shop").unwrap(), format!("shop/{two}"));
    assert_eq!(found("shop/latest").unwrap(), format!("shop/{two}"));
    assert_eq!(found("shop/aaaa").unwrap(), format!("shop/{two}"));
    assert!(matches!(found("aaaa"), Err(VaultError::Ambiguous { .. })));
    for reference in ["none", "none/7f3a", "shop/", "shop/0000", "../shop", ""] {
        assert!(
            matches!(found(reference), Err(VaultError::Absent { .. })),
            "{reference}"
        );
    }
    assert!(vault.lock("shop").unwrap().remove(&two).unwrap());
    assert_eq!(found("shop").unwrap(), expected);
    fs::write(
        vault
            .path()
            .join("shop")
            .join(one.as_str())
            .join("manifest.json"),
        "{}",
    )
    .unwrap();
    assert!(matches!(found("7f3a"), Err(VaultError::Broken { .. })));
    assert!(matches!(
        vault.listed("shop").unwrap()[..],
        [Listed::Broken { .. }]
    ));
}

#[test]
fn what_is_read_is_not_removed_and_what_is_removed_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let one = id("20261122T161500Z-7f3a");
    publish(&vault, "shop", &one, &tree);
    let lock = vault.lock("shop").unwrap();
    let [read, late] = [(); 2].map(|()| vault.find("shop/7f3a").unwrap());
    read.hold().unwrap();
    let copy = read.clone();
    drop(read);
    assert!(!lock.remove(&one).unwrap());
    assert!(vault.find("shop/7f3a").is_ok());
    drop(copy);
    assert!(lock.remove(&one).unwrap());
    assert!(matches!(late.hold(), Err(VaultError::Absent { .. })));
    assert!(vault.find("shop/7f3a").is_err());
}

#[test]
fn links_and_pipes_in_a_vault_are_not_followed_and_hold_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let outside = directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, vault.path().join("shop")).unwrap();
    assert!(vault.lock("shop").is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    let one = id("20261122T161500Z-7f3a");
    publish(&vault, "blog", &one, &tree);
    let at = vault.path().join("blog").join(one.as_str());
    fs::rename(&at, outside.join(one.as_str())).unwrap();
    symlink(outside.join(one.as_str()), &at).unwrap();
    assert!(vault.find("blog/7f3a").is_err());
    assert!(vault.lock("blog").unwrap().remove(&one).unwrap());
    assert!(outside.join(one.as_str()).join("manifest.json").exists());

    let lock = vault.path().join("pipe");
    fs::create_dir(&lock).unwrap();
    nix::unistd::mkfifo(&lock.join(".lock"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(vault.lock("pipe"), Err(VaultError::Odd { .. })));
    symlink(outside.join("made"), vault.path().join("blog/.incoming-x")).unwrap();
    vault.lock("blog").unwrap().sweep().unwrap();
    assert!(outside.exists());
}

#[test]
fn what_was_found_out_is_kept_and_a_later_fault_counts() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let mut set = publish(&vault, "shop", &id("20261122T161500Z-7f3a"), &tree);
    let at = |second: i64| jiff::Timestamp::new(1_800_000_000 + second, 0).unwrap();
    assert_eq!(set.verified.good(), None);
    set.record_verified(How::Full, Verified::new(at(0), true, None))
        .unwrap();
    set.record_verified(How::Quick, Verified::new(at(1), true, None))
        .unwrap();
    let read = vault.find("shop").unwrap();
    assert_eq!(read.verified.good().unwrap().0, How::Full);
    set.record_verified(
        How::Drill,
        Verified::new(at(2), false, Some("a\x1b[2Jb".into())),
    )
    .unwrap();
    assert_eq!(vault.find("shop").unwrap().verified.good(), None);
    assert!(
        !set.verified
            .drill
            .clone()
            .unwrap()
            .text
            .unwrap()
            .contains('\x1b')
    );
    let path = set.place().path().join("verified.json");
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("\"ok\": false", "\"ok\": true");
    fs::write(&path, text).unwrap();
    let read = vault.find("shop").unwrap();
    assert!(read.is_verified_damaged());
    assert_eq!(read.verified.good(), None);
}

#[test]
fn what_a_script_wrote_lies_there_as_files() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let set = publish_hook(&vault, "shop", &id("20261122T161500Z-7f3a"), &tree);
    let hook = set.place().path().join("hook");
    assert_eq!(fs::read_to_string(hook.join("below/b")).unwrap(), "b");
    assert!(set.tree().is_ok());
}

#[test]
fn an_archive_that_is_cut_is_no_backup() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let lock = vault.lock("shop").unwrap();
    let incoming = lock.incoming(&id("20261122T161500Z-7f3a")).unwrap();
    let raw = raw(&incoming, &tree);
    let length = raw.metadata().unwrap().len();
    raw.set_len(length - 1024).unwrap();
    let sealed = incoming.seal(raw, 1, &SealOptions::default(), &Gauge::new());
    assert!(matches!(sealed, Err(SealError::Archive(_))), "{sealed:?}");
}

#[test]
fn every_byte_of_the_payload_counts() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree(directory.path());
    let vault = Vault::make(&directory.path().join("vault")).unwrap();
    let set = publish(&vault, "shop", &id("20261122T161500Z-7f3a"), &tree);
    for file in ["data.tar.zst", "files.jsonl.zst"] {
        let path = set.place().path().join(file);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 50) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            let read = match file {
                "data.tar.zst" => reader(&set, 0, None).unwrap().read_to_end(&mut Vec::new()),
                _ => super::files(&set, 0, None)
                    .unwrap()
                    .read_to_end(&mut Vec::new()),
            };
            assert!(read.is_err(), "{file} {at}");
        }
        for odd in [&whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            fs::write(&path, odd).unwrap();
            let read = match file {
                "data.tar.zst" => reader(&set, 0, None).unwrap().read_to_end(&mut Vec::new()),
                _ => super::files(&set, 0, None)
                    .unwrap()
                    .read_to_end(&mut Vec::new()),
            };
            assert!(read.is_err(), "{file} of another length");
        }
        fs::write(&path, whole).unwrap();
    }
}
