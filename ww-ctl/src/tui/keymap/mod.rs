//! Which key does what, where.

mod action;
mod key;
mod table;

use std::borrow::Cow;

use crossterm::event::KeyEvent;

pub(crate) use action::Action;
pub(crate) use key::Key;
pub(crate) use table::Binding;
use table::KEYMAP;

use super::model::{Focus, Mode, Model, Tab};

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
    use crossterm::event::KeyCode;

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
        let told = include_str!("../../../../docs/dashboard.md");
        for name in names() {
            assert!(told.contains(&format!("`{name}`")), "{name}");
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
