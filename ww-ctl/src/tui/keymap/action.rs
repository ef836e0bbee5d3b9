//! What a key can mean, and by which name that is chosen.

use super::super::tape::Wind;

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
