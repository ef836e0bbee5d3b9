//! The place of a value in what a monitor prints: `.queue.depth`, `.nodes[0].lag`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// How deep a place may lie.
const DEPTH: usize = 16;

/// A place. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Path {
    steps: Arc<[Step]>,
}

/// A step further in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// Into an object.
    Key(String),
    /// Into an array, from 0.
    Index(usize),
}

impl Path {
    /// The place these steps lead to; none when they lead nowhere, or too deep.
    pub(crate) fn new(steps: &[Step]) -> Option<Self> {
        (1..=DEPTH).contains(&steps.len()).then(|| Self {
            steps: steps.into(),
        })
    }

    /// Reads a place as it is written. A key that has other characters than letters, digits, `_`
    /// and `-` stands in double quotes, as in JSON.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest)?;
            steps.push(step);
            rest = after;
        }
        Self::new(&steps)
    }

    /// The value at this place.
    pub(crate) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (index, after) = rest.split_once(']')?;
        return Some((Step::Index(index.parse().ok()?), after));
    }
    let rest = text.strip_prefix('.')?;
    if rest.starts_with('"') {
        let mut quoted = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        let key = quoted.next()?.ok()?;
        return Some((Step::Key(key), &rest[quoted.byte_offset()..]));
    }
    let end = rest.find(|c: char| !is_plain(c)).unwrap_or(rest.len());
    (end > 0).then(|| (Step::Key(rest[..end].to_owned()), &rest[end..]))
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &*self.steps {
            match step {
                Step::Key(key) if !key.is_empty() && key.chars().all(is_plain) => {
                    write!(f, ".{key}")?;
                }
                Step::Key(key) => write!(f, ".{}", Value::from(key.as_str()))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The order of values: numbers before texts before all else, the largest number first.
pub(crate) fn largest_first(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let rank = |value: Option<&Value>| match value {
        Some(Value::Number(_)) => 0,
        Some(Value::String(_)) => 1,
        Some(Value::Bool(_)) => 2,
        Some(Value::Array(_) | Value::Object(_)) => 3,
        Some(Value::Null) => 4,
        None => 5,
    };
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let by_kind = match (a, b) {
        (Some(Value::Number(_)), Some(Value::Number(_))) => number(b)
            .unwrap_or(f64::NEG_INFINITY)
            .total_cmp(&number(a).unwrap_or(f64::NEG_INFINITY)),
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        // What is false is looked for.
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (_, _) => Ordering::Equal,
    };
    rank(a).cmp(&rank(b)).then(by_kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for text in [
            ".a",
            ".a.b_c-d",
            ".a[0][12].b",
            ".\"odd key\".x",
            ".\"\"",
            ".é",
        ] {
            let path = Path::parse(text).unwrap();
            assert_eq!(path.to_string(), text);
        }
        for text in [
            "", "a", ".", ".a.", ".a[", ".a[x]", ".a[-1]", ".a b", ".\"open", "..a",
        ] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
        assert_eq!(Path::parse(&".a".repeat(17)), None, "too deep");
    }

    #[test]
    fn it_leads_to_its_value_or_nowhere() {
        let value = json!({"a": [{"b c": 3}], "d": null});
        let at = |text| Path::parse(text).unwrap().of(&value).cloned();
        assert_eq!(at(".a[0].\"b c\""), Some(json!(3)));
        assert_eq!(at(".d"), Some(Value::Null));
        assert_eq!(at(".d.e"), None);
        assert_eq!(at(".a.b"), None);
    }

    #[test]
    fn the_largest_number_comes_first_and_nothing_last() {
        let mut values = [
            None,
            Some(json!(null)),
            Some(json!(true)),
            Some(json!("b")),
            Some(json!(-1)),
            Some(json!(10)),
            Some(json!(9.5)),
            Some(json!(false)),
            Some(json!("a")),
        ];
        values.sort_by(|a, b| largest_first(a.as_ref(), b.as_ref()));
        let sorted = values.map(|value| value.map_or("none".into(), |value| value.to_string()));
        assert_eq!(
            sorted,
            [
                "10", "9.5", "-1", "\"a\"", "\"b\"", "false", "true", "null", "none"
            ]
        );
    }
}
