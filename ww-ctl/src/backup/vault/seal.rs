//! What was read becomes files of a set: compressed, with a list of all that is in it, everything hashed, in one go.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;

use ring::digest::{Context as Digest, SHA256};
use rustix::fs::OFlags;
use serde_json::{Map, Value, json};
use ww_archive::read::{Limits, ReadError, Reader};
use ww_archive::unpack::{UnpackError, UnpackOptions, unpack};
use ww_archive::{Entry, Kind, Problem, Watch};
use zstd::stream::write::Encoder;

use super::files::{directory, file};
use super::incoming::Incoming;
use super::manifest::{Counts, Payload};
use crate::backup::source::Gauge;

/// So much is taken at a time.
const PIECE: usize = 256 * 1024;
/// The priority of those who compress: everything else comes first.
const LOW: i32 = 10;
/// What a script has written is below this.
const HOOK: &str = "hook";

/// Why it did not become a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// It is no archive, or not all of it.
    #[error("what was read is no whole archive")]
    Archive(#[from] ReadError),
    /// What a script has written cannot be laid out.
    #[error("cannot keep what the script has written")]
    Tree(#[from] UnpackError),
    /// It has no place.
    #[error("cannot {what} {name}")]
    Output {
        /// What was tried.
        what: &'static str,
        /// On which file of the set.
        name: String,
        /// Why it failed.
        source: io::Error,
    },
    /// It was stopped on request.
    #[error("it was stopped")]
    Stopped,
}

/// How it becomes one.
#[derive(Debug, Clone)]
pub(crate) struct SealOptions {
    /// How hard is compressed.
    pub level: i32,
    /// By how many threads.
    pub threads: u32,
    /// Whether everything else comes first.
    pub nice: bool,
}

/// What it became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The archive, or the directory.
    pub payload: Payload,
    /// The list.
    pub files: Payload,
    /// How much of what.
    pub counts: Counts,
}

impl Incoming {
    /// Compresses an archive, lists what is in it and hashes both, reading it once.
    ///
    /// # Errors
    /// When it is no whole archive, or there is no room for it.
    pub(crate) fn seal(
        &mut self,
        raw: File,
        options: &SealOptions,
        gauge: &Gauge,
    ) -> Result<Sealed, SealError> {
        self.archives += 1;
        let number = match self.archives {
            1 => String::new(),
            number => format!("-{number}"),
        };
        let names = [
            format!("data{number}.tar.zst"),
            format!("files{number}.jsonl.zst"),
        ];
        let this: &Self = self;
        apart(options, || {
            let [data, files] = &names;
            let archive = Output::new(this, data, options, options.threads)?;
            let list = Output::new(this, files, options, 0)?;
            let mut work = Work {
                counts: Counts::default(),
                list,
                gauge,
            };
            let (archive, raw_bytes) = work.through(raw, Some(archive))?;
            let payload = match archive {
                Some(archive) => archive.end(raw_bytes)?,
                None => return Err(SealError::Stopped),
            };
            work.end(payload)
        })
    }

    /// The same for what a script has written: it is laid out as it was, and listed.
    ///
    /// # Errors
    /// The same.
    pub(crate) fn seal_tree(
        &mut self,
        raw: File,
        options: &SealOptions,
        gauge: &Gauge,
    ) -> Result<Sealed, SealError> {
        let this: &Self = self;
        apart(options, || {
            let copy = raw.try_clone().map_err(output("read", HOOK))?;
            let list = Output::new(this, "files.jsonl.zst", options, 0)?;
            let mut work = Work {
                counts: Counts::default(),
                list,
                gauge,
            };
            let (_, raw_bytes) = work.through(raw, None)?;
            rewind(&copy)?;
            let fresh = rustix::fs::mkdirat(&this.directory, HOOK, rustix::fs::Mode::RWXU);
            fresh.map_err(|error| output("make", HOOK)(error.into()))?;
            let target = directory(&this.directory, HOOK).map_err(output("open", HOOK))?;
            let reader = Reader::new(BufReader::with_capacity(PIECE, copy), Limits::default());
            let mut watch = Watching(gauge);
            unpack(
                reader,
                target.as_fd(),
                &UnpackOptions::default(),
                &mut watch,
            )?;
            let payload = Payload {
                file: HOOK.to_owned(),
                bytes: work.counts.bytes,
                sha256: String::new(),
                raw_bytes,
                encrypted: false,
            };
            work.end(payload)
        })
    }
}

