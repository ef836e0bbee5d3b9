//! The names in a directory, some thousands at a time.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

/// A batch is complete with so many names, however many more there are.
const BATCH: usize = 4096;
/// What the kernel is asked to fill at once.
const BUFFER: usize = 64 * 1024;

/// Some names of a directory, by inode: on most file systems that is where their content lies, so that a disk goes one
/// way instead of back and forth.
pub(crate) struct Listing {
    buffer: Vec<u8>,
    names: Names,
    found: Vec<Found>,
}

/// One name.
#[derive(Clone, Copy)]
struct Found {
    inode: u64,
    kind: FileType,
    name: usize,
}

impl Listing {
    pub(crate) fn new() -> Self {
        Self {
            buffer: Vec::with_capacity(BUFFER),
            names: Names::default(),
            found: Vec::new(),
        }
    }

    /// Reads the next names; `false` when there are no more.
    pub(crate) fn fill(&mut self, directory: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.found.clear();
        self.names.clear();
        let buffer: &mut [MaybeUninit<u8>] = self.buffer.spare_capacity_mut();
        let mut entries = RawDir::new(directory, buffer);
        // What the kernel gave is taken whole: the next batch goes on where it stopped.
        while self.found.len() < BATCH || !entries.is_buffer_empty() {
            let Some(entry) = entries.next() else { break };
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                let name = self.names.push(name);
                self.found.push(Found {
                    inode: entry.ino(),
                    kind: entry.file_type(),
                    name,
                });
            }
        }
        self.found.sort_unstable_by_key(|found| found.inode);
        Ok(!self.found.is_empty())
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// The name at a place of the batch, and what the directory says it is.
    pub(crate) fn get(&self, at: usize) -> Option<(&CStr, FileType)> {
        let found = self.found.get(at)?;
        Some((self.names.get(found.name)?, found.kind))
    }
}

/// Many names in one piece of memory.
#[derive(Default)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    next: usize,
}

impl Names {
    /// Adds a name and says where it is.
    pub(crate) fn push(&mut self, name: &CStr) -> usize {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(name.to_bytes_with_nul());
        at
    }

    fn get(&self, at: usize) -> Option<&CStr> {
        CStr::from_bytes_until_nul(self.bytes.get(at..)?).ok()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.next = 0;
    }

    /// Takes the first that is left.
    pub(crate) fn take(&mut self) -> Option<std::ffi::CString> {
        let name = self.get(self.next)?.to_owned();
        self.next += name.as_bytes_with_nul().len();
        Some(name)
    }
}
