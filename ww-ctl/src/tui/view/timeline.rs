//! A boot and its restarts as bars.

use jiff::{SignedDuration, Timestamp};
use ratatui::text::{Line, Span};
use std::fmt::Write as _;
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{HookResult, HookRun, TransitionReport};

use super::super::theme::{Look, Role};
use super::text::{age, left, right, span, took};
use crate::fleet::AgentView;

/// The columns around the bars: script, duration, result.
const SCRIPT: usize = 11;
const TOOK: usize = 7;
const RESULT: usize = 11;

/// What scripts run for, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Boot,
    Restart,
    Stop,
}

/// Scripts that run for one purpose, one after the other.
struct Episode<'a> {
    purpose: Purpose,
    runs: Vec<(&'a HookRun, u64)>,
}

/// The episodes of this boot as bars, the latest first.
pub(super) fn bars(
    agent: &AgentView,
    now: Moment,
    columns: usize,
    look: Look,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for episode in episodes(agent, now).iter().rev() {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(title(episode, agent, look));
        lines.extend(chart(episode, columns, look));
    }
    if lines.is_empty() {
        lines.push(Line::from(span("no script has run yet", Role::Dim, look)));
    }
    lines
}

/// What the boot took, script by script, in one line.
pub(super) fn boot(agent: &AgentView, now: Moment, look: Look) -> Option<String> {
    let episodes = episodes(agent, now);
    let boot = episodes
        .iter()
        .find(|episode| episode.purpose == Purpose::Boot)?;
    let parts: Vec<String> = boot
        .runs
        .iter()
        .filter(|(run, _)| run.result != HookResult::Missing)
        .map(|(run, millis)| format!("{} {}", run.hook, took(*millis)))
        .collect();
    if parts.is_empty() {
        return None;
    }
    let dot = format!(" {} ", look.glyphs().dot);
    Some(parts.join(&dot))
}

/// The transitions of this boot, the latest first.
pub(super) fn transitions(agent: &AgentView, now: Moment, look: Look) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(span(
        "transitions (UTC, lasted)",
        Role::Heading,
        look,
    ))];
    let mut next: Option<&TransitionReport> = None;
    for report in agent.transitions.iter().rev() {
        let lasted = next.map_or_else(|| age(now - agent.since), |next| took(next.lasted_ms));
        lines.push(Line::from(vec![
            span(clock(report.at), Role::Dim, look),
            Span::raw("  "),
            span(
                left(report.state.name(), 10, look),
                state_role(report.state),
                look,
            ),
            Span::raw(" "),
            span(right(&lasted, TOOK, look), Role::Plain, look),
            Span::raw("  "),
            span(&report.cause, Role::Dim, look),
        ]));
        next = Some(report);
    }
    lines
}

const fn state_role(state: State) -> Role {
    match state {
        State::Error => Role::Bad,
        State::Restarting => Role::Warn,
        State::Up => Role::Good,
        State::Dockerup
        | State::Boot
        | State::Firstboot
        | State::Upgrading
        | State::Warmup
        | State::Stopped
        | State::Dockerdown => Role::Plain,
    }
}

/// The time of day.
pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

fn purpose(run: &HookRun) -> Purpose {
    match run.state {
        State::Restarting => Purpose::Restart,
        State::Stopped | State::Error | State::Dockerdown => Purpose::Stop,
        State::Dockerup
        | State::Boot
        | State::Firstboot
        | State::Upgrading
        | State::Warmup
        | State::Up => Purpose::Boot,
    }
}

/// The scripts with how long they took, or have taken so far.
fn episodes(agent: &AgentView, now: Moment) -> Vec<Episode<'_>> {
    let ended = agent.hooks.iter().map(|run| (run, run.duration_ms));
    let running = agent.running.as_ref().map(|(run, since)| {
        let millis = u64::try_from((now - *since).as_millis()).unwrap_or(u64::MAX);
        (run, millis)
    });
    let mut episodes: Vec<Episode<'_>> = Vec::new();
    for (run, millis) in ended.chain(running) {
        let purpose = purpose(run);
        let goes_on = episodes.last().is_some_and(|last| {
            last.purpose == purpose && !(purpose == Purpose::Restart && run.hook == "svcdown")
        });
        if !goes_on {
            episodes.push(Episode {
                purpose,
                runs: Vec::new(),
            });
        }
        if let Some(episode) = episodes.last_mut() {
            episode.runs.push((run, millis));
        }
    }
    episodes
}

