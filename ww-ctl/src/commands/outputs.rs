//! What the containers print that the dashboard shows: followed while it is looked at.

use std::collections::VecDeque;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::logs::{News, Reader};
use super::wanted::Wanted;
use crate::clock::Clock;
use crate::engine::{LogLine, LogQuery, LogSource, Target};
use crate::fleet::ContainerKey;
use crate::tui::{Printed, Said};
use crate::watch::FeedHandle;

/// Who goes by does not look.
const LOOK: Duration = Duration::from_millis(200);
/// So many of the last lines come first.
const LINES: u32 = 500;
/// Between two attempts where it cannot be read.
const AGAIN: Duration = Duration::from_secs(5);
/// For so long lines are gathered before they are told.
const GATHER: Duration = Duration::from_millis(100);
/// The most lines gathered; the first of them go where there are more.
const MOST: usize = 1000;
/// The most bytes of them.
const BYTES: usize = 256 << 10;
/// The most bytes of a line: what is shown of it has fewer characters, colours left out.
const LONGEST: usize = 8 << 10;
/// After so many lines it is somebody else's turn.
const TURN: usize = 256;

/// A stream of the Engine for each of them.
pub(super) struct Outputs {
    handle: FeedHandle,
    told: mpsc::Sender<Printed>,
    wanted: Wanted,
}

impl Outputs {
    pub(super) fn new(handle: FeedHandle, tasks: TaskTracker, told: mpsc::Sender<Printed>) -> Self {
        Self {
            handle,
            told,
            wanted: Wanted::new(tasks),
        }
    }

    /// From now on these and no others.
    pub(super) fn only(&mut self, keys: Vec<ContainerKey>) {
        let (handle, told) = (&self.handle, &self.told);
        self.wanted.only(keys, |key| {
            let target = handle.target(&key.host)?;
            let reader = reader(target.clone(), handle.clock(), key);
            let told = told.clone();
            Some(async move { follow(reader, &told).await })
        });
    }
}

fn reader(target: Target, clock: Clock, key: ContainerKey) -> Reader {
    Reader {
        target,
        clock,
        key,
        query: LogQuery {
            follow: true,
            tail: Some(LINES),
            ..LogQuery::default()
        },
        is_patient: true,
    }
}

