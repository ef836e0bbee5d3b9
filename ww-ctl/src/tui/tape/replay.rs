//! Reads a recording, and tells it in the time it took, or faster.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use whaleware::lifecycle::Moment;

use super::line::{Header, KIND, Line, Timed};
use super::{End, LONGEST, Telling, VERSION, Wind};
use crate::engine::chain;
use crate::fleet::{HostName, Input, Stamp, clean};

/// The most characters of a host's name.
const NAME: usize = 256;
/// How far one goes forward or back at once.
const LEAP: Duration = Duration::from_secs(10);
/// What is looked at first for the last line.
const TAIL: u64 = 64 << 10;

/// How fast or slow a recording can be told.
const SPEEDS: RangeInclusive<f64> = 0.01..=10_000.0;

/// How much faster than it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed(f64);

impl Default for Speed {
    fn default() -> Self {
        Self(1.0)
    }
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim_end_matches('x').parse() {
            Ok(speed) if SPEEDS.contains(&speed) => Ok(Self(speed)),
            Ok(_) | Err(_) => Err("a speed is a number between 0.01 and 10000, such as 10".into()),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "x{}", self.0)
    }
}

impl Speed {
    /// How long something takes that took so long.
    pub(in crate::tui) fn shortened(self, time: Duration) -> Duration {
        // A recording of years is not one of centuries.
        Duration::try_from_secs_f64(time.as_secs_f64() / self.0).unwrap_or(Duration::MAX)
    }

    /// So much faster; none where that is more than there is, or less.
    fn times(self, factor: f64) -> Option<Self> {
        let speed = self.0 * factor;
        SPEEDS.contains(&speed).then_some(Self(speed))
    }

    /// How much is told in so long.
    pub(in crate::tui) fn stretched(self, time: Duration) -> Duration {
        Duration::try_from_secs_f64(time.as_secs_f64() * self.0).unwrap_or(Duration::MAX)
    }
}

/// Why a recording cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// It cannot be read.
    #[error("cannot read it")]
    Unreadable(#[source] io::Error),
    /// Its first line is not that of a recording.
    #[error("it is no recording of `ww-ctl top --record`: its line 1 does not say so")]
    Foreign,
    /// A newer program wrote it.
    #[error(
        "line 1: it has version {version} of the format, and this program knows none above {VERSION}"
    )]
    Newer {
        /// The version.
        version: u32,
    },
    /// A line is not as it was written.
    #[error("line {line}: {reason}")]
    Damaged {
        /// Which one, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReplayError {
    /// The same in a few words, for where there is no room for more.
    fn word(&self) -> String {
        match self {
            Self::Damaged { line, .. } => format!("line {line} is damaged"),
            Self::Unreadable(_) | Self::Foreign | Self::Newer { .. } => "it cannot be read".into(),
        }
    }
}

/// What a recording is read from. One cannot go back in all of it, as in a pipe.
pub(super) trait Source: BufRead + Seek {}

impl<File: BufRead + Seek> Source for File {}

/// A recording that is being told.
pub(crate) struct Replay {
    file: Box<dyn Source>,
    /// How many lines were read.
    line: u64,
    hosts: Vec<HostName>,
    speed: Speed,
    paused: bool,
    /// What is next is told at once, whenever that was.
    stepping: bool,
    /// Since when it is told as it is, by the clock of this program.
    origin: Moment,
    /// How far into the recording that was.
    base: Duration,
    /// How long it is, where that is known.
    length: Option<Duration>,
    /// The last line is incomplete.
    cut: bool,
    /// What is wrong with it and found already: in a few words, and in more.
    harm: Option<(String, String)>,
    /// When the recording began.
    first: Stamp,
    /// When what was told last had happened.
    last: Stamp,
    /// What is told next, or why there is no more; none at the end.
    next: Option<Result<(Stamp, Input), ReplayError>>,
}

