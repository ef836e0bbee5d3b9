//! Telling what becomes of the containers that are acted on, while it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::StopStage;

use super::hosts::Hosts;
use super::rolling::in_work;
use super::timeline::Timeline;
use crate::fleet::{
    Change, Container, ContainerKey, Fleet, Stamp, run_words, stage_now, stage_words,
};
use crate::output::Output;
use crate::units::age;

/// The longest bar, in columns.
const BAR: usize = 20;

/// Tells each transition and each stage of a stop once, a line each. On a terminal what goes on now
/// stands below them and moves.
pub(super) struct Teller {
    output: Output,
    timeline: Timeline,
    hosts: Hosts,
    /// The last stage told of each.
    stages: BTreeMap<ContainerKey, (StopStage, Timestamp)>,
    /// Whether transitions are left to those who want to know all.
    brief: bool,
    /// What is waited for before anything else is begun.
    waits: BTreeSet<String>,
    /// How many lines stand below now, and which.
    drawn: usize,
    lines: Vec<String>,
}

impl Teller {
    /// From now on.
    pub(super) fn from_now(fleet: &Fleet, output: Output) -> Self {
        let mut teller = Self {
            output,
            timeline: Timeline::from_now(fleet),
            hosts: Hosts::from_now(fleet),
            stages: BTreeMap::new(),
            brief: false,
            waits: BTreeSet::new(),
            drawn: 0,
            lines: Vec::new(),
        };
        for container in fleet.containers() {
            // How an earlier stop went is no news.
            drop(teller.stages(container));
        }
        teller
    }

    /// The same, and one line a container will be told by others.
    pub(super) fn brief(mut self) -> Self {
        self.brief = true;
        self
    }

    /// Tells what changed about those that are `watched`, and about hosts.
    pub(super) fn tell(
        &mut self,
        fleet: &Fleet,
        changes: &[Change],
        now: Stamp,
        watched: impl Fn(&ContainerKey) -> bool,
    ) {
        for change in changes {
            if let Some(line) = self.hosts.line(fleet, change, now) {
                self.clear();
                self.output.say(&line);
            }
            let (Change::State(key, _)
            | Change::Details(key)
            | Change::Stopping(key, _)
            | Change::Docker(key, _)) = change
            else {
                continue;
            };
            let Some(container) = fleet.get(key).filter(|_| watched(key)) else {
                continue;
            };
            let docker = if let Change::Docker(_, state) = change {
                Some(*state)
            } else {
                None
            };
            for line in self.news(container, docker) {
                self.clear();
                if self.brief {
                    self.output.detail(&line);
                } else {
                    self.output.say(&line);
                }
            }
        }
    }

    fn news(&mut self, container: &Container, docker: Option<State>) -> Vec<String> {
        let name = &container.name;
        // How the stop went comes before the end it led to.
        let mut lines = self.stages(container);
        if let Some(state) = docker {
            if state == State::Dockerup {
                self.timeline.started(&container.key);
            }
            lines.push(transition_line(name, state, &container.cause()));
        }
        let fresh = self.timeline.fresh(container);
        let fresh = fresh
            .iter()
            .map(|report| transition_line(name, report.state, &report.cause));
        lines.extend(fresh);
        lines
    }

    /// The stages that are over and have not been told: `shop: services 1.2s of 1m`.
    fn stages(&mut self, container: &Container) -> Vec<String> {
        let stages = container.stages();
        let told = self.stages.get(&container.key);
        let after = stages
            .iter()
            .position(|(stage, _)| told == Some(&(stage.name, stage.at)))
            .map_or(0, |place| place + 1);
        let mut lines = Vec::new();
        for (stage, took) in &stages[after..] {
            let Some(took) = took else {
                break;
            };
            let key = container.key.clone();
            self.stages.insert(key, (stage.name, stage.at));
            lines.push(format!("{}: {}", container.name, stage_words(stage, *took)));
        }
        lines
    }

    /// Draws what goes on now, where it can be drawn anew; below it how far all are, where that is
    /// to be seen.
    pub(super) fn draw<'a>(
        &mut self,
        watched: impl Iterator<Item = &'a Container>,
        whole: Option<(usize, usize)>,
        now: Moment,
    ) {
        if self.output.rewrites() {
            let line = |one| goes_on(one, now).or_else(|| whole.map(|_| in_work(one)));
            let mut lines: Vec<String> = watched.filter_map(line).collect();
            lines.extend(whole.map(|(done, all)| whole_words(done, all)));
            if self.drawn == 0 || lines != self.lines {
                self.drawn = self.output.rewrite(self.drawn, &lines);
                self.lines = lines;
            }
        }
    }

    /// Tells a line of its own.
    pub(super) fn say(&mut self, line: &str) {
        self.clear();
        self.output.say(line);
    }

    /// Tells what is waited for before anything else is begun, when that is another.
    pub(super) fn wait(&mut self, what: BTreeSet<String>) {
        if self.waits != what {
            if !what.is_empty() {
                let all: Vec<&str> = what.iter().map(String::as_str).collect();
                self.say(&format!("the next waits: {}", all.join("; ")));
            }
            self.waits = what;
        }
    }

    /// Takes back what was drawn.
    pub(super) fn clear(&mut self) {
        self.drawn = self.output.rewrite(self.drawn, &[]);
    }
}