/// On a thread of its own: its priority, and that of those it starts, is no other's.
fn apart<T: Send>(
    options: &SealOptions,
    work: impl FnOnce() -> Result<T, SealError> + Send,
) -> Result<T, SealError> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if options.nice {
                let _as_before = rustix::process::setpriority_process(None, LOW);
            }
            work()
        });
        thread.join().unwrap_or(Err(SealError::Stopped))
    })
}

fn output(what: &'static str, name: &str) -> impl Fn(io::Error) -> SealError + use<> {
    let name = name.to_owned();
    move |source| SealError::Output {
        what,
        name: name.clone(),
        source,
    }
}

fn rewind(mut raw: &File) -> Result<(), SealError> {
    let back = raw.seek(SeekFrom::Start(0));
    back.map(drop)
        .map_err(output("read again", "what was read"))
}

/// Reads an archive once, for all who want to know of it.
struct Work<'a> {
    counts: Counts,
    list: Output,
    gauge: &'a Gauge,
}

impl Work<'_> {
    /// Lists and counts all of it; what is read is written as it is, too. How many bytes it had.
    fn through(
        &mut self,
        raw: File,
        archive: Option<Output>,
    ) -> Result<(Option<Output>, u64), SealError> {
        rewind(&raw)?;
        let mut tee = Tee {
            raw,
            archive,
            failed: None,
        };
        let mut reader = Reader::new(&mut tee, Limits::default());
        let listed = self.list(&mut reader);
        let bytes = reader.position();
        let ended = listed.and_then(|()| Ok(reader.finish()?));
        if let Some(error) = tee.failed {
            return Err(error);
        }
        ended?;
        Ok((tee.archive, bytes))
    }

    fn list(&mut self, reader: &mut Reader<&mut Tee>) -> Result<(), SealError> {
        let mut piece = vec![0; PIECE];
        while let Some(entry) = reader.next()? {
            if self.gauge.is_stopped() {
                return Err(SealError::Stopped);
            }
            let mut digest = Digest::new(&SHA256);
            loop {
                let taken = match reader.read(&mut piece) {
                    Ok(0) => break,
                    Ok(taken) => taken,
                    Err(error) => return Err(output("read", "what was read")(error)),
                };
                digest.update(&piece[..taken]);
                self.gauge.add(0, taken as u64);
            }
            self.count(&entry);
            let is_file = entry.kind == Kind::File;
            let hash = is_file.then(|| hexadecimal(digest.finish().as_ref()));
            let mut line = Value::Object(line(&entry, hash)).to_string();
            line.push('\n');
            self.list.write(line.as_bytes())?;
            self.gauge.add(1, 0);
        }
        Ok(())
    }

    fn count(&mut self, entry: &Entry) {
        let counts = &mut self.counts;
        counts.entries += 1;
        counts.bytes = counts.bytes.saturating_add(entry.stored());
        *match &entry.kind {
            Kind::File => &mut counts.files,
            Kind::Directory => &mut counts.directories,
            Kind::Symlink { .. } => &mut counts.symlinks,
            Kind::HardLink { .. } => &mut counts.hard_links,
            Kind::Fifo => &mut counts.fifos,
            Kind::Socket => &mut counts.sockets,
            Kind::CharacterDevice { .. } | Kind::BlockDevice { .. } => &mut counts.devices,
        } += 1;
    }

    fn end(self, payload: Payload) -> Result<Sealed, SealError> {
        let raw_bytes = self.list.taken;
        Ok(Sealed {
            payload,
            files: self.list.end(raw_bytes)?,
            counts: self.counts,
        })
    }
}

/// Gives on what it reads.
struct Tee {
    raw: File,
    archive: Option<Output>,
    failed: Option<SealError>,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.raw.read(buffer)?;
        if let Some(archive) = &mut self.archive
            && let Err(error) = archive.write(&buffer[..taken])
        {
            self.failed = Some(error);
            return Err(io::Error::other("what is read has no place"));
        }
        Ok(taken)
    }
}

