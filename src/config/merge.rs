//! Lays layers over each other, and remembers who said what.

use serde_json::{Map, Value};

use super::layer::Layer;

/// One value of the merged configuration and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The path as a jq filter: `.db.host`, `."odd name"`.
    pub path: String,
    /// The value; anything but an object that is not empty.
    pub value: Value,
    /// The name of the layer that said so last.
    pub layer: String,
}

/// Lays the layers over each other, later ones over earlier ones: objects merge key by key,
/// anything else replaces, `null` removes.
#[must_use]
pub fn merge<'a>(layers: impl IntoIterator<Item = &'a Layer>) -> Map<String, Value> {
    let mut merged = Map::new();
    for layer in layers {
        lay(&mut merged, &layer.object);
    }
    merged
}

fn lay(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match value {
            Value::Null => {
                under.remove(key);
            }
            Value::Object(object) => {
                let slot = under.entry(key).or_insert(Value::Null);
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(below) = slot {
                    lay(below, object);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                under.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Every value of the merged configuration with the layer that said so last.
#[must_use]
pub fn origins(layers: &[Layer]) -> Vec<Origin> {
    let merged = merge(layers);
    let mut found = Vec::new();
    walk(&merged, &mut Vec::new(), layers, &mut found);
    found
}

fn walk<'a>(
    object: &'a Map<String, Value>,
    path: &mut Vec<&'a str>,
    layers: &[Layer],
    found: &mut Vec<Origin>,
) {
    for (key, value) in object {
        path.push(key);
        match value {
            Value::Object(inner) if !inner.is_empty() => walk(inner, path, layers, found),
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => found.push(Origin {
                path: path.iter().map(|step| segment(step)).collect(),
                value: value.clone(),
                layer: layers
                    .iter()
                    .rev()
                    .find(|layer| says(&layer.object, path))
                    .map_or_else(String::new, |layer| layer.name.clone()),
            }),
        }
        path.pop();
    }
}

/// Whether the layer has something of its own at this path that is not a removal.
fn says(object: &Map<String, Value>, path: &[&str]) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut object = object;
    for step in parents {
        match object.get(*step) {
            Some(Value::Object(inner)) => object = inner,
            Some(_) | None => return false,
        }
    }
    object.get(*last).is_some_and(|value| !value.is_null())
}

fn segment(key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && !key.is_empty();
    if plain {
        format!(".{key}")
    } else {
        format!(".{}", Value::String(key.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn layer(name: &str, value: Value) -> Layer {
        let Value::Object(object) = value else {
            panic!("an object")
        };
        Layer {
            name: name.into(),
            object,
        }
    }

    fn merged(values: &[Value]) -> Value {
        let layers: Vec<_> = values
            .iter()
            .map(|value| layer("x", value.clone()))
            .collect();
        Value::Object(merge(&layers))
    }

    #[test]
    fn objects_merge_anything_else_replaces_null_removes() {
        for (layers, expected) in [
            (
                vec![json!({"a": 1, "b": 2}), json!({"b": 3})],
                json!({"a": 1, "b": 3}),
            ),
            (
                vec![json!({"a": {"x": 1, "y": 2}}), json!({"a": {"y": 3}})],
                json!({"a": {"x": 1, "y": 3}}),
            ),
            (
                vec![json!({"a": [1, 2]}), json!({"a": [3]})],
                json!({"a": [3]}),
            ),
            (
                vec![json!({"a": {"x": 1}}), json!({"a": 5})],
                json!({"a": 5}),
            ),
            (
                vec![json!({"a": 5}), json!({"a": {"x": 1}})],
                json!({"a": {"x": 1}}),
            ),
            (
                vec![json!({"a": 1, "b": 1}), json!({"a": null})],
                json!({"b": 1}),
            ),
            (
                vec![json!({"a": 1}), json!({"a": null}), json!({"a": 2})],
                json!({"a": 2}),
            ),
            (
                vec![json!({"a": {"x": 1}}), json!({"a": {"x": null}})],
                json!({"a": {}}),
            ),
            (
                vec![json!({}), json!({"a": {"x": null, "y": 1}})],
                json!({"a": {"y": 1}}),
            ),
            (vec![json!({"a": 1}), json!({"b": null})], json!({"a": 1})),
        ] {
            assert_eq!(merged(&layers), expected, "{layers:?}");
        }
    }

    #[test]
    fn origins_name_the_layer_that_said_so_last() {
        let layers = [
            layer(
                "defaults",
                json!({"memory": 100, "db": {"host": "a", "port": 1}, "odd name": true, "gone": 1}),
            ),
            layer(
                "CFG",
                json!({"memory": 400, "db": {"host": "b"}, "gone": null}),
            ),
        ];
        let seen: Vec<_> = origins(&layers)
            .into_iter()
            .map(|origin| format!("{} {} {}", origin.path, origin.value, origin.layer))
            .collect();
        assert_eq!(
            seen,
            [
                ".db.host \"b\" CFG",
                ".db.port 1 defaults",
                ".memory 400 CFG",
                ".\"odd name\" true defaults",
            ]
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..5_u8).prop_map(Value::from),
            prop::collection::vec(0..3_u8, 0..3).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }

    fn any_object() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[abc]", any_value(), 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    fn has_null(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Object(object) => object.values().any(has_null),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
        }
    }

    proptest! {
        #[test]
        fn laws_of_merging(a in any_object(), b in any_object()) {
            let both = merged(&[a.clone(), b.clone()]);
            // Nothing removed is left behind.
            prop_assert!(!has_null(&both));
            // What was laid over last holds however often it is laid.
            prop_assert_eq!(&merged(&[a.clone(), b.clone(), b.clone()]), &both);
            // An empty layer changes nothing, above or below.
            prop_assert_eq!(&merged(&[json!({}), a.clone(), json!({}), b, json!({})]), &both);
            // Every value has a layer it came from.
            let layers = [layer("a", a), layer("b", both)];
            prop_assert!(origins(&layers).iter().all(|origin| !origin.layer.is_empty()));
        }
    }
}
