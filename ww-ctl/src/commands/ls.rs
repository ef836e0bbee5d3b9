//! `ls`: one line a container, the worst first.

use serde_json::{Map, Value};
use whaleware::lifecycle::Moment;
use whaleware::protocol::{HealthStatus, ServiceStatus};

use super::{Context, record};
use crate::cli::{Format, Ls};
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, Fleet, Severity, failing_words, run_words};
use crate::output::Tone;
use crate::selection::Selection;
use crate::table::{Cell, Column, lines};
use crate::units::{age, size};

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
    let (fleet, exit) = context.look(scope).await?;
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
    let now = context.clock.now().moment;
    let output = context.output;
    match context.format {
        Format::Name => output.data(&crate::output::lines(
            containers.iter().map(|one| one.name.clone()),
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
            output.data(&record::document(Map::from_iter([(
                "containers".to_owned(),
                Value::Array(all),
            )])))
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

fn table(context: &Context, containers: &[&Container], now: Moment, wide: bool) -> String {
    let several = context.has_several_hosts() || wide;
    let mut columns = vec![
        Column::elastic("NAME", 12),
        Column::fixed("STATE"),
        Column::number("FOR"),
        Column::fixed("HEALTH"),
        Column::number("RESTARTS"),
        Column::number("MEM"),
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
                row.push(Cell::plain(doing(one, now)));
            }
            row
        })
        .collect();
    let width = if wide { None } else { context.output.width() };
    lines(&columns, &rows, width, context.output)
}

fn cpu(one: &Container) -> Option<f64> {
    let live = one.agent.as_ref().filter(|_| one.engine.is_running())?;
    live.resources.as_ref()?.cpu_percent
}

fn row(one: &Container, now: Moment, glyphs: bool) -> Vec<Cell> {
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
        Cell::plain(age(one.age(now))),
        Cell::new(health, health_tone),
        Cell::plain(live.map_or_else(unknown, |agent| agent.restarts.total.to_string())),
        Cell::plain(
            used.and_then(|used| used.memory_bytes)
                .map_or_else(unknown, size),
        ),
        Cell::plain(one.ailment().unwrap_or_else(|| one.cause())),
        Cell::plain(&one.image),
    ]
}

/// What it is busy with: the script that runs and what that says of itself.
pub(super) fn doing(one: &Container, now: Moment) -> String {
    let live = one.agent.as_ref().filter(|_| one.engine.is_running());
    match live.and_then(|agent| agent.running.as_ref()) {
        Some((run, since)) => format!("{}, for {}", run_words(run), age(now - *since)),
        None => String::new(),
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
