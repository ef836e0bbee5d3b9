//! `show`: everything about one container.

mod evidence;
mod history;
mod kept;
mod page;
mod services;

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use whaleware::lifecycle::Moment;
use whaleware::protocol::{HealthStatus, HistoryEntry, HookResult, HookRun};

pub(super) use self::kept::Keeper;
use self::page::{LINE, Page, uses};
use super::ls::{doing, glyph, tone};
use super::outcome::stages;
use super::{Context, record};
use crate::cli::{Format, Show};
use crate::engine::{Details, Engine, Exits, LogQuery, Scope};
use crate::exit::{Exit, Failure};
use crate::fleet::{
    AgentView, Container, ContainerKey, EngineState, Fleet, Input, Link, Listed, Route, Stamp,
    clean, failing_words, previous_words, quiesced_words, run_words,
};
use crate::output::{Output, Tone};
use crate::units::{age, duration};
use crate::watch::{Plan, ask};

/// So many of the last lines of output are shown.
const LINES: u32 = 10;
/// How long reading them may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest bar of the timeline, in columns.
const BAR: usize = 24;

/// What is known from where.
struct Shown {
    fleet: Fleet,
    container: Container,
    details: Details,
    printed: Vec<String>,
    /// How it ended, by its own word.
    end: Option<HistoryEntry>,
}

impl Shown {
    fn cause(&self) -> String {
        let known = self
            .end
            .as_ref()
            .and_then(|end| ended(&self.container, end));
        known.unwrap_or_else(|| self.container.cause())
    }
}

/// `exited 1, ERROR: service web cannot be started`; none where it is not this end.
fn ended(one: &Container, end: &HistoryEntry) -> Option<String> {
    let EngineState::Exited {
        code: Some(code),
        out_of_memory: false,
    } = one.engine
    else {
        return None;
    };
    let state = end
        .state
        .filter(|_| end.exit.map(i64::from) == Some(code))?;
    let cause = clean(end.cause.as_deref().unwrap_or_default(), LINE);
    let cause = Some(cause).filter(|cause| !cause.is_empty());
    let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
    Some(format!("exited {code}, {state}{cause}"))
}

pub(super) async fn run(context: &Context, arguments: &Show) -> Result<Exit, Failure> {
    let (mut fleet, key) = context.find_one(&arguments.name).await?;
    let engine = context.engine(&key.host).await?;
    if let Some(container) = fleet.get(&key) {
        let keeper = Keeper {
            context,
            engine: &engine,
            container,
        };
        if let Some(index) = arguments.evidence {
            return evidence::run(&keeper, index).await;
        }
        if arguments.history {
            return history::run(&keeper, arguments.lines).await;
        }
    }
    if fleet
        .get(&key)
        .is_some_and(|one| one.has_agent && one.engine == EngineState::Running)
    {
        ask(&engine, &key, &mut fleet, context.clock).await;
    }
    look_for_backups(context, &engine, &key, &mut fleet).await;
    let details = engine.details(&key.id).await?;
    let printed = last_lines(&engine, &key.id, details.tty).await;
    let Some(container) = fleet.get(&key).cloned() else {
        return Err(Failure::new(Exit::Absent, "it was removed meanwhile"));
    };
    let end = if container.has_agent && matches!(container.engine, EngineState::Exited { .. }) {
        let keeper = Keeper {
            context,
            engine: &engine,
            container: &container,
        };
        keeper.last_end(details.hostname.as_deref()).await
    } else {
        None
    };
    let shown = Shown {
        fleet,
        container,
        details,
        printed,
        end,
    };
    let now = context.clock.now();
    let text = match context.format {
        Format::Name => name_line(context, &shown.container),
        Format::Json => record::document(json(&shown, now)),
        Format::Jsonl => record::line(json(&shown, now)),
        Format::Table | Format::Wide => page(&shown, now, engine.time(), context.output),
    };
    context.output.data(&text)?;
    let is_table = matches!(context.format, Format::Table | Format::Wide);
    if is_table && shown.container.has_agent && !shown.container.engine.is_running() {
        let name = &shown.container.name;
        context.output.say(&format!(
            "`ww-ctl show {name} --history` tells how it came to that"
        ));
    }
    Ok(Exit::Done)
}

