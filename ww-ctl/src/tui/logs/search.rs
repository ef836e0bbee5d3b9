//! What is looked for in the lines.

use std::ops::Range;

use regex_lite::Regex;

use super::store::Line;
use crate::tui::filter::pattern;

/// A search. Two are told apart by what was typed.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    text: String,
    pattern: Result<Regex, String>,
    /// The line that was gone to last.
    pub current: Option<u64>,
}

impl Search {
    /// For what an operator typed, a regular expression whatever the case; none for nothing. What
    /// is no regular expression, or not yet, finds nothing and says why.
    pub(super) fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self {
            text: text.to_owned(),
            pattern: pattern(text),
            current: None,
        })
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Why it finds nothing, where it cannot.
    pub(crate) fn doubt(&self) -> Option<&str> {
        self.pattern.as_ref().err().map(String::as_str)
    }

    /// Whether something that can be seen of a line is it.
    pub(super) fn finds(&self, line: &Line) -> bool {
        line.text()
            .is_some_and(|text| self.places(text).next().is_some())
    }

    /// Where it is in a text, in bytes. What matches nothing at all, as `x*` does, is nowhere.
    pub(crate) fn places<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let found = self.pattern.iter().flat_map(|regex| regex.find_iter(text));
        found
            .filter(|found| !found.is_empty())
            .map(|found| found.range())
    }
}
