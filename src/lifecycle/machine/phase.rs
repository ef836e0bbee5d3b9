//! Where the machine is, down to the step it is at. What belongs to a state lives in it.

use std::time::Duration;

use super::GIVE_UP;
use crate::lifecycle::{Cause, Hook, Moment, Outcome, RunId};

/// A script that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) hook: Hook,
    pub(super) cut: Cut,
}

/// Whether a running script has been told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cut {
    /// Not told; `at` is when its time is over.
    None { at: Option<(Moment, Duration)> },
    /// TERM sent, KILL follows at `kill_at`. `limit` is set when its time was over.
    Terminated {
        kill_at: Moment,
        limit: Option<Duration>,
    },
    /// KILL sent; given up waiting at `give_up_at`.
    Killed {
        give_up_at: Moment,
        limit: Option<Duration>,
    },
}

impl Run {
    pub(super) const fn deadline(&self) -> Option<Moment> {
        match self.cut {
            Cut::None { at: Some((at, _)) } => Some(at),
            Cut::None { at: None } => None,
            Cut::Terminated { kill_at, .. } => Some(kill_at),
            Cut::Killed { give_up_at, .. } => Some(give_up_at),
        }
    }

    /// After how long it is given up at the latest, with `grace` between TERM and KILL; none when it
    /// has no cap.
    pub(super) fn longest(&self, grace: Duration, now: Moment) -> Option<Duration> {
        match self.cut {
            Cut::None { at } => {
                at.map(|(at, _)| (at - now).saturating_add(grace.saturating_add(GIVE_UP)))
            }
            Cut::Terminated { kill_at, .. } => Some((kill_at - now).saturating_add(GIVE_UP)),
            Cut::Killed { give_up_at, .. } => Some(give_up_at - now),
        }
    }

    /// Its time is over: what really happened to a script that was cut for that.
    pub(super) fn outcome(&self, seen: Outcome) -> Outcome {
        match self.cut {
            Cut::Terminated {
                limit: Some(limit), ..
            }
            | Cut::Killed {
                limit: Some(limit), ..
            } => Outcome::TimedOut(limit),
            Cut::None { .. }
            | Cut::Terminated { limit: None, .. }
            | Cut::Killed { limit: None, .. } => seen,
        }
    }
}

/// What a deadline of a running script led to.
pub(super) enum Overdue {
    /// It was told to end, or there is still time.
    Waiting,
    /// Not even KILL ended it.
    Unkillable(Outcome),
}

/// A stage of the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Boot,
    Firstboot,
    Upgrade,
    Svcup,
    Warmup,
}

impl Stage {
    pub(super) const fn hook(self) -> Hook {
        match self {
            Self::Boot => Hook::Boot,
            Self::Firstboot => Hook::Firstboot,
            Self::Upgrade => Hook::Upgrade,
            Self::Svcup => Hook::Svcup,
            Self::Warmup => Hook::Warmup,
        }
    }
}

/// What is under way within a stage of the way up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The world is being told.
    Announcing { number: u64, until: Moment },
    /// The stage's script runs.
    Running(Run),
    /// The mark is being written; only after `firstboot`.
    Marking,
    /// The services are being started; only after `svcup`.
    Settling,
}

/// The check of an UP container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    /// The next one is due then.
    Due(Moment),
    /// One is under way.
    Running(Run),
    /// There is no monitor script.
    Absent,
}

/// The scripts of a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Svcdown,
    Svcup,
    Warmup,
}

impl Part {
    pub(super) const fn hook(self) -> Hook {
        match self {
            Self::Svcdown => Hook::Svcdown,
            Self::Svcup => Hook::Svcup,
            Self::Warmup => Hook::Warmup,
        }
    }
}

/// What is under way within a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RestartStep {
    Announcing {
        number: u64,
        until: Moment,
    },
    Draining {
        until: Moment,
    },
    /// The services are being stopped, before `svcdown`.
    Halting,
    Running(Part, Run),
    /// What `svcdown`, and before it `svcup`, left in their own process groups must be gone before
    /// the next `svcup`: `svcdown` may still be stopping something, `svcup`'s is what it stops.
    Emptying {
        group: RunId,
        /// The one after it.
        then: Option<RunId>,
        told: Told,
        next: Moment,
    },
    /// The pause that keeps restarts from storming.
    Pausing {
        until: Moment,
    },
    /// Nothing runs, for as long as somebody reads the data; until then at most.
    Held {
        until: Moment,
    },
    /// The services are being started, after `svcup`.
    Settling,
}

