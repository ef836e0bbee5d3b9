//! The table: which columns fit, and the rows.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::super::columns::Column;
use super::super::model::{Focus, Model};
use super::super::path::Path;
use super::super::sort::{Direction, SortKey, value};
use super::super::theme::{Look, Role};
use super::layout::{Areas, Tier};
use super::text::{age, bytes, cut, minutes, percent, width};
use super::{sign, tree};
use crate::fleet::{Backed, Container, Stamp, clean};

/// What must fit before anything else, values of monitors right after it: somebody asked for them.
const FIRST: [Column; 3] = [Column::Name, Column::State, Column::Age];
/// What must fit next; the last of them goes first when the screen becomes narrower.
const PRIORITY: [Column; 8] = [
    Column::Story,
    // Names alone do not say which container it is where there are several hosts.
    Column::Host,
    Column::Health,
    Column::Restarts,
    Column::Cpu,
    Column::Memory,
    Column::Backup,
    Column::Image,
];

/// The columns of a value of a monitor.
const VALUE: usize = 10;
/// The cursor and the mark, before the first column.
pub(super) const MARGIN: usize = 3;
/// Between two columns.
const GAP: usize = 2;
/// How many columns more than the least the story would like to have.
const STORY: usize = 20;

fn title(column: &Column) -> String {
    let title = match column {
        Column::Glyph => "",
        Column::State => "STATE",
        Column::Name => "NAME",
        Column::Age => "FOR",
        Column::Health => "HEALTH",
        Column::Restarts => "RST",
        Column::Cpu => "CPU",
        Column::Memory => "MEM",
        Column::Backup => "BACKUP",
        // The end of a path says more than its beginning.
        Column::Value(path) => return last(path),
        Column::Story => "WHAT, WHY",
        Column::Image => "IMAGE",
        Column::Host => "HOST",
    };
    title.to_owned()
}

const fn least(column: &Column) -> usize {
    match column {
        Column::Glyph => 1,
        Column::State => 12,
        Column::Story => 18,
        Column::Age | Column::Backup => 6,
        Column::Name | Column::Health => 10,
        Column::Restarts | Column::Cpu | Column::Memory => 5,
        Column::Value(_) => VALUE,
        Column::Image => 24,
        Column::Host => 8,
    }
}

const fn is_figure(column: &Column) -> bool {
    match column {
        Column::Age
        | Column::Restarts
        | Column::Cpu
        | Column::Memory
        | Column::Backup
        | Column::Value(_) => true,
        Column::Glyph
        | Column::State
        | Column::Name
        | Column::Health
        | Column::Story
        | Column::Image
        | Column::Host => false,
    }
}

fn sorts_by(column: &Column) -> SortKey {
    match column {
        Column::Glyph | Column::State | Column::Health | Column::Story => SortKey::Severity,
        Column::Name => SortKey::Name,
        Column::Age => SortKey::Age,
        Column::Restarts => SortKey::Restarts,
        Column::Cpu => SortKey::Cpu,
        Column::Memory => SortKey::Memory,
        Column::Backup => SortKey::Backup,
        Column::Image => SortKey::Image,
        Column::Host => SortKey::Host,
        Column::Value(path) => SortKey::Value(path.clone()),
    }
}

/// The last part of a path, in capitals as the other headings.
fn last(path: &Path) -> String {
    let path = path.to_string();
    let end = path.rfind('.').map_or(0, |dot| dot + 1);
    clean(&path[end..], VALUE * 2).to_uppercase()
}

