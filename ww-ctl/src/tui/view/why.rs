//! Why a container is not ready, or what was last in its way, on one screen.

use ratatui::text::{Line, Span};
use whaleware::lifecycle::State;
use whaleware::protocol::{HealthStatus, HookResult, HookRun, ServiceStatus};

use super::super::model::Model;
use super::super::msg::Said;
use super::super::operation::command;
use super::super::theme::{Look, Role};
use super::details::{fact, health_line, monitor_value, restarts, services, since};
use super::text::{age, span, took};
use super::{sign, timeline};
use crate::fleet::{
    AgentView, Container, EngineState, HostStatus, Link, previous_words, quiesced_words, run_words,
    stage_now,
};

/// How many of the last lines of output are shown.
const PRINTED: usize = 12;
/// How many lines of what the failing check printed are shown.
const CHECKED: usize = 12;

/// The answer: a verdict, what it waits for, what failed, what led there, what can be
/// done, and what it printed.
pub(super) fn lines(model: &Model, container: &Container, look: Look) -> Vec<Line<'static>> {
    let mut lines = vec![verdict(model, container, look)];
    let mut section = |title: &str, more: Vec<Line<'static>>| {
        if !more.is_empty() {
            lines.push(Line::default());
            if !title.is_empty() {
                lines.push(Line::from(span(title.to_owned(), Role::Heading, look)));
            }
            lines.extend(more);
        }
    };
    section("", reasons(model, container, look));
    section("what its last check printed", checked(container, look));
    section("how it came to this", led(model, container, look));
    section("what can be done", advice(model, container, look));
    section("what it printed last", printed(model, container, look));
    lines
}

/// Whether it is ready, in one sentence.
fn verdict(model: &Model, container: &Container, look: Look) -> Line<'static> {
    let sign = sign::sign(container, model.shown(), look);
    let now = model.clock().moment;
    let lasted = age(container.age(now));
    let name = &container.name;
    let (text, role) = if let Some(since) = model.shown().stale_since(container) {
        let text = format!(
            "nobody knows: {name} was {} when it was last heard, {} ago",
            sign.word,
            age(now - since)
        );
        (text, Role::Warn)
    } else if !container.has_agent {
        let text = format!("{name} has no agent, so nobody can say whether it is ready");
        (text, Role::Plain)
    } else if container.is_healthy() {
        (format!("{name} is ready, for {lasted}"), Role::Good)
    } else if container.state() == Some(State::Up) {
        let text = format!("{name} is up, but its health is failing");
        (text, Role::Warn)
    } else {
        let text = format!("{name} is not ready: {} for {lasted}", sign.word);
        (text, sign::role(sign.severity))
    };
    Line::from(vec![
        span(format!("{} ", sign.glyph), role, look),
        span(text, role, look),
    ])
}

/// What it waits for and what is wrong, each in a line.
fn reasons(model: &Model, container: &Container, look: Look) -> Vec<Line<'static>> {
    let now = model.clock().moment;
    let mut lines = Vec::new();
    let cause = container.cause();
    if !cause.is_empty() {
        lines.push(fact("because", cause, Role::Plain, look));
    }
    if let Some(HostStatus::Lost { reason, .. }) = model
        .shown()
        .host(&container.key.host)
        .map(|host| &host.status)
    {
        let text = format!("{} does not answer: {reason}", container.key.host);
        lines.push(fact("host", text, Role::Warn, look));
    }
    if let Link::Silent { since, reason } = &container.link {
        let text = format!("silent for {}: {reason}", age(now - *since));
        lines.push(fact("agent", text, Role::Warn, look));
    }
    let Some(agent) = &container.agent else {
        return lines;
    };
    if container.engine.is_running() {
        if let Some((run, since)) = &agent.running {
            let text = format!("{} to end, for {}", run_words(run), age(now - *since));
            lines.push(fact("waits for", text, Role::Busy, look));
            if let Some(usual) = usual(agent, run) {
                lines.push(fact("", format!("it took {usual} before"), Role::Dim, look));
            }
        }
        if let Some(stage) = agent.stage() {
            let text = stage_now(stage, now - stage.since);
            lines.push(fact("stopping", text, Role::Busy, look));
        }
        if let Some(quiesced) = &agent.quiesced {
            lines.push(fact("quiesced", quiesced_words(quiesced), Role::Busy, look));
        }
        if agent.health.status == HealthStatus::Failing {
            let (text, role) = health_line(model, container, agent);
            lines.push(fact("health", text, role, look));
        }
        if agent
            .services
            .iter()
            .any(|one| one.report.status != ServiceStatus::Up)
        {
            lines.extend(services(agent, now, look));
        }
    }
    if let Some(run) = failed(agent) {
        let detail = run.detail.as_deref().unwrap_or("it failed");
        let text = format!(
            "{} at {} UTC after {}: {detail}",
            run.hook,
            timeline::clock(run.at),
            took(run.duration_ms)
        );
        lines.push(fact("failed", text, Role::Bad, look));
        if let Some(status) = run.status.as_deref().filter(|status| !status.is_empty()) {
            lines.push(fact(
                "",
                format!("its last word: {status}"),
                Role::Plain,
                look,
            ));
        }
    }
    if agent.restarts.in_a_row > 0 {
        lines.push(restarts(model, container, agent, look));
    }
    let kills = agent
        .resources
        .as_ref()
        .and_then(|resources| resources.oom_kills);
    if let Some(kills) = kills.filter(|kills| *kills > 0) {
        let text = format!("{kills} processes killed for want of memory");
        lines.push(fact("memory", text, Role::Warn, look));
    }
    for limit in &agent.degraded {
        lines.push(fact("degraded", limit, Role::Warn, look));
    }
    lines
}

