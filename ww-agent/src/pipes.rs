//! What scripts print: read as it comes, forwarded or kept, never waited for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::pipe2;
use whaleware::protocol::MAX_MONITOR;

use crate::hooks::Owner;
use crate::output::{Output, Writer};
use crate::poller::{Interest, Poller, Token};

/// Read at once.
const PIECE: usize = 8 * 1024;
/// Pieces read when a script has ended: what it printed itself is in the pipe by then, but a
/// daemon it left behind may go on for ever.
const LAST_PIECES: usize = 64;

/// The beginning of what a monitor printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Capture {
    /// At most [`MAX_MONITOR`] bytes.
    pub(crate) head: Vec<u8>,
    /// There was more.
    pub(crate) truncated: bool,
}

impl Capture {
    fn take(&mut self, bytes: &[u8]) {
        let room = MAX_MONITOR.saturating_sub(self.head.len());
        let kept = &bytes[..bytes.len().min(room)];
        self.head.extend_from_slice(kept);
        self.truncated |= kept.len() < bytes.len();
    }
}

/// Which of the two a pipe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

/// What is kept instead of being forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing.
    Nothing,
    /// What it prints.
    Stdout,
    /// What it prints and what it complains about, apart.
    Both,
}

/// What was kept of a process that has ended.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// What it printed.
    pub(crate) stdout: Option<Capture>,
    /// What it complained about.
    pub(crate) stderr: Option<Capture>,
}

impl Kept {
    fn put(&mut self, stream: Stream, capture: Capture) {
        match stream {
            Stream::Stdout => self.stdout = Some(capture),
            Stream::Stderr => self.stderr = Some(capture),
        }
    }
}

/// Where a pipe's bytes go.
#[derive(Debug)]
enum Flow {
    Stdout,
    Stderr,
    Capture(Stream, Capture),
    /// A monitor's report is made; what its children still print is nobody's.
    Discard,
}

#[derive(Debug)]
struct Pipe {
    file: File,
    owner: Owner,
    flow: Flow,
}

/// What one look into a pipe found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Bytes,
    Nothing,
    End,
}

/// The writing ends of a script's pipes, to be handed to it.
pub(crate) struct Ends {
    /// Its stdout.
    pub(crate) stdout: OwnedFd,
    /// Its stderr.
    pub(crate) stderr: OwnedFd,
}

/// All pipes that are open, those of daemons included.
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    open: BTreeMap<u32, Pipe>,
    last: u32,
    /// What was kept of pipes that came to their end before their script did.
    kept: BTreeMap<Owner, Kept>,
}

impl Pipes {
    /// A pair of pipes for a process; what is not kept of it is forwarded.
    pub(crate) fn make(&mut self, owner: Owner, keep: Keep, poller: &Poller) -> io::Result<Ends> {
        let kept = |stream| Flow::Capture(stream, Capture::default());
        let (stdout, stderr) = match keep {
            Keep::Nothing => (Flow::Stdout, Flow::Stderr),
            Keep::Stdout => (kept(Stream::Stdout), Flow::Stderr),
            Keep::Both => (kept(Stream::Stdout), kept(Stream::Stderr)),
        };
        let stdout = self.open(owner, stdout, poller)?;
        let stderr = self.open(owner, stderr, poller);
        match stderr {
            Ok(stderr) => Ok(Ends { stdout, stderr }),
            Err(error) => {
                self.forget(owner, poller);
                Err(error)
            }
        }
    }

    fn open(&mut self, owner: Owner, flow: Flow, poller: &Poller) -> io::Result<OwnedFd> {
        let (reading, writing) = pipe2(OFlag::O_CLOEXEC)?;
        // A program that changes its user may open /dev/stdout anew: the pipe's mode decides.
        fchmod(&writing, Mode::from_bits_truncate(0o622))?;
        // The two ends are described apart: the script's own end goes on blocking.
        fcntl(&reading, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        self.last = self.last.wrapping_add(1);
        poller.add(reading.as_fd(), Token::Pipe(self.last), Interest::Read)?;
        let pipe = Pipe {
            file: File::from(reading),
            owner,
            flow,
        };
        self.open.insert(self.last, pipe);
        Ok(writing)
    }

    /// Closes the pipes of a script that was not started.
    pub(crate) fn forget(&mut self, owner: Owner, poller: &Poller) {
        self.open.retain(|_, pipe| {
            let kept = pipe.owner != owner;
            if !kept {
                poller.remove(&pipe.file);
            }
            kept
        });
    }

    /// Reads a piece of what is there.
    pub(crate) fn read(&mut self, id: u32, output: &mut Output, poller: &Poller) {
        if let Some(pipe) = self.open.get_mut(&id)
            && read_piece(id, pipe, output) == Found::End
        {
            poller.remove(&pipe.file);
            if let Flow::Capture(stream, capture) = &mut pipe.flow {
                let kept = self.kept.entry(pipe.owner).or_default();
                kept.put(*stream, std::mem::take(capture));
            }
            self.open.remove(&id);
        }
    }

    /// The agent leaves: reads what is left, so that nobody's last words are lost.
    pub(crate) fn drain(&mut self, output: &mut Output) {
        for (id, pipe) in &mut self.open {
            for _ in 0..LAST_PIECES {
                if read_piece(*id, pipe, output) != Found::Bytes {
                    break;
                }
            }
        }
    }

    /// The script has ended: reads what it left, and gives what was kept of it.
    pub(crate) fn finish(&mut self, owner: Owner, output: &mut Output, poller: &Poller) -> Kept {
        let ids: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, pipe)| pipe.owner == owner)
            .map(|(id, _)| *id)
            .collect();
        let mut kept = self.kept.remove(&owner).unwrap_or_default();
        for id in ids {
            let Some(pipe) = self.open.get_mut(&id) else {
                continue;
            };
            let mut found = Found::Bytes;
            for _ in 0..LAST_PIECES {
                found = read_piece(id, pipe, output);
                if found != Found::Bytes {
                    break;
                }
            }
            if let Flow::Capture(stream, capture) = &mut pipe.flow {
                kept.put(*stream, std::mem::take(capture));
                pipe.flow = Flow::Discard;
            }
            if found == Found::End {
                poller.remove(&pipe.file);
                self.open.remove(&id);
            }
        }
        kept
    }
}

fn read_piece(id: u32, pipe: &mut Pipe, output: &mut Output) -> Found {
    let mut piece = [0; PIECE];
    let count = match pipe.file.read(&mut piece) {
        Ok(0) => return Found::End,
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Found::Nothing,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Found::Bytes,
        Err(_) => return Found::End,
    };
    let bytes = &piece[..count];
    if matches!(pipe.flow, Flow::Stdout | Flow::Stderr) {
        output.tail.feed(Writer::Pipe(id), bytes);
    }
    match &mut pipe.flow {
        Flow::Stdout => output.stdout.write(Writer::Pipe(id), bytes),
        Flow::Stderr => output.stderr.write(Writer::Pipe(id), bytes),
        Flow::Capture(_, capture) => capture.take(bytes),
        Flow::Discard => {}
    }
    Found::Bytes
}