/// The columns that fit, with their widths.
fn plan(model: &Model, columns: usize) -> Vec<(Column, usize)> {
    let shown = model.shown();
    // Of all the dashboard is about, so that scrolling and filtering move nothing.
    let longest = model.tally().longest;
    let several = shown.hosts().nth(1).is_some();
    let name = usize::from(longest.name)
        .min(40)
        .saturating_sub(least(&Column::Name));
    let mut chosen: Vec<Column> = Vec::new();
    let mut used = MARGIN;
    let values = model.columns.values().cloned().map(Column::Value);
    let wanted = FIRST.into_iter().chain(values).chain(PRIORITY);
    for column in wanted.filter(|column| model.columns.has(column)) {
        // What it would take to show it without cutting short what matters more.
        if column == Column::Host && !several {
            continue;
        }
        let room = if column == Column::Image {
            least(&column) + name + STORY
        } else {
            least(&column)
        };
        let gap = if chosen.is_empty() { 0 } else { GAP };
        // The name is there however narrow it is.
        if column != Column::Name && used + gap + room > columns {
            if column == Column::State {
                chosen.push(Column::Glyph);
            }
            break;
        }
        used += gap + least(&column);
        chosen.push(column);
    }
    if chosen.contains(&Column::Glyph) {
        used += GAP + least(&Column::Glyph);
    }
    let mut spare = columns.saturating_sub(used);
    let mut take = |wanted: usize| {
        let taken = wanted.min(spare);
        spare -= taken;
        taken
    };
    let has = |column: Column| chosen.contains(&column);
    let name = take(name);
    let story = if has(Column::Story) { take(STORY) } else { 0 };
    let image = if has(Column::Image) {
        take(usize::from(longest.image).min(48).saturating_sub(24))
    } else {
        0
    };
    let host = if has(Column::Host) {
        take(usize::from(longest.host).min(24).saturating_sub(8))
    } else {
        0
    };
    let rest = spare;
    let glyph = [Column::Glyph];
    let ordered = glyph.iter().chain(model.columns.shown());
    ordered
        .filter(|column| chosen.contains(column))
        .map(|column| {
            let more = match column {
                Column::Name if !chosen.contains(&Column::Story) => name + rest,
                Column::Name => name,
                Column::Story => story + rest,
                Column::Image => image,
                Column::Host => host,
                Column::Glyph
                | Column::State
                | Column::Age
                | Column::Health
                | Column::Restarts
                | Column::Cpu
                | Column::Memory
                | Column::Backup
                | Column::Value(_) => 0,
            };
            (column.clone(), least(column) + more)
        })
        .collect()
}

/// Draws heading and rows.
pub(super) fn draw(model: &Model, areas: &Areas, look: Look, frame: &mut Frame<'_>) {
    let columns = plan(model, usize::from(areas.rows.width));
    if areas.heading.height > 0 {
        heading(model, &columns, areas.heading, look, frame);
    }
    let rows = model.rows();
    let place = model.place();
    let visible = rows.iter().enumerate().skip(model.offset());
    for ((index, key), y) in visible.zip(areas.rows.y..areas.rows.bottom()) {
        let Some(container) = model.shown().get(key) else {
            continue;
        };
        let area = Rect::new(areas.rows.x, y, areas.rows.width, 1);
        row(model, container, &columns, area, look, frame);
        if place == Some(index) {
            highlight(model, area, look, frame);
        }
    }
}

/// Shows that a row has the cursor.
pub(super) fn highlight(model: &Model, area: Rect, look: Look, frame: &mut Frame<'_>) {
    let role = match model.focus {
        Focus::Table => Role::Selected,
        Focus::Pane { .. } | Focus::Full { .. } => Role::Resting,
    };
    // One look for the whole row: what is reversed in pieces cannot be read.
    let style = Style::new()
        .fg(Color::Reset)
        .remove_modifier(Modifier::all())
        .patch(look.style(role));
    frame.buffer_mut().set_style(area, style);
}

/// The signs before a row: that it has the cursor, that it is marked.
pub(super) fn margin(
    model: &Model,
    container: &Container,
    area: Rect,
    look: Look,
    frame: &mut Frame<'_>,
) {
    let glyphs = look.glyphs();
    let selected = model
        .selected()
        .is_some_and(|selected| selected.key == container.key);
    if selected {
        put(frame, area, 0, glyphs.cursor, Role::Strong, look);
    }
    if model.marks.contains(&container.key) {
        put(frame, area, 1, glyphs.mark, Role::Strong, look);
    }
}

fn heading(
    model: &Model,
    columns: &[(Column, usize)],
    area: Rect,
    look: Look,
    frame: &mut Frame<'_>,
) {
    let glyphs = look.glyphs();
    let sign = match model.direction {
        Direction::Natural => glyphs.descending,
        Direction::Reversed => glyphs.ascending,
    };
    let mut x = MARGIN;
    let mut marked = false;
    for (column, columns) in columns {
        let sorted = sorts_by(column) == model.sort && !marked;
        marked |= sorted;
        let title = if sorted {
            format!("{} {sign}", title(column))
        } else {
            title(column)
        };
        let role = if sorted { Role::Strong } else { Role::Heading };
        cell_at(frame, area, x, (column, &title, *columns), role, look);
        x += columns + GAP;
    }
}

