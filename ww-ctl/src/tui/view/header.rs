//! What is said of the whole fleet.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::model::{Mode, Model, Scope};
use super::super::sort::Direction;
use super::super::tally::Standing;
use super::super::theme::{Look, Role};
use super::banner;
use super::sign::{self, Sign};
use super::text::{age, count, cut_line, span, width};
use crate::fleet::{HostStatus, Severity};

/// The hosts, and how many containers are in which state.
pub(super) fn header(model: &Model, area: Rect, look: Look, frame: &mut Frame<'_>) {
    let mut line = vec![Span::raw(" ")];
    line.extend(hosts(model, look));
    let right = banner::spans(model, usize::from(area.width), look);
    let taken: usize = line
        .iter()
        .chain(&right)
        .map(|span| width(&span.content))
        .sum();
    let room = usize::from(area.width).saturating_sub(taken + 1);
    let told = [Detail::States, Detail::Severities, Detail::Glyphs]
        .map(|detail| tell(&counts(model, look, detail), detail, look))
        .into_iter()
        .find(|told| told.iter().map(|span| width(&span.content)).sum::<usize>() <= room);
    match told {
        Some(told) => line.extend(told),
        None => line.extend(tell(
            &counts(model, look, Detail::Severities),
            Detail::Severities,
            look,
        )),
    }
    edges(line, right, area, look, frame);
}

/// How much of the counts is told, as the room allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Every state by its name.
    States,
    /// States of one kind together.
    Severities,
    /// The same without words; the glyphs are those of the rows below.
    Glyphs,
}

fn tell(counts: &[(Sign, usize)], detail: Detail, look: Look) -> Vec<Span<'static>> {
    let told = counts.iter().map(|(sign, number)| {
        let text = match detail {
            Detail::States | Detail::Severities => {
                format!("  {} {number} {}", sign.glyph, sign.word)
            }
            Detail::Glyphs => format!("  {} {number}", sign.glyph),
        };
        span(text, sign::role(sign.severity), look)
    });
    told.collect()
}

/// The filter, the order, the marks.
pub(super) fn status(model: &Model, area: Rect, look: Look, frame: &mut Frame<'_>) {
    let glyphs = look.glyphs();
    let mut line = vec![Span::raw(" ")];
    let total = model.tally().all - model.tally().hidden;
    if let Mode::Filtering { draft } = &model.mode {
        line.push(span("filter ", Role::Dim, look));
        line.push(span(draft, Role::Strong, look));
        let used: usize = line.iter().map(|span| width(&span.content)).sum();
        let x = u16::try_from(used)
            .unwrap_or(u16::MAX)
            .min(area.width.saturating_sub(1));
        frame.set_cursor_position((area.x + x, area.y));
        line.push(Span::raw(" "));
    } else if model.filter.is_empty() {
        line.push(span("no filter", Role::Dim, look));
    } else {
        line.push(span("filter ", Role::Dim, look));
        line.push(span(model.filter.text(), Role::Strong, look));
    }
    if let Some(doubt) = model.filter.doubt() {
        line.push(span(format!("  {doubt}"), Role::Warn, look));
    }
    if !model.filter.is_empty() {
        let text = format!("  {} of {total}", model.rows().len());
        line.push(span(text, Role::Dim, look));
    }
    let sign = match model.direction {
        Direction::Natural => glyphs.descending,
        Direction::Reversed => glyphs.ascending,
    };
    line.push(span("   sort ", Role::Dim, look));
    line.push(span(
        format!("{} {sign}", model.sort.name()),
        Role::Plain,
        look,
    ));
    if !model.marks.is_empty() {
        let text = format!("   {} {} marked", glyphs.mark, model.marks.len());
        line.push(span(text, Role::Strong, look));
    }
    let mut right = Vec::new();
    let height = usize::from(super::table_rows(model));
    let rows = model.rows().len();
    if rows > height {
        let (first, last) = (model.offset() + 1, (model.offset() + height).min(rows));
        right.push(span(
            format!("{first}-{last} of {rows} "),
            Role::Plain,
            look,
        ));
    }
    match (model.scope, model.tally().hidden) {
        (Scope::All, _) => right.push(span(" all containers ", Role::Dim, look)),
        (Scope::Active, 0) => {}
        (Scope::Active, hidden) => {
            right.push(span(format!(" {hidden} hidden: a "), Role::Dim, look));
        }
    }
    edges(line, right, area, look, frame);
}

/// One word, where there is room for no more: how the worst one is.
pub(super) fn word(model: &Model, look: Look, frame: &mut Frame<'_>) {
    let (text, role) = match counts(model, look, Detail::States).first() {
        Some((sign, number)) => {
            let text = format!("{} {} {number}", sign.glyph, sign.word);
            (text, sign::role(sign.severity))
        }
        None if model.shown().is_settled() => ("none".into(), Role::Dim),
        None => ("reaching".into(), Role::Dim),
    };
    let mut lines = vec![Line::from(span(text, role, look))];
    if banner::must_be_seen(model) {
        lines.push(Line::from(banner::spans(model, 0, look)));
    }
    super::paragraph(&lines, frame.area(), look, frame);
}

