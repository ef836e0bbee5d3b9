//! `cfg`: a container's configuration as its agent has it.

mod diff;

use std::time::Duration;

use serde_json::{Map, Value};
use whaleware::protocol::RequestKind;

use super::{Context, record};
use crate::agent::{Reach, SessionError};
use crate::cli::{Cfg, Format};
use crate::exit::{Exit, Failure};
use crate::fleet::{ContainerKey, HostName, clean};
use crate::output::{Tone, lines};
use crate::table::{self, Cell, Column};
use crate::tui::Setting;
use crate::watch::FeedHandle;

/// How long an agent may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The most characters of one value.
const TEXT: usize = 64 * 1024;

pub(super) async fn run(context: &Context, arguments: &Cfg) -> Result<Exit, Failure> {
    if let [one, other] = arguments.diff.as_slice() {
        let path = arguments.name.as_deref();
        return diff::run(context, arguments, [one, other], path).await;
    }
    let name = arguments.name.as_deref().unwrap_or_default();
    let below = match (&arguments.filter, arguments.origin) {
        (Some(filter), true) => plain_path(filter).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("cannot say where the values of `{filter}` come from: it is no plain path"),
            )
            .hint("with --origin FILTER is a path such as .db or db.host")
        })?,
        (Some(_) | None, _) => String::new(),
    };
    let kind = RequestKind::Cfg {
        filter: arguments.filter.clone().filter(|_| !arguments.origin),
        origin: arguments.origin,
    };
    let (_, result) = ask(context, name, kind).await?;
    if arguments.origin {
        origins(context, result, &below)
    } else {
        values(context, result)
    }
}

/// Asks the agent of the one container that is meant; its name, and what the agent has answered.
async fn ask(context: &Context, name: &str, kind: RequestKind) -> Result<(Asked, Value), Failure> {
    let (fleet, key) = context.find_one(name).await?;
    let name = fleet
        .get(&key)
        .map_or("", |one| one.name.as_str())
        .to_owned();
    let failed = |reason: String| {
        Failure::new(
            Exit::Failed,
            format!("cannot read the configuration of {name}: {reason}"),
        )
    };
    if let Some(one) = fleet.get(&key) {
        if !one.has_agent {
            return Err(failed("it has no agent".into()));
        }
        if !one.engine.is_running() {
            return Err(failed(format!("it does not run ({})", one.cause()))
                .hint("only a running agent knows its configuration"));
        }
    }
    let engine = context.engine(&key.host).await?;
    let mut session = Reach::new(engine)
        .connect(&key.id)
        .await
        .map_err(|error| failed(format!("its agent is not reached: {error}")))?;
    let answer = tokio::time::timeout(ANSWER, session.request(kind, &context.by))
        .await
        .unwrap_or(Err(SessionError::Silent(ANSWER)))
        .map_err(|error| failed(error.to_string()))?;
    if let Some(error) = answer.error {
        let message = clean(&error.message, TEXT);
        return Err(match error.code.as_str() {
            "filter" => {
                Failure::new(Exit::Usage, message).hint("FILTER is a jq filter such as .db.host")
            }
            "forbidden" => Failure::new(Exit::Refused, message),
            _ => failed(message),
        });
    }
    let host = key.host;
    Ok((Asked { host, name }, answer.result.unwrap_or(Value::Null)))
}

/// Whose configuration it is.
struct Asked {
    host: HostName,
    name: String,
}

fn values(context: &Context, result: Value) -> Result<Exit, Failure> {
    let values = list(result, "values");
    let text = match context.format {
        Format::Json => record::document(Map::from_iter([(
            "values".to_owned(),
            Value::Array(values),
        )])),
        Format::Jsonl => values
            .into_iter()
            .map(|value| record::line(Map::from_iter([("value".to_owned(), value)])))
            .collect(),
        Format::Table | Format::Wide | Format::Name => lines(values.iter().map(raw)),
    };
    context.output.data(&text)?;
    Ok(Exit::Done)
}

