//! The dashboard as text, for whoever has no terminal for it: one picture, or one after the other.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

use super::model::{FeedStatus, Focus, Model, Tab};
use super::msg::{Event, Msg};
use super::runtime::Start;
use super::tape::Telling;
use super::theme::Look;
use super::update::update;
use super::{view, winding};
use crate::fleet::{Fleet, HostName, Input, Link, Stamp};

/// Above the rows: hosts and counts, the filter, the headings.
const ABOVE: u16 = 3;
/// What there is to say where there is no row takes as much.
const NOTHING: u16 = 16;
/// Narrower, there would be no table.
const NARROWEST: u16 = 50;
/// Wider, all there is stands on the line already.
const WIDEST: u16 = 1000;
/// More rows than this are more than a picture.
const MOST: u16 = 20_000;

/// What pictures are made of. It has the dashboard's model and its view, and no keys.
pub(crate) struct Plain {
    model: Model,
    look: Look,
    columns: u16,
}

impl Plain {
    /// Of these hosts, so many columns wide.
    pub(crate) fn new(
        hosts: impl IntoIterator<Item = HostName>,
        start: Start,
        columns: usize,
        now: Stamp,
    ) -> Self {
        let columns = u16::try_from(columns).unwrap_or(WIDEST);
        let columns = columns.clamp(NARROWEST, WIDEST);
        let look = start.look;
        let mut model = start.model(hosts, (columns, ABOVE + NOTHING), now);
        model.focus = Focus::Table;
        model.tab = Tab::Summary;
        Self {
            model,
            look,
            columns,
        }
    }

    /// What was found out by one look.
    pub(crate) fn knows(&mut self, fleet: Fleet) {
        self.model.fleet = fleet;
    }

    /// Something has happened.
    pub(crate) fn take(&mut self, input: Input, at: Stamp) {
        let event = Event::Input(Box::new(input));
        update(&mut self.model, Msg { at, event });
    }

    /// It is how a recording ends.
    pub(crate) fn replayed(&mut self, telling: Telling) {
        winding::told(&mut self.model, telling);
    }

    /// Whether every host has answered, or does not, and so have its agents.
    pub(crate) fn is_settled(&self) -> bool {
        self.model.fleet.is_settled()
            && !self
                .model
                .containers()
                .any(|one| matches!(one.link, Link::Reaching { .. }))
    }

    /// Whether there will be news.
    pub(crate) const fn feed(&self) -> FeedStatus {
        self.model.feed
    }

    /// There will be no more news.
    pub(crate) fn end(&mut self, at: Stamp) {
        let event = Event::FeedEnded;
        update(&mut self.model, Msg { at, event });
    }

    /// The picture as of now, whole: with every row, and without what is there for the keys.
    pub(crate) fn draw(&mut self, now: Stamp) -> String {
        let mut rows = 0;
        // What is told of a row may take a second look: the first says how many there are.
        for _ in 0..2 {
            let wanted = u16::try_from(self.model.rows().len()).unwrap_or(MOST);
            rows = wanted.min(MOST);
            let height = height_for(rows.max(NOTHING));
            for event in [Event::Resize(self.columns, height), Event::Frame] {
                update(&mut self.model, Msg { at: now, event });
            }
        }
        let (model, look) = (&self.model, self.look);
        let backend = TestBackend::new(model.size.0, model.size.1);
        let drawn = Terminal::new(backend).and_then(|mut terminal| {
            terminal.draw(|frame| view::view(model, look, frame))?;
            let mut buffer = terminal.backend().buffer().clone();
            // There are no keys that would act on the row under the cursor.
            if let Some(place) = model.place()
                && let Ok(place) = u16::try_from(place)
                && place < rows
            {
                buffer[(0, ABOVE + place)].set_symbol(" ");
            }
            Ok(text(&buffer, ABOVE + height_rows(rows)))
        });
        match drawn {
            Ok(text) => text,
            Err(never) => match never {},
        }
    }
}

/// How many lines are looked at: all rows, or what is said where there is none.
const fn height_rows(rows: u16) -> u16 {
    if rows == 0 { NOTHING } else { rows }
}

/// The height of a screen whose table has room for so many rows, with its pane of details below.
fn height_for(rows: u16) -> u16 {
    u16::try_from(u32::from(rows + ABOVE) * 10 / 6 + 1).unwrap_or(u16::MAX)
}

/// The first lines of what was drawn, without blanks at the end of a line or of the text.
pub(super) fn text(buffer: &Buffer, lines: u16) -> String {
    let mut text = String::new();
    for y in 0..lines.min(buffer.area.height) {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = symbol.width().saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let end = text.trim_end().len();
    text.truncate(end);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::selection::Selection;
    use crate::tui::model::Access;
    use crate::tui::settings::Settings;
    use crate::tui::tests::fixture::{self, at};
    use crate::tui::theme::Tint;

    fn plain(columns: usize, fleet: Fleet) -> Plain {
        let start = Start {
            urls: BTreeMap::new(),
            selection: Selection::default(),
            access: Access::ReadWrite,
            look: Look::from_environment(Tint::Monochrome, |name| {
                (name == "LANG").then(|| "C.UTF-8".to_owned())
            }),
            fault: false,
            settings: Settings::default(),
        };
        let hosts: Vec<_> = fleet.hosts().map(|host| host.name.clone()).collect();
        let mut plain = Plain::new(hosts, start, columns, at(0));
        plain.knows(fleet);
        plain
    }

    #[test]
    fn a_picture_has_every_row_and_nothing_for_keys() {
        let picture = plain(120, fixture::fleet().fleet).draw(at(0));
        insta::assert_snapshot!("plain-120", picture);
        assert!(!picture.contains('\u{1b}'));
        assert!(!picture.contains('▸'));
        assert!(plain(1, fixture::fleet().fleet).draw(at(0)).lines().count() > 12);
    }

    #[test]
    fn however_many_rows_there_are_all_are_in_the_picture() {
        use crate::fleet::EngineState;
        for count in [1, 17, 400] {
            let mut fleet = Fleet::new(["local".into()]);
            let names = (0..count).map(|number| format!("many-{number}"));
            let listed: Vec<_> = names
                .map(|name| fixture::listed(&name, EngineState::Running, 0))
                .collect();
            fleet.apply(fixture::listing(listed), at(0));
            let picture = plain(80, fleet).draw(at(0));
            let rows = picture.lines().filter(|line| line.contains("many-"));
            assert_eq!(rows.count(), count, "{picture}");
            assert_eq!(picture.lines().count(), count + usize::from(ABOVE));
        }
    }

    #[test]
    fn an_engine_that_is_lost_is_no_empty_fleet() {
        let mut fleet = Fleet::new(["local".into()]);
        let lost = Input::HostLost {
            host: "local".into(),
            since: None,
            reason: "nobody listens".into(),
        };
        fleet.apply(lost, at(0));
        let picture = plain(80, fleet).draw(at(0));
        assert!(picture.contains("cannot reach local"), "{picture}");
        assert!(picture.contains("nobody listens"), "{picture}");
    }
}
