//! The machine itself: phases, and what every event means in each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backoff::Backoff;
use super::effect::{Effect, Heard, Transition};
use super::event::{Ask, Cause, Event, Outcome, RunId};
use super::moment::Moment;
use super::state::{Health, Hook, State};

/// How long, in all, one boot, one restart or one stop waits for the world to have been told.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is left of a grace once a second stop was asked for.
const HURRY: Duration = Duration::from_millis(500);
/// How long after KILL a process may still be there (state D) before the agent leaves without it.
const GIVE_UP: Duration = Duration::from_secs(3);

/// What the operator may decide about the life cycle; the defaults are the contract's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Pause between two checks.
    pub monitor_interval: Duration,
    /// A check that takes longer is killed and has failed.
    pub monitor_timeout: Duration,
    /// So many failures in a row lead to a restart.
    pub monitor_failures: u32,
    /// So many restarts in a row are made before ERROR; 0 means no limit.
    pub restart_max: u32,
    /// Healthy for so long, and the count of restarts in a row starts again.
    pub restart_reset: Duration,
    /// The first pause before a restart that nobody asked for.
    pub backoff: Duration,
    /// The longest such pause.
    pub backoff_max: Duration,
    /// Whether `warmup` runs again after a restart.
    pub restart_warmup: bool,
    /// Cap on `svcdown`.
    pub stop_timeout: Option<Duration>,
    /// Time between TERM and KILL.
    pub stop_grace: Duration,
    /// Pause between telling that the container goes and stopping its services.
    pub drain: Duration,
    /// Caps on single scripts.
    pub timeouts: BTreeMap<Hook, Duration>,
    /// Scripts whose failure is logged and taken for done.
    pub tolerated: BTreeSet<Hook>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            monitor_interval: Duration::from_secs(30),
            monitor_timeout: Duration::from_secs(25),
            monitor_failures: 1,
            restart_max: 5,
            restart_reset: Duration::from_secs(600),
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            restart_warmup: false,
            stop_timeout: None,
            stop_grace: Duration::from_secs(5),
            drain: Duration::ZERO,
            timeouts: BTreeMap::new(),
            tolerated: BTreeSet::new(),
        }
    }
}

impl Policy {
    /// The cap on one run of `hook`, if any.
    #[must_use]
    pub fn timeout(&self, hook: Hook) -> Option<Duration> {
        let own = self.timeouts.get(&hook).copied();
        match hook {
            Hook::Monitor => {
                Some(own.map_or(self.monitor_timeout, |t| t.min(self.monitor_timeout)))
            }
            Hook::Svcdown => [own, self.stop_timeout].into_iter().flatten().min(),
            Hook::Boot
            | Hook::Firstboot
            | Hook::Upgrade
            | Hook::Svcup
            | Hook::Warmup
            | Hook::Lifecycle
            | Hook::Pushstats => own,
        }
    }
}

/// A script that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    id: RunId,
    hook: Hook,
    cut: Cut,
}

/// Whether a running script has been told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cut {
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
    const fn deadline(&self) -> Option<Moment> {
        match self.cut {
            Cut::None { at: Some((at, _)) } => Some(at),
            Cut::None { at: None } => None,
            Cut::Terminated { kill_at, .. } => Some(kill_at),
            Cut::Killed { give_up_at, .. } => Some(give_up_at),
        }
    }

    /// Its time is over: what really happened to a script that was cut for that.
    fn outcome(&self, seen: Outcome) -> Outcome {
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
enum Overdue {
    /// It was told to end, or there is still time.
    Waiting,
    /// Not even KILL ended it.
    Unkillable(Outcome),
}

/// A stage of the way up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Boot,
    Firstboot,
    Upgrade,
    Svcup,
    Warmup,
}

impl Stage {
    const fn hook(self) -> Hook {
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
enum Step {
    /// The world is being told.
    Announcing { number: u64, until: Moment },
    /// The stage's script runs.
    Running(Run),
    /// The mark is being written; only after `firstboot`.
    Marking,
}

/// The check of an UP container.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Check {
    /// The next one is due then.
    Due(Moment),
    /// One is under way.
    Running(Run),
    /// There is no monitor script.
    Absent,
}

/// What is under way within a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RestartStep {
    Announcing {
        number: u64,
        until: Moment,
    },
    Draining {
        until: Moment,
    },
    Svcdown(Run),
    /// What the last `svcup` left in its own process group must be gone before the next one.
    Emptying {
        svcup: RunId,
        told: Told,
        next: Moment,
    },
    /// The pause that keeps restarts from storming.
    Pausing {
        until: Moment,
    },
    Svcup(Run),
    Warmup(Run),
}

/// How far a group of old services was told to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Term,
    Kill,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Restart {
    step: RestartStep,
    /// Somebody asked for it: drain first, no pause.
    asked: bool,
    /// One more was asked for after the services had begun to start.
    again: Option<Cause>,
    /// The pause before `svcup`.
    pause: Duration,
}

