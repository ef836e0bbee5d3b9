//! One container that is acted on.

use std::time::Duration;

use tokio::time::Instant;
use whaleware::lifecycle::{Moment, State};

use crate::commands::act::{Plan, Verdict};
use crate::commands::before::Before;
use crate::commands::turns::Condition;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState, Fleet, Link};

/// So often one is sent what a broken connection may have swallowed.
const TRIES: u32 = 3;

/// How far one is.
#[derive(Debug)]
pub(super) enum Step {
    /// Its turn has not come; because its Engine was not reached, and is not to be tried again
    /// before then.
    Waiting(Option<Instant>),
    /// It is on its way to the Engine.
    Acting,
    /// The Engine has done it.
    Acted,
    /// It was sent, and nobody knows whether it was done; whether the host has answered again.
    Unanswered { answers: bool },
    /// It is where it is wanted, or will not be; it took so long.
    Over(Failure, Duration),
    /// Its turn does not come any more.
    Untouched(Failure),
}

/// How far it is known whether one that is there is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Proof {
    /// It is to be asked.
    Wanted,
    /// It has been.
    Asked,
    /// Nothing tells more than that it is there.
    Enough,
    /// Its agent is going to tell.
    Awaited,
}

/// One container that is acted on.
#[derive(Debug)]
pub(super) struct One {
    pub name: String,
    pub step: Step,
    /// When its turn came.
    pub begun: Moment,
    /// Until when it is watched.
    pub deadline: Option<Instant>,
    /// What it was like when its turn came.
    pub before: Before,
    pub proof: Option<Proof>,
    /// How often it was sent.
    pub tries: u32,
    /// Whether its end has been told.
    pub told: bool,
}

impl One {
    pub(super) fn new(name: String, step: Step, now: Moment) -> Self {
        Self {
            name,
            step,
            begun: now,
            deadline: None,
            before: Before::default(),
            proof: None,
            tries: 0,
            told: false,
        }
    }

    pub(super) const fn is_in_work(&self) -> bool {
        match self.step {
            Step::Acting | Step::Acted | Step::Unanswered { .. } => true,
            Step::Waiting(_) | Step::Over(..) | Step::Untouched(_) => false,
        }
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.step, Step::Waiting(_))
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.step, Step::Over(..) | Step::Untouched(_))
    }

    /// Why it is not where it is wanted, and will not be.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.step {
            Step::Over(failure, _) => Some(failure).filter(|failure| failure.exit != Exit::Done),
            Step::Waiting(_)
            | Step::Acting
            | Step::Acted
            | Step::Unanswered { .. }
            | Step::Untouched(_) => None,
        }
    }

    /// Whether it is where it is wanted.
    pub(super) const fn is_done(&self) -> bool {
        match &self.step {
            Step::Over(failure, _) => matches!(failure.exit, Exit::Done),
            Step::Waiting(_)
            | Step::Acting
            | Step::Acted
            | Step::Unanswered { .. }
            | Step::Untouched(_) => false,
        }
    }

    pub(super) fn begin(
        &mut self,
        container: Option<&Container>,
        limit: Option<Duration>,
        now: Moment,
    ) {
        self.step = Step::Acting;
        self.begun = now;
        self.deadline = limit.map(|limit| Instant::now() + limit);
        self.before = container.map(Before::of).unwrap_or_default();
        self.proof = None;
        self.tries += 1;
    }

    pub(super) fn end(&mut self, failure: Failure, now: Moment) {
        self.step = Step::Over(failure, now - self.begun);
        self.told = false;
    }

    /// It was there, and is not any more.
    pub(super) fn fall_back(&mut self, failure: Failure) {
        if let Step::Over(known, _) = &mut self.step {
            *known = failure;
            self.told = false;
        }
    }

    /// Nothing was done to it: its turn comes again.
    pub(super) fn put_back(&mut self, until: Option<Instant>) {
        self.step = Step::Waiting(until);
    }

    /// Measures it, if it is in work.
    pub(super) fn measure(&mut self, container: Option<&Container>, plan: &Plan<'_>, now: Moment) {
        if !self.is_in_work() {
            return;
        }
        let acted = !matches!(self.step, Step::Acting);
        let verdict = match container {
            Some(container) => (plan.judge)(container, &self.before, acted),
            None => Verdict::Failed("it was removed".into()),
        };
        match (verdict, self.proof) {
            (Verdict::Unproven, None) => self.proof = Some(Proof::Wanted),
            (Verdict::Unproven, Some(Proof::Wanted | Proof::Asked | Proof::Awaited)) => {}
            (Verdict::Pending, proof) => {
                // What was found out holds for as long as it stays as it was.
                self.proof = proof.filter(|proof| *proof == Proof::Asked);
                self.try_again(container, plan, now);
            }
            (Verdict::Asked(what), _) => {
                let failure = Failure::new(Exit::Done, format!("{what} was asked for"));
                self.end(failure, now);
            }
            (Verdict::Reached, _) | (Verdict::Unproven, Some(Proof::Enough)) => {
                self.end(Failure::new(Exit::Done, ""), now);
            }
            (Verdict::Failed(reason), _) => self.end(Failure::new(Exit::Failed, reason), now),
        }
    }

    /// Where a connection broke, and the container goes on as if nothing had been asked of it.
    fn try_again(&mut self, container: Option<&Container>, plan: &Plan<'_>, now: Moment) {
        let swallowed = matches!(self.step, Step::Unanswered { answers: true })
            && container.is_some_and(is_as_before);
        if swallowed && plan.turns.is_some() && self.tries < TRIES {
            self.put_back(None);
        } else if swallowed {
            let reason = "the connection to the Docker Engine broke before it had done it, and the \
                          container is UP as before; try again";
            self.end(Failure::new(Exit::Failed, reason), now);
        }
    }
}

fn is_as_before(container: &Container) -> bool {
    matches!(container.link, Link::Live { .. }) && container.state() == Some(State::Up)
}

/// How one stands that is not in work.
pub(super) fn condition(fleet: &Fleet, key: &ContainerKey) -> Condition {
    let Some(container) = fleet.get(key) else {
        return Condition::Ill;
    };
    let unheard = container.engine == EngineState::Running && !container.is_introduced();
    if unheard || fleet.stale_since(container).is_some() {
        Condition::Unknown
    } else if container.is_healthy() {
        Condition::Well
    } else {
        Condition::Ill
    }
}

/// Why one that was there will not be there again by itself.
pub(super) fn relapse(container: Option<&Container>) -> Option<String> {
    let Some(one) = container else {
        return Some("it was removed".into());
    };
    match one.state() {
        Some(State::Error) => Some(format!("ERROR: {}", one.cause())),
        Some(State::Stopped) => Some(format!("it is stopping: {}", one.cause())),
        Some(State::Dockerdown) if one.engine != EngineState::Restarting => {
            Some(format!("it has ended: {}", one.cause()))
        }
        Some(_) | None => None,
    }
}
