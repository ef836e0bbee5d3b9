//! What is drawn. Nothing in here changes the model or waits.

mod banner;
mod choose;
mod confirm;
mod details;
mod footer;
mod graph;
mod header;
mod health;
mod help;
mod lanes;
mod layout;
mod logs;
mod palette;
mod sign;
mod table;
mod text;
mod timeline;
mod tree;
mod why;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use serde_json::Value;

use std::time::Duration;

use super::configuration;
use super::lanes::Body;
use super::model::{FeedStatus, Flow, Focus, Keeping, Mode, Model, Tab};
use super::path::Path;
use super::sort::SortKey;
use super::theme::{Look, Role};
use layout::{Areas, Tier};
use text::{cut_line, span};

pub(crate) use sign::word;
pub(crate) use text::width as columns;

/// Draws the dashboard.
pub(crate) fn view(model: &Model, look: Look, frame: &mut Frame<'_>) {
    let screen = frame.area();
    // Between a resize and the message about it the frame has another size than the model.
    if (screen.width, screen.height) == model.size {
        draw(model, look, frame);
    }
    if look.is_ascii() {
        only_ascii(frame);
    }
}

fn draw(model: &Model, look: Look, frame: &mut Frame<'_>) {
    let tier = Tier::of(model.size);
    if tier == Tier::Word {
        header::word(model, look, frame);
        return;
    }
    let areas = Areas::of(model);
    if areas.header.height > 0 {
        header::header(model, areas.header, look, frame);
    }
    if areas.status.height > 0 {
        header::status(model, areas.status, look, frame);
    }
    if matches!(model.focus, Focus::Full { .. }) {
        details::draw(model, &areas, look, frame);
    } else {
        if model.rows().is_empty() {
            let lines = header::nothing(model, look);
            paragraph(&lines, areas.rows, look, frame);
        } else {
            match model.body {
                Body::Table => table::draw(model, &areas, look, frame),
                Body::Lanes => lanes::draw(model, &areas, look, frame),
            }
        }
        if areas.tabs.height > 0 {
            details::draw(model, &areas, look, frame);
        }
    }
    let beneath = if let Mode::Calling(palette) = &model.mode {
        palette.beneath()
    } else {
        &model.mode
    };
    if let Mode::Help { scroll } = beneath {
        help::draw(model, *scroll, look, frame);
    }
    if let Mode::Choosing { place } = beneath {
        choose::draw(model, *place, look, frame);
    }
    if let Mode::Calling(palette) = &model.mode {
        palette::draw(model, palette, look, frame);
    }
    if let Mode::Confirming(confirmation) = &model.mode {
        confirm::draw(model, confirmation, look, frame);
    }
    footer::draw(model, areas.footer, look, frame);
}

/// What is at a place of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// The row at this place of the list.
    Row(usize),
    /// The heading of a column, which stands for an order.
    Heading(SortKey),
    /// A tab.
    Tab(Tab),
    /// The details.
    Details,
}

/// What is at a place of the screen, as far as it can be clicked on.
pub(crate) fn spot(model: &Model, x: u16, y: u16) -> Option<Spot> {
    let areas = Areas::of(model);
    let at = Position { x, y };
    if areas.rows.contains(at) {
        let place = model.offset() + usize::from(y - areas.rows.y);
        return (place < model.rows().len()).then_some(Spot::Row(place));
    }
    if areas.heading.contains(at) && model.body == Body::Table {
        return table::heading_at(model, usize::from(x)).map(Spot::Heading);
    }
    if areas.tabs.contains(at) {
        return details::tab_at(model, usize::from(x)).map(Spot::Tab);
    }
    areas.details.contains(at).then_some(Spot::Details)
}

/// How many rows of the table are visible.
pub(crate) fn table_rows(model: &Model) -> u16 {
    table::visible(model)
}

/// How many lines of the details are visible.
pub(crate) fn details_rows(model: &Model) -> u16 {
    Areas::of(model).details.height
}

/// Whether the details have a pane of their own below the table.
pub(crate) fn has_pane(model: &Model) -> bool {
    Areas::of(model).details.height > 0
}

/// How far the details can be scrolled.
pub(crate) fn details_overflow(model: &Model) -> u16 {
    match model.focus {
        // Lines of output have a place of their own.
        Focus::Pane { .. } | Focus::Full { .. } if model.tab == Tab::Logs => 0,
        Focus::Table => 0,
        Focus::Pane { .. } | Focus::Full { .. } => {
            let lines = details::content(model, Look::PLAIN, usize::from(model.size.0)).len();
            overflow(lines, details_rows(model))
        }
    }
}

/// How many columns the longest line of output takes of those that are seen.
pub(crate) fn longest_line(model: &Model) -> usize {
    logs::longest(model, usize::from(details_rows(model)))
}

/// How many lines the tree of the tab Health has.
pub(crate) fn leaves(model: &Model) -> usize {
    health::leaves(model)
}

/// The value under the cursor of that tree and its place.
pub(crate) fn leaf(model: &Model) -> Option<(Path, Value)> {
    health::leaf(model)
}

