//! The foreground services: each a small machine of its own, all of them started and stopped in order.
//!
//! They are started one after the other, the next one when the one before is up, and stopped the
//! other way round, the next one when nothing of the one before is left. What a service's end means
//! for the container is the life cycle's to decide; it is told by [`News`].

mod service;

use std::time::Duration;

pub use self::service::{Failure, ServiceRules, ServiceStand, ServiceView};

use self::service::{Service, Step};
use super::backoff::Backoff;
use super::effect::Effect;
use super::event::{Outcome, RunId, ServiceNotice};
use super::machine::Policy;
use super::moment::Moment;

/// The name of the one service of `ww-agent run -- CMD`.
pub const MAIN_SERVICE: &str = "main";

/// What became of the services as a whole, for the life cycle to decide about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// All are up.
    Started,
    /// Nothing of any of them is left.
    Stopped,
    /// This one was started again as often as may be, and failed once more.
    Exhausted {
        /// Its name.
        name: String,
        /// How it failed last.
        failure: Failure,
        /// How often it had been started again in a row.
        restarts: u32,
    },
    /// The command the container is there for has ended, nobody having asked for that.
    MainEnded(Outcome),
}

/// What is wanted of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// None is to run, and none does.
    Down,
    /// They are being started; this one is next.
    Starting(usize),
    /// All are to run.
    Up,
    /// A stop is near: those that run may, none is started any more.
    Held,
    /// They are being stopped; those from `told` on were asked to end. The next one is asked when
    /// they are down, or at `until`: one that does not hear must not cost the others their orderly end.
    Stopping { told: usize, until: Moment },
}

/// Gives out the numbers of runs.
pub(super) struct Ids<'a>(pub(super) &'a mut u64);

impl Ids<'_> {
    fn next(&mut self) -> RunId {
        *self.0 += 1;
        RunId(*self.0)
    }
}

/// All services of a container, in the order they are started.
#[derive(Debug, Clone)]
pub(super) struct Services {
    list: Vec<Service>,
    mode: Mode,
    /// So long one that ends is waited for before the next one is told.
    grace: Duration,
    main_ended: Option<Outcome>,
}

impl Services {
    pub(super) const fn none() -> Self {
        Self {
            list: Vec::new(),
            mode: Mode::Down,
            grace: Duration::ZERO,
            main_ended: None,
        }
    }

