//! Whether a backup is still what it was when it was made.
//!
//! Quickly: each file has the size and the SHA-256 that the manifest says, and the manifest, when it was read, the one it
//! says of itself; so any byte that changed is found. Fully: all of it is decoded as for a restore, and each entry
//! compared with the list of files: what can be read is what was read then. What lies there as files is compared with its
//! list either way.

#[cfg(test)]
mod tests;
mod tree;

use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use super::digest::Digesting;
use super::error::VaultError;
use super::incoming::HOOK;
use super::listed::{self, Line};
use super::manifest::{Part, Payload};
use super::reader::{files, kept_by, reader};
use super::seal::{SealError, index};
use super::set::Set;
use crate::backup::source::Gauge;
use crate::engine::chain;
use crate::fleet::clean;

/// So many faults are told of one backup.
const FAULTS: usize = 100;
/// How much of a file is read at once.
const PIECE: usize = 256 * 1024;
/// The most characters of a path that are told.
const TEXT: usize = 512;

/// How deep it is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Sizes and digests of files.
    Quick,
    /// All of it is decoded and compared, too.
    Full,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Verdict {
    /// What is not as it was; the first ones.
    pub faults: Vec<String>,
    /// What could not be looked into, and why.
    pub unchecked: Vec<String>,
}

impl Verdict {
    /// Whether it is what it was, as far as could be seen.
    pub(crate) fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(&mut self, words: &str) {
        if self.faults.len() < FAULTS {
            self.faults.push(clean(words, 2 * TEXT));
        }
    }
}

/// Looks into a backup. `identity` is a file with what decrypts it.
///
/// # Errors
/// When it cannot be found out, because it was stopped or its files cannot be read.
pub(crate) fn verify(
    set: &Set,
    depth: Depth,
    identity: Option<&Path>,
    gauge: &Gauge,
) -> Result<Verdict, SealError> {
    let mut verdict = Verdict::default();
    if set.is_verified_damaged() {
        verdict.fault("what was found out of it before (verified.json) is damaged");
    }
    for (at, part) in set.manifest.parts.iter().enumerate() {
        let before = verdict.faults.len();
        for payload in [&part.payload, &part.files] {
            if payload.file != HOOK {
                whole(set, payload, gauge, &mut verdict)?;
            }
        }
        // What is not the same any more need not be decoded to know.
        let is_same = verdict.faults.len() == before;
        let is_deep = depth == Depth::Full || part.payload.file == HOOK;
        if is_same && is_deep {
            if part.payload.file == HOOK {
                tree::compare(set, at, gauge, &mut verdict)?;
            } else {
                decoded(set, at, part, identity, gauge, &mut verdict)?;
            }
        }
    }
    Ok(verdict)
}

