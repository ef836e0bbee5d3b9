//! What must hold of the services in any log, from one `svcup` to the next.

use crate::lifecycle::{MAIN_SERVICE, Policy, ServiceRules};

/// How long after KILL one is given up, in milliseconds.
const GIVE_UP: u64 = 3000;

/// How often what is promised was put to the test.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a list of things that were reached or not"
)]
pub(super) struct Reach {
    /// Services were up when the container was.
    pub(super) up: bool,
    /// One of them was started again alone.
    pub(super) alone: bool,
    /// One failed once too often.
    pub(super) exhausted: bool,
    /// One was not even ended by KILL, or its group was not.
    pub(super) given_up: bool,
    /// Two or more were ended one after the other.
    pub(super) reversed: bool,
    /// The container was there for one command, which has ended.
    pub(super) command: bool,
    /// The same, and something else was why the container ended with an error.
    pub(super) overruled: bool,
}

impl Reach {
    /// What each is called, and how many lives there may be for one that reaches it.
    pub(super) const LEAST: [(&'static str, u64); 7] = [
        ("up with services", 10),
        ("one started again alone", 20),
        ("one failed too often", 100),
        ("one given up", 20),
        ("several stopped", 50),
        ("the one command ended", 50),
        ("an error of another than the one command", 500),
    ];

    /// In the order of the names.
    pub(super) fn all(self) -> [bool; 7] {
        [
            self.up,
            self.alone,
            self.exhausted,
            self.given_up,
            self.reversed,
            self.command,
            self.overruled,
        ]
    }

    /// The counts, with their names.
    pub(super) fn list(counts: [u64; 7]) -> String {
        let named = Self::LEAST.into_iter().zip(counts);
        let named: Vec<_> = named
            .map(|((name, _), count)| format!("{name} {count}"))
            .collect();
        named.join(", ")
    }
}

/// One service of this round.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that the log has said of it"
)]
struct One<'a> {
    name: &'a str,
    rules: ServiceRules,
    started: bool,
    started_at: u64,
    runs: bool,
    /// Up now, since then.
    up: Option<u64>,
    been_up: bool,
    /// There was nothing to run.
    absent: bool,
    /// There was something that cannot be run.
    hopeless: bool,
    /// Something of its group may be left.
    left: bool,
    watched_at: u64,
    /// When it was first asked to end, since it was started.
    told_at: Option<u64>,
    killed_at: Option<u64>,
    gone_at: u64,
    /// It may have been told to end for a failure of its own.
    excused: bool,
    /// Restarts in a row of it alone.
    row: u32,
}

impl One<'_> {
    fn is_given_up(&self, now: u64) -> bool {
        self.killed_at.is_some_and(|at| now >= at + GIVE_UP)
    }

    fn is_gone(&self, now: u64) -> bool {
        !self.runs && (!self.left || self.is_given_up(now))
    }
}

/// What the rest of the log says about when a service may be started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// `svcup` has ended well, and no `svcdown` has begun since.
    pub(super) open: bool,
    /// A stop or a restart was told.
    pub(super) held: bool,
}

/// The services of the round that is under way.
#[derive(Debug)]
pub(super) struct Rounds<'a> {
    policy: &'a Policy,
    list: Vec<One<'a>>,
    now: u64,
    /// How the one command has ended in this round; more than one where the log leaves it open.
    codes: Vec<i32>,
    end: Option<(&'a str, &'a str)>,
    pub(super) reach: Reach,
}

fn must(holds: bool, broken: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken.into()) }
}

