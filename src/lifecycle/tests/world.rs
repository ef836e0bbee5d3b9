//! A world for the machine: performs its effects, keeps the time, writes down what happened.

use std::time::Duration;

use crate::lifecycle::{
    Ask, Cause, Effect, Event, Hook, Lease, Machine, Moment, Outcome, Policy, RunId, ServiceNotice,
    StopStage,
};

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
    /// The services there are; told when `svcup` is run.
    pub(super) services: Vec<String>,
    /// Services that run, and all that ever did.
    pub(super) attended: Vec<(RunId, String)>,
    pub(super) begun: Vec<(RunId, String)>,
    /// The log also has the time, and what the world did by itself.
    pub(super) detailed: bool,
    /// Whether their processes can be made.
    pub(super) startable: bool,
    /// The stages of the stop.
    pub(super) stages: Vec<StopStage>,
    /// When each of them began, and how long it was to take at most.
    pub(super) limits: Vec<(Moment, Option<Duration>)>,
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
            services: Vec::new(),
            attended: Vec::new(),
            begun: Vec::new(),
            detailed: false,
            startable: true,
            stages: Vec::new(),
            limits: Vec::new(),
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

    pub(super) fn quiesce(&mut self, by: &str, most: Duration) {
        let by = by.into();
        self.event(Event::Asked(Ask::Quiesce { by, most }));
    }

    pub(super) fn resume(&mut self) {
        self.event(Event::Asked(Ask::Resume));
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

    /// A line for who reads more than what the machine does.
    pub(super) fn detail(&mut self, line: impl FnOnce() -> String) {
        if self.detailed {
            self.log.push(line());
        }
    }

    /// Whether this is the last run of its service.
    pub(super) fn is_last(&self, id: RunId) -> bool {
        let name = |run| self.begun.iter().find(|(one, _)| *one == run);
        name(id).is_some_and(|(_, name)| {
            let last = self.begun.iter().rev().find(|(_, one)| one == name);
            last.is_some_and(|(last, _)| *last == id)
        })
    }

    /// The process of this run exists.
    pub(super) fn begins(&mut self, id: RunId) {
        let name = self.hook(id);
        if self.is_last(id) {
            self.detail(|| format!("began {name}"));
        }
        self.event(Event::Began(id));
    }

    /// This service, which runs, ends like this.
    pub(super) fn service_ends(&mut self, name: &str, outcome: Outcome) {
        let at = self.attended.iter().position(|(_, one)| one == name);
        let (id, _) = self.attended.remove(at.expect("the service runs"));
        self.log.push(format!("-{name}"));
        self.event(Event::Ended(id, outcome));
    }

    /// Nothing is left of the group of the last run of this service.
    pub(super) fn service_empties(&mut self, name: &str) {
        let last = self.begun.iter().rev().find(|(_, one)| one == name);
        let id = last.expect("it was begun").0;
        self.event(Event::GroupEmpty(id));
    }

    /// The service that runs under this name says something.
    pub(super) fn says(&mut self, name: &str, notice: ServiceNotice) {
        let last = self.begun.iter().rev().find(|(_, one)| one == name);
        let id = last.expect("it was begun").0;
        self.event(Event::Noticed(id, notice));
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
                    if hook == Hook::Svcup {
                        self.machine.know_services(&self.services);
                        let names: Vec<_> = self.machine.services().map(|one| one.name).collect();
                        self.detail(|| format!("know {}", names.join(" ")));
                    }
                    self.log.push(format!("+{hook}"));
                    self.running.push(Running { id, hook });
                    self.hooks.push((id, hook));
                }
                Effect::RunService(id, name) => {
                    self.log.push(format!("+{name}"));
                    self.attended.push((id, name.clone()));
                    if self.startable {
                        answers.push(Event::Began(id));
                    }
                    self.begun.push((id, name));
                }
                Effect::Service(_) => {}
                Effect::Stage(stage, limit) => {
                    self.stages.push(stage);
                    self.limits.push((self.now, limit));
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
                Effect::Lease(Lease::Held) => self.log.push("held".into()),
                Effect::Lease(Lease::Ended(why)) => self.log.push(format!("lease {why:?}")),
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
            if let Event::Began(id) = answer {
                self.begins(id);
            } else {
                self.event(answer);
            }
        }
    }

    fn hook(&self, id: RunId) -> String {
        let hook = self.hooks.iter().find(|(run, _)| *run == id);
        let service = || self.begun.iter().find(|(run, _)| *run == id);
        hook.map(|(_, hook)| hook.to_string())
            .or_else(|| service().map(|(_, name)| name.clone()))
            .expect("a run that was begun")
    }
}

fn just_before(deadline: Moment) -> Moment {
    Moment::at((deadline - Moment::default()).saturating_sub(Duration::from_nanos(1)))
}
