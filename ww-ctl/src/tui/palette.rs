//! An action chosen by its name, for whoever does not know its key.

use crossterm::event::KeyEvent;

use super::keymap::{Action, Binding, Context};
use super::model::{Access, Keeping, Mode, Model, Tone};
use super::typing::{self, Typed};
use super::view;

/// What is typed to choose an action, and which one has the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Palette {
    draft: String,
    place: usize,
    /// Where the action is to hold.
    context: Context,
    /// What keys were for before, and are again after it.
    beneath: Box<Mode>,
}

/// An action to choose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// What the keymap says of it.
    pub binding: &'a Binding,
    /// Whether it holds here.
    pub is_here: bool,
}

impl Palette {
    /// As far as it is typed.
    pub(crate) fn draft(&self) -> &str {
        &self.draft
    }

    /// Which one of the choice has the cursor.
    pub(crate) const fn place(&self) -> usize {
        self.place
    }

    /// What keys were for before.
    pub(crate) const fn beneath(&self) -> &Mode {
        &self.beneath
    }

    /// The actions that have what is typed: those that hold here first, and of these the ones whose
    /// key or name it is.
    pub(crate) fn choice<'a>(&self, model: &'a Model) -> Vec<Entry<'a>> {
        let mut found: Vec<(bool, u8, Entry<'a>)> = model
            .keymap
            .all()
            .filter_map(|binding| {
                let is_here = binding.contexts.contains(&self.context);
                let entry = Entry { binding, is_here };
                Some((!is_here, rank(binding, self.draft.trim())?, entry))
            })
            .collect();
        found.sort_by_key(|(elsewhere, rank, _)| (*elsewhere, *rank));
        found.into_iter().map(|(_, _, entry)| entry).collect()
    }
}

/// How well an action fits what was typed, the best first; none where it does not.
fn rank(binding: &Binding, typed: &str) -> Option<u8> {
    let name = binding.action.name();
    let lower = typed.to_lowercase();
    if name == lower || binding.keys.iter().any(|key| key.label() == typed) {
        return Some(0);
    }
    let help = binding.help.to_lowercase();
    let mut in_name = true;
    for word in lower.split_whitespace() {
        if !name.contains(word) {
            in_name = false;
            if !help.contains(word) {
                return None;
            }
        }
    }
    Some(match (in_name, name.starts_with(&lower)) {
        (_, true) => 1,
        (true, false) => 2,
        (false, false) => 3,
    })
}

/// Whether it does anything here and now.
pub(crate) fn does_something(model: &Model, entry: Entry<'_>) -> bool {
    let action = entry.binding.action;
    let is_refused = model.access == Access::ReadOnly && action.changes_things();
    let is_of_a_recording = matches!(action, Action::Wind(_));
    entry.is_here
        && !is_refused
        && (!is_of_a_recording || matches!(model.keeping, Keeping::Replayed(_)))
}

/// Begins to choose.
pub(super) fn open(model: &mut Model) {
    let Some(context) = Context::of(model) else {
        return;
    };
    if !view::can_ask(model) {
        model.say(Tone::Wrong, "the terminal is too small to choose from");
        return;
    }
    model.notice = None;
    let beneath = Box::new(std::mem::replace(&mut model.mode, Mode::Normal));
    model.mode = Mode::Calling(Palette {
        draft: String::new(),
        place: 0,
        context,
        beneath,
    });
}

/// Takes a key; an action where that chooses one, with keys for what they were before.
pub(super) fn press(model: &mut Model, key: KeyEvent) -> Option<Action> {
    let Mode::Calling(palette) = &mut model.mode else {
        return None;
    };
    match typing::press(&mut palette.draft, key) {
        Typed::Changed => palette.place = 0,
        Typed::Up => shift(model, -1),
        Typed::Down => shift(model, 1),
        Typed::Dropped => leave(model),
        Typed::Kept => return choose(model),
        Typed::Nothing => {}
    }
    None
}

/// Takes what was pasted.
pub(super) fn paste(palette: &mut Palette, text: &str) {
    typing::paste(&mut palette.draft, text);
    palette.place = 0;
}

/// Moves the cursor.
pub(super) fn shift(model: &mut Model, by: isize) {
    let Mode::Calling(palette) = &model.mode else {
        return;
    };
    let last = palette.choice(model).len().saturating_sub(1);
    let place = palette.place.saturating_add_signed(by).min(last);
    if let Mode::Calling(palette) = &mut model.mode {
        palette.place = place;
    }
}

fn leave(model: &mut Model) {
    if let Mode::Calling(palette) = std::mem::replace(&mut model.mode, Mode::Normal) {
        model.mode = *palette.beneath;
    }
}

fn choose(model: &mut Model) -> Option<Action> {
    let Mode::Calling(palette) = &model.mode else {
        return None;
    };
    let entry = palette.choice(model).get(palette.place).copied()?;
    let (action, place) = (entry.binding.action, entry.binding.place());
    if entry.is_here {
        leave(model);
        return Some(action);
    }
    let mut text = format!("{} does nothing here", action.name());
    if !place.is_empty() {
        text = format!("{text}, but {place}");
    }
    model.say(Tone::Wrong, text);
    None
}