/// What to say where there are no rows, and what to do about it.
pub(super) fn nothing(model: &Model, look: Look) -> Vec<Line<'static>> {
    let fleet = model.shown();
    let now = model.clock().moment;
    let mut lines = vec![Line::default()];
    let mut say = |text: String, role| {
        lines.push(Line::from(vec![Span::raw("   "), span(text, role, look)]));
    };
    if model.tally().all > 0 {
        if model.filter.is_empty() {
            let hidden = count(model.tally().hidden, "container");
            say(format!("{hidden} down or without an agent"), Role::Plain);
            say("a shows them".into(), Role::Dim);
            if model.tally().agents == 0 {
                advise(&mut say);
            }
        } else {
            let filter = model.filter.text();
            say(format!("nothing matches `{filter}`"), Role::Plain);
            say("Esc shows all".into(), Role::Dim);
        }
        return lines;
    }
    let mut all_live = true;
    for host in fleet.hosts() {
        match &host.status {
            HostStatus::Live => {}
            HostStatus::Reaching => {
                all_live = false;
                say(
                    format!("reaching {} {}", host.name, look.glyphs().more),
                    Role::Plain,
                );
            }
            HostStatus::Lost { since, reason } => {
                all_live = false;
                let text = format!(
                    "cannot reach {} for {}: {reason}",
                    host.name,
                    age(now - *since)
                );
                say(text, Role::Bad);
                say(
                    "trying again; is the Engine running, and may you use its socket?".into(),
                    Role::Dim,
                );
            }
        }
    }
    if all_live {
        if fleet.containers().next().is_some() {
            say(
                "no container matches what was asked for".into(),
                Role::Plain,
            );
            say("it will be shown as soon as there is one".into(), Role::Dim);
            return lines;
        }
        say("no containers here yet".into(), Role::Plain);
        advise(&mut say);
    }
    lines
}

/// How one comes by containers with an agent.
fn advise(say: &mut impl FnMut(String, Role)) {
    for line in [
        "ww-ctl demo up               starts a small fleet to look at",
        "ww-ctl image build --help    makes an image of one's own",
    ] {
        say(line.to_owned(), Role::Dim);
    }
}

fn hosts(model: &Model, look: Look) -> Vec<Span<'static>> {
    let fleet = model.shown();
    let now = model.clock().moment;
    let number = fleet.hosts().count();
    let name = fleet
        .hosts()
        .next()
        .filter(|_| number == 1)
        .map(|host| host.name.to_string());
    let mut spans = vec![span(
        name.unwrap_or_else(|| count(number, "host")),
        Role::Strong,
        look,
    )];
    for host in fleet.hosts() {
        let text = match &host.status {
            HostStatus::Live => continue,
            HostStatus::Reaching => format!(" reaching {}{}", host.name, look.glyphs().more),
            HostStatus::Lost { since, reason } => {
                let who = if number == 1 {
                    String::new()
                } else {
                    format!(" {}", host.name)
                };
                format!("{who} lost for {}: {reason}", age(now - *since))
            }
        };
        let role = match &host.status {
            HostStatus::Live | HostStatus::Reaching => Role::Dim,
            HostStatus::Lost { .. } => Role::Bad,
        };
        spans.push(span(text, role, look));
    }
    spans
}

/// How many containers are shown as what, the worst first.
fn counts(model: &Model, look: Look, detail: Detail) -> Vec<(Sign, usize)> {
    let mut counts: BTreeMap<(Severity, &str), (Sign, usize)> = BTreeMap::new();
    for (standing, number) in &model.tally().standings {
        let sign = counted(*standing, look, detail);
        counts
            .entry((sign.severity, sign.word))
            .or_insert((sign, 0))
            .1 += number;
    }
    counts.into_values().collect()
}

/// As the table shows it, save that what is sick is not counted with what is UP.
fn counted(standing: Standing, look: Look, detail: Detail) -> Sign {
    let Standing { severity, word } = standing;
    let word = match (severity, detail) {
        (Severity::Sick, _) => "sick",
        (Severity::Plain, _) => "without agent",
        (Severity::Failed, Detail::States) if word != "DOCKERDOWN" => word,
        (Severity::Failed, _) => "failed",
        (_, Detail::States) => word,
        (Severity::Restarting, _) => "restarting",
        (Severity::Starting, _) => "starting",
        (Severity::Stopping, _) => "stopping",
        (Severity::Good, _) => "up",
        (Severity::Down, _) => "down",
    };
    Sign {
        severity,
        word,
        glyph: sign::fresh_glyph(severity, look),
    }
}

/// A line with something at its right end, which is what stays when there is no room for both.
fn edges(
    left: Vec<Span<'static>>,
    right: Vec<Span<'static>>,
    area: Rect,
    look: Look,
    frame: &mut Frame<'_>,
) {
    let columns = usize::from(area.width);
    let taken: usize = right.iter().map(|span| width(&span.content)).sum();
    let room = columns.saturating_sub(taken + usize::from(taken > 0));
    let left = cut_line(Line::from(left), room, look);
    frame
        .buffer_mut()
        .set_line(area.x, area.y, &left, area.width);
    let right = cut_line(Line::from(right), columns, look);
    let x = area.x + u16::try_from(columns.saturating_sub(taken)).unwrap_or(0);
    frame
        .buffer_mut()
        .set_line(x, area.y, &right, area.right().saturating_sub(x));
}
