//! One to three texts as layers: they merge by the rules, and no error holds a value.
//!
//! An input is the texts with a record separator (0x1E) between them.

use serde_json::{Map, Value};
use whaleware::config::{Layer, Settings, SettingsError, merge, origins, parse};

const NAMES: [&str; 3] = ["defaults.json", "CFG_FILE", "CFG"];

/// Panics when a promise is broken.
pub(crate) fn check(input: &[u8]) {
    let texts: Vec<&[u8]> = input.splitn(NAMES.len(), |byte| *byte == 0x1e).collect();
    let mut layers = Vec::new();
    for (name, text) in NAMES.into_iter().zip(texts) {
        match parse(name, text) {
            Ok(layer) => layers.push(layer),
            Err(error) => {
                // With every secret exchanged for another one it must say the same.
                let other = parse(name, &exchanged(text)).expect_err("the same structure");
                assert_eq!(other, error, "an error depends on a value");
                assert!(error.to_string().contains(name), "{error}");
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

/// The text with other letters in its strings and its unknown words, and nothing else changed.
fn exchanged(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end = if rest.starts_with(b"//") {
            until(rest, b"\n")
        } else if rest.starts_with(b"/*") {
            2 + until(&rest[2..], b"*/")
        } else if rest[0] == b'"' {
            let end = string(rest);
            inside(&rest[..end], &mut out);
            at += end;
            continue;
        } else {
            let word = rest
                .iter()
                .take_while(|byte| byte.is_ascii_alphabetic())
                .count();
            if word > 0 && !known(&rest[..word], text.get(at.wrapping_sub(1))) {
                out.extend(
                    rest[..word]
                        .iter()
                        .map(|byte| if *byte == b'x' { b'y' } else { b'x' }),
                );
                at += word;
                continue;
            }
            word.max(1)
        };
        out.extend_from_slice(&rest[..end]);
        at += end;
    }
    out
}

/// Words that mean something, and what may be part of a number.
fn known(word: &[u8], before: Option<&u8>) -> bool {
    let starts = |known: &[u8]| word.starts_with(known);
    starts(b"true")
        || starts(b"false")
        || starts(b"null")
        // Where the parser sees a string that began elsewhere, what follows a backslash is an escape.
        || before.is_some_and(|byte| byte.is_ascii_digit() || b".-+\\".contains(byte))
}

fn until(text: &[u8], end: &[u8]) -> usize {
    let found = text.windows(end.len()).position(|window| window == end);
    found.map_or(text.len(), |at| at + end.len())
}

/// How long the string is that begins here, with its quotes.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'"' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

fn inside(string: &[u8], out: &mut Vec<u8>) {
    let (mut kept, mut number) = (0, false);
    for byte in string {
        if *byte == b'\\' && kept == 0 {
            (kept, number) = (2, false);
        }
        // An escape stays as it is, and so does its number but for the last digit.
        if kept == 1 && *byte == b'u' && !number {
            (kept, number) = (5, true);
        }
        let exchanged = match byte {
            b'0'..=b'8' | b'a'..=b'e' | b'A'..=b'E' if kept == 1 && number => byte + 1,
            _ if kept > 0 => *byte,
            b'a'..=b'm' | b'A'..=b'M' => byte + 13,
            b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
            other => *other,
        };
        kept = usize::saturating_sub(kept, 1);
        out.push(exchanged);
    }
}
