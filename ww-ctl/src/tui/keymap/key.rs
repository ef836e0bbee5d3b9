//! Keys, as they are pressed and as people write them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
