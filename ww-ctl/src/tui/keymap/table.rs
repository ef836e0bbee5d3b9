//! The usual keys. The help and the footer are made from this table.

use std::borrow::Cow;

use crossterm::event::KeyCode;

use super::super::tape::Wind;
use super::Key::{self, Char, Code, Ctrl};
use super::{Action, Context};

/// A line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    /// The keys, any of them.
    pub keys: Cow<'static, [Key]>,
    /// Where it holds.
    pub contexts: &'static [Context],
    /// What it does.
    pub action: Action,
    /// The same in words, for the help.
    pub help: &'static str,
    /// The same in one word for the footer; empty where the footer leaves it out.
    pub short: &'static str,
}

impl Binding {
    /// Where it holds, where that is one place; empty where it is more than one.
    pub(crate) const fn place(&self) -> &'static str {
        match *self.contexts {
            [Context::Table] => "in the table",
            [Context::Health] => "in the tab Health",
            [Context::Logs] => "in the tab Logs",
            [Context::Columns] => "while choosing columns",
            _ => "",
        }
    }
}

const TABLE: &[Context] = &[Context::Table];
const HEALTH: &[Context] = &[Context::Health];
const LOGS: &[Context] = &[Context::Logs];
const BESIDE_HEALTH: &[Context] = &[Context::Table, Context::Details, Context::Logs];
const BESIDE_LOGS: &[Context] = &[Context::Table, Context::Details, Context::Health];
const LOOKING: &[Context] = &[
    Context::Table,
    Context::Details,
    Context::Health,
    Context::Logs,
];
const EVERYWHERE: &[Context] = &[
    Context::Table,
    Context::Details,
    Context::Health,
    Context::Logs,
    Context::Columns,
    Context::Help,
];
const COLUMNS: &[Context] = &[Context::Columns];

const fn bind(
    keys: &'static [Key],
    contexts: &'static [Context],
    action: Action,
    help: &'static str,
    short: &'static str,
) -> Binding {
    Binding {
        keys: Cow::Borrowed(keys),
        contexts,
        action,
        help,
        short,
    }
}

