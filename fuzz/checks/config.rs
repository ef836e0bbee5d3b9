//! One to three texts as layers: they merge by the rules, and no error holds a value.
//!
//! An input is the texts with a record separator (0x1E) between them.

use serde_json::{Map, Value};
use whaleware::config::{ConfigError, Layer, Settings, SettingsError, merge, origins, parse};

const NAMES: [&str; 3] = ["defaults.json", "CFG_FILE", "CFG"];

/// All that may be said of a text that is not JSON: words that hold nothing of the text.
const REASONS: [&str; 28] = [
    "a number is too large",
    "comments are not allowed",
    "expected colon after the string or word in object property",
    "expected comma",
    "expected digit",
    "expected digit following negative sign",
    "expected plus, minus, or digit in number literal",
    "expected string for object property",
    "expected value after colon in object property",
    "hexadecimal numbers are not allowed",
    "infinity and NaN are not allowed",
    "leading or trailing decimal points on numbers are not allowed",
    "malformed string",
    "maximum nesting depth exceeded",
    "single-quoted strings are not allowed",
    "text cannot contain more than one JSON value",
    "trailing commas are not allowed",
    "unary plus on numbers is not allowed",
    "unexpected close brace",
    "unexpected close bracket",
    "unexpected colon",
    "unexpected comma",
    "unexpected token",
    "unexpected token in object",
    "unexpected word",
    "unterminated array",
    "unterminated comment block",
    "unterminated object",
];

/// Panics when a promise is broken.
pub(crate) fn check(input: &[u8]) {
    let texts: Vec<&[u8]> = input.splitn(NAMES.len(), |byte| *byte == 0x1e).collect();
    let mut layers = Vec::new();
    for (name, text) in NAMES.into_iter().zip(texts) {
        match parse(name, text) {
            Ok(layer) => layers.push(layer),
            Err(error) => {
                assert!(error.to_string().contains(name), "{error}");
                if let ConfigError::Syntax { reason, .. } = error {
                    let words = REASONS.contains(&reason.as_str());
                    assert!(words, "an error in words nobody wrote: {reason}");
                }
                return;
            }
        }
    }
    let merged = merge(&layers);
    laws(&layers, &merged);
    told(&layers, &merged);
    settings(&merged);
}

fn laws(layers: &[Layer], merged: &Map<String, Value>) {
    assert!(!holds_null(merged), "a removal is left: {merged:?}");
    assert_eq!(&merge(layers), merged, "the same layers, the same result");
    let layer = |object: &Map<String, Value>| Layer {
        name: "merged".into(),
        object: object.clone(),
    };
    for split in 0..=layers.len() {
        // What lies below may be merged first. (Not what lies above: its removals would be lost.)
        let below = layer(&merge(&layers[..split]));
        assert_eq!(&merge([&below].into_iter().chain(&layers[split..])), merged);
        // A layer that says nothing changes nothing.
        let (below, above) = layers.split_at(split);
        let silent = layer(&Map::new());
        assert_eq!(&merge(below.iter().chain([&silent]).chain(above)), merged);
    }
    // A layer that was said last can be said again.
    assert_eq!(&merge(layers.iter().chain(layers.last())), merged);
    // What the agent writes down, its applets read.
    let written = serde_json::to_vec_pretty(merged).expect("JSON");
    let read = parse("cfg.json", &written).expect("what was merged can be read again");
    assert_eq!(&read.object, merged);
}

/// Nulls in arrays are values; as the value of a key they are removals.
fn holds_null(object: &Map<String, Value>) -> bool {
    object.values().any(|value| match value {
        Value::Null => true,
        Value::Object(inner) => holds_null(inner),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    })
}

/// Every value has an origin, and the layer named says it.
fn told(layers: &[Layer], merged: &Map<String, Value>) {
    let origins = origins(layers);
    let mut found = Vec::new();
    leaves(merged, &mut Vec::new(), &mut found);
    assert_eq!(origins.len(), found.len());
    for (origin, (path, value)) in origins.iter().zip(found) {
        assert_eq!(&origin.value, value);
        let layer = layers.iter().find(|layer| layer.name == origin.layer);
        let layer = layer.unwrap_or_else(|| panic!("{} comes from nowhere", origin.path));
        let said = path.iter().try_fold(None, |at, key| {
            at.map_or(Some(&layer.object), Value::as_object)
                .and_then(|object| object.get(*key))
                .map(Some)
        });
        let said = said.flatten().expect("the layer has something there");
        // An empty object may be what removals left of one that was not empty.
        assert!(said == value || said.is_object(), "{}", origin.path);
    }
}

fn leaves<'a>(
    object: &'a Map<String, Value>,
    path: &mut Vec<&'a str>,
    found: &mut Vec<(Vec<&'a str>, &'a Value)>,
) {
    for (key, value) in object {
        path.push(key);
        match value {
            Value::Object(inner) if !inner.is_empty() => leaves(inner, path, found),
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => found.push((path.clone(), value)),
        }
        path.pop();
    }
}

fn settings(merged: &Map<String, Value>) {
    let read = Settings::read(merged);
    assert_eq!(Settings::read(merged).is_ok(), read.is_ok());
    let Err(error) = read else { return };
    assert!(error.to_string().contains("ww"), "{error}");
    // Other strings may be other errors, but the same setting's is in the same words.
    let mut other = Value::Object(merged.clone());
    strings(&mut other);
    let Value::Object(other) = other else { return };
    let Err(second) = Settings::read(&other) else {
        return;
    };
    if key(&error) == key(&second) {
        assert_eq!(second, error, "an error depends on a value");
    }
}

fn key(error: &SettingsError) -> (&str, &'static str) {
    match error {
        SettingsError::Unknown { key, .. } => (key, ""),
        // Only what is the same kind of error is compared: an empty string is told apart from others.
        SettingsError::Type { key, found, .. } => (key, found),
    }
}

fn strings(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.chars().map(exchange).collect(),
        Value::Array(list) => list.iter_mut().for_each(strings),
        Value::Object(object) => object.values_mut().for_each(strings),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn exchange(letter: char) -> char {
    match letter {
        'a'..='m' | 'A'..='M' => char::from(u8::try_from(letter).expect("ASCII") + 13),
        'n'..='z' | 'N'..='Z' => char::from(u8::try_from(letter).expect("ASCII") - 13),
        other => other,
    }
}
