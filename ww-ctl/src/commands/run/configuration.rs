//! The configuration that is given, and how it stands against the defaults of the image.

use serde_json::{Map, Value};
use whaleware::config::{Layer, Settings, kind, merge};
use whaleware::spelling::nearest;

use crate::commands::record;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// The most bytes the kernel takes for one variable, its name and its end included.
const MAX_VARIABLE: usize = 128 * 1024;
/// The most characters shown of a path in the configuration.
const SHOWN: usize = 200;
/// Key of the agent's own settings, which need not be among the defaults.
const OWN: &str = "ww";

/// One `--set`. Its value may be a secret.
#[derive(PartialEq, Eq)]
pub(super) struct Set {
    path: Vec<String>,
    value: String,
}

impl Set {
    /// Reads `path.to.key=value`; `\.` is a dot in a key, `\=` an equals sign, `\\` a backslash.
    ///
    /// # Errors
    /// [`Exit::Usage`] where there is no path or no value.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::new(Exit::Usage, format!("cannot use a --set: {what}")).hint(
                r"expected PATH=VALUE, such as --set db.port=5432; write \. for a dot in a key",
            )
        };
        let mut path = vec![String::new()];
        let mut letters = text.chars();
        loop {
            let c = letters.next().ok_or_else(|| wrong("there is no = in it"))?;
            let step = path.last_mut().ok_or_else(|| wrong("it is empty"))?;
            match c {
                '=' => break,
                '.' => path.push(String::new()),
                '\\' => step.push(
                    letters
                        .next()
                        .ok_or_else(|| wrong("it ends in a backslash"))?,
                ),
                c => step.push(c),
            }
        }
        // A leading dot, as jq has it, is no empty key.
        if path.len() > 1 && path[0].is_empty() {
            path.remove(0);
        }
        if path.iter().any(String::is_empty) {
            return Err(wrong("its path has an empty key"));
        }
        Ok(Self {
            path,
            value: letters.collect(),
        })
    }

    /// Text where the default is text; else JSON if it is any, else text.
    fn typed(&self, defaults: Option<&Layer>) -> Value {
        let default = defaults.and_then(|layer| at(&layer.object, &self.path));
        if matches!(default, Some(Value::String(_))) {
            return Value::String(self.value.clone());
        }
        serde_json::from_str(&self.value).unwrap_or_else(|_| Value::String(self.value.clone()))
    }
}

fn at<'a>(object: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let mut object = object;
    for step in parents {
        object = object.get(step)?.as_object()?;
    }
    object.get(last)
}

/// What is given, one over the other. A `null` stays: it removes what the defaults have.
pub(super) fn compose(
    cfg: Option<&Layer>,
    sets: &[Set],
    defaults: Option<&Layer>,
) -> Map<String, Value> {
    let mut object = cfg.map(|layer| layer.object.clone()).unwrap_or_default();
    for set in sets {
        put(&mut object, &set.path, set.typed(defaults));
    }
    object
}

fn put(object: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            object.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let below = object.entry(first).or_insert(Value::Null);
            if !below.is_object() {
                *below = Value::Object(Map::new());
            }
            if let Value::Object(below) = below {
                put(below, rest, value);
            }
        }
    }
}

/// As the value of `CFG`, in which nothing is hidden from a terminal.
///
/// # Errors
/// When it is too long for a variable.
pub(super) fn variable(object: &Map<String, Value>) -> Result<String, Failure> {
    let text = record::escaped(&Value::Object(object.clone()).to_string());
    if text.len() + "CFG=\0".len() > MAX_VARIABLE {
        let message = format!(
            "cannot pass the configuration as a variable: it has {} bytes, and the kernel takes {} at most",
            text.len(),
            MAX_VARIABLE - "CFG=\0".len()
        );
        return Err(Failure::new(Exit::Failed, message).hint(
            "mount it as a file, and name that: -v FILE:/run/cfg.json:ro -e CFG_FILE=/run/cfg.json",
        ));
    }
    Ok(text)
}

