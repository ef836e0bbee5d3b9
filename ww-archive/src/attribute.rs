//! Reading extended attributes.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{
    fgetxattr, flistxattr, flistxattr_query, lgetxattr, llistxattr, llistxattr_query,
};
use rustix::io::Errno;

use crate::entry::Xattr;
use crate::problem::ProblemKind;
use crate::shown::Shown;

/// The longest value the kernel has.
const LONGEST: usize = 64 * 1024;
/// All attributes of one file together: some file systems have no limit, a reader has.
const MOST: usize = 512 * 1024;

/// Whose attributes.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// Of what is open.
    Open(BorrowedFd<'a>),
    /// Of what cannot be opened: a link, a fifo, a device. The kernel has no call for a name in a directory, so `/proc`
    /// is asked.
    Named(BorrowedFd<'a>, &'a CStr),
}

/// Reads attributes, with memory that is used again.
pub(crate) struct Attributes {
    value: Vec<u8>,
}

impl Attributes {
    pub(crate) fn new() -> Self {
        Self {
            value: vec![0; LONGEST],
        }
    }

    /// What is kept of them, by name. What cannot be read is told.
    pub(crate) fn read(
        &mut self,
        owner: Owner<'_>,
        problem: &mut dyn FnMut(ProblemKind, String),
    ) -> Vec<Xattr> {
        let list = match list(owner) {
            Ok(list) => list,
            Err(Errno::NOTSUP | Errno::NOSYS) => return Vec::new(),
            Err(error) => {
                let error = io::Error::from(error);
                problem(
                    ProblemKind::Unreadable,
                    format!("cannot list its attributes: {error}"),
                );
                return Vec::new();
            }
        };
        let mut names: Vec<&CStr> = list
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
            .filter(|name| is_kept(name.to_bytes()))
            .collect();
        names.sort_unstable();
        let mut found = Vec::with_capacity(names.len());
        let mut total = 0;
        for name in names {
            let shown = Shown(name.to_bytes());
            match self.value(owner, name) {
                Ok(value) if total + value.len() + name.count_bytes() <= MOST => {
                    total += value.len() + name.count_bytes();
                    found.push(Xattr {
                        name: name.to_bytes().to_vec(),
                        value: value.to_vec(),
                    });
                }
                Ok(_) => problem(
                    ProblemKind::Unsupported,
                    format!(
                        "the attribute {shown} is left out: all together are more than {MOST} bytes"
                    ),
                ),
                // Removed since it was listed.
                Err(Errno::NODATA) => {}
                Err(error) => {
                    let error = io::Error::from(error);
                    let text = format!("cannot read its attribute {shown}: {error}");
                    problem(ProblemKind::Unreadable, text);
                }
            }
        }
        found
    }

    fn value(&mut self, owner: Owner<'_>, name: &CStr) -> Result<&[u8], Errno> {
        let length = match owner {
            Owner::Open(file) => fgetxattr(file, name, &mut self.value[..])?,
            Owner::Named(directory, file) => {
                lgetxattr(&*through(directory, file), name, &mut self.value[..])?
            }
        };
        Ok(&self.value[..length])
    }
}

fn list(owner: Owner<'_>) -> Result<Vec<u8>, Errno> {
    loop {
        let mut list = vec![0; query(owner)?];
        if list.is_empty() {
            return Ok(list);
        }
        let length = match owner {
            Owner::Open(file) => flistxattr(file, &mut list[..]),
            Owner::Named(directory, file) => llistxattr(&*through(directory, file), &mut list[..]),
        };
        match length {
            Ok(length) => {
                list.truncate(length);
                return Ok(list);
            }
            // There are more by now.
            Err(Errno::RANGE) => {}
            Err(error) => return Err(error),
        }
    }
}

fn query(owner: Owner<'_>) -> Result<usize, Errno> {
    match owner {
        Owner::Open(file) => flistxattr_query(file),
        Owner::Named(directory, file) => llistxattr_query(&*through(directory, file)),
    }
}

/// The path of a name in an open directory.
pub(crate) fn through(directory: BorrowedFd<'_>, name: &CStr) -> CString {
    let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    CString::new(path).unwrap_or_default()
}

/// Whether a backup keeps an attribute.
fn is_kept(name: &[u8]) -> bool {
    name.starts_with(b"user.")
        || name.starts_with(b"trusted.")
        || matches!(
            name,
            b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default"
        )
}
