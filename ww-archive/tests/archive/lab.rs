//! What the tests have in common: a place for trees, who watches, and archives made by hand.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use ww_archive::pack::{PackError, PackOptions, Packed, pack};
use ww_archive::read::{Limits, ReadError, Reader};
use ww_archive::{Entry, Problem, ProblemKind, Watch};

/// A directory of one test.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory for the test"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A fresh directory in it.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).expect("a directory");
        path
    }
}

/// What is done when an entry begins.
type Hook<'a> = Box<dyn FnMut(&Entry) + 'a>;

/// Keeps all it is told.
#[derive(Default)]
pub(crate) struct Log<'a> {
    pub(crate) entries: Vec<Entry>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) bytes: u64,
    /// Stops once so many entries were told.
    pub(crate) stop_after: Option<usize>,
    pub(crate) hook: Option<Hook<'a>>,
}

impl<'a> Log<'a> {
    pub(crate) fn with(hook: impl FnMut(&Entry) + 'a) -> Self {
        Self {
            hook: Some(Box::new(hook)),
            ..Self::default()
        }
    }

    /// The problems as words: `kind path`, in order.
    pub(crate) fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self
            .problems
            .iter()
            .map(|problem| format!("{} {}", problem.kind, problem.path.escape_ascii()))
            .collect();
        told.sort();
        told
    }

    pub(crate) fn text(&self, kind: ProblemKind) -> &str {
        let problem = self.problems.iter().find(|problem| problem.kind == kind);
        &problem
            .unwrap_or_else(|| panic!("no {kind} in {:?}", self.problems))
            .text
    }
}

impl Watch for Log<'_> {
    fn entry(&mut self, entry: &Entry) {
        if let Some(hook) = &mut self.hook {
            hook(entry);
        }
        self.entries.push(entry.clone());
    }

    fn bytes(&mut self, count: u64) {
        self.bytes += count;
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn is_over(&self) -> bool {
        self.stop_after
            .is_some_and(|most| self.entries.len() >= most)
    }
}

/// Packs a tree.
pub(crate) fn packed(
    tree: &Path,
    options: &PackOptions,
    log: &mut Log<'_>,
) -> Result<(Vec<u8>, Packed), PackError> {
    let root = File::open(tree).expect("the tree can be opened");
    let mut archive = Vec::new();
    let packed = pack(root.as_fd(), options, &mut archive, log)?;
    assert_eq!(packed.written, archive.len() as u64);
    assert_eq!(packed.entries, log.entries.len() as u64);
    assert_eq!(packed.problems, log.problems.len() as u64);
    assert_eq!(packed.bytes, log.bytes);
    Ok((archive, packed))
}

/// Packs a tree in which nothing may be wrong.
pub(crate) fn whole(tree: &Path) -> (Vec<u8>, Vec<Entry>) {
    let mut log = Log::default();
    let (archive, _) = packed(tree, &PackOptions::default(), &mut log).expect("it is packed");
    assert_eq!(log.told(), [""; 0]);
    (archive, log.entries)
}

/// Everything in an archive: each entry with its stored content.
pub(crate) fn read(archive: impl Read) -> Result<Vec<(Entry, Vec<u8>)>, ReadError> {
    read_with(archive, Limits::default())
}

pub(crate) fn read_with(
    archive: impl Read,
    limits: Limits,
) -> Result<Vec<(Entry, Vec<u8>)>, ReadError> {
    let mut reader = Reader::new(archive, limits);
    let mut all = Vec::new();
    while let Some(entry) = reader.next()? {
        let mut content = Vec::new();
        if let Err(error) = reader.read_to_end(&mut content) {
            return Err(*error
                .into_inner()
                .expect("an inner error")
                .downcast()
                .expect("of the reader"));
        }
        assert_eq!(content.len() as u64, entry.stored());
        all.push((entry, content));
    }
    reader.finish()?;
    Ok(all)
}

/// A header of an archive made by hand, all fields as they are given.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) size: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) prefix: Vec<u8>,
    pub(crate) magic: &'static [u8],
    pub(crate) uid: Vec<u8>,
    pub(crate) mtime: Vec<u8>,
    pub(crate) mode: &'static [u8],
}

impl Raw {
    pub(crate) fn new(kind: u8, name: &[u8]) -> Self {
        Self {
            name: name.to_vec(),
            kind,
            size: b"0".to_vec(),
            link: Vec::new(),
            prefix: Vec::new(),
            magic: b"ustar\x0000",
            uid: b"0".to_vec(),
            mtime: b"0".to_vec(),
            mode: b"0000755",
        }
    }

    pub(crate) fn link(kind: u8, name: &[u8], target: &[u8]) -> Self {
        Self {
            link: target.to_vec(),
            ..Self::new(kind, name)
        }
    }

    pub(crate) fn bytes(&self) -> [u8; 512] {
        let mut block = [0; 512];
        for (at, bytes) in [
            (0, &self.name[..]),
            (100, self.mode),
            (108, &self.uid),
            (116, b"0000000"),
            (124, &self.size),
            (136, &self.mtime),
            (156, &[self.kind]),
            (157, &self.link),
            (257, self.magic),
            (329, b"1"),
            (337, b"3"),
            (345, &self.prefix),
        ] {
            block[at..at + bytes.len()].copy_from_slice(bytes);
        }
        seal(&mut block);
        block
    }
}

/// Puts in the checksum.
pub(crate) fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// An archive made by hand.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    pub(crate) fn raw(mut self, raw: &Raw) -> Self {
        self.0.extend_from_slice(&raw.bytes());
        self
    }

    /// The root.
    pub(crate) fn root(self) -> Self {
        self.raw(&Raw::new(b'5', b"./"))
    }

    pub(crate) fn with(self, mut raw: Raw, content: &[u8]) -> Self {
        raw.size = format!("{:o}", content.len()).into_bytes();
        self.raw(&raw).content(content)
    }

    pub(crate) fn file(self, name: &[u8], content: &[u8]) -> Self {
        self.with(Raw::new(b'0', name), content)
    }

    pub(crate) fn content(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// An extended header.
    pub(crate) fn records(self, kind: u8, records: &[(&str, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (1..=20)
                .map(|digits| rest + digits)
                .find(|length| length.to_string().len() + rest == *length)
                .expect("a length");
            bytes.extend_from_slice(format!("{length} {key}=").as_bytes());
            bytes.extend_from_slice(value);
            bytes.push(b'\n');
        }
        self.with(Raw::new(kind, b"./PaxHeaders/"), &bytes)
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}
