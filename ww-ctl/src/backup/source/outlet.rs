//! Where an archive goes while it is read.

use std::fs::File;
use std::io::{self, Write};

use crate::backup::feed::Feed;

/// Where it goes.
#[derive(Debug)]
pub(crate) enum Outlet {
    /// Into a file, from where it stands.
    File(File),
    /// To who takes it meanwhile.
    Feed(Feed),
}

impl From<File> for Outlet {
    fn from(file: File) -> Self {
        Self::File(file)
    }
}

impl From<Feed> for Outlet {
    fn from(feed: Feed) -> Self {
        Self::Feed(feed)
    }
}

impl Outlet {
    /// It has come to its end, and nothing about it is wrong.
    pub(super) fn end(self) -> io::Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Feed(feed) => feed.end(),
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Feed(feed) => feed.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Feed(feed) => feed.flush(),
        }
    }
}
