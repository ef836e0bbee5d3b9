//! What is wrong with a filter and where, in words that hold no value of the configuration.

use std::fmt;

use jaq_core::compile;
use jaq_core::load::{lex, parse};

/// A text that is not a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// What is wrong.
    reason: String,
    /// Where in the filter, in bytes.
    offset: usize,
    /// The filter as it was written.
    filter: String,
}

impl Misfit {
    fn new(filter: &str, found: &str, reason: String) -> Self {
        // `found` is a piece of `filter`, or empty and its end.
        let offset = (found.as_ptr() as usize)
            .checked_sub(filter.as_ptr() as usize)
            .filter(|offset| *offset <= filter.len() && filter.is_char_boundary(*offset))
            .unwrap_or(filter.len());
        Self {
            reason,
            offset,
            filter: filter.into(),
        }
    }

    pub(super) fn of_lexer(filter: &str, errors: Vec<lex::Error<&str>>) -> Self {
        let Some((expected, found)) = errors.into_iter().next() else {
            return Self::defect(filter);
        };
        match (&expected, found.chars().next()) {
            (lex::Expect::Delim(open), _) => Self::new(
                filter,
                open,
                format!("this `{}` is never closed", first(open)),
            ),
            (lex::Expect::Token, Some(_)) => {
                Self::new(filter, found, "this cannot stand here".into())
            }
            (_, Some(_)) => Self::new(filter, found, format!("expected {}", expected.as_str())),
            (_, None) => Self::new(
                filter,
                found,
                format!("ends too early, expected {}", expected.as_str()),
            ),
        }
    }

    pub(super) fn of_parser(
        filter: &str,
        errors: Vec<parse::Error<&str, Option<&lex::Token<&str>>>>,
    ) -> Self {
        let Some((expected, token)) = errors.into_iter().next() else {
            return Self::defect(filter);
        };
        let found = lex::Token::opt_as_str(token, filter);
        let expected = match expected.as_str() {
            "" | "nothing" => "the end".into(),
            "term" => "a value or a filter".into(),
            word @ ("variable" | "pattern" | "key" | "identifier" | "argument" | "string") => {
                format!("a {word}")
                    .replace("a i", "an i")
                    .replace("a a", "an a")
            }
            other => format!("`{other}`"),
        };
        let reason = if found.is_empty() {
            format!("ends too early, expected {expected}")
        } else {
            format!("expected {expected}")
        };
        Self::new(filter, found, reason)
    }

    pub(super) fn of_compiler(filter: &str, errors: compile::Errors<&str, ()>) -> Self {
        let mut errors = errors.into_iter().flat_map(|(_, errors)| errors);
        let Some((found, undefined)) = errors.next() else {
            return Self::defect(filter);
        };
        let kind = undefined.as_str();
        let reason = match (found, arity(&undefined)) {
            ("reduce" | "foreach", _) => format!("wrong number of arguments for `{found}`"),
            (_, 0) => format!("there is no {kind} `{found}`"),
            (_, 1) => format!("there is no {kind} `{found}` with 1 argument"),
            (_, arity) => format!("there is no {kind} `{found}` with {arity} arguments"),
        };
        Self::new(filter, found, reason)
    }

    /// An error the library does not explain.
    pub(super) fn defect(filter: &str) -> Self {
        Self::new(filter, filter, "not understood".into())
    }

    /// The same for the filter without the dot that was put before it.
    pub(super) fn shifted(self, filter: &str) -> Self {
        Self {
            offset: self.offset.saturating_sub(1),
            filter: filter.into(),
            ..self
        }
    }

    pub(super) const fn offset(&self) -> usize {
        self.offset
    }
}

const fn arity(undefined: &compile::Undefined) -> usize {
    if let compile::Undefined::Filter(arity) = undefined {
        *arity
    } else {
        0
    }
}

fn first(text: &str) -> &str {
    text.get(..1).unwrap_or(text)
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many characters are shown before and after the place.
        const AROUND: usize = 40;
        let before = &self.filter[..self.offset];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let head: Vec<char> = self.filter[start..self.offset].chars().map(shown).collect();
        let tail = self.filter[self.offset..].lines().next().unwrap_or("");
        let column = head.len() + 1;
        write!(
            formatter,
            "cannot read the filter: line {line}, column {column}: {}",
            self.reason
        )?;
        let skipped = head.len().saturating_sub(AROUND);
        let head: String = head[skipped..].iter().collect();
        let tail: String = tail.chars().map(shown).take(AROUND).collect();
        let ellipsis = if skipped > 0 { "…" } else { "" };
        write!(formatter, "\n  {ellipsis}{head}{tail}\n  ")?;
        let indent = ellipsis.chars().count() + head.chars().count();
        write!(formatter, "{:indent$}^", "")
    }
}

impl std::error::Error for Misfit {}

fn shown(character: char) -> char {
    if character.is_control() {
        ' '
    } else {
        character
    }
}

/// What went wrong while the filter ran, without the values it went wrong with: they may be secrets.
/// A word that the filter itself says is no secret.
pub(super) fn without_values(message: &str, filter: &str) -> String {
    if let Some(rest) = message.strip_prefix("cannot index ") {
        let key = rest.rsplit_once(" with ").map_or("", |(_, key)| key);
        let word = key.trim_matches('"');
        return if !word.is_empty() && filter.contains(word) {
            let word: String = word.chars().map(shown).take(80).collect();
            format!("{} has no `{word}`", kind(rest))
        } else {
            format!("{} cannot be indexed like this", kind(rest))
        };
    }
    if let Some(rest) = message.strip_prefix("cannot use ") {
        let wanted = [
            "integer",
            "number",
            "string",
            "array",
            "iterable (array or object)",
            "rangeable (array or string)",
        ];
        let wanted = wanted
            .iter()
            .find(|wanted| rest.ends_with(&format!(" as {wanted}")));
        return wanted.map_or_else(
            || format!("{} cannot be used like this", kind(rest)),
            |wanted| format!("{} cannot be used as {wanted}", kind(rest)),
        );
    }
    if let Some(rest) = message.strip_prefix("cannot calculate ") {
        return format!(
            "cannot calculate with {} and what comes after it",
            kind(rest)
        );
    }
    if message.starts_with("invalid path expression") {
        return "what is to be changed is not a path".into();
    }
    if message.starts_with("invalid regex") {
        return "the regular expression or its flags are not valid".into();
    }
    let text = message.trim_matches('"');
    if !text.is_empty() && filter.contains(text) {
        return text.chars().map(shown).take(200).collect();
    }
    "it raised an error, which is not shown because it may hold values of the configuration".into()
}

/// The type of the value whose JSON begins here.
fn kind(json: &str) -> &'static str {
    match json.bytes().next() {
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(_) | None => "a value",
    }
}
