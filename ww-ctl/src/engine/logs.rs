//! What a container prints.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use futures::{Stream, TryStreamExt};
use jiff::Timestamp;

use super::client::Engine;
use super::error::EngineError;
use super::wire::{Answered, Body, get};
use crate::clock::decimal_seconds;

const READ: &str = "read the container's output";
/// The longest line kept in one piece, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// Docker keeps lines of a terminal in pieces of this length, and puts the time before each.
const PIECE: usize = 16 * 1024;
/// The longest text that may be a time.
const STAMP: usize = 40;
/// The length of a frame's header.
const HEADER: usize = 8;

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogQuery {
    /// Go on with what is printed from now on.
    pub follow: bool,
    /// So many of the last lines; all when none is given.
    pub tail: Option<u32>,
    /// From this time on, by the Engine's clock.
    pub since: Option<Timestamp>,
    /// Up to this time.
    pub until: Option<Timestamp>,
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
    /// When its beginning was printed, by the Engine's clock; none where it keeps no times.
    pub at: Option<Timestamp>,
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
        self.to_text_of(usize::MAX)
    }

    /// The same of its first bytes, so many at most.
    pub(crate) fn to_text_of(&self, bytes: usize) -> String {
        let text = self.text.strip_suffix(b"\r").unwrap_or(&self.text);
        String::from_utf8_lossy(&text[..bytes.min(text.len())]).into_owned()
    }
}

/// A container's output while it is read.
pub(crate) struct Logs {
    engine: Engine,
    body: Body,
    lines: Lines,
    found: VecDeque<LogLine>,
    is_over: bool,
}

impl Engine {
    /// The lines a container has printed, and prints when followed. `tty` says whether it has a
    /// terminal: then the two streams are one and nothing in it is a header.
    ///
    /// # Errors
    /// When the Engine cannot tell, or is gone.
    pub(crate) async fn read_logs(
        &self,
        id: &str,
        tty: bool,
        query: &LogQuery,
    ) -> Result<Logs, EngineError> {
        let version = self.inner.quick.client_version();
        let tail = query.tail.map_or_else(|| "all".into(), |n| n.to_string());
        let mut path = format!(
            "/v{version}/containers/{id}/logs?stdout=1&stderr=1&timestamps=1&tail={tail}&follow={}",
            u8::from(query.follow)
        );
        for (name, time) in [("since", query.since), ("until", query.until)] {
            if let Some(time) = time {
                let _never = write!(path, "&{name}={}", decimal_seconds(time));
            }
        }
        let answered = get(self.endpoint(), &path).await;
        match answered.map_err(|error| self.broken(READ, &error))? {
            Answered::Accepted(body) => Ok(Logs {
                engine: self.clone(),
                body,
                lines: Lines::new(tty),
                found: VecDeque::new(),
                is_over: false,
            }),
            Answered::Refused { status, message } => {
                Err(EngineError::answered(self.at(), READ, status, &message))
            }
        }
    }

    /// The same as a stream.
    pub(crate) fn logs(
        &self,
        id: &str,
        tty: bool,
        query: &LogQuery,
    ) -> impl Stream<Item = Result<LogLine, EngineError>> + Send + use<> {
        let (engine, id, query) = (self.clone(), id.to_owned(), query.clone());
        let logs = async move { engine.read_logs(&id, tty, &query).await };
        futures::stream::once(logs)
            .map_ok(|logs| {
                futures::stream::try_unfold(logs, |mut logs| async move {
                    Ok(logs.next().await?.map(|line| (line, logs)))
                })
            })
            .try_flatten()
    }
}

impl Logs {
    /// The next line; none when there are no more. Nothing is lost when the call is given up.
    ///
    /// # Errors
    /// When the connection breaks, or what comes makes no sense.
    pub(crate) async fn next(&mut self) -> Result<Option<LogLine>, EngineError> {
        loop {
            if let Some(line) = self.found.pop_front() {
                return Ok(Some(line));
            }
            if self.is_over {
                return Ok(None);
            }
            let bytes = self.body.next().await;
            let bytes = bytes.map_err(|error| self.engine.broken(READ, &error))?;
            if let Some(bytes) = bytes {
                let fed = self.lines.feed(&bytes, &mut self.found);
                fed.map_err(|error| self.engine.broken(READ, &error))?;
            } else {
                self.is_over = true;
                self.lines.rest(&mut self.found);
            }
        }
    }
}

/// Cuts what arrives into lines.
enum Lines {
    /// A header says whose the next bytes are, and each piece begins with its time.
    Framed {
        stdout: Line,
        stderr: Line,
        header: BytesMut,
        left: Option<(Source, usize)>,
    },
    /// There is only one stream.
    Terminal(Line),
}

impl Lines {
    fn new(tty: bool) -> Self {
        if tty {
            Self::Terminal(Line::new(Some(PIECE)))
        } else {
            Self::Framed {
                stdout: Line::new(None),
                stderr: Line::new(None),
                header: BytesMut::new(),
                left: None,
            }
        }
    }

