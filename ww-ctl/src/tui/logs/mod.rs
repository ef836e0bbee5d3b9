//! What containers print: that of the one under the cursor, or of all that are marked and seen.
//!
//! It is followed while somebody looks. Who goes up reads on undisturbed: what there is stays where it
//! is, and what comes meanwhile is counted.

mod search;
mod store;

use std::collections::BTreeSet;

pub(crate) use search::Search;
#[cfg(test)]
pub(crate) use store::{BYTES, LINES};
pub(crate) use store::{Line, Store};

use super::model::{Focus, Mode, Model, Tab, Tone};
use super::msg::{Cmd, Printed, Said};
use super::view;
use crate::fleet::{ContainerKey, clean};

/// The longest line that is shown, in characters.
const LINE: usize = 1000;
/// The longest reason, in characters.
const REASON: usize = 256;
/// Of so many containers at a time: each is a stream of its Engine.
const AT_ONCE: usize = 16;
/// By so many columns the lines go sideways.
const ASIDE: usize = 20;

/// Which lines are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The last ones, whatever comes.
    End,
    /// From this one on.
    At(u64),
}

/// What containers print.
#[derive(Debug, Clone)]
pub(crate) struct Logs {
    /// Whose it is, by name.
    keys: Vec<ContainerKey>,
    /// Whether it is being followed.
    is_open: bool,
    /// Of whom something was heard: where there are no lines, it has printed none.
    heard: BTreeSet<ContainerKey>,
    /// How many are marked and seen beside them: more than are followed.
    left_out: usize,
    store: Store,
    place: Place,
    search: Option<Search>,
    /// Whether each line begins with its time.
    pub(super) has_times: bool,
    /// How many columns of the lines are left out at their beginning.
    aside: usize,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            is_open: false,
            heard: BTreeSet::new(),
            left_out: 0,
            store: Store::default(),
            place: Place::End,
            search: None,
            has_times: false,
            aside: 0,
        }
    }
}

impl Logs {
    /// Whose lines they are, by name.
    pub(crate) fn keys(&self) -> &[ContainerKey] {
        &self.keys
    }

    /// How many are marked beside them.
    pub(crate) const fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether all have said what there is, or that there is nothing.
    pub(crate) fn are_known(&self) -> bool {
        self.keys.iter().all(|key| self.heard.contains(key))
    }

    /// The lines.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// How many have come since the lines stand still; none while they do not.
    pub(crate) fn news(&self) -> Option<u64> {
        (self.place != Place::End).then(|| self.store.news())
    }

    /// What is searched for.
    pub(crate) const fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// How many columns of the lines are left out at their beginning.
    pub(crate) const fn aside(&self) -> usize {
        self.aside
    }

    /// The first line that is seen where so many are.
    pub(crate) fn top(&self, height: usize) -> usize {
        let furthest = self.store.len().saturating_sub(height);
        match self.place {
            Place::End => furthest,
            Place::At(id) => self.store.place(id).unwrap_or(0).min(furthest),
        }
    }

    /// What could not be asked for is asked for again.
    pub(super) const fn ask_again(&mut self) {
        self.is_open = false;
    }

    /// To the end, and on with it.
    pub(super) fn follow(&mut self) {
        self.place = Place::End;
        self.store.flow();
    }

    /// Stays where it is.
    pub(super) fn hold(&mut self, height: usize) {
        if self.place == Place::End
            && let Some(id) = self.store.id(self.top(height))
        {
            self.place = Place::At(id);
            self.store.hold();
        }
    }

    /// Shows so many lines from a place on, and nothing that comes moves them.
    fn go_to(&mut self, top: usize, height: usize) {
        if let Some(id) = self.store.id(top) {
            self.place = Place::At(id);
            self.store.hold();
            self.store.absorb(top + height);
        }
    }

    /// Searches for what is typed, from where one is upwards: what was printed last is likely it.
    fn look_for(&mut self, text: &str, height: usize) {
        self.search = Search::parse(text);
        self.store.look_for(self.search.as_ref());
        let bottom = (self.top(height) + height).min(self.store.len());
        let found = self.found();
        let before = found.iter().rfind(|(place, _)| *place < bottom);
        if let Some((place, id)) = before.or(found.first()) {
            self.show(*place, *id, height);
        }
    }