/// Compares it with the defaults of the image; what is to be warned of.
///
/// # Errors
/// When a type is another than the default's and that is not `forced`, or the agent would refuse a
/// setting of its own.
pub(super) fn check(
    given: &Layer,
    defaults: Option<&Layer>,
    forced: bool,
) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    if let Some(defaults) = defaults {
        warnings.extend(unknown(&given.object, &defaults.object));
        let mut changed = Vec::new();
        compare(
            &given.object,
            &defaults.object,
            &mut Vec::new(),
            &mut changed,
        );
        if forced {
            warnings.extend(changed);
        } else if !changed.is_empty() {
            let message = format!("cannot use the configuration: {}", changed.join("; "));
            return Err(Failure::new(Exit::Failed, message)
                .hint("correct it, or add --force if the image takes that too"));
        }
    }
    let merged = merge(defaults.into_iter().chain([given]));
    Settings::read(&merged).map_err(|error| {
        let whose = match defaults.map(|layer| Settings::read(&layer.object)) {
            Some(Err(own)) if own == error => "the image's own defaults",
            Some(_) | None => "the configuration",
        };
        Failure::new(Exit::Failed, format!("cannot use {whose}: {error}"))
            .hint("what is under `ww` are the agent's settings: it would refuse to start")
    })?;
    Ok(warnings)
}

/// The keys the defaults do not have, with what was probably meant.
fn unknown(given: &Map<String, Value>, defaults: &Map<String, Value>) -> Vec<String> {
    let known: Vec<&str> = defaults.keys().map(String::as_str).collect();
    let known_own: Vec<&str> = known.iter().copied().chain([OWN]).collect();
    let warning = |key: &String| {
        let meant = match nearest(key, &known_own) {
            Some(meant) => format!("; did you mean `{}`?", shown(&[meant])),
            None => String::new(),
        };
        format!(
            "`{}` is not among the image's defaults{meant}",
            shown(&[key])
        )
    };
    given
        .keys()
        .filter(|key| !known_own.contains(&key.as_str()))
        .map(warning)
        .collect()
}

fn compare<'a>(
    given: &'a Map<String, Value>,
    defaults: &Map<String, Value>,
    path: &mut Vec<&'a str>,
    changed: &mut Vec<String>,
) {
    for (key, value) in given {
        // The agent's own settings are looked at more closely, and `null` removes whatever there is.
        if value.is_null() || (path.is_empty() && key == OWN) {
            continue;
        }
        let Some(default) = defaults.get(key).filter(|default| !default.is_null()) else {
            continue;
        };
        path.push(key);
        if let (Value::Object(given), Value::Object(default)) = (value, default) {
            compare(given, default, path, changed);
        } else if kind(value) != kind(default) {
            changed.push(format!(
                "`{}` is {}, but {} in the image's defaults",
                shown(path),
                kind(value),
                kind(default)
            ));
        }
        path.pop();
    }
}