fn row(
    model: &Model,
    container: &Container,
    columns: &[(Column, usize)],
    area: Rect,
    look: Look,
    frame: &mut Frame<'_>,
) {
    margin(model, container, area, look, frame);
    let stale = model.shown().stale_since(container).is_some();
    let now = model.clock();
    let mut x = MARGIN;
    for (column, columns) in columns {
        let (text, role) = cell(model, container, column, now, look);
        let role = if stale && *column != Column::Story {
            Role::Dim
        } else {
            role
        };
        cell_at(frame, area, x, (column, &text, *columns), role, look);
        x += columns + GAP;
    }
}

fn cell(
    model: &Model,
    container: &Container,
    column: &Column,
    now: Stamp,
    look: Look,
) -> (String, Role) {
    let none = || (look.glyphs().none.to_owned(), Role::Dim);
    let agent = container.agent.as_ref();
    let resources = container.resources();
    match column {
        Column::Glyph => {
            let sign = sign::sign(container, model.shown(), look);
            (sign.glyph.into(), sign::role(sign.severity))
        }
        Column::State => {
            let sign = sign::sign(container, model.shown(), look);
            (
                format!("{} {}", sign.glyph, sign.word),
                sign::role(sign.severity),
            )
        }
        Column::Name => (container.name.clone(), Role::Plain),
        Column::Age => (age(container.age(now.moment)), Role::Plain),
        Column::Health => sign::health(container, look),
        Column::Restarts => match agent {
            Some(agent) if agent.restarts.total > 0 => {
                (agent.restarts.total.to_string(), Role::Plain)
            }
            Some(_) => ("0".into(), Role::Dim),
            None => none(),
        },
        Column::Cpu => match resources.and_then(|resources| resources.cpu_percent) {
            Some(share) => (percent(share), Role::Plain),
            None => none(),
        },
        Column::Memory => match resources.and_then(|resources| resources.memory_bytes) {
            Some(used) => (bytes(used), Role::Plain),
            None => none(),
        },
        Column::Backup => match &container.backed {
            Backed::Last(last) => (minutes(last.age(now.wall)), Role::Plain),
            Backed::Never { .. } => ("none".into(), Role::Plain),
            Backed::Unknown { .. } => none(),
        },
        Column::Value(path) => {
            value(container, path).map_or_else(none, |value| (tree::text(value), Role::Plain))
        }
        Column::Story => sign::story(model, container, look),
        Column::Image => (container.image.clone(), Role::Dim),
        Column::Host => (container.key.host.to_string(), Role::Dim),
    }
}

/// Draws a text in its column; what is empty beside it stays plain.
fn cell_at(
    frame: &mut Frame<'_>,
    area: Rect,
    x: usize,
    (column, text, columns): (&Column, &str, usize),
    role: Role,
    look: Look,
) {
    let text = cut(text, columns, look);
    let before = if is_figure(column) {
        columns.saturating_sub(width(&text))
    } else {
        0
    };
    put(frame, area, x + before, &text, role, look);
}

pub(super) fn put(frame: &mut Frame<'_>, area: Rect, x: usize, text: &str, role: Role, look: Look) {
    let Ok(offset) = u16::try_from(x) else {
        return;
    };
    if offset >= area.width {
        return;
    }
    let room = usize::from(area.width - offset);
    let style = look.style(role);
    frame
        .buffer_mut()
        .set_stringn(area.x + offset, area.y, text, room, style);
}

/// By what the column at a place of the screen sorts.
pub(super) fn heading_at(model: &Model, x: usize) -> Option<SortKey> {
    let mut from = MARGIN;
    for (column, columns) in plan(model, usize::from(model.size.0)) {
        if (from..from + columns).contains(&x) {
            return Some(sorts_by(&column));
        }
        from += columns + GAP;
    }
    None
}

/// How many rows are visible.
pub(super) fn visible(model: &Model) -> u16 {
    match Tier::of(model.size) {
        Tier::Word => 0,
        Tier::List | Tier::Screen => Areas::of(model).rows.height,
    }
}
