//! A program that the operator runs in a container, with its standard streams or a terminal.

use std::io;
use std::pin::Pin;

use bollard::exec::{CreateExecOptions, ResizeExecOptions};
use bytes::{Buf, Bytes, BytesMut};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use super::client::Engine;
use super::error::EngineError;
use super::reading::read_some;
use super::wire::{Answered, hijack};

const RUN: &str = "run a program in the container";
/// The length of a frame's header.
const HEADER: usize = 8;
/// Keys at which the Engine would leave a program's terminal. There is no way to say none, and its own
/// default holds back every Ctrl-P, which shells use, until the next key. Of these the first is
/// hardly ever typed, and nobody types all of them.
const DETACH_KEYS: &str = "ctrl-@,ctrl-],ctrl-^,ctrl-_,ctrl-@,ctrl-_";

/// What is to be run, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    /// The words of its command.
    pub command: Vec<String>,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Whether it gets input; it finds none otherwise.
    pub stdin: bool,
    /// As whom it runs: `user`, `user:group`, by name or number.
    pub user: Option<String>,
    /// Where.
    pub directory: Option<String>,
    /// `NAME=VALUE`, beside those of the container.
    pub variables: Vec<String>,
}

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// How high.
    pub rows: u16,
    /// How wide.
    pub columns: u16,
}

/// Where a program wrote something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// On its standard output, or on its terminal.
    Stdout,
    /// On its standard error; also a word of the Engine instead of the program's.
    Stderr,
}

/// How a program stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It runs.
    Running,
    /// It has ended with this code: 128+n by signal n.
    Ended(i64),
    /// It was never started; the code is 126 or 127. Podman does not tell this from one that ended so.
    NotStarted(i64),
}

/// What a program that runs writes and reads.
pub(crate) struct Streams {
    /// What it writes.
    pub output: Pieces,
    /// What it reads; to shut it down is the end of its input.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
}

/// What a program writes, piece by piece, as it was written.
pub(crate) struct Pieces {
    reader: Pin<Box<dyn AsyncRead + Send>>,
    buffer: BytesMut,
    frames: Option<Frames>,
}

impl Engine {
    /// Prepares a program; its name among the Engine's.
    ///
    /// # Errors
    /// When the container does not run or is gone, or the Engine is.
    pub(crate) async fn prepare(&self, id: &str, program: &Program) -> Result<String, EngineError> {
        let options = CreateExecOptions {
            attach_stdin: Some(program.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(program.tty),
            detach_keys: program.tty.then(|| DETACH_KEYS.to_owned()),
            env: Some(program.variables.clone()),
            cmd: Some(program.command.clone()),
            user: program.user.clone(),
            working_dir: program.directory.clone(),
            privileged: None,
        };
        let created = self.inner.quick.create_exec(id, options).await;
        created
            .map(|created| created.id)
            .map_err(|error| self.error(RUN, &error))
    }

    /// Starts a program that was prepared. `size` is that of its terminal.
    ///
    /// # Errors
    /// When it cannot be started, with the Engine's reason.
    pub(crate) async fn launch(
        &self,
        exec: &str,
        program: &Program,
        size: Option<Size>,
    ) -> Result<Streams, EngineError> {
        let version = self.inner.quick.client_version();
        let path = format!("/v{version}/exec/{exec}/start");
        let mut body = json!({"Detach": false, "Tty": program.tty});
        // Newer Engines have the size from the first moment on; older ones pass it over.
        if let Some(size) = size {
            body["ConsoleSize"] = json!([size.rows, size.columns]);
        }
        let hijacked = hijack(self.endpoint(), &path, &body).await;
        match hijacked.map_err(|error| self.broken(RUN, &error))? {
            Answered::Accepted(hijacked) => {
                let (reader, writer) = tokio::io::split(hijacked.stream);
                Ok(Streams {
                    output: Pieces {
                        reader: Box::pin(reader),
                        buffer: BytesMut::from(hijacked.early),
                        frames: (!program.tty).then(Frames::default),
                    },
                    input: Box::pin(writer),
                })
            }
            Answered::Refused { status, message } => {
                Err(EngineError::answered(self.at(), RUN, status, &message))
            }
        }
    }

    /// Gives a program's terminal another size. The Engine waits until it has begun.
    ///
    /// # Errors
    /// When it has ended, or the Engine is gone.
    pub(crate) async fn resize(&self, exec: &str, size: Size) -> Result<(), EngineError> {
        let options = ResizeExecOptions {
            height: size.rows,
            width: size.columns,
        };
        let resized = self.inner.quick.resize_exec(exec, options).await;
        resized.map_err(|error| self.error("resize the program's terminal", &error))
    }

    /// How a program stands.
    ///
    /// # Errors
    /// When the Engine does not answer, or does not know it any more.
    pub(crate) async fn standing(&self, exec: &str) -> Result<Standing, EngineError> {
        let answer = self.inner.quick.inspect_exec(exec).await;
        let answer = answer.map_err(|error| self.error("ask how the program has ended", &error))?;
        let unborn = !self.is_podman() && answer.pid.unwrap_or(0) == 0;
        Ok(match (answer.running, answer.exit_code) {
            (Some(false) | None, Some(code @ (126 | 127))) if unborn => Standing::NotStarted(code),
            (Some(false) | None, Some(code)) => Standing::Ended(code),
            (Some(_) | None, None) | (Some(true), Some(_)) => Standing::Running,
        })
    }
}

impl Pieces {
    /// The next piece, and where it was written; none at the end. Nothing is lost when the call is
    /// given up.
    ///
    /// # Errors
    /// When the connection breaks, or what comes makes no sense.
    pub(crate) async fn next(&mut self) -> io::Result<Option<(Channel, Bytes)>> {
        loop {
            let piece = if let Some(frames) = &mut self.frames {
                frames.take(&mut self.buffer)?
            } else {
                let all = self.buffer.split().freeze();
                (!all.is_empty()).then_some((Channel::Stdout, all))
            };
            if piece.is_some() {
                return Ok(piece);
            }
            if read_some(&mut self.reader, &mut self.buffer).await? == 0 {
                return match &self.frames {
                    Some(frames) if frames.is_within(&self.buffer) => {
                        let reason = "the Engine closed the connection within a piece of output";
                        Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason))
                    }
                    Some(_) | None => Ok(None),
                };
            }
        }
    }
}

