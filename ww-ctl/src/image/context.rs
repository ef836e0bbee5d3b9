//! What is sent to the builder: a Dockerfile and a root directory, as one tar stream.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use nix::fcntl::OFlag;
use tokio::sync::mpsc;

/// Where in the context the new root directory lies, so that no file of a tree (a `Dockerfile`, a
/// `.dockerignore`) can mean anything to the builder.
pub(crate) const ROOT: &str = "root";

/// Every entry's time of modification, in seconds since 1970: 1980-01-01, the oldest every archive
/// format knows. Two builds of the same tree are the same bytes, whatever a checkout did to its files.
const MTIME: u64 = 315_532_800;

const CHUNK: usize = 128 * 1024;
const CHUNKS_IN_FLIGHT: usize = 8;

/// The files of a build, in the order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Context {
    entries: BTreeMap<PathBuf, Entry>,
}

/// One entry; its owner is always 0:0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Permission bits, the special ones included.
    pub(crate) mode: u32,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A directory.
    Directory,
    /// A symbolic link and where it leads, never resolved here.
    Link(PathBuf),
    /// A file on disk, opened only when its turn to be sent has come, with the size it had.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its size in bytes when it was found.
        size: u64,
    },
    /// A file whose content is known already.
    Text(Cow<'static, [u8]>),
}

impl Context {
    /// Puts an entry at a path relative to the image's root; one already there is replaced.
    pub(crate) fn put(&mut self, path: impl AsRef<Path>, mode: u32, kind: Kind) -> Option<Entry> {
        self.entries
            .insert(Path::new(ROOT).join(path), Entry { mode, kind })
    }

    /// The entry at a path relative to the image's root.
    pub(crate) fn get(&self, path: impl AsRef<Path>) -> Option<&Entry> {
        self.entries.get(&Path::new(ROOT).join(path))
    }

    /// The recipe of the build, outside the image's root.
    pub(crate) fn dockerfile(&mut self, text: String) {
        let kind = Kind::Text(Cow::Owned(text.into_bytes()));
        self.entries
            .insert(PathBuf::from("Dockerfile"), Entry { mode: 0o644, kind });
    }

    /// The sum of the files' sizes in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.entries.values().map(|entry| entry.kind.size()).sum()
    }

    /// Writes the tar, and returns the writer.
    ///
    /// # Errors
    /// When a file cannot be read, is not a regular file any more or has become shorter, and when
    /// writing fails. What was written until then is no complete archive.
    pub(crate) fn write<W: Write>(&self, out: W) -> io::Result<W> {
        let mut tar = tar::Builder::new(out);
        for (path, entry) in &self.entries {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(MTIME);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mode(entry.mode);
            header.set_size(entry.kind.size());
            match &entry.kind {
                Kind::Directory => {
                    header.set_entry_type(tar::EntryType::Directory);
                    tar.append_data(&mut header, path, io::empty())?;
                }
                Kind::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    tar.append_link(&mut header, path, target)?;
                }
                Kind::Text(text) => tar.append_data(&mut header, path, &text[..])?,
                Kind::File { path: source, size } => {
                    let file = open(source).map_err(|error| about(source, &error))?;
                    let exact = Exact { file, left: *size };
                    tar.append_data(&mut header, path, exact)
                        .map_err(|error| about(source, &error))?;
                }
            }
        }
        tar.into_inner()
    }

    /// The tar in pieces, written by a thread of its own that waits while nobody takes them, so
    /// that no more than a megabyte of it is in memory. An error ends the stream.
    pub(crate) fn stream(self) -> mpsc::Receiver<io::Result<Bytes>> {
        let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
        tokio::task::spawn_blocking(move || {
            let pieces = Pieces {
                buffer: BytesMut::new(),
                sender: sender.clone(),
            };
            if let Err(error) = self.write(pieces).and_then(|mut pieces| pieces.flush()) {
                // Nobody there to hear it: the build was given up.
                drop(sender.blocking_send(Err(error)));
            }
        });
        receiver
    }
}

