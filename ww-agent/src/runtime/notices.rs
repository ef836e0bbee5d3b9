//! What the script that runs now says of itself, and how often that is told.

use std::time::Duration;

use whaleware::lifecycle::{Moment, RunId};
use whaleware::protocol::{FromAgent, HookRun};

use super::Runtime;
use crate::clock;
use crate::hooks::Places;
use crate::log::Level;
use crate::notify::{Notice, NotifySocket};
use crate::poller::{Interest, Token};

/// At most ten lines a second for those who listen.
pub(super) const TOLD: Duration = Duration::from_millis(100);
/// At most one a second in the log.
const LOGGED: Duration = Duration::from_secs(1);

/// Says when something that changes fast is told: at once, then once for each gap, the last change
/// always. Nothing is due while nothing has changed.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    last: Option<Moment>,
    due: Option<Moment>,
}

impl Pace {
    pub(super) const fn new(gap: Duration) -> Self {
        Self {
            gap,
            last: None,
            due: None,
        }
    }

    /// When something is to be told.
    pub(super) const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Something has changed.
    pub(super) fn changed(&mut self, now: Moment) {
        let free = self.last.map_or(now, |last| (last + self.gap).max(now));
        self.due.get_or_insert(free);
    }

    /// Whether it is to be told now; then it counts as told.
    pub(super) fn take(&mut self, now: Moment) -> bool {
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due {
            self.told(now);
        }
        is_due
    }

    /// Whether something has not been told yet; it counts as told from now on.
    fn take_early(&mut self, now: Moment) -> bool {
        let waits = self.due.is_some();
        if waits {
            self.told(now);
        }
        waits
    }

    const fn told(&mut self, now: Moment) {
        self.last = Some(now);
        self.due = None;
    }
}

/// Where scripts say how far they are, and what of it is still to be told.
#[derive(Debug)]
pub(super) struct Notices {
    socket: Option<NotifySocket>,
    /// What scripts beside the life cycle say. It is taken in, since `notify` waits for that, and
    /// counts for nobody. Who sent something cannot tell it from the rest: the process may be gone.
    beside: Option<NotifySocket>,
    lines: Pace,
    log: Pace,
    /// So many dropped ones are worth a line; then ten times as many.
    worth_a_line: u64,
}

impl Notices {
    /// No socket yet.
    pub(super) const fn new() -> Self {
        Self {
            socket: None,
            beside: None,
            lines: Pace::new(TOLD),
            log: Pace::new(LOGGED),
            worth_a_line: 1,
        }
    }

    /// When something is to be told; none while nothing waits.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        [self.lines.due, self.log.due].into_iter().flatten().min()
    }
}

impl Runtime {
    /// Opens the sockets for what scripts say.
    pub(super) fn open_notices(&mut self) {
        let open = || {
            let socket = NotifySocket::open()?;
            self.poller.add(&socket, Token::Notices, Interest::Read)?;
            Ok::<_, std::io::Error>(socket)
        };
        match open().and_then(|socket| Ok((socket, open()?))) {
            Ok((socket, beside)) => {
                self.hooks.notify = Some(Places {
                    cycle: socket.address().to_owned(),
                    beside: beside.address().to_owned(),
                });
                self.notices.socket = Some(socket);
                self.notices.beside = Some(beside);
            }
            Err(error) => self.degrade(&format!("scripts cannot say how far they are: {error}")),
        }
    }

    /// Takes in what has come. Told it is with [`Self::tell_notices`].
    pub(super) fn hear(&mut self) {
        let received = self.notices.socket.as_mut().map(NotifySocket::receive);
        for notice in received.unwrap_or_default() {
            self.heed(notice);
        }
        let _for_nobody = self.notices.beside.as_mut().map(NotifySocket::receive);
        self.report_dropped();
    }

    /// The same for everything that was sent by now: the script has ended. Answers what this run said
    /// last; nothing of it is to be told any more, its last line does.
    pub(super) fn hear_last(&mut self, id: RunId, now: Moment) -> (Option<String>, Option<u8>) {
        let received = self.notices.socket.as_mut().map(NotifySocket::receive_all);
        for notice in received.unwrap_or_default() {
            self.heed(notice);
        }
        self.report_dropped();
        let Some(run) = self.record.running(now).filter(|run| run.run == id.0) else {
            return (None, None);
        };
        self.notices.lines.due = None;
        if self.notices.log.take_early(now) {
            self.log_status(&run);
        }
        (run.status, run.progress)
    }

    /// One notice counts for the script of the life cycle that runs, whichever process sent it: a
    /// script may have others work for it.
    fn heed(&mut self, notice: Notice) {
        let changed = self.record.said(notice.status, notice.progress);
        let now = clock::now();
        if changed.any {
            self.notices.lines.changed(now);
        }
        if changed.status {
            self.notices.log.changed(now);
        }
    }

    /// Tells what is due.
    pub(super) fn tell_notices(&mut self, now: Moment) {
        let (told, logged) = (self.notices.lines.take(now), self.notices.log.take(now));
        if !told && !logged {
            return;
        }
        let Some(run) = self.record.running(now) else {
            return;
        };
        if logged {
            self.log_status(&run);
        }
        if told {
            self.tell(&FromAgent::Hook(run));
        }
    }

    /// For those who read the log only.
    fn log_status(&mut self, run: &HookRun) {
        let Some(status) = &run.status else {
            return;
        };
        let text = match run.progress {
            Some(percent) => format!("{}: {status} ({percent} %)", run.hook),
            None => format!("{}: {status}", run.hook),
        };
        self.output.log(Level::Info, &text);
    }

    fn report_dropped(&mut self) {
        let dropped = self
            .notices
            .socket
            .as_ref()
            .map_or(0, NotifySocket::dropped);
        if dropped < self.notices.worth_a_line {
            return;
        }
        self.notices.worth_a_line = dropped.saturating_mul(10);
        let text = format!(
            "what scripts said of themselves was dropped ({dropped} in all): it is longer than 4096 \
             bytes, or not from this container"
        );
        self.output.log(Level::Warning, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::at(Duration::from_millis(milliseconds))
    }

    #[test]
    fn the_first_is_told_at_once_and_the_last_always() {
        let mut pace = Pace::new(TOLD);
        assert!(!pace.take(at(0)));
        pace.changed(at(0));
        assert!(pace.take(at(0)));
        assert_eq!(pace.due, None, "nothing wakes the agent");
        for now in 1..=99 {
            pace.changed(at(now));
            assert!(!pace.take(at(now)));
        }
        assert_eq!(pace.due, Some(at(100)));
        assert!(pace.take(at(100)));
        assert_eq!(pace.due, None);
        pace.changed(at(1000));
        assert_eq!(pace.due, Some(at(1000)), "not later for having waited");
    }

    #[test]
    fn however_fast_it_changes_there_are_ten_a_second() {
        let mut pace = Pace::new(TOLD);
        let told = (0..10_000).filter(|now| {
            pace.changed(at(*now));
            pace.take(at(*now))
        });
        assert_eq!(told.count(), 100);
        pace.changed(at(10_000));
        assert!(pace.take_early(at(10_000)));
        assert!(!pace.take_early(at(10_000)));
    }
}
