//! Any bytes, any entries, any damage.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use ww_archive::read::{Limits, Reader};
use ww_archive::unpack::unpack;

use crate::extracting::everything;
use crate::lab::{Log, Raw, Scratch, Tar, read, seal, whole};

/// Small limits, so that they are met.
const LIMITS: Limits = Limits {
    strip_first: false,
    path: 300,
    records: 4096,
    segments: 16,
};

/// Reads as far as it goes; no more is asked than that it ends.
fn survives(bytes: &[u8]) {
    let mut reader = Reader::new(bytes, LIMITS);
    while let Ok(Some(entry)) = reader.next() {
        assert!(entry.path.len() <= LIMITS.path && !entry.path.contains(&0));
        assert!(
            entry.path.is_empty()
                || !entry
                    .path
                    .split(|byte| *byte == b'/')
                    .any(|name| { matches!(name, b"" | b"." | b"..") })
        );
        assert!(
            entry
                .segments
                .as_ref()
                .is_none_or(|segments| segments.len() <= LIMITS.segments)
        );
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
    }
    assert!(reader.position() <= bytes.len() as u64);
}

/// Headers that are good enough to be looked into.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(b"\x000123456789gxLKSV".to_vec());
    let name = prop::sample::select(vec![
        &b"./"[..],
        b"./a",
        b"./a/",
        b"a/b",
        b"../a",
        b"/a",
        b"a//b",
        b"\xff",
        b"",
    ]);
    let size = prop_oneof![
        Just(b"0".to_vec()),
        vec(b'0'..=b'7', 1..12),
        vec(any::<u8>(), 0..12)
    ];
    let records = vec((record_key(), vec(any::<u8>(), 0..40)), 0..6);
    (kinds, name, size, records, vec(any::<u8>(), 0..1200)).prop_map(
        |(kind, name, size, records, content)| {
            let mut raw = Raw::new(kind, name);
            raw.size = size;
            raw.link = name.to_vec();
            let records: Vec<(&str, &[u8])> = records
                .iter()
                .map(|(key, value)| (*key, &value[..]))
                .collect();
            let tar = if records.is_empty() {
                Tar::default()
            } else {
                Tar::default().records(b'x', &records)
            };
            tar.raw(&raw).content(&content).0
        },
    )
}

fn record_key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "path",
        "linkpath",
        "size",
        "uid",
        "mtime",
        "comment",
        "SCHILY.xattr.user.a",
        "GNU.sparse.major",
        "GNU.sparse.minor",
        "GNU.sparse.name",
        "GNU.sparse.realsize",
        "WHALEWARE.type",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in vec(any::<u8>(), 0..4096)) {
        survives(&bytes);
        // With a good checksum more of it is looked at.
        let mut bytes = bytes;
        for block in bytes.chunks_exact_mut(512) {
            seal(block);
        }
        survives(&bytes);
    }

    #[test]
    fn any_headers_are_read_to_an_end(parts in vec(header(), 0..5)) {
        survives(&parts.concat());
    }

    #[test]
    fn a_byte_that_is_changed_is_noticed_or_is_content(at in 0_usize..4608, by in 1..=255_u8) {
        let archive = Tar::default()
            .root()
            .records(b'x', &[("mtime", b"1.5"), ("SCHILY.xattr.user.a", b"value")])
            .file(b"a", &[b'c'; 700])
            .raw(&Raw::link(b'2', b"link", b"a"))
            .end();
        prop_assert_eq!(archive.len(), 4608);
        let good = read(&archive[..]).unwrap();
        let mut bad = archive.clone();
        bad[at] = bad[at].wrapping_add(by);
        // The records, the content and what fills it up have no checksum: they may say something else.
        if !matches!(at, 1024..1536 | 2048..3072) && let Ok(other) = read(&bad[..]) {
            // Who writes a checksum may do it in several ways.
            prop_assert_eq!(other, good);
        }
    }
}

proptest! {
    // Each of these waits for a file system.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_headers_stay_in_their_directory(parts in vec(header(), 0..5)) {
        let scratch = Scratch::new();
        let target = scratch.directory("target");
        let archive = Tar([Tar::default().root().0, parts.concat()].concat()).end();
        let root = File::open(&target).unwrap();
        let _ = unpack(Reader::new(&archive[..], LIMITS), root.as_fd(), &everything(), &mut Log::default());
        prop_assert_eq!(fs::read_dir(scratch.path("")).unwrap().count(), 1);
    }

    #[test]
    fn any_small_tree_comes_back(files in vec((name(), vec(any::<u8>(), 0..2000), any::<bool>()), 0..8)) {
        let scratch = Scratch::new();
        let tree = scratch.directory("tree");
        for (name, content, below) in &files {
            plant(&tree, name, content, *below);
        }
        let (archive, mut entries) = whole(&tree);
        let all = read(&archive[..]).unwrap();
        for (entry, content) in &all {
            let path = tree.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&entry.path));
            if path.is_file() {
                prop_assert_eq!(&fs::read(path).unwrap(), content);
            }
        }
        let target = scratch.directory("target");
        let root = File::open(&target).unwrap();
        unpack(Reader::new(&archive[..], Limits::default()), root.as_fd(), &everything(), &mut Log::default()).unwrap();
        let (_, mut again) = whole(&target);
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        again.sort_by(|one, other| one.path.cmp(&other.path));
        prop_assert_eq!(entries, again);
    }
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(
        any::<u8>().prop_filter("in a name", |byte| !matches!(byte, 0 | b'/' | b'.')),
        1..120,
    )
}

fn plant(tree: &Path, name: &[u8], content: &[u8], below: bool) {
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name);
    let directory = if below {
        tree.join("below").join(name)
    } else {
        tree.to_owned()
    };
    fs::create_dir_all(&directory).unwrap();
    // The same name twice is one file.
    if let Ok(mut file) = File::create(directory.join(name)) {
        file.write_all(content).unwrap();
    }
}
