//! Writes a recording, on a thread of its own: a slow disk must not be felt.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::line::{Header, KIND, Line};
use super::{LONGEST, VERSION};
use crate::fleet::{HostName, Input, Stamp};

/// So much may wait for the disk.
const WAITING: usize = 8192;
/// So long the end waits for what is not yet written.
const LAST: Duration = Duration::from_secs(2);

/// Keeps what the fleet tells.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// None once it has stopped.
    inputs: Option<SyncSender<(Stamp, Input)>>,
    /// Why the thread has stopped.
    stopped: Option<oneshot::Receiver<String>>,
    ended: Receiver<()>,
}

impl Recorder {
    /// Begins a file that must not be there yet: what was recorded once is not written over. What is in
    /// it (labels, what monitors print) may be a secret, so only its owner reads it.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(crate) fn create(path: &Path, hosts: &[HostName], now: Stamp) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let header = Header {
            whaleware: KIND.to_owned(),
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
            at: now.into(),
        };
        let mut line = serde_json::to_vec(&header)?;
        line.push(b'\n');
        file.write_all(&line)?;
        Self::begin(file)
    }

    pub(super) fn begin(file: File) -> io::Result<Self> {
        let (inputs, waiting) = sync_channel(WAITING);
        let (tell, stopped) = oneshot::channel();
        let (end, ended) = mpsc::channel();
        std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                if let Err(error) = write(file, &waiting) {
                    // Nobody to tell means that the dashboard was left.
                    let _left = tell.send(error.to_string());
                }
                drop(end);
            })?;
        Ok(Self {
            inputs: Some(inputs),
            stopped: Some(stopped),
            ended,
        })
    }

    /// Keeps something. Why it could not be, once.
    pub(crate) fn keep(&mut self, at: Stamp, input: &Input) -> Option<String> {
        let sent = self.inputs.as_ref()?.try_send((at, input.clone()));
        match sent {
            Ok(()) => None,
            Err(TrySendError::Full(_)) => {
                self.inputs = None;
                Some("more happens than can be written".into())
            }
            // Why is on its way.
            Err(TrySendError::Disconnected(_)) => {
                self.inputs = None;
                None
            }
        }
    }

    /// Why it has stopped by itself; none while it has not, and once it was told.
    pub(crate) fn failed(&mut self) -> Option<String> {
        self.stopped.as_mut()?.try_recv().ok()
    }

    /// Where it is told why it has stopped by itself; to one only.
    pub(crate) const fn stopped(&mut self) -> Option<oneshot::Receiver<String>> {
        self.stopped.take()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.inputs = None;
        // A disk that hangs must not keep one from leaving.
        let _late = self.ended.recv_timeout(LAST);
    }
}

fn write(file: File, waiting: &Receiver<(Stamp, Input)>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    while let Ok(first) = waiting.recv() {
        let mut next = Some(first);
        while let Some((at, input)) = next {
            let mut line = serde_json::to_vec(&Line::new(at, input))?;
            if line.len() >= LONGEST {
                let text = format!("a line would be longer than {} MiB", LONGEST >> 20);
                return Err(io::Error::other(text));
            }
            line.push(b'\n');
            file.write_all(&line)?;
            next = waiting.try_recv().ok();
        }
        // What has happened is on record even if this program is killed.
        file.flush()?;
    }
    Ok(())
}
