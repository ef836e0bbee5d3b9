//! `backups ls`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::row::{Row, ago, content, entries, is_encrypted, verified_words};
use super::{Context, TEXT, apart, listed, meant, vault};
use crate::backup::vault::Listed;
use crate::cli::{BackupsLs, Format};
use crate::commands::record;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::{Tone, lines};
use crate::table::{self, Cell, Column};
use crate::units::size;

pub(super) async fn run(context: &Context, arguments: &BackupsLs) -> Result<Exit, Failure> {
    let vault = vault(&arguments.vault).await?;
    let wanted = arguments.names.clone();
    let opened = vault.clone();
    let found = apart(move || listed(&opened, meant(&opened, &wanted)?)).await??;
    let rows: Vec<Row> = found
        .into_iter()
        .map(|(name, one)| Row { name, one })
        .collect();
    let place = clean(&vault.path().to_string_lossy(), TEXT);
    if rows.is_empty() {
        context
            .output
            .say(&format!("there is no backup in {place}"));
    }
    print(context, &rows, &place)?;
    Ok(Exit::Done)
}

fn print(context: &Context, rows: &[Row], place: &str) -> Result<(), Failure> {
    let text = match context.format {
        Format::Name => lines(rows.iter().map(Row::reference)),
        Format::Jsonl => rows.iter().map(|row| record::line(row.fields())).collect(),
        Format::Json => {
            let all = rows.iter().map(|row| Value::Object(row.fields())).collect();
            record::document(Map::from_iter([
                ("vault".to_owned(), json!(place)),
                ("backups".to_owned(), Value::Array(all)),
            ]))
        }
        Format::Table | Format::Wide if rows.is_empty() => String::new(),
        Format::Table | Format::Wide => table(context, rows),
    };
    context.output.data(&text)
}

fn table(context: &Context, rows: &[Row]) -> String {
    let is_wide = context.format == Format::Wide;
    let now = context.clock.now().wall;
    let mut columns = vec![
        Column::elastic("NAME", 12),
        Column::fixed("ID"),
        Column::fixed("AGE"),
        Column::number("SIZE"),
        Column::fixed("CLASS"),
        Column::elastic("VERIFIED", 12),
    ];
    if is_wide {
        columns.extend([
            Column::number("CONTENT"),
            Column::number("ENTRIES"),
            Column::fixed("ENCRYPTED"),
        ]);
    }
    columns.push(Column::elastic("STATE", 10));
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, is_wide, now)).collect();
    let width = context.output.width().filter(|_| !is_wide);
    table::lines(&columns, &rows, width, context.output)
}

fn cells(row: &Row, is_wide: bool, now: Timestamp) -> Vec<Cell> {
    let dash = || Cell::plain("–");
    let mut cells = vec![
        Cell::new(row.name.clone(), Tone::Strong),
        Cell::plain(row.id()),
    ];
    let state = match &row.one {
        Listed::Broken { reason, .. } => {
            let missing = if is_wide { 7 } else { 4 };
            cells.extend(std::iter::repeat_with(dash).take(missing));
            Cell::new(format!("broken: {}", clean(reason, TEXT)), Tone::Bad)
        }
        Listed::Set(set) => {
            let (verified, tone) = verified_words(set, now);
            cells.extend([
                Cell::plain(ago(set.manifest.begun, now).replace(" ago", "")),
                Cell::plain(size(set.bytes())),
                Cell::plain(set.manifest.consistency.word()),
                Cell::new(verified, tone),
            ]);
            if is_wide {
                cells.extend([
                    Cell::plain(size(content(set))),
                    Cell::plain(entries(set).to_string()),
                    Cell::plain(if is_encrypted(set) { "yes" } else { "no" }),
                ]);
            }
            if set.manifest.complete {
                Cell::new("complete", Tone::Good)
            } else {
                Cell::new("incomplete", Tone::Bad)
            }
        }
    };
    cells.push(state);
    cells
}
