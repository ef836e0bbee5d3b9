//! What is known of this boot, as a new listener is told it: bounded, whatever happens.

use std::collections::VecDeque;

use jiff::Timestamp;
use whaleware::lifecycle::{Health, Moment, Policy, State, Transition};
use whaleware::protocol::{
    FromAgent, HealthReport, HookRun, MAX_TEXT, MonitorReport, PreviousBoot, Resources, Restarts,
    Snapshot, StopBudget, TransitionReport, encode,
};

use crate::clock;
use crate::log;

/// The first transitions of a boot are kept: they are its story.
const FIRST: usize = 16;
/// So many of the newest transitions are kept besides.
const NEWEST: usize = 48;
/// So many of the newest runs of scripts are kept.
const RUNS: usize = 64;
/// So many things the agent cannot do here are told.
const DEGRADED: usize = 16;
/// The most characters of a text in the history; what is new is told at full length.
const OLD_TEXT: usize = 160;

/// What is known of this boot.
#[derive(Debug)]
pub(crate) struct Record {
    booted: Timestamp,
    since: Timestamp,
    since_moment: Moment,
    state: State,
    cause: String,
    first: Vec<TransitionReport>,
    newest: VecDeque<TransitionReport>,
    runs: VecDeque<HookRun>,
    omitted: u32,
    running: Option<(HookRun, Moment)>,
    pub(crate) health: HealthReport,
    pub(crate) monitor: Option<MonitorReport>,
    restarts: Restarts,
    stop: StopBudget,
    pub(crate) resources: Option<Resources>,
    degraded: Vec<String>,
    /// The image's version.
    pub(crate) version: Option<String>,
    /// How the boot before this one ended.
    pub(crate) previous: Option<PreviousBoot>,
}

impl Record {
    /// A boot that begins now.
    pub(crate) fn new(policy: &Policy) -> Self {
        let now = clock::wall();
        Self {
            booted: now,
            since: now,
            since_moment: clock::now(),
            state: State::Boot,
            cause: String::new(),
            first: Vec::new(),
            newest: VecDeque::new(),
            runs: VecDeque::new(),
            omitted: 0,
            running: None,
            health: HealthReport::default(),
            monitor: None,
            restarts: Restarts {
                max: policy.restart_max,
                ..Restarts::default()
            },
            stop: StopBudget {
                drain_ms: clock::milliseconds(policy.drain),
                svcdown_ms: policy
                    .timeout(whaleware::lifecycle::Hook::Svcdown)
                    .map(clock::milliseconds),
                services_ms: Some(0),
                grace_ms: clock::milliseconds(policy.stop_grace),
            },
            resources: None,
            degraded: Vec::new(),
            version: None,
            previous: None,
        }
    }

    /// The state the world was told last.
    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// A change of state, as it goes over the wire.
    pub(crate) fn transition(
        &mut self,
        transition: &Transition,
        restarts: u32,
        in_a_row: u32,
    ) -> TransitionReport {
        let report = TransitionReport {
            number: transition.number,
            at: clock::wall(),
            from: transition.from,
            state: transition.state,
            cause: log::plain(&transition.cause.to_string(), MAX_TEXT),
            lasted_ms: clock::milliseconds(transition.lasted),
            restarts,
        };
        self.state = report.state;
        self.since = report.at;
        self.since_moment = clock::now();
        self.cause.clone_from(&report.cause);
        self.restarts.total = restarts;
        self.restarts.in_a_row = in_a_row;
        if report.state == State::Restarting {
            self.restarts.last = Some(report.at);
            self.restarts.cause = Some(log::plain(&report.cause, OLD_TEXT));
        }
        let mut kept = report.clone();
        kept.cause = log::plain(&kept.cause, OLD_TEXT);
        if self.first.len() < FIRST {
            self.first.push(kept);
        } else {
            if self.newest.len() >= NEWEST {
                self.newest.pop_front();
                self.omitted = self.omitted.saturating_add(1);
            }
            self.newest.push_back(kept);
        }
        report
    }

    /// A script has begun.
    pub(crate) fn began(&mut self, run: HookRun, now: Moment) {
        self.running = Some((run, now));
    }

    /// A script has ended.
    pub(crate) fn ended(&mut self, mut run: HookRun) {
        if self
            .running
            .as_ref()
            .is_some_and(|(running, _)| running.run == run.run)
        {
            self.running = None;
        }
        if self.runs.len() >= RUNS {
            self.runs.pop_front();
            self.omitted = self.omitted.saturating_add(1);
        }
        run.detail = run.detail.map(|text| log::plain(&text, OLD_TEXT));
        self.runs.push_back(run);
    }

