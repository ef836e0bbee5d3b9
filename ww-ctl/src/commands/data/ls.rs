//! `data ls`.

use serde_json::{Map, Value};

use super::gather::hosts;
use super::row::{Row, users};
use super::{Context, root_path, shown, trash};
use crate::cli::{DataLs, Format};
use crate::commands::record;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::{Tone, lines};
use crate::selection::matches_glob;
use crate::table::{self, Cell, Column};
use crate::units::size;

pub(super) async fn run(context: &Context, arguments: &DataLs) -> Result<Exit, Failure> {
    if arguments.trash {
        let root = root_path(arguments.root.as_deref())?;
        let all = trash::all(&root).await?;
        let none = format!("nothing is in the trash of {}", root.display());
        trash::print(context, &all, &none)?;
        return Ok(Exit::Done);
    }
    let (hosts, exit) = hosts(context).await?;
    let mut rows = Vec::new();
    for host in &hosts {
        for one in &host.kept {
            let whole = format!("{}/{}", host.target.name, one.seen.name);
            let is_meant =
                |name: &String| matches_glob(name, &one.seen.name) || matches_glob(name, &whole);
            if arguments.names.is_empty() || arguments.names.iter().any(is_meant) {
                rows.push(Row::new(host, one.clone(), arguments.size).await?);
            }
        }
    }
    rows.sort_by(|one, other| {
        (&one.one.seen.name, &one.host).cmp(&(&other.one.seen.name, &other.host))
    });
    if rows.is_empty() && !arguments.names.is_empty() && exit == Exit::Done {
        let names: Vec<String> = arguments.names.iter().map(|name| shown(name)).collect();
        let message = format!("no data container matches {}", names.join(", "));
        return Err(Failure::new(Exit::Absent, message)
            .hint("`ww-ctl data ls` without names shows what there is"));
    }
    print(context, &rows, arguments.size)?;
    Ok(exit)
}

fn print(context: &Context, rows: &[Row], has_size: bool) -> Result<(), Failure> {
    let output = context.output;
    let text = match context.format {
        Format::Name => lines(
            rows.iter()
                .map(|row| context.name_of(&row.host, &clean(&row.one.seen.name, 200))),
        ),
        Format::Jsonl => rows.iter().map(|row| record::line(row.fields())).collect(),
        Format::Json => {
            let all = rows.iter().map(|row| Value::Object(row.fields())).collect();
            record::document(Map::from_iter([("data".to_owned(), Value::Array(all))]))
        }
        Format::Table | Format::Wide if rows.is_empty() => {
            output.say("no container here only keeps data; `ww-ctl data create NAME` makes one");
            String::new()
        }
        Format::Table | Format::Wide => table(context, rows, has_size),
    };
    output.data(&text)
}

fn table(context: &Context, rows: &[Row], has_size: bool) -> String {
    let is_wide = context.format == Format::Wide;
    let has_host = context.has_several_hosts() || is_wide;
    let mut columns = vec![
        Column::elastic("NAME", 12),
        Column::fixed("KIND"),
        Column::elastic("DATA", 16),
        Column::elastic("USERS", 10),
        Column::fixed("OWNER"),
        Column::fixed("MODE"),
    ];
    if has_size {
        columns.push(Column::number("SIZE"));
    }
    if has_host {
        columns.push(Column::elastic("HOST", 6));
    }
    columns.push(Column::fixed("BY"));
    if is_wide {
        columns.extend([Column::fixed("PLACE"), Column::fixed("WHY")]);
    }
    let rows: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| cells(row, has_size, has_host, is_wide))
        .collect();
    let width = context.output.width().filter(|_| !is_wide);
    table::lines(&columns, &rows, width, context.output)
}

fn cells(row: &Row, has_size: bool, has_host: bool, is_wide: bool) -> Vec<Cell> {
    let one = &row.one;
    let or_dash = |text: Option<String>| Cell::plain(text.unwrap_or_else(|| "–".into()));
    let source = if row.missing == Some(true) {
        Cell::new(format!("{} (missing)", row.source()), Tone::Bad)
    } else {
        Cell::plain(row.source())
    };
    let kind = match row.kind {
        crate::data::Kind::Directory => Cell::plain("directory"),
        crate::data::Kind::Volume => Cell::plain("volume"),
        crate::data::Kind::AnonymousVolume => Cell::new("anonymous volume", Tone::Bad),
    };
    let users = match users(one) {
        none if none.is_empty() => "–".to_owned(),
        users => users,
    };
    let mut cells = vec![
        Cell::new(clean(&one.seen.name, 200), Tone::Strong),
        kind,
        source,
        Cell::plain(users),
        or_dash(row.owner.map(|owner| owner.to_string())),
        or_dash(row.mode.map(|mode| mode.to_string())),
    ];
    if has_size {
        cells.push(or_dash(row.bytes.map(size)));
    }
    if has_host {
        cells.push(Cell::plain(&*row.host));
    }
    cells.push(match &one.because {
        None => Cell::plain("whaleware"),
        Some(_) => Cell::new("others", Tone::Dim),
    });
    if is_wide {
        let why = one.because.as_deref().unwrap_or("has the label");
        cells.push(Cell::plain(clean(&one.data.place, 200)));
        cells.push(Cell::new(clean(why, 400), Tone::Dim));
    }
    cells
}
