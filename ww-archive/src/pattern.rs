//! Which paths are left out.

use crate::shown::Shown;

/// Patterns of paths, as shells have them.
///
/// A pattern is held against the whole path relative to the root: `*` and `?` match within a name, `[a-z]` and `[!a-z]`
/// one character of it, `**` as a whole name any number of names. `**/*.log` is every log, `cache/**` all that is in
/// `cache` but not `cache` itself. `\` takes the next character as it is.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    patterns: Vec<Vec<Part>>,
}

/// Why something is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It has no name in it.
    #[error("the pattern {0} is empty")]
    Empty(String),
    /// A `[` without its `]`.
    #[error("the pattern {0} has a '[' without a ']'")]
    Open(String),
    /// It ends with a backslash.
    #[error("the pattern {0} ends with a backslash")]
    Backslash(String),
    /// It names something outside.
    #[error("the pattern {0} has '..' in it")]
    Above(String),
}

/// One name of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`
    Any,
    Name(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Star,
    /// Ranges, and whether it is any other that matches.
    Set {
        ranges: Vec<(u8, u8)>,
        others: bool,
    },
}

impl Patterns {
    /// Reads patterns.
    ///
    /// # Errors
    /// The first that is none.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, PatternError> {
        let patterns = patterns.into_iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { patterns })
    }

    /// Whether one of them matches a path relative to the root.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        !self.patterns.is_empty() && {
            let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
            self.patterns
                .iter()
                .any(|pattern| names_match(pattern, &names))
        }
    }
}

fn parse(pattern: &[u8]) -> Result<Vec<Part>, PatternError> {
    let shown = || Shown(pattern).to_string();
    let mut parts = Vec::new();
    for name in pattern.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(PatternError::Above(shown())),
            b"**" => parts.push(Part::Any),
            other => parts.push(Part::Name(tokens(other, &shown)?)),
        }
    }
    if parts.is_empty() {
        return Err(PatternError::Empty(shown()));
    }
    Ok(parts)
}

fn tokens(name: &[u8], shown: &dyn Fn() -> String) -> Result<Vec<Token>, PatternError> {
    let mut tokens = Vec::new();
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        tokens.push(match first {
            b'*' => Token::Star,
            b'?' => Token::One,
            b'[' => {
                let (set, after) = set(rest).ok_or_else(|| PatternError::Open(shown()))?;
                rest = after;
                set
            }
            b'\\' => {
                let (byte, after) = rest
                    .split_first()
                    .ok_or_else(|| PatternError::Backslash(shown()))?;
                rest = after;
                Token::Byte(*byte)
            }
            byte => Token::Byte(*byte),
        });
    }
    Ok(tokens)
}

/// What follows a `[`, and what is after its `]`.
fn set(text: &[u8]) -> Option<(Token, &[u8])> {
    let (others, text) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // A `]` that comes first is one of the set.
    let end = 1 + text.get(1..)?.iter().position(|byte| *byte == b']')?;
    let (mut inside, after) = (&text[..end], &text[end + 1..]);
    let mut ranges = Vec::new();
    loop {
        match inside {
            [] => return Some((Token::Set { ranges, others }, after)),
            [from, b'-', to, rest @ ..] => {
                ranges.push((*from, *to));
                inside = rest;
            }
            [one, rest @ ..] => {
                ranges.push((*one, *one));
                inside = rest;
            }
        }
    }
}

/// Goes back to the last `**` only: what an earlier one could match, a later one can as well.
fn names_match(pattern: &[Part], names: &[&[u8]]) -> bool {
    let (mut at, mut name) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        let fits = match pattern.get(at) {
            Some(Part::Any) => {
                // `**` at the end matches at least one name: `a/**` is not `a`.
                if at + 1 == pattern.len() {
                    return name < names.len();
                }
                again = Some((at, name));
                at += 1;
                continue;
            }
            Some(Part::Name(tokens)) => names
                .get(name)
                .is_some_and(|name| name_matches(tokens, name)),
            None if name == names.len() => return true,
            None => false,
        };
        if fits {
            at += 1;
            name += 1;
        } else {
            match again {
                Some((any, from)) if from < names.len() => {
                    again = Some((any, from + 1));
                    at = any + 1;
                    name = from + 1;
                }
                _ => return false,
            }
        }
    }
}

fn name_matches(tokens: &[Token], name: &[u8]) -> bool {
    let (mut at, mut byte) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    loop {
        let fits = match (tokens.get(at), name.get(byte)) {
            (Some(Token::Star), _) => {
                again = Some((at, byte));
                at += 1;
                continue;
            }
            (Some(token), Some(found)) => token.fits(*found),
            (None, None) => return true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if fits {
            at += 1;
            byte += 1;
        } else {
            match again {
                Some((star, from)) if from < name.len() => {
                    again = Some((star, from + 1));
                    at = star + 1;
                    byte = from + 1;
                }
                _ => return false,
            }
        }
    }
}

impl Token {
    fn fits(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::One | Self::Star => true,
            Self::Set { ranges, others } => {
                ranges
                    .iter()
                    .any(|(from, to)| (*from..=*to).contains(&byte))
                    != *others
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PatternError, Patterns};

    fn matches(pattern: &str, path: &str) -> bool {
        Patterns::new([pattern.as_bytes()])
            .unwrap()
            .matches(path.as_bytes())
    }

    #[test]
    fn patterns_are_held_against_the_whole_path() {
        for (pattern, path, expected) in [
            ("cache", "cache", true),
            ("cache", "a/cache", false),
            ("./cache/", "cache", true),
            ("/cache", "cache", true),
            ("*.log", "a.log", true),
            ("*.log", "b/a.log", false),
            ("**/*.log", "a.log", true),
            ("**/*.log", "x/y/z/a.log", true),
            ("**/*.log", "x/a.log/y", false),
            ("cache/**", "cache", false),
            ("cache/**", "cache/x", true),
            ("cache/**", "cache/x/y", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/x/y/bc", false),
            ("**/a/**/b", "x/a/a/c/b", true),
            ("**", "anything/at/all", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("[]x]", "]", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*a*b*c*", "xxaxxbxxc", true),
            ("*a*b*c*", "xxaxxcxxb", false),
            ("a**b", "axxb", true),
            ("", "", false),
        ] {
            if !pattern.is_empty() {
                assert_eq!(matches(pattern, path), expected, "{pattern} against {path}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let error = |pattern: &str| Patterns::new([pattern.as_bytes()]).unwrap_err();
        assert_eq!(error("./"), PatternError::Empty("'./'".into()));
        assert_eq!(error("a[b"), PatternError::Open("'a[b'".into()));
        assert_eq!(error("a\\"), PatternError::Backslash("'a\\'".into()));
        assert_eq!(error("a/../b"), PatternError::Above("'a/../b'".into()));
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*a".repeat(200);
        assert!(!matches(
            &pattern,
            &"a".repeat(20_000).replace("aaa", "aab")[..199]
        ));
        assert!(!matches(&"**/a/".repeat(200), &"a/".repeat(3000)));
    }
}