/// What is under way within a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StopStep {
    /// The script that was running is being ended.
    Cutting(Run),
    Announcing {
        until: Moment,
    },
    Draining {
        until: Moment,
    },
    Svcdown(Run),
    Terminating {
        kill_at: Moment,
    },
    Killing {
        give_up_at: Moment,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stop {
    step: StopStep,
    /// The number of the transition that told of the stop.
    number: u64,
    /// 0 for STOPPED, 1 for ERROR.
    code: i32,
    /// Time between TERM and KILL; shorter once a second stop was asked for.
    grace: Duration,
    drain: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
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

/// Whether there are services to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Services {
    /// `svcup` was not begun, or `svcdown` has ended since.
    Down,
    /// `svcup` was begun by this run.
    Begun(RunId),
}

/// The life cycle of one container, from its start to its end.
#[derive(Debug, Clone)]
pub struct Machine {
    policy: Policy,
    backoff: Backoff,
    phase: Phase,
    state: Option<State>,
    since: Moment,
    transitions: u64,
    runs: u64,
    announced: u64,
    patience: Duration,
    initialised: bool,
    services: Services,
    been_up: bool,
    health: Health,
    healthy_since: Option<Moment>,
    restarts: u32,
    in_a_row: u32,
}

type Effects = Vec<Effect>;

impl Machine {
    /// A machine that has not started. `seed` decides the jitter of pauses.
    #[must_use]
    pub fn new(policy: Policy, seed: u64) -> Self {
        let backoff = Backoff::new(policy.backoff, policy.backoff_max, seed);
        Self {
            policy,
            backoff,
            phase: Phase::Created,
            state: None,
            since: Moment::default(),
            transitions: 0,
            runs: 0,
            announced: 0,
            patience: PATIENCE,
            initialised: false,
            services: Services::Down,
            been_up: false,
            health: Health::Unknown,
            healthy_since: None,
            restarts: 0,
            in_a_row: 0,
        }
    }

    /// The state the world was told last; none before the start.
    #[must_use]
    pub const fn state(&self) -> Option<State> {
        self.state
    }

    /// What the checks say.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// Restarts since the container started.
    #[must_use]
    pub const fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Restarts nobody asked for, since the container was last healthy for long.
    #[must_use]
    pub const fn restarts_in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Whether the machine has given out its `Exit`.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// When [`Self::handle_deadline`] is wanted even if nothing happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Created | Phase::Done | Phase::Up(Check::Absent) => None,
            Phase::Starting { step, .. } => match step {
                Step::Announcing { until, .. } => Some(*until),
                Step::Running(run) => run.deadline(),
                Step::Marking => None,
            },
            Phase::Up(Check::Due(at)) => Some(*at),
            Phase::Up(Check::Running(run)) => run.deadline(),
            Phase::Restarting(restart) => match &restart.step {
                RestartStep::Announcing { until, .. }
                | RestartStep::Draining { until }
                | RestartStep::Pausing { until } => Some(*until),
                RestartStep::Emptying { next, .. } => Some(*next),
                RestartStep::Svcdown(run) | RestartStep::Svcup(run) | RestartStep::Warmup(run) => {
                    run.deadline()
                }
            },
            Phase::Stopping(stop) => match &stop.step {
                StopStep::Cutting(run) | StopStep::Svcdown(run) => run.deadline(),
                StopStep::Announcing { until } | StopStep::Draining { until } => Some(*until),
                StopStep::Terminating { kill_at } => Some(*kill_at),
                StopStep::Killing { give_up_at } => Some(*give_up_at),
            },
        }
    }

    /// Takes one event in.
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Effect> {
        let mut out = Effects::new();
        match event {
            Event::Start { initialised } => self.on_start(initialised, now, &mut out),
            Event::Ended(id, outcome) => self.on_ended(id, outcome, now, &mut out),
            Event::Announced(number) => {
                self.announced = self.announced.max(number);
                self.on_announced(now, &mut out);
            }
            Event::Marked(result) => self.on_marked(result, now, &mut out),
            Event::GroupEmpty(id) => self.on_group_empty(id, now, &mut out),
            Event::AllGone => self.on_all_gone(&mut out),
            Event::Asked(Ask::Restart(cause)) => self.on_restart(cause, now, &mut out),
            Event::Asked(Ask::Stop(cause)) => self.on_stop(cause, now, &mut out),
            Event::Asked(Ask::Check) => self.on_check(now, &mut out),
        }
        out
    }

    /// Does what is due at `now`; nothing when nothing is.
    pub fn handle_deadline(&mut self, now: Moment) -> Vec<Effect> {
        let mut out = Effects::new();
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.on_deadline(now, &mut out);
        }
        out
    }

    /// The agent met a fault it cannot go on after: an orderly end with ERROR.
    pub fn fault(&mut self, reason: String, now: Moment) -> Vec<Effect> {
        let mut out = Effects::new();
        match self.phase {
            Phase::Stopping(_) | Phase::Done => {}
            Phase::Created | Phase::Starting { .. } | Phase::Up(_) | Phase::Restarting(_) => {
                self.fail(Cause::Fault(reason), now, &mut out);
            }
        }
        out
    }

    // ---- events -------------------------------------------------------------------------------

    fn on_start(&mut self, initialised: bool, now: Moment, out: &mut Effects) {
        match self.phase {
            Phase::Created => {
                self.initialised = initialised;
                self.since = now;
                self.enter_stage(Stage::Boot, Cause::Started, None, now, out);
            }
            Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done => {}
        }
    }

    fn on_ended(&mut self, id: RunId, outcome: Outcome, now: Moment, out: &mut Effects) {
        // A run nobody waits for any more (a check that a restart cut off) ends unheard.
        if self.current_run().is_none_or(|run| run.id != id) {
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting {
                stage,
                step: Step::Running(run),
                again,
            } => {
                self.stage_ended(stage, &run, outcome, again, now, out);
            }
            Phase::Up(Check::Running(run)) => {
                let outcome = run.outcome(outcome);
                self.check_ended(outcome, now, out);
            }
            Phase::Restarting(restart) => self.restart_ended(restart, outcome, now, out),
            Phase::Stopping(mut stop) => match stop.step {
                StopStep::Cutting(_) => self.stop_announced(stop, now, out),
                StopStep::Svcdown(run) => {
                    let outcome = run.outcome(outcome);
                    if !outcome.is_success() {
                        out.push(Effect::Tolerated(Hook::Svcdown, outcome));
                    }
                    self.services = Services::Down;
                    stop.step = self.terminate_all(stop.grace, now, out);
                    self.phase = Phase::Stopping(stop);
                }
                StopStep::Announcing { .. }
                | StopStep::Draining { .. }
                | StopStep::Terminating { .. }
                | StopStep::Killing { .. } => self.phase = Phase::Stopping(stop),
            },
            // `current_run` is some only in the arms above; the phase is put back as it was.
            phase @ (Phase::Created
            | Phase::Starting {
                step: Step::Announcing { .. } | Step::Marking,
                ..
            }
            | Phase::Up(Check::Due(_) | Check::Absent)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn on_announced(&mut self, now: Moment, out: &mut Effects) {
        let told = self.announced;
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting {
                stage,
                step: Step::Announcing { number, until },
                again,
            } if told >= number => {
                self.spend_patience(until, now);
                self.run_stage(stage, again, now, out);
            }
            Phase::Restarting(Restart {
                step: RestartStep::Announcing { number, until },
                asked,
                again,
                pause,
            }) if told >= number => {
                self.spend_patience(until, now);
                self.restart_told(asked, again, pause, now, out);
            }
            Phase::Stopping(stop)
                if matches!(stop.step, StopStep::Announcing { .. }) && told >= stop.number =>
            {
                self.stop_told(stop, now, out);
            }
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn on_marked(&mut self, result: Result<(), String>, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting {
                step: Step::Marking,
                again,
                ..
            } => match result {
                Ok(()) => {
                    self.initialised = true;
                    self.enter_stage(
                        Stage::Upgrade,
                        Cause::Finished(Hook::Firstboot),
                        again,
                        now,
                        out,
                    );
                }
                Err(reason) => self.fail(Cause::MarkFailed(reason), now, out),
            },
            // A stop came while the mark was being written: it stands, the stop goes on.
            phase @ (Phase::Created
            | Phase::Starting {
                step: Step::Announcing { .. } | Step::Running(_),
                ..
            }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn on_group_empty(&mut self, id: RunId, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Restarting(Restart {
                step: RestartStep::Emptying { svcup, .. },
                asked,
                again,
                pause,
            }) if svcup == id => self.restart_emptied(asked, again, pause, now, out),
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done) => self.phase = phase,
        }
    }

    fn on_all_gone(&mut self, out: &mut Effects) {
        match &self.phase {
            Phase::Stopping(Stop {
                step: StopStep::Terminating { .. } | StopStep::Killing { .. },
                code,
                ..
            }) => {
                out.push(Effect::Exit(*code));
                self.phase = Phase::Done;
            }
            Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)
            | Phase::Stopping(_)
            | Phase::Done => {}
        }
    }

    fn on_restart(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        match &mut self.phase {
            Phase::Starting {
                stage: Stage::Boot | Stage::Firstboot | Stage::Upgrade,
                ..
            } => {
                // The services have not been started yet: this very boot is what was asked for.
                out.push(Effect::Heard(Heard::Joined));
            }
            Phase::Starting {
                stage: Stage::Svcup | Stage::Warmup,
                again,
                ..
            } => {
                out.push(Effect::Heard(if again.is_some() {
                    Heard::Joined
                } else {
                    Heard::Queued
                }));
                again.get_or_insert(cause);
            }
            Phase::Up(_) => {
                out.push(Effect::Heard(Heard::Begun));
                self.begin_restart(cause, true, Duration::ZERO, now, out);
            }
            Phase::Restarting(restart) => match restart.step {
                RestartStep::Svcup(_) | RestartStep::Warmup(_) => {
                    let heard = if restart.again.is_some() {
                        Heard::Joined
                    } else {
                        Heard::Queued
                    };
                    out.push(Effect::Heard(heard));
                    restart.again.get_or_insert(cause);
                }
                RestartStep::Pausing { .. } => {
                    // Somebody wants it now: the pause is over.
                    out.push(Effect::Heard(Heard::Joined));
                    self.begin_svcup(None, now, out);
                }
                RestartStep::Announcing { .. }
                | RestartStep::Draining { .. }
                | RestartStep::Svcdown(_)
                | RestartStep::Emptying { .. } => {
                    restart.pause = Duration::ZERO;
                    out.push(Effect::Heard(Heard::Joined));
                }
            },
            Phase::Created => out.push(Effect::Heard(Heard::Refused("it has not started yet"))),
            Phase::Stopping(_) | Phase::Done => {
                out.push(Effect::Heard(Heard::Refused("it is stopping")));
            }
        }
    }

    fn on_check(&mut self, now: Moment, out: &mut Effects) {
        match &self.phase {
            Phase::Up(Check::Due(_)) => {
                out.push(Effect::Heard(Heard::Begun));
                let run = self.run(Hook::Monitor, now, out);
                self.phase = Phase::Up(Check::Running(run));
            }
            Phase::Up(Check::Running(_)) => out.push(Effect::Heard(Heard::Joined)),
            Phase::Up(Check::Absent) => {
                out.push(Effect::Heard(Heard::Refused("it has no monitor script")));
            }
            Phase::Created | Phase::Starting { .. } | Phase::Restarting(_) => {
                out.push(Effect::Heard(Heard::Refused("it is not UP")));
            }
            Phase::Stopping(_) | Phase::Done => {
                out.push(Effect::Heard(Heard::Refused("it is stopping")));
            }
        }
    }

    fn on_stop(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Stopping(stop) => {
                out.push(Effect::Heard(Heard::Joined));
                self.hurry(stop, now, out);
            }
            Phase::Done => {
                out.push(Effect::Heard(Heard::Refused("it is stopping")));
            }
            phase @ (Phase::Created
            | Phase::Starting { .. }
            | Phase::Up(_)
            | Phase::Restarting(_)) => {
                out.push(Effect::Heard(Heard::Begun));
                self.phase = phase;
                let drain = if self.been_up {
                    self.policy.drain
                } else {
                    Duration::ZERO
                };
                self.begin_stop(State::Stopped, cause, 0, drain, now, out);
            }
        }
    }

    fn on_deadline(&mut self, now: Moment, out: &mut Effects) {
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Starting { stage, step, again } => match step {
                Step::Announcing { until, .. } => {
                    self.spend_patience(until, now);
                    self.run_stage(stage, again, now, out);
                }
                Step::Running(mut run) => match self.overdue(&mut run, now, out) {
                    Overdue::Waiting => {
                        self.phase = Phase::Starting {
                            stage,
                            step: Step::Running(run),
                            again,
                        };
                    }
                    Overdue::Unkillable(outcome) => {
                        self.stage_ended(stage, &run, outcome, again, now, out);
                    }
                },
                Step::Marking => self.phase = Phase::Starting { stage, step, again },
            },
            Phase::Up(Check::Due(_)) => {
                let run = self.run(Hook::Monitor, now, out);
                self.phase = Phase::Up(Check::Running(run));
            }
            Phase::Up(Check::Running(mut run)) => match self.overdue(&mut run, now, out) {
                Overdue::Waiting => self.phase = Phase::Up(Check::Running(run)),
                Overdue::Unkillable(outcome) => self.check_ended(outcome, now, out),
            },
            Phase::Restarting(restart) => self.restart_deadline(restart, now, out),
            Phase::Stopping(stop) => self.stop_deadline(stop, now, out),
            phase @ (Phase::Created | Phase::Up(Check::Absent) | Phase::Done) => self.phase = phase,
        }
    }

    // ---- the way up ---------------------------------------------------------------------------

    fn enter_stage(
        &mut self,
        stage: Stage,
        cause: Cause,
        again: Option<Cause>,
        now: Moment,
        out: &mut Effects,
    ) {
        let told = match stage {
            Stage::Boot => State::Boot,
            Stage::Firstboot => State::Firstboot,
            Stage::Upgrade => State::Upgrading,
            Stage::Svcup => State::Warmup,
            // One state for two scripts: WARMUP was told before `svcup`.
            Stage::Warmup => return self.run_stage(stage, again, now, out),
        };
        let number = self.announce(told, cause, now, out);
        let until = now + self.patience;
        self.phase = Phase::Starting {
            stage,
            step: Step::Announcing { number, until },
            again,
        };
    }

    fn run_stage(&mut self, stage: Stage, again: Option<Cause>, now: Moment, out: &mut Effects) {
        let run = self.run(stage.hook(), now, out);
        if stage == Stage::Svcup {
            self.services = Services::Begun(run.id);
        }
        self.phase = Phase::Starting {
            stage,
            step: Step::Running(run),
            again,
        };
    }

    fn stage_ended(
        &mut self,
        stage: Stage,
        run: &Run,
        seen: Outcome,
        again: Option<Cause>,
        now: Moment,
        out: &mut Effects,
    ) {
        let hook = stage.hook();
        let outcome = run.outcome(seen);
        if !outcome.is_success() {
            if !self.policy.tolerated.contains(&hook) {
                return self.fail(Cause::Failed(hook, outcome), now, out);
            }
            out.push(Effect::Tolerated(hook, outcome));
        }
        let finished = Cause::Finished(hook);
        match stage {
            Stage::Boot if self.initialised => {
                self.enter_stage(Stage::Upgrade, finished, again, now, out);
            }
            Stage::Boot => self.enter_stage(Stage::Firstboot, finished, again, now, out),
            Stage::Firstboot => {
                out.push(Effect::Mark);
                self.phase = Phase::Starting {
                    stage,
                    step: Step::Marking,
                    again,
                };
            }
            Stage::Upgrade => self.enter_stage(Stage::Svcup, finished, again, now, out),
            Stage::Svcup => self.enter_stage(Stage::Warmup, finished, again, now, out),
            Stage::Warmup => self.enter_up(finished, again, now, out),
        }
    }

    fn enter_up(&mut self, cause: Cause, again: Option<Cause>, now: Moment, out: &mut Effects) {
        self.announce(State::Up, cause, now, out);
        self.been_up = true;
        self.healthy_since = Some(now);
        self.phase = Phase::Up(Check::Due(now + self.policy.monitor_interval));
        if let Some(cause) = again {
            self.begin_restart(cause, true, Duration::ZERO, now, out);
        }
    }

    // ---- checks -------------------------------------------------------------------------------

    fn check_ended(&mut self, outcome: Outcome, now: Moment, out: &mut Effects) {
        if outcome == Outcome::Missing {
            self.phase = Phase::Up(Check::Absent);
            return;
        }
        self.phase = Phase::Up(Check::Due(now + self.policy.monitor_interval));
        if outcome.is_success() {
            self.set_health(Health::Passing, out);
            let since = *self.healthy_since.get_or_insert(now);
            if now - since >= self.policy.restart_reset {
                self.in_a_row = 0;
                self.backoff.reset();
            }
            return;
        }
        let failures = match self.health {
            Health::Failing(failures) => failures.saturating_add(1),
            Health::Unknown | Health::Passing => 1,
        };
        self.healthy_since = None;
        self.set_health(Health::Failing(failures), out);
        if failures >= self.policy.monitor_failures {
            self.needs_restart(
                Cause::Watchdog {
                    failures,
                    last: outcome,
                },
                now,
                out,
            );
        }
    }

    fn set_health(&mut self, health: Health, out: &mut Effects) {
        if self.health != health {
            self.health = health;
            out.push(Effect::Health(health));
        }
    }

    // ---- restarts -----------------------------------------------------------------------------

    /// A restart nobody asked for: counted, paused before, given up in the end.
    fn needs_restart(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        let max = self.policy.restart_max;
        if max > 0 && self.in_a_row >= max {
            let restarts = self.in_a_row;
            return self.fail(
                Cause::GaveUp {
                    restarts,
                    last: Box::new(cause),
                },
                now,
                out,
            );
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let pause = self.backoff.pause();
        self.begin_restart(cause, false, pause, now, out);
    }

    fn begin_restart(
        &mut self,
        cause: Cause,
        asked: bool,
        pause: Duration,
        now: Moment,
        out: &mut Effects,
    ) {
        if let Some(run) = self.current_run() {
            // Only a check can be running here; its answer no longer matters.
            out.push(Effect::Kill(run.id));
        }
        self.restarts = self.restarts.saturating_add(1);
        self.patience = PATIENCE;
        let number = self.announce(State::Restarting, cause, now, out);
        let step = RestartStep::Announcing {
            number,
            until: now + self.patience,
        };
        self.phase = Phase::Restarting(Restart {
            step,
            asked,
            again: None,
            pause,
        });
    }

    fn restart_told(
        &mut self,
        asked: bool,
        again: Option<Cause>,
        pause: Duration,
        now: Moment,
        out: &mut Effects,
    ) {
        let step = if asked && self.been_up && self.policy.drain > Duration::ZERO {
            RestartStep::Draining {
                until: now + self.policy.drain,
            }
        } else {
            RestartStep::Svcdown(self.run(Hook::Svcdown, now, out))
        };
        self.phase = Phase::Restarting(Restart {
            step,
            asked,
            again,
            pause,
        });
    }

    fn restart_emptied(
        &mut self,
        asked: bool,
        again: Option<Cause>,
        pause: Duration,
        now: Moment,
        out: &mut Effects,
    ) {
        if pause.is_zero() {
            self.begin_svcup(again, now, out);
        } else {
            let step = RestartStep::Pausing { until: now + pause };
            self.phase = Phase::Restarting(Restart {
                step,
                asked,
                again,
                pause,
            });
        }
    }

    fn begin_svcup(&mut self, again: Option<Cause>, now: Moment, out: &mut Effects) {
        let run = self.run(Hook::Svcup, now, out);
        self.services = Services::Begun(run.id);
        // Counts start anew with the services.
        self.set_health(Health::Unknown, out);
        let step = RestartStep::Svcup(run);
        self.phase = Phase::Restarting(Restart {
            step,
            asked: true,
            again,
            pause: Duration::ZERO,
        });
    }

    fn restart_ended(&mut self, restart: Restart, seen: Outcome, now: Moment, out: &mut Effects) {
        let Restart {
            step,
            asked,
            again,
            pause,
        } = restart;
        match step {
            RestartStep::Svcdown(run) => {
                let outcome = run.outcome(seen);
                if !outcome.is_success() {
                    out.push(Effect::Tolerated(Hook::Svcdown, outcome));
                }
                match std::mem::replace(&mut self.services, Services::Down) {
                    Services::Begun(svcup) => {
                        out.push(Effect::WatchGroup(svcup));
                        let next = now + self.policy.stop_grace;
                        let step = RestartStep::Emptying {
                            svcup,
                            told: Told::Nothing,
                            next,
                        };
                        self.phase = Phase::Restarting(Restart {
                            step,
                            asked,
                            again,
                            pause,
                        });
                    }
                    Services::Down => self.restart_emptied(asked, again, pause, now, out),
                }
            }
            RestartStep::Svcup(run) => {
                let outcome = run.outcome(seen);
                if !outcome.is_success() {
                    if !self.policy.tolerated.contains(&Hook::Svcup) {
                        return self.needs_restart(Cause::Failed(Hook::Svcup, outcome), now, out);
                    }
                    out.push(Effect::Tolerated(Hook::Svcup, outcome));
                }
                if self.policy.restart_warmup {
                    let step = RestartStep::Warmup(self.run(Hook::Warmup, now, out));
                    self.phase = Phase::Restarting(Restart {
                        step,
                        asked,
                        again,
                        pause,
                    });
                } else {
                    self.enter_up(Cause::Restarted, again, now, out);
                }
            }
            RestartStep::Warmup(run) => {
                let outcome = run.outcome(seen);
                if !outcome.is_success() {
                    if !self.policy.tolerated.contains(&Hook::Warmup) {
                        return self.needs_restart(Cause::Failed(Hook::Warmup, outcome), now, out);
                    }
                    out.push(Effect::Tolerated(Hook::Warmup, outcome));
                }
                self.enter_up(Cause::Restarted, again, now, out);
            }
            // No script runs in these steps, so none can have ended.
            RestartStep::Announcing { .. }
            | RestartStep::Draining { .. }
            | RestartStep::Emptying { .. }
            | RestartStep::Pausing { .. } => {
                self.phase = Phase::Restarting(Restart {
                    step,
                    asked,
                    again,
                    pause,
                });
            }
        }
    }

    fn restart_deadline(&mut self, restart: Restart, now: Moment, out: &mut Effects) {
        let Restart {
            step,
            asked,
            again,
            pause,
        } = restart;
        let step = match step {
            RestartStep::Announcing { until, .. } => {
                self.spend_patience(until, now);
                return self.restart_told(asked, again, pause, now, out);
            }
            RestartStep::Draining { .. } => RestartStep::Svcdown(self.run(Hook::Svcdown, now, out)),
            RestartStep::Emptying { svcup, told, .. } => match told {
                Told::Nothing => {
                    out.push(Effect::Terminate(svcup));
                    let next = now + self.policy.stop_grace;
                    RestartStep::Emptying {
                        svcup,
                        told: Told::Term,
                        next,
                    }
                }
                Told::Term => {
                    out.push(Effect::Kill(svcup));
                    RestartStep::Emptying {
                        svcup,
                        told: Told::Kill,
                        next: now + GIVE_UP,
                    }
                }
                Told::Kill => return self.restart_emptied(asked, again, pause, now, out),
            },
            RestartStep::Pausing { .. } => return self.begin_svcup(again, now, out),
            RestartStep::Svcdown(mut run) => match self.overdue(&mut run, now, out) {
                Overdue::Waiting => RestartStep::Svcdown(run),
                Overdue::Unkillable(outcome) => {
                    let step = RestartStep::Svcdown(run);
                    let restart = Restart {
                        step,
                        asked,
                        again,
                        pause,
                    };
                    return self.restart_ended(restart, outcome, now, out);
                }
            },
            RestartStep::Svcup(mut run) => match self.overdue(&mut run, now, out) {
                Overdue::Waiting => RestartStep::Svcup(run),
                Overdue::Unkillable(outcome) => {
                    let step = RestartStep::Svcup(run);
                    let restart = Restart {
                        step,
                        asked,
                        again,
                        pause,
                    };
                    return self.restart_ended(restart, outcome, now, out);
                }
            },
            RestartStep::Warmup(mut run) => match self.overdue(&mut run, now, out) {
                Overdue::Waiting => RestartStep::Warmup(run),
                Overdue::Unkillable(outcome) => {
                    let step = RestartStep::Warmup(run);
                    let restart = Restart {
                        step,
                        asked,
                        again,
                        pause,
                    };
                    return self.restart_ended(restart, outcome, now, out);
                }
            },
        };
        self.phase = Phase::Restarting(Restart {
            step,
            asked,
            again,
            pause,
        });
    }

    // ---- the way down -------------------------------------------------------------------------

    /// ERROR: an orderly end of what was started, then exit 1.
    fn fail(&mut self, cause: Cause, now: Moment, out: &mut Effects) {
        self.begin_stop(State::Error, cause, 1, Duration::ZERO, now, out);
    }

    fn begin_stop(
        &mut self,
        state: State,
        cause: Cause,
        code: i32,
        drain: Duration,
        now: Moment,
        out: &mut Effects,
    ) {
        let phase = std::mem::replace(&mut self.phase, Phase::Done);
        let grace = self.policy.stop_grace;
        self.patience = PATIENCE;
        let number = self.announce(state, cause, now, out);
        let step = match phase {
            Phase::Starting {
                step: Step::Running(mut run),
                ..
            } => {
                self.cut(&mut run, grace, now, out);
                StopStep::Cutting(run)
            }
            Phase::Restarting(Restart { step, .. }) => match step {
                // It is being stopped already; let that end, and do not do it twice.
                RestartStep::Svcdown(run) => StopStep::Svcdown(run),
                RestartStep::Svcup(mut run) | RestartStep::Warmup(mut run) => {
                    self.cut(&mut run, grace, now, out);
                    StopStep::Cutting(run)
                }
                RestartStep::Announcing { .. }
                | RestartStep::Draining { .. }
                | RestartStep::Emptying { .. }
                | RestartStep::Pausing { .. } => StopStep::Announcing {
                    until: now + self.patience,
                },
            },
            Phase::Up(Check::Running(run)) => {
                out.push(Effect::Kill(run.id));
                StopStep::Announcing {
                    until: now + self.patience,
                }
            }
            Phase::Created
            | Phase::Starting {
                step: Step::Announcing { .. } | Step::Marking,
                ..
            }
            | Phase::Up(Check::Due(_) | Check::Absent)
            | Phase::Stopping(_)
            | Phase::Done => StopStep::Announcing {
                until: now + self.patience,
            },
        };
        self.phase = Phase::Stopping(Stop {
            step,
            number,
            code,
            grace,
            drain,
        });
    }

    /// The script in the way is gone: wait for the world to have been told, if it has not.
    fn stop_announced(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        if self.announced >= stop.number {
            self.stop_told(stop, now, out);
        } else {
            stop.step = StopStep::Announcing {
                until: now + self.patience,
            };
            self.phase = Phase::Stopping(stop);
        }
    }

    fn stop_told(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        stop.step = match self.services {
            Services::Begun(_) if stop.drain > Duration::ZERO => StopStep::Draining {
                until: now + stop.drain,
            },
            Services::Begun(_) => StopStep::Svcdown(self.run(Hook::Svcdown, now, out)),
            Services::Down => self.terminate_all(stop.grace, now, out),
        };
        self.phase = Phase::Stopping(stop);
    }

    #[expect(
        clippy::unused_self,
        reason = "reads like its siblings, which all need the machine"
    )]
    fn terminate_all(&self, grace: Duration, now: Moment, out: &mut Effects) -> StopStep {
        out.push(Effect::TerminateAll);
        StopStep::Terminating {
            kill_at: now + grace,
        }
    }

    fn stop_deadline(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        match stop.step {
            StopStep::Cutting(ref mut run) => match self.overdue(run, now, out) {
                Overdue::Waiting => self.phase = Phase::Stopping(stop),
                Overdue::Unkillable(_) => self.stop_announced(stop, now, out),
            },
            StopStep::Announcing { .. } => self.stop_told(stop, now, out),
            StopStep::Draining { .. } => {
                stop.step = StopStep::Svcdown(self.run(Hook::Svcdown, now, out));
                self.phase = Phase::Stopping(stop);
            }
            StopStep::Svcdown(ref mut run) => match self.overdue(run, now, out) {
                Overdue::Waiting => self.phase = Phase::Stopping(stop),
                Overdue::Unkillable(outcome) => {
                    out.push(Effect::Tolerated(Hook::Svcdown, outcome));
                    self.services = Services::Down;
                    stop.step = self.terminate_all(stop.grace, now, out);
                    self.phase = Phase::Stopping(stop);
                }
            },
            StopStep::Terminating { .. } => {
                out.push(Effect::KillAll);
                stop.step = StopStep::Killing {
                    give_up_at: now + GIVE_UP,
                };
                self.phase = Phase::Stopping(stop);
            }
            StopStep::Killing { .. } => out.push(Effect::Exit(stop.code)),
        }
    }

    /// A second stop: nothing is waited for that need not be. `svcdown` keeps its time, a database
    /// that is cut short loses data.
    fn hurry(&mut self, mut stop: Stop, now: Moment, out: &mut Effects) {
        stop.grace = stop.grace.min(HURRY);
        stop.drain = Duration::ZERO;
        match &mut stop.step {
            StopStep::Announcing { .. } | StopStep::Draining { .. } => {
                return self.stop_told(stop, now, out);
            }
            StopStep::Cutting(Run {
                cut: Cut::Terminated { kill_at, .. },
                ..
            })
            | StopStep::Terminating { kill_at } => *kill_at = (*kill_at).min(now + HURRY),
            StopStep::Cutting(Run {
                cut: Cut::None { .. } | Cut::Killed { .. },
                ..
            })
            | StopStep::Svcdown(_)
            | StopStep::Killing { .. } => {}
        }
        self.phase = Phase::Stopping(stop);
    }

    // ---- what all of them use -----------------------------------------------------------------

    fn announce(&mut self, state: State, cause: Cause, now: Moment, out: &mut Effects) -> u64 {
        self.transitions += 1;
        let transition = Transition {
            number: self.transitions,
            from: self.state,
            state,
            cause,
            lasted: now - self.since,
        };
        self.state = Some(state);
        self.since = now;
        out.push(Effect::Announce(transition));
        self.transitions
    }

    fn run(&mut self, hook: Hook, now: Moment, out: &mut Effects) -> Run {
        self.runs += 1;
        let id = RunId(self.runs);
        out.push(Effect::Run(id, hook));
        let at = self.policy.timeout(hook).map(|limit| (now + limit, limit));
        Run {
            id,
            hook,
            cut: Cut::None { at },
        }
    }

    /// Asks a running script to end because something else comes first.
    #[expect(
        clippy::unused_self,
        reason = "reads like its siblings, which all need the machine"
    )]
    fn cut(&self, run: &mut Run, grace: Duration, now: Moment, out: &mut Effects) {
        // One that was told already is not told twice.
        if let Cut::None { .. } = run.cut {
            out.push(Effect::Terminate(run.id));
            run.cut = Cut::Terminated {
                kill_at: now + grace,
                limit: None,
            };
        }
    }

    /// The next step with a script whose deadline has passed.
    fn overdue(&self, run: &mut Run, now: Moment, out: &mut Effects) -> Overdue {
        run.cut = match run.cut {
            // A check changes nothing that would need an orderly end.
            Cut::None {
                at: Some((_, limit)),
            } if run.hook == Hook::Monitor => {
                out.push(Effect::Kill(run.id));
                Cut::Killed {
                    give_up_at: now + GIVE_UP,
                    limit: Some(limit),
                }
            }
            Cut::None {
                at: Some((_, limit)),
            } => {
                out.push(Effect::Terminate(run.id));
                Cut::Terminated {
                    kill_at: now + self.policy.stop_grace,
                    limit: Some(limit),
                }
            }
            Cut::None { at: None } => return Overdue::Waiting,
            Cut::Terminated { limit, .. } => {
                out.push(Effect::Kill(run.id));
                Cut::Killed {
                    give_up_at: now + GIVE_UP,
                    limit,
                }
            }
            Cut::Killed { .. } => {
                return Overdue::Unkillable(Outcome::Signalled {
                    name: "SIGKILL".into(),
                    number: 9,
                    out_of_memory: false,
                });
            }
        };
        Overdue::Waiting
    }

    fn spend_patience(&mut self, until: Moment, now: Moment) {
        self.patience = until - now;
    }

    const fn current_run(&self) -> Option<&Run> {
        match &self.phase {
            Phase::Starting {
                step: Step::Running(run),
                ..
            }
            | Phase::Up(Check::Running(run))
            | Phase::Restarting(Restart {
                step: RestartStep::Svcdown(run) | RestartStep::Svcup(run) | RestartStep::Warmup(run),
                ..
            })
            | Phase::Stopping(Stop {
                step: StopStep::Cutting(run) | StopStep::Svcdown(run),
                ..
            }) => Some(run),
            Phase::Created
            | Phase::Starting {
                step: Step::Announcing { .. } | Step::Marking,
                ..
            }
            | Phase::Up(Check::Due(_) | Check::Absent)
            | Phase::Restarting(Restart {
                step:
                    RestartStep::Announcing { .. }
                    | RestartStep::Draining { .. }
                    | RestartStep::Emptying { .. }
                    | RestartStep::Pausing { .. },
                ..
            })
            | Phase::Stopping(Stop {
                step:
                    StopStep::Announcing { .. }
                    | StopStep::Draining { .. }
                    | StopStep::Terminating { .. }
                    | StopStep::Killing { .. },
                ..
            })
            | Phase::Done => None,
        }
    }
}
