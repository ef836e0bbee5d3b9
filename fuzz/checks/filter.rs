//! Any filter on any configuration: what comes out is bounded, and no error holds a value.
//!
//! An input is the filter, a record separator (0x1E) and the configuration; where there is none, or
//! one that cannot be read, it is a small one of every type. The style is chosen by the length of
//! the filter. A filter that runs wild is for whoever calls this to bear, as it is for `cfg`.

use serde_json::{Map, Value};

use crate::filter::{
    FilterError, Layout, MAX_FILTER, MAX_OUTPUT, MAX_VALUES, Strings, Style, apply,
};

const USUAL: &[u8] = br#"{"memory":400,"half":0.5,"name":"O'Neil","on":true,"none":null,"list":[3,1,2],
"a":{"b":{"c":7}},"users":[{"name":"ann","age":30}],"when":"2015-03-05T23:51:47Z","big":12345678901234567}"#;

/// A value that no filter says by itself.
const SECRET: &str = "Zq7-hunter2-qZ";

/// Panics when a promise is broken.
pub(crate) fn check(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == 0x1e);
    let filter = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let style = Style {
        strings: [Strings::Raw, Strings::Json][filter.len() % 2],
        layout: [Layout::Compact, Layout::Pretty][filter.len() / 2 % 2],
    };
    let mut configuration = configuration(parts.next().unwrap_or_default());
    configuration.insert("secret".into(), SECRET.into());
    one(&filter, &configuration, style);
}

/// The filter is read, and not run.
#[cfg_attr(test, expect(dead_code, reason = "for the fuzz target's second look"))]
pub(crate) fn check_reading(input: &[u8]) {
    let filter = input.split(|byte| *byte == 0x1e).next().unwrap_or_default();
    let filter = String::from_utf8_lossy(filter);
    let style = Style {
        strings: Strings::Raw,
        layout: Layout::Compact,
    };
    one(&format!("(empty) as $x | {filter}"), &Map::new(), style);
}

fn configuration(text: &[u8]) -> Map<String, Value> {
    let parsed = |text| whaleware::config::parse("CFG", text).map(|layer| layer.object);
    match parsed(text) {
        Ok(object) if !object.is_empty() => object,
        Ok(_) | Err(_) => parsed(USUAL).unwrap_or_default(),
    }
}

fn one(filter: &str, configuration: &Map<String, Value>, style: Style) {
    let (mut bytes, mut values) = (0_usize, 0_usize);
    let ended = apply(filter, configuration, style, |answer| {
        bytes += answer.len();
        values += 1;
        if style.strings == Strings::Json && style.layout == Layout::Compact {
            assert!(!answer.contains(&b'\n'), "one value is one line");
        }
        Ok(())
    });
    assert!(
        bytes <= MAX_OUTPUT && values <= MAX_VALUES,
        "{bytes} bytes, {values} values"
    );
    let Err(error) = ended else { return };
    if let FilterError::TooLong(length) = error {
        assert!(length > MAX_FILTER);
        return;
    }
    let said = error.to_string();
    assert!(said.len() < 4096, "{} bytes of error", said.len());
    assert!(!said.contains(SECRET) || filter.contains(SECRET), "{said}");
    // Of the filter itself the lines are shown, nothing that could steer a terminal.
    assert!(
        said.chars().all(|c| c == '\n' || !c.is_control()),
        "{said:?}"
    );
}