/// Tells what a container prints, over restarts of its own and of its Engine, until it is gone.
async fn follow(reader: Reader, told: &mpsc::Sender<Printed>) {
    tokio::time::sleep(LOOK).await;
    let mut batch = Batch::new(reader.key.clone());
    loop {
        tell(reader.clone(), &mut batch, told).await;
        if batch.failure.is_none() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The same until it cannot be read any more.
async fn tell(reader: Reader, batch: &mut Batch, told: &mpsc::Sender<Printed>) {
    let mut news = std::pin::pin!(reader.news());
    let mut is_over = false;
    while !is_over {
        let Some(first) = news.next().await else {
            return;
        };
        batch.take(first);
        let mut due = std::pin::pin!(tokio::time::sleep(GATHER));
        let mut taken = 0_usize;
        loop {
            tokio::select! {
                biased;
                () = &mut due => match told.try_reserve() {
                    Ok(permit) => {
                        permit.send(batch.told());
                        break;
                    }
                    Err(TrySendError::Closed(())) => return,
                    // Nobody has time for it: it is gathered on.
                    Err(TrySendError::Full(())) => due.as_mut().reset(Instant::now() + GATHER),
                },
                more = news.next(), if !is_over => match more {
                    Some(more) => {
                        batch.take(more);
                        taken += 1;
                        if taken.is_multiple_of(TURN) {
                            tokio::task::yield_now().await;
                        }
                    }
                    None => is_over = true,
                },
            }
        }
    }
}

/// What is to be told next.
struct Batch {
    key: ContainerKey,
    is_anew: bool,
    lines: VecDeque<(Option<Timestamp>, Said)>,
    bytes: usize,
    left_out: u64,
    /// Why it could not be read last, which is told once.
    failure: Option<String>,
    /// Of whose lines a piece was told already: on the standard output, on the standard error.
    begun: [bool; 2],
}

impl Batch {
    const fn new(key: ContainerKey) -> Self {
        Self {
            key,
            is_anew: true,
            lines: VecDeque::new(),
            bytes: 0,
            left_out: 0,
            failure: None,
            begun: [false; 2],
        }
    }

    fn take(&mut self, news: News) {
        match news {
            // After a failure it is read from the last lines on again.
            News::Opened => {
                self.is_anew |= self.failure.take().is_some();
                // What was cut off by an end is not gone on with.
                self.begun = [false; 2];
            }
            News::Line(line) => self.line(&line),
            News::Word(text) => self.put(None, Said::Word(text)),
            News::Failed(failure) => {
                let is_known = self.failure.as_ref() == Some(&failure.message);
                self.failure = Some(failure.message.clone());
                if !is_known {
                    self.put(None, Said::Failed(failure.message));
                }
            }
        }
    }

    fn line(&mut self, line: &LogLine) {
        let goes_on = &mut self.begun[usize::from(line.source == LogSource::Stderr)];
        let is_first = !*goes_on;
        *goes_on = !line.is_whole;
        // Of a line that is too long its beginning is shown.
        if is_first {
            let text = line.to_text_of(LONGEST);
            self.put(line.at, Said::Line(text));
        }
    }

    fn put(&mut self, at: Option<Timestamp>, said: Said) {
        self.bytes += cost(&said);
        self.lines.push_back((at, said));
        while self.lines.len() > MOST || self.bytes > BYTES {
            let Some((_, said)) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= cost(&said);
            self.left_out += u64::from(matches!(said, Said::Line(_)));
        }
    }

    /// What was gathered; the next is gathered anew.
    fn told(&mut self) -> Printed {
        let left_out = std::mem::take(&mut self.left_out);
        let left_out = (left_out > 0).then_some((None, Said::LeftOut(left_out)));
        self.bytes = 0;
        Printed {
            key: self.key.clone(),
            is_anew: std::mem::take(&mut self.is_anew),
            lines: left_out.into_iter().chain(self.lines.drain(..)).collect(),
        }
    }
}

/// What a line takes, however short it is.
fn cost(said: &Said) -> usize {
    let text = match said {
        Said::Line(text) | Said::Word(text) | Said::Failed(text) => text.len(),
        Said::LeftOut(_) => 0,
    };
    text + 64
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::exit::{Exit, Failure};
    use crate::fleet::scene::key;

    fn line(text: &str, is_whole: bool) -> News {
        News::Line(LogLine {
            at: None,
            source: LogSource::Stdout,
            text: Bytes::copy_from_slice(text.as_bytes()),
            is_whole,
        })
    }

    fn texts(printed: &Printed) -> Vec<String> {
        let lines = printed.lines.iter();
        lines
            .map(|(_, said)| match said {
                Said::Line(text) | Said::Word(text) | Said::Failed(text) => text.clone(),
                Said::LeftOut(lines) => format!("{lines} left out"),
            })
            .collect()
    }

    #[test]
    fn why_it_cannot_be_read_is_told_once_and_then_it_is_read_anew() {
        let fails = || News::Failed(Failure::new(Exit::Failed, "no way"));
        let mut batch = Batch::new(key("a"));
        batch.take(News::Opened);
        batch.take(line("one", true));
        batch.take(fails());
        let printed = batch.told();
        assert_eq!(texts(&printed), ["one", "no way"]);
        batch.take(fails());
        let printed = batch.told();
        assert_eq!((printed.is_anew, texts(&printed).len()), (false, 0));
        batch.take(News::Opened);
        batch.take(line("one", true));
        let printed = batch.told();
        assert!(printed.is_anew);
        assert_eq!(texts(&printed), ["one"]);
        // A connection that was lost and is there again goes on where it was; what was printed last
        // before had no end.
        batch.take(line("cut off", false));
        batch.take(News::Opened);
        batch.take(line("the next", true));
        let printed = batch.told();
        assert!(!printed.is_anew);
        assert_eq!(texts(&printed), ["cut off", "the next"]);
    }

    #[test]
    fn what_is_told_is_bounded_and_what_is_not_is_counted() {
        let mut batch = Batch::new(key("a"));
        for number in 0..100_000 {
            batch.take(line(&number.to_string(), true));
        }
        let printed = batch.told();
        assert!(printed.is_anew);
        let texts = texts(&printed);
        assert_eq!(texts.len(), MOST + 1);
        assert_eq!(texts[..2], ["99000 left out", "99000"]);
        assert_eq!(texts[MOST], "99999");
        // Long lines, too, and of one that is too long its beginning.
        for _ in 0..1000 {
            batch.take(line(&"x".repeat(64 << 10), false));
            batch.take(line(&"y".repeat(64 << 10), true));
        }
        let printed = batch.told();
        assert!(!printed.is_anew);
        let bytes: usize = printed.lines.iter().map(|(_, said)| cost(said)).sum();
        assert!(bytes <= BYTES + 64, "{bytes}");
        let told = self::texts(&printed);
        assert!(told[1..].iter().all(|text| *text == "x".repeat(LONGEST)));
        assert_eq!(told[0], format!("{} left out", 1000 - (told.len() - 1)));
        assert_eq!(batch.told().lines, []);
    }
}
