//! From a raw archive to what lies in a vault: compressed, digested, listed, encrypted if wanted.
//!
//! The archive is read once. What is read goes to the compressor as it is, whose threads work meanwhile, and is looked
//! through entry by entry besides: what cannot be read again by then is no backup.

use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZero;

use rustix::process::setpriority_process;
use ww_archive::pack::PackError;
use ww_archive::read::{Limits, ReadError, Reader};
use ww_archive::unpack::UnpackError;
use ww_archive::{Entry, Kind};
use zstd::stream::raw::CParameter;
use zstd::stream::write::Encoder;

use super::age::Encrypting;
use super::digest::Digesting;
use super::error::{VaultError, is_full};
use super::listed::{Content, Line};
use super::manifest::{Counts, Payload};
use super::place::Place;
use super::repository::Restic;
use super::settling::Settling;
use crate::backup::source::Gauge;

/// What of a file is looked at at once.
const PIECE: usize = 256 * 1024;
/// What one thread compresses at a time: with less the ratio suffers, with more the memory.
const JOB: u32 = 4 << 20;
/// More threads than this are not asked for.
const THREADS: usize = 4;
/// How far the others go before.
const NICENESS: i32 = 10;

/// How a backup is written.
#[derive(Debug, Clone)]
pub(crate) struct SealOptions {
    /// How hard it is compressed, as `zstd` has it.
    pub level: i32,
    /// Whom it is encrypted to; nobody means it is not.
    pub encrypt_to: Vec<String>,
    /// Whether everything else on the machine goes first.
    pub nice: bool,
    /// What keeps the content, where the vault does not.
    pub repository: Option<Restic>,
}

impl Default for SealOptions {
    fn default() -> Self {
        Self {
            level: 3,
            encrypt_to: Vec::new(),
            nice: true,
            repository: None,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The content.
    pub payload: Payload,
    /// The list of files.
    pub files: Payload,
    /// How many of what.
    pub counts: Counts,
}

/// Why it was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// What was read is no archive that could be read again.
    #[error("what was read is no whole archive")]
    Archive(#[from] ReadError),
    /// It cannot be put into the vault.
    #[error("cannot write {file} into the vault")]
    Write {
        /// Which file of it.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// What a script wrote cannot be put into the vault.
    #[error("cannot put what the script wrote into the vault")]
    Unpack(#[from] UnpackError),
    /// What is in the vault cannot be read again.
    #[error("cannot read what was written")]
    Pack(#[from] PackError),
    /// Something in the vault is not as it should be.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It was stopped on request.
    #[error("the writing was stopped")]
    Stopped,
}

impl SealError {
    fn write(file: &str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Write { file, source }
    }

    /// Whether there is no room left in the vault.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Vault(error) => error.is_full(),
            // What is compressed is written while the archive is read.
            Self::Write { source, .. } | Self::Archive(ReadError::Input { source, .. }) => {
                is_full(source)
            }
            Self::Unpack(error) => {
                let cause = std::error::Error::source(error);
                let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
                cause.is_some_and(is_full)
            }
            Self::Archive(_) | Self::Pack(_) | Self::Stopped => false,
        }
    }
}

/// Runs something so that everything else on the machine goes first.
pub(super) fn nicely<T: Send>(nice: bool, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            if nice {
                // Of this thread, and of those it starts. Where it is refused it goes on as it is.
                let _refused = setpriority_process(None, NICENESS);
            }
            work()
        });
        worker
            .join()
            .map_err(|_| io::Error::other("the thread that wrote ended before its time"))
    })
}

/// Writes a raw archive into the vault, to its end, and the list of what is in it.
pub(super) fn seal(
    place: &Place,
    names: (&str, &str),
    raw: impl Read,
    options: &SealOptions,
    gauge: &Gauge,
) -> Result<Sealed, SealError> {
    let mut list = Output::new(place, names.1, options, false)?;
    let mut tee = Tee {
        from: raw,
        out: Output::new(place, names.0, options, true)?,
    };
    let counts = index(&mut tee, &mut list, names.1, gauge)?;
    Ok(Sealed {
        payload: tee.out.end()?,
        files: list.end()?,
        counts,
    })
}

/// Has a repository keep a raw archive, to its end, and writes the list of what is in it into the vault.
pub(super) fn keep(
    place: &Place,
    names: (&str, &str),
    raw: impl Read,
    options: &SealOptions,
    (restic, tag): (&Restic, &str),
    gauge: &Gauge,
) -> Result<Sealed, SealError> {
    let failed = || SealError::write(names.0);
    let mut list = Output::new(place, names.1, options, false)?;
    let mut tee = Tee {
        from: raw,
        out: Digesting::new(restic.keep(names.0, tag, gauge).map_err(failed())?),
    };
    let counts = index(&mut tee, &mut list, names.1, gauge)?;
    let (keeping, raw_bytes, sha256) = tee.out.end();
    // First what may fail without a trace.
    let files = list.end()?;
    Ok(Sealed {
        payload: Payload {
            file: names.0.to_owned(),
            bytes: 0,
            sha256,
            raw_bytes,
            encrypted: false,
            snapshot: Some(keeping.end().map_err(failed())?),
        },
        files,
        counts,
    })
}