    /// The lines that have what is searched for, each with its place and which one it is.
    fn found(&self) -> Vec<(usize, u64)> {
        let lines = self.store.lines().enumerate();
        let found = lines.filter(|(_, line)| line.is_found);
        found.map(|(place, line)| (place, line.id)).collect()
    }

    /// Brings a line that was found onto the screen, to its middle if it is not there.
    fn show(&mut self, place: usize, id: u64, height: usize) {
        let top = self.top(height);
        let middle = place.saturating_sub(height / 2);
        let furthest = self.store.len().saturating_sub(height);
        let is_seen = (top..top + height).contains(&place);
        let top = if is_seen { top } else { middle.min(furthest) };
        self.go_to(top, height);
        if let Some(search) = &mut self.search {
            search.current = Some(id);
        }
    }

    /// Where a search goes on from: the line gone to last, if it is seen, or what is.
    fn from(&self, height: usize) -> (usize, usize) {
        let top = self.top(height);
        let bottom = (top + height).min(self.store.len());
        let current = self.search.as_ref().and_then(|search| search.current);
        match current.and_then(|id| self.store.place(id)) {
            Some(place) if (top..bottom).contains(&place) => (place, place + 1),
            Some(_) | None => (bottom, top),
        }
    }
}

/// What is to be asked for so that the tab has something to show, where that has changed.
pub(super) fn wanted(model: &mut Model) -> Option<Cmd> {
    let (keys, left_out) = looked_at(model);
    let logs = &mut model.logs;
    if keys.is_empty() {
        return std::mem::take(&mut logs.is_open).then(|| Cmd::Follow(Vec::new()));
    }
    logs.left_out = left_out;
    let is_same = keys.len() == logs.keys.len() && keys.iter().all(|key| logs.keys.contains(key));
    if !is_same {
        logs.store.forget(|key| !keys.contains(key));
        logs.heard.retain(|key| keys.contains(key));
        logs.follow();
    }
    // A name may have changed.
    logs.keys.clone_from(&keys);
    if is_same && logs.is_open {
        return None;
    }
    logs.is_open = true;
    Some(Cmd::Follow(keys))
}

/// Whose output is looked at, and how many there are beside them.
fn looked_at(model: &Model) -> (Vec<ContainerKey>, usize) {
    if !model.tab.has_output() || view::details_rows(model) == 0 {
        return (Vec::new(), 0);
    }
    let selected = model.selected().map(|one| one.key.clone());
    let marked = model.rows().iter().any(|key| model.marks.contains(key));
    if model.tab != Tab::Logs || !marked {
        return (selected.into_iter().collect(), 0);
    }
    let targets = model.targets();
    let keys = targets.iter().take(AT_ONCE).map(|one| one.key.clone());
    (keys.collect(), targets.len().saturating_sub(AT_ONCE))
}

/// Takes in what a container has printed, if somebody still wants to know.
pub(super) fn heard(model: &mut Model, printed: Printed) -> Vec<Cmd> {
    let Printed {
        key,
        is_anew,
        lines,
    } = printed;
    let now = model.now.wall;
    let logs = &mut model.logs;
    if !logs.keys.contains(&key) {
        return Vec::new();
    }
    if is_anew {
        logs.store.forget(|one| *one == key);
    }
    logs.heard.insert(key.clone());
    let fit = lines.into_iter().map(|(at, said)| {
        let said = match said {
            Said::Line(text) => Said::Line(clean(&text, LINE)),
            Said::LeftOut(lines) => Said::LeftOut(lines),
            Said::Word(text) => Said::Word(clean(&text, REASON)),
            Said::Failed(text) => Said::Failed(clean(&text, REASON)),
        };
        (at, said)
    });
    logs.store.put(&key, fit, logs.search.as_ref(), now);
    match (logs.is_open, logs.place) {
        (false, _) => Vec::new(),
        (true, Place::End) => vec![Cmd::Draw],
        // Only their number has changed.
        (true, Place::At(_)) => vec![Cmd::Refresh],
    }
}

