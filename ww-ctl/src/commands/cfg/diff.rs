//! `cfg --diff`: where the configurations of two containers differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use whaleware::protocol::RequestKind;

use super::{Asked, TEXT, ask, is_below, list, plain_path};
use crate::cli::{Cfg, Format};
use crate::commands::{Context, record};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::{Tone, lines};
use crate::table::{self, Cell, Column};

/// Stands for what one of them does not have.
const NOTHING: &str = "–";

/// A value and the layer it is from.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    value: Value,
    layer: String,
}

/// A place where they differ; none where one has nothing there.
#[derive(Debug, Clone, PartialEq)]
struct Difference {
    path: String,
    sides: [Option<Said>; 2],
}

pub(super) async fn run(
    context: &Context,
    arguments: &Cfg,
    names: [&str; 2],
    path: Option<&str>,
) -> Result<Exit, Failure> {
    if arguments.filter.is_some() {
        return Err(
            Failure::new(Exit::Usage, "cannot compare at more than one path")
                .hint("ww-ctl cfg --diff A B [PATH]"),
        );
    }
    let below = match path {
        Some(path) => plain_path(path).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("cannot compare at `{path}`: it is no plain path"),
            )
            .hint("with --diff PATH is a path such as .db or db.host")
        })?,
        None => String::new(),
    };
    let kind = || RequestKind::Cfg {
        filter: None,
        origin: true,
    };
    let [one, other] = names;
    let asked = futures::future::try_join(ask(context, one, kind()), ask(context, other, kind()));
    let ((one, left), (other, right)) = asked.await?;
    let whose = [one, other];
    let differences = compare(read(left, &below), read(right, &below));
    let text = match context.format {
        Format::Json => document(&whose, &differences),
        Format::Jsonl => differences
            .iter()
            .map(|one| record::line(json(one)))
            .collect(),
        Format::Name => lines(differences.iter().map(|one| clean(&one.path, TEXT))),
        Format::Table | Format::Wide if differences.is_empty() => String::new(),
        Format::Table | Format::Wide => table(context, &whose, &differences, arguments.origin),
    };
    if differences.is_empty() {
        let place = if below.is_empty() {
            String::new()
        } else {
            format!(" at {below}")
        };
        let [one, other] = &whose;
        context.output.say(&format!(
            "{} and {} have the same configuration{place}",
            one.name, other.name
        ));
    }
    context.output.data(&text)?;
    Ok(if differences.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn read(result: Value, below: &str) -> BTreeMap<String, Said> {
    let said = |mut origin: Value| {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let path = text(origin.get("path")).filter(|path| is_below(path, below))?;
        let layer = text(origin.get("layer")).unwrap_or_default();
        let value = origin.get_mut("value").map(Value::take).unwrap_or_default();
        Some((path, Said { value, layer }))
    };
    list(result, "origins")
        .into_iter()
        .filter_map(said)
        .collect()
}

/// Values only: that the same is said by different layers is no difference.
fn compare(left: BTreeMap<String, Said>, right: BTreeMap<String, Said>) -> Vec<Difference> {
    let (mut left, mut right) = (left, right);
    let paths: BTreeSet<String> = left.keys().chain(right.keys()).cloned().collect();
    let difference = |path: String| {
        let sides = [left.remove(&path), right.remove(&path)];
        let value = |side: &Option<Said>| side.as_ref().map(|said| said.value.clone());
        (value(&sides[0]) != value(&sides[1])).then_some(Difference { path, sides })
    };
    paths.into_iter().filter_map(difference).collect()
}

fn json(one: &Difference) -> Map<String, Value> {
    let side = |side: &Option<Said>| match side {
        Some(said) => json!({"value": said.value, "layer": said.layer}),
        None => Value::Null,
    };
    Map::from_iter([
        ("path".to_owned(), json!(one.path)),
        ("a".to_owned(), side(&one.sides[0])),
        ("b".to_owned(), side(&one.sides[1])),
    ])
}

fn document(whose: &[Asked; 2], differences: &[Difference]) -> String {
    let [one, other] = whose
        .each_ref()
        .map(|asked| json!({"host": *asked.host, "name": asked.name}));
    let differences = differences.iter().map(|one| Value::Object(json(one)));
    record::document(Map::from_iter([
        ("a".to_owned(), one),
        ("b".to_owned(), other),
        (
            "differences".to_owned(),
            Value::Array(differences.collect()),
        ),
    ]))
}

fn table(
    context: &Context,
    whose: &[Asked; 2],
    differences: &[Difference],
    origin: bool,
) -> String {
    let [one, other] = whose.each_ref().map(|asked| {
        if context.has_several_hosts() {
            format!("{}/{}", asked.host, asked.name)
        } else {
            asked.name.clone()
        }
    });
    let mut columns = vec![Column::elastic("PATH", 12), Column::elastic(&one, 12)];
    if origin {
        columns.push(Column::fixed("FROM"));
    }
    columns.push(Column::elastic(&other, 12));
    if origin {
        columns.push(Column::fixed("FROM"));
    }
    let row = |one: &Difference| {
        let mut cells = vec![Cell::plain(clean(&one.path, TEXT))];
        for side in &one.sides {
            let (value, layer) = match side {
                Some(said) => (
                    Cell::plain(clean(&said.value.to_string(), TEXT)),
                    clean(&said.layer, TEXT),
                ),
                None => (Cell::new(NOTHING, Tone::Dim), String::new()),
            };
            cells.push(value);
            if origin {
                cells.push(Cell::new(layer, Tone::Dim));
            }
        }
        cells
    };
    let rows: Vec<Vec<Cell>> = differences.iter().map(row).collect();
    table::lines(&columns, &rows, context.output.width(), context.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(entries: &[(&str, Value, &str)]) -> Value {
        let entries: Vec<Value> = entries
            .iter()
            .map(|(path, value, layer)| json!({"path": path, "value": value, "layer": layer}))
            .collect();
        json!({ "origins": entries })
    }

    #[test]
    fn what_differs_is_told_by_its_path_and_nothing_else() {
        let left = origins(&[
            (".b", json!([1, 2]), "CFG"),
            (".a.x", json!("same"), "CFG"),
            (".a.y", json!(1), "defaults"),
            (".only", json!(null), "CFG"),
        ]);
        let right = origins(&[
            (".b", json!([2, 1]), "CFG"),
            (".a.x", json!("same"), "defaults"),
            (".a.y", json!("1"), "CFG"),
            (".more", json!({}), "CFG"),
        ]);
        let paths = |below: &str| -> Vec<String> {
            compare(read(left.clone(), below), read(right.clone(), below))
                .into_iter()
                .map(|one| one.path)
                .collect()
        };
        assert_eq!(paths(""), [".a.y", ".b", ".more", ".only"]);
        assert_eq!(paths(".a"), [".a.y"]);
        assert_eq!(paths(".a.x"), [""; 0]);
        let all = compare(read(left.clone(), ""), read(right.clone(), ""));
        assert_eq!(
            Value::Object(json(&all[0])),
            json!({
                "path": ".a.y",
                "a": {"value": 1, "layer": "defaults"},
                "b": {"value": "1", "layer": "CFG"}
            })
        );
        // To have `null` is not to have nothing.
        assert_eq!(all[3].sides[1], None);
        assert!(all[3].sides[0].is_some());
    }
}