    fn feed(&mut self, bytes: &[u8], found: &mut VecDeque<LogLine>) -> io::Result<()> {
        let Self::Framed {
            stdout,
            stderr,
            header,
            left,
        } = self
        else {
            if let Self::Terminal(line) = self {
                line.feed(Source::Stdout, bytes, found);
            }
            return Ok(());
        };
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let Some((source, length)) = left.filter(|(_, length)| *length > 0) else {
                let missing = (HEADER - header.len()).min(bytes.len());
                header.extend_from_slice(&bytes[..missing]);
                bytes.advance(missing);
                if header.len() < HEADER {
                    break;
                }
                let source = match header[0] {
                    0 | 1 => Source::Stdout,
                    2 | 3 => Source::Stderr,
                    _ => {
                        let reason = "what it printed is in no frames";
                        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
                    }
                };
                let length = (&header[4..]).get_u32();
                header.clear();
                *left = Some((source, usize::try_from(length).unwrap_or(usize::MAX)));
                let line = if source == Source::Stdout {
                    &mut *stdout
                } else {
                    &mut *stderr
                };
                line.expects_time = true;
                continue;
            };
            let piece = &bytes[..length.min(bytes.len())];
            bytes.advance(piece.len());
            *left = Some((source, length - piece.len()));
            match source {
                Source::Stdout => stdout.feed(source, piece, found),
                Source::Stderr => stderr.feed(source, piece, found),
            }
        }
        Ok(())
    }

    fn rest(&mut self, found: &mut VecDeque<LogLine>) {
        match self {
            Self::Framed { stdout, stderr, .. } => {
                stdout.rest(Source::Stdout, found);
                stderr.rest(Source::Stderr, found);
            }
            Self::Terminal(line) => line.rest(Source::Stdout, found),
        }
    }
}

/// The line of one stream that is being put together.
struct Line {
    at: Option<Timestamp>,
    text: BytesMut,
    /// Whether a part of it was told already.
    is_open: bool,
    /// Whether a time comes next, and what there is of it.
    expects_time: bool,
    time: Vec<u8>,
    /// After how many bytes of one line a time comes again.
    again: Option<usize>,
    since_time: usize,
}

impl Line {
    fn new(again: Option<usize>) -> Self {
        Self {
            at: None,
            text: BytesMut::new(),
            is_open: false,
            expects_time: true,
            time: Vec::new(),
            again,
            since_time: 0,
        }
    }

    fn feed(&mut self, source: Source, mut bytes: &[u8], found: &mut VecDeque<LogLine>) {
        while !bytes.is_empty() {
            if self.expects_time {
                bytes = self.take_time(source, bytes, found);
                continue;
            }
            let most = self.again.map_or(bytes.len(), |again| {
                again.saturating_sub(self.since_time).min(bytes.len())
            });
            let end = bytes[..most].iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(most);
            self.add(source, &bytes[..taken], found);
            bytes.advance(taken);
            if end.is_some() {
                bytes.advance(1);
                self.ends(source, found);
            } else if self.again.is_some_and(|again| self.since_time >= again) {
                self.expects_time = true;
            }
        }
    }

