//! What JSON looks like: `docs/schema.json`, held against what the tool prints.
//!
//! Readers may meet fields they do not know; the tests may not. Here every object of the schema is
//! closed, so that a field nobody has described fails as one that is missing does.

use std::collections::BTreeMap;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Map, Value, json};

const SCHEMA: &str = include_str!("../../docs/schema.json");
const URL: &str = "urn:whaleware:ww-ctl:1";
/// Where the closed form of each document is put.
const CLOSED: &str = "closed-";

/// The forms of JSON that there are.
pub(crate) struct Shapes {
    schemas: Schemas,
    indexes: BTreeMap<String, SchemaIndex>,
}

impl Shapes {
    /// As the schema has them, and closed.
    pub(crate) fn new() -> Self {
        let mut schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let names = documents(&schema);
        let definitions = schema["$defs"].as_object_mut().expect("definitions");
        for definition in definitions.values_mut() {
            // What it is made of; itself it is closed where it is used.
            close_parts(definition);
        }
        for name in &names {
            let closed = json!({"$ref": format!("#/$defs/{name}"), "unevaluatedProperties": false});
            definitions.insert(format!("{CLOSED}{name}"), closed);
        }
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(URL, schema).expect("a schema");
        let mut schemas = Schemas::new();
        let indexes = names
            .into_iter()
            .map(|name| {
                let place = format!("{URL}#/$defs/{CLOSED}{name}");
                let index = compiler
                    .compile(&place, &mut schemas)
                    .unwrap_or_else(|error| panic!("{error:#}"));
                (name, index)
            })
            .collect();
        Self { schemas, indexes }
    }

    /// Why a document is not what it is to be.
    pub(crate) fn fault(&self, name: &str, document: &Value) -> Option<String> {
        let index = self.indexes.get(name);
        let index = index.unwrap_or_else(|| panic!("there is no document {name}"));
        let checked = self.schemas.validate(document, *index);
        checked.err().map(|error| format!("{error:#}"))
    }

    /// Fails the test unless this text is one document of this name, and the document at fault is
    /// found when it is spoiled.
    #[track_caller]
    pub(crate) fn document(&self, name: &str, text: &str) -> Value {
        let document: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
        self.value(name, &document);
        document
    }

    /// The same for one document a line, of which there is at least one.
    #[track_caller]
    pub(crate) fn lines(&self, name: &str, text: &str) -> Vec<Value> {
        let lines: Vec<Value> = text.lines().map(|line| self.document(name, line)).collect();
        assert!(!lines.is_empty(), "{name}: there is no line");
        lines
    }

    /// The same for a value.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, document: &Value) {
        if let Some(fault) = self.fault(name, document) {
            panic!("{name}: {fault}\n{document:#}");
        }
        let mut more = document.clone();
        more["nobody described this"] = json!(1);
        assert!(self.fault(name, &more).is_some(), "{name} takes anything");
        let mut less = document.clone();
        less.as_object_mut().expect("an object").remove("schema");
        assert!(self.fault(name, &less).is_some(), "{name} needs nothing");
    }
}

/// The names of the definitions that are documents of their own.
fn documents(schema: &Value) -> Vec<String> {
    let all = schema["anyOf"].as_array().expect("the documents");
    all.iter()
        .filter_map(|one| one["$ref"].as_str()?.strip_prefix("#/$defs/"))
        .map(str::to_owned)
        .collect()
}

/// Closes every object within a schema, itself left as it is.
fn close_parts(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    for (keyword, value) in keywords.iter_mut() {
        match keyword.as_str() {
            "properties" => {
                let properties = value.as_object_mut().expect("properties");
                properties.values_mut().for_each(close);
            }
            "items" => close(value),
            "anyOf" => {
                let all = value.as_array_mut().expect("a list");
                all.iter_mut().for_each(close);
            }
            // Each describes a part of the same object, which is closed as a whole.
            "allOf" | "oneOf" => {
                let all = value.as_array_mut().expect("a list");
                all.iter_mut().for_each(close_parts);
            }
            _ => {}
        }
    }
}

fn close(schema: &mut Value) {
    close_parts(schema);
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    let is_object = |keywords: &Map<String, Value>| {
        let makes = ["properties", "allOf", "oneOf", "$ref"];
        makes.iter().any(|keyword| keywords.contains_key(*keyword))
    };
    if is_object(keywords) && !keywords.contains_key("additionalProperties") {
        keywords.insert("unevaluatedProperties".into(), Value::Bool(false));
    }
}

/// Every property of the schema that does not say what it means, by its place.
pub(crate) fn undescribed() -> Vec<String> {
    fn look(place: &str, schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(keywords) => {
                for (keyword, value) in keywords {
                    let place = format!("{place}/{keyword}");
                    if keyword == "properties" {
                        for (name, property) in value.as_object().expect("properties") {
                            let says = property["description"].as_str().unwrap_or_default();
                            // What is defined once is described there.
                            if says.len() < 4 && property.get("$ref").is_none() {
                                found.push(format!("{place}/{name}"));
                            }
                            look(&format!("{place}/{name}"), property, found);
                        }
                    } else {
                        look(&place, value, found);
                    }
                }
            }
            Value::Array(all) => {
                for (index, value) in all.iter().enumerate() {
                    look(&format!("{place}/{index}"), value, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let mut found = Vec::new();
    look("", &schema, &mut found);
    found
}