fn shown(path: &[&str]) -> String {
    clean(&path.join("."), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layer(value: Value) -> Layer {
        let Value::Object(object) = value else {
            panic!("an object")
        };
        Layer {
            name: "test".into(),
            object,
        }
    }

    fn defaults() -> Layer {
        layer(json!({
            "memory": 400, "db": {"host": "localhost", "port": 5432, "a.b": "x"},
            "debug": false, "list": [1], "title": "shop", "ww": {"drain": "1s"}
        }))
    }

    fn composed(cfg: Value, sets: &[&str]) -> Value {
        let sets: Vec<Set> = sets
            .iter()
            .map(|text| Set::read(text).map_err(|failure| failure.message).unwrap())
            .collect();
        Value::Object(compose(Some(&layer(cfg)), &sets, Some(&defaults())))
    }

    #[test]
    fn a_value_has_the_type_of_its_default() {
        assert_eq!(
            composed(
                json!({"memory": 1, "db": {"host": "a"}}),
                &[
                    "memory=800",
                    "db.host=10",
                    ".db.port=6000",
                    r"db.a\.b=true",
                    "debug=true",
                    "list=[1,2]",
                    "title=null",
                    "new.deep=3",
                    "word=some text",
                    "empty=",
                    "gone=null",
                    r"odd\=key=1=2",
                ]
            ),
            json!({
                "memory": 800, "db": {"host": "10", "port": 6000, "a.b": "true"}, "debug": true,
                "list": [1, 2], "title": "null", "new": {"deep": 3}, "word": "some text",
                "empty": "", "gone": null, "odd=key": "1=2"
            })
        );
        // The last one wins, and what is in the way of a path goes.
        assert_eq!(
            composed(json!({"new": 1}), &["new.a=1", "new.a=2"]),
            json!({"new": {"a": 2}})
        );
    }

    #[test]
    fn a_set_that_cannot_be_read_does_not_show_its_value() {
        for text in [
            "hunter2",
            "",
            "=hunter2",
            "a..b=hunter2",
            "a.=hunter2",
            r"hunter2\",
        ] {
            let failure = Set::read(text).map(drop).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{text}");
            assert!(!failure.message.contains("hunter2"), "{failure:?}");
        }
    }

    #[test]
    fn what_the_defaults_do_not_have_is_a_warning_and_only_at_the_top() {
        let given = layer(json!({"memry": 1, "colour": "red", "db": {"prot": 1}, "ww": {}}));
        assert_eq!(
            check(&given, Some(&defaults()), false).unwrap(),
            [
                "`colour` is not among the image's defaults",
                "`memry` is not among the image's defaults; did you mean `memory`?",
            ]
        );
        assert_eq!(check(&given, None, false).unwrap(), [""; 0]);
        let given = layer(json!({"w": {}}));
        let warned = check(&given, Some(&defaults()), false).unwrap();
        assert_eq!(
            warned,
            ["`w` is not among the image's defaults; did you mean `ww`?"]
        );
    }

    #[test]
    fn another_type_is_an_error_unless_forced() {
        let given = layer(
            json!({"memory": "hunter2", "db": {"port": {"a": 1}}, "list": {}, "debug": null}),
        );
        let failure = check(&given, Some(&defaults()), false).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(
            failure.message,
            "cannot use the configuration: \
             `db.port` is an object, but a number in the image's defaults; \
             `list` is an object, but an array in the image's defaults; \
             `memory` is a string, but a number in the image's defaults"
        );
        assert_eq!(check(&given, Some(&defaults()), true).unwrap().len(), 3);
    }

    #[test]
    fn the_agents_own_settings_are_checked_whatever_is_forced() {
        for (ww, words) in [
            (
                json!({"ww": {"drian": "1s"}}),
                "cannot use the configuration: unknown setting `ww.drian`; did you mean `drain`?",
            ),
            (
                json!({"ww": {"drain": 5}}),
                "cannot use the configuration: setting `ww.drain` must be a duration",
            ),
            (json!({"ww": 1}), "setting `ww` must be an object"),
        ] {
            for defaults in [Some(&defaults()), None] {
                let failure = check(&layer(ww.clone()), defaults, true).unwrap_err();
                assert!(failure.message.contains(words), "{failure:?}");
            }
        }
        let bad = layer(json!({"ww": {"drain": 5}}));
        let failure = check(&layer(json!({})), Some(&bad), false).unwrap_err();
        assert!(
            failure
                .message
                .starts_with("cannot use the image's own defaults"),
            "{failure:?}"
        );
    }

    #[test]
    fn what_is_too_long_for_a_variable_is_told_before_the_kernel_does() {
        let long = layer(json!({"a": "x".repeat(MAX_VARIABLE)}));
        let failure = variable(&long.object).unwrap_err();
        assert!(failure.hint.unwrap().contains("CFG_FILE"));
        let fits = layer(json!({"a": "x".repeat(MAX_VARIABLE - 13)}));
        assert_eq!(variable(&fits.object).unwrap().len(), MAX_VARIABLE - 5);
        let text = variable(&layer(json!({"a": "\u{202e}"})).object).unwrap();
        assert_eq!(text, r#"{"a":"\u202e"}"#);
    }
}
