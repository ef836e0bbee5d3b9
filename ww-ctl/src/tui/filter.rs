//! Which rows are shown.

use whaleware::lifecycle::State;
use whaleware::protocol::HealthStatus;

use crate::fleet::Container;

/// What the rows shown have in common: every term holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter {
    text: String,
    terms: Vec<Term>,
    doubt: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Anywhere(String),
    Name(String),
    State(String),
    Health(String),
    Image(String),
    Host(String),
    Label(String),
}

/// The keys a term can have.
const KEYS: &str = "name state health image host label";

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