impl fmt::Debug for Replay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Replay")
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Opens one.
    ///
    /// # Errors
    /// When it is none, or its beginning is damaged.
    pub(crate) fn open(path: &Path, speed: Speed) -> Result<Self, ReplayError> {
        let file = File::open(path).map_err(ReplayError::Unreadable)?;
        Self::read(Box::new(BufReader::new(file)), speed)
    }

    pub(super) fn read(mut file: Box<dyn Source>, speed: Speed) -> Result<Self, ReplayError> {
        let end = end(&mut *file).map_err(ReplayError::Unreadable)?;
        let mut line = 0;
        let text = match read_line(&mut *file, &mut line) {
            Ok(Found::Line(text)) => text,
            Ok(Found::Cut | Found::End) | Err(ReplayError::Damaged { .. }) => {
                return Err(ReplayError::Foreign);
            }
            Err(error) => return Err(error),
        };
        let header = header(&text)?;
        let first = Stamp::from(header.at);
        let mut replay = Self {
            file,
            line,
            hosts: header
                .hosts
                .iter()
                .map(|host| Arc::from(clean(host, NAME)))
                .collect(),
            speed,
            paused: false,
            stepping: false,
            origin: Moment::default(),
            base: Duration::ZERO,
            length: end.map(|end| end - first.moment),
            cut: false,
            harm: None,
            first,
            last: first,
            next: None,
        };
        replay.next = replay.read_next().transpose();
        match replay.next.take() {
            Some(Err(error)) => Err(error),
            next => Ok(Self { next, ..replay }),
        }
    }

    /// The hosts it is of.
    pub(crate) fn hosts(&self) -> &[HostName] {
        &self.hosts
    }

    /// Begins to tell it.
    pub(in crate::tui) const fn begin(&mut self, now: Moment) {
        self.origin = now;
    }

    /// How long something takes here that is to take so long: for ever while it is paused.
    pub(in crate::tui) fn shortened(&self, time: Duration) -> Duration {
        if self.paused {
            Duration::MAX
        } else {
            self.speed.shortened(time)
        }
    }

    /// How it is told.
    pub(crate) fn telling(&self) -> Telling {
        let harm = self.harm.as_ref();
        Telling {
            speed: self.speed,
            paused: self.paused,
            first: self.first.moment,
            length: self.length,
            harm: harm.map(|(word, _)| word.clone()),
            end: self.is_over().then(|| match harm {
                Some((_, reason)) => End::Harmed(reason.clone()),
                None if self.cut => End::Cut,
                None => End::Whole,
            }),
        }
    }

    /// Whether all of it was told.
    pub(crate) const fn is_over(&self) -> bool {
        self.next.is_none()
    }

    /// Goes through it otherwise from now on. Whether it is told from its beginning again, up to where
    /// that leads.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    pub(in crate::tui) fn wind(&mut self, wind: Wind, now: Moment) -> Result<bool, String> {
        let place = self.place(now);
        let speed = self.speed;
        let times = |factor| {
            let wanted = speed.times(factor);
            wanted.ok_or_else(|| format!("{speed} is as far as it goes"))
        };
        let mut anew = false;
        let mut base = place;
        match wind {
            Wind::Back => {
                self.rewind()?;
                base = place.saturating_sub(LEAP);
                anew = true;
            }
            Wind::Pause | Wind::Step | Wind::Forward if self.is_over() => {
                return Err("it was told to its end".into());
            }
            Wind::Pause => self.paused = !self.paused,
            Wind::Step => {
                self.paused = true;
                self.stepping = true;
            }
            Wind::Forward => base = place.saturating_add(LEAP),
            Wind::Faster => self.speed = times(2.0)?,
            Wind::Slower => self.speed = times(0.5)?,
        }
        self.base = base;
        self.origin = now;
        Ok(anew)
    }

    /// How far into it one is, or is to be as soon as all up to there is told.
    fn place(&self, now: Moment) -> Duration {
        if self.is_over() {
            self.last.moment - self.first.moment
        } else if self.paused {
            self.base
        } else {
            let since = self.speed.stretched(now - self.origin);
            self.base.saturating_add(since)
        }
    }

    /// To before its first line.
    fn rewind(&mut self) -> Result<(), String> {
        let back = self.file.seek(SeekFrom::Start(0));
        back.map_err(|_| "there is no way back: it is not read from a file".to_owned())?;
        self.line = 0;
        self.last = self.first;
        self.cut = false;
        self.stepping = false;
        // The first line was understood before.
        let skipped = read_line(&mut *self.file, &mut self.line);
        let next = skipped.and_then(|_| self.read_next());
        self.next = next.transpose();
        Ok(())
    }

    /// The time of what is told, at a time of this program: never past what was not told yet, and at
    /// the end that of the end.
    pub(crate) fn at(&self, now: Moment) -> Stamp {
        let wanted = self.first.moment + self.place(now);
        let until = match &self.next {
            Some(Ok((next, _))) => next.moment,
            Some(Err(_)) | None => self.last.moment,
        };
        let ahead = wanted.min(until) - self.last.moment;
        let by = jiff::SignedDuration::try_from(ahead).unwrap_or_default();
        Stamp {
            moment: self.last.moment + ahead,
            wall: self.last.wall.saturating_add(by).unwrap_or(self.last.wall),
        }
    }

    /// How long until something is told; none at the end, and while it is paused.
    pub(in crate::tui) fn wait(&self, now: Moment) -> Option<Duration> {
        let next = match self.next.as_ref()? {
            Ok((next, _)) if !self.stepping => next.moment - self.first.moment,
            Ok(_) | Err(_) => return Some(Duration::ZERO),
        };
        if self.paused {
            return (next < self.base).then_some(Duration::ZERO);
        }
        let due = self.speed.shortened(next.saturating_sub(self.base));
        Some(due.saturating_sub(now - self.origin))
    }

    /// The time of what was told last.
    pub(crate) const fn last(&self) -> Stamp {
        self.last
    }

    /// What is next, whenever that was; none at the end.
    ///
    /// # Errors
    /// When it is damaged there.
    pub(crate) fn tell(&mut self) -> Result<Option<(Stamp, Input)>, ReplayError> {
        match self.next.take() {
            None => Ok(None),
            Some(Err(error)) => {
                self.harm = Some((error.word(), chain(&error)));
                Err(error)
            }
            Some(Ok((at, input))) => {
                self.last = at;
                if std::mem::take(&mut self.stepping) {
                    self.base = self.base.max(at.moment - self.first.moment);
                }
                self.next = self.read_next().transpose();
                Ok(Some((at, input)))
            }
        }
    }

    fn read_next(&mut self) -> Result<Option<(Stamp, Input)>, ReplayError> {
        let text = match read_line(&mut *self.file, &mut self.line)? {
            Found::Line(text) => text,
            Found::Cut => {
                self.cut = true;
                return Ok(None);
            }
            Found::End => return Ok(None),
        };
        let line: Line = parse(&text, self.line)?;
        let (at, input) = line.heard();
        if at.moment < self.last.moment {
            return Err(ReplayError::Damaged {
                line: self.line,
                reason: "it is of a time before the line above it".into(),
            });
        }
        Ok(Some((at, input)))
    }
}

