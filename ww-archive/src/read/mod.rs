//! From a stream to its entries, none of which is trusted.
//!
//! Read are PAX archives, USTAR ones, and what GNU tar and Go make of them: long names of their own, numbers in bits,
//! holes as of GNU's version 1.0. Older ways to write holes are refused, as is every other kind of entry: what is not
//! understood must not be left out in silence. Memory is bounded by [`Limits`], whatever an archive says of itself.
//!
//! Access control lists are read from where [`crate::pack`] writes them, the attributes `system.posix_acl_*`; the text
//! that GNU tar makes of them with `--acls` is not.

mod error;
mod header;
mod input;
mod path;
mod records;
mod sparse;

use std::io::{self, Read};

use crate::block::{BLOCK, KIND, SIZE, number, padding, text};
use crate::entry::Entry;
use crate::shown::Shown;

pub use error::ReadError;

use input::Input;
use path::Paths;
use records::Records;

/// What an archive may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The first name of each path is left out, and must be the same for all: an Engine puts the name of what it was
    /// asked for in front.
    pub strip_first: bool,
    /// The longest path, and the longest target of a link.
    pub path: usize,
    /// The longest extended header: all attributes of a file are in one.
    pub records: usize,
    /// The most pieces a file with holes is in.
    pub segments: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strip_first: false,
            path: 64 * 1024,
            records: 1024 * 1024,
            segments: 1024 * 1024,
        }
    }
}

/// Reads an archive, entry by entry.
///
/// After [`Reader::next`] gave an entry, the reader itself reads what is stored of its content; what of it is not read
/// is passed over. Of a file with holes that is what lies in its [`Entry::segments`], one after the other.
pub struct Reader<R> {
    input: Input<R>,
    limits: Limits,
    paths: Paths,
    /// What holds for all entries from here on.
    global: Records,
    /// The entry whose content is next.
    current: Vec<u8>,
    /// How much of it was not read, and what is between it and the next header.
    left: u64,
    padding: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// The trailer was read.
    Ended,
    /// There was an error: where the next header is, is not known.
    Failed,
}

/// What precedes the header of an entry.
#[derive(Default)]
struct Before {
    records: Option<Records>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    /// Reads an archive from its beginning. There need be no buffer below.
    pub fn new(input: R, limits: Limits) -> Self {
        Self {
            input: Input::new(input),
            limits,
            paths: Paths::new(limits),
            global: Records::default(),
            current: Vec::new(),
            left: 0,
            padding: 0,
            state: State::Reading,
        }
    }

    /// The next entry; none after the last.
    ///
    /// # Errors
    /// When the archive cannot be read, is cut, damaged, has a path that leads out of it or something that is not
    /// understood. After an error there are no more entries.
    #[expect(
        clippy::should_implement_trait,
        reason = "no iterator: the content of an entry is read between two calls, and an error is the end"
    )]
    pub fn next(&mut self) -> Result<Option<Entry>, ReadError> {
        match self.state {
            State::Reading => {}
            State::Ended => return Ok(None),
            State::Failed => return Err(ReadError::Unfinished),
        }
        let found = self.advance();
        match found {
            Ok(Some(_)) => {}
            Ok(None) => self.state = State::Ended,
            Err(_) => self.state = State::Failed,
        }
        found
    }

    /// How many bytes of the archive were taken.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// Reads to the end of the stream, which must hold nothing but zeros after the last entry.
    ///
    /// # Errors
    /// When not all entries were read, or something follows.
    pub fn finish(mut self) -> Result<(), ReadError> {
        if self.state != State::Ended {
            return Err(ReadError::Unfinished);
        }
        self.input.zeros_to_the_end()
    }

    /// Some of the stored content of the current entry; nothing when all of it was read.
    pub(crate) fn content(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let current = &self.current;
        let within = || format!("within the content of {}", Shown(current));
        let taken = self.input.some(&mut buffer[..most], &within);
        match &taken {
            Ok(taken) => self.left -= *taken as u64,
            Err(_) => self.state = State::Failed,
        }
        taken
    }

    fn advance(&mut self) -> Result<Option<Entry>, ReadError> {
        let within = Shown(&self.current).to_string();
        self.input.skip(self.left + self.padding, &|| {
            format!("within the content of {within}")
        })?;
        (self.left, self.padding) = (0, 0);
        let mut before = Before::default();
        loop {
            let Some(header) = self.header(&before)? else {
                return Ok(None);
            };
            match header[KIND] {
                b'x' | b'g' | b'L' | b'K' => self.extended(&header, &mut before)?,
                _ => return self.entry(&header, before).map(Some),
            }
        }
    }

    /// The next header, if this is not the end.
    fn header(&mut self, before: &Before) -> Result<Option<[u8; BLOCK]>, ReadError> {
        let last = Shown(&self.current).to_string();
        let within = || format!("after {last}, without its trailer");
        let header = self.input.block(&within)?;
        if header.iter().any(|byte| *byte != 0) {
            header::check(&header).map_err(|reason| self.input.malformed(reason))?;
            return Ok(Some(header));
        }
        if before.records.is_some() || before.name.is_some() || before.link.is_some() {
            return Err(self
                .input
                .malformed("an extended header is followed by no entry"));
        }
        if self.input.block(&within)?.iter().any(|byte| *byte != 0) {
            return Err(self
                .input
                .malformed("there is an empty header between two others"));
        }
        Ok(None)
    }

    /// What is said of the next entry, or of all that follow.
    fn extended(&mut self, header: &[u8; BLOCK], before: &mut Before) -> Result<(), ReadError> {
        let size = number(&header[SIZE]).and_then(|size| usize::try_from(size).ok());
        let Some(size) = size.filter(|size| *size <= self.limits.records) else {
            let reason = format!(
                "an extended header is longer than {} bytes",
                self.limits.records
            );
            return Err(self.input.malformed(reason));
        };
        let mut bytes = vec![0; size];
        self.input
            .exact(&mut bytes, &|| "within an extended header".to_owned())?;
        self.input.skip(padding(size as u64), &|| {
            "within an extended header".to_owned()
        })?;
        let twice = match header[KIND] {
            b'g' => {
                let global = self.global.with_global(&bytes);
                self.global = global.map_err(|reason| self.input.malformed(reason))?;
                false
            }
            b'x' => {
                let records =
                    Records::parse(&bytes).map_err(|reason| self.input.malformed(reason))?;
                before.records.replace(records).is_some()
            }
            b'L' => before.name.replace(text(&bytes).to_vec()).is_some(),
            _ => before.link.replace(text(&bytes).to_vec()).is_some(),
        };
        if twice {
            return Err(self
                .input
                .malformed("there are two extended headers for one entry"));
        }
        Ok(())
    }

    fn entry(&mut self, header: &[u8; BLOCK], before: Before) -> Result<Entry, ReadError> {
        let at = self.input.position() - BLOCK as u64;
        let (mut entry, stored, holes) =
            header::entry(header, before, &self.global, &mut self.paths)
                .map_err(|fault| fault.at(at))?;
        self.padding = padding(stored);
        self.left = stored;
        if let Some(size) = holes {
            let segments = sparse::read(&mut self.input, stored, size, self.limits.segments)?;
            self.left = segments.iter().map(|segment| segment.length).sum();
            entry.size = size;
            entry.segments = Some(segments);
        }
        self.current.clone_from(&entry.path);
        Ok(entry)
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content(buffer).map_err(io::Error::other)
    }
}