/// How many lines are to be scrolled away so that its cursor is seen.
pub(crate) fn scroll_to_leaf(model: &Model) -> u16 {
    let scroll = match model.focus {
        Focus::Table => 0,
        Focus::Pane { scroll } | Focus::Full { scroll } => scroll,
    };
    let line = u16::try_from(health::line_of(model.leaf)).unwrap_or(u16::MAX);
    let height = details_rows(model).max(1);
    // Above the first line is what belongs to all of them.
    if model.leaf == 0 {
        0
    } else {
        scroll.clamp(line.saturating_sub(height - 1), line)
    }
}

/// How far the help can be scrolled.
pub(crate) fn help_overflow(model: &Model) -> u16 {
    match model.mode {
        Mode::Help { .. } => {
            let lines = help::content(&model.keymap, Look::PLAIN, usize::from(model.size.0)).len();
            overflow(lines, help::visible(model))
        }
        Mode::Normal
        | Mode::Filtering { .. }
        | Mode::Searching { .. }
        | Mode::Confirming(_)
        | Mode::Calling(_)
        | Mode::Choosing { .. } => 0,
    }
}

/// Whether a question would be legible.
pub(crate) fn can_ask(model: &Model) -> bool {
    Tier::of(model.size) != Tier::Word
}

/// When something that is seen changes by the time alone; none when nothing does.
pub(crate) fn next_change(model: &Model) -> Option<Duration> {
    const SECOND: Duration = Duration::from_secs(1);
    let now = model.now.moment;
    let mut next: Option<Duration> = None;
    let mut at = |wait: Duration| next = Some(next.map_or(wait, |next| next.min(wait)));
    if let Some(notice) = &model.notice {
        at(notice.until - now);
    }
    let lost = model
        .fleet
        .hosts()
        .any(|host| matches!(host.status, crate::fleet::HostStatus::Lost { .. }));
    let frozen = matches!(model.flow, Flow::Frozen(_));
    let silent = matches!(model.feed, FeedStatus::Ended(_));
    // The time in the header goes on, whatever else does.
    let told = matches!(&model.keeping, Keeping::Replayed(telling) if !telling.paused)
        && model.feed == FeedStatus::Open;
    if lost || frozen || !model.operations.is_empty() || silent || told {
        at(SECOND);
    }
    if let Some(wait) = configuration::due(model) {
        at(wait);
    }
    if model.body == Body::Lanes && !frozen {
        let spans = u32::try_from(lanes::track(model).max(1)).unwrap_or(1);
        at((model.zoom.reach() / spans).max(SECOND));
    }
    if !frozen {
        let height = usize::from(table_rows(model));
        let visible = model.rows().iter().skip(model.offset()).take(height);
        let containers = visible
            .filter_map(|key| model.fleet.get(key))
            .chain(model.selected());
        for container in containers {
            at(text::next_age(container.age(now)));
            if let Some(last) = container.backed.last() {
                at(text::next_minutes(last.age(model.now.wall)));
            }
            let agent = container.agent.as_ref();
            if agent.is_some_and(|agent| agent.running.is_some())
                || model.fleet.stale_since(container).is_some()
            {
                at(SECOND);
            }
            if let Some(agent) = agent.filter(|_| container.engine.is_running()) {
                if agent.stage().is_some() {
                    at(SECOND);
                }
                for service in &agent.services {
                    at(text::next_age(now - service.since));
                }
            }
        }
    }
    next
}

fn overflow(lines: usize, height: u16) -> u16 {
    u16::try_from(lines.saturating_sub(usize::from(height))).unwrap_or(u16::MAX)
}

/// Draws lines from the top of an area.
fn paragraph(lines: &[Line<'static>], area: Rect, look: Look, frame: &mut Frame<'_>) {
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        let line = cut_line(line.clone(), usize::from(area.width), look);
        frame.buffer_mut().set_line(area.x, y, &line, area.width);
    }
}

/// The same, with so many lines scrolled away, and signs that there is more.
fn scrolled(lines: &[Line<'static>], scroll: u16, area: Rect, look: Look, frame: &mut Frame<'_>) {
    let furthest = overflow(lines.len(), area.height);
    let scroll = scroll.min(furthest);
    paragraph(
        &lines[usize::from(scroll).min(lines.len())..],
        area,
        look,
        frame,
    );
    more(scroll > 0, scroll < furthest, area, look, frame);
}

/// Signs that there is more above and below.
fn more(above: bool, below: bool, area: Rect, look: Look, frame: &mut Frame<'_>) {
    if area.height == 0 || area.width < 4 {
        return;
    }
    let x = area.right() - 1;
    let sign = |y: u16, glyph: &str, frame: &mut Frame<'_>| {
        let line = Line::from(span(glyph, Role::Key, look));
        frame.buffer_mut().set_line(x, y, &line, 1);
    };
    if above {
        sign(area.y, look.glyphs().above, frame);
    }
    if below {
        sign(area.bottom() - 1, look.glyphs().below, frame);
    }
}

/// Empties an area, for what is drawn over something else.
fn empty(area: Rect, frame: &mut Frame<'_>) {
    frame.render_widget(ratatui::widgets::Clear, area);
}

/// What the terminal cannot print is not sent to it, wherever it comes from.
fn only_ascii(frame: &mut Frame<'_>) {
    for cell in &mut frame.buffer_mut().content {
        if !cell.symbol().is_ascii() {
            cell.set_symbol("?");
        }
    }
}
