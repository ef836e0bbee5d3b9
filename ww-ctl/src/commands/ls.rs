//! `ls`: one line a container, the worst first.

use serde_json::{Map, Value, json};
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{HealthStatus, ServiceStatus};

use super::{Context, record};
use crate::cli::{Format, Ls};
use crate::engine::{Scope, Target};
use crate::exit::{Exit, Failure};
use crate::fleet::{
    AgentView, Backed, Container, Fleet, HostStatus, Severity, Stamp, failing_words, run_words,
    stage_now,
};
use crate::output::Tone;
use crate::selection::Selection;
use crate::table::{Cell, Column, lines};
use crate::units::{age, size};
use crate::watch::last_answer;

/// The place of its column, where it is shown.
const CPU: usize = 5;

pub(super) async fn run(context: &Context, arguments: &Ls) -> Result<Exit, Failure> {
    let scope = if arguments.all {
        Scope::Everything
    } else {
        Scope::Agents
    };
    let selection = Selection {
        names: arguments.names.clone(),
        all: false,
        filters: arguments.filters.filters.clone(),
    };
    let (fleet, exit) = context.look(scope, &selection).await?;
    // Nothing there at all is an answer; a name or a filter that nothing matches is a mistake. A
    // host that is not reached may have what was meant: that is said already.
    let nothing_there = fleet.containers().next().is_none();
    let mut containers: Vec<&Container> = if selection.is_empty()
        || (selection.names.is_empty() && (nothing_there || exit != Exit::Done))
    {
        fleet
            .containers()
            .filter(|one| selection.accepts(one))
            .collect()
    } else {
        let keys = context.pick(&selection, &fleet).await?;
        keys.iter().filter_map(|key| fleet.get(key)).collect()
    };
    containers.sort_by(|one, other| {
        (one.severity(), &one.name, &one.key).cmp(&(other.severity(), &other.name, &other.key))
    });
    print(context, &fleet, &containers)?;
    Ok(exit)
}

fn print(context: &Context, fleet: &Fleet, containers: &[&Container]) -> Result<(), Failure> {
    let now = context.clock.now();
    let output = context.output;
    match context.format {
        Format::Name => output.data(&crate::output::lines(
            containers
                .iter()
                .map(|one| context.name_of(&one.key.host, &one.name)),
        )),
        Format::Jsonl => {
            let all: String = containers
                .iter()
                .map(|one| record::line(record::container(one, fleet, now)))
                .collect();
            output.data(&all)
        }
        Format::Json => {
            let all = containers
                .iter()
                .map(|one| Value::Object(record::container(one, fleet, now)))
                .collect();
            let hosts = context
                .targets
                .iter()
                .filter_map(|target| host(target, fleet));
            output.data(&record::document(Map::from_iter([
                ("containers".to_owned(), Value::Array(all)),
                ("hosts".to_owned(), Value::Array(hosts.collect())),
            ])))
        }
        Format::Table | Format::Wide => {
            if containers.is_empty() {
                output.say("no whaleware container here; `ww-ctl ls -a` shows the others");
                return Ok(());
            }
            let wide = context.format == Format::Wide;
            output.data(&table(context, containers, now, wide))
        }
    }
}

/// How a host stands; none of one that was not asked.
fn host(target: &Target, fleet: &Fleet) -> Option<Value> {
    let (status, reason) = match &fleet.host(&target.name)?.status {
        HostStatus::Live => ("live", None),
        HostStatus::Reaching => ("reaching", None),
        HostStatus::Lost { reason, .. } => ("lost", Some(reason)),
    };
    Some(json!({
        "name": *target.name,
        "endpoint": target.endpoint.kind(),
        "address": target.endpoint.at(),
        "status": status,
        "reason": reason,
        "last_answered": last_answer(target),
    }))
}

