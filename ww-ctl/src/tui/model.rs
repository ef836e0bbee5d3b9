//! Everything the dashboard knows and shows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use whaleware::lifecycle::Moment;

use super::columns::Columns;
use super::configuration::Configuration;
use super::confirm::Confirmation;
use super::filter::Filter;
use super::history::{History, Past};
use super::keymap::Keymap;
use super::lanes::{Body, Lane, Zoom};
use super::lineup::{Lineup, Rules};
use super::logs::{Logs, Place};
use super::operation::Operation;
use super::own::Own;
use super::palette::Palette;
use super::sort::{Direction, SortKey};
use super::tally::Tally;
use super::tape::Telling;
use crate::fleet::{Container, ContainerKey, Fleet, HostName, Stamp, Touched};
use crate::selection::Selection;

/// How long a message stays in the footer.
const NOTICE: Duration = Duration::from_secs(10);

/// Whether containers may be acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// They may.
    ReadWrite,
    /// They may not; keys that would are answered with a message.
    ReadOnly,
}

/// What keys are for at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Looking around.
    Normal,
    /// A filter is being typed; it is applied at once.
    Filtering {
        /// As far as it is typed.
        draft: String,
    },
    /// What is to be found in the lines of the tab Logs is being typed; it is looked for at once.
    Searching {
        /// As far as it is typed.
        draft: String,
        /// Where that was begun.
        from: Place,
    },
    /// A question waits.
    Confirming(Confirmation),
    /// The keys are explained.
    Help {
        /// How many lines are scrolled away.
        scroll: u16,
    },
    /// An action is chosen by its name.
    Calling(Palette),
    /// Columns are chosen.
    Choosing {
        /// Which one of the choice has the cursor.
        place: usize,
    },
}

/// Where the movement keys go, and so what has the most room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Focus {
    /// The table.
    Table,
    /// The details below it.
    Pane {
        /// How many of their lines are scrolled away.
        scroll: u16,
    },
    /// The details, on the whole screen.
    Full {
        /// How many of their lines are scrolled away.
        scroll: u16,
    },
}

/// What the details show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// What matters, in short.
    Summary,
    /// The scripts of this boot as bars, the transitions.
    Timeline,
    /// What it prints, or all that are marked do.
    Logs,
    /// The checks and what the last one printed.
    Health,
    /// The values it is configured with, and where they come from.
    Configuration,
    /// Why it is not ready.
    Why,
}

impl Tab {
    /// All of them, as they stand from left to right.
    pub(crate) const ALL: [Self; 6] = [
        Self::Summary,
        Self::Timeline,
        Self::Logs,
        Self::Health,
        Self::Configuration,
        Self::Why,
    ];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Timeline => "Timeline",
            Self::Logs => "Logs",
            Self::Health => "Health",
            Self::Configuration => "Config",
            Self::Why => "Why",
        }
    }

    /// Which one it is from the left, from 0.
    const fn place(self) -> usize {
        self as usize
    }

    /// The key that opens it.
    pub(crate) const fn number(self) -> usize {
        self.place() + 1
    }

    /// The one so many further right, around the end.
    pub(crate) fn turned(self, by: usize) -> Self {
        Self::ALL[(self.place() + by) % Self::ALL.len()]
    }

    /// Whether it shows what the container printed.
    pub(crate) const fn has_output(self) -> bool {
        matches!(self, Self::Logs | Self::Why)
    }
}

/// Which containers are shown at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those with an agent that run, or do not and should.
    Active,
    /// All of them.
    All,
}

/// The row that has the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// Nobody has moved it: the first one, whichever that is.
    First,
    /// The row of this container, which was last at this place.
    At(ContainerKey, usize),
}

/// Whether the screen follows the fleet.
#[derive(Debug, Clone)]
pub(crate) enum Flow {
    /// It does.
    Live,
    /// It shows what was, so that one can read it.
    Frozen(Box<Still>),
}

/// The fleet at some time.
#[derive(Debug, Clone)]
pub(crate) struct Still {
    /// What was known.
    pub fleet: Fleet,
    /// What was known of the time before.
    pub history: History,
    /// When.
    pub at: Stamp,
}

/// Whether the feed still speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedStatus {
    /// It does.
    Open,
    /// It has ended at this time, which it should not.
    Ended(Moment),
    /// It was a recording and is told.
    Told,
}

/// Whether what happens is kept, or was.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Keeping {
    /// It is not.
    Not,
    /// It is.
    Recorded,
    /// It is not any more, which it should be.
    Stopped,
    /// It was kept, and is told again like this.
    Replayed(Telling),
}

/// A message in the footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What it says.
    pub text: String,
    /// Whether something is wrong.
    pub tone: Tone,
    /// When it goes.
    pub until: Moment,
}

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// For information.
    Calm,
    /// Something was refused or went wrong.
    Wrong,
}

