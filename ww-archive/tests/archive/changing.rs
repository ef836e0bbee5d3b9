//! Trees that are changed while they are read. Each change is made when an entry is told, so that it comes between
//! listing and opening, or between opening and reading.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use ww_archive::pack::PackOptions;
use ww_archive::{Entry, ProblemKind};

use crate::lab::{Log, Scratch, packed, read};

/// Packs a tree in which something is done as soon as an entry is told, and gives what is in the archive.
fn meanwhile<'a>(tree: &Path, hook: impl FnMut(&Entry) + 'a) -> (Log<'a>, Vec<(Entry, Vec<u8>)>) {
    let mut log = Log::with(hook);
    let (archive, _) = packed(tree, &PackOptions::default(), &mut log).expect("it is packed");
    let all = read(&archive[..]).expect("the archive is good");
    let entries: Vec<Entry> = all.iter().map(|(entry, _)| entry.clone()).collect();
    assert_eq!(entries, log.entries);
    (log, all)
}

fn content<'a>(all: &'a [(Entry, Vec<u8>)], path: &str) -> Option<&'a [u8]> {
    let found = all.iter().find(|(entry, _)| entry.path == path.as_bytes());
    found.map(|(_, content)| &content[..])
}

#[test]
fn a_file_that_shrinks_is_filled_up() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    fs::write(tree.join("file"), vec![1; 1_000_000]).unwrap();
    let (log, all) = meanwhile(&tree, |entry| {
        if entry.path == b"file" {
            File::options()
                .write(true)
                .open(tree.join("file"))
                .unwrap()
                .set_len(300_000)
                .unwrap();
        }
    });
    assert_eq!(log.told(), ["shrank file"]);
    assert_eq!(
        log.text(ProblemKind::Shrank),
        "it had 1000000 bytes, and 300000 when it was read; the rest is zeros"
    );
    let content = content(&all, "file").unwrap();
    assert!(content[..300_000].iter().all(|byte| *byte == 1));
    assert!(content[300_000..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_file_that_grows_is_cut_and_one_that_changes_is_told() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    for name in ["appended", "empty", "written", "same"] {
        fs::write(tree.join(name), if name == "empty" { "" } else { "before" }).unwrap();
    }
    let (log, all) = meanwhile(&tree, |entry| match &entry.path[..] {
        b"appended" | b"empty" => OpenOptions::new()
            .append(true)
            .open(tree.join(String::from_utf8_lossy(&entry.path).as_ref()))
            .unwrap()
            .write_all(b" and after")
            .unwrap(),
        b"written" => {
            let file = File::options()
                .write(true)
                .open(tree.join("written"))
                .unwrap();
            (&file).write_all(b"behind").unwrap();
        }
        _ => {}
    });
    assert_eq!(
        log.told(),
        ["changed written", "grew appended", "grew empty"]
    );
    assert_eq!(content(&all, "appended"), Some(&b"before"[..]));
    assert_eq!(content(&all, "empty"), Some(&b""[..]));
    assert_eq!(content(&all, "same"), Some(&b"before"[..]));
}

#[test]
fn what_goes_or_is_replaced_is_told_and_never_followed() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    fs::write(scratch.path("secret"), "secret").unwrap();
    let names = [
        "gone",
        "by-link",
        "by-directory",
        "by-fifo",
        "by-socket",
        "by-device",
    ];
    for name in names {
        fs::write(tree.join(name), name).unwrap();
    }
    symlink("nowhere", tree.join("link")).unwrap();
    for name in ["dir-gone", "dir-by-link", "dir-by-file"] {
        fs::create_dir(tree.join(name)).unwrap();
        fs::write(tree.join(name).join("inside"), "x").unwrap();
    }
    fs::create_dir(scratch.path("outside")).unwrap();
    fs::write(scratch.path("outside/inside"), "secret").unwrap();

    // The directory was listed when its first file is told; all others are then something else.
    let kept = std::cell::OnceCell::new();
    let (log, all) = meanwhile(&tree, |entry| {
        if entry.path.is_empty() || kept.get().is_some() {
            return;
        }
        kept.set(String::from_utf8_lossy(&entry.path).into_owned())
            .unwrap();
        let others = names
            .iter()
            .chain(&["link"])
            .filter(|name| name.as_bytes() != entry.path);
        for name in others {
            let path = tree.join(name);
            fs::remove_file(&path).unwrap();
            match *name {
                "by-link" => symlink(scratch.path("secret"), &path).unwrap(),
                "by-directory" => fs::create_dir(&path).unwrap(),
                "by-fifo" => mknodat(CWD, &path, FileType::Fifo, Mode::from(0o600), 0).unwrap(),
                "by-socket" => mknodat(CWD, &path, FileType::Socket, Mode::from(0o600), 0).unwrap(),
                "by-device" => {
                    let null = rustix::fs::makedev(1, 3);
                    mknodat(
                        CWD,
                        &path,
                        FileType::CharacterDevice,
                        Mode::from(0o600),
                        null,
                    )
                    .unwrap();
                }
                "link" => fs::write(&path, "a file now").unwrap(),
                _ => {}
            }
        }
        for name in ["dir-gone", "dir-by-link", "dir-by-file"] {
            fs::remove_dir_all(tree.join(name)).unwrap();
        }
        symlink(scratch.path("outside"), tree.join("dir-by-link")).unwrap();
        fs::write(tree.join("dir-by-file"), "a file now").unwrap();
    });
    let kept = kept.get().unwrap();
    let mut expected: Vec<String> = [
        "vanished gone",
        "replaced by-link",
        "replaced by-directory",
        "replaced by-fifo",
        "replaced by-socket",
        "replaced by-device",
        "replaced link",
        "vanished dir-gone",
        "replaced dir-by-link",
        "replaced dir-by-file",
    ]
    .into_iter()
    .filter(|told| !told.ends_with(&format!(" {kept}")))
    .map(str::to_owned)
    .collect();
    expected.sort();
    assert_eq!(log.told(), expected);
    assert_eq!(all.len(), 2, "the root and {kept}");
}

#[test]
fn a_directory_that_is_moved_away_is_told() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    // So deep that the upper ones are closed; then one of them is moved elsewhere.
    let mut path = tree.join("top");
    for _ in 0..60 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("bottom"), "x").unwrap();
    fs::create_dir(tree.join("top/d/d/z")).unwrap();
    let (log, all) = meanwhile(&tree, |entry| {
        if entry.path.ends_with(b"/bottom") {
            fs::rename(tree.join("top/d/d/d"), scratch.path("elsewhere")).unwrap();
        }
    });
    assert!(content(&all, &format!("top{}/bottom", "/d".repeat(60))).is_some());
    let told = log.told();
    assert!(
        told.iter().all(|told| told.starts_with("vanished top/d")),
        "{told:?}"
    );
    // What is beside it is found again, by its names from the root.
    assert!(
        all.iter().any(|(entry, _)| entry.path == b"top/d/d/z"),
        "{told:?}"
    );
}