/// How long the same script took when it last ended well.
fn usual(agent: &AgentView, run: &HookRun) -> Option<String> {
    let mut ended = agent.hooks.iter().rev();
    let before = ended.find(|one| one.hook == run.hook && one.result == HookResult::Ok)?;
    Some(took(before.duration_ms))
}

/// The script that failed last, unless it has ended well since.
fn failed(agent: &AgentView) -> Option<&HookRun> {
    let bad = |run: &&HookRun| matches!(run.result, HookResult::Failed | HookResult::Tolerated);
    let last = agent.hooks.iter().rev().find(bad)?;
    let since = |run: &HookRun| run.hook == last.hook && run.run > last.run;
    let mended = agent
        .hooks
        .iter()
        .any(|run| since(run) && run.result == HookResult::Ok);
    (!mended).then_some(last)
}

fn checked(container: &Container, look: Look) -> Vec<Line<'static>> {
    let monitor = container
        .agent
        .as_ref()
        .filter(|agent| agent.health.status == HealthStatus::Failing)
        .and_then(|agent| agent.monitor.as_ref());
    let mut lines = monitor.map_or_else(Vec::new, |monitor| monitor_value(monitor, look));
    lines.truncate(CHECKED);
    indented(lines)
}

/// The last transitions, and how the boot before ended.
fn led(model: &Model, container: &Container, look: Look) -> Vec<Line<'static>> {
    let Some(agent) = &container.agent else {
        return Vec::new();
    };
    let mut lines = timeline::transitions(agent, model.clock().moment, look);
    // The heading is that of the section.
    lines.remove(0);
    lines.truncate(5);
    if let Some(previous) = &agent.previous {
        let ago = since(model, container, previous.at);
        let text = format!("the boot before {}", previous_words(previous, ago));
        let role = if previous.exit == Some(0) {
            Role::Dim
        } else {
            Role::Warn
        };
        lines.push(Line::from(span(text, role, look)));
    }
    indented(lines)
}

fn printed(model: &Model, container: &Container, look: Look) -> Vec<Line<'static>> {
    let own = model.logs.store().held();
    let own = own.rev().filter(|line| line.key == container.key);
    let lines = own.filter_map(|line| match &line.said {
        Said::Line(text) => Some(Line::from(span(text, Role::Plain, look))),
        Said::Failed(reason) => {
            let text = format!("cannot read its output: {reason}");
            Some(Line::from(span(text, Role::Bad, look)))
        }
        Said::LeftOut(_) | Said::Word(_) => None,
    });
    let mut lines: Vec<_> = lines.take(PRINTED).collect();
    lines.reverse();
    indented(lines)
}

/// Commands that help here; nothing where nothing is wrong.
fn advice(model: &Model, container: &Container, look: Look) -> Vec<Line<'static>> {
    if container.is_healthy() || !container.has_agent {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut advise = |subcommand: &str, why: &str| {
        lines.push(Line::from(vec![
            span(command(subcommand, container, &model.urls), Role::Key, look),
            span(format!("  {why}"), Role::Dim, look),
        ]));
    };
    match container.engine {
        EngineState::Running if container.state() == Some(State::Up) => {
            advise("logs --follow", "what it prints");
            advise("show --history", "this boot and those before it");
            advise("restart", "stops and starts its services");
        }
        EngineState::Running => {
            advise("logs --follow", "what it prints");
            advise("show --history", "this boot and those before it");
            advise("wait", "until it is up");
        }
        EngineState::Paused => {}
        EngineState::Created
        | EngineState::Restarting
        | EngineState::Exited { .. }
        | EngineState::Dead => {
            advise("logs", "what it printed");
            advise("show --history", "how its boots went");
            advise("start", "starts it, and watches until it is up");
        }
    }
    indented(lines)
}

fn indented(lines: Vec<Line<'static>>) -> Vec<Line<'static>> {
    let indent = |mut line: Line<'static>| {
        line.spans.insert(0, Span::raw("  "));
        line
    };
    lines.into_iter().map(indent).collect()
}