/// The dashboard.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// What is known, always the newest.
    pub fleet: Fleet,
    /// What containers used and counted lately.
    pub history: History,
    /// The time of the last message.
    pub now: Stamp,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// What keys are for.
    pub mode: Mode,
    /// Where the movement keys go.
    pub focus: Focus,
    /// What the details show.
    pub tab: Tab,
    /// By which address to name a host on the command line, where it has to be named.
    pub urls: BTreeMap<HostName, String>,
    /// Which containers the dashboard was started for.
    pub selection: Selection,
    /// Which of them are shown at all.
    pub scope: Scope,
    /// Which of them are shown.
    pub filter: Filter,
    /// What they are sorted by.
    pub sort: SortKey,
    /// Which way round.
    pub direction: Direction,
    /// The columns of the table.
    pub columns: Columns,
    /// Which key does what.
    pub keymap: Keymap,
    /// Whether the mouse is listened to.
    pub mouse: bool,
    /// Which line of the tree in the tab Health has the cursor.
    pub leaf: usize,
    /// What the rows show.
    pub body: Body,
    /// How much time lanes show.
    pub zoom: Zoom,
    /// Whether the screen follows the fleet.
    pub flow: Flow,
    /// Where a range of marks was begun.
    pub range: Option<ContainerKey>,
    /// The containers that are marked.
    pub marks: BTreeSet<ContainerKey>,
    /// What is being done to containers.
    pub operations: BTreeMap<ContainerKey, Operation>,
    /// The message in the footer.
    pub notice: Option<Notice>,
    /// What containers print, where that is looked at.
    pub logs: Logs,
    /// What the container under the cursor is configured with, where that is looked at.
    pub configuration: Configuration,
    /// The containers the Engine is asked for figures of.
    pub measured: BTreeSet<ContainerKey>,
    /// What the dashboard itself costs, where that is known.
    pub own: Option<Own>,
    /// Whether containers may be acted on.
    pub access: Access,
    /// Whether the feed still speaks.
    pub feed: FeedStatus,
    /// Whether what happens is kept, or was.
    pub keeping: Keeping,
    /// The rows, in order.
    rows: Vec<ContainerKey>,
    /// What is counted of the fleet.
    tally: Tally,
    /// What the rows are made of.
    lineup: Lineup,
    /// Of which fleet: of the live one, or of the one as of this time.
    lined_up: Option<Moment>,
    cursor: Cursor,
    /// How many rows are scrolled away above.
    offset: usize,
}

impl Model {
    /// A dashboard for these hosts, of which nothing is known yet.
    pub(crate) fn new(
        hosts: impl IntoIterator<Item = HostName>,
        access: Access,
        size: (u16, u16),
        now: Stamp,
    ) -> Self {
        Self {
            fleet: Fleet::new(hosts),
            history: History::default(),
            now,
            size,
            mode: Mode::Normal,
            focus: Focus::Table,
            tab: Tab::Summary,
            urls: BTreeMap::new(),
            selection: Selection::default(),
            scope: Scope::Active,
            filter: Filter::default(),
            sort: SortKey::default(),
            direction: Direction::default(),
            columns: Columns::default(),
            keymap: Keymap::default(),
            mouse: true,
            leaf: 0,
            body: Body::default(),
            zoom: Zoom::default(),
            flow: Flow::Live,
            range: None,
            marks: BTreeSet::new(),
            operations: BTreeMap::new(),
            notice: None,
            logs: Logs::default(),
            configuration: Configuration::Unread,
            measured: BTreeSet::new(),
            own: None,
            access,
            feed: FeedStatus::Open,
            keeping: Keeping::Not,
            rows: Vec::new(),
            tally: Tally::default(),
            lineup: Lineup::default(),
            lined_up: None,
            cursor: Cursor::First,
            offset: 0,
        }
    }

    /// The fleet as it is shown.
    pub(crate) const fn shown(&self) -> &Fleet {
        match &self.flow {
            Flow::Live => &self.fleet,
            Flow::Frozen(still) => &still.fleet,
        }
    }

    /// What the container under the cursor used and counted before what is shown.
    pub(crate) fn past(&self, key: &ContainerKey) -> Option<&Past> {
        match &self.flow {
            Flow::Live => self.history.past(key),
            Flow::Frozen(still) => still.history.past(key),
        }
    }

    /// How a container stood before what is shown.
    pub(crate) fn lane(&self, key: &ContainerKey) -> Option<&Lane> {
        self.past(key).map(Past::lane)
    }

    /// The time that what is shown is as of.
    pub(crate) const fn clock(&self) -> Stamp {
        match &self.flow {
            Flow::Live => self.now,
            Flow::Frozen(still) => still.at,
        }
    }

    /// The rows, in order.
    pub(crate) fn rows(&self) -> &[ContainerKey] {
        &self.rows
    }

    /// How many rows are scrolled away above.
    pub(crate) const fn offset(&self) -> usize {
        self.offset
    }