/// The table.
pub(super) static KEYMAP: &[Binding] = &[
    bind(
        &[Char('j'), Code(KeyCode::Down)],
        EVERYWHERE,
        Action::Down,
        "one down",
        "",
    ),
    bind(
        &[Char('k'), Code(KeyCode::Up)],
        EVERYWHERE,
        Action::Up,
        "one up",
        "",
    ),
    bind(
        &[Char('g'), Code(KeyCode::Home)],
        EVERYWHERE,
        Action::First,
        "to the first",
        "",
    ),
    bind(
        &[Char('G'), Code(KeyCode::End)],
        EVERYWHERE,
        Action::Last,
        "to the last",
        "",
    ),
    bind(
        &[Code(KeyCode::PageDown)],
        EVERYWHERE,
        Action::PageDown,
        "a page down",
        "",
    ),
    bind(
        &[Code(KeyCode::PageUp)],
        EVERYWHERE,
        Action::PageUp,
        "a page up",
        "",
    ),
    bind(
        &[Code(KeyCode::Enter)],
        LOOKING,
        Action::Open,
        "details on the whole screen",
        "details",
    ),
    bind(
        &[Code(KeyCode::Esc)],
        EVERYWHERE,
        Action::Back,
        "one step back; drops search, filter, then marks",
        "back",
    ),
    bind(
        &[Code(KeyCode::Tab)],
        LOOKING,
        Action::OtherPane,
        "between the table and the details",
        "pane",
    ),
    bind(
        &[Char('/')],
        LOGS,
        Action::Search,
        "search the lines for a regular expression, while typing",
        "search",
    ),
    bind(
        &[Char('f')],
        LOGS,
        Action::Follow,
        "to the last line, and on with what is printed",
        "follow",
    ),
    bind(
        &[Char('n')],
        LOGS,
        Action::NextFound,
        "to the next line that has it",
        "next",
    ),
    bind(
        &[Char('N')],
        LOGS,
        Action::PreviousFound,
        "to the line before that has it",
        "before",
    ),
    bind(
        &[Char('t')],
        LOGS,
        Action::Times,
        "when lines were printed, or not any more",
        "times",
    ),
    bind(
        &[Char('>')],
        LOGS,
        Action::Right,
        "the ends of long lines",
        "",
    ),
    bind(
        &[Char('<')],
        LOGS,
        Action::Left,
        "back to their beginnings",
        "",
    ),
    bind(
        &[Code(KeyCode::Right)],
        LOOKING,
        Action::NextTab,
        "next tab",
        "",
    ),
    bind(
        &[Code(KeyCode::Left)],
        LOOKING,
        Action::PreviousTab,
        "tab before",
        "",
    ),
    bind(&[Char('1')], LOOKING, Action::Tab(0), "tab Summary", ""),
    bind(&[Char('2')], LOOKING, Action::Tab(1), "tab Timeline", ""),
    bind(
        &[Char('3'), Char('l')],
        LOOKING,
        Action::Tab(2),
        "tab Logs",
        "logs",
    ),
    bind(&[Char('4')], LOOKING, Action::Tab(3), "tab Health", ""),
    bind(
        &[Char('5')],
        LOOKING,
        Action::Tab(4),
        "tab Config: each value and where it comes from",
        "",
    ),
    bind(&[Char('6')], LOOKING, Action::Tab(5), "tab Why", ""),
    bind(
        &[Char('w')],
        LOOKING,
        Action::Why,
        "why is it not ready? on the whole screen",
        "why",
    ),
    bind(
        &[Char('/')],
        BESIDE_LOGS,
        Action::Filter,
        "filter while typing; see below",
        "filter",
    ),
    bind(
        &[Char('c')],
        HEALTH,
        Action::Column,
        "the value under the cursor as a column of the table, or not any more",
        "column",
    ),
    bind(
        &[Char('s')],
        HEALTH,
        Action::SortValue,
        "sort by the value under the cursor",
        "sort by it",
    ),
    bind(
        &[Char('=')],
        HEALTH,
        Action::FilterValue,
        "only containers with the value under the cursor",
        "only these",
    ),
    bind(
        &[Char('s')],
        BESIDE_HEALTH,
        Action::Sort,
        "sort by the next column",
        "sort",
    ),
    bind(
        &[Char('r')],
        LOOKING,
        Action::Reverse,
        "sort the other way round",
        "",
    ),
    bind(&[Char(' ')], TABLE, Action::Mark, "mark the row", "mark"),
    bind(
        &[Char('v')],
        TABLE,
        Action::Range,
        "mark from here to where it is pressed again",
        "",
    ),
    bind(
        &[Char('n')],
        TABLE,
        Action::NextTrouble,
        "to the next row in trouble",
        "",
    ),
    bind(
        &[Char('N')],
        TABLE,
        Action::PreviousTrouble,
        "to the row in trouble before",
        "",
    ),
    bind(
        &[Char('*')],
        TABLE,
        Action::MarkAll,
        "mark all rows shown, or none",
        "",
    ),
    bind(
        &[Char('z')],
        LOOKING,
        Action::Freeze,
        "freeze the screen, and go on",
        "freeze",
    ),
    bind(
        &[Char('a')],
        LOOKING,
        Action::Scope,
        "show what is down or has no agent, too",
        "all",
    ),
    bind(
        &[Char('c')],
        TABLE,
        Action::Choose,
        "choose columns",
        "columns",
    ),
    bind(
        &[Char(' ')],
        COLUMNS,
        Action::Toggle,
        "show the column, or not any more",
        "show",
    ),
    bind(
        &[Char('<')],
        COLUMNS,
        Action::Earlier,
        "the column further left",
        "left",
    ),
    bind(
        &[Char('>')],
        COLUMNS,
        Action::Later,
        "the column further right",
        "right",
    ),
    bind(
        &[Char('0')],
        COLUMNS,
        Action::Reset,
        "the columns as they are without anybody's choice",
        "reset",
    ),
    bind(
        &[Char('c'), Code(KeyCode::Enter)],
        COLUMNS,
        Action::Done,
        "the choice is made",
        "done",
    ),
    bind(
        &[Char('t')],
        TABLE,
        Action::Lanes,
        "how they stood over time, a lane each, and back",
        "time",
    ),
    bind(
        &[Char('+')],
        TABLE,
        Action::Nearer,
        "lanes of less time",
        "",
    ),
    bind(
        &[Char('-')],
        TABLE,
        Action::Farther,
        "lanes of more time",
        "",
    ),
    bind(
        &[Char('R')],
        LOOKING,
        Action::Restart,
        "restart the services of the marked rows seen, or of this one",
        "restart",
    ),
    bind(
        &[Char('S')],
        LOOKING,
        Action::Stop,
        "stop the containers marked and seen, or this one",
        "stop",
    ),
    bind(
        &[Char('U')],
        LOOKING,
        Action::Start,
        "start the containers marked and seen, or this one",
        "",
    ),
    bind(
        &[Char('B')],
        LOOKING,
        Action::Backup,
        "back up the containers marked and seen, or this one",
        "",
    ),
    bind(
        &[Char('X')],
        LOOKING,
        Action::Shell,
        "a shell in this container; its end comes back here",
        "",
    ),
    bind(
        &[Char('K')],
        LOOKING,
        Action::Kill,
        "kill the containers marked and seen, or this one, unasked",
        "",
    ),
    bind(
        &[Char('y')],
        LOOKING,
        Action::Copy,
        "copy the names marked and seen, or this one",
        "",
    ),
    bind(
        &[Char('m')],
        LOOKING,
        Action::Mouse,
        "listen to the mouse, or leave it to the terminal, for selecting text",
        "",
    ),
    bind(
        &[Char('p')],
        LOOKING,
        Action::Wind(Wind::Pause),
        "of a recording: pause, and go on",
        "pause",
    ),
    bind(
        &[Char('.')],
        LOOKING,
        Action::Wind(Wind::Step),
        "of a recording: one event further, and pause",
        "step",
    ),
    bind(
        &[Char(']')],
        LOOKING,
        Action::Wind(Wind::Forward),
        "of a recording: ten seconds on",
        "+10s",
    ),
    bind(
        &[Char('[')],
        LOOKING,
        Action::Wind(Wind::Back),
        "of a recording: ten seconds back",
        "-10s",
    ),
    bind(
        &[Char('}')],
        LOOKING,
        Action::Wind(Wind::Faster),
        "of a recording: twice as fast",
        "x2",
    ),
    bind(
        &[Char('{')],
        LOOKING,
        Action::Wind(Wind::Slower),
        "of a recording: half as fast",
        "/2",
    ),
    bind(
        &[Char(':')],
        EVERYWHERE,
        Action::Palette,
        "choose an action by its name, whatever its key",
        "",
    ),
    bind(&[Char('?')], EVERYWHERE, Action::Help, "this help", "help"),
    bind(
        &[Ctrl('z')],
        EVERYWHERE,
        Action::Suspend,
        "suspend; `fg` comes back",
        "",
    ),
    bind(
        &[Char('q'), Ctrl('c')],
        EVERYWHERE,
        Action::Quit,
        "leave",
        "quit",
    ),
];
