//! Which rows are shown.

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;
use whaleware::lifecycle::State;
use whaleware::protocol::HealthStatus;

use super::path::Path;
use super::sort::value;
use crate::fleet::Container;

/// What the rows shown have in common: every term holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Filter {
    text: String,
    terms: Vec<Term>,
    doubt: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Term {
    sense: Sense,
    test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Is,
    IsNot,
}

/// Texts in it are lower case.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    Anywhere(String),
    Name(String),
    State(String),
    Health(String),
    Image(String),
    Host(String),
    Label(String),
    Pattern(Field, Pattern),
    Value(Path, Comparison),
}

/// What a regular expression is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Anywhere,
    Name,
    State,
    Health,
    Image,
    Host,
    Label,
}

/// A regular expression; two are the same when they are written the same.
#[derive(Debug, Clone)]
struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// What a value of a monitor is to be.
#[derive(Debug, Clone, PartialEq)]
enum Comparison {
    /// Anything but nothing.
    There,
    /// This text, whatever its case.
    Is(String),
    /// A number that stands so to this one.
    Stands(Order, f64),
}

/// How two numbers stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Less,
    AtMost,
    AtLeast,
    More,
}

impl Order {
    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Less => a < b,
            Self::AtMost => a <= b,
            Self::AtLeast => a >= b,
            Self::More => a > b,
        }
    }
}

/// The keys a term can have.
const KEYS: &str = "name state health image host label";
/// The largest a regular expression may become, in bytes.
const PATTERN: usize = 1 << 16;

impl Filter {
    /// Reads what an operator typed. There are no errors: what is not understood is left out and
    /// told by [`Self::doubt`], because it is read while it is being typed.
    pub(crate) fn parse(text: &str) -> Self {
        let mut terms = Vec::new();
        let mut doubt = None;
        for word in text.split_whitespace() {
            match parse_term(word) {
                Ok(Some(term)) => terms.push(term),
                Ok(None) => {}
                Err(reason) => doubt = Some(reason),
            }
        }
        Self {
            text: text.to_owned(),
            terms,
            doubt,
        }
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What was not understood and is ignored.
    pub(crate) fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// Whether everything is shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Whether a container is shown.
    pub(crate) fn matches(&self, container: &Container) -> bool {
        self.terms.iter().all(|term| {
            let holds = term.test.holds(container);
            match term.sense {
                Sense::Is => holds,
                Sense::IsNot => !holds,
            }
        })
    }
}

fn parse_term(word: &str) -> Result<Option<Term>, String> {
    let (sense, word) = match word.strip_prefix('!') {
        Some(rest) => (Sense::IsNot, rest),
        None => (Sense::Is, word),
    };
    if word.starts_with('.') {
        let test = parse_value(word)?;
        return Ok(test.map(|test| Term { sense, test }));
    }
    if let Some((key, pattern)) = word.split_once('~').filter(|(key, _)| !key.contains('=')) {
        let test = parse_pattern(&key.to_lowercase(), pattern)?;
        return Ok(test.map(|test| Term { sense, test }));
    }
    let lower = word.to_lowercase();
    let test = match lower.split_once('=') {
        _ if lower.is_empty() => return Ok(None),
        None => Test::Anywhere(lower),
        Some((_, "")) => return Ok(None),
        Some((key, value)) => {
            let value = value.to_owned();
            match key {
                "name" => Test::Name(value),
                "state" => Test::State(value),
                "health" => Test::Health(value),
                "image" => Test::Image(value),
                "host" => Test::Host(value),
                "label" => Test::Label(value),
                other => return Err(format!("no key `{other}`; the keys are {KEYS}")),
            }
        }
    };
    Ok(Some(Term { sense, test }))
}

/// `~^web-` or `name~^web-`.
fn parse_pattern(key: &str, pattern: &str) -> Result<Option<Test>, String> {
    let field = match key {
        "" => Field::Anywhere,
        "name" => Field::Name,
        "state" => Field::State,
        "health" => Field::Health,
        "image" => Field::Image,
        "host" => Field::Host,
        "label" => Field::Label,
        other => return Err(format!("no key `{other}`; the keys are {KEYS}")),
    };
    if pattern.is_empty() {
        return Ok(None);
    }
    let regex = self::pattern(pattern)?;
    Ok(Some(Test::Pattern(field, Pattern(regex))))
}

/// A regular expression as an operator types it: whatever the case, and of bounded size.
///
/// # Errors
/// Why it is none.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .case_insensitive(true)
        .size_limit(PATTERN)
        .build()
        .map_err(|error| format!("no regular expression `{text}`: {error}"))
}