/// Writes the list of what is in a raw archive into the vault, from the archive's beginning; what was listed, its
/// SHA-256 before it was compressed, and how much it is.
pub(super) fn list(
    place: &Place,
    name: &str,
    raw: &mut File,
    options: &SealOptions,
    gauge: &Gauge,
) -> Result<(Payload, String, Counts), SealError> {
    io::Seek::rewind(raw).map_err(SealError::write(name))?;
    let mut list = Digesting::new(Output::new(place, name, options, false)?);
    let counts = index(raw, &mut list, name, gauge)?;
    let (list, _, digest) = list.end();
    Ok((list.end()?, digest, counts))
}

/// Reads an archive to its end, and writes down what is in it.
pub(super) fn index<R: Read>(
    from: R,
    list: &mut dyn Write,
    name: &str,
    gauge: &Gauge,
) -> Result<Counts, SealError> {
    let mut reader = Reader::new(from, Limits::default());
    let mut counts = Counts::default();
    let mut piece = vec![0; PIECE];
    while let Some(entry) = reader.next()? {
        let mut line = Line::of(&entry);
        let mut bytes = 0;
        if entry.kind == Kind::File {
            let mut content = Content::of(&entry);
            loop {
                if gauge.is_stopped() {
                    return Err(SealError::Stopped);
                }
                let taken = reader
                    .read(&mut piece)
                    .map_err(|error| unwrap(error, name))?;
                if taken == 0 {
                    break;
                }
                content.add(&piece[..taken]);
                bytes += taken as u64;
                gauge.add(0, taken as u64);
            }
            content.end(&mut line);
        } else if gauge.is_stopped() {
            return Err(SealError::Stopped);
        }
        count(&mut counts, &entry, bytes);
        gauge.add(1, 0);
        line.write(list).map_err(SealError::write(name))?;
    }
    reader.finish()?;
    Ok(counts)
}

/// The archive's own error, which came through a reader.
fn unwrap(error: io::Error, name: &str) -> SealError {
    match error.downcast::<ReadError>() {
        Ok(error) => error.into(),
        Err(error) => SealError::write(name)(error),
    }
}

fn count(counts: &mut Counts, entry: &Entry, bytes: u64) {
    counts.entries += 1;
    counts.bytes += bytes;
    let own = match &entry.kind {
        Kind::File => &mut counts.files,
        Kind::Directory => &mut counts.directories,
        Kind::Symlink { .. } => &mut counts.symlinks,
        Kind::HardLink { .. } => &mut counts.hard_links,
        Kind::Fifo => &mut counts.fifos,
        Kind::Socket => &mut counts.sockets,
        Kind::CharacterDevice { .. } | Kind::BlockDevice { .. } => &mut counts.devices,
    };
    *own += 1;
}

/// What is read is written elsewhere, too.
struct Tee<R, W> {
    from: R,
    out: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.from.read(buffer)?;
        self.out.write_all(&buffer[..taken])?;
        Ok(taken)
    }
}

/// A compressed file of the vault that is being written.
struct Output {
    name: String,
    encoder: Encoder<'static, Sink>,
    /// How much was given.
    raw_bytes: u64,
}

/// Where compressed bytes go: they are digested where they reach the file.
enum Sink {
    Plain(Box<Digesting<Settling>>),
    Encrypted(Encrypting<Digesting<Settling>>),
}

impl Output {
    fn new(
        place: &Place,
        name: &str,
        options: &SealOptions,
        threaded: bool,
    ) -> Result<Self, SealError> {
        let failed = || SealError::write(name);
        let file = Digesting::new(Settling::new(place.create(name)?));
        let sink = if options.encrypt_to.is_empty() {
            Sink::Plain(Box::new(file))
        } else {
            Sink::Encrypted(Encrypting::new(&options.encrypt_to, file).map_err(failed())?)
        };
        let mut encoder = Encoder::new(sink, options.level).map_err(failed())?;
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        if threaded && threads > 1 {
            let threads = u32::try_from(threads.min(THREADS)).unwrap_or(1);
            encoder.multithread(threads).map_err(failed())?;
            encoder
                .set_parameter(CParameter::JobSize(JOB))
                .map_err(failed())?;
        }
        Ok(Self {
            name: name.to_owned(),
            encoder,
            raw_bytes: 0,
        })
    }

    /// Ends it, and makes it last.
    fn end(self) -> Result<Payload, SealError> {
        let failed = || SealError::write(&self.name);
        let sink = self.encoder.finish().map_err(failed())?;
        let encrypted = matches!(sink, Sink::Encrypted(_));
        let file = match sink {
            Sink::Plain(file) => *file,
            Sink::Encrypted(child) => child.end().map_err(failed())?,
        };
        let (file, bytes, sha256) = file.end();
        file.end().map_err(failed())?;
        Ok(Payload {
            file: self.name,
            bytes,
            sha256,
            raw_bytes: self.raw_bytes,
            encrypted,
            snapshot: None,
        })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.encoder.write(bytes)?;
        self.raw_bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Encrypted(child) => child.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Encrypted(child) => child.flush(),
        }
    }
}