fn table(context: &Context, containers: &[&Container], now: Stamp, wide: bool) -> String {
    let several = context.has_several_hosts() || wide;
    let mut columns = vec![
        Column::elastic("NAME", 12),
        Column::fixed("STATE"),
        Column::number("FOR"),
        Column::fixed("HEALTH"),
        Column::number("RESTARTS"),
        Column::number("MEM"),
        Column::number("BACKUP"),
        Column::elastic("CAUSE", 8),
        Column::elastic("IMAGE", 8),
    ];
    // Nobody who looks but once sees a share of the processor: it takes two samples.
    let has_cpu = wide || containers.iter().any(|one| cpu(one).is_some());
    if has_cpu {
        columns.insert(CPU, Column::number("CPU"));
    }
    if several {
        columns.push(Column::elastic("HOST", 5));
    }
    if wide {
        columns.push(Column::fixed("ID"));
        columns.push(Column::fixed("DOING"));
    }
    let rows: Vec<Vec<Cell>> = containers
        .iter()
        .map(|one| {
            let mut row = row(one, now, context.output.is_terminal());
            if has_cpu {
                let percent = cpu(one).map(|percent| format!("{percent:.1}%"));
                row.insert(CPU, Cell::plain(percent.unwrap_or_else(|| "–".to_owned())));
            }
            if several {
                row.push(Cell::plain(&*one.key.host));
            }
            if wide {
                let id: String = one.key.id.chars().take(12).collect();
                row.push(Cell::plain(id));
                row.push(Cell::plain(doing(one, now.moment)));
            }
            row
        })
        .collect();
    lines(&columns, &rows, context.output.width(), context.output)
}

fn cpu(one: &Container) -> Option<f64> {
    let live = one.agent.as_ref().filter(|_| one.engine.is_running())?;
    live.resources.as_ref()?.cpu_percent
}

fn row(one: &Container, now: Stamp, glyphs: bool) -> Vec<Cell> {
    let live = one.agent.as_ref().filter(|_| one.engine.is_running());
    let used = live.and_then(|agent| agent.resources.as_ref());
    let unknown = || "–".to_owned();
    let state = one.state().map_or_else(unknown, |state| state.to_string());
    let state = match live.and_then(|agent| agent.running.as_ref()?.0.progress) {
        Some(percent) => format!("{state} {percent}%"),
        None => state,
    };
    let state = if glyphs {
        format!("{} {state}", glyph(one.severity()))
    } else {
        state
    };
    let (health, health_tone) = health(one);
    vec![
        Cell::plain(&one.name),
        Cell::new(state, tone(one.severity())),
        Cell::plain(age(one.age(now.moment))),
        Cell::new(health, health_tone),
        Cell::plain(live.map_or_else(unknown, |agent| agent.restarts.total.to_string())),
        Cell::plain(
            used.and_then(|used| used.memory_bytes)
                .map_or_else(unknown, size),
        ),
        Cell::plain(backed(&one.backed, now)),
        Cell::plain(one.ailment().unwrap_or_else(|| one.cause())),
        Cell::plain(&one.image),
    ]
}

/// What it is busy with: the stage of its stop, the script that runs and what that says of itself, the
/// services that are waited for.
pub(super) fn doing(one: &Container, now: Moment) -> String {
    let Some(agent) = one.agent.as_ref().filter(|_| one.engine.is_running()) else {
        return String::new();
    };
    let mut parts = Vec::new();
    if let Some(stage) = agent.stage() {
        parts.push(format!("stopping: {}", stage_now(stage, now - stage.since)));
    }
    if let Some((run, since)) = &agent.running {
        let words = run_words(run);
        if parts.is_empty() {
            parts.push(format!("{words}, for {}", age(now - *since)));
        } else if words != run.hook {
            // The stage has its name and its time.
            parts.push(words);
        }
    }
    parts.extend(waited_for(agent));
    parts.join(", ")
}

