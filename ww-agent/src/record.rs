//! What is known of this boot, as a new listener is told it: bounded, whatever happens.

use std::collections::VecDeque;

use jiff::Timestamp;
use whaleware::lifecycle::{
    Cause, Failure, Health, Moment, Policy, ServiceStand, ServiceView, State, Transition,
};
use whaleware::protocol::{
    FromAgent, HealthReport, HookRun, MAX_TEXT, MonitorReport, PreviousBoot, Quiesced, Resources,
    Restarts, ServiceReport, ServiceStatus, Snapshot, StopBudget, Stopping, TransitionReport,
    encode,
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
/// The most characters of a service's name.
const MAX_NAME: usize = 64;

/// What a script said that is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Changed {
    /// Something is.
    pub(crate) any: bool,
    /// Its status is.
    pub(crate) status: bool,
}

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
    services: Vec<ServiceReport>,
    /// Where a stop is.
    pub(crate) stopping: Option<Stopping>,
    /// Services are kept down for a backup.
    pub(crate) quiesced: Option<Quiesced>,
    pub(crate) health: HealthReport,
    /// How the last check failed.
    check_failure: Option<String>,
    /// The services that are not well.
    ailing: Option<String>,
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
            services: Vec::new(),
            stopping: None,
            quiesced: None,
            health: HealthReport::default(),
            check_failure: None,
            ailing: None,
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
        let is_restart = !matches!(transition.cause, Cause::Quiesced(_));
        if report.state == State::Restarting && is_restart {
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

    /// The script that runs says how it stands. What it does not speak of stays; an empty status takes
    /// the one before back.
    pub(crate) fn said(&mut self, status: Option<String>, progress: Option<u8>) -> Changed {
        let Some((run, _)) = &mut self.running else {
            return Changed::default();
        };
        let before = (run.status.clone(), run.progress);
        if let Some(status) = status {
            run.status = Some(status).filter(|status| !status.is_empty());
        }
        run.progress = progress.or(run.progress);
        let status = run.status != before.0;
        Changed {
            any: status || run.progress != before.1,
            status,
        }
    }

    /// The script that runs, as it stands now.
    pub(crate) fn running(&self, now: Moment) -> Option<HookRun> {
        self.running.as_ref().map(|(run, began)| HookRun {
            duration_ms: clock::milliseconds(now - *began),
            ..run.clone()
        })
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
        run.status = run.status.map(|text| log::plain(&text, OLD_TEXT));
        self.runs.push_back(run);
    }

    /// These are the services there are, and so long ending them may take.
    pub(crate) fn know_services(
        &mut self,
        views: impl Iterator<Item = ServiceView>,
        budget_ms: Option<u64>,
    ) {
        let mut known = std::mem::take(&mut self.services);
        for view in views {
            let name = log::plain(&view.name, MAX_NAME);
            let at = known.iter().position(|report| report.service == name);
            let report = at.map_or_else(
                || ServiceReport {
                    service: name,
                    status: ServiceStatus::Down,
                    since: clock::wall(),
                    pid: None,
                    restarts: 0,
                    exit: None,
                    detail: None,
                    text: None,
                    progress: None,
                },
                |at| known.swap_remove(at),
            );
            self.services.push(report);
        }
        self.stop.services_ms = budget_ms;
    }

    /// How the services stand.
    pub(crate) fn services(&self) -> &[ServiceReport] {
        &self.services
    }

    /// A service stands differently; the report of it, if that is news.
    pub(crate) fn service(
        &mut self,
        view: &ServiceView,
        pid: Option<i32>,
    ) -> Option<ServiceReport> {
        let report = find(&mut self.services, &view.name)?;
        let before = report.clone();
        let status = match view.stand {
            ServiceStand::Down => ServiceStatus::Down,
            ServiceStand::Starting => ServiceStatus::Starting,
            ServiceStand::Up => ServiceStatus::Up,
            ServiceStand::Waiting => ServiceStatus::Waiting,
            ServiceStand::Stopping => ServiceStatus::Stopping,
        };
        if report.status != status {
            report.since = clock::wall();
            report.status = status;
        }
        let is_gone = matches!(status, ServiceStatus::Waiting | ServiceStatus::Down);
        if is_gone || pid != report.pid && pid.is_some() {
            // What the one before said is true of nobody now, nor of this one.
            report.text = None;
            report.progress = None;
        }
        report.pid = pid;
        report.restarts = view.restarts;
        report.exit = view.last.as_ref().and_then(Failure::exit_code);
        report.detail = view
            .last
            .as_ref()
            .map(|last| log::plain(&last.to_string(), OLD_TEXT));
        (*report != before).then(|| report.clone())
    }

    /// A service says how it stands; whether that is news.
    pub(crate) fn service_said(
        &mut self,
        name: &str,
        status: Option<String>,
        progress: Option<u8>,
    ) -> bool {
        let Some(report) = find(&mut self.services, name) else {
            return false;
        };
        let before = (report.text.clone(), report.progress);
        if let Some(status) = status {
            report.text = Some(log::plain(&status, OLD_TEXT)).filter(|text| !text.is_empty());
        }
        report.progress = progress.or(report.progress);
        before != (report.text.clone(), report.progress)
    }

    /// How a service stands.
    pub(crate) fn service_report(&mut self, name: &str) -> Option<ServiceReport> {
        find(&mut self.services, name).map(|report| report.clone())
    }

    /// Health has a new value.
    pub(crate) fn set_health(&mut self, health: Health) {
        let report = HealthReport::new(health, None, None);
        self.health.status = report.status;
        self.health.failures = report.failures;
    }

    /// A check has ended, well or not.
    pub(crate) fn checked(&mut self, at: Timestamp, failure: Option<String>) {
        self.health.at = Some(at);
        self.check_failure = failure;
        self.tell_apart();
    }

    /// These services are not well, in words; says whether that is news.
    pub(crate) fn ailing<'a>(
        &mut self,
        services: impl Iterator<Item = (&'a str, &'a Failure)>,
    ) -> bool {
        let mut words = services.map(|(name, failure)| format!("service {name} {failure}"));
        let ailing = words.next().map(|first| {
            let all = words.fold(first, |all, one| all + ", " + &one);
            log::plain(&all, OLD_TEXT)
        });
        if ailing == self.ailing {
            return false;
        }
        self.ailing = ailing;
        self.tell_apart();
        true
    }

    /// Why health is as it is: the services first, an operator can do something about one by its name.
    fn tell_apart(&mut self) {
        let both = [&self.ailing, &self.check_failure];
        let words: Vec<_> = both.into_iter().flatten().map(String::as_str).collect();
        self.health.detail = (!words.is_empty()).then(|| log::plain(&words.join("; "), MAX_TEXT));
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
            running: self.running(now),
            stop: self.stop.clone(),
            stopping: self.stopping.clone(),
            quiesced: self.quiesced.clone(),
            services: self.services.clone(),
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

fn find<'a>(services: &'a mut [ServiceReport], name: &str) -> Option<&'a mut ServiceReport> {
    let name = log::plain(name, MAX_NAME);
    services.iter_mut().find(|report| report.service == name)
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
    use whaleware::protocol::{HookResult, MAX_LINE};

    fn parsed(line: &[u8]) -> Snapshot {
        assert!(line.len() <= MAX_LINE);
        let Ok(FromAgent::Snapshot(snapshot)) = serde_json::from_slice(line) else {
            panic!("not a snapshot")
        };
        *snapshot
    }

    #[test]
    fn what_a_process_said_goes_with_it() {
        let mut record = Record::new(&Policy::default());
        let view = |stand| ServiceView {
            name: "web".into(),
            stand,
            run: None,
            restarts: 0,
            last: None,
        };
        record.know_services([view(ServiceStand::Down)].into_iter(), None);
        for gone in [ServiceStand::Waiting, ServiceStand::Down] {
            record.service(&view(ServiceStand::Up), Some(7));
            assert!(record.service_said("web", Some("serving".into()), Some(40)));
            let stopping = record.service(&view(ServiceStand::Stopping), None).unwrap();
            assert_eq!(stopping.text.as_deref(), Some("serving"));
            let report = record.service(&view(gone), None).unwrap();
            assert_eq!((report.text, report.progress), (None, None));
        }
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
                status: Some(long.clone()),
                progress: Some(100),
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