/// Where nothing at all can be said of them it is not said.
async fn look_for_backups(
    context: &Context,
    engine: &Engine,
    key: &ContainerKey,
    fleet: &mut Fleet,
) {
    let Some(container) = fleet.get(key) else {
        return;
    };
    let mut listed = engine
        .named(Scope::Everything, &container.name)
        .await
        .unwrap_or_default();
    let is_elsewhere = |one: &Listed| one.keeping.vault.is_none() && !one.keeping.data.is_empty();
    // They may be where those have them that share its data.
    if listed.iter().any(is_elsewhere)
        && let Ok(all) = engine.list(Scope::Everything, &mut Exits::default()).await
    {
        listed = all;
    }
    let plan = Plan::new(&listed, |one| one.id == key.id);
    let host = key.host.clone();
    let found = context.backups().find(engine, plan, PATIENCE).await;
    fleet.apply(Input::Backups { host, found }, context.clock.now());
}

/// The name alone.
fn name_line(context: &Context, container: &Container) -> String {
    let name = context.name_of(&container.key.host, &container.name);
    format!("{name}\n")
}

async fn last_lines(engine: &Engine, id: &str, tty: bool) -> Vec<String> {
    let query = LogQuery {
        tail: Some(LINES),
        ..LogQuery::default()
    };
    let lines = engine
        .logs(id, tty, &query)
        .take(2 * LINES as usize)
        .collect::<Vec<_>>();
    // A log driver that cannot be read from is no reason to show nothing at all.
    let lines = tokio::time::timeout(PATIENCE, lines)
        .await
        .unwrap_or_default();
    lines
        .into_iter()
        .filter_map(Result::ok)
        .map(|line| clean(&line.to_text(), LINE))
        .collect()
}

fn json(shown: &Shown, now: Stamp) -> Map<String, Value> {
    let Shown {
        fleet,
        container,
        details,
        printed,
        end: _,
    } = shown;
    let mut fields = record::container(container, fleet, now);
    fields.insert("cause".into(), json!(shown.cause()));
    let agent = container.agent.as_ref();
    let hello = agent.and_then(|agent| agent.hello.as_ref());
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("agent_version", json!(hello.map(|hello| &hello.agent)));
    put("boot", json!(hello.map(|hello| &hello.boot)));
    put("transitions", json!(agent.map(|agent| &agent.transitions)));
    put("hooks", json!(agent.map(|agent| &agent.hooks)));
    put("monitor", json!(agent.map(|agent| &agent.monitor)));
    put("restart_history", json!(agent.map(|agent| &agent.restarts)));
    put("stop", json!(agent.map(|agent| &agent.stop)));
    put("resources", json!(agent.map(|agent| &agent.resources)));
    put("degraded", json!(agent.map(|agent| &agent.degraded)));
    put("stages", agent.map_or(Value::Null, |_| stages(container)));
    put("previous", json!(agent.map(|agent| &agent.previous)));
    put(
        "quiesced",
        json!(live(container).map(|agent| &agent.quiesced)),
    );
    let mounts: Vec<Value> = details
        .mounts
        .iter()
        .map(|one| {
            json!({"target": one.target, "kind": one.kind, "source": one.source, "writable": one.writable})
        })
        .collect();
    let ports: Vec<Value> = details
        .ports
        .iter()
        .map(|one| json!({"inside": one.inside, "outside": one.outside}))
        .collect();
    put("mounts", json!(mounts));
    put("ports", json!(ports));
    put("restart_policy", json!(details.restart_policy));
    put("docker_restarts", json!(details.restart_count));
    put("output", json!(printed));
    fields
}

fn page(shown: &Shown, at: Stamp, clock: Timestamp, output: Output) -> String {
    let one = &shown.container;
    let mut page = Page::new(output);
    let now = at.moment;
    head(&mut page, shown, at, clock);
    if let Some(agent) = &one.agent {
        timeline(&mut page, agent, now);
        if let Some(monitor) = &agent.monitor {
            page.checked(monitor);
        }
        if !agent.services.is_empty() {
            let all = agent.services.iter();
            let all = all.map(|one| (one.report.clone(), now - one.since));
            services::show(&mut page, all);
        }
        restarts(&mut page, agent);
        if !agent.degraded.is_empty() {
            page.heading("Degraded");
            for text in &agent.degraded {
                page.line(&format!("  {text}"));
            }
        }
    }
    surroundings(&mut page, &shown.details);
    if !shown.printed.is_empty() {
        page.heading("Last output");
        for line in &shown.printed {
            page.line(&format!("  {line}"));
        }
    }
    page.into_text()
}

