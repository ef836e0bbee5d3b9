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
            Self::Replay(replay) => Keeping::Replayed(replay.speed().to_string()),
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
            Self::Replay(replay) => replay.speed().shortened(time),
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

    /// Whether it comes from a tape, and all of it was told.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::None | Self::Record(_) => false,
            Self::Replay(replay) => replay.wait(Moment::default()).is_none(),
        }
    }
}
