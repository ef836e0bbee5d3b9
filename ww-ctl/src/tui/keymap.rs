//! Which key does what, where. The help and the footer are made from this table.

use std::borrow::Cow;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Focus, Mode, Model, Tab};
use super::tape::Wind;

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
    /// Start.
    Start,
    /// Kill.
    Kill,
    /// Back up.
    Backup,
    /// A shell in the container.
    Shell,
    /// Have the terminal keep the names for pasting.
    Copy,
    /// Begin a range of marks, or end it.
    Range,
    /// To the next row in trouble.
    NextTrouble,
    /// To the row in trouble before.
    PreviousTrouble,
    /// The value under the cursor becomes a column of the table, or is none any more.
    Column,
    /// Sort by the value under the cursor.
    SortValue,
    /// Show only containers with the value under the cursor.
    FilterValue,
    /// Choose columns.
    Choose,
    /// Show the column under the cursor, or not any more.
    Toggle,
    /// The column under the cursor further left.
    Earlier,
    /// The column under the cursor further right.
    Later,
    /// The columns there are without anybody's choice.
    Reset,
    /// The choice is made.
    Done,
    /// Lanes over time instead of the table, and back.
    Lanes,
    /// Lanes of less time.
    Nearer,
    /// Lanes of more time.
    Farther,
    /// Listen to the mouse, or leave it to the terminal.
    Mouse,
    /// Go through a recording.
    Wind(Wind),
    /// Choose an action by its name.
    Palette,
    /// Search the lines of the tab Logs.
    Search,
    /// To the next line that has what is searched for.
    NextFound,
    /// To the line before that has it.
    PreviousFound,
    /// To the end of the lines, and on with it.
    Follow,
    /// Show when lines were printed, or not any more.
    Times,
    /// The ends of long lines.
    Right,
    /// Back to their beginnings.
    Left,
    /// Explain the keys.
    Help,
    /// Suspend.
    Suspend,
    /// Leave.
    Quit,
}

impl Action {
    /// By which name its keys are chosen.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::First => "first",
            Self::Last => "last",
            Self::PageDown => "page-down",
            Self::PageUp => "page-up",
            Self::Open => "open",
            Self::Back => "back",
            Self::OtherPane => "pane",
            Self::NextTab => "next-tab",
            Self::PreviousTab => "previous-tab",
            Self::Tab(0) => "summary",
            Self::Tab(1) => "timeline",
            Self::Tab(2) => "logs",
            Self::Tab(3) => "health",
            Self::Tab(4) => "configuration",
            Self::Tab(_) => "tab-why",
            Self::Why => "why",
            Self::Filter => "filter",
            Self::Sort => "sort",
            Self::Reverse => "reverse",
            Self::Mark => "mark",
            Self::MarkAll => "mark-all",
            Self::Freeze => "freeze",
            Self::Scope => "all",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Kill => "kill",
            Self::Backup => "backup",
            Self::Shell => "shell",
            Self::Copy => "copy",
            Self::Range => "mark-range",
            Self::NextTrouble => "next-trouble",
            Self::PreviousTrouble => "previous-trouble",
            Self::Column => "value-column",
            Self::SortValue => "value-sort",
            Self::FilterValue => "value-filter",
            Self::Choose => "columns",
            Self::Toggle => "columns-show",
            Self::Earlier => "columns-left",
            Self::Later => "columns-right",
            Self::Reset => "columns-reset",
            Self::Done => "columns-done",
            Self::Lanes => "lanes",
            Self::Nearer => "lanes-nearer",
            Self::Farther => "lanes-farther",
            Self::Mouse => "mouse",
            Self::Wind(Wind::Pause) => "replay-pause",
            Self::Wind(Wind::Step) => "replay-step",
            Self::Wind(Wind::Forward) => "replay-forward",
            Self::Wind(Wind::Back) => "replay-back",
            Self::Wind(Wind::Faster) => "replay-faster",
            Self::Wind(Wind::Slower) => "replay-slower",
            Self::Palette => "palette",
            Self::Search => "logs-search",
            Self::NextFound => "logs-next",
            Self::PreviousFound => "logs-previous",
            Self::Follow => "logs-follow",
            Self::Times => "logs-times",
            Self::Right => "logs-right",
            Self::Left => "logs-left",
            Self::Help => "help",
            Self::Suspend => "suspend",
            Self::Quit => "quit",
        }
    }

    /// Whether it changes something outside the dashboard.
    pub(crate) const fn changes_things(self) -> bool {
        matches!(
            self,
            Self::Restart | Self::Stop | Self::Start | Self::Kill | Self::Backup | Self::Shell
        )
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
    /// The lines of the tab Logs have them.
    Logs,
    /// Columns are chosen.
    Columns,
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
                Tab::Logs => Self::Logs,
                Tab::Summary | Tab::Timeline | Tab::Configuration | Tab::Why => Self::Details,
            }),
            (Mode::Choosing { .. }, _) => Some(Self::Columns),
            (Mode::Help { .. }, _) => Some(Self::Help),
            (
                Mode::Filtering { .. }
                | Mode::Searching { .. }
                | Mode::Confirming(_)
                | Mode::Calling(_),
                _,
            ) => None,
        }
    }
}

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

    /// The key with a name, as [`Self::label`] says it or as people write it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut characters = name.chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            return (!only.is_control()).then_some(Self::Char(only));
        }
        let lower = name.to_lowercase();
        let control = lower
            .strip_prefix("ctrl-")
            .or_else(|| lower.strip_prefix('^'));
        if let Some(rest) = control {
            let mut characters = rest.chars();
            return match (characters.next(), characters.next()) {
                (Some(only), None) if only.is_ascii_alphabetic() => Some(Self::Ctrl(only)),
                (_, _) => None,
            };
        }
        let code = match lower.as_str() {
            "space" => return Some(Self::Char(' ')),
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "shift-tab" => KeyCode::BackTab,
            "backspace" => KeyCode::Backspace,
            "del" | "delete" => KeyCode::Delete,
            "ins" | "insert" => KeyCode::Insert,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pgup" => KeyCode::PageUp,
            "pgdn" => KeyCode::PageDown,
            "up" | "↑" => KeyCode::Up,
            "down" | "↓" => KeyCode::Down,
            "left" | "←" => KeyCode::Left,
            "right" | "→" => KeyCode::Right,
            other => {
                let number: u8 = other.strip_prefix('f')?.parse().ok()?;
                (1..=12).contains(&number).then_some(KeyCode::F(number))?
            }
        };
        Some(Self::Code(code))
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

