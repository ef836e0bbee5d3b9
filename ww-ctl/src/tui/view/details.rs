//! The details of the container under the cursor.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::text::{Line, Span};
use whaleware::lifecycle::Moment;
use whaleware::protocol::{HealthStatus, HookRun, MonitorReport, ServiceStatus};

use super::super::configuration::{Configuration, Life, Setting};
use super::super::filter::health_word;
use super::super::history::{self, Gauge};
use super::super::model::{Focus, Model, Tab};
use super::super::theme::{Look, Role};
use super::layout::Areas;
use super::text::{age, beside, bytes, cut_line, left, percent, span, took, width};
use super::{graph, health, logs, sign, timeline, tree, why};
use crate::fleet::{
    AgentView, Container, EngineState, Link, Route, Service, previous_words, quiesced_words,
    service_word, service_words, stage_now,
};

/// From so many columns on there are two blocks side by side.
const WIDE: usize = 110;
/// From so many columns on every tab has its name.
const NAMED_TABS: usize = 84;
/// From so many columns on every tab has its number. Below, the name of the container is worth more.
const NUMBERED_TABS: usize = 44;
/// From so many columns on the open tab has its name.
const NAMED_TAB: usize = 24;
/// The columns of a label.
const LABEL: usize = 11;

/// Draws tabs and content.
pub(super) fn draw(model: &Model, areas: &Areas, look: Look, frame: &mut Frame<'_>) {
    tabs(model, areas, look, frame);
    if model.tab == Tab::Logs && model.selected().is_some() {
        let (lines, above, below) = logs::lines(model, areas.details, look);
        super::paragraph(&lines, areas.details, look, frame);
        super::more(above > 0, below > 0, areas.details, look, frame);
        return;
    }
    let lines = content(model, look, usize::from(areas.details.width));
    let scroll = match model.focus {
        Focus::Table => 0,
        Focus::Pane { scroll } | Focus::Full { scroll } => scroll,
    };
    super::scrolled(&lines, scroll, areas.details, look, frame);
}

/// What stands before the tabs: whose details they are.
fn owner(model: &Model, columns: usize, look: Look) -> Vec<Span<'static>> {
    let mut spans = vec![span(look.glyphs().rule, Role::Dim, look), Span::raw(" ")];
    if let Some(container) = model.selected() {
        let role = match model.focus {
            Focus::Table => Role::Plain,
            Focus::Pane { .. } | Focus::Full { .. } => Role::Strong,
        };
        let tabs = Tab::ALL.map(|tab| width(&label(model, tab, columns)));
        let room = columns.saturating_sub(tabs.iter().sum::<usize>() + 4);
        let several = model.logs.keys().len();
        let several =
            (model.tab == Tab::Logs && several > 1).then(|| format!("{several} containers"));
        let name = several.as_deref().unwrap_or(&container.name);
        spans.push(span(super::text::cut(name, room, look), role, look));
        spans.push(Span::raw("  "));
    }
    spans
}

/// What a tab is called; where there is no room the name of the open one must do, or its number, and
/// the others have none.
fn label(model: &Model, tab: Tab, columns: usize) -> String {
    let is_open = tab == model.tab;
    if columns >= NAMED_TABS || is_open && columns >= NAMED_TAB {
        // Lines that stand still are not taken for the last ones.
        let news = model.logs.news().filter(|_| tab == Tab::Logs);
        let news = news.map_or_else(String::new, |news| format!("+{news} "));
        format!(" {} {} {news}", tab.number(), tab.name())
    } else if columns >= NUMBERED_TABS || is_open {
        format!(" {} ", tab.number())
    } else {
        String::new()
    }
}

/// The tab at a column of the screen.
pub(super) fn tab_at(model: &Model, x: usize) -> Option<Tab> {
    model.selected()?;
    let columns = usize::from(model.size.0);
    let before = owner(model, columns, Look::PLAIN);
    let mut from: usize = before.iter().map(|span| width(&span.content)).sum();
    for tab in Tab::ALL {
        let wide = width(&label(model, tab, columns));
        if (from..from + wide).contains(&x) {
            return Some(tab);
        }
        from += wide;
    }
    None
}

