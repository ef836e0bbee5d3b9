//! The trash of a root directory, as it is told.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Context, apart};
use crate::cli::Format;
use crate::commands::record;
use crate::data::{Root, Trash};
use crate::exit::Failure;
use crate::fleet::clean;
use crate::output::{Tone, lines};
use crate::table::{self, Cell, Column};

/// The most characters of a path.
const TEXT: usize = 1024;

/// All that is in the trash of a root; nothing where there is no root.
pub(super) async fn all(root: &Path) -> Result<Vec<Trash>, Failure> {
    let root = root.to_owned();
    apart(move || Root::open(&root).map_or_else(|_| Vec::new(), |root| Trash::all(&root))).await
}

/// Prints some of it.
pub(super) fn print(context: &Context, all: &[Trash], otherwise: &str) -> Result<(), Failure> {
    let output = context.output;
    let text = match context.format {
        Format::Name => lines(all.iter().map(path)),
        Format::Jsonl => all.iter().map(|one| record::line(fields(one))).collect(),
        Format::Json => {
            let all = all.iter().map(|one| Value::Object(fields(one))).collect();
            record::document(Map::from_iter([("trash".to_owned(), Value::Array(all))]))
        }
        Format::Table | Format::Wide if all.is_empty() => {
            output.say(otherwise);
            String::new()
        }
        Format::Table | Format::Wide => {
            let columns = [
                Column::elastic("NAME", 12),
                Column::fixed("REMOVED"),
                Column::elastic("DATA", 16),
            ];
            let rows: Vec<Vec<Cell>> = all.iter().map(cells).collect();
            table::lines(&columns, &rows, output.width(), output)
        }
    };
    output.data(&text)
}

pub(super) fn path(one: &Trash) -> String {
    clean(&one.path().to_string_lossy(), TEXT)
}

fn fields(one: &Trash) -> Map<String, Value> {
    Map::from_iter([
        ("name".to_owned(), json!(one.name())),
        ("removed".to_owned(), json!(one.removed())),
        ("path".to_owned(), json!(path(one))),
    ])
}

fn cells(one: &Trash) -> Vec<Cell> {
    let removed = one.removed().map(|at| at.to_string()).unwrap_or_default();
    vec![
        Cell::new(clean(one.name(), 200), Tone::Strong),
        Cell::plain(removed),
        Cell::plain(path(one)),
    ]
}