impl Episode<'_> {
    fn begun(&self) -> Option<Timestamp> {
        self.runs.first().map(|(run, _)| run.at)
    }

    /// How long after the beginning a time is, in milliseconds.
    fn after(&self, at: Timestamp) -> u64 {
        let begun = self.begun().unwrap_or(at);
        let after = at.duration_since(begun).max(SignedDuration::ZERO);
        u64::try_from(after.as_millis()).unwrap_or(0)
    }

    /// How long it took, or has taken so far, in milliseconds.
    fn span(&self) -> u64 {
        let ends = self
            .runs
            .iter()
            .map(|(run, millis)| self.after(run.at).saturating_add(*millis));
        ends.max().unwrap_or(0)
    }

    fn is_running(&self) -> bool {
        self.runs
            .iter()
            .any(|(run, _)| run.result == HookResult::Running)
    }
}

fn title(episode: &Episode<'_>, agent: &AgentView, look: Look) -> Line<'static> {
    let begun = episode.begun();
    let state = match episode.purpose {
        Purpose::Boot => None,
        Purpose::Restart => Some(State::Restarting),
        Purpose::Stop => Some(State::Stopped),
    };
    let cause = agent
        .transitions
        .iter()
        .rev()
        .find(|report| Some(report.state) == state && begun.is_some_and(|begun| report.at <= begun))
        .map(|report| report.cause.as_str())
        .filter(|cause| !cause.is_empty());
    let word = match episode.purpose {
        Purpose::Boot => "boot",
        Purpose::Restart => "restart",
        Purpose::Stop => "stop",
    };
    let mut text = word.to_owned();
    if let Some(begun) = begun {
        let _ = write!(text, " at {}", clock(begun));
    }
    let _ = if episode.is_running() {
        write!(text, ", so far {}s", episode.span() / 1000)
    } else {
        write!(text, ", {}", took(episode.span()))
    };
    let mut spans = vec![span(text, Role::Strong, look)];
    if let Some(cause) = cause {
        spans.push(span(format!(", {cause}"), Role::Plain, look));
    }
    Line::from(spans)
}

fn chart(episode: &Episode<'_>, columns: usize, look: Look) -> Vec<Line<'static>> {
    let track = columns
        .saturating_sub(SCRIPT + TOOK + RESULT + 5)
        .clamp(4, 80);
    let total = episode.span().max(1);
    let cells = |millis: u64| {
        let cells = u128::from(millis) * track as u128 / u128::from(total);
        usize::try_from(cells).unwrap_or(track)
    };
    let mut lines = Vec::new();
    let mut missing = Vec::new();
    for (run, millis) in &episode.runs {
        if run.result == HookResult::Missing {
            missing.push(run.hook.as_str());
            continue;
        }
        let from = cells(episode.after(run.at)).min(track - 1);
        let to = cells(episode.after(run.at).saturating_add(*millis)).clamp(from + 1, track);
        lines.push(bar(run, *millis, (from, to, track), look));
    }
    if !missing.is_empty() {
        let text = format!("  no {}", missing.join(", "));
        lines.push(Line::from(span(text, Role::Dim, look)));
    }
    lines
}

fn bar(
    run: &HookRun,
    millis: u64,
    (from, to, track): (usize, usize, usize),
    look: Look,
) -> Line<'static> {
    let glyphs = look.glyphs();
    let running = run.result == HookResult::Running;
    let (result, role) = match (run.result, run.exit) {
        (HookResult::Running, _) => ("running".to_owned(), Role::Busy),
        (HookResult::Ok, _) => ("ok".into(), Role::Good),
        (HookResult::Failed, Some(exit)) => (format!("failed {exit}"), Role::Bad),
        (HookResult::Failed, None) => ("failed".into(), Role::Bad),
        (HookResult::Tolerated, _) => ("failed, on".into(), Role::Warn),
        (HookResult::Cut, _) => ("cut short".into(), Role::Warn),
        (HookResult::Missing, _) => ("none".into(), Role::Dim),
        (HookResult::Unknown, _) => ("?".into(), Role::Dim),
    };
    let mut body = glyphs.bar.repeat(to - from);
    if running {
        body = glyphs.bar.repeat(to - from - 1) + glyphs.growing;
    }
    let text = if millis >= 60_000 {
        age(std::time::Duration::from_millis(millis))
    } else if running {
        // Tenths that stand still between two frames would be a lie.
        format!("{}s", millis / 1000)
    } else {
        took(millis)
    };
    let mut spans = vec![
        Span::raw("  "),
        span(left(&run.hook, SCRIPT, look), Role::Plain, look),
        span(glyphs.track.repeat(from), Role::Dim, look),
        span(body, role, look),
        Span::raw(" ".repeat(track - to)),
        span(right(&text, TOOK, look), Role::Plain, look),
        Span::raw("  "),
        span(left(&result, RESULT, look), role, look),
    ];
    if let Some(detail) = &run.detail {
        spans.push(span(format!(" {detail}"), Role::Plain, look));
    }
    Line::from(spans)
}