fn tabs(model: &Model, areas: &Areas, look: Look, frame: &mut Frame<'_>) {
    let columns = usize::from(areas.tabs.width);
    let mut spans = Vec::new();
    if model.selected().is_some() {
        spans = owner(model, columns, look);
        for tab in Tab::ALL {
            let role = if tab == model.tab {
                Role::Banner
            } else {
                Role::Dim
            };
            spans.push(span(label(model, tab, columns), role, look));
        }
    }
    let of = |spans: &[Span<'_>]| spans.iter().map(|span| width(&span.content)).sum::<usize>();
    let notes = logs::notes(model, look);
    let rule = columns.saturating_sub(of(&spans) + of(&notes));
    spans.push(span(look.glyphs().rule.repeat(rule), Role::Dim, look));
    spans.extend(notes);
    super::paragraph(&[Line::from(spans)], areas.tabs, look, frame);
}

/// The lines of the tab that is open.
pub(super) fn content(model: &Model, look: Look, columns: usize) -> Vec<Line<'static>> {
    let Some(container) = model.selected() else {
        return Vec::new();
    };
    let columns = columns.saturating_sub(2);
    let lines = match model.tab {
        Tab::Summary => summary(model, container, columns, look),
        Tab::Timeline => history(model, container, columns, look),
        // Only what is seen of them is made.
        Tab::Logs => Vec::new(),
        Tab::Health => health::lines(model, container, columns, look),
        Tab::Configuration => configuration(model, container, columns, look),
        Tab::Why => why::lines(model, container, look),
    };
    lines
        .into_iter()
        .map(|mut line| {
            line.spans.insert(0, Span::raw(" "));
            line
        })
        .collect()
}

fn summary(model: &Model, container: &Container, columns: usize, look: Look) -> Vec<Line<'static>> {
    let facts = facts(model, container, columns, look);
    let monitor = container
        .agent
        .as_ref()
        .and_then(|agent| agent.monitor.as_ref());
    let Some(monitor) = monitor else {
        return facts;
    };
    let mut said = vec![Line::from(span("last monitor", Role::Heading, look))];
    said.extend(monitor_value(monitor, look));
    if columns >= WIDE {
        let half = columns * 3 / 5;
        beside(facts, said, half, look)
    } else {
        let mut lines = facts;
        lines.push(Line::default());
        lines.extend(said);
        lines
    }
}

pub(super) fn fact(label: &str, text: impl Into<String>, role: Role, look: Look) -> Line<'static> {
    Line::from(vec![
        span(left(label, LABEL, look), Role::Dim, look),
        span(text, role, look),
    ])
}

fn facts(model: &Model, container: &Container, columns: usize, look: Look) -> Vec<Line<'static>> {
    let now = model.clock().moment;
    let agent = container.agent.as_ref();
    let mut lines = vec![state(model, container, now, look)];
    if let Some(agent) = agent {
        if container.engine.is_running() {
            let (text, role) = health_line(model, container, agent);
            lines.push(fact("health", text, role, look));
            if let Some(stage) = agent.stage() {
                let text = stage_now(stage, now - stage.since);
                lines.push(fact("stopping", text, Role::Busy, look));
            }
            if let Some(quiesced) = &agent.quiesced {
                lines.push(fact("quiesced", quiesced_words(quiesced), Role::Busy, look));
            }
            if let Some((run, since)) = &agent.running {
                let text = format!("{} for {}", run.hook, age(now - *since));
                lines.push(fact("running", text, Role::Busy, look));
                lines.extend(said(run, look));
            }
            lines.extend(services(agent, now, look));
        }
        if let Some(boot) = timeline::boot(agent, now, look) {
            lines.push(fact("boot", boot, Role::Plain, look));
        }
        lines.push(restarts(model, container, agent, look));
        if let Some(uses) = uses(agent, look).filter(|_| container.engine.is_running()) {
            lines.push(fact("uses", uses, Role::Plain, look));
            lines.extend(graphs(model, container, columns, look));
        }
    }
    let backed = container.backed.words(model.clock().wall);
    if !backed.is_empty() {
        lines.push(fact("backup", backed, Role::Plain, look));
    }
    lines.push(fact("image", &container.image, Role::Plain, look));
    if let Some(version) = agent.and_then(|agent| agent.version.as_ref()) {
        lines.push(fact("version", version, Role::Plain, look));
    }
    if let Some(previous) = agent.and_then(|agent| agent.previous.as_ref()) {
        let ago = since(model, container, previous.at);
        let role = if previous.exit == Some(0) {
            Role::Plain
        } else {
            Role::Warn
        };
        lines.push(fact("before", previous_words(previous, ago), role, look));
    }
    lines.push(fact(
        "container",
        identity(model, container),
        Role::Plain,
        look,
    ));
    lines.push(reached(container, now, look));
    for limit in agent.map_or(&[][..], |agent| &agent.degraded) {
        lines.push(fact("degraded", limit, Role::Warn, look));
    }
    for (index, (key, value)) in container.labels.iter().take(32).enumerate() {
        let label = if index == 0 { "labels" } else { "" };
        lines.push(fact(label, format!("{key}={value}"), Role::Dim, look));
    }
    lines
}

