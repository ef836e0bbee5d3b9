//! The scripts in the states they run in, and what is to come of each. One more is one row more.

use crate::behaviour::Behaviour;
use crate::bound::{Bound, Part};

/// The states on the way up, in order.
pub(crate) const WAY: [&str; 5] = ["BOOT", "FIRSTBOOT", "UPGRADING", "WARMUP", "UP"];
/// The scripts on the way up, in order.
pub(crate) const SCRIPTS: [&str; 5] = ["boot", "firstboot", "upgrade", "svcup", "warmup"];

/// How a script's turn comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The container starts, or is UP.
    Start,
    /// It was started before, and waits until the container is UP.
    Later,
    /// A restart was asked for when UP.
    Restart,
    /// A stop was asked for when UP; the stop of the cell is a second one.
    Stop,
    /// The same, and there is no second one.
    OneStop,
    /// `warmup` has failed.
    Failure,
}

/// Where a script has led to that ended by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// The state the container rests in.
    pub(crate) state: &'static str,
    /// The scripts that have run in the end, in order; see [`scripts`].
    pub(crate) scripts: &'static str,
}

/// A script in a state.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) state: &'static str,
    pub(crate) script: &'static str,
    pub(crate) turn: Turn,
    /// The time of a stop when the script runs, and ends when it is asked to.
    hears: &'static [Part],
    /// The same when it does not.
    ignores: &'static [Part],
    /// The scripts that have run when it was stopped while it ran.
    pub(crate) cut: &'static str,
    /// When it ended well.
    pub(crate) done: End,
    /// When it failed.
    pub(crate) failed: End,
}

const AT_ONCE: &[Part] = &[];
const GRACE: &[Part] = &[Part::Grace];
const CAP: &[Part] = &[Part::Cap];
const CAP_AND_GRACE: &[Part] = &[Part::Cap, Part::Grace];

/// `+` stands for all scripts of the way up.
const WHOLE: End = End {
    state: "UP",
    scripts: "+ svcdown",
};

const fn end(state: &'static str, scripts: &'static str) -> End {
    End { state, scripts }
}

const fn boots(state: &'static str, script: &'static str, cut: &'static str) -> Row {
    Row {
        state,
        script,
        turn: Turn::Start,
        hears: AT_ONCE,
        ignores: GRACE,
        cut,
        done: WHOLE,
        failed: end("ERROR", cut),
    }
}

const fn restarts(script: &'static str, cut: &'static str) -> Row {
    Row {
        state: "RESTARTING",
        script,
        turn: Turn::Restart,
        hears: AT_ONCE,
        ignores: GRACE,
        cut,
        done: end("UP", "+ svcdown svcup svcdown"),
        // It tries again, after a pause.
        failed: end("RESTARTING", cut),
    }
}

/// Telling a state holds up nothing: the life goes on after a second, well or not.
const fn tells(state: &'static str, turn: Turn, cut: &'static str, end: End) -> Row {
    Row {
        state,
        script: "lifecycle",
        turn,
        hears: AT_ONCE,
        // It is in the way of the last word, and is not asked.
        ignores: AT_ONCE,
        cut,
        done: end,
        failed: end,
    }
}

/// One of them is over: it is started again, after a pause that the stop ends.
const fn attends(state: &'static str, turn: Turn, cut: &'static str) -> Row {
    Row {
        state,
        script: "svc.d/web",
        turn,
        hears: AT_ONCE,
        ignores: &[Part::Service],
        cut,
        done: end(state, cut),
        failed: end(state, cut),
    }
}

