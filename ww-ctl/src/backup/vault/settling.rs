//! A file that reaches the disk while more is written to it, so that little is left to be waited for at its end.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

/// So much is written before the disk is asked for it again.
const PORTION: u64 = 32 << 20;

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Settling {
    file: File,
    /// What was written since the disk was asked last.
    pending: u64,
    syncing: Option<Syncing>,
}

#[derive(Debug)]
struct Syncing {
    ask: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Settling {
    pub(super) const fn new(file: File) -> Self {
        Self {
            file,
            pending: 0,
            syncing: None,
        }
    }

    /// Ends it: all of it is on the disk then.
    ///
    /// # Errors
    /// When some of it is not. The kernel tells that once to all who have the file from the same opening, so it may
    /// have been told before.
    pub(super) fn end(mut self) -> io::Result<()> {
        if let Some(syncing) = self.syncing.take() {
            syncing.end()?;
        }
        self.file.sync_all()
    }

    /// Has the disk take what there is, by a thread that is waited for at the end only.
    fn ask(&mut self) -> io::Result<()> {
        let syncing = match self.syncing.take() {
            Some(syncing) => syncing,
            None => Syncing::begin(self.file.try_clone()?)?,
        };
        match syncing.ask.try_send(()) {
            // It is at it still: it takes what has come since, too, or does so at the next time.
            Ok(()) | Err(TrySendError::Full(())) => {
                self.syncing = Some(syncing);
                Ok(())
            }
            // It has ended, and knows why.
            Err(TrySendError::Disconnected(())) => syncing.end(),
        }
    }
}

impl Syncing {
    fn begin(file: File) -> io::Result<Self> {
        let (ask, asked) = sync_channel(1);
        let thread = Builder::new().name("settle".into()).spawn(move || {
            while asked.recv().is_ok() {
                file.sync_data()?;
            }
            Ok(())
        })?;
        Ok(Self { ask, thread })
    }

    fn end(self) -> io::Result<()> {
        drop(self.ask);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("what synced it ended before its time")))
    }
}

impl Write for Settling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(bytes)?;
        self.pending += taken as u64;
        if self.pending >= PORTION {
            self.pending = 0;
            self.ask()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_written_and_what_cannot_be_synced_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut settling = Settling::new(file.reopen().unwrap());
        let piece = vec![7; 1 << 20];
        for _ in 0..70 {
            settling.write_all(&piece).unwrap();
        }
        settling.end().unwrap();
        assert_eq!(file.as_file().metadata().unwrap().len(), 70 << 20);

        // A pipe takes bytes, and cannot be synced.
        let (reader, writer) = io::pipe().unwrap();
        let taking = std::thread::spawn(move || io::copy(&mut { reader }, &mut io::sink()));
        let mut settling = Settling::new(File::from(std::os::fd::OwnedFd::from(writer)));
        let wrote = (0..70).try_for_each(|_| settling.write_all(&piece));
        let ended = settling.end();
        assert!(wrote.is_err() || ended.is_err(), "nothing was told");
        taking.join().unwrap().unwrap();
    }
}
