//! How restores are told.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Context;
use crate::backup::restore::changes::{Changes, Names};
use crate::cli::Format;
use crate::commands::record;
use crate::exit::Failure;
use crate::fleet::HostName;

/// How one has ended.
pub(super) struct Told<'a> {
    /// `restore`, `undo`, …
    pub action: &'static str,
    pub host: &'a HostName,
    pub name: &'a str,
    pub backup: &'a str,
    /// In words.
    pub words: String,
    /// Those that were stopped and are UP again, or are not.
    pub users: Vec<String>,
    pub missing: Vec<String>,
}

impl Told<'_> {
    /// Prints it.
    ///
    /// # Errors
    /// When it cannot be printed.
    pub(super) fn print(
        &self,
        context: &Context,
        changes: Option<&[Changes]>,
    ) -> Result<(), Failure> {
        let text = match context.format {
            Format::Table | Format::Wide => {
                let name = context.name_of(self.host, self.name);
                let mut text = format!("{name}: {}\n", self.words);
                for changes in changes.into_iter().flatten() {
                    text.push_str(&listed(changes));
                }
                text
            }
            Format::Name => format!("{}\n", context.name_of(self.host, self.name)),
            Format::Jsonl => record::line(self.fields(changes)),
            Format::Json => record::document(self.fields(changes)),
        };
        context.output.data(&text)
    }

    fn fields(&self, changes: Option<&[Changes]>) -> Map<String, Value> {
        let mut fields = Map::from_iter([
            ("action".to_owned(), json!(self.action)),
            ("host".to_owned(), json!(**self.host)),
            ("name".to_owned(), json!(self.name)),
            ("backup".to_owned(), json!(self.backup)),
            ("text".to_owned(), json!(self.words)),
            ("users".to_owned(), json!(self.users)),
            ("missing".to_owned(), json!(self.missing)),
        ]);
        if let Some(changes) = changes {
            let all: Vec<Value> = changes.iter().map(fields_of).collect();
            fields.insert("changes".to_owned(), Value::Array(all));
        }
        fields
    }
}

fn fields_of(changes: &Changes) -> Value {
    let names = |names: &Names| json!({"count": names.count, "first": names.first});
    json!({
        "added": names(&changes.added),
        "removed": names(&changes.removed),
        "changed": names(&changes.changed),
        "same": changes.same,
    })
}

fn listed(changes: &Changes) -> String {
    let mut text = String::new();
    for (sign, names) in [
        ('+', &changes.added),
        ('-', &changes.removed),
        ('~', &changes.changed),
    ] {
        for name in &names.first {
            let name = if name.is_empty() { "." } else { name };
            let _always = writeln!(text, "  {sign} {name}");
        }
        let more = names.count - names.first.len() as u64;
        if more > 0 {
            let _always = writeln!(text, "  {sign} and {more} more");
        }
    }
    text
}
