//! What a container prints.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

use super::client::Engine;
use super::error::EngineError;

/// The longest line kept in one piece, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// Which lines are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogQuery {
    /// Go on with what is printed from now on.
    pub follow: bool,
    /// So many of the last lines; all when none is given.
    pub tail: Option<u32>,
    /// From this time on, in seconds since 1970; 0 for the beginning.
    pub since: i32,
    /// Each line begins with its time, RFC 3339.
    pub timestamps: bool,
}

/// Where a line was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// On the standard output, or on a terminal, where the two are one.
    Stdout,
    /// On the standard error.
    Stderr,
}

/// A line, without its end, or a piece of one that is too long to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Where it was printed.
    pub source: Source,
    /// The line, as it was printed: untrusted.
    pub text: Bytes,
    /// Whether its end was there; what comes next from the same source goes on with it otherwise.
    pub is_whole: bool,
}

impl LogLine {
    /// As text, without the carriage return a terminal puts at its end.
    pub(crate) fn to_text(&self) -> String {
        let text = self.text.strip_suffix(b"\r").unwrap_or(&self.text);
        String::from_utf8_lossy(text).into_owned()
    }
}

impl Engine {
    /// The lines a container has printed, and prints when followed. `tty` says whether it has a
    /// terminal: then the two streams are one and nothing in it is a header.
    pub(crate) fn logs(
        &self,
        id: &str,
        tty: bool,
        query: &LogQuery,
    ) -> impl Stream<Item = Result<LogLine, EngineError>> + Send + use<> {
        let options = LogsOptions {
            follow: query.follow,
            stdout: true,
            stderr: true,
            since: query.since,
            until: 0,
            timestamps: query.timestamps,
            tail: query.tail.map_or_else(|| "all".into(), |n| n.to_string()),
        };
        let engine = self.clone();
        let pieces = self.inner.patient.logs(id, Some(options));
        let mut lines = Lines::default();
        pieces
            .map(Some)
            .chain(futures::stream::once(std::future::ready(None)))
            .flat_map(move |piece| {
                let found = match piece {
                    Some(Ok(piece)) => lines.feed(piece, tty),
                    Some(Err(error)) => {
                        vec![Err(engine.error("read the container's output", &error))]
                    }
                    None => lines.rest(),
                };
                futures::stream::iter(found)
            })
    }
}

/// Cuts what arrives into lines, one buffer a source.
#[derive(Default)]
struct Lines {
    stdout: BytesMut,
    stderr: BytesMut,
}

type Found = Vec<Result<LogLine, EngineError>>;

impl Lines {
    fn feed(&mut self, piece: LogOutput, tty: bool) -> Found {
        let (source, bytes) = match piece {
            LogOutput::StdErr { message } if !tty => (Source::Stderr, message),
            LogOutput::StdErr { message }
            | LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message } => (Source::Stdout, message),
        };
        let buffer = match source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        };
        buffer.extend_from_slice(&bytes);
        let mut found = Found::new();
        while let Some(end) = buffer.iter().position(|&byte| byte == b'\n') {
            let line = buffer.split_to(end + 1).freeze();
            found.push(Ok(line_of(source, &line[..end], true)));
        }
        if buffer.len() > MAX_LINE {
            let line = buffer.split().freeze();
            found.push(Ok(line_of(source, &line, false)));
        }
        found
    }

    fn rest(&mut self) -> Found {
        [
            (Source::Stdout, self.stdout.split()),
            (Source::Stderr, self.stderr.split()),
        ]
        .into_iter()
        .filter(|(_, rest)| !rest.is_empty())
        .map(|(source, rest)| Ok(line_of(source, &rest, false)))
        .collect()
    }
}

fn line_of(source: Source, text: &[u8], is_whole: bool) -> LogLine {
    LogLine {
        source,
        text: Bytes::copy_from_slice(text),
        is_whole,
    }
}
