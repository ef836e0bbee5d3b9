//! What is written of a tree.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, mknodat, utimensat};
use ww_archive::measure::{Measured, measure};
use ww_archive::pack::{PackError, PackOptions, Writer, pack};
use ww_archive::pattern::Patterns;
use ww_archive::{Entry, Kind, Segment, Time};

use crate::lab::{Log, Scratch, packed, read, whole};

fn find<'a>(entries: &'a [Entry], path: &str) -> &'a Entry {
    entries
        .iter()
        .find(|entry| entry.path == path.as_bytes())
        .expect(path)
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    fs::set_permissions(&tree, PermissionsExt::from_mode(0o2751)).unwrap();
    fs::create_dir_all(tree.join("a/b")).unwrap();
    fs::write(tree.join("a/empty"), "").unwrap();
    fs::write(tree.join("a/b/block"), [7; 512]).unwrap();
    fs::write(tree.join("more"), vec![8; 1_000_001]).unwrap();
    fs::hard_link(tree.join("more"), tree.join("a/again")).unwrap();
    symlink("../nowhere", tree.join("link")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    mknodat(CWD, tree.join("fifo"), FileType::Fifo, Mode::from(0o640), 0).unwrap();
    let long = "n".repeat(255);
    fs::write(tree.join(&long), "long").unwrap();
    std::os::unix::fs::chown(tree.join(&long), Some(4_294_967_294), Some(1 << 31)).unwrap();
    let last_modification = Timespec {
        tv_sec: -3,
        tv_nsec: 250_000_000,
    };
    let times = Timestamps {
        last_access: last_modification,
        last_modification,
    };
    utimensat(CWD, tree.join(&long), &times, AtFlags::empty()).unwrap();

    let (archive, entries) = whole(&tree);
    drop(socket);
    let all = read(&archive[..]).unwrap();
    assert_eq!(
        all.iter()
            .map(|(entry, _)| entry.clone())
            .collect::<Vec<_>>(),
        entries
    );

    assert_eq!((&entries[0].path[..], entries[0].mode), (&b""[..], 0o2751));
    assert_eq!(find(&entries, "a/b").kind, Kind::Directory);
    assert_eq!(
        find(&entries, "a/again").kind,
        Kind::HardLink {
            target: b"more".to_vec()
        }
    );
    assert_eq!(
        find(&entries, "link").kind,
        Kind::Symlink {
            target: b"../nowhere".to_vec()
        }
    );
    assert_eq!(find(&entries, "socket").kind, Kind::Socket);
    assert_eq!(find(&entries, "fifo").kind, Kind::Fifo);
    let odd = find(&entries, &long);
    assert_eq!((odd.uid, odd.gid), (4_294_967_294, 1 << 31));
    assert_eq!(
        odd.mtime,
        Time {
            seconds: -3,
            nanos: 250_000_000
        }
    );
    let content = |path: &str| {
        &all.iter()
            .find(|(entry, _)| entry.path == path.as_bytes())
            .expect(path)
            .1
    };
    assert_eq!(content("a/b/block"), &[7; 512]);
    assert_eq!(content("more"), &vec![8; 1_000_001]);
    assert_eq!(content("a/empty"), b"");
}

#[test]
fn holes_are_kept_and_measured() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    let file = File::create(tree.join("holes")).unwrap();
    file.set_len(6 << 30).unwrap();
    file.write_all_at(&[1; 4096], 1 << 20).unwrap();
    file.write_all_at(&[2; 4096], 5 << 30).unwrap();
    File::create(tree.join("nothing"))
        .unwrap()
        .set_len(1_000_000)
        .unwrap();

    let (archive, entries) = whole(&tree);
    assert!(archive.len() < 32 * 1024, "{}", archive.len());
    let holes = find(&entries, "holes");
    assert_eq!(holes.size, 6 << 30);
    let piece = |offset| Segment {
        offset,
        length: 4096,
    };
    assert_eq!(
        holes.segments.as_deref(),
        Some(&[piece(1 << 20), piece(5 << 30)][..])
    );
    assert_eq!(find(&entries, "nothing").segments.as_deref(), Some(&[][..]));
    let all = read(&archive[..]).unwrap();
    let (read, content) = all
        .iter()
        .find(|(entry, _)| entry.path == b"holes")
        .unwrap();
    assert_eq!(read, holes);
    assert_eq!(content[..], [[1; 4096], [2; 4096]].concat());

    let root = File::open(&tree).unwrap();
    let measured = measure(root.as_fd(), &PackOptions::default()).unwrap();
    assert_eq!(
        measured,
        Measured {
            bytes: 8192,
            entries: 3
        }
    );
}

