//! An entry from its header and what precedes it.

use super::Before;
use super::error::Fault;
use super::path::Paths;
use super::records::Records;
use crate::block::{
    BLOCK, CHECKSUM, GID, KIND, LINK, MAGIC, MAJOR, MINOR, MODE, MTIME, NAME, PREFIX, SIZE, UID,
    number, sums, text,
};
use crate::entry::{Entry, Kind, Time};
use crate::shown::Shown;

/// Whether the checksum is right.
pub(super) fn check(header: &[u8; BLOCK]) -> Result<(), &'static str> {
    let (unsigned, signed) = sums(header);
    match number(&header[CHECKSUM]) {
        Some(sum) if u64::try_from(sum) == Ok(unsigned) || sum == signed => Ok(()),
        Some(_) => Err("the checksum of a header is wrong"),
        None => Err("where a header should be, there is none"),
    }
}

/// The entry, how many bytes follow it, and how long the file is if these begin with a map of its holes.
pub(super) fn entry(
    header: &[u8; BLOCK],
    before: Before,
    global: &Records,
    paths: &mut Paths,
) -> Result<(Entry, u64, Option<u64>), Fault> {
    let mut records = before.records.unwrap_or_default();
    let named = records.sparse_name.take().or(records.path.take());
    let name = named.or(before.name).unwrap_or_else(|| name(header));
    let link = records.link.take().or(before.link);
    let link = link.unwrap_or_else(|| text(&header[LINK]).to_vec());
    let path = paths.relative(&name)?;
    let kind = kind(header, &name, &link, records.socket, paths)?;
    if path.is_empty() && kind != Kind::Directory {
        return Err(unsupported(
            &name,
            "the root of an archive must be a directory",
        ));
    }
    let stored = stored(header, records.size, &kind, &name)?;
    let holes = match (records.sparse, records.sparse_size) {
        (None, None) => None,
        (Some((1, 0)), Some(size)) if kind == Kind::File && i64::try_from(size).is_ok() => {
            Some(size)
        }
        _ => {
            return Err(unsupported(
                &name,
                "its holes are written in a way that is not known",
            ));
        }
    };
    let seconds = || field(header, MTIME, "time", &name);
    let entry = Entry {
        path,
        kind,
        mode: field::<u32>(header, MODE, "mode", &name)? & 0o7777,
        uid: or_field(records.uid.or(global.uid), header, UID, "owner", &name)?,
        gid: or_field(records.gid.or(global.gid), header, GID, "group", &name)?,
        mtime: match records.mtime.or(global.mtime) {
            Some(time) => time,
            None => Time {
                seconds: seconds()?,
                nanos: 0,
            },
        },
        size: stored,
        xattrs: records.xattrs,
        segments: None,
    };
    Ok((entry, stored, holes))
}

fn kind(
    header: &[u8; BLOCK],
    name: &[u8],
    link: &[u8],
    socket: bool,
    paths: &mut Paths,
) -> Result<Kind, Fault> {
    let directory = name.ends_with(b"/");
    let device = || -> Result<(u32, u32), Fault> {
        Ok((
            field(header, MAJOR, "device", name)?,
            field(header, MINOR, "device", name)?,
        ))
    };
    Ok(match header[KIND] {
        // So were directories written before there were types.
        0 if directory => Kind::Directory,
        b'0' | 0 | b'7' if directory => {
            let reason = "it is a file by its type, and a directory by its name";
            return Err(unsupported(name, reason));
        }
        b'0' | 0 | b'7' if socket => Kind::Socket,
        b'0' | 0 | b'7' => Kind::File,
        b'1' => Kind::HardLink {
            target: paths.relative(link)?,
        },
        b'2' => Kind::Symlink {
            target: paths.target(link)?,
        },
        b'3' => device().map(|(major, minor)| Kind::CharacterDevice { major, minor })?,
        b'4' => device().map(|(major, minor)| Kind::BlockDevice { major, minor })?,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        b'S' => {
            return Err(unsupported(
                name,
                "its holes are written in an old way of GNU tar",
            ));
        }
        other => {
            let reason = format!("its type '{}' is not known", other.escape_ascii());
            return Err(unsupported(name, reason));
        }
    })
}

/// How many bytes follow.
fn stored(
    header: &[u8; BLOCK],
    record: Option<u64>,
    kind: &Kind,
    name: &[u8],
) -> Result<u64, Fault> {
    let stored = or_field(record, header, SIZE, "size", name)?;
    // Sums with what else there is must not overflow.
    if i64::try_from(stored).is_err() {
        return Err(nonsense("size", name));
    }
    match kind {
        // It is a wish for room; nothing follows.
        Kind::Directory => Ok(0),
        Kind::File => Ok(stored),
        _ if stored == 0 => Ok(0),
        Kind::Symlink { .. }
        | Kind::HardLink { .. }
        | Kind::Fifo
        | Kind::Socket
        | Kind::CharacterDevice { .. }
        | Kind::BlockDevice { .. } => Err(unsupported(name, "it has content, and is no file")),
    }
}

/// What a record says, or the header.
fn or_field<T: TryFrom<i64>>(
    record: Option<T>,
    header: &[u8; BLOCK],
    at: std::ops::Range<usize>,
    what: &str,
    name: &[u8],
) -> Result<T, Fault> {
    record.map_or_else(|| field(header, at, what, name), Ok)
}

/// A number of a header that must be one.
fn field<T: TryFrom<i64>>(
    header: &[u8; BLOCK],
    field: std::ops::Range<usize>,
    what: &str,
    name: &[u8],
) -> Result<T, Fault> {
    number(&header[field])
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| nonsense(what, name))
}

fn nonsense(what: &str, name: &[u8]) -> Fault {
    Fault::Malformed(format!("the {what} of {} makes no sense", Shown(name)))
}

fn unsupported(name: &[u8], reason: impl Into<String>) -> Fault {
    Fault::Unsupported {
        path: Shown(name).to_string(),
        reason: reason.into(),
    }
}

/// The name in a header; POSIX has the beginning of a long one elsewhere, where GNU has times.
fn name(header: &[u8; BLOCK]) -> Vec<u8> {
    let (prefix, name) = (text(&header[PREFIX]), text(&header[NAME]));
    if &header[MAGIC] == b"ustar\0" && !prefix.is_empty() {
        [prefix, b"/", name].concat()
    } else {
        name.to_vec()
    }
}