    /// The place of the row with the cursor; none without rows.
    pub(crate) fn place(&self) -> Option<usize> {
        let last = self.rows.len().checked_sub(1)?;
        Some(match &self.cursor {
            Cursor::First => 0,
            Cursor::At(_, place) => (*place).min(last),
        })
    }

    /// The container under the cursor.
    pub(crate) fn selected(&self) -> Option<&Container> {
        self.shown().get(self.rows.get(self.place()?)?)
    }

    /// The containers a key acts on, as they are now: the marked ones among the rows, else the one
    /// under the cursor. What is not seen is never acted on.
    pub(crate) fn targets(&self) -> Vec<&Container> {
        let mut marked: Vec<_> = self
            .rows
            .iter()
            .filter(|key| self.marks.contains(key))
            .filter_map(|key| self.fleet.get(key))
            .collect();
        if marked.is_empty() {
            let key = self.place().and_then(|place| self.rows.get(place));
            return key
                .and_then(|key| self.fleet.get(key))
                .into_iter()
                .collect();
        }
        marked.sort_by(|a, b| a.name.cmp(&b.name));
        marked
    }

    /// How many marked containers have no row, as the filter or the scope hides them.
    pub(crate) fn hidden_marks(&self) -> usize {
        let seen = self.rows.iter().filter(|key| self.marks.contains(key));
        self.marks.len().saturating_sub(seen.count())
    }

    /// The containers the dashboard was started for, as they are shown.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Container> {
        self.shown()
            .containers()
            .filter(|container| self.selection.accepts(container))
    }

    /// What is counted of them, as of when the rows were arranged last.
    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Moves the cursor to a row.
    pub(crate) fn go_to(&mut self, place: usize) {
        let Some(last) = self.rows.len().checked_sub(1) else {
            return;
        };
        let place = place.min(last);
        self.cursor = Cursor::At(self.rows[place].clone(), place);
    }

    /// From here on the cursor is meant to be where it is.
    pub(crate) fn pin(&mut self) {
        if let Some(place) = self.place() {
            self.go_to(place);
        }
    }

    /// Puts a message into the footer.
    pub(crate) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        // As long for who reads it, however fast the time goes that is shown.
        let stays = match &self.keeping {
            Keeping::Replayed(telling) => telling.speed.stretched(NOTICE),
            Keeping::Not | Keeping::Recorded | Keeping::Stopped => NOTICE,
        };
        self.notice = Some(Notice {
            text: text.into(),
            tone,
            until: self.now.moment + stays,
        });
    }

    /// Lets go of what is over: what was done or shown long enough, marks of what is gone.
    pub(crate) fn expire(&mut self) {
        let now = self.now.moment;
        self.operations
            .retain(|_, operation| !operation.is_over(now));
        if self
            .notice
            .as_ref()
            .is_some_and(|notice| now >= notice.until)
        {
            self.notice = None;
        }
        let fleet = &self.fleet;
        self.marks.retain(|key| fleet.get(key).is_some());
    }

    /// Brings what is derived up to date: the rows and their order, the place of the cursor, and
    /// what is scrolled away. `height` is how many rows are visible.
    pub(crate) fn arrange(&mut self, height: u16) {
        self.order();
        self.follow();
        self.scroll(usize::from(height));
    }

    /// As if nothing of the rows were known.
    #[cfg(test)]
    pub(crate) fn look_anew(&mut self) {
        self.lineup = Lineup::default();
        self.order();
    }

    fn order(&mut self) {
        let (fleet, still) = match &mut self.flow {
            Flow::Live => (&mut self.fleet, None),
            Flow::Frozen(still) => (&mut still.fleet, Some(still.at.moment)),
        };
        let touched = fleet.touched();
        let rules = Rules {
            selection: &self.selection,
            filter: &self.filter,
            sort: &self.sort,
            direction: self.direction,
            all: self.scope == Scope::All,
        };
        // It is another fleet that is shown now.
        let is_other = self.lined_up != still;
        self.lined_up = still;
        let touched = if is_other { Touched::All } else { touched };
        self.lineup.follow(fleet, touched, rules);
        let shown = self.operations.keys().collect();
        self.tally = self.lineup.arrange(fleet, rules, &shown, &mut self.rows);
    }

    /// The cursor stays on its container; where that is gone, on its place.
    fn follow(&mut self) {
        let Cursor::At(key, place) = &self.cursor else {
            return;
        };
        if self.rows.get(*place) == Some(key) {
            return;
        }
        let found = self.rows.iter().position(|row| row == key);
        let place = found.unwrap_or((*place).min(self.rows.len().saturating_sub(1)));
        // Where nothing is left to be on: when it comes back the cursor is there again.
        if let Some(key) = self.rows.get(place) {
            self.cursor = Cursor::At(key.clone(), place);
        }
    }

    fn scroll(&mut self, height: usize) {
        let place = self.place().unwrap_or(0);
        let furthest = self.rows.len().saturating_sub(height);
        self.offset = self.offset.min(furthest).min(place);
        if height > 0 && place >= self.offset + height {
            self.offset = place + 1 - height;
        }
    }
}