/// Takes apart what has both outputs in one stream: a header says whose the next bytes are. They are
/// passed on as they come, however long the piece is.
#[derive(Debug, Default)]
struct Frames {
    whose: Option<Channel>,
    left: usize,
}

impl Frames {
    fn take(&mut self, buffer: &mut BytesMut) -> io::Result<Option<(Channel, Bytes)>> {
        while self.left == 0 {
            if buffer.len() < HEADER {
                return Ok(None);
            }
            let header = buffer.split_to(HEADER);
            self.whose = Some(match header[0] {
                0 | 1 => Channel::Stdout,
                // The last is what the Engine itself has to say.
                2 | 3 => Channel::Stderr,
                other => {
                    let reason = format!("the Engine's output is of an unknown kind ({other})");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
                }
            });
            let length = (&header[4..]).get_u32();
            self.left = usize::try_from(length).unwrap_or(usize::MAX);
        }
        let Some(whose) = self.whose.filter(|_| !buffer.is_empty()) else {
            return Ok(None);
        };
        let piece = buffer.split_to(self.left.min(buffer.len())).freeze();
        self.left -= piece.len();
        Ok(Some((whose, piece)))
    }

    /// Whether the end now would be in the middle of something.
    fn is_within(&self, buffer: &BytesMut) -> bool {
        self.left > 0 || !buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0][..], &length, text].concat()
    }

    async fn pieces(bytes: &[u8], chunk: usize, tty: bool) -> io::Result<[Vec<u8>; 2]> {
        let (ours, mut theirs) = tokio::io::duplex(chunk);
        let mut pieces = Pieces {
            reader: Box::pin(ours),
            buffer: BytesMut::new(),
            frames: (!tty).then(Frames::default),
        };
        let write = async {
            tokio::io::AsyncWriteExt::write_all(&mut theirs, bytes)
                .await
                .unwrap();
            drop(theirs);
        };
        let read = async {
            let mut streams = [Vec::new(), Vec::new()];
            while let Some((channel, piece)) = pieces.next().await? {
                assert!(!piece.is_empty());
                streams[usize::from(channel == Channel::Stderr)].extend_from_slice(&piece);
            }
            Ok(streams)
        };
        tokio::join!(write, read).1
    }

    #[tokio::test]
    async fn both_outputs_are_told_apart_byte_for_byte_whatever_the_chunks() {
        let all: Vec<u8> = (0..=255).collect();
        let bytes = [
            frame(1, b"out\n"),
            frame(2, &all),
            frame(1, b""),
            frame(0, &all),
            frame(3, b"OCI"),
        ]
        .concat();
        for chunk in [1, 2, 7, 8, 9, 1000] {
            let [out, err] = pieces(&bytes, chunk, false).await.unwrap();
            assert_eq!(out, [b"out\n", &all[..]].concat(), "{chunk}");
            assert_eq!(err, [&all[..], b"OCI"].concat(), "{chunk}");
        }
    }

    #[tokio::test]
    async fn what_a_terminal_shows_is_never_taken_for_a_header() {
        let bytes = [&frame(1, b"x")[..], b"\x00\x01\x02 \x01\x00"].concat();
        for chunk in [1, 8, 1000] {
            let [out, err] = pieces(&bytes, chunk, true).await.unwrap();
            assert_eq!((out, err.len()), (bytes.clone(), 0));
        }
    }

    #[tokio::test]
    async fn an_end_within_a_piece_is_no_end() {
        for cut in 1..=12 {
            let bytes = &frame(1, b"lost")[..cut];
            let ended = pieces(bytes, 1000, false).await;
            assert_eq!(ended.is_err(), cut != 12, "{cut}");
        }
        let odd = pieces(b"HTTP/1.1 ", 1000, false).await.unwrap_err();
        assert_eq!(odd.kind(), io::ErrorKind::InvalidData);
    }
}
