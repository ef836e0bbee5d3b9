//! A line that is being typed: a filter, a search.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::fleet::clean;

/// The longest line, in characters.
const LONGEST: usize = 200;

/// What a key does to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// The line has changed.
    Changed,
    /// It is as it is wanted.
    Kept,
    /// It is not wanted any more.
    Dropped,
    /// One up among what it is about.
    Up,
    /// One down.
    Down,
    /// Nothing.
    Nothing,
}

/// Takes a key.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of all the keys there are only these edit a line"
)]
pub(super) fn press(line: &mut String, key: KeyEvent) -> Typed {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Esc => return Typed::Dropped,
        KeyCode::Enter => return Typed::Kept,
        KeyCode::Down => return Typed::Down,
        KeyCode::Up => return Typed::Up,
        KeyCode::Backspace => {
            line.pop();
        }
        KeyCode::Char('u') if control => line.clear(),
        KeyCode::Char('w') if control => {
            let kept = line.trim_end().rfind(' ').map_or(0, |space| space + 1);
            line.truncate(kept);
        }
        KeyCode::Char(c) if !control && line.chars().count() < LONGEST => {
            line.push_str(&clean(c.encode_utf8(&mut [0; 4]), 1));
        }
        _ => return Typed::Nothing,
    }
    Typed::Changed
}

/// Takes what was pasted, as far as there is room.
pub(super) fn paste(line: &mut String, text: &str) {
    let room = LONGEST.saturating_sub(line.chars().count());
    line.extend(clean(text, LONGEST).chars().take(room));
}