    /// Takes what belongs to a time; the rest. What turns out to be none is text.
    fn take_time<'a>(
        &mut self,
        source: Source,
        bytes: &'a [u8],
        found: &mut VecDeque<LogLine>,
    ) -> &'a [u8] {
        let room = (STAMP + 1).saturating_sub(self.time.len());
        let scanned = &bytes[..room.min(bytes.len())];
        let end = scanned.iter().position(|byte| matches!(byte, b' ' | b'\n'));
        let taken = end.unwrap_or(scanned.len());
        self.time.extend_from_slice(&bytes[..taken]);
        if end.is_none() && self.time.len() <= STAMP {
            return &bytes[taken..];
        }
        self.expects_time = false;
        self.since_time = 0;
        let text = std::mem::take(&mut self.time);
        let time = std::str::from_utf8(&text)
            .ok()
            .filter(|text| text.len() <= STAMP)
            .and_then(|text| text.parse::<Timestamp>().ok());
        if time.is_none() {
            self.add(source, &text, found);
            return &bytes[taken..];
        }
        if !self.is_open && self.text.is_empty() {
            self.at = time;
        }
        // The space belongs to the time; the end of a line does not.
        let space = usize::from(bytes.get(taken) == Some(&b' '));
        &bytes[taken + space..]
    }

    fn add(&mut self, source: Source, bytes: &[u8], found: &mut VecDeque<LogLine>) {
        self.since_time += bytes.len();
        self.text.extend_from_slice(bytes);
        while self.text.len() > MAX_LINE {
            let text = self.text.split_to(MAX_LINE).freeze();
            self.is_open = true;
            found.push_back(self.line(source, text, false));
        }
    }

    fn ends(&mut self, source: Source, found: &mut VecDeque<LogLine>) {
        let text = self.text.split().freeze();
        found.push_back(self.line(source, text, true));
        self.is_open = false;
        self.expects_time = true;
        self.since_time = 0;
    }

    fn rest(&mut self, source: Source, found: &mut VecDeque<LogLine>) {
        let time = std::mem::take(&mut self.time);
        self.text.extend_from_slice(&time);
        if !self.text.is_empty() {
            let text = self.text.split().freeze();
            found.push_back(self.line(source, text, false));
        }
    }

    fn line(&self, source: Source, text: Bytes, is_whole: bool) -> LogLine {
        LogLine {
            at: self.at,
            source,
            text,
            is_whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "2026-11-22T16:15:00.000000001Z";
    const TWO: &str = "2026-11-22T16:15:00.000000002Z";

    fn frame(kind: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0][..], &length, text.as_bytes()].concat()
    }

    /// Time in nanoseconds of the second, where, text, whole.
    type Read = (Option<i32>, Source, String, bool);

    fn read(tty: bool, bytes: &[u8], chunk: usize) -> Vec<Read> {
        let mut lines = Lines::new(tty);
        let mut found = VecDeque::new();
        for piece in bytes.chunks(chunk) {
            lines.feed(piece, &mut found).unwrap();
        }
        lines.rest(&mut found);
        found
            .into_iter()
            .map(|line| {
                let at = line.at.map(Timestamp::subsec_nanosecond);
                let text = String::from_utf8(line.text.to_vec()).unwrap();
                (at, line.source, text, line.is_whole)
            })
            .collect()
    }

    #[test]
    fn each_line_has_its_time_whatever_the_chunks() {
        use Source::{Stderr, Stdout};
        let bytes = [
            frame(1, &format!("{ONE} one\n")),
            frame(2, &format!("{TWO} 2026-11-22T16:15:00Z is no time here\n")),
            frame(1, &format!("{TWO} \n")),
            // A long line in two pieces, each with a time.
            frame(1, &format!("{ONE} begins, ")),
            frame(2, &format!("{ONE} between\n")),
            frame(1, &format!("{TWO} ends\n")),
            frame(1, "without a time\n"),
            frame(1, &format!("{ONE} cut off")),
        ]
        .concat();
        for chunk in [1, 3, 8, 39, 1000] {
            let whole = |at, source, text: &str| (Some(at), source, text.to_owned(), true);
            assert_eq!(
                read(false, &bytes, chunk),
                [
                    whole(1, Stdout, "one"),
                    whole(2, Stderr, "2026-11-22T16:15:00Z is no time here"),
                    whole(2, Stdout, ""),
                    whole(1, Stderr, "between"),
                    whole(1, Stdout, "begins, ends"),
                    whole(1, Stdout, "without a time"),
                    (Some(1), Stdout, "cut off".to_owned(), false),
                ],
                "{chunk}"
            );
        }
    }

    #[test]
    fn a_terminal_has_no_frames_and_long_lines_have_times_within() {
        let (long, exact) = ("x".repeat(PIECE), "z".repeat(PIECE));
        let bytes = format!("{ONE} \u{1}one\r\n{ONE} {long}{TWO} yy\n{TWO} {exact}\n{ONE} > ");
        for chunk in [1, 7, 31, 1 << 20] {
            let told = read(true, bytes.as_bytes(), chunk);
            let texts: Vec<&str> = told.iter().map(|(_, _, text, _)| text.as_str()).collect();
            assert_eq!(texts, ["\u{1}one\r", &format!("{long}yy"), &exact, "> "]);
            let times: Vec<_> = told.iter().map(|(at, _, _, _)| at.unwrap()).collect();
            assert_eq!(times, [1, 1, 2, 1]);
            assert!(!told[3].3);
        }
    }

    #[test]
    fn a_line_without_an_end_comes_in_pieces_and_nothing_of_it_is_lost() {
        let long = "ab".repeat(5 * MAX_LINE);
        let bytes = frame(1, &format!("{ONE} {long}\n"));
        let told = read(false, &bytes, 1000);
        assert!(
            told.iter()
                .all(|(at, _, text, _)| *at == Some(1) && text.len() <= MAX_LINE)
        );
        let all: String = told.iter().map(|(_, _, text, _)| text.as_str()).collect();
        assert_eq!(all, long);
        let whole: Vec<bool> = told.iter().map(|(_, _, _, whole)| *whole).collect();
        assert!(
            whole.iter().rposition(|whole| !whole) < Some(whole.len() - 1)
                && whole.ends_with(&[true])
        );
    }

    #[test]
    fn what_is_in_no_frames_is_told() {
        let mut lines = Lines::new(false);
        assert!(lines.feed(b"HTTP/1.1 200", &mut VecDeque::new()).is_err());
    }
}
