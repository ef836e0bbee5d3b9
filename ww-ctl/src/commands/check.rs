//! `check`: looks a tree, or an image, over for mistakes.

use std::path::Path;

use serde_json::{Map, json};

use super::image::{agent, engine};
use super::{Context, record};
use crate::cli::{Check, Format};
use crate::engine::chain;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::image::inside::{self, InsideError};
use crate::image::lint::{self, Finding, Level, LintError};
use crate::output::{Output, Tone, lines};

/// The most characters of a path that are shown.
const TEXT: usize = 4096;

/// Checks a tree, for which no Engine is needed.
pub(super) fn run_tree(
    tree: &Path,
    root: Option<&Path>,
    format: Format,
    output: Output,
) -> Result<Exit, Failure> {
    let found = lint::findings(&agent()?, tree, root);
    let found = found.map_err(|error| refused(&error))?;
    let checked = clean(&tree.display().to_string(), TEXT);
    tell(&checked, &found, format, output)
}

/// Checks an image.
pub(super) async fn run(context: &Context, arguments: &Check) -> Result<Exit, Failure> {
    let Some(image) = &arguments.image else {
        // It was run alone.
        return Ok(Exit::Done);
    };
    let engine = engine(context, "check an image").await?;
    let found = inside::check(&engine, image).await;
    let found = found.map_err(|error| unchecked(&error))?;
    tell(&clean(image, TEXT), &found, context.format, context.output)
}

fn tell(checked: &str, found: &[Finding], format: Format, output: Output) -> Result<Exit, Failure> {
    let count = |level| found.iter().filter(|one| one.level == level).count();
    let counts = [Level::Error, Level::Warning, Level::Note].map(count);
    let [errors, warnings, notes] = counts;
    let text = match format {
        Format::Json => record::document(Map::from_iter([
            ("checked".into(), json!(checked)),
            ("errors".into(), json!(errors)),
            ("warnings".into(), json!(warnings)),
            ("notes".into(), json!(notes)),
            ("findings".into(), json!(found)),
        ])),
        Format::Jsonl => found
            .iter()
            .map(|one| {
                record::line(Map::from_iter([
                    ("checked".into(), json!(checked)),
                    ("level".into(), json!(one.level)),
                    ("path".into(), json!(one.path)),
                    ("what".into(), json!(one.what)),
                    ("remedy".into(), json!(one.remedy)),
                ]))
            })
            .collect(),
        Format::Table | Format::Wide | Format::Name => {
            lines(found.iter().map(|one| line(one, output)))
        }
    };
    output.data(&text)?;
    let words = counts.iter().zip(["error", "warning", "note"]);
    let words: Vec<_> = words
        .map(|(count, what)| format!("{count} {what}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    output.say(&format!("{checked}: {}", words.join(", ")));
    Ok(if errors > 0 { Exit::Failed } else { Exit::Done })
}

/// A finding, its level in colour where colours are seen.
fn line(finding: &Finding, output: Output) -> String {
    let tone = match finding.level {
        Level::Error => Tone::Bad,
        Level::Warning => Tone::Busy,
        Level::Note => Tone::Dim,
    };
    let (text, level) = (finding.to_string(), finding.level.name());
    let rest = text.strip_prefix(level).unwrap_or(&text);
    format!("{}{rest}", output.paint(level, tone))
}

fn refused(error: &LintError) -> Failure {
    let message = clean(&chain(error), TEXT);
    match error {
        LintError::Refused { .. } => Failure::new(Exit::Usage, message).hint(
            "give the directory that becomes /ww, or the one that has it as ww/ (`ww-ctl init` writes one)",
        ),
        LintError::Run { .. } | LintError::Ended { .. } | LintError::Found { .. } => {
            Failure::new(Exit::Failed, message)
                .hint("is it an agent of this version? WW_AGENT_BINARY names another")
        }
    }
}

fn unchecked(error: &InsideError) -> Failure {
    let message = chain(error);
    let (exit, hint) = match error {
        InsideError::Absent { image } => {
            let hint = format!("`docker pull {image}` brings it, `ww-ctl image build` makes one");
            (Exit::Failed, Some(hint))
        }
        InsideError::Older { .. } => (
            Exit::Failed,
            Some("build it again: this ww-ctl puts in an agent that can be asked".to_owned()),
        ),
        InsideError::Slow { .. } => (
            Exit::TimedOut,
            Some("its container is removed; is that file an agent?".to_owned()),
        ),
        InsideError::Engine(error) if error.is_engine_down() => (Exit::Engine, error.hint()),
        InsideError::Engine(error) => (Exit::Failed, error.hint()),
    };
    Failure {
        exit,
        message,
        hint,
    }
}
