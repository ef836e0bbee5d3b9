//! An entry as bytes: the records that no header has room for, and the header.

use crate::block::{self, BLOCK, Block};
use crate::entry::{Entry, Kind, Segment};
use crate::record;

/// Zeros at the end of an archive.
pub(super) const TRAILER: u64 = 1024;

/// The highest modification time a header has room for.
const LATEST: i64 = 0o77_777_777_777;

/// Everything that precedes the content: records, header, map of the holes.
pub(crate) fn header(entry: &Entry) -> Vec<u8> {
    let mut name = Vec::with_capacity(entry.path.len() + 3);
    name.extend_from_slice(b"./");
    name.extend_from_slice(&entry.path);
    if entry.kind == Kind::Directory && !entry.path.is_empty() {
        name.push(b'/');
    }
    let map = entry
        .segments
        .as_deref()
        .map(|segments| map(segments, entry.size));
    let mut records = Vec::new();
    let main = main(entry, &name, map.is_some(), &mut records);

    let mut bytes = Vec::with_capacity(4 * BLOCK);
    if !records.is_empty() {
        let mut extended = Block::new(b'x');
        let _ = extended.text(block::NAME, b"./PaxHeaders/") | extended.number(block::MODE, 0o644);
        extended.number(block::SIZE, records.len() as u64);
        bytes.extend_from_slice(&extended.finish());
        bytes.append(&mut records);
        pad(&mut bytes);
    }
    bytes.extend_from_slice(&main);
    bytes.extend_from_slice(&map.unwrap_or_default());
    bytes
}

/// How much of the archive is the entry's after its header: the map of the holes and the content.
pub(crate) fn length(entry: &Entry) -> u64 {
    let map = entry
        .segments
        .as_deref()
        .map_or(0, |segments| map(segments, entry.size).len());
    map as u64 + entry.stored()
}

fn main(entry: &Entry, name: &[u8], sparse: bool, records: &mut Vec<u8>) -> [u8; BLOCK] {
    let mut block = Block::new(match &entry.kind {
        Kind::File | Kind::Socket => b'0',
        Kind::HardLink { .. } => b'1',
        Kind::Symlink { .. } => b'2',
        Kind::CharacterDevice { .. } => b'3',
        Kind::BlockDevice { .. } => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    });
    if sparse {
        // Who does not know of holes gets a name that says so.
        block.text(
            block::NAME,
            &[b"./GNUSparseFile.0/", last(&entry.path)].concat(),
        );
        record::push(records, b"GNU.sparse.major", b"1");
        record::push(records, b"GNU.sparse.minor", b"0");
        record::push(records, b"GNU.sparse.name", name);
        record::push(
            records,
            b"GNU.sparse.realsize",
            entry.size.to_string().as_bytes(),
        );
    } else if !block.text(block::NAME, name) {
        record::push(records, b"path", name);
    }
    match &entry.kind {
        Kind::Symlink { target } => link(&mut block, target, records),
        Kind::HardLink { target } => {
            link(&mut block, &[b"./", target.as_slice()].concat(), records);
        }
        Kind::CharacterDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            block.number(block::MAJOR, u64::from(*major));
            block.number(block::MINOR, u64::from(*minor));
        }
        Kind::Socket => record::push(records, b"WHALEWARE.type", b"socket"),
        Kind::File | Kind::Directory | Kind::Fifo => {}
    }
    block.number(block::MODE, u64::from(entry.mode));
    let mut number = |field, key: &[u8], value: u64| {
        if !block.number(field, value) {
            record::push(records, key, value.to_string().as_bytes());
        }
    };
    number(block::UID, b"uid", u64::from(entry.uid));
    number(block::GID, b"gid", u64::from(entry.gid));
    number(block::SIZE, b"size", length(entry));
    block.number(
        block::MTIME,
        entry.mtime.seconds.clamp(0, LATEST).unsigned_abs(),
    );
    if entry.mtime.nanos != 0 || !(0..=LATEST).contains(&entry.mtime.seconds) {
        record::push(records, b"mtime", record::time_text(entry.mtime).as_bytes());
    }
    for xattr in &entry.xattrs {
        let key = [b"SCHILY.xattr.", record::escaped(&xattr.name).as_slice()].concat();
        record::push(records, &key, &xattr.value);
    }
    block.finish()
}

fn link(block: &mut Block, target: &[u8], records: &mut Vec<u8>) {
    if !block.text(block::LINK, target) {
        record::push(records, b"linkpath", target);
    }
}

/// The last name of a path.
fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Where the data lie, as GNU tar wants it in front of them. A hole at the end is behind a piece of no length.
fn map(segments: &[Segment], size: u64) -> Vec<u8> {
    let end = segments.last().map_or(0, |last| last.offset + last.length);
    let hole = (end < size).then_some(Segment {
        offset: size,
        length: 0,
    });
    let count = segments.len() + usize::from(hole.is_some());
    let mut map = format!("{count}\n").into_bytes();
    for segment in segments.iter().chain(&hole) {
        map.extend_from_slice(format!("{}\n{}\n", segment.offset, segment.length).as_bytes());
    }
    pad(&mut map);
    map
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
}