/// A file of the set that is compressed, and hashed as it is written.
struct Output {
    encoder: Encoder<'static, Hashing>,
    name: String,
    taken: u64,
}

struct Hashing {
    file: BufWriter<File>,
    digest: Digest,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.file.write_all(piece)?;
        self.digest.update(piece);
        self.bytes += piece.len() as u64;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output {
    fn new(
        incoming: &Incoming,
        name: &str,
        options: &SealOptions,
        threads: u32,
    ) -> Result<Self, SealError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let open = file(&incoming.directory, name, flags).map_err(output("make", name))?;
        let hashing = Hashing {
            file: BufWriter::with_capacity(PIECE, open),
            digest: Digest::new(&SHA256),
            bytes: 0,
        };
        let encoder = (|| {
            let mut encoder = Encoder::new(hashing, options.level)?;
            encoder.include_checksum(true)?;
            if threads > 1 {
                encoder.multithread(threads)?;
            }
            Ok(encoder)
        })();
        Ok(Self {
            encoder: encoder.map_err(output("begin", name))?,
            name: name.to_owned(),
            taken: 0,
        })
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), SealError> {
        self.taken += piece.len() as u64;
        let written = self.encoder.write_all(piece);
        written.map_err(output("write", &self.name))
    }

    /// It is on the disk when this returns.
    fn end(self, raw_bytes: u64) -> Result<Payload, SealError> {
        let failed = output("write", &self.name);
        let hashing = self.encoder.finish().map_err(&failed)?;
        let file = hashing.file.into_inner();
        let file = file.map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(&failed)?;
        Ok(Payload {
            file: self.name,
            bytes: hashing.bytes,
            sha256: hexadecimal(hashing.digest.finish().as_ref()),
            raw_bytes,
            encrypted: false,
        })
    }
}

struct Watching<'a>(&'a Gauge);

impl Watch for Watching<'_> {
    fn entry(&mut self, _entry: &Entry) {}

    fn bytes(&mut self, _count: u64) {}

    fn problem(&mut self, _problem: Problem) {}

    fn is_over(&self) -> bool {
        self.0.is_stopped()
    }
}

/// What the list says of an entry. `sha256` is of what is stored of a file: holes are told in `segments`.
fn line(entry: &Entry, hash: Option<String>) -> Map<String, Value> {
    let mut line = Map::new();
    put(&mut line, "path", &entry.path);
    let kind = match &entry.kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink { target } => {
            put(&mut line, "target", target);
            "symlink"
        }
        Kind::HardLink { target } => {
            put(&mut line, "target", target);
            "hard_link"
        }
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharacterDevice { major, minor } => {
            line.insert("device".into(), json!([major, minor]));
            "character_device"
        }
        Kind::BlockDevice { major, minor } => {
            line.insert("device".into(), json!([major, minor]));
            "block_device"
        }
    };
    line.insert("kind".into(), json!(kind));
    line.insert("mode".into(), json!(format!("{:04o}", entry.mode)));
    line.insert("uid".into(), json!(entry.uid));
    line.insert("gid".into(), json!(entry.gid));
    line.insert(
        "mtime".into(),
        json!([entry.mtime.seconds, entry.mtime.nanos]),
    );
    line.insert("size".into(), json!(entry.size));
    if let Some(segments) = &entry.segments {
        let segments = segments.iter().map(|one| [one.offset, one.length]);
        line.insert("segments".into(), json!(segments.collect::<Vec<_>>()));
    }
    if !entry.xattrs.is_empty() {
        let all: Vec<Value> = entry
            .xattrs
            .iter()
            .map(|one| json!([word(&one.name), hexadecimal(&one.value)]))
            .collect();
        line.insert("xattrs".into(), Value::Array(all));
    }
    if let Some(hash) = hash {
        line.insert("sha256".into(), json!(hash));
    }
    line
}

/// Bytes that are no text get a name of their own, and digits.
fn put(line: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => line.insert(name.to_owned(), json!(text)),
        Err(_) => line.insert(format!("{name}_hex"), json!(hexadecimal(bytes))),
    };
}

fn word(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