fn transition_line(name: &str, state: State, cause: &str) -> String {
    if cause.is_empty() {
        format!("{name}: {state}")
    } else {
        format!("{name}: {state} ({cause})")
    }
}

/// What a container is busy with, in a line that is true now.
fn goes_on(one: &Container, now: Moment) -> Option<String> {
    let agent = one.agent.as_ref().filter(|_| one.engine.is_running())?;
    let (words, share) = if let Some(stage) = agent.stage() {
        let took = now - stage.since;
        (
            stage_now(stage, took),
            stage.limit().map(|limit| share(took, limit)),
        )
    } else {
        let (run, since) = agent.running.as_ref()?;
        let words = format!("{}, for {}", run_words(run), age(now - *since));
        (words, run.progress.map(usize::from))
    };
    let bar = share.map_or_else(String::new, |percent| format!("  {}", bar(percent)));
    Some(format!("{}: {words}{bar}", one.name))
}

/// `3 of 20  ███░░░░░░░░░░░░░░░░░`.
fn whole_words(done: usize, all: usize) -> String {
    let percent = (done * 100).checked_div(all).unwrap_or(100);
    format!("{done} of {all}  {}", bar(percent))
}

fn bar(percent: usize) -> String {
    let full = (percent * BAR).div_ceil(100).min(BAR);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

/// How much of a limit is used up, in percent.
fn share(took: Duration, limit: Duration) -> usize {
    let percent = took
        .as_millis()
        .saturating_mul(100)
        .checked_div(limit.as_millis());
    percent
        .and_then(|percent| usize::try_from(percent).ok())
        .map_or(100, |percent| percent.min(100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{at, event, frame, one, state, up};
    use crate::fleet::{EngineEvent, Input};
    use crate::output::Verbosity;

    fn stage(name: &str, second: u64, limit: &str) -> Input {
        frame(
            "a",
            &format!(
                r#"{{"type":"stopping","stage":"{name}","at":"2026-11-22T16:15:{second:02}Z"{limit}}}"#
            ),
        )
    }

    #[test]
    fn each_stage_is_told_once_with_its_time_and_its_limit_up_to_the_end() {
        let mut fleet = up();
        let mut teller = Teller::from_now(&fleet, Output::new(Verbosity::Normal, true));
        let died = EngineEvent::Died {
            code: 0,
            out_of_memory: false,
        };
        let mut told = Vec::new();
        for (millis, input, docker) in [
            (1_000, frame("a", &state(6, "STOPPED", "SIGTERM")), None),
            (1_000, stage("draining", 1, r#","limit_ms":5000"#), None),
            (6_000, stage("services", 6, r#","limit_ms":60000"#), None),
            (7_200, stage("svcdown", 7, ""), None),
            (8_400, event("a", died), Some(State::Dockerdown)),
        ] {
            fleet.apply(input, at(millis));
            told.extend(teller.news(one(&fleet), docker));
        }
        told.extend(teller.news(one(&fleet), None));
        assert_eq!(
            told,
            [
                "name-a: STOPPED (SIGTERM)",
                "name-a: drain 5s of 5s",
                "name-a: services 1.2s of 1m",
                "name-a: svcdown 1.2s, no cap",
                "name-a: DOCKERDOWN (exited 0, STOPPED: SIGTERM)",
            ]
        );
    }

    #[test]
    fn what_goes_on_has_a_bar_where_it_has_an_end() {
        let mut fleet = up();
        let line = |fleet: &Fleet, millis| goes_on(one(fleet), at(millis).moment);
        assert_eq!(line(&fleet, 1_000), None);
        let run = r#"{"type":"hook","run":9,"hook":"svcdown","state":"STOPPED","at":"2026-11-22T16:14:41Z","result":"running","duration_ms":0,"status":"saving","progress":50}"#;
        fleet.apply(frame("a", run), at(1_000));
        assert_eq!(
            line(&fleet, 3_000).unwrap(),
            "name-a: svcdown 50% saving, for 2s  ██████████░░░░░░░░░░"
        );
        fleet.apply(stage("services", 6, r#","limit_ms":60000"#), at(6_000));
        assert_eq!(
            line(&fleet, 21_500).unwrap(),
            "name-a: services 15s of 1m  █████░░░░░░░░░░░░░░░"
        );
        fleet.apply(stage("svcdown", 8, ""), at(30_000));
        assert_eq!(line(&fleet, 42_000).unwrap(), "name-a: svcdown 12s, no cap");
    }
}
