//! Reads the text of one layer: JSON, with the comments and trailing commas images in the wild have.

use jsonc_parser::ast::Value as Ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

use super::error::ConfigError;
use crate::protocol::{MAX_DEPTH, is_shallow};

/// The most bytes one layer may have.
pub const MAX_TEXT: usize = 4 * 1024 * 1024;

/// One layer of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Where it came from: a path or `CFG`.
    pub name: String,
    /// What it says.
    pub object: Map<String, Value>,
}

const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads a layer. An empty text, or one of white space and comments only, is an empty object: an
/// environment variable that is set to nothing says nothing.
///
/// # Errors
/// When the text is too long, not UTF-8, not JSON, or not an object. The error names the source,
/// the line and the column, never the text itself.
pub fn parse(name: &str, text: &[u8]) -> Result<Layer, ConfigError> {
    if text.len() > MAX_TEXT {
        return Err(ConfigError::TooLarge {
            layer: name.into(),
            size: text.len(),
            limit: MAX_TEXT,
        });
    }
    // Editors of other systems put a byte order mark first; it means nothing here.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let (line, column) = position(before);
        ConfigError::NotUtf8 {
            layer: name.into(),
            line,
            column,
        }
    })?;
    let collect = CollectOptions {
        comments: CommentCollectionStrategy::Off,
        tokens: false,
    };
    let parsed = parse_to_ast(text, &collect, &OPTIONS).map_err(|error| ConfigError::Syntax {
        layer: name.into(),
        line: error.line_display(),
        column: error.column_display(),
        reason: reason(error.kind()),
    })?;
    if let Some(start) = parsed.value.as_ref().and_then(too_large) {
        let (line, column) = position(&text.as_bytes()[..start]);
        let reason = "a number is too large".into();
        return Err(ConfigError::Syntax {
            layer: name.into(),
            line,
            column,
            reason,
        });
    }
    let object = match parsed.value {
        None => Map::new(),
        Some(value) => {
            let (line, column) = position(&text.as_bytes()[..value.range().start]);
            match Value::from(value) {
                Value::Object(object) => object,
                other @ (Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_)) => {
                    let found = kind(&other);
                    return Err(ConfigError::NotAnObject {
                        layer: name.into(),
                        line,
                        column,
                        found,
                    });
                }
            }
        }
    };
    if !object.values().all(is_shallow) {
        return Err(ConfigError::TooDeep {
            layer: name.into(),
            limit: MAX_DEPTH,
        });
    }
    Ok(Layer {
        name: name.into(),
        object,
    })
}

/// Where a number begins that no computer number can hold; it would become a string in silence.
fn too_large(ast: &Ast<'_>) -> Option<usize> {
    match ast {
        Ast::NumberLit(number) => {
            let finite = number.value.parse::<f64>().is_ok_and(f64::is_finite);
            (!finite).then_some(number.range.start)
        }
        Ast::Array(array) => array.elements.iter().find_map(too_large),
        Ast::Object(object) => object
            .properties
            .iter()
            .find_map(|one| too_large(&one.value)),
        Ast::StringLit(_) | Ast::BooleanLit(_) | Ast::NullKeyword(_) => None,
    }
}

/// A value's type in words.
#[must_use]
pub const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn position(before: &[u8]) -> (usize, usize) {
    let line = before.split(|&byte| byte == b'\n').count();
    let start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    (line, column)
}

/// The parser's reason, without its capital, and never with a piece of the text.
fn reason(kind: &ParseErrorKind) -> String {
    // Its own words for a string quote the text.
    if matches!(kind, ParseErrorKind::String(_)) {
        return "malformed string".into();
    }
    let text = kind.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(text: &str) -> Value {
        Value::Object(parse("CFG", text.as_bytes()).unwrap().object)
    }

    #[test]
    fn what_images_in_the_wild_have_is_read() {
        assert_eq!(object(""), json!({}));
        assert_eq!(object("  // nothing\n"), json!({}));
        assert_eq!(object("\u{feff}{\"a\":1}"), json!({"a": 1}));
        assert_eq!(
            object("{ /* memory in MB */ \"memory\": 400, // four hundred\n \"list\": [1,2,], }"),
            json!({"memory": 400, "list": [1, 2]})
        );
        assert_eq!(
            object(r#"{"a":"\u00e9\n","b":-1.5e3,"c":null}"#),
            json!({"a":"é\n","b":-1500.0,"c":null})
        );
        assert_eq!(
            object(r#"{"a":18446744073709551615}"#),
            json!({"a": u64::MAX})
        );
    }

    #[test]
    fn a_number_that_was_written_is_read_as_the_same_number() {
        for number in [
            "1.79769313486231567891234567890",
            "5e-324",
            "0.1",
            "123456789012345.678",
        ] {
            let read = object(&format!("{{\"a\":{number}}}"));
            assert_eq!(read["a"].as_f64(), number.parse().ok(), "{number}");
            assert_eq!(object(&read.to_string()), read, "{number}");
        }
    }

    #[test]
    fn errors_name_the_place_and_never_the_text() {
        for (text, line, column) in [
            ("{\n  \"password\": hunter2\n}", 2, 15),
            ("{\"password\": \"hunter2\" \"b\": 1}", 1, 23),
            ("{\"password\": \"hunter2\"", 1, 1),
            ("{'hunter2': 1}", 1, 2),
            ("{\"a\": 1} hunter2", 1, 10),
            ("{\"a\": [1, 1e999]}", 1, 11),
            ("{\"a\": \"\\ud83d\\u0073hunter2\"}", 1, 8),
        ] {
            let error = parse("CFG", text.as_bytes()).unwrap_err();
            let ConfigError::Syntax {
                line: at,
                column: in_it,
                ..
            } = &error
            else {
                panic!("{error:?}")
            };
            assert_eq!((*at, *in_it), (line, column), "{error} in {text}");
            assert!(error.to_string().contains("CFG"), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let error = parse("/run/secrets/cfg", b"\n  [1]").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use /run/secrets/cfg: line 2, column 3: the configuration must be a JSON object, this is an array"
        );
        let error = parse("CFG", b"{\"a\":\n\"\xff\"}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read CFG as JSON: line 2, column 2: not UTF-8"
        );
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = "[".repeat(100_000);
        assert!(matches!(
            parse("CFG", deep.as_bytes()),
            Err(ConfigError::Syntax { .. })
        ));
        let deep = "{\"a\":".repeat(100_000);
        assert!(matches!(
            parse("CFG", deep.as_bytes()),
            Err(ConfigError::Syntax { .. })
        ));
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse("CFG", nested(MAX_DEPTH).as_bytes()).is_ok());
        let error = parse("CFG", nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use CFG: it is nested more than 64 deep"
        );
        let long = vec![b' '; MAX_TEXT + 1];
        assert!(matches!(
            parse("CFG", &long),
            Err(ConfigError::TooLarge { .. })
        ));
    }
}