impl<'a> Rounds<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            list: Vec::new(),
            now: 0,
            codes: Vec::new(),
            end: None,
            reach: Reach::default(),
        }
    }

    fn at(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|one| one.name == name)
    }

    /// Whether this is the name of a service.
    pub(super) fn has(&self, name: &str) -> bool {
        self.at(name).is_some()
    }

    /// Every `svcup` is told which services there are.
    pub(super) fn know(&mut self, names: &'a str) {
        let one = |name| One {
            name,
            rules: self.policy.services.get(name).cloned().unwrap_or_default(),
            started: false,
            started_at: 0,
            runs: false,
            up: None,
            been_up: false,
            absent: false,
            hopeless: false,
            left: false,
            watched_at: 0,
            told_at: None,
            killed_at: None,
            gone_at: 0,
            excused: false,
            row: 0,
        };
        self.list = names.split_whitespace().map(one).collect();
    }

    pub(super) fn time(&mut self, millis: &str) {
        self.now = millis.parse().unwrap();
    }

    pub(super) fn started(&mut self, name: &str, around: Around) -> Result<(), String> {
        must(around.open, "a service beside svcup or svcdown")?;
        must(!around.held, "a service started while all are stopped")?;
        let Some(at) = self.at(name) else {
            return Err("a service nobody knows".into());
        };
        let (before, rest) = self.list.split_at_mut(at);
        let one = &mut rest[0];
        must(!one.runs, "two of one service at once")?;
        must(
            one.is_gone(self.now),
            "a service beside what is left of the last one",
        )?;
        if one.started {
            must(
                !one.hopeless && !one.absent,
                "one that cannot be started tried again",
            )?;
            must(
                self.now >= one.gone_at + 750,
                "a service started again without a pause",
            )?;
            one.row += 1;
            let max = one.rules.restart_max.unwrap_or(self.policy.restart_max);
            must(max == 0 || one.row <= max, "a restart of one too many")?;
            self.reach.alone = true;
        } else {
            let ready = before
                .last()
                .is_none_or(|last| last.been_up && (last.absent || last.runs && last.up.is_some()));
            must(ready, "a service before the one before it was up")?;
        }
        if one.name == MAIN_SERVICE && !one.started {
            self.codes = vec![0];
        }
        (one.started, one.runs, one.up) = (true, true, None);
        (one.left, one.killed_at, one.excused) = (false, None, false);
        one.started_at = self.now;
        one.told_at = None;
        Ok(())
    }

    /// `kind` is `began` or `ready`.
    pub(super) fn said(&mut self, kind: &str, name: &str) {
        let now = self.now;
        if let Some(at) = self.at(name) {
            let one = &mut self.list[at];
            // One that was told to end does not come up any more.
            let told = one.excused || one.killed_at.is_some();
            if one.runs && (kind == "ready" || !one.rules.notify) && !told {
                one.up.get_or_insert(now);
                one.been_up = true;
            }
        }
    }

    /// It has said that it failed.
    pub(super) fn triggered(&mut self, name: &str) {
        if let Some(at) = self.at(name) {
            self.list[at].excused |= self.list[at].up.is_some();
        }
    }

    pub(super) fn ended(&mut self, name: &str, how: &str) {
        let (now, reset) = (self.now, self.policy.restart_reset.as_millis());
        let Some(at) = self.at(name) else { return };
        let one = &mut self.list[at];
        if !one.runs {
            return;
        }
        let long = |since| u128::from(now - since) >= reset;
        if one.up.is_some_and(long) {
            one.row = 0;
        }
        let nothing = how == "missing" && one.up.is_none() && !one.excused;
        (one.runs, one.up, one.left) = (false, None, !nothing);
        one.killed_at = None;
        if nothing {
            (one.absent, one.been_up) = (true, true);
        }
        one.hopeless = how == "cannot";
        if one.name == MAIN_SERVICE {
            let code = match how {
                "cannot" => 127,
                "missing" => 0,
                code => code.parse().unwrap(),
            };
            // One that was ended for its own silence has not ended as the command it is.
            if one.excused {
                self.codes.push(code);
            } else {
                self.codes = vec![code];
            }
            self.reach.command = true;
        }
    }

    pub(super) fn terminated(&mut self, name: &str, around: Around) -> Result<(), String> {
        let Some(at) = self.at(name) else {
            return Ok(());
        };
        let (before, rest) = self.list.split_at_mut(at + 1);
        let one = &mut before[at];
        one.told_at.get_or_insert(self.now);
        if !one.runs {
            return Ok(());
        }
        let ready_by = u128::from(one.started_at) + one.rules.ready_timeout.as_millis();
        let may_fail = one.up.is_none() && u128::from(self.now) >= ready_by
            || one.rules.watchdog.is_some() && one.up.is_some();
        if may_fail || one.excused {
            one.excused = true;
            return Ok(());
        }
        must(around.held, "a service ended that did nothing wrong")?;
        let (now, grace) = (self.now, self.policy.stop_grace.as_millis());
        // One that does not hear costs the others no more than the grace.
        let has_had_its_turn = |later: &One<'_>| {
            let told = later.told_at.unwrap_or(now);
            later.is_gone(now) || u128::from(now - told) >= grace
        };
        must(
            rest.iter().all(has_had_its_turn),
            "a service ended before the one after it",
        )?;
        self.reach.reversed |= rest.iter().any(|later| later.started);
        one.excused = false;
        Ok(())
    }

    pub(super) fn killed(&mut self, name: &str) -> Result<(), String> {
        let (now, grace) = (self.now, self.policy.stop_grace.as_millis());
        if let Some(at) = self.at(name) {
            let one = &mut self.list[at];
            must(
                one.runs || u128::from(now - one.watched_at) >= grace,
                "a group killed before its grace was over",
            )?;
            one.killed_at = Some(now);
        }
        Ok(())
    }

    pub(super) fn watched(&mut self, name: &str) -> Result<(), String> {
        let now = self.now;
        if let Some(at) = self.at(name) {
            let one = &mut self.list[at];
            if one.runs {
                must(one.is_given_up(now), "a service given up too early")?;
                (one.runs, one.up, one.left) = (false, None, true);
                self.reach.given_up = true;
                if one.name == MAIN_SERVICE {
                    self.codes.push(137);
                }
            }
            (one.killed_at, one.watched_at, one.gone_at) = (None, now, now);
        }
        Ok(())
    }

    pub(super) fn emptied(&mut self, name: &str) {
        let now = self.now;
        if let Some(at) = self.at(name) {
            let one = &mut self.list[at];
            if one.left {
                let given_up = one.killed_at.map_or(now, |at| at + GIVE_UP);
                (one.left, one.gone_at) = (false, now.min(given_up));
            }
        }
    }

    /// `warmup` and UP come when all have been up.
    pub(super) fn all_up(&self) -> Result<(), String> {
        must(
            self.list.iter().all(|one| one.been_up),
            "on before all services were up",
        )
    }

    pub(super) fn up(&mut self) -> Result<(), String> {
        self.reach.up |= self.list.iter().any(|one| one.up.is_some());
        self.all_up()
    }

    /// `svcdown` comes when all are gone.
    pub(super) fn all_down(&mut self) -> Result<(), String> {
        let now = self.now;
        self.reach.given_up |= self.list.iter().any(|one| one.left);
        must(
            self.list.iter().all(|one| one.is_gone(now)),
            "svcdown beside a service",
        )
    }

    /// The container's state is this for that cause.
    pub(super) fn told(&mut self, state: &'a str, cause: &'a str) -> Result<(), String> {
        if matches!(state, "STOPPED:" | "ERROR:") {
            self.end = Some((state, cause));
        }
        let Some((name, rest)) = cause
            .strip_prefix("service ")
            .and_then(|text| text.split_once(' '))
        else {
            return Ok(());
        };
        let Some(at) = self.at(name) else {
            return Err("the fault of a service nobody knows".into());
        };
        let one = &self.list[at];
        self.reach.exhausted |= name != MAIN_SERVICE;
        let max = one.rules.restart_max.unwrap_or(self.policy.restart_max);
        let restarts = rest
            .rsplit_once(", after ")
            .and_then(|(_, text)| text.split_once(' '));
        let enough = restarts.is_none_or(|(number, _)| number == max.to_string());
        must(
            one.hopeless || name == MAIN_SERVICE || enough && restarts.is_some(),
            "a service given up before its restarts",
        )
    }

    /// The exit code in the end.
    pub(super) fn exited(&mut self, code: &str, wraps: bool) -> Result<(), String> {
        let code: i32 = code.parse().unwrap();
        let Some((state, cause)) = self.end else {
            return Err("an exit without a last state".into());
        };
        let own = cause.starts_with("service main ") && !cause.contains(", after ");
        let holds = match state {
            "ERROR:" if wraps && own => self.codes.contains(&code) && code != 0,
            "ERROR:" => {
                self.reach.overruled |= wraps && self.reach.command;
                code == 1
            }
            _ if wraps && self.codes.is_empty() => code == 0,
            _ if wraps => self.codes.contains(&code),
            _ => code == 0,
        };
        must(holds, "another exit code")
    }
}
