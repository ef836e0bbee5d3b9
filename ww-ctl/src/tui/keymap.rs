//! Which key does what, where. The help and the footer are made from this table.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Focus, Mode, Model, Tab};

/// What a key can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// One line down.
    Down,
    /// One line up.
    Up,
    /// To the first line.
    First,
    /// To the last line.
    Last,
    /// One page down.
    PageDown,
    /// One page up.
    PageUp,
    /// The details on the whole screen.
    Open,
    /// One step back.
    Back,
    /// The other pane.
    OtherPane,
    /// The next tab.
    NextTab,
    /// The tab before.
    PreviousTab,
    /// The tab with this number, from 0.
    Tab(usize),
    /// Why it is not ready, on the whole screen.
    Why,
    /// Type a filter.
    Filter,
    /// The next way to sort.
    Sort,
    /// The other way round.
    Reverse,
    /// Mark the row, or not any more.
    Mark,
    /// Mark all rows, or none any more.
    MarkAll,
    /// Stop following the fleet, or follow it again.
    Freeze,
    /// Show what is down, too, or not any more.
    Scope,
    /// Restart.
    Restart,
    /// Stop.
    Stop,
    /// The value under the cursor becomes a column of the table, or is none any more.
    Column,
    /// Sort by the value under the cursor.
    SortValue,
    /// Show only containers with the value under the cursor.
    FilterValue,
    /// Lanes over time instead of the table, and back.
    Lanes,
    /// Lanes of less time.
    Nearer,
    /// Lanes of more time.
    Farther,
    /// Explain the keys.
    Help,
    /// Suspend.
    Suspend,
    /// Leave.
    Quit,
}

impl Action {
    /// Whether it changes something outside the dashboard.
    pub(crate) const fn changes_things(self) -> bool {
        matches!(self, Self::Restart | Self::Stop)
    }
}

/// What keys are for, as far as the table distinguishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// The table has the movement keys.
    Table,
    /// The details have them.
    Details,
    /// The tree of the tab Health has them.
    Health,
    /// The help is shown.
    Help,
}

impl Context {
    /// Where a model is; none where keys are text.
    pub(crate) const fn of(model: &Model) -> Option<Self> {
        match (&model.mode, model.focus) {
            (Mode::Normal, Focus::Table) => Some(Self::Table),
            (Mode::Normal, Focus::Pane { .. } | Focus::Full { .. }) => Some(match model.tab {
                Tab::Health => Self::Health,
                Tab::Summary | Tab::Timeline | Tab::Logs | Tab::Configuration | Tab::Why => {
                    Self::Details
                }
            }),
            (Mode::Help { .. }, _) => Some(Self::Help),
            (Mode::Filtering { .. } | Mode::Confirming(_), _) => None,
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    /// The keys, any of them.
    pub keys: &'static [Key],
    /// Where it holds.
    pub contexts: &'static [Context],
    /// What it does.
    pub action: Action,
    /// The same in words, for the help.
    pub help: &'static str,
    /// The same in one word for the footer; empty where the footer leaves it out.
    pub short: &'static str,
}

/// A key as the table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// A character.
    Char(char),
    /// A character with the control key.
    Ctrl(char),
    /// Any other.
    Code(KeyCode),
}

impl Key {
    /// Whether a key press is this key. The shift key is in the character already.
    pub(crate) fn is(self, event: KeyEvent) -> bool {
        let modifiers = event.modifiers - KeyModifiers::SHIFT;
        match self {
            Self::Char(c) => event.code == KeyCode::Char(c) && modifiers.is_empty(),
            Self::Ctrl(c) => event.code == KeyCode::Char(c) && modifiers == KeyModifiers::CONTROL,
            Self::Code(code) => event.code == code && modifiers.is_empty(),
        }
    }

    /// What is printed on it.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Char(' ') => "space".into(),
            Self::Char(c) => c.into(),
            Self::Ctrl(c) => format!("^{}", c.to_ascii_uppercase()),
            Self::Code(KeyCode::Down) => "Down".into(),
            Self::Code(KeyCode::Up) => "Up".into(),
            Self::Code(KeyCode::Left) => "Left".into(),
            Self::Code(KeyCode::Right) => "Right".into(),
            Self::Code(KeyCode::PageDown) => "PgDn".into(),
            Self::Code(KeyCode::PageUp) => "PgUp".into(),
            Self::Code(KeyCode::BackTab) => "Shift-Tab".into(),
            Self::Code(code) => code.to_string(),
        }
    }
}

const TABLE: &[Context] = &[Context::Table];
const HEALTH: &[Context] = &[Context::Health];
const BESIDE_HEALTH: &[Context] = &[Context::Table, Context::Details];
const LOOKING: &[Context] = &[Context::Table, Context::Details, Context::Health];
const EVERYWHERE: &[Context] = &[
    Context::Table,
    Context::Details,
    Context::Health,
    Context::Help,
];

const fn bind(
    keys: &'static [Key],
    contexts: &'static [Context],
    action: Action,
    help: &'static str,
    short: &'static str,
) -> Binding {
    Binding {
        keys,
        contexts,
        action,
        help,
        short,
    }
}

use Key::{Char, Code, Ctrl};

/// The table.
pub(crate) const KEYMAP: &[Binding] = &[
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
        "one step back; drops filter, then marks",
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
        LOOKING,
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

/// What a key means in a context.
pub(crate) fn action(event: KeyEvent, context: Context) -> Option<Action> {
    bindings(context)
        .find(|binding| binding.keys.iter().any(|key| key.is(event)))
        .map(|binding| binding.action)
}

/// What holds in a context, in the order of the table.
pub(crate) fn bindings(context: Context) -> impl Iterator<Item = &'static Binding> {
    KEYMAP
        .iter()
        .filter(move |binding| binding.contexts.contains(&context))
}
