//! How containers stood over time: a lane each.

use std::collections::VecDeque;
use std::time::Duration;

use whaleware::lifecycle::{Moment, State};

use super::tenths::Tenths;
use crate::fleet::{AgentView, Container, Fleet, Severity};

/// The most spells kept of one container.
const SPELLS: usize = 96;

/// What the rows show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Body {
    /// What is true now, in columns.
    #[default]
    Table,
    /// How it was over time.
    Lanes,
}

/// How much time the lanes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zoom(usize);

impl Zoom {
    const MINUTES: [u64; 7] = [1, 5, 15, 60, 6 * 60, 24 * 60, 7 * 24 * 60];

    /// How much time that is.
    pub(crate) const fn reach(self) -> Duration {
        Duration::from_secs(Self::MINUTES[self.0] * 60)
    }

    /// Less of it, in more detail.
    pub(crate) const fn nearer(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// More of it.
    pub(crate) fn farther(self) -> Self {
        Self((self.0 + 1).min(Self::MINUTES.len() - 1))
    }
}

impl Default for Zoom {
    fn default() -> Self {
        Self(2)
    }
}

/// How a container stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody knows: its host or its agent was not heard.
    Unheard,
    /// So.
    As(Severity),
}

impl Standing {
    /// How a container stands now.
    pub(super) fn of(container: &Container, fleet: &Fleet) -> Self {
        let silent = fleet.stale_since(container).is_some();
        let unknown =
            container.has_agent && container.engine.is_running() && !container.is_introduced();
        if silent || unknown {
            Self::Unheard
        } else {
            Self::As(container.severity())
        }
    }

    const fn of_state(state: State) -> Self {
        Self::As(match state {
            State::Dockerup | State::Boot | State::Firstboot | State::Upgrading | State::Warmup => {
                Severity::Starting
            }
            State::Up => Severity::Good,
            State::Restarting => Severity::Restarting,
            State::Stopped => Severity::Stopping,
            State::Error => Severity::Failed,
            State::Dockerdown => Severity::Down,
        })
    }
}

/// A time during which it stood the same. There may be a million of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spell {
    /// Since when.
    since: Tenths,
    standing: Standing,
}

/// The lane of one container: spells, the oldest first, each until the next begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lane {
    spells: VecDeque<Spell>,
}

impl Lane {
    /// From now on it stands so.
    pub(super) fn push(&mut self, since: Moment, standing: Standing) {
        if self
            .spells
            .back()
            .is_some_and(|last| last.standing == standing)
        {
            return;
        }
        if self.spells.len() >= SPELLS {
            self.spells.pop_front();
        }
        self.spells.push_back(Spell {
            since: Tenths::of(since),
            standing,
        });
    }

    /// Its agent is heard again, or for the first time, and tells what happened meanwhile.
    pub(super) fn fill(&mut self, agent: &AgentView) {
        let from = match self.spells.back().copied() {
            Some(last) if last.standing == Standing::Unheard => {
                self.spells.pop_back();
                // Before the first of all nothing was known at all.
                if self.spells.is_empty() {
                    Moment::default()
                } else {
                    last.since.moment()
                }
            }
            None => Moment::default(),
            // It was heard all the time.
            Some(_) => return,
        };
        let mut told = Vec::new();
        let mut at = agent.since;
        for report in agent.transitions.iter().rev() {
            told.push((at.max(from), Standing::of_state(report.state)));
            if at <= from {
                break;
            }
            at = back(at, Duration::from_millis(report.lasted_ms));
        }
        for (since, standing) in told.into_iter().rev() {
            self.push(since, standing);
        }
    }

    /// How it stood at worst in each of so many equal spans of time up to now, the oldest first;
    /// none before anything is known.
    pub(crate) fn spans(
        &self,
        now: Moment,
        reach: Duration,
        count: usize,
    ) -> Vec<Option<Standing>> {
        let mut spans = vec![None; count];
        let Some(width) = u32::try_from(count).ok().filter(|count| *count > 0) else {
            return spans;
        };
        let width = (reach / width).max(Duration::from_millis(1)).as_nanos();
        let number = |moment: Moment| (moment - Moment::default()).as_nanos() / width;
        // Spans are fixed in time, so that a lane moves instead of flickering.
        let last = number(now);
        let place = |moment: Moment| {
            let back = usize::try_from(last.saturating_sub(number(moment))).unwrap_or(usize::MAX);
            count.checked_sub(back.saturating_add(1))
        };
        let ends = self
            .spells
            .iter()
            .skip(1)
            .map(|spell| spell.since.moment())
            .chain([now]);
        for (spell, end) in self.spells.iter().zip(ends) {
            let Some(end) = place(end) else {
                continue;
            };
            for span in &mut spans[place(spell.since.moment()).unwrap_or(0)..=end] {
                *span = Some(span.map_or(spell.standing, |known| worse(known, spell.standing)));
            }
        }
        spans
    }
}

/// What is known is worth more than that nothing is.
fn worse(a: Standing, b: Standing) -> Standing {
    match (a, b) {
        (Standing::Unheard, other) | (other, Standing::Unheard) => other,
        (Standing::As(a), Standing::As(b)) => Standing::As(a.min(b)),
    }
}

fn back(from: Moment, by: Duration) -> Moment {
    Moment::at((from - Moment::default()).saturating_sub(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::at(Duration::from_secs(seconds))
    }

    #[test]
    fn the_worst_of_a_span_is_seen_however_short_it_was() {
        let mut lane = Lane::default();
        let good = Standing::As(Severity::Good);
        let failed = Standing::As(Severity::Failed);
        lane.push(at(100), good);
        lane.push(at(131), failed);
        lane.push(at(132), good);
        lane.push(at(133), good);
        lane.push(at(150), Standing::Unheard);
        let spans = lane.spans(at(159), Duration::from_secs(80), 8);
        let (good, failed) = (Some(good), Some(failed));
        assert_eq!(
            spans,
            [None, None, good, good, good, failed, good, good].map(|it| it),
        );
        let spans = lane.spans(at(179), Duration::from_secs(40), 4);
        assert_eq!(
            spans,
            [good, good, Some(Standing::Unheard), Some(Standing::Unheard)]
        );
        assert_eq!(lane.spans(at(179), Duration::from_secs(40), 0), []);
    }

    #[test]
    fn it_is_bounded() {
        let mut lane = Lane::default();
        for second in 0..1000 {
            let severity = if second % 2 == 0 {
                Severity::Good
            } else {
                Severity::Sick
            };
            lane.push(at(second), Standing::As(severity));
        }
        assert_eq!(lane.spells.len(), SPELLS);
    }
}