/// The services that are on their way, while it is itself: `waiting for web, queue`.
fn waited_for(agent: &AgentView) -> Option<String> {
    if agent.state == State::Up {
        return None;
    }
    let names: Vec<&str> = agent
        .services
        .iter()
        .map(|one| &one.report)
        .filter(|one| {
            matches!(
                one.status,
                ServiceStatus::Starting | ServiceStatus::Stopping
            )
        })
        .map(|one| one.service.as_str())
        .collect();
    (!names.is_empty()).then(|| format!("waiting for {}", names.join(", ")))
}

/// How old the last good backup is.
fn backed(backed: &Backed, now: Stamp) -> String {
    match backed {
        Backed::Last(last) => age(last.age(now.wall)),
        Backed::Never { .. } => "none".to_owned(),
        Backed::Unknown { .. } => "–".to_owned(),
    }
}

fn health(one: &Container) -> (String, Tone) {
    match one.health() {
        HealthStatus::Unknown => ("–".into(), Tone::Plain),
        HealthStatus::Passing => ("passing".into(), Tone::Good),
        HealthStatus::Failing => {
            let failures = one.agent.as_ref().map_or(0, |agent| agent.health.failures);
            (failing_words(failures), Tone::Bad)
        }
    }
}

/// The colour of how much a container needs a look.
pub(super) const fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Failed | Severity::Sick => Tone::Bad,
        Severity::Restarting | Severity::Starting | Severity::Stopping => Tone::Busy,
        Severity::Good => Tone::Good,
        Severity::Down | Severity::Plain => Tone::Dim,
    }
}

/// The colour of how a service stands.
pub(super) const fn service_tone(status: ServiceStatus) -> Tone {
    match status {
        ServiceStatus::Up => Tone::Good,
        ServiceStatus::Starting | ServiceStatus::Stopping => Tone::Busy,
        ServiceStatus::Waiting => Tone::Bad,
        ServiceStatus::Down | ServiceStatus::Unknown => Tone::Dim,
    }
}

/// The same as a sign, for those who do not see colours.
pub(super) const fn glyph(severity: Severity) -> char {
    match severity {
        Severity::Failed => '✖',
        Severity::Sick => '!',
        Severity::Restarting => '↻',
        Severity::Starting => '↑',
        Severity::Stopping => '↓',
        Severity::Good => '●',
        Severity::Down => '○',
        Severity::Plain => '·',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{at, frame, one, state, up};

    #[test]
    fn on_the_way_down_it_says_its_stage_and_who_is_waited_for() {
        let mut fleet = up();
        let web = |status: &str| {
            format!(
                r#"{{"type":"service","service":"web","status":"{status}","since":"2026-11-22T16:15:00Z"}}"#
            )
        };
        let stage = |name: &str| {
            let line = format!(
                r#"{{"type":"stopping","stage":"{name}","at":"2026-11-22T16:15:00Z","limit_ms":60000}}"#
            );
            frame("a", &line)
        };
        let busy = |fleet: &Fleet, millis| doing(one(fleet), at(millis).moment);
        fleet.apply(frame("a", &web("starting")), at(10));
        assert_eq!(busy(&fleet, 20), "");
        fleet.apply(frame("a", &state(6, "RESTARTING", "SIGHUP")), at(1_000));
        fleet.apply(frame("a", &web("stopping")), at(1_000));
        assert_eq!(busy(&fleet, 2_000), "waiting for web");
        fleet.apply(frame("a", &state(7, "STOPPED", "SIGTERM")), at(3_000));
        fleet.apply(stage("services"), at(3_000));
        assert_eq!(
            busy(&fleet, 8_000),
            "stopping: services 5s of 1m, waiting for web"
        );
        fleet.apply(frame("a", &web("down")), at(9_000));
        fleet.apply(stage("svcdown"), at(9_000));
        let run = r#"{"type":"hook","run":9,"hook":"svcdown","state":"STOPPED","at":"2026-11-22T16:15:01Z","result":"running","duration_ms":0,"progress":50}"#;
        fleet.apply(frame("a", run), at(9_000));
        assert_eq!(
            busy(&fleet, 11_000),
            "stopping: svcdown 2s of 1m, svcdown 50%"
        );
    }
}