impl Kind {
    fn size(&self) -> u64 {
        match self {
            Self::Directory | Self::Link(_) => 0,
            Self::File { size, .. } => *size,
            Self::Text(text) => text.len() as u64,
        }
    }
}

/// Opens a file that was a regular one when the tree was walked, and is refused when it is not now.
fn open(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK a fifo put there meanwhile would hold the build for ever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is no longer a regular file"))
    }
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A file of exactly the size its header promises: what it grew by is left out, what it lacks is an error.
struct Exact {
    file: File,
    left: u64,
}

impl Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.file.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it became shorter while it was read",
            ));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

struct Pieces {
    buffer: BytesMut,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = self.buffer.split().freeze();
        if piece.is_empty() {
            return Ok(());
        }
        self.sender
            .blocking_send(Ok(piece))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Kind {
        Kind::Text(Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn parents_come_before_what_is_in_them() {
        let mut context = Context::default();
        context.put("ww/usr/boot", 0o755, text("#!/bin/sh\n"));
        context.put("ww/usr", 0o755, Kind::Directory);
        context.put("ww/usr-old", 0o644, text("x"));
        context.put("ww", 0o755, Kind::Directory);
        let bytes = context.write(Vec::new()).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let paths: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(
            paths,
            [
                "root/ww",
                "root/ww/usr",
                "root/ww/usr/boot",
                "root/ww/usr-old"
            ]
        );
    }

    #[test]
    fn long_names_odd_names_and_special_bits_survive() {
        use std::os::unix::ffi::OsStrExt;
        let long = format!("ww/{}", "d/".repeat(150));
        let odd = std::ffi::OsStr::from_bytes(b"ww/\xff name\n");
        let mut context = Context::default();
        context.put(&long, 0o1777, text("deep"));
        context.put(odd, 0o4755, Kind::Link(PathBuf::from("x".repeat(300))));
        let bytes = context.write(Vec::new()).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let seen: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let link = entry.link_name().unwrap().map(std::borrow::Cow::into_owned);
                (
                    entry.path().unwrap().into_owned(),
                    entry.header().mode().unwrap(),
                    link,
                )
            })
            .collect();
        assert!(
            seen.contains(&(
                Path::new(ROOT).join(long.trim_end_matches('/')),
                0o1777,
                None
            )),
            "{seen:?}"
        );
        assert!(
            seen.contains(&(
                Path::new(ROOT).join(odd),
                0o4755,
                Some("x".repeat(300).into())
            )),
            "{seen:?}"
        );
    }

    #[test]
    fn a_file_that_shrank_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "1234").unwrap();
        let mut context = Context::default();
        context.put(
            "log",
            0o644,
            Kind::File {
                path: path.clone(),
                size: 5,
            },
        );
        let error = context.write(Vec::new()).unwrap_err().to_string();
        assert!(
            error.contains("became shorter") && error.contains("log"),
            "{error}"
        );
        std::fs::write(&path, "123456").unwrap();
        let bytes = context.write(Vec::new()).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut found = String::new();
        archive
            .entries()
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .read_to_string(&mut found)
            .unwrap();
        assert_eq!(found, "12345");
    }

    #[tokio::test]
    async fn the_stream_is_the_archive_and_ends_with_the_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("big");
        std::fs::write(&path, vec![7; 3 * CHUNK * CHUNKS_IN_FLIGHT]).unwrap();
        let whole = |size| {
            let mut context = Context::default();
            context.put(
                "big",
                0o644,
                Kind::File {
                    path: path.clone(),
                    size,
                },
            );
            context
        };
        let size = 3 * (CHUNK * CHUNKS_IN_FLIGHT) as u64;
        let expected = whole(size).write(Vec::new()).unwrap();
        let mut stream = whole(size).stream();
        let mut got = Vec::new();
        while let Some(piece) = stream.recv().await {
            got.extend_from_slice(&piece.unwrap());
        }
        assert!(got == expected);

        let mut stream = whole(size + 1).stream();
        let mut last = None;
        while let Some(piece) = stream.recv().await {
            last = Some(piece);
        }
        assert!(
            last.unwrap()
                .unwrap_err()
                .to_string()
                .contains("became shorter")
        );
    }
}