fn state(model: &Model, container: &Container, now: Moment, look: Look) -> Line<'static> {
    let sign = sign::sign(container, model.shown(), look);
    let mut spans = vec![
        span(left("state", LABEL, look), Role::Dim, look),
        span(
            format!("{} {}", sign.glyph, sign.word),
            sign::role(sign.severity),
            look,
        ),
        span(
            format!(" for {}", age(container.age(now))),
            Role::Plain,
            look,
        ),
    ];
    let cause = container.cause();
    if !cause.is_empty() {
        spans.push(span(format!(", {cause}"), Role::Plain, look));
    }
    if let Some(since) = model.shown().stale_since(container) {
        spans.push(span(
            format!(", last heard {} ago", age(now - since)),
            Role::Warn,
            look,
        ));
    }
    Line::from(spans)
}

pub(super) fn health_line(
    model: &Model,
    container: &Container,
    agent: &AgentView,
) -> (String, Role) {
    let report = &agent.health;
    let mut text = health_word(report.status).to_owned();
    if report.status == HealthStatus::Failing {
        let _ = write!(text, " {} in a row", report.failures);
    }
    if let Some(detail) = &report.detail {
        let _ = write!(text, ", {detail}");
    }
    match (&agent.monitor, report.at) {
        (Some(monitor), _) => {
            let ago = ago(model, container, monitor.at);
            let _ = write!(text, ", checked {ago} ago in {}", took(monitor.duration_ms));
        }
        (None, Some(at)) => {
            let _ = write!(text, ", checked {} ago", ago(model, container, at));
        }
        (None, None) => text.push_str(", not checked yet"),
    }
    let role = match report.status {
        HealthStatus::Failing => Role::Warn,
        HealthStatus::Unknown | HealthStatus::Passing => Role::Plain,
    };
    (text, role)
}

/// What a script says of itself, where it says something.
fn said(run: &HookRun, look: Look) -> Option<Line<'static>> {
    let percent = run.progress.map(|percent| format!("{percent}%"));
    let status = run.status.clone().filter(|status| !status.is_empty());
    let parts: Vec<String> = percent.into_iter().chain(status).collect();
    (!parts.is_empty()).then(|| fact("", parts.join(" "), Role::Busy, look))
}

/// The services, a line each.
pub(super) fn services(agent: &AgentView, now: Moment, look: Look) -> Vec<Line<'static>> {
    let line = |(index, one): (usize, &Service)| {
        let report = &one.report;
        let label = if index == 0 { "services" } else { "" };
        let word = service_word(report.status);
        let mut text = format!("{} {word} for {}", report.service, age(now - one.since));
        let more = service_words(report);
        if !more.is_empty() {
            let _ = write!(text, ", {more}");
        }
        let role = match report.status {
            ServiceStatus::Waiting => Role::Warn,
            ServiceStatus::Starting | ServiceStatus::Stopping => Role::Busy,
            ServiceStatus::Up => Role::Plain,
            ServiceStatus::Down | ServiceStatus::Unknown => Role::Dim,
        };
        fact(label, text, role, look)
    };
    agent.services.iter().enumerate().map(line).collect()
}

/// How long ago something was, by the clock of the container's host.
fn ago(model: &Model, container: &Container, at: Timestamp) -> String {
    age(since(model, container, at))
}

pub(super) fn since(model: &Model, container: &Container, at: Timestamp) -> Duration {
    let skew = model
        .shown()
        .host(&container.key.host)
        .map(|host| host.skew)
        .unwrap_or_default();
    let ago = model.clock().wall.duration_since(at).saturating_add(skew);
    Duration::try_from(ago).unwrap_or_default()
}

