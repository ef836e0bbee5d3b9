//! `data show`.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use whaleware::paths::LABEL_DATA;

use super::Context;
use super::gather::{Host, find};
use super::row::{Row, users};
use crate::cli::{DataShow, Format};
use crate::commands::record;
use crate::data::{DataContainer, Kind, Mode, Owner, Recorded, Root};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::Tone;

/// The most characters of a word of others.
const TEXT: usize = 1024;

pub(super) async fn run(context: &Context, arguments: &DataShow) -> Result<Exit, Failure> {
    let (host, one) = find(context, &arguments.name).await?;
    let page = Page::new(&host, one).await?;
    let text = match context.format {
        Format::Table | Format::Wide => page.text(context),
        Format::Name => format!("{}\n", page.name(context)),
        Format::Json => record::document(page.fields()),
        Format::Jsonl => record::line(page.fields()),
    };
    context.output.data(&text)?;
    Ok(Exit::Done)
}

/// One of them, with all that is known of it.
pub(super) struct Page {
    row: Row,
    /// Where it is remembered; none where it is not.
    remembered: Option<String>,
    /// How Docker's own tool uses it.
    line: String,
}

impl Page {
    /// Looks at everything.
    ///
    /// # Errors
    /// When this program cannot go on.
    pub(super) async fn new(host: &Host, one: DataContainer) -> Result<Self, Failure> {
        let mut row = Row::new(host, one, false).await?;
        if row.owner.is_none() && row.missing != Some(true) {
            // What cannot be seen from here its Engine can tell.
            let seen = host
                .engine
                .beginning(&row.one.seen.id, &row.one.data.place)
                .await;
            if let Ok(seen) = seen {
                row.owner = Some(Owner {
                    uid: seen.uid,
                    gid: seen.gid,
                });
                row.mode = Some(Mode::of(seen.mode));
            }
        }
        let remembered = remembered(&row);
        let line = format!("docker run --volumes-from {} IMAGE", row.one.seen.name);
        Ok(Self {
            row,
            remembered,
            line: clean(&line, TEXT),
        })
    }

    /// Its name as it can be given again.
    pub(super) fn name(&self, context: &Context) -> String {
        context.name_of(&self.row.host, &clean(&self.row.one.seen.name, 200))
    }

    /// What it is, in a sentence.
    pub(super) fn sentence(&self, context: &Context) -> String {
        let rights = match (self.row.owner, self.row.mode) {
            (Some(owner), Some(mode)) => format!(", owned by {owner} with {mode}"),
            _ => String::new(),
        };
        let kind = match self.row.kind {
            Kind::Directory => "",
            Kind::Volume | Kind::AnonymousVolume => "the volume ",
        };
        let (name, source) = (self.name(context), self.row.source());
        format!("{name} keeps {kind}{source}{rights}")
    }

    /// For other programs: all of it.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let one = &self.row.one;
        let mut fields = self.row.fields();
        let labels: Map<String, Value> = one
            .seen
            .labels
            .iter()
            .map(|(key, value)| (clean(key, TEXT), json!(clean(value, TEXT))))
            .collect();
        let mounts: Vec<Value> = one
            .seen
            .placed
            .iter()
            .map(|placed| {
                let mount = Recorded::of(placed);
                json!({
                    "place": clean(&mount.place, TEXT),
                    "kind": mount.kind.word(),
                    "source": clean(&mount.source, TEXT),
                    "writable": !mount.read_only,
                })
            })
            .collect();
        let twins: Vec<String> = one.twins.iter().map(|name| clean(name, TEXT)).collect();
        fields.insert("labels".into(), Value::Object(labels));
        fields.insert("mounts".into(), Value::Array(mounts));
        fields.insert("twins".into(), json!(twins));
        fields.insert("remembered".into(), json!(self.remembered));
        fields.insert("line".into(), json!(self.line));
        fields
    }

    fn text(&self, context: &Context) -> String {
        let one = &self.row.one;
        let output = context.output;
        let mut text = output.paint(&self.name(context), Tone::Strong);
        text.push('\n');
        let mut say = |what: &str, words: &str| {
            let what = output.paint(&format!("{what:<11}"), Tone::Dim);
            let _never = writeln!(text, "  {what}{words}");
        };
        let kind = match self.row.kind {
            Kind::Directory => "a directory of the host",
            Kind::Volume => "a volume",
            Kind::AnonymousVolume => "a volume nobody has named",
        };
        say("data", &format!("{}, {kind}", self.row.source()));
        if self.row.kind != Kind::Directory
            && let Some(path) = &self.row.directory
        {
            say("lies in", &clean(&path.to_string_lossy(), TEXT));
        }
        if self.row.missing == Some(true) {
            say(
                "missing",
                &output.paint("the directory is not there", Tone::Bad),
            );
        }
        say("mounted at", &clean(&one.data.place, TEXT));
        for other in one.seen.placed.iter().filter(|other| **other != one.data) {
            let mount = Recorded::of(other);
            let words = format!("{} at {}", mount.source, mount.place);
            say("and", &clean(&words, TEXT));
        }
        if let (Some(owner), Some(mode)) = (self.row.owner, self.row.mode) {
            say("owner", &format!("{owner}, {mode}"));
        }
        let users = match users(one) {
            none if none.is_empty() => "nobody".to_owned(),
            users => users,
        };
        say("used by", &users);
        for twin in &one.twins {
            let words = format!("{} keeps the same data", clean(twin, TEXT));
            say("twin", &output.paint(&words, Tone::Bad));
        }
        match (&one.because, label(one, "by")) {
            (Some(reason), _) => say("counts", &format!("because it was {}", clean(reason, TEXT))),
            (None, Some(by)) => say("made by", &clean(by, TEXT)),
            (None, None) => {}
        }
        if let Some(created) = label(one, "created") {
            say("made", &clean(created, TEXT));
        }
        if let Some(path) = &self.remembered {
            say("remembered", path);
        }
        say("use", &self.line);
        text
    }
}

fn label<'a>(one: &'a DataContainer, what: &str) -> Option<&'a str> {
    let wanted = format!("{LABEL_DATA}.{what}");
    let mut labels = one.seen.labels.iter();
    let (_, value) = labels.find(|(key, _)| *key == wanted)?;
    Some(value)
}

fn remembered(row: &Row) -> Option<String> {
    let directory = row.directory.as_ref().filter(|_| row.is_here)?;
    let root = Root::open(directory.parent()?).ok()?;
    root.recall(&row.one.seen.name).ok().flatten()?;
    let path = root.record_path(&row.one.seen.name);
    Some(clean(&path.to_string_lossy(), TEXT))
}