/// As `jq -r`: a text without its quotes, anything else as JSON.
fn raw(value: &Value) -> String {
    match value {
        Value::String(text) => text
            .split('\n')
            .map(|line| clean(line, TEXT))
            .collect::<Vec<_>>()
            .join("\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            record::escaped(&format!("{value:#}"))
        }
    }
}

/// Where the values at and below a path come from.
fn origins(context: &Context, result: Value, below: &str) -> Result<Exit, Failure> {
    let mut origins = list(result, "origins");
    origins.retain(|origin| match origin.get("path") {
        Some(Value::String(path)) => is_below(path, below),
        Some(_) | None => false,
    });
    if origins.is_empty() && !below.is_empty() {
        context.output.say(&format!("no layer sets {below}"));
    }
    let field = |origin: &Value, name: &str| match origin.get(name) {
        Some(Value::String(text)) if name != "value" => clean(text, TEXT),
        Some(value) => clean(&value.to_string(), TEXT),
        None => String::new(),
    };
    let text = match context.format {
        Format::Json => record::document(Map::from_iter([(
            "origins".to_owned(),
            Value::Array(origins),
        )])),
        Format::Jsonl => origins.into_iter().map(record::line_of).collect(),
        Format::Name => lines(origins.iter().map(|origin| field(origin, "path"))),
        Format::Table | Format::Wide => {
            let columns = [
                Column::elastic("KEY", 12),
                Column::elastic("VALUE", 12),
                Column::fixed("FROM"),
            ];
            let rows: Vec<Vec<Cell>> = origins
                .iter()
                .map(|origin| {
                    vec![
                        Cell::plain(field(origin, "path")),
                        Cell::plain(field(origin, "value")),
                        Cell::new(field(origin, "layer"), Tone::Dim),
                    ]
                })
                .collect();
            table::lines(&columns, &rows, context.output.width(), context.output)
        }
    };
    context.output.data(&text)?;
    Ok(Exit::Done)
}

/// Whether a path is this one or further in.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Every value an agent has and the layer it comes from, or why that is not known.
pub(super) async fn settings(
    handle: &FeedHandle,
    key: &ContainerKey,
) -> Result<Vec<Setting>, String> {
    let kind = RequestKind::Cfg {
        filter: None,
        origin: true,
    };
    let answer = handle.ask(key, kind).await;
    let answer = answer.map_err(|error| error.to_string())?;
    if let Some(error) = answer.error {
        return Err(error.message);
    }
    let origins = list(answer.result.unwrap_or(Value::Null), "origins");
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let setting = |origin: &Value| Setting {
        path: text(origin.get("path")),
        value: text(origin.get("value")),
        layer: text(origin.get("layer")),
    };
    Ok(origins.iter().map(setting).collect())
}

fn list(mut result: Value, name: &str) -> Vec<Value> {
    match result.get_mut(name).map(Value::take) {
        Some(Value::Array(values)) => values,
        Some(_) | None => Vec::new(),
    }
}

/// A filter that only names a place, in the form in which places are told: `db.host` is
/// `.db.host`. None for any other filter.
fn plain_path(filter: &str) -> Option<String> {
    let filter = filter.trim();
    if matches!(filter, "" | ".") {
        return Some(String::new());
    }
    let dotted = match filter.strip_prefix('.') {
        Some(_) => filter.to_owned(),
        None => format!(".{filter}"),
    };
    let mut rest = dotted.as_str();
    let mut path = String::new();
    while let Some(step) = rest.strip_prefix('.') {
        let word = step
            .find(|c: char| !is_word(c))
            .map_or(step, |end| &step[..end]);
        let (key, end) = if step.starts_with('"') {
            let mut quoted = serde_json::Deserializer::from_str(step).into_iter::<String>();
            let key = quoted.next()?.ok()?;
            (key, quoted.byte_offset())
        } else if word.starts_with(|c: char| !c.is_ascii_digit()) {
            (word.to_owned(), word.len())
        } else {
            return None;
        };
        let is_plain = key.chars().all(is_word) && key.starts_with(|c: char| !c.is_ascii_digit());
        path.push('.');
        path.push_str(&if is_plain {
            key
        } else {
            Value::String(key).to_string()
        });
        rest = &step[end..];
    }
    rest.is_empty().then_some(path)
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_place_and_nothing_more() {
        for (filter, path) in [
            (".", Some("")),
            (".db", Some(".db")),
            ("db.host", Some(".db.host")),
            (".\"odd key\".\"x\"", Some(".\"odd key\".x")),
            (".db | keys", None),
            (".db[0]", None),
            (".db.", None),
            ("..", None),
            ("1", None),
            (".\"open", None),
        ] {
            assert_eq!(plain_path(filter).as_deref(), path, "{filter}");
        }
    }
}
