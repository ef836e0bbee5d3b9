//! The rows as lanes: how each container stood over time.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::super::lanes::{Lane, Standing};
use super::super::model::Model;
use super::super::theme::{Look, Role};
use super::layout::Areas;
use super::sign;
use super::table::{MARGIN, highlight, margin, put};
use super::text::{cut, span_of, width};
use crate::fleet::Severity;

/// The most columns of a name.
const NAME: usize = 24;
/// Between two columns.
const GAP: usize = 2;

/// The first column of the lanes.
fn begin(model: &Model, columns: usize) -> usize {
    let rows = model.rows().iter().filter_map(|key| model.shown().get(key));
    let name = rows
        .map(|one| width(&one.name))
        .max()
        .unwrap_or(0)
        .clamp(4, NAME);
    MARGIN + name.min(columns / 3) + GAP
}

/// How many columns the lanes have.
pub(super) fn track(model: &Model) -> usize {
    let columns = usize::from(Areas::of(model).rows.width);
    columns.saturating_sub(begin(model, columns) + 1)
}

/// Draws the axis and the rows.
pub(super) fn draw(model: &Model, areas: &Areas, look: Look, frame: &mut Frame<'_>) {
    let columns = usize::from(areas.rows.width);
    let begin = begin(model, columns);
    let track = columns.saturating_sub(begin + 1);
    if areas.heading.height > 0 {
        axis(model, areas.heading, (begin, track), look, frame);
    }
    let visible = model.rows().iter().enumerate().skip(model.offset());
    for ((index, key), y) in visible.zip(areas.rows.y..areas.rows.bottom()) {
        let Some(container) = model.shown().get(key) else {
            continue;
        };
        let area = Rect::new(areas.rows.x, y, areas.rows.width, 1);
        margin(model, container, area, look, frame);
        let role = sign::role(container.severity());
        let name = cut(&container.name, begin - MARGIN - GAP, look);
        put(frame, area, MARGIN, &name, role, look);
        if let Some(lane) = model.lane(key) {
            one(model, lane, area, (begin, track), look, frame);
        }
        if model.place() == Some(index) {
            highlight(model, area, look, frame);
        }
    }
}

fn one(
    model: &Model,
    lane: &Lane,
    area: Rect,
    (begin, track): (usize, usize),
    look: Look,
    frame: &mut Frame<'_>,
) {
    let spans = lane.spans(model.clock().moment, model.zoom.reach(), track);
    for (place, standing) in spans.into_iter().enumerate() {
        let Some(standing) = standing else {
            continue;
        };
        let (glyph, role) = glyph(standing, look);
        put(frame, area, begin + place, glyph, role, look);
    }
}

/// Never a colour alone.
fn glyph(standing: Standing, look: Look) -> (&'static str, Role) {
    let glyphs = look.glyphs();
    let Standing::As(severity) = standing else {
        return (glyphs.stale, Role::Warn);
    };
    let glyph = match severity {
        Severity::Failed => glyphs.failed,
        Severity::Sick => glyphs.failing,
        Severity::Restarting => glyphs.restarting,
        Severity::Starting => glyphs.starting,
        Severity::Stopping => glyphs.stopping,
        // A line that is not interrupted is what one wants to see.
        Severity::Good => glyphs.rule,
        Severity::Down => glyphs.down,
        Severity::Plain => glyphs.plain,
    };
    (glyph, sign::role(severity))
}

/// How long ago what stands below was.
fn axis(
    model: &Model,
    area: Rect,
    (begin, track): (usize, usize),
    look: Look,
    frame: &mut Frame<'_>,
) {
    put(frame, area, MARGIN, "NAME", Role::Heading, look);
    let reach = model.zoom.reach();
    let now = "now";
    let mut free = 0;
    // As many marks as there is room for, at quarters.
    for quarter in 0..4_u32 {
        let ago = reach * (4 - quarter) / 4;
        let text = format!("-{}", span_of(ago));
        let place = track * quarter as usize / 4;
        if place >= free && place + width(&text) + GAP <= track.saturating_sub(now.len()) {
            put(frame, area, begin + place, &text, Role::Heading, look);
            free = place + width(&text) + GAP;
        }
    }
    let last = track.saturating_sub(now.len());
    if last >= free {
        put(frame, area, begin + last, now, Role::Heading, look);
    }
}