/// `clock` is what the host's clock shows.
fn head(page: &mut Page, shown: &Shown, at: Stamp, clock: Timestamp) {
    let now = at.moment;
    let one = &shown.container;
    let state = match one.state() {
        Some(state) => format!("{} {state}", glyph(one.severity())),
        None => "no agent".into(),
    };
    let state = page.output.paint(&state, tone(one.severity()));
    let name = page.output.paint(&one.name, Tone::Strong);
    page.line(&format!("{name}  {state} for {}", age(one.age(now))));
    page.field("cause", &shown.cause());
    page.field("doing", &doing(one, now));
    page.field("health", &health(one));
    if let Some(quiesced) = live(one).and_then(|agent| agent.quiesced.as_ref()) {
        page.field("quiesced", &quiesced_words(quiesced));
    }
    page.field("image", &one.image);
    let agent = one.agent.as_ref();
    page.field("version", one.version().unwrap_or_default());
    page.field("id", &one.key.id);
    page.field("host", &one.key.host);
    page.field("agent", &reached(one));
    if let Some(previous) = agent.and_then(|agent| agent.previous.as_ref()) {
        let ago = Duration::try_from(clock.duration_since(previous.at)).unwrap_or_default();
        let words = previous_words(previous, ago);
        page.field("before", &format!("the boot before {words}"));
    }
    if let Some(used) = live(one).and_then(|agent| agent.resources.as_ref()) {
        page.field("uses", &uses(used));
    }
    page.field("backup", &one.backed.words(at.wall));
}

/// What the agent of one that runs has told.
fn live(one: &Container) -> Option<&AgentView> {
    one.agent.as_ref().filter(|_| one.engine.is_running())
}

fn health(one: &Container) -> String {
    let Some(agent) = live(one) else {
        return String::new();
    };
    match agent.health.status {
        HealthStatus::Unknown => "unknown, no check has ended yet".into(),
        HealthStatus::Passing => "passing".into(),
        HealthStatus::Failing => {
            let what = one.ailment().map(|what| format!(": {what}"));
            failing_words(agent.health.failures) + &what.unwrap_or_default()
        }
    }
}

fn reached(one: &Container) -> String {
    let version = one
        .agent
        .as_ref()
        .and_then(|agent| agent.hello.as_ref())
        .map_or_else(String::new, |hello| format!("{}, ", hello.agent));
    match &one.link {
        Link::Live {
            route: Route::Direct,
        } => format!("{version}reached through its socket"),
        Link::Live { route: Route::Exec } => format!("{version}reached through docker exec"),
        Link::Silent { reason, .. } => format!("does not answer: {reason}"),
        Link::Reaching { .. } => "being reached".into(),
        Link::None => String::new(),
    }
}

fn timeline(page: &mut Page, agent: &AgentView, now: Moment) {
    page.heading("Timeline");
    let mut longest = 1;
    let mut rows = Vec::new();
    for (index, report) in agent.transitions.iter().enumerate() {
        let lasted = match agent.transitions.get(index + 1) {
            Some(next) => Duration::from_millis(next.lasted_ms),
            None => now - agent.since,
        };
        let is_last = index + 1 == agent.transitions.len();
        // How long it has been UP says nothing of how long it took to get there.
        if !is_last {
            longest = longest.max(lasted.as_millis());
        }
        rows.push((report, lasted, is_last));
    }
    for (report, lasted, is_last) in rows {
        let bar = if is_last {
            String::new()
        } else {
            bar(lasted.as_millis(), longest)
        };
        let text = format!(
            "  {}  {:<10}  {:>8}  {bar:<BAR$}  {}",
            clock(report.at),
            report.state,
            duration(lasted),
            report.cause
        );
        page.line(&text);
        for run in agent
            .hooks
            .iter()
            .filter(|run| run.state == report.state && belongs(agent, run, report.number))
        {
            let line = hook(run);
            page.line(&line);
        }
    }
    if let Some((run, since)) = &agent.running {
        let words = run_words(run);
        let lasts = duration(now - *since);
        page.line(&format!("            {words}, for {lasts}"));
    }
}