#[test]
fn what_is_not_wanted_is_told_once() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    fs::create_dir_all(tree.join("cache/deep/deeper")).unwrap();
    fs::write(tree.join("cache/deep/file"), "x").unwrap();
    fs::create_dir(tree.join("logs")).unwrap();
    fs::write(tree.join("logs/a.log"), "x").unwrap();
    fs::write(tree.join("logs/a.txt"), "x").unwrap();

    let exclude = Patterns::new([&b"cache"[..], b"**/*.log"]).unwrap();
    let mut log = Log::default();
    packed(&tree, &PackOptions { exclude }, &mut log).unwrap();
    assert_eq!(log.told(), ["excluded cache", "excluded logs/a.log"]);
    assert_eq!(log.entries.len(), 3);
}

#[test]
fn paths_are_as_deep_as_they_like() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    let name = "d".repeat(200);
    let levels = 100;
    deep(&tree, &name, levels);
    let (archive, entries) = whole(&tree);
    // Each level with a file in it, and one beside what is below it.
    assert_eq!(entries.len(), 1 + 3 * levels);
    let longest = entries.iter().map(|entry| entry.path.len()).max();
    assert_eq!(longest, Some(201 * levels + 4));
    assert_eq!(read(&archive[..]).unwrap().len(), entries.len());
}

/// A tree deeper than any path the kernel takes: in each directory a file, and one more directory after the deep one.
fn deep(tree: &Path, name: &str, levels: usize) {
    let mut at = File::open(tree).unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&at, name, Mode::from(0o755)).unwrap();
        rustix::fs::mkdirat(&at, "beside", Mode::from(0o755)).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY;
        at = File::from(rustix::fs::openat(&at, name, flags, Mode::empty()).unwrap());
        mknodat(&at, "file", FileType::RegularFile, Mode::from(0o644), 0).unwrap();
    }
}

#[test]
fn what_is_no_directory_is_no_tree() {
    let scratch = Scratch::new();
    fs::write(scratch.path("file"), "").unwrap();
    symlink("file", scratch.path("link")).unwrap();
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::NOFOLLOW;
    for name in ["file", "link"] {
        let root = rustix::fs::openat(CWD, scratch.path(name), flags, Mode::empty()).unwrap();
        let failed = pack(
            root.as_fd(),
            &PackOptions::default(),
            &mut io::sink(),
            &mut Log::default(),
        );
        assert!(matches!(failed, Err(PackError::NoDirectory)), "{failed:?}");
    }
}

/// Takes some bytes and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_fails_is_an_error_and_a_watch_can_stop_it() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    fs::write(tree.join("file"), vec![1; 3_000_000]).unwrap();
    let root = File::open(&tree).unwrap();
    let options = PackOptions::default();
    let failed = pack(
        root.as_fd(),
        &options,
        &mut Full(1_000_000),
        &mut Log::default(),
    );
    let Err(PackError::Output(error)) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);

    let mut log = Log {
        stop_after: Some(2),
        ..Log::default()
    };
    let stopped = packed(&tree, &options, &mut log);
    assert!(matches!(stopped, Err(PackError::Stopped)), "{stopped:?}");
    assert!(log.bytes < 3_000_000);
}

#[test]
fn what_was_read_is_written_again_byte_for_byte() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    fs::create_dir_all(tree.join("a").join("d".repeat(200)).join("e".repeat(200))).unwrap();
    for size in [0, 1, 511, 512, 513, 1_000_001] {
        fs::write(tree.join(format!("a/{size}")), vec![9; size]).unwrap();
    }
    fs::hard_link(tree.join("a/513"), tree.join("again")).unwrap();
    symlink("a", tree.join("link")).unwrap();
    let holes = File::create(tree.join("holes")).unwrap();
    holes.write_all_at(b"x", 5_000_000).unwrap();
    holes.set_len(9_000_000).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    let (archive, _) = whole(&tree);
    let mut again = Vec::new();
    let mut writer = Writer::new(&mut again);
    for (entry, content) in read(&archive[..]).unwrap() {
        writer.entry(&entry).unwrap();
        writer.content(&content).unwrap();
        writer.content(b"too much").unwrap();
    }
    let written = writer.end().unwrap();
    assert!(again == archive);
    assert_eq!(written.written, archive.len() as u64);

    // What is missing is zeros, and the archive is good.
    let mut short = Vec::new();
    let mut writer = Writer::new(&mut short);
    for (entry, _) in read(&archive[..]).unwrap() {
        writer.entry(&entry).unwrap();
    }
    writer.end().unwrap();
    assert_eq!(short.len(), archive.len());
    assert_eq!(read(&short[..]).unwrap().len() as u64, written.entries);
}