/// Compares a file with what the manifest says of it.
fn whole(
    set: &Set,
    payload: &Payload,
    gauge: &Gauge,
    verdict: &mut Verdict,
) -> Result<(), SealError> {
    let name = &payload.file;
    if let Some(snapshot) = &payload.snapshot {
        let has = kept_by(set)?.has(snapshot);
        if !has.map_err(VaultError::system("look for", name))? {
            let words = format!("{name} is missing: restic has no snapshot {snapshot}");
            verdict.fault(&words);
        }
        return Ok(());
    }
    let file = match set.open(name) {
        Ok(file) => file,
        Err(VaultError::System { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            verdict.fault(&format!("{name} is missing"));
            return Ok(());
        }
        Err(VaultError::Odd { reason, .. }) => {
            verdict.fault(&format!("{name}: {reason}"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut digesting = Digesting::new(file.take(payload.bytes.saturating_add(1)));
    let mut piece = vec![0; PIECE];
    loop {
        if gauge.is_stopped() {
            return Err(SealError::Stopped);
        }
        match digesting.read(&mut piece) {
            Ok(0) => break,
            Ok(taken) => gauge.add(0, taken as u64),
            Err(error) => {
                verdict.fault(&format!("{name} cannot be read: {error}"));
                return Ok(());
            }
        }
    }
    let (_, bytes, sha256) = digesting.end();
    if bytes > payload.bytes {
        verdict.fault(&format!("{name} has more than its {} bytes", payload.bytes));
    } else if bytes < payload.bytes {
        let words = format!("{name} has {bytes} bytes and not {}", payload.bytes);
        verdict.fault(&words);
    } else if sha256 != payload.sha256 {
        verdict.fault(&format!(
            "{name} has another SHA-256 than when it was written"
        ));
    }
    Ok(())
}

/// Decodes a part, and compares it with its list of files.
fn decoded(
    set: &Set,
    at: usize,
    part: &Part,
    identity: Option<&Path>,
    gauge: &Gauge,
    verdict: &mut Verdict,
) -> Result<(), SealError> {
    let is_encrypted = part.payload.encrypted || part.files.encrypted;
    if is_encrypted && identity.is_none() {
        let words = format!("{} is encrypted, and was not decoded", part.payload.file);
        verdict.unchecked.push(words);
        return Ok(());
    }
    let name = &part.payload.file;
    let mut comparing = Comparing::new(files(set, at, identity)?);
    let content = reader(set, at, identity)?;
    let counts = match index(content, &mut comparing, &part.files.file, gauge) {
        Ok(counts) => counts,
        Err(SealError::Stopped) => return Err(SealError::Stopped),
        Err(error) => {
            verdict.fault(&format!("{name} cannot be decoded: {}", chain(&error)));
            return Ok(());
        }
    };
    for fault in comparing.end() {
        verdict.fault(&format!("{name}: {fault}"));
    }
    if counts != part.counts {
        let words =
            format!("{name} does not have as many entries of each kind as its manifest says");
        verdict.fault(&words);
    }
    Ok(())
}

/// Takes the lines that an archive makes, and compares them with those of a list.
struct Comparing<R> {
    list: R,
    /// The line that is being written.
    line: Vec<u8>,
    faults: Vec<String>,
    /// What follows in the list is not known.
    is_lost: bool,
}

impl<R: BufRead> Comparing<R> {
    fn new(list: R) -> Self {
        Self {
            list,
            line: Vec::new(),
            faults: Vec::new(),
            is_lost: false,
        }
    }

    fn fault(&mut self, words: String) {
        if self.faults.len() < FAULTS {
            self.faults.push(words);
        }
    }

    fn compare(&mut self) -> io::Result<()> {
        if self.is_lost {
            return Ok(());
        }
        let found: Line = serde_json::from_slice(&self.line)?;
        match listed::read(&mut self.list) {
            Ok(Some(expected)) if expected == found => {}
            Ok(Some(expected)) if expected.path == found.path => {
                self.fault(format!("{} is not as it is listed", shown(&found)));
            }
            Ok(Some(expected)) => {
                self.is_lost = true;
                let words = format!("{} is where {} is listed", shown(&found), shown(&expected));
                self.fault(words);
            }
            Ok(None) => {
                self.is_lost = true;
                self.fault(format!("{} and what follows is not listed", shown(&found)));
            }
            Err(error) => {
                self.is_lost = true;
                self.fault(format!("its list of files cannot be decoded: {error}"));
            }
        }
        Ok(())
    }

    /// What was found, when all of the archive was read.
    fn end(mut self) -> Vec<String> {
        if self.is_lost {
            return self.faults;
        }
        match listed::read(&mut self.list) {
            Ok(None) => {}
            Ok(Some(missing)) => {
                self.fault(format!(
                    "{} and what follows is listed only",
                    shown(&missing)
                ));
            }
            Err(error) => self.fault(format!("its list of files cannot be decoded: {error}")),
        }
        self.faults
    }
}

impl<R: BufRead> Write for Comparing<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        self.line.extend_from_slice(&bytes[..taken]);
        if end.is_some() {
            self.compare()?;
            self.line.clear();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shown(line: &Line) -> String {
    shown_path(&line.path.0)
}

fn shown_path(path: &[u8]) -> String {
    match String::from_utf8_lossy(path) {
        root if root.is_empty() => "the directory itself".to_owned(),
        path => clean(&path, TEXT),
    }
}
