//! What is still to be told to the world through the `lifecycle` and `pushstats` scripts.
//!
//! Both run beside the life cycle, one at a time each. The life cycle never waits for them longer
//! than the machine itself decides.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use whaleware::lifecycle::State;

/// So many states wait for a slow `lifecycle` script.
const WAITING: usize = 16;

/// The cap on a `lifecycle` or `pushstats` script that has none of its own.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// States for the `lifecycle` script, in order. When there are too many the oldest goes: what
/// is true now matters most.
#[derive(Debug, Default)]
pub(crate) struct States {
    waiting: VecDeque<(u64, State)>,
    running: Option<u64>,
    untold: u64,
}

/// States that will not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Untold {
    /// Which, in order.
    pub(crate) states: Vec<State>,
    /// How many there were in this boot.
    pub(crate) total: u64,
}

impl fmt::Display for Untold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, state) in self.states.iter().enumerate() {
            let before = if place == 0 { "" } else { ", " };
            write!(formatter, "{before}{state}")?;
        }
        write!(formatter, " not told to it ({} in all)", self.total)
    }
}

impl States {
    /// One more, and which had to go for it.
    pub(crate) fn push(&mut self, number: u64, state: State) -> Option<Untold> {
        self.waiting.push_back((number, state));
        self.keep(WAITING)
    }

    /// Keeps only so many of those that wait, the newest.
    pub(crate) fn keep(&mut self, most: usize) -> Option<Untold> {
        let over = self.waiting.len().saturating_sub(most);
        let states: Vec<_> = self.waiting.drain(..over).map(|(_, state)| state).collect();
        self.untold = self
            .untold
            .saturating_add(u64::try_from(over).unwrap_or(u64::MAX));
        let total = self.untold;
        (over > 0).then_some(Untold { states, total })
    }

    /// The next one to tell, unless one is being told.
    pub(crate) fn begin(&mut self) -> Option<(u64, State)> {
        if self.running.is_some() {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.running = Some(next.0);
        Some(next)
    }

    /// The one that was being told.
    pub(crate) const fn end(&mut self) -> Option<u64> {
        self.running.take()
    }
}

/// The newest JSON for the `pushstats` script; what is older need not be sent any more.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    waiting: Option<String>,
    running: bool,
}

impl Stats {
    /// One more.
    pub(crate) fn push(&mut self, json: String) {
        self.waiting = Some(json);
    }

    /// The one to send, unless one is being sent.
    pub(crate) fn begin(&mut self) -> Option<String> {
        if self.running {
            return None;
        }
        let next = self.waiting.take()?;
        self.running = true;
        Some(next)
    }

    /// It was sent.
    pub(crate) const fn end(&mut self) {
        self.running = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_one_at_a_time_and_the_newest_are_kept() {
        let mut states = States::default();
        let mut untold = None;
        for number in 1..=40 {
            untold = states.push(number, State::Up).or(untold);
        }
        let last = Untold {
            states: vec![State::Up],
            total: 24,
        };
        assert_eq!(untold, Some(last));
        assert_eq!(states.begin(), Some((25, State::Up)));
        assert_eq!(states.begin(), None);
        assert_eq!(states.end(), Some(25));
        assert_eq!(states.begin(), Some((26, State::Up)));
        states.push(41, State::Restarting);
        states.push(42, State::Up);
        let untold = states.keep(1).map(|untold| untold.to_string());
        let untold = untold.unwrap_or_default();
        assert!(
            untold.starts_with("UP, UP, ")
                && untold.ends_with(", RESTARTING not told to it (39 in all)"),
            "{untold}"
        );
        assert_eq!(states.end(), Some(26));
        assert_eq!(states.begin(), Some((42, State::Up)));
        assert_eq!(states.keep(0), None);
    }

    #[test]
    fn only_the_newest_stats_are_sent() {
        let mut stats = Stats::default();
        stats.push("1".into());
        assert_eq!(stats.begin().as_deref(), Some("1"));
        stats.push("2".into());
        stats.push("3".into());
        assert_eq!(stats.begin(), None);
        stats.end();
        assert_eq!(stats.begin().as_deref(), Some("3"));
    }
}