pub(super) fn restarts(
    model: &Model,
    container: &Container,
    agent: &AgentView,
    look: Look,
) -> Line<'static> {
    let restarts = &agent.restarts;
    if restarts.total == 0 {
        return fact("restarts", "none", Role::Plain, look);
    }
    let mut text = restarts.total.to_string();
    if restarts.in_a_row > 0 {
        let limit = match restarts.max {
            0 => String::new(),
            max => format!(" of at most {max}"),
        };
        let _ = write!(text, ", {}{limit} in a row", restarts.in_a_row);
    }
    if let Some(last) = restarts.last {
        let _ = write!(text, ", the last {} ago", ago(model, container, last));
    }
    if let Some(cause) = &restarts.cause {
        let _ = write!(text, ": {cause}");
    }
    fact("restarts", text, Role::Plain, look)
}

fn uses(agent: &AgentView, look: Look) -> Option<String> {
    let resources = agent.resources.as_ref()?;
    let none = look.glyphs().none;
    let cpu = resources.cpu_percent.map_or_else(|| none.into(), percent);
    let memory = resources.memory_bytes.map_or_else(|| none.into(), bytes);
    let mut text = format!("CPU {cpu}, memory {memory}");
    if let Some(limit) = resources.memory_limit {
        let _ = write!(text, " of {}", bytes(limit));
    }
    if let Some(pids) = resources.pids {
        let _ = write!(text, ", {pids} processes and threads");
    }
    if let Some(kills) = resources.oom_kills.filter(|kills| *kills > 0) {
        let _ = write!(text, ", {kills} killed for want of memory");
    }
    Some(text)
}

/// What it used lately, as bars; nothing before there is more than one figure.
fn graphs(model: &Model, container: &Container, columns: usize, look: Look) -> Vec<Line<'static>> {
    let Some(past) = model.past(&container.key) else {
        return Vec::new();
    };
    let now = model.clock().moment;
    let half = if columns >= WIDE {
        columns * 3 / 5
    } else {
        columns
    };
    let room = half.saturating_sub(LABEL + 22).clamp(1, 60);
    let height = match model.focus {
        Focus::Full { .. } => 3,
        Focus::Table | Focus::Pane { .. } => 1,
    };
    let minutes = history::REACH.as_secs() / 60;
    let mut lines = Vec::new();
    for (gauge, name) in [(Gauge::Cpu, "CPU"), (Gauge::Memory, "memory")] {
        let figures = past.spans(gauge, now, room);
        if figures.iter().flatten().count() < 2 {
            continue;
        }
        let most = figures.iter().flatten().copied().fold(0.0, f32::max);
        let told = match gauge {
            Gauge::Cpu => percent(most.into()),
            Gauge::Memory => mebibytes(most),
        };
        for (index, bar) in graph::bars(&figures, most, height, look)
            .into_iter()
            .enumerate()
        {
            let (label, note) = if index == 0 {
                (format!("{name} {minutes}m"), format!("  at most {told}"))
            } else {
                (String::new(), String::new())
            };
            lines.push(Line::from(vec![
                span(left(&label, LABEL, look), Role::Dim, look),
                span(bar, Role::Busy, look),
                span(note, Role::Dim, look),
            ]));
        }
    }
    lines
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure of memory is never below nothing, and is told in three digits"
)]
fn mebibytes(figure: f32) -> String {
    bytes((f64::from(figure) * 1_048_576.0) as u64)
}

fn identity(model: &Model, container: &Container) -> String {
    let id: String = container.key.id.chars().take(12).collect();
    let mut text = format!("{id} on {}", container.key.host);
    match (container.engine, container.started) {
        (EngineState::Running | EngineState::Paused, Some(started)) => {
            let _ = write!(text, ", started {} ago", ago(model, container, started));
        }
        (
            EngineState::Created
            | EngineState::Running
            | EngineState::Paused
            | EngineState::Restarting
            | EngineState::Exited { .. }
            | EngineState::Dead,
            _,
        ) => {
            if let Some(finished) = container.finished {
                let _ = write!(text, ", ended {} ago", ago(model, container, finished));
            } else if let Some(created) = container.created {
                let _ = write!(text, ", created {} ago", ago(model, container, created));
            }
        }
    }
    text
}

