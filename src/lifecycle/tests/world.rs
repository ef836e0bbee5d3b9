//! A world for the machine: performs its effects, keeps the time, writes down what happened.

use std::time::Duration;

use crate::lifecycle::{Ask, Cause, Effect, Event, Hook, Machine, Moment, Outcome, Policy, RunId};

/// A script that is running in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) id: RunId,
    pub(super) hook: Hook,
}

/// What the world has seen, one word an effect: `BOOT`, `+boot`, `TERM boot`, `mark`, `exit 0`.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) now: Moment,
    pub(super) running: Vec<Running>,
    pub(super) hooks: Vec<(RunId, Hook)>,
    pub(super) log: Vec<String>,
    pub(super) exit: Option<i32>,
    /// Announcements are answered at once, as by an agent without a `lifecycle` script.
    pub(super) prompt: bool,
    untold: Vec<u64>,
}

impl World {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            machine: Machine::new(policy, 7),
            now: Moment::at(Duration::from_secs(1000)),
            running: Vec::new(),
            hooks: Vec::new(),
            log: Vec::new(),
            exit: None,
            prompt: true,
            untold: Vec::new(),
        }
    }

    /// A world that has come up: everything until the first UP is off the log.
    pub(super) fn up(policy: Policy) -> Self {
        let mut world = Self::new(policy);
        world.event(Event::Start { initialised: true });
        for _ in [Hook::Boot, Hook::Upgrade, Hook::Svcup, Hook::Warmup] {
            world.ends(Outcome::Exited(0));
        }
        assert_eq!(
            world.log.last().map(String::as_str),
            Some("UP: warmup finished")
        );
        world.log.clear();
        world
    }

    pub(super) fn event(&mut self, event: Event) {
        let effects = self.machine.handle(event, self.now);
        self.perform(effects);
    }

    pub(super) fn restart(&mut self, by: &str) {
        self.event(Event::Asked(Ask::Restart(Cause::Operator(by.into()))));
    }

    pub(super) fn stop(&mut self) {
        self.event(Event::Asked(Ask::Stop(Cause::Signal("SIGTERM"))));
    }

    /// The script that was started last ends like this.
    pub(super) fn ends(&mut self, outcome: Outcome) {
        let running = self.running.pop().expect("a script is running");
        self.log.push(format!("-{}", running.hook));
        self.event(Event::Ended(running.id, outcome));
    }

    /// No process is left of the groups of the last `svcdown` and of the `svcup` before it.
    pub(super) fn group_empties(&mut self) {
        for wanted in [Hook::Svcdown, Hook::Svcup] {
            let last = self.hooks.iter().rev().find(|(_, hook)| *hook == wanted);
            let (id, _) = last.copied().expect("svcdown and svcup were run");
            self.event(Event::GroupEmpty(id));
        }
    }

    /// The world has been told everything.
    pub(super) fn told(&mut self) {
        for number in std::mem::take(&mut self.untold) {
            self.event(Event::Announced(number));
        }
    }

    /// Time passes up to the machine's next deadline, which is at most `limit` away.
    pub(super) fn deadline_within(&mut self, limit: Duration) {
        let deadline = self.machine.next_deadline().expect("a deadline");
        assert!(
            deadline <= self.now + limit,
            "the deadline is {:?} away",
            deadline - self.now
        );
        assert!(
            self.machine
                .clone()
                .handle_deadline(just_before(deadline))
                .is_empty()
        );
        self.now = self.now.max(deadline);
        let effects = self.machine.handle_deadline(self.now);
        self.perform(effects);
    }

    pub(super) fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub(super) fn perform(&mut self, effects: Vec<Effect>) {
        let mut answers = Vec::new();
        for effect in effects {
            match effect {
                Effect::Announce(transition) => {
                    self.log
                        .push(format!("{}: {}", transition.state, transition.cause));
                    if self.prompt {
                        answers.push(Event::Announced(transition.number));
                    } else {
                        self.untold.push(transition.number);
                    }
                }
                Effect::Run(id, hook) => {
                    self.log.push(format!("+{hook}"));
                    self.running.push(Running { id, hook });
                    self.hooks.push((id, hook));
                }
                Effect::Terminate(id) => self.log.push(format!("TERM {}", self.hook(id))),
                Effect::Kill(id) => self.log.push(format!("KILL {}", self.hook(id))),
                Effect::WatchGroup(id) => self.log.push(format!("watch {}", self.hook(id))),
                Effect::Mark => self.log.push("mark".into()),
                Effect::TerminateAll => self.log.push("TERM all".into()),
                Effect::KillAll => self.log.push("KILL all".into()),
                Effect::Health(health) => self.log.push(health.to_string()),
                Effect::Tolerated(hook, outcome) => {
                    self.log.push(format!("tolerated {hook} {outcome}"));
                }
                Effect::Heard(heard) => self.log.push(format!("{heard:?}")),
                Effect::Exit(code) => {
                    assert_eq!(self.exit, None, "a second exit");
                    self.exit = Some(code);
                    self.log.push(format!("exit {code}"));
                }
            }
        }
        // As the agent does: what an effect leads to is taken in when all are performed.
        for answer in answers {
            self.event(answer);
        }
    }

    fn hook(&self, id: RunId) -> Hook {
        self.hooks
            .iter()
            .find(|(run, _)| *run == id)
            .expect("a run that was begun")
            .1
    }
}

fn just_before(deadline: Moment) -> Moment {
    Moment::at((deadline - Moment::default()).saturating_sub(Duration::from_nanos(1)))
}
