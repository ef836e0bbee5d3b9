//! Which columns the table has, and in which order.

use std::borrow::Cow;

use super::path::Path;

/// The most values of monitors that are columns at once.
const VALUES: usize = 8;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Column {
    /// The glyph of the state, where there is no room for its word; nobody chooses it.
    Glyph,
    /// The state.
    State,
    /// The name; it is always there.
    Name,
    /// How long it has been in its state.
    Age,
    /// What the checks say.
    Health,
    /// The restarts of this boot.
    Restarts,
    /// The share of a processor.
    Cpu,
    /// The memory.
    Memory,
    /// The age of the last good backup.
    Backup,
    /// What goes on, or why it is as it is.
    Story,
    /// The image.
    Image,
    /// The host, where there are several.
    Host,
    /// A value of the monitor.
    Value(Path),
}

impl Column {
    /// Those there are without values, as they stand from left to right.
    pub(crate) const ALL: [Self; 11] = [
        Self::State,
        Self::Name,
        Self::Age,
        Self::Health,
        Self::Restarts,
        Self::Cpu,
        Self::Memory,
        Self::Backup,
        Self::Story,
        Self::Image,
        Self::Host,
    ];

    /// By which name it is chosen.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Glyph => "glyph",
            Self::State => "state",
            Self::Name => "name",
            Self::Age => "for",
            Self::Health => "health",
            Self::Restarts => "restarts",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Backup => "backup",
            Self::Story => "what",
            Self::Image => "image",
            Self::Host => "host",
            Self::Value(path) => return Cow::Owned(path.to_string()),
        })
    }

    /// What it shows.
    pub(crate) const fn meaning(&self) -> &'static str {
        match self {
            Self::Glyph => "the state as a sign",
            Self::State => "the state",
            Self::Name => "the name; always there",
            Self::Age => "how long it has been in its state",
            Self::Health => "what the checks say",
            Self::Restarts => "the restarts of this boot",
            Self::Cpu => "the share of a processor",
            Self::Memory => "the memory, without the page cache",
            Self::Backup => "the age of the last good backup",
            Self::Story => "what goes on, or why it is as it is",
            Self::Image => "the image, where there is room for it",
            Self::Host => "the host, where there are several",
            Self::Value(_) => "a value of the monitor",
        }
    }

    /// The column with a name, or of the value at a place.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if name.starts_with(['.', '[']) {
            return Path::parse(name).map(Self::Value);
        }
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    fn default_place(&self) -> usize {
        // A value stands before the story, which takes what room is left.
        let place = Self::ALL.iter().position(|column| column == self);
        place.unwrap_or(Self::ALL.len() - 4)
    }
}

/// Why a column cannot be taken in or away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ColumnsError {
    /// Without a name nobody knows what a row is about.
    #[error("the name is always there")]
    Name,
    /// There would be too many.
    #[error("no room for {0}: {VALUES} values are columns already")]
    Full(Path),
}

/// The columns that are to be shown, from left to right; what does not fit is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    shown: Vec<Column>,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            shown: Column::ALL.to_vec(),
        }
    }
}

impl Columns {
    /// Just these, in this order; the name first where it is not among them.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let mut shown: Vec<Column> = Vec::new();
        for column in columns {
            if !shown.contains(&column) {
                shown.push(column);
            }
        }
        if !shown.contains(&Column::Name) {
            shown.insert(0, Column::Name);
        }
        Self { shown }
    }

    /// Those that are to be shown.
    pub(crate) fn shown(&self) -> &[Column] {
        &self.shown
    }

    /// Whether this one is.
    pub(crate) fn has(&self, column: &Column) -> bool {
        self.shown.contains(column)
    }

    /// The places of the values that are to be shown.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Path> {
        self.shown.iter().filter_map(|column| match column {
            Column::Value(path) => Some(path),
            Column::Glyph
            | Column::State
            | Column::Name
            | Column::Age
            | Column::Health
            | Column::Restarts
            | Column::Cpu
            | Column::Memory
            | Column::Backup
            | Column::Story
            | Column::Image
            | Column::Host => None,
        })
    }

    /// All there are to choose from: those that are shown, then the others.
    pub(crate) fn choice(&self) -> Vec<Column> {
        let others = Column::ALL.into_iter().filter(|one| !self.has(one));
        self.shown.iter().cloned().chain(others).collect()
    }

    /// Shows a column that was not shown, or not any more. Whether it is shown now.
    pub(crate) fn toggle(&mut self, column: &Column) -> Result<bool, ColumnsError> {
        if *column == Column::Name {
            return Err(ColumnsError::Name);
        }
        if let Some(place) = self.shown.iter().position(|one| one == column) {
            self.shown.remove(place);
            return Ok(false);
        }
        if let Column::Value(path) = column
            && self.values().count() >= VALUES
        {
            return Err(ColumnsError::Full(path.clone()));
        }
        let wanted = column.default_place();
        let place = self
            .shown
            .iter()
            .position(|one| one.default_place() > wanted);
        self.shown
            .insert(place.unwrap_or(self.shown.len()), column.clone());
        Ok(true)
    }

    /// Moves a column that is shown so far to the right, or to the left. Where it is then.
    pub(crate) fn shift(&mut self, place: usize, by: isize) -> usize {
        let to = place.saturating_add_signed(by);
        if place < self.shown.len() && to < self.shown.len() {
            let column = self.shown.remove(place);
            self.shown.insert(to, column);
            to
        } else {
            place
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(columns: &Columns) -> Vec<Cow<'static, str>> {
        columns.shown().iter().map(Column::name).collect()
    }

    #[test]
    fn every_column_has_a_name_of_its_own() {
        for column in Column::ALL {
            assert_eq!(Column::parse(&column.name()), Some(column));
        }
        let value = Column::parse(".queue.depth").unwrap();
        assert_eq!(value.name(), ".queue.depth");
        for name in ["", "glyph", "nosuch", ".", ".a."] {
            assert_eq!(Column::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_column_comes_back_where_it_was() {
        let mut columns = Columns::default();
        assert_eq!(columns.toggle(&Column::Health), Ok(false));
        assert!(!columns.has(&Column::Health));
        assert_eq!(columns.choice().last(), Some(&Column::Health));
        assert_eq!(columns.toggle(&Column::Health), Ok(true));
        assert_eq!(columns, Columns::default());
        let depth = Column::parse(".depth").unwrap();
        columns.toggle(&depth).unwrap();
        assert_eq!(names(&columns)[7..10], ["backup", ".depth", "what"]);
        assert_eq!(columns.shift(8, -1), 7);
        assert_eq!(columns.shift(0, -1), 0);
        assert_eq!(columns.shift(11, 1), 11);
        assert_eq!(columns.toggle(&Column::Name), Err(ColumnsError::Name));
    }

    #[test]
    fn the_name_is_there_whatever_is_chosen_and_nothing_twice() {
        let columns = Columns::new(vec![Column::Cpu, Column::State, Column::Cpu]);
        assert_eq!(names(&columns), ["name", "cpu", "state"]);
        let mut columns = columns;
        for number in 0..VALUES {
            let column = Column::parse(&format!(".v{number}")).unwrap();
            columns.toggle(&column).unwrap();
        }
        let one_more = Column::parse(".more").unwrap();
        assert!(columns.toggle(&one_more).is_err());
    }
}