    /// Health has a new value.
    pub(crate) fn set_health(&mut self, health: Health) {
        let report = HealthReport::new(health, None, None);
        self.health.status = report.status;
        self.health.failures = report.failures;
    }

    /// The agent cannot do this here; says whether that is news.
    pub(crate) fn degrade(&mut self, text: &str) -> bool {
        let text = log::plain(text, MAX_TEXT);
        if self.degraded.contains(&text) || self.degraded.len() >= DEGRADED {
            return false;
        }
        self.degraded.push(text);
        true
    }

    /// Everything that is true now, as a line that fits.
    pub(crate) fn snapshot(&self, now: Moment) -> Vec<u8> {
        let mut snapshot = Snapshot {
            at: clock::wall(),
            booted: self.booted,
            state: self.state,
            since: self.since,
            since_ms: clock::milliseconds(now - self.since_moment),
            cause: self.cause.clone(),
            health: self.health.clone(),
            monitor: self.monitor.clone(),
            restarts: self.restarts.clone(),
            running: self.running.as_ref().map(|(run, began)| HookRun {
                duration_ms: clock::milliseconds(now - *began),
                ..run.clone()
            }),
            stop: self.stop.clone(),
            stopping: None,
            services: Vec::new(),
            version: self.version.clone(),
            previous: self.previous.clone(),
            transitions: self.first.iter().chain(&self.newest).cloned().collect(),
            hooks: self.runs.iter().cloned().collect(),
            omitted: self.omitted,
            resources: self.resources.clone(),
            degraded: self.degraded.clone(),
        };
        loop {
            let line = FromAgent::Snapshot(Box::new(snapshot.clone()));
            if let Ok(line) = encode(&line) {
                return line;
            }
            if !shorten(&mut snapshot) {
                return Vec::new();
            }
        }
    }
}

/// Leaves something out of a snapshot that is too long; false when there is nothing left to leave.
fn shorten(snapshot: &mut Snapshot) -> bool {
    if snapshot.hooks.is_empty() && snapshot.transitions.len() <= FIRST {
        return snapshot.monitor.take().is_some()
            || !std::mem::take(&mut snapshot.degraded).is_empty();
    }
    let hooks = snapshot.hooks.len().div_ceil(2);
    snapshot.hooks.drain(..hooks);
    let rest = snapshot.transitions.len().saturating_sub(FIRST).div_ceil(2);
    snapshot
        .transitions
        .drain(FIRST.min(snapshot.transitions.len())..FIRST.min(snapshot.transitions.len()) + rest);
    let left_out = u32::try_from(hooks + rest).unwrap_or(u32::MAX);
    snapshot.omitted = snapshot.omitted.saturating_add(left_out);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::time::Duration;
    use whaleware::lifecycle::Cause;
    use whaleware::protocol::{HookResult, MAX_LINE};

    fn parsed(line: &[u8]) -> Snapshot {
        assert!(line.len() <= MAX_LINE);
        let Ok(FromAgent::Snapshot(snapshot)) = serde_json::from_slice(line) else {
            panic!("not a snapshot")
        };
        *snapshot
    }

    #[test]
    fn a_snapshot_fits_whatever_has_happened() {
        let mut record = Record::new(&Policy::default());
        let long = "\u{10ffff}\"".repeat(5000);
        for number in 1..=500 {
            let transition = Transition {
                number,
                from: None,
                state: State::Restarting,
                cause: Cause::Operator(long.clone()),
                lasted: Duration::from_secs(1),
            };
            record.transition(&transition, 3, 1);
            record.ended(HookRun {
                run: number,
                hook: "svcup".into(),
                state: State::Warmup,
                at: clock::wall(),
                result: HookResult::Failed,
                duration_ms: 1,
                exit: Some(1),
                detail: Some(long.clone()),
                status: None,
                progress: None,
            });
            record.degrade(&format!("{number} {long}"));
        }
        record.monitor = Some(MonitorReport {
            at: clock::wall(),
            exit: 0,
            duration_ms: 1,
            value: Some(json!("x".repeat(16_000))),
            text: None,
            truncated: false,
        });
        let snapshot = parsed(&record.snapshot(clock::now()));
        assert_eq!(snapshot.transitions.first().unwrap().number, 1);
        assert_eq!(snapshot.transitions.last().unwrap().number, 500);
        let kept = snapshot.transitions.len() + snapshot.hooks.len();
        assert_eq!(snapshot.omitted as usize + kept, 1000);
        assert!(matches!(
            snapshot.monitor.unwrap().value,
            Some(Value::String(_))
        ));
    }
}