/// Whether the movement keys are the lines'.
pub(super) const fn has_keys(model: &Model) -> bool {
    let has_focus = matches!(model.focus, Focus::Pane { .. } | Focus::Full { .. });
    matches!((model.tab, &model.mode), (Tab::Logs, Mode::Normal)) && has_focus
}

fn height(model: &Model) -> usize {
    usize::from(view::details_rows(model))
}

/// Moves by so many lines, where the lines have the keys. Whether that was so.
pub(super) fn shift(model: &mut Model, by: isize) -> bool {
    if !has_keys(model) {
        return false;
    }
    let height = height(model);
    let logs = &mut model.logs;
    let furthest = logs.store.len().saturating_sub(height);
    let top = logs.top(height);
    let wanted = top.saturating_add_signed(by);
    if by >= 0 && wanted >= furthest {
        logs.follow();
    } else {
        logs.go_to(wanted, height);
    }
    true
}

/// Moves sideways, so that the ends of long lines are seen.
pub(super) fn aside(model: &mut Model, right: bool) {
    let longest = view::longest_line(model);
    let aside = &mut model.logs.aside;
    *aside = if right {
        (*aside + ASIDE).min(longest.saturating_sub(1).max(*aside))
    } else {
        aside.saturating_sub(ASIDE)
    };
}

/// Stays where it is while the picture stands still, and goes on with it.
pub(super) fn freeze(model: &mut Model, is_frozen: bool) {
    if is_frozen {
        let height = height(model);
        model.logs.hold(height);
    } else {
        model.logs.follow();
    }
}

/// Begins to search.
pub(super) fn search(model: &mut Model) {
    let text = model.logs.search.as_ref().map(Search::text);
    model.mode = Mode::Searching {
        draft: text.unwrap_or_default().to_owned(),
        from: model.logs.place,
    };
}

/// Searches for what is typed so far.
pub(super) fn look_for(model: &mut Model) {
    let height = height(model);
    if let Mode::Searching { draft, from } = &model.mode {
        let logs = &mut model.logs;
        match from {
            Place::End => logs.follow(),
            Place::At(id) => logs.place = Place::At(*id),
        }
        logs.look_for(draft, height);
    }
}

/// Searches for nothing any more, and goes back to where that was begun.
pub(super) fn give_up(model: &mut Model) {
    if let Mode::Searching { draft, .. } = &mut model.mode {
        draft.clear();
    }
    look_for(model);
    model.mode = Mode::Normal;
}

/// Nothing is searched for any more. Whether something was.
pub(super) fn drop_search(model: &mut Model) -> bool {
    let logs = &mut model.logs;
    let was = logs.search.take().is_some();
    if was {
        logs.store.look_for(None);
    }
    was
}

/// Goes to the next line that has what is searched for, or to the one before, around the end.
pub(super) fn turn(model: &mut Model, down: bool) {
    let height = height(model);
    let logs = &mut model.logs;
    let Some(search) = &logs.search else {
        return model.say(Tone::Calm, "nothing is searched for: / does");
    };
    if let Some(doubt) = search.doubt() {
        let doubt = doubt.to_owned();
        return model.say(Tone::Wrong, doubt);
    }
    let (before, after) = logs.from(height);
    let found = logs.found();
    let (next, around) = if down {
        let next = found.iter().find(|(place, _)| *place >= after);
        (next, found.first())
    } else {
        let next = found.iter().rfind(|(place, _)| *place < before);
        (next, found.last())
    };
    let is_around = next.is_none();
    let Some((place, id)) = next.or(around) else {
        let text = format!("no line has {}", search.text());
        return model.say(Tone::Calm, text);
    };
    logs.show(*place, *id, height);
    if is_around {
        let text = if down {
            "past the last one: the first"
        } else {
            "past the first one: the last"
        };
        model.say(Tone::Calm, text);
    }
}
