//! `backups show`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::row::{ago, best, content, fields, state, verified, verified_words};
use super::{Context, TEXT, apart, vault};
use crate::backup::vault::{How, Part, Set};
use crate::cli::{BackupsShow, Format};
use crate::commands::record;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::{Output, Tone};
use crate::units::{duration, size};

/// So many of the problems of a part are shown; all of them are in the JSON.
const PROBLEMS: usize = 10;

pub(super) async fn run(context: &Context, arguments: &BackupsShow) -> Result<Exit, Failure> {
    let vault = vault(&arguments.vault).await?;
    let reference = arguments.backup.clone();
    let set = apart(move || vault.find(&reference)).await??;
    let text = match context.format {
        Format::Table | Format::Wide => page(context, &set),
        Format::Name => format!("{}\n", set.reference()),
        Format::Json => record::document(all(&set)),
        Format::Jsonl => record::line(all(&set)),
    };
    context.output.data(&text)?;
    Ok(Exit::Done)
}

/// All that is known of it, for other programs.
fn all(set: &Set) -> Map<String, Value> {
    let manifest = &set.manifest;
    let mut fields = fields(set);
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    let records = [How::Quick, How::Full, How::Drill].into_iter();
    let records = records.filter_map(|how| Some(verified(how, set.verified.get(how)?)));
    put("verifications", Value::Array(records.collect()));
    // Whoever can write to a vault can write a manifest; what is printed is escaped.
    put("version", json!(manifest.version));
    put("machine", json!(manifest.host));
    put("engine", json!(manifest.engine));
    put("containers", json!(manifest.containers));
    put("parts", json!(manifest.parts));
    put("repository", json!(manifest.repository));
    fields
}

fn page(context: &Context, set: &Set) -> String {
    let output = context.output;
    let now = context.clock.now().wall;
    let manifest = &set.manifest;
    let mut text = output.paint(&set.reference(), Tone::Strong);
    text.push('\n');
    let mut say = |what: &str, words: &str| line(&mut text, output, what, words);
    say(
        "state",
        &match state(set) {
            "complete" => output.paint("complete", Tone::Good),
            other => output.paint(other, Tone::Bad),
        },
    );
    let took = manifest.ended.duration_since(manifest.begun).unsigned_abs();
    let begun = format!(
        "{:.0}, {}, in {}",
        manifest.begun,
        ago(manifest.begun, now),
        duration(took)
    );
    say("made", &begun);
    let by = format!("ww-ctl {} on {}", manifest.version, manifest.host);
    say("by", &clean(&by, TEXT));
    say("class", manifest.consistency.word());
    if let Some(reason) = &manifest.reason {
        say("because", &clean(reason, TEXT));
    }
    if let Some(outage) = manifest.outage_ms {
        say(
            "outage",
            &duration(std::time::Duration::from_millis(outage)),
        );
    }
    let sizes = format!(
        "{} for {} of content",
        size(set.bytes()),
        size(content(set))
    );
    say("size", &sizes);
    say("verified", &verification(set, context));
    if let Some(why) = best(set).and_then(|(_, best)| best.text.as_ref()) {
        say("", &clean(why, TEXT));
    }
    if let Some(repository) = &manifest.repository {
        let words = format!(
            "{} in {} by {}",
            repository.snapshot, repository.location, repository.program
        );
        say("content", &clean(&words, TEXT));
    }
    for member in &manifest.containers {
        let words = format!("{} of {}, {}", member.name, member.image, member.state);
        say("container", &clean(&words, TEXT));
    }
    for part in &manifest.parts {
        tell_part(&mut text, output, part);
    }
    text
}

fn verification(set: &Set, context: &Context) -> String {
    let (words, tone) = verified_words(set, context.clock.now().wall);
    context.output.paint(&words, tone)
}

fn tell_part(text: &mut String, output: Output, part: &Part) {
    let counts = &part.counts;
    let words = format!(
        "{}: {} entries, {} of content in {}{}",
        part.place,
        counts.entries,
        size(counts.bytes),
        part.payload.file,
        if part.payload.encrypted {
            ", encrypted"
        } else {
            ""
        }
    );
    line(text, output, "part", &clean(&words, TEXT));
    let from = format!("{}, read as {}", part.backing.source, part.source);
    line(text, output, "from", &clean(&from, TEXT));
    for lost in &part.loses {
        line(text, output, "without", &clean(lost, TEXT));
    }
    for excluded in &part.excluded {
        line(text, output, "excluded", &clean(excluded, TEXT));
    }
    for below in &part.below {
        line(text, output, "not in it", &clean(below, TEXT));
    }
    let totals = part.problems.counts.iter();
    let totals: Vec<String> = totals
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    if totals.is_empty() {
        return;
    }
    line(text, output, "problems", &clean(&totals.join(", "), TEXT));
    for problem in part.problems.listed.iter().take(PROBLEMS) {
        let words = format!("{}: {}: {}", problem.kind, problem.path, problem.text);
        line(text, output, "", &clean(&words, TEXT));
    }
}

fn line(text: &mut String, output: Output, what: &str, words: &str) {
    let what = output.paint(&format!("{what:<11}"), Tone::Dim);
    let _never = writeln!(text, "  {what}{words}");
}