/// `.queue.depth`, `.queue.depth>100`, `.status=ok`.
fn parse_value(word: &str) -> Result<Option<Test>, String> {
    let place = |text: &str| {
        Path::parse(text).ok_or_else(|| format!("no place `{text}`; one is .queue.depth"))
    };
    // A dot alone is the beginning of something.
    if word == "." {
        return Ok(None);
    }
    let Some(at) = word.find(['=', '<', '>']) else {
        return Ok(Some(Test::Value(place(word)?, Comparison::There)));
    };
    let (path, rest) = word.split_at(at);
    let path = place(path)?;
    let (order, wanted) = if let Some(wanted) = rest.strip_prefix(">=") {
        (Order::AtLeast, wanted)
    } else if let Some(wanted) = rest.strip_prefix("<=") {
        (Order::AtMost, wanted)
    } else if let Some(wanted) = rest.strip_prefix('>') {
        (Order::More, wanted)
    } else if let Some(wanted) = rest.strip_prefix('<') {
        (Order::Less, wanted)
    } else {
        let wanted = rest[1..].to_lowercase();
        let test = Test::Value(path, Comparison::Is(wanted.clone()));
        return Ok((!wanted.is_empty()).then_some(test));
    };
    if wanted.is_empty() {
        return Ok(None);
    }
    let number = wanted
        .parse()
        .map_err(|_| format!("`{wanted}` is no number to compare {path} with"))?;
    Ok(Some(Test::Value(path, Comparison::Stands(order, number))))
}

impl Comparison {
    fn holds(&self, value: Option<&Value>) -> bool {
        let Some(value) = value else {
            return false;
        };
        match self {
            Self::There => !value.is_null(),
            Self::Is(wanted) => match value {
                Value::String(text) => text.to_lowercase() == *wanted,
                // However it is written: 1, 1.0.
                Value::Number(number) => {
                    number.to_string() == *wanted
                        || wanted
                            .parse()
                            .is_ok_and(|wanted| number.as_f64() == Some(wanted))
                }
                Value::Null => wanted == "null",
                Value::Bool(truth) => wanted.parse().is_ok_and(|wanted: bool| wanted == *truth),
                Value::Array(_) | Value::Object(_) => false,
            },
            Self::Stands(order, wanted) => value
                .as_f64()
                .is_some_and(|number| order.holds(number, *wanted)),
        }
    }
}

impl Field {
    fn matches(self, container: &Container, regex: &Regex) -> bool {
        let state = container.state().map_or("", State::name);
        let health = health_word(container.health());
        match self {
            Self::Anywhere => [container.name.as_str(), state, health, &container.image]
                .iter()
                .any(|field| regex.is_match(field)),
            Self::Name => regex.is_match(&container.name),
            Self::State => regex.is_match(state),
            Self::Health => regex.is_match(health),
            Self::Image => regex.is_match(&container.image),
            Self::Host => regex.is_match(&container.key.host),
            Self::Label => {
                let mut labels = container.labels.iter();
                labels.any(|(key, value)| regex.is_match(&format!("{key}={value}")))
            }
        }
    }
}

impl Test {
    fn holds(&self, container: &Container) -> bool {
        let state = container.state().map_or("", State::name);
        let health = health_word(container.health());
        match self {
            Self::Anywhere(text) => {
                let image = container.image.as_str();
                [container.name.as_str(), state, health, image]
                    .iter()
                    .any(|field| contains(field, text))
            }
            Self::Name(text) => contains(&container.name, text),
            Self::State(text) => word_is(state, text, State::ALL.iter().map(|s| s.name())),
            Self::Health(text) => {
                let words = [
                    HealthStatus::Unknown,
                    HealthStatus::Passing,
                    HealthStatus::Failing,
                ];
                word_is(health, text, words.into_iter().map(health_word))
            }
            Self::Image(text) => contains(&container.image, text),
            Self::Host(text) => contains(&container.key.host, text),
            Self::Pattern(field, Pattern(regex)) => field.matches(container, regex),
            Self::Value(path, comparison) => comparison.holds(value(container, path)),
            Self::Label(text) => {
                container
                    .labels
                    .iter()
                    .any(|(key, value)| match text.split_once('=') {
                        Some((wanted, value_wanted)) => {
                            key.to_lowercase() == wanted && value.to_lowercase() == value_wanted
                        }
                        None => key.to_lowercase() == *text,
                    })
            }
        }
    }
}

/// Health as a word.
pub(crate) const fn health_word(health: HealthStatus) -> &'static str {
    match health {
        HealthStatus::Unknown => "unknown",
        HealthStatus::Passing => "passing",
        HealthStatus::Failing => "failing",
    }
}

fn contains(field: &str, lower: &str) -> bool {
    field.to_lowercase().contains(lower)
}

/// A whole word means just that word (UP, not UPGRADING); part of one, what begins with it.
fn word_is<'a>(word: &str, lower: &str, mut known: impl Iterator<Item = &'a str>) -> bool {
    if known.any(|known| known.eq_ignore_ascii_case(lower)) {
        word.eq_ignore_ascii_case(lower)
    } else {
        word.to_lowercase().starts_with(lower)
    }
}
