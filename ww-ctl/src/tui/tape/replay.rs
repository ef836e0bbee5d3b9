//! Reads a recording, and tells it in the time it took, or faster.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use whaleware::lifecycle::Moment;

use super::line::{Header, KIND, Line};
use super::{LONGEST, VERSION};
use crate::fleet::{HostName, Input, Stamp, clean};

/// The most characters of a host's name.
const NAME: usize = 256;

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
            Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(Self(speed)),
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

    fn stretched(self, time: Duration) -> Duration {
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

/// A recording that is being told.
pub(crate) struct Replay {
    file: Box<dyn BufRead>,
    /// How many lines were read.
    line: u64,
    hosts: Vec<HostName>,
    speed: Speed,
    /// When telling began, by the clock of this program.
    origin: Moment,
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

    pub(super) fn read(mut file: Box<dyn BufRead>, speed: Speed) -> Result<Self, ReplayError> {
        let mut line = 0;
        let text = match read_line(&mut *file, &mut line) {
            Ok(Some(text)) => text,
            Ok(None) | Err(ReplayError::Damaged { .. }) => return Err(ReplayError::Foreign),
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
            origin: Moment::default(),
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

    /// How fast it is told.
    pub(crate) const fn speed(&self) -> Speed {
        self.speed
    }

    /// The time of what is told, at a time of this program: never past what was not told yet, and at
    /// the end that of the end.
    pub(crate) fn at(&self, now: Moment) -> Stamp {
        let wanted = self.first.moment + self.speed.stretched(now - self.origin);
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

    /// How long until something is told; none at the end.
    pub(in crate::tui) fn wait(&self, now: Moment) -> Option<Duration> {
        let Ok((next, _)) = self.next.as_ref()? else {
            return Some(Duration::ZERO);
        };
        let due = self.speed.shortened(next.moment - self.first.moment);
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
            Some(Err(error)) => Err(error),
            Some(Ok((at, input))) => {
                self.last = at;
                self.next = self.read_next().transpose();
                Ok(Some((at, input)))
            }
        }
    }

    fn read_next(&mut self) -> Result<Option<(Stamp, Input)>, ReplayError> {
        let Some(text) = read_line(&mut *self.file, &mut self.line)? else {
            return Ok(None);
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

/// The next line; none at the end. One without its end was not written to its end, as when the
/// program was killed: the recording ends before it.
fn read_line(file: &mut dyn BufRead, line: &mut u64) -> Result<Option<Vec<u8>>, ReplayError> {
    let mut text = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX) + 1;
    let mut bounded = file.take(most);
    bounded
        .read_until(b'\n', &mut text)
        .map_err(ReplayError::Unreadable)?;
    *line += 1;
    if text.pop_if(|byte| *byte == b'\n').is_some() {
        return Ok(Some(text));
    }
    if text.len() > LONGEST {
        return Err(ReplayError::Damaged {
            line: *line,
            reason: format!("it is longer than {} MiB", LONGEST >> 20),
        });
    }
    Ok(None)
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