    /// These are the services from now on. Without effect while some of them run.
    pub(super) fn know(&mut self, names: &[String], policy: &Policy, seed: u64) {
        if self.mode != Mode::Down {
            return;
        }
        self.grace = policy.stop_grace;
        let mut known = std::mem::take(&mut self.list);
        self.list = names
            .iter()
            .zip(0_u64..)
            .map(|(name, number)| {
                // What is known of one from before stays: how often it was restarted, how it ended.
                if let Some(at) = known.iter().position(|one| one.name() == name) {
                    known.swap_remove(at)
                } else {
                    let backoff = Backoff::new(
                        policy.backoff,
                        policy.backoff_max,
                        seed.rotate_left(17) ^ (number << 8),
                    );
                    Service::new(name.clone(), policy, backoff)
                }
            })
            .collect();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether nothing of any of them is left to be stopped.
    pub(super) fn are_down(&self) -> bool {
        self.list.iter().all(Service::is_down)
    }

    /// How each stands.
    pub(super) fn views(&self) -> impl Iterator<Item = ServiceView> {
        self.list.iter().map(Service::view)
    }

    /// How often in a row those that are not well have failed, at most; 0 when all are well.
    pub(super) fn failing(&self) -> u32 {
        self.list.iter().map(Service::failing).max().unwrap_or(0)
    }

    /// Those that are not well, and how they failed.
    pub(super) fn ailing(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.list
            .iter()
            .filter_map(|service| Some((service.name(), service.ailment()?)))
    }

    /// How long stopping all of them may take at most, if none asks for more; none when one has no
    /// cap.
    pub(super) fn stop_budget(&self) -> Option<Duration> {
        let mut turn = Duration::ZERO;
        let mut all = Duration::ZERO;
        for service in self.list.iter().rev() {
            all = all.max(turn.saturating_add(service.stop_budget()?));
            // The next one waits for it no longer than that.
            turn = turn.saturating_add(self.grace);
        }
        Some(all)
    }

    /// How the command the container is there for has ended.
    pub(super) const fn main_ended(&self) -> Option<&Outcome> {
        self.main_ended.as_ref()
    }

    /// Whether this run is one of theirs.
    pub(super) fn own(&self, run: RunId) -> bool {
        self.list.iter().any(|service| service.run() == Some(run))
    }

    pub(super) fn next_deadline(&self) -> Option<Moment> {
        let turn = match self.mode {
            Mode::Stopping { told: 1.., until } => Some(until),
            Mode::Stopping { told: 0, .. }
            | Mode::Down
            | Mode::Starting(_)
            | Mode::Up
            | Mode::Held => None,
        };
        let own = self.list.iter().filter_map(Service::next_deadline);
        own.chain(turn).min()
    }

    // ---- what is wanted -----------------------------------------------------------------------

    pub(super) fn start(
        &mut self,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Option<News> {
        self.main_ended = None;
        for service in &mut self.list {
            service.forgive();
        }
        self.mode = Mode::Starting(0);
        self.advance(ids, now, out)
    }

    /// A stop is near: nothing is started any more.
    pub(super) fn hold(&mut self, out: &mut Vec<Effect>) {
        match self.mode {
            Mode::Starting(_) | Mode::Up => {
                self.mode = Mode::Held;
                for service in &mut self.list {
                    service.stop_waiting(out);
                }
            }
            Mode::Down | Mode::Held | Mode::Stopping { .. } => {}
        }
    }

    pub(super) fn stop(
        &mut self,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Option<News> {
        match self.mode {
            Mode::Down => return Some(News::Stopped),
            // They are being stopped already; who asked again is told when they are.
            Mode::Stopping { .. } => return None,
            Mode::Starting(_) | Mode::Up | Mode::Held => {}
        }
        self.mode = Mode::Stopping {
            told: self.list.len(),
            until: now,
        };
        self.advance(ids, now, out)
    }

    // ---- what happens -------------------------------------------------------------------------

    pub(super) fn began(
        &mut self,
        run: RunId,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Option<News> {
        self.each(run, ids, now, out, |service, _, now, out| {
            service.began(now, out)
        })
    }

    pub(super) fn ended(
        &mut self,
        run: RunId,
        outcome: Outcome,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Option<News> {
        self.each(run, ids, now, out, |service, again, now, out| {
            service.ended(outcome, again, now, out)
        })
    }

    pub(super) fn group_empty(
        &mut self,
        run: RunId,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Option<News> {
        self.each(run, ids, now, out, |service, again, now, out| {
            service.group_empty(again, now, out)
        })
    }

    pub(super) fn noticed(
        &mut self,
        run: RunId,
        notice: ServiceNotice,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Option<News> {
        self.each(run, ids, now, out, |service, _, now, out| {
            service.noticed(notice, now, out)
        })
    }

    /// Does what is due of one service; the caller comes again while there is more.
    pub(super) fn handle_deadline(
        &mut self,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) -> Option<News> {
        let due = self
            .list
            .iter()
            .position(|service| service.next_deadline().is_some_and(|at| at <= now));
        let Some(due) = due else {
            return self.advance(ids, now, out);
        };
        self.act(due, ids, now, out, |service, again, now, out| {
            service.handle_deadline(again, now, out)
        })
    }

    fn each(
        &mut self,
        run: RunId,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
        act: impl FnOnce(&mut Service, bool, Moment, &mut Vec<Effect>) -> Step,
    ) -> Option<News> {
        let at = self.list.iter().position(|one| one.run() == Some(run))?;
        self.act(at, ids, now, out, act)
    }

    fn act(
        &mut self,
        at: usize,
        ids: &mut Ids<'_>,
        now: Moment,
        out: &mut Vec<Effect>,
        act: impl FnOnce(&mut Service, bool, Moment, &mut Vec<Effect>) -> Step,
    ) -> Option<News> {
        let again = matches!(self.mode, Mode::Starting(_) | Mode::Up);
        let service = self.list.get_mut(at)?;
        match act(service, again, now, out) {
            Step::On => self.advance(ids, now, out),
            Step::StartAgain => {
                service.start_again(ids, now, out);
                self.advance(ids, now, out)
            }
            Step::Exhausted(failure) => {
                let news = News::Exhausted {
                    name: service.name().to_owned(),
                    restarts: service.in_a_row(),
                    failure,
                };
                Some(news)
            }
            Step::MainEnded(outcome) => {
                self.main_ended = Some(outcome.clone());
                match self.mode {
                    Mode::Stopping { .. } | Mode::Down => self.advance(ids, now, out),
                    Mode::Starting(_) | Mode::Up | Mode::Held => Some(News::MainEnded(outcome)),
                }
            }
        }
    }

    /// The next service's turn, where the one before has come so far.
    fn advance(&mut self, ids: &mut Ids<'_>, now: Moment, out: &mut Vec<Effect>) -> Option<News> {
        loop {
            match self.mode {
                Mode::Down | Mode::Up | Mode::Held => return None,
                Mode::Starting(at) => match self.list.get_mut(at) {
                    None => {
                        self.mode = Mode::Up;
                        return Some(News::Started);
                    }
                    Some(service) if service.is_through() => self.mode = Mode::Starting(at + 1),
                    Some(service) if service.is_new() => service.start(ids, now, out),
                    Some(_) => return None,
                },
                Mode::Stopping { told, until } => {
                    let rest = self.list.get(told..).unwrap_or_default();
                    let is_down = rest.iter().all(Service::is_down);
                    match told.checked_sub(1) {
                        None if is_down => {
                            self.mode = Mode::Down;
                            return Some(News::Stopped);
                        }
                        Some(next) if is_down || now >= until => {
                            if let Some(service) = self.list.get_mut(next) {
                                service.stop(now, out);
                            }
                            let until = now + self.grace;
                            self.mode = Mode::Stopping { told: next, until };
                        }
                        None | Some(_) => return None,
                    }
                }
            }
        }
    }
}
