//! What an agent has told, as the fleet's model keeps it.

use std::time::Duration;

use jiff::Timestamp;
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{
    HealthReport, Hello, HookResult, HookRun, MonitorReport, PreviousBoot, QuiesceStage, Quiesced,
    Resources, Restarts, ServiceReport, Snapshot, StopBudget, StopStage, Stopping,
    TransitionReport,
};

use super::container::TEXT;
use super::text::clean;

/// The most characters kept of the name of a script, a service, a boot or a version.
const WORD: usize = 64;
/// The most services kept.
const SERVICES: usize = 64;
/// The most stages of a stop kept; there are six.
const STAGES: usize = 16;
/// The most entries kept of a boot's transitions, and of its scripts.
const HISTORY: usize = 128;
/// The least, however many containers there are.
const SHORT: usize = 16;
/// So many are kept of all containers together, as far as each has its least.
const ALL: usize = 64 * 1024;

/// What an agent has told. Every text in it is clean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AgentView {
    /// Who it is.
    pub hello: Option<Hello>,
    /// When its boot began, by its clock.
    pub booted: Option<Timestamp>,
    /// Its state.
    pub state: State,
    /// Since when, on this program's monotonic clock.
    pub since: Moment,
    /// Why.
    pub cause: String,
    /// What the checks say.
    pub health: HealthReport,
    /// What the last check printed.
    pub monitor: Option<MonitorReport>,
    /// Restarts of this boot.
    pub restarts: Restarts,
    /// The script that runs now, and when it was first seen running.
    pub running: Option<(HookRun, Moment)>,
    /// How long a stop may take.
    pub stop: StopBudget,
    /// The transitions of this boot, oldest first.
    pub transitions: Vec<TransitionReport>,
    /// The scripts of this boot that have ended, oldest first.
    pub hooks: Vec<HookRun>,
    /// What the container uses.
    pub resources: Option<Resources>,
    /// What the agent cannot do here and why.
    pub degraded: Vec<String>,
    /// The services of `svc.d`, in the order they are started.
    pub services: Vec<Service>,
    /// The stages of the stop that is under way, or was the last of this life; empty without one.
    pub stages: Vec<Stage>,
    /// The image's version.
    pub version: Option<String>,
    /// How the boot before this one ended.
    pub previous: Option<PreviousBoot>,
    /// Its services are kept down for a backup.
    pub quiesced: Option<Quiesced>,
}

/// A service, and since when it stands as it does, on this program's monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// What its agent tells of it.
    pub report: ServiceReport,
    /// Since when.
    pub since: Moment,
}

/// A stage that a stop has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Which one.
    pub name: StopStage,
    /// When it began, by the container's clock.
    pub at: Timestamp,
    /// How long it may take at most, in milliseconds; none when it has no cap.
    pub limit_ms: Option<u64>,
    /// When it began, on this program's monotonic clock.
    pub since: Moment,
}

impl AgentView {
    /// By which name the agent knows this life; none before it has said who it is.
    pub(super) fn boot(&self) -> Option<&str> {
        self.hello.as_ref().map(|hello| hello.boot.as_str())
    }

    /// After `hello` and before `snapshot`: it speaks, but has not said what it does.
    pub(super) fn unknown(hello: Hello, since: Moment) -> Self {
        Self {
            hello: Some(hello),
            booted: None,
            state: State::Dockerup,
            since,
            cause: String::new(),
            health: HealthReport::default(),
            monitor: None,
            restarts: Restarts::default(),
            running: None,
            stop: StopBudget::default(),
            transitions: Vec::new(),
            hooks: Vec::new(),
            resources: None,
            degraded: Vec::new(),
            services: Vec::new(),
            stages: Vec::new(),
            version: None,
            previous: None,
            quiesced: None,
        }
    }