/// How far a group of old services was told to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Term,
    Kill,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Restart {
    pub(super) step: RestartStep,
    /// Somebody asked for it: drain first, no pause.
    pub(super) asked: bool,
    /// One more was asked for after the services had begun to start.
    pub(super) again: Option<Cause>,
    /// The pause before `svcup`.
    pub(super) pause: Duration,
    /// Once nothing runs it is to be held like that, until then at most.
    pub(super) lease: Option<Moment>,
}

/// What is under way within a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StopStep {
    /// The script that was running is being ended.
    Cutting(Run),
    Announcing {
        until: Moment,
    },
    Draining {
        until: Moment,
    },
    /// The services are being stopped, before `svcdown`.
    Halting,
    Svcdown(Run),
    Terminating {
        kill_at: Moment,
    },
    Killing {
        give_up_at: Moment,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) step: StopStep,
    /// The number of the transition that told of the stop.
    pub(super) number: u64,
    /// 0 for STOPPED, 1 for ERROR.
    pub(super) code: i32,
    /// Time between TERM and KILL; shorter once a second stop was asked for.
    pub(super) grace: Duration,
    pub(super) drain: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has happened yet.
    Created,
    Starting {
        stage: Stage,
        step: Step,
        again: Option<Cause>,
    },
    Up(Check),
    Restarting(Restart),
    Stopping(Stop),
    /// `Exit` was given out.
    Done,
}

impl Phase {
    /// Until when at most a backup keeps, or is to keep, the services down.
    pub(super) const fn lease(&self) -> Option<Moment> {
        match self {
            Self::Restarting(Restart {
                step: RestartStep::Held { until },
                ..
            }) => Some(*until),
            Self::Restarting(restart) => restart.lease,
            Self::Created
            | Self::Starting { .. }
            | Self::Up(_)
            | Self::Stopping(_)
            | Self::Done => None,
        }
    }
}

/// Whether there is something for `svcdown` to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Svcup {
    /// `svcup` was not begun, or `svcdown` has ended since.
    Undone,
    /// `svcup` was begun by this run.
    Begun(RunId),
}

#[cfg(test)]
impl Phase {
    /// Where it is, in words that leave out ids and times.
    pub(super) fn place(&self) -> String {
        let (phase, step) = match self {
            Self::Created => return "created".into(),
            Self::Done => return "done".into(),
            Self::Starting { stage, step, .. } => (
                stage.hook().name(),
                match step {
                    Step::Announcing { .. } => "announcing",
                    Step::Running(_) => "running",
                    Step::Marking => "marking",
                    Step::Settling => "settling",
                },
            ),
            Self::Up(check) => (
                "up",
                match check {
                    Check::Due(_) => "due",
                    Check::Running(_) => "checking",
                    Check::Absent => "absent",
                },
            ),
            Self::Restarting(restart) => (
                "restarting",
                match &restart.step {
                    RestartStep::Announcing { .. } => "announcing",
                    RestartStep::Draining { .. } => "draining",
                    RestartStep::Halting => "halting",
                    RestartStep::Settling => "settling",
                    RestartStep::Running(part, _) => part.hook().name(),
                    RestartStep::Emptying { then: Some(_), .. } => "emptying svcdown's",
                    RestartStep::Emptying { then: None, .. } => "emptying the last",
                    RestartStep::Pausing { .. } => "pausing",
                    RestartStep::Held { .. } => "held",
                },
            ),
            Self::Stopping(stop) => (
                "stopping",
                match &stop.step {
                    StopStep::Cutting(_) => "cutting",
                    StopStep::Announcing { .. } => "announcing",
                    StopStep::Draining { .. } => "draining",
                    StopStep::Halting => "halting",
                    StopStep::Svcdown(_) => "svcdown",
                    StopStep::Terminating { .. } => "terminating",
                    StopStep::Killing { .. } => "killing",
                },
            ),
        };
        format!("{phase} {step}")
    }
}