/// When the last whole line was written, where one can look at the end first.
fn end(file: &mut dyn Source) -> io::Result<Option<Moment>> {
    let Ok(size) = file.seek(SeekFrom::End(0)) else {
        return Ok(None);
    };
    let longest = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    let mut tail = TAIL;
    let line = loop {
        file.seek(SeekFrom::Start(size.saturating_sub(tail)))?;
        let mut text = Vec::new();
        // It may be written while it is read.
        file.take(tail.min(size)).read_to_end(&mut text)?;
        text.truncate(text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0));
        let before = text.iter().rposition(|byte| *byte == b'\n');
        if before.is_some() || tail >= size || tail > longest {
            break text.split_off(before.map_or(0, |before| before + 1));
        }
        tail *= 4;
    };
    file.seek(SeekFrom::Start(0))?;
    let timed: Option<Timed> = serde_json::from_slice(&line).ok();
    Ok(timed.map(|timed| Stamp::from(timed.at).moment))
}

/// What there is where a line is looked for.
enum Found {
    /// This.
    Line(Vec<u8>),
    /// It was not written to its end, as when the program was killed: the recording ends before it.
    Cut,
    /// There is no more.
    End,
}

/// The next line.
fn read_line(file: &mut dyn Source, line: &mut u64) -> Result<Found, ReplayError> {
    let mut text = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX) + 1;
    let mut bounded = file.take(most);
    bounded
        .read_until(b'\n', &mut text)
        .map_err(ReplayError::Unreadable)?;
    *line += 1;
    if text.pop_if(|byte| *byte == b'\n').is_some() {
        return Ok(Found::Line(text));
    }
    if text.len() > LONGEST {
        return Err(ReplayError::Damaged {
            line: *line,
            reason: format!("it is longer than {} MiB", LONGEST >> 20),
        });
    }
    Ok(if text.is_empty() {
        Found::End
    } else {
        Found::Cut
    })
}

fn header(text: &[u8]) -> Result<Header, ReplayError> {
    // Of a version that is not known no more is believed than that.
    #[derive(serde::Deserialize)]
    struct Any {
        whaleware: String,
        version: u32,
    }
    let any: Any = serde_json::from_slice(text).map_err(|_| ReplayError::Foreign)?;
    if any.whaleware != KIND {
        return Err(ReplayError::Foreign);
    }
    if any.version > VERSION {
        let version = any.version;
        return Err(ReplayError::Newer { version });
    }
    parse(text, 1)
}

fn parse<T: DeserializeOwned>(text: &[u8], line: u64) -> Result<T, ReplayError> {
    serde_json::from_slice(text).map_err(|error| ReplayError::Damaged {
        line,
        reason: format!("it cannot be understood: {error}"),
    })
}
