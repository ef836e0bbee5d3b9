//! What a user has chosen, in `~/.config/ww-ctl/config.toml`.

use std::collections::BTreeMap;

use ratatui::style::Color;
use serde::Deserialize;

use super::columns::{Column, Columns};
use super::keymap::{Key, Keymap};
use super::sort::SortKey;
use super::theme::Palette;

/// What a user has chosen.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The colours.
    pub palette: Palette,
    /// Signs of ASCII alone, or all of them; none: as the locale says.
    pub ascii: Option<bool>,
    /// Whether the mouse is listened to.
    pub mouse: bool,
    /// The columns.
    pub columns: Columns,
    /// The order at the beginning; none: the usual one.
    pub sort: Option<SortKey>,
    /// The keys.
    pub keymap: Keymap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            palette: Palette::USUAL,
            ascii: None,
            mouse: true,
            columns: Columns::default(),
            sort: None,
            keymap: Keymap::default(),
        }
    }
}

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    top: Top,
}

/// What is for the dashboard in it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Top {
    theme: Option<String>,
    ascii: Option<bool>,
    mouse: Option<bool>,
    columns: Option<Vec<String>>,
    sort: Option<String>,
    colours: BTreeMap<String, String>,
    keys: BTreeMap<String, Keys>,
}

/// One key or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Several(Vec<String>),
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    /// In words: what is wrong, and what there is to choose from.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start].matches('\n').count() + 1);
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            format!("{line}{}", error.message())
        })?;
        let top = document.top;
        let mut settings = Self {
            palette: palette(top.theme.as_deref(), &top.colours)?,
            ascii: top.ascii,
            mouse: top.mouse.unwrap_or(true),
            ..Self::default()
        };
        if let Some(columns) = top.columns {
            settings.columns = Columns::new(chosen_columns(&columns)?);
        }
        if let Some(sort) = top.sort {
            settings.sort = Some(SortKey::parse(&sort).ok_or_else(|| {
                format!(
                    "top.sort: no order `{sort}`; the orders are worst, name, latest, restarts, cpu, \
                     memory, backup, image, host, or a place such as .queue.depth"
                )
            })?);
        }
        let keys = top
            .keys
            .into_iter()
            .map(|(action, keys)| chosen_keys(action, keys));
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        settings.keymap = Keymap::with(&keys).map_err(|error| format!("top.keys: {error}"))?;
        Ok(settings)
    }
}

fn palette(theme: Option<&str>, colours: &BTreeMap<String, String>) -> Result<Palette, String> {
    let mut palette = Palette::USUAL;
    if let Some(theme) = theme {
        let known = Palette::ALL.iter().find(|(name, _)| *name == theme);
        palette = known.map(|(_, palette)| *palette).ok_or_else(|| {
            let names: Vec<_> = Palette::ALL.iter().map(|(name, _)| *name).collect();
            format!(
                "top.theme: no theme `{theme}`; the themes are {}",
                names.join(", ")
            )
        })?;
    }
    for (role, colour) in colours {
        let parsed: Color = colour.parse().map_err(|_| {
            format!(
                "top.colours.{role}: no colour `{colour}`; one is a name such as light-blue, a number up \
                 to 255, or #rrggbb"
            )
        })?;
        *match role.as_str() {
            "good" => &mut palette.good,
            "busy" => &mut palette.busy,
            "warn" => &mut palette.warn,
            "bad" => &mut palette.bad,
            "key" => &mut palette.key,
            _ => {
                return Err(format!(
                    "top.colours: nothing is called `{role}`; there are good, busy, warn, bad, key"
                ));
            }
        } = parsed;
    }
    Ok(palette)
}

fn chosen_columns(names: &[String]) -> Result<Vec<Column>, String> {
    let column = |name: &String| {
        Column::parse(name).ok_or_else(|| {
            let names: Vec<_> = Column::ALL.iter().map(Column::name).collect();
            format!(
                "top.columns: no column `{name}`; the columns are {}, or a place such as .queue.depth",
                names.join(", ")
            )
        })
    };
    names.iter().map(column).collect()
}

fn chosen_keys(action: String, keys: Keys) -> Result<(String, Vec<Key>), String> {
    let names = match keys {
        Keys::One(name) => vec![name],
        Keys::Several(names) => names,
    };
    let key = |name: &String| {
        Key::parse(name).ok_or_else(|| {
            format!(
                "top.keys.{action}: no key `{name}`; one is a character, or F5, space, enter, tab, pgup, \
                 ctrl-r and the like"
            )
        })
    };
    let keys = names.iter().map(key).collect::<Result<_, _>>()?;
    Ok((action, keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_can_be_chosen() {
        let settings = Settings::parse(
            r##"
            [top]
            theme = "colour-blind"
            ascii = true
            mouse = false
            columns = ["state", "name", ".queue.depth"]
            sort = ".queue.depth"
            [top.colours]
            bad = "#ff0000"
            [top.keys]
            restart = "F5"
            filter = ["f", "/"]
            "##,
        )
        .unwrap();
        assert_eq!(settings.palette.bad, Color::Rgb(255, 0, 0));
        assert_eq!(settings.palette.good, Color::Indexed(32));
        assert_eq!((settings.ascii, settings.mouse), (Some(true), false));
        assert_eq!(settings.columns.values().count(), 1);
        assert_eq!(settings.columns.shown().len(), 3);
        assert_eq!(settings.sort, SortKey::parse(".queue.depth"));
        let usual = Settings::parse("").unwrap();
        assert_eq!((usual.ascii, usual.mouse), (None, true));
    }

    #[test]
    fn what_is_wrong_is_said_and_where() {
        for (text, reason) in [
            (
                "[top]\ntheme = 3",
                "line 2: invalid type: integer `3`, expected a string",
            ),
            ("[top]\n\ncolour = 'x'", "line 3: unknown field `colour`"),
            ("top = [", "line 1: "),
            (
                "[top]\ntheme = 'dark'",
                "no theme `dark`; the themes are usual, bright",
            ),
            (
                "[top.colours]\nbad = 'reddish'",
                "top.colours.bad: no colour `reddish`",
            ),
            ("[top.colours]\nworse = 'red'", "nothing is called `worse`"),
            (
                "[top]\ncolumns = ['nmae']",
                "no column `nmae`; the columns are state, name",
            ),
            (
                "[top]\nsort = 'age'",
                "no order `age`; the orders are worst",
            ),
            (
                "[top.keys]\nrestart = 'RR'",
                "top.keys.restart: no key `RR`",
            ),
            (
                "[top.keys]\nrestart = 'S'",
                "top.keys: the key S would mean both",
            ),
            ("[top.keys]\nreboot = 'b'", "top.keys: no action `reboot`"),
        ] {
            let error = Settings::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