/// A script belongs to the last transition that was not after its begin.
fn belongs(agent: &AgentView, run: &HookRun, number: u64) -> bool {
    agent
        .transitions
        .iter()
        .rev()
        .find(|report| report.at <= run.at && report.state == run.state)
        .is_some_and(|report| report.number == number)
}

fn hook(run: &HookRun) -> String {
    let how = match run.result {
        HookResult::Ok => String::new(),
        HookResult::Running => "runs".into(),
        HookResult::Failed => "failed".into(),
        HookResult::Tolerated => "failed, taken for done".into(),
        HookResult::Cut => "cut short".into(),
        HookResult::Missing => "no such script".into(),
        HookResult::Unknown => "?".into(),
    };
    let detail = run.detail.as_deref().unwrap_or_default();
    let how = match (how.is_empty(), detail.is_empty()) {
        (_, true) => how,
        (true, false) => detail.to_owned(),
        (false, false) => format!("{how}: {detail}"),
    };
    let took = duration(Duration::from_millis(run.duration_ms));
    format!("            {:<10}  {took:>8}  {how}", run.hook)
}

fn bar(length: u128, longest: u128) -> String {
    let columns = length
        .saturating_mul(BAR as u128)
        .checked_div(longest)
        .and_then(|columns| usize::try_from(columns).ok())
        .unwrap_or(BAR);
    "▇".repeat(columns.clamp(usize::from(length > 0), BAR))
}

fn clock(at: jiff::Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

fn restarts(page: &mut Page, agent: &AgentView) {
    let restarts = &agent.restarts;
    if restarts.total == 0 {
        return;
    }
    page.heading("Restarts");
    let limit = match restarts.max {
        0 => "no limit".to_owned(),
        max => format!("ERROR after {max} in a row"),
    };
    page.line(&format!(
        "  {} in this boot, {} in a row nobody asked for ({limit})",
        restarts.total, restarts.in_a_row
    ));
    if let (Some(at), Some(cause)) = (&restarts.last, &restarts.cause) {
        page.line(&format!("  last {at:.0}: {cause}"));
    }
}

fn surroundings(page: &mut Page, details: &Details) {
    if !details.mounts.is_empty() {
        page.heading("Mounts");
        for one in &details.mounts {
            let access = if one.writable { "" } else { " (read-only)" };
            let line = format!("  {}  {} {}{access}", one.target, one.kind, one.source);
            page.line(&line);
        }
    }
    if !details.ports.is_empty() {
        page.heading("Ports");
        for one in &details.ports {
            let outside = match one.outside.as_slice() {
                [] => "not published".to_owned(),
                several => several.join(", "),
            };
            page.line(&format!("  {}  {outside}", one.inside));
        }
    }
    page.heading("Docker");
    page.line(&format!(
        "  restart policy {}, restarted {} times by Docker",
        details.restart_policy, details.restart_count
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{EXITED, one, unheard};

    #[test]
    fn a_stopped_one_says_why_where_it_is_the_same_end() {
        let end = |code: i32| -> HistoryEntry {
            serde_json::from_str(&format!(
                r#"{{"at":"2026-11-22T03:00:00Z","boot":"a","event":"exit","state":"ERROR","cause":"service web cannot be started","exit":{code}}}"#
            ))
            .unwrap()
        };
        let fleet = unheard(EXITED);
        assert_eq!(
            ended(one(&fleet), &end(1)).unwrap(),
            "exited 1, ERROR: service web cannot be started"
        );
        assert_eq!(ended(one(&fleet), &end(0)), None);
    }

    #[test]
    fn bars_are_in_proportion_and_never_vanish() {
        assert_eq!(bar(100, 100).chars().count(), BAR);
        assert_eq!(bar(50, 100).chars().count(), BAR / 2);
        assert_eq!(bar(1, 1_000_000).chars().count(), 1);
        assert_eq!(bar(0, 100), "");
    }
}