/// Every row.
pub(crate) fn rows() -> Vec<Row> {
    let restarted = end("UP", "+ svcdown svcup svcdown");
    vec![
        boots("BOOT", "boot", "boot"),
        boots("FIRSTBOOT", "firstboot", "boot firstboot"),
        boots("UPGRADING", "upgrade", "boot firstboot upgrade"),
        boots("WARMUP", "svcup", "boot firstboot upgrade svcup svcdown"),
        boots("WARMUP", "warmup", "+ svcdown"),
        Row {
            // A check has nothing to put in order, so it is not asked.
            ignores: AT_ONCE,
            done: end("UP", "+ monitor svcdown"),
            failed: end("RESTARTING", "+ monitor svcdown"),
            ..boots("UP", "monitor", "+ monitor svcdown")
        },
        Row {
            done: end("UP", "+ monitor svcdown"),
            failed: end("UP", "+ monitor svcdown"),
            ..boots("UP", "pushstats", "+ monitor svcdown")
        },
        Row {
            hears: CAP,
            ignores: CAP_AND_GRACE,
            failed: restarted,
            ..restarts("svcdown", "+ svcdown")
        },
        restarts("svcup", "+ svcdown svcup svcdown"),
        Row {
            done: end("UP", "+ svcdown svcup warmup svcdown"),
            ..restarts("warmup", "+ svcdown svcup warmup svcdown")
        },
        Row {
            turn: Turn::Stop,
            done: end("STOPPED", "+ svcdown"),
            failed: end("STOPPED", "+ svcdown"),
            hears: CAP,
            ignores: CAP_AND_GRACE,
            ..boots("STOPPED", "svcdown", "+ svcdown")
        },
        Row {
            turn: Turn::Failure,
            done: end("ERROR", "+ svcdown"),
            failed: end("ERROR", "+ svcdown"),
            hears: CAP,
            ignores: CAP_AND_GRACE,
            ..boots("ERROR", "svcdown", "+ svcdown")
        },
        attends(
            "WARMUP",
            Turn::Start,
            "boot firstboot upgrade svcup svcdown",
        ),
        attends("UP", Turn::Later, "+ svcdown"),
        attends("RESTARTING", Turn::Restart, "+ svcdown svcup svcdown"),
        tells("BOOT", Turn::Start, "*", WHOLE),
        tells("FIRSTBOOT", Turn::Start, "*", WHOLE),
        tells("UPGRADING", Turn::Start, "*", WHOLE),
        tells("WARMUP", Turn::Start, "*", WHOLE),
        tells("UP", Turn::Start, "+ svcdown", WHOLE),
        tells("RESTARTING", Turn::Restart, "*", restarted),
        Row {
            hears: &[Part::Told],
            ignores: &[Part::Told, Part::Grace],
            ..tells(
                "STOPPED",
                Turn::OneStop,
                "+ svcdown",
                end("STOPPED", "+ svcdown"),
            )
        },
        Row {
            ignores: &[Part::Hurried],
            ..tells(
                "ERROR",
                Turn::Failure,
                "+ svcdown",
                end("ERROR", "+ svcdown"),
            )
        },
    ]
}

impl Row {
    /// The time a stop may take.
    pub(crate) fn bound(&self, behaviour: Behaviour) -> Bound {
        let mut parts = if behaviour == Behaviour::IgnoresTerm {
            self.ignores.to_vec()
        } else if behaviour.is_running() {
            self.hears.to_vec()
        } else {
            Vec::new()
        };
        if behaviour == Behaviour::Floods {
            parts.push(Part::LastWords);
        }
        Bound(parts)
    }

    /// Where the script leads to that ends by itself.
    pub(crate) fn end(&self, behaviour: Behaviour) -> End {
        if self.complaint(behaviour).is_some() {
            self.failed
        } else {
            self.done
        }
    }

    /// Whether it is a service and not a script.
    pub(crate) fn is_service(&self) -> bool {
        self.script.starts_with("svc.d/")
    }

    /// What the agent must say about it; nothing when it did well.
    pub(crate) fn complaint(&self, behaviour: Behaviour) -> Option<String> {
        match (self.script.strip_prefix("svc.d/"), behaviour) {
            // A service that has ended has failed, however well it did.
            (Some(name), Behaviour::Exits(0) | Behaviour::Daemonises) => {
                Some(format!("service {name} exited 0"))
            }
            (Some(name), other) => other.complaint(&format!("service {name}")),
            (None, other) => other.complaint(self.script),
        }
    }

    /// The states until the script's turn has come.
    pub(crate) fn before(&self) -> Vec<&'static str> {
        let up = WAY.to_vec();
        match self.turn {
            Turn::Start => {
                let length = WAY.iter().position(|one| *one == self.state).unwrap();
                up[..=length].to_vec()
            }
            Turn::Later => up,
            Turn::Restart | Turn::Stop | Turn::OneStop => [up, vec![self.state]].concat(),
            Turn::Failure => [up[..4].to_vec(), vec![self.state]].concat(),
        }
    }

    /// The states until the container rests, when the script ends by itself.
    pub(crate) fn after(&self, behaviour: Behaviour) -> Vec<&'static str> {
        let before = self.before();
        let state = self.end(behaviour).state;
        match self.turn {
            Turn::Stop | Turn::OneStop | Turn::Failure => before,
            Turn::Start | Turn::Later | Turn::Restart if self.is_service() => before,
            Turn::Start if state == "UP" => WAY.to_vec(),
            Turn::Start | Turn::Later | Turn::Restart => [before, vec![state]].concat(),
        }
    }

    /// The state and the exit code in the end.
    pub(crate) fn last(&self, behaviour: Behaviour) -> (&'static str, i32) {
        let state = if behaviour.is_running() {
            self.state
        } else {
            self.end(behaviour).state
        };
        if state == "ERROR" {
            ("ERROR", 1)
        } else {
            ("STOPPED", 0)
        }
    }

    /// Whether the life goes on while the script runs, so that the stop may find it further on.
    pub(crate) fn is_beside(&self) -> bool {
        self.cut == "*"
    }
}

/// A list of scripts in full: `+` stands for the way up.
pub(crate) fn scripts(short: &str) -> Vec<&str> {
    match short.strip_prefix('+') {
        Some(rest) => SCRIPTS.into_iter().chain(rest.split_whitespace()).collect(),
        None => short.split_whitespace().collect(),
    }
}