    /// `before` is what it has told until now, a snapshot of the same life among it.
    pub(super) fn from_snapshot(
        snapshot: Snapshot,
        before: Option<Self>,
        now: Moment,
        room: Room,
    ) -> Self {
        let Snapshot {
            state,
            since_ms,
            cause,
            health,
            monitor,
            restarts,
            running,
            stop,
            transitions,
            hooks,
            resources,
            degraded,
            at,
            booted,
            since: _,
            omitted: _,
            stopping,
            quiesced,
            services,
            version,
            previous,
        } = snapshot;
        let (hello, stages) = before.map_or((None, Vec::new()), |it| (it.hello, it.stages));
        let ago = |then: Timestamp| {
            let passed = at.duration_since(then).as_millis();
            back(now, u64::try_from(passed).unwrap_or(0))
        };
        Self {
            hello,
            stages: stopping.map_or_else(Vec::new, |stopping| {
                let since = ago(stopping.at);
                joined(stages, &stopping, since)
            }),
            services: services
                .into_iter()
                .take(SERVICES)
                .map(|report| Service {
                    since: ago(report.since),
                    report: clean_service(report),
                })
                .collect(),
            version: version.map(|text| clean(&text, WORD)),
            previous: previous.map(clean_previous),
            quiesced: quiesced.and_then(lasting),
            booted: Some(booted),
            state,
            since: back(now, since_ms),
            cause: clean(&cause, TEXT),
            health: clean_health(health),
            monitor: monitor.map(clean_monitor),
            restarts: Restarts {
                cause: restarts.cause.map(|text| clean(&text, TEXT)),
                ..restarts
            },
            running: running.map(|run| {
                let since = back(now, run.duration_ms);
                (clean_run(run), since)
            }),
            stop,
            transitions: room.last(transitions).map(clean_transition).collect(),
            hooks: room.last(hooks).map(clean_run).collect(),
            resources,
            degraded: degraded
                .iter()
                .take(16)
                .map(|text| clean(text, TEXT))
                .collect(),
        }
    }

    pub(super) fn change(&mut self, report: TransitionReport, now: Moment, room: Room) {
        let report = clean_transition(report);
        self.state = report.state;
        self.since = now;
        self.cause.clone_from(&report.cause);
        if !matches!(report.state, State::Stopped | State::Error) {
            self.stages.clear();
        }
        if report.state != State::Restarting {
            self.quiesced = None;
        }
        // That a backup keeps the services down for a while counts for none.
        if report.state == State::Restarting && report.restarts > self.restarts.total {
            self.restarts.total = report.restarts.max(self.restarts.total);
            self.restarts.last = Some(report.at);
            self.restarts.cause = Some(report.cause.clone());
        }
        room.push(&mut self.transitions, report);
    }

    pub(super) fn ran(&mut self, run: HookRun, now: Moment, room: Room) {
        let run = clean_run(run);
        if run.result == HookResult::Running {
            let since = back(now, run.duration_ms);
            self.running = Some((run, since));
            return;
        }
        if self
            .running
            .as_ref()
            .is_some_and(|(running, _)| running.run == run.run)
        {
            self.running = None;
        }
        room.push(&mut self.hooks, run);
    }

    /// A service stands otherwise, or has said something.
    pub(super) fn serves(&mut self, report: ServiceReport, now: Moment) {
        let report = clean_service(report);
        let place = self
            .services
            .iter()
            .position(|one| one.report.service == report.service);
        match place {
            Some(place) => {
                let one = &mut self.services[place];
                // What it says changes nothing of since when it stands as it does.
                if one.report.since != report.since || one.report.status != report.status {
                    one.since = now;
                }
                one.report = report;
            }
            None if self.services.len() < SERVICES => {
                self.services.push(Service { report, since: now });
            }
            None => {}
        }
    }

    /// A stop has come to its next stage.
    pub(super) fn stops(&mut self, stopping: &Stopping, now: Moment) {
        let stages = std::mem::take(&mut self.stages);
        self.stages = joined(stages, stopping, now);
    }

    /// Services go down for a backup, are down, or come up again.
    pub(super) fn quiesces(&mut self, report: Quiesced) {
        self.quiesced = lasting(report);
    }