fn reached(container: &Container, now: Moment, look: Look) -> Line<'static> {
    let version = container
        .agent
        .as_ref()
        .and_then(|agent| agent.hello.as_ref())
        .map(|hello| format!("{}, ", hello.agent))
        .unwrap_or_default();
    let (text, role) = match &container.link {
        Link::None if container.has_agent => ("not running".to_owned(), Role::Dim),
        Link::None => ("none in this image".into(), Role::Dim),
        Link::Reaching { since } => (
            format!("{version}being reached for {}", age(now - *since)),
            Role::Busy,
        ),
        Link::Live {
            route: Route::Direct,
        } => (format!("{version}reached directly"), Role::Plain),
        Link::Live { route: Route::Exec } => {
            (format!("{version}reached through docker exec"), Role::Plain)
        }
        Link::Silent { since, reason } => (
            format!("{version}silent for {}: {reason}", age(now - *since)),
            Role::Warn,
        ),
    };
    fact("agent", text, role, look)
}

fn history(model: &Model, container: &Container, columns: usize, look: Look) -> Vec<Line<'static>> {
    let Some(agent) = &container.agent else {
        let text = match (container.has_agent, container.engine.is_running()) {
            (false, _) => "no agent in this image, so no life cycle to show".to_owned(),
            (true, true) => "its agent has not told of this boot yet".into(),
            (true, false) => format!(
                "it ended before this dashboard began to watch; its output is in tab {}",
                Tab::Logs.number()
            ),
        };
        return vec![Line::from(span(text, Role::Dim, look))];
    };
    let now = model.clock().moment;
    let transitions = timeline::transitions(agent, now, look);
    if columns >= WIDE {
        let half = columns * 3 / 5;
        let bars = timeline::bars(agent, now, half, look);
        beside(bars, transitions, half, look)
    } else {
        let mut lines = timeline::bars(agent, now, columns, look);
        lines.push(Line::default());
        lines.extend(transitions);
        lines
    }
}

/// Each value with the layer it comes from, in columns.
fn configuration(
    model: &Model,
    container: &Container,
    columns: usize,
    look: Look,
) -> Vec<Line<'static>> {
    let say = |text: String, role| vec![Line::from(span(text, role, look))];
    let Some(wanted) = Life::selected(model) else {
        let why = if container.has_agent {
            "only a running agent knows its configuration"
        } else {
            "it has no agent, so no configuration of ours"
        };
        return say(why.into(), Role::Dim);
    };
    let settings = match &model.configuration {
        Configuration::Known { life, settings, .. } if *life == wanted => settings,
        Configuration::Unread | Configuration::Asked { .. } | Configuration::Known { .. } => {
            let text = format!("asking its agent {}", look.glyphs().more);
            return say(text, Role::Dim);
        }
    };
    let settings = match settings {
        Ok(settings) if settings.is_empty() => {
            return say(
                "no layer sets anything: all is as built in".into(),
                Role::Dim,
            );
        }
        Ok(settings) => settings,
        Err(reason) => {
            return say(
                format!("cannot read its configuration: {reason}"),
                Role::Bad,
            );
        }
    };
    let longest = |of: fn(&Setting) -> &str| {
        let widths = settings.iter().map(|setting| width(of(setting)));
        widths.max().unwrap_or(0)
    };
    let layer = longest(|setting| &setting.layer).min(columns / 3);
    let path = longest(|setting| &setting.path).min(columns / 3);
    let value = columns.saturating_sub(path + layer + 4);
    let lines = settings.iter().map(|setting| {
        Line::from(vec![
            span(left(&setting.path, path, look), Role::Dim, look),
            Span::raw("  "),
            span(left(&setting.value, value, look), Role::Plain, look),
            Span::raw("  "),
            span(left(&setting.layer, layer, look), Role::Dim, look),
        ])
    });
    lines.collect()
}

pub(super) fn monitor_value(monitor: &MonitorReport, look: Look) -> Vec<Line<'static>> {
    let mut lines = match (&monitor.value, &monitor.text) {
        (Some(value), _) => tree::lines(value, look),
        (None, Some(text)) => vec![Line::from(span(text, Role::Plain, look))],
        (None, None) => vec![Line::from(span("printed nothing", Role::Dim, look))],
    };
    if monitor.truncated {
        lines.push(Line::from(span("cut: it printed more", Role::Dim, look)));
    }
    lines
        .into_iter()
        .map(|line| cut_line(line, 400, look))
        .collect()
}