use Key::{Char, Code, Ctrl};

/// The table.
static KEYMAP: &[Binding] = &[
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

/// The keys as they are: those of [`KEYMAP`], or what somebody has chosen instead.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    bindings: Vec<Binding>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self {
            bindings: KEYMAP.to_vec(),
        }
    }
}

/// Why keys cannot be as somebody wants them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeymapError {
    /// There is no such action.
    #[error("no action `{name}`; the actions are {}", names().join(" "))]
    NoAction {
        /// As it was written.
        name: String,
    },
    /// One key cannot mean two things.
    #[error("the key {key} would mean both {one} and {other}")]
    Twice {
        /// The key.
        key: String,
        /// What it means.
        one: &'static str,
        /// What else it means.
        other: &'static str,
    },
}

/// The names of all actions, each once.
fn names() -> Vec<&'static str> {
    let mut names = Vec::new();
    for binding in KEYMAP {
        let name = binding.action.name();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl Keymap {
    /// The usual keys, but for some actions by their names; an action without keys has none.
    ///
    /// # Errors
    /// When there is no such action, or a key would mean two things at the same place.
    pub(crate) fn with(chosen: &[(String, Vec<Key>)]) -> Result<Self, KeymapError> {
        let mut keymap = Self::default();
        for (name, keys) in chosen {
            if !names().contains(&name.as_str()) {
                return Err(KeymapError::NoAction { name: name.clone() });
            }
            for binding in &mut keymap.bindings {
                if binding.action.name() == name {
                    binding.keys = Cow::Owned(keys.clone());
                }
            }
        }
        keymap.check()?;
        Ok(keymap)
    }

    fn check(&self) -> Result<(), KeymapError> {
        for (index, binding) in self.bindings.iter().enumerate() {
            for other in &self.bindings[index + 1..] {
                let meet = |context| other.contexts.contains(context);
                let both = binding.keys.iter().find(|key| other.keys.contains(key));
                if let (Some(key), true) = (both, binding.contexts.iter().any(meet)) {
                    return Err(KeymapError::Twice {
                        key: key.label(),
                        one: binding.action.name(),
                        other: other.action.name(),
                    });
                }
            }
        }
        Ok(())
    }

    /// What a key means in a context.
    pub(crate) fn action(&self, event: KeyEvent, context: Context) -> Option<Action> {
        self.bindings(context)
            .find(|binding| binding.keys.iter().any(|key| key.is(event)))
            .map(|binding| binding.action)
    }

    /// What holds in a context, in the order of the table.
    pub(crate) fn bindings(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.all()
            .filter(move |binding| binding.contexts.contains(&context))
    }

    /// All there is, in the order of the table.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_and_every_label_is_read_as_its_key() {
        let keymap = Keymap::default();
        assert_eq!(keymap.check(), Ok(()));
        for binding in keymap.all() {
            assert!(!binding.keys.is_empty(), "{binding:?}");
            for key in &*binding.keys {
                assert_eq!(Key::parse(&key.label()), Some(*key), "{}", key.label());
            }
        }
    }

    #[test]
    fn the_documentation_names_every_action() {
        let told = include_str!("../../../docs/dashboard.md");
        for name in names() {
            assert!(told.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn keys_are_read_as_people_write_them() {
        for (text, key) in [
            ("R", Key::Char('R')),
            ("space", Key::Char(' ')),
            ("^r", Key::Ctrl('r')),
            ("Ctrl-R", Key::Ctrl('r')),
            ("F5", Key::Code(KeyCode::F(5))),
            ("pgdn", Key::Code(KeyCode::PageDown)),
            ("-", Key::Char('-')),
            ("^", Key::Char('^')),
        ] {
            assert_eq!(Key::parse(text), Some(key), "{text}");
        }
        for text in ["", "RR", "ctrl-", "F0", "F99", "\u{1b}"] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }

    #[test]
    fn chosen_keys_replace_the_usual_ones() {
        let chosen = |name: &str, keys: &[Key]| [(name.to_owned(), keys.to_vec())];
        let keymap = Keymap::with(&chosen("restart", &[Key::Code(KeyCode::F(5))])).unwrap();
        let press = |code| keymap.action(KeyEvent::from(code), Context::Table);
        assert_eq!(press(KeyCode::F(5)), Some(Action::Restart));
        assert_eq!(press(KeyCode::Char('R')), None);
        let error = Keymap::with(&chosen("restart", &[Key::Char('S')])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the key S would mean both restart and stop"
        );
        let error = Keymap::with(&chosen("explode", &[]))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("no action `explode`; the actions are down up "),
            "{error}"
        );
    }
}