    /// The stage a stop is in; none while none is under way.
    pub(crate) fn stage(&self) -> Option<&Stage> {
        self.stages.last()
    }
}

impl Stage {
    /// How long it may take at most; none when it has no cap.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.limit_ms.map(Duration::from_millis)
    }
}

/// The stages with this one, which may be known already.
fn joined(mut stages: Vec<Stage>, stopping: &Stopping, since: Moment) -> Vec<Stage> {
    let is_known = |one: &Stage| (one.name, one.at) == (stopping.stage, stopping.at);
    if !stages.last().is_some_and(is_known) {
        if stages.len() >= STAGES {
            stages.remove(0);
        }
        stages.push(Stage {
            name: stopping.stage,
            at: stopping.at,
            limit_ms: stopping.limit_ms,
            since,
        });
    }
    stages
}

fn back(now: Moment, millis: u64) -> Moment {
    Moment::at((now - Moment::default()).saturating_sub(Duration::from_millis(millis)))
}

/// How many entries are kept of one boot's transitions, and of its scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room(usize);

impl Room {
    /// With so many containers.
    pub(super) fn among(containers: usize) -> Self {
        Self((ALL / containers.max(1)).clamp(SHORT, HISTORY))
    }

    fn last<T>(self, list: Vec<T>) -> impl Iterator<Item = T> {
        let skip = list.len().saturating_sub(self.0);
        list.into_iter().skip(skip)
    }

    fn push<T>(self, list: &mut Vec<T>, entry: T) {
        while list.len() >= self.0 {
            // The way up is what one looks for later; the oldest entry after it goes.
            list.remove(self.0 / 4);
        }
        list.push(entry);
    }
}

pub(super) fn clean_health(mut report: HealthReport) -> HealthReport {
    report.detail = report.detail.map(|text| clean(&text, TEXT));
    report
}

pub(super) fn clean_monitor(mut report: MonitorReport) -> MonitorReport {
    report.text = report.text.map(|text| clean(&text, 4 * TEXT));
    report
}

fn clean_run(mut run: HookRun) -> HookRun {
    run.hook = clean(&run.hook, WORD);
    run.detail = run.detail.map(|text| clean(&text, TEXT));
    run.status = run.status.map(|text| clean(&text, TEXT));
    run.progress = run.progress.map(|percent| percent.min(100));
    run
}

/// The same report with nothing in it that a terminal would obey.
pub(crate) fn clean_service(mut report: ServiceReport) -> ServiceReport {
    report.service = clean(&report.service, WORD);
    report.detail = report.detail.map(|text| clean(&text, TEXT));
    report.text = report.text.map(|text| clean(&text, TEXT));
    report.progress = report.progress.map(|percent| percent.min(100));
    report
}

fn clean_previous(mut previous: PreviousBoot) -> PreviousBoot {
    previous.boot = clean(&previous.boot, WORD);
    previous.cause = clean(&previous.cause, TEXT);
    previous
}

/// One that is over is no more to be told.
fn lasting(mut report: Quiesced) -> Option<Quiesced> {
    report.by = clean(&report.by, WORD);
    report.detail = report.detail.map(|text| clean(&text, TEXT));
    (report.stage != QuiesceStage::Ended).then_some(report)
}

fn clean_transition(mut report: TransitionReport) -> TransitionReport {
    report.cause = clean(&report.cause, TEXT);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_containers_less_is_kept_of_each_and_the_way_up_stays() {
        assert_eq!(Room::among(0), Room(HISTORY));
        assert_eq!(Room::among(512), Room(HISTORY));
        assert_eq!(Room::among(1024), Room(64));
        let room = Room::among(10_000);
        assert_eq!(room, Room(SHORT));
        // Kept while there were few.
        let mut list: Vec<u32> = (0..100).collect();
        room.push(&mut list, 100);
        assert_eq!(list[..4], [0, 1, 2, 3]);
        assert_eq!(list[4..], (89..=100).collect::<Vec<_>>());
        assert_eq!(room.last(list).count(), SHORT);
    }
}
