//! Recordings: all that the fleet told, with its times, a line each. The same screens come of it again.
//!
//! The first line says what it is and in which version of the format; each of the others is one thing
//! that was told. Keys are not kept, nor what was asked for because of them (logs, configurations).

mod line;
mod recorder;
mod replay;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::oneshot;
use whaleware::lifecycle::Moment;

use super::model::Keeping;
use crate::fleet::{Input, Stamp};

pub(crate) use recorder::Recorder;
pub(crate) use replay::{Replay, ReplayError, Speed};

/// The version of the format that is written, and the newest one that is read.
const VERSION: u32 = 1;
/// The longest line, in bytes: a host with 10,000 containers is listed on one of about ten millions.
const LONGEST: usize = 32 << 20;

/// How to go through a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wind {
    /// Stop, or go on.
    Pause,
    /// Stop, and tell what is next.
    Step,
    /// Ten seconds on.
    Forward,
    /// Ten seconds back.
    Back,
    /// Twice as fast.
    Faster,
    /// Half as fast.
    Slower,
}

/// How a recording is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Telling {
    /// How fast.
    pub speed: Speed,
    /// Whether it waits.
    pub paused: bool,
    /// When it began, by its own clock.
    pub first: Moment,
    /// How long it is, where that is known.
    pub length: Option<Duration>,
    /// What is wrong with it, in a few words, once that was found.
    pub harm: Option<String>,
    /// How it ended; none while there is more.
    pub end: Option<End>,
}

/// How a recording ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should.
    Whole,
    /// With a line that was not written to its end.
    Cut,
    /// Where it is damaged; how.
    Harmed(String),
}

/// What becomes of the news of a dashboard, or where they come from.
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
#[derive(Debug)]
pub(crate) enum Tape {
    /// They come from the fleet and are forgotten.
    None,
    /// They come from the fleet and are kept.
    Record(Recorder),
    /// They were kept once.
    Replay(Replay),
}

impl Tape {
    /// It begins now; where it is told when recording stops by itself.
    pub(super) fn begin(&mut self, now: Moment) -> Option<oneshot::Receiver<String>> {
        match self {
            Self::None => None,
            Self::Record(recorder) => recorder.stopped(),
            Self::Replay(replay) => {
                replay.begin(now);
                None
            }
        }
    }

    /// What is to be said of it.
    pub(super) fn keeping(&self) -> Keeping {
        match self {
            Self::None => Keeping::Not,
            Self::Record(_) => Keeping::Recorded,
            Self::Replay(replay) => Keeping::Replayed(replay.telling()),
        }
    }

    /// The time that is shown.
    pub(super) fn at(&self, now: Stamp) -> Stamp {
        match self {
            Self::None | Self::Record(_) => now,
            Self::Replay(replay) => replay.at(now.moment),
        }
    }

    /// How long something takes here that is to take so long.
    pub(super) fn shortened(&self, time: Duration) -> Duration {
        match self {
            Self::None | Self::Record(_) => time,
            Self::Replay(replay) => replay.shortened(time),
        }
    }

    /// How long until it tells something; none when it never will.
    pub(super) fn wait(&self, now: Moment) -> Option<Duration> {
        match self {
            Self::None | Self::Record(_) => None,
            Self::Replay(replay) => replay.wait(now),
        }
    }

    /// Keeps something, if that is wanted; why it could not be.
    pub(super) fn keep(&mut self, at: Stamp, input: &Input) -> Option<String> {
        match self {
            Self::None | Self::Replay(_) => None,
            Self::Record(recorder) => recorder.keep(at, input),
        }
    }

    /// What it has to tell by now; an error where it is damaged, once.
    pub(super) fn tell(&mut self, now: Moment) -> Option<Result<(Stamp, Input), ReplayError>> {
        match self {
            Self::Replay(replay) if replay.wait(now)?.is_zero() => replay.tell().transpose(),
            Self::None | Self::Record(_) | Self::Replay(_) => None,
        }
    }

    /// Goes through it otherwise from now on; whether it is told from its beginning again.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    pub(super) fn wind(&mut self, wind: Wind, now: Moment) -> Result<bool, String> {
        match self {
            Self::None | Self::Record(_) => Ok(false),
            Self::Replay(replay) => replay.wind(wind, now),
        }
    }

    /// Whether it comes from a tape, and all of it was told.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::None | Self::Record(_) => false,
            Self::Replay(replay) => replay.is_over(),
        }
    }
}
