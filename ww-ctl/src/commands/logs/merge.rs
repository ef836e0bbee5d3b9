//! Several outputs in one, by time. Pure: what has come is put in, the time is passed in.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::engine::LogLine;

/// So many bytes of one container wait to be told; then no more are read of it, and stay with its Engine.
const WAITING: usize = 128 * 1024;

/// Several outputs in one.
pub(super) struct Merge {
    sources: Vec<Source>,
    /// How long an output is waited for that has nothing at present.
    patience: Duration,
    /// Whether so much waits that some of it is told at once, until half of it is.
    overflows: bool,
}

/// The output of one container.
struct Source {
    lines: VecDeque<(Instant, LogLine)>,
    bytes: usize,
    /// The time of the last line that came, for those without.
    newest: Timestamp,
    /// When it last gave something, or was opened.
    heard: Instant,
    is_open: bool,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Tell this line of this container.
    Tell(usize, LogLine),
    /// Read on, until then at most.
    Wait(Option<Instant>),
    /// There is no more.
    End,
}

impl Merge {
    /// Of so many outputs, which are all open.
    pub(super) fn new(count: usize, patience: Duration, now: Instant) -> Self {
        let sources = std::iter::repeat_with(|| Source {
            lines: VecDeque::new(),
            bytes: 0,
            newest: Timestamp::UNIX_EPOCH,
            heard: now,
            is_open: true,
        });
        Self {
            sources: sources.take(count).collect(),
            patience,
            overflows: false,
        }
    }

    /// Whether more is to be read of an output.
    pub(super) fn wants(&self, index: usize) -> bool {
        let source = &self.sources[index];
        source.is_open && source.bytes < WAITING
    }

    /// A line has come.
    pub(super) fn push(&mut self, index: usize, mut line: LogLine, now: Instant) {
        let source = &mut self.sources[index];
        source.newest = line.at.unwrap_or(source.newest);
        line.at = Some(source.newest);
        source.heard = now;
        source.bytes += cost(&line);
        source.lines.push_back((now, line));
    }

    /// No more will come of an output.
    pub(super) fn close(&mut self, index: usize) {
        self.sources[index].is_open = false;
    }

    /// What is to be done next.
    pub(super) fn next(&mut self, now: Instant) -> Step {
        let most = self.sources.iter().map(|source| source.bytes).max();
        let limit = if self.overflows { WAITING / 2 } else { WAITING };
        self.overflows = most.is_some_and(|bytes| bytes >= limit);
        let first = self
            .sources
            .iter()
            .enumerate()
            .filter_map(|(index, source)| source.lines.front().map(|line| (index, line)))
            .min_by_key(|(index, (_, line))| (line.at, *index));
        let Some((index, (came, _))) = first else {
            if self.sources.iter().any(|source| source.is_open) {
                return Step::Wait(None);
            }
            return Step::End;
        };
        let missing = || {
            let empty = |source: &&Source| source.is_open && source.lines.is_empty();
            self.sources.iter().filter(empty)
        };
        // Everybody has something, or this one has waited long enough for those that have nothing:
        // for what is on its way (`came`), and for those that gave something just now (`heard`).
        let heard = missing().map(|source| source.heard).max();
        if let Some(heard) = heard {
            let since = if self.overflows {
                heard
            } else {
                heard.max(*came)
            };
            let due = since + self.patience;
            if now < due {
                return Step::Wait(Some(due));
            }
        }
        let source = &mut self.sources[index];
        match source.lines.pop_front() {
            Some((_, line)) => {
                source.bytes -= cost(&line);
                Step::Tell(index, line)
            }
            None => Step::Wait(None),
        }
    }
}

/// What a line takes, however short it is.
fn cost(line: &LogLine) -> usize {
    line.text.len() + 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::LogSource;
    use bytes::Bytes;
    use proptest::prelude::*;

    const PATIENCE: Duration = Duration::from_millis(150);

    fn line(nanos: i64, text: &str) -> LogLine {
        LogLine {
            at: Timestamp::from_nanosecond(i128::from(nanos) + 1_000_000_000).ok(),
            source: LogSource::Stdout,
            text: Bytes::copy_from_slice(text.as_bytes()),
            is_whole: true,
        }
    }

    fn told(merge: &mut Merge, now: Instant) -> Vec<String> {
        let mut all = Vec::new();
        while let Step::Tell(index, line) = merge.next(now) {
            all.push(format!("{index}{}", line.to_text()));
        }
        all
    }

    #[tokio::test]
    async fn a_line_that_is_a_little_late_still_comes_in_its_place() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut merge = Merge::new(2, PATIENCE, start);
        merge.push(0, line(2, "b"), at(1000));
        assert_eq!(merge.next(at(1000)), Step::Wait(Some(at(1150))));
        merge.push(1, line(1, "a"), at(1100));
        merge.push(1, line(3, "c"), at(1100));
        assert_eq!(told(&mut merge, at(1100)), ["1a", "0b"]);
        // What is later than the window is told all the same.
        assert_eq!(told(&mut merge, at(1250)), ["1c"]);
        merge.push(0, line(0, "late"), at(2000));
        assert_eq!(told(&mut merge, at(2150)), ["0late"]);
        merge.close(0);
        merge.push(1, line(9, "alone"), at(3000));
        assert_eq!(told(&mut merge, at(3000)), ["1alone"]);
        merge.close(1);
        assert_eq!(merge.next(at(3000)), Step::End);
    }

    #[tokio::test]
    async fn one_that_prints_much_is_not_held_up_by_one_that_is_silent_nor_kept_in_memory() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut merge = Merge::new(2, PATIENCE, start);
        let mut count = 0;
        while merge.wants(0) {
            merge.push(0, line(count, "much"), at(1000));
            count += 1;
        }
        assert!(count < 4000);
        // It waits with its Engine meanwhile; as soon as there is room it goes on.
        assert!(matches!(merge.next(at(1000)), Step::Tell(0, _)));
        // But one that has just begun to be read is waited for, however much there is of the other.
        let mut early = Merge::new(2, PATIENCE, start);
        while early.wants(0) {
            early.push(0, line(5, "later"), at(10));
        }
        assert_eq!(early.next(at(10)), Step::Wait(Some(at(150))));
        early.push(1, line(1, "first"), at(100));
        assert!(matches!(early.next(at(100)), Step::Tell(1, _)));
    }

    proptest! {
        #[test]
        fn outputs_in_order_are_one_in_order_and_nothing_is_lost(
            outputs in prop::collection::vec(prop::collection::vec(0_i64..50, 0..20), 1..5),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _guard = runtime.enter();
            let now = Instant::now();
            let mut merge = Merge::new(outputs.len(), PATIENCE, now);
            let mut left: Vec<VecDeque<i64>> = outputs
                .iter()
                .map(|times| {
                    let mut times = times.clone();
                    times.sort_unstable();
                    times.into()
                })
                .collect();
            let mut all = Vec::new();
            let mut picks = picks.into_iter().cycle();
            loop {
                match merge.next(now) {
                    Step::Tell(_, line) => all.push(line.at.unwrap()),
                    Step::End => break,
                    Step::Wait(_) => {
                        // Those that have nothing are waited for; any of them may be next.
                        let index = picks.next().unwrap().index(left.len());
                        match left[index].pop_front() {
                            Some(time) => merge.push(index, line(time, "x"), now),
                            None => merge.close(index),
                        }
                    }
                }
            }
            prop_assert_eq!(all.len(), outputs.iter().map(Vec::len).sum::<usize>());
            prop_assert!(all.is_sorted());
        }
    }
}
