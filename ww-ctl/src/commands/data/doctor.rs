//! `data doctor`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::gather::{Host, hosts};
use super::{Context, apart, root_path, shown};
use crate::cli::{DataDoctor, Format};
use crate::commands::record;
use crate::data::{Danger, DataContainer, Kind, Peril, Pruning, Root, dangers};
use crate::exit::{Exit, Failure};
use crate::fleet::{HostName, clean};
use crate::output::{Tone, lines};
use crate::selection::matches_glob;

/// The most characters of a word of others.
const TEXT: usize = 1024;

pub(super) async fn run(context: &Context, arguments: &DataDoctor) -> Result<Exit, Failure> {
    let (hosts, exit) = hosts(context).await?;
    let root = root_path(arguments.root.as_deref())?;
    let mut findings = Vec::new();
    for host in &hosts {
        findings.extend(examine(host, &root).await?);
    }
    findings.retain(|one| one.is_meant(&arguments.names));
    print(context, &findings)?;
    let is_ill = findings.iter().any(Finding::is_danger);
    Ok(if is_ill && exit == Exit::Done {
        Exit::Failed
    } else {
        exit
    })
}

/// Something to be told.
struct Finding {
    host: HostName,
    /// In a word.
    kind: &'static str,
    /// The volume, the container or the directory.
    subject: String,
    /// What is the matter.
    text: String,
    containers: Vec<String>,
    destroyed_by: Vec<String>,
    steps: Vec<String>,
    /// Whether data are, or are about to be, lost; else it is only in disorder.
    is_danger: bool,
}

async fn examine(host: &Host, root: &Path) -> Result<Vec<Finding>, Failure> {
    let pruning = Pruning {
        takes_named: host.engine.prunes_named_volumes(),
    };
    let mut findings = Vec::new();
    for danger in dangers(&host.seen, &host.kept, &host.volumes, pruning) {
        if !is_empty(host, &danger).await? {
            findings.push(Finding::of(host, danger));
        }
    }
    if !host.is_here {
        return Ok(findings);
    }
    for one in &host.kept {
        if is_missing(host, one).await? {
            findings.push(missing(host, one));
        }
    }
    let root = root.to_owned();
    let names: BTreeSet<String> = host.seen.iter().map(|one| one.name.clone()).collect();
    let mounted: BTreeSet<PathBuf> = host
        .seen
        .iter()
        .flat_map(|one| &one.placed)
        .filter_map(|placed| host.directory(&placed.backing))
        .collect();
    let name = host.target.name.clone();
    let disorder = apart(move || disorder(&name, &root, &names, &mounted)).await?;
    findings.extend(disorder);
    Ok(findings)
}

/// Nothing is lost with a volume that has nothing in it. Where that cannot be seen, it may have.
async fn is_empty(host: &Host, danger: &Danger) -> Result<bool, Failure> {
    let is_volume = matches!(danger.peril, Peril::Volume | Peril::AnonymousVolume);
    let volume = host
        .volumes
        .iter()
        .find(|one| is_volume && one.name == danger.subject);
    let Some(directory) = volume.and_then(|one| one.directory.clone()) else {
        return Ok(false);
    };
    if !host.is_here {
        return Ok(false);
    }
    apart(move || std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none()))
        .await
}

async fn is_missing(host: &Host, one: &DataContainer) -> Result<bool, Failure> {
    if Kind::of(&one.data) != Kind::Directory {
        return Ok(false);
    }
    let Some(directory) = host.directory(&one.data.backing) else {
        return Ok(false);
    };
    apart(move || {
        std::fs::symlink_metadata(directory)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    })
    .await
}

fn missing(host: &Host, one: &DataContainer) -> Finding {
    let directory = host.directory(&one.data.backing).unwrap_or_default();
    let directory = directory.to_string_lossy();
    Finding {
        host: host.target.name.clone(),
        kind: Peril::Missing.word(),
        subject: one.seen.name.clone(),
        text: format!(
            "the directory of its data, {directory}, is not there; Docker makes it anew, empty, \
             when a container that has it by --volumes-from is started"
        ),
        containers: one.users.iter().map(|user| user.name.clone()).collect(),
        destroyed_by: Vec::new(),
        steps: vec![format!(
            "mount the disk it lies on, or bring {directory} back from a backup"
        )],
        is_danger: true,
    }
}

/// What is in a root directory and belongs to no container.
fn disorder(
    host: &HostName,
    root: &Path,
    names: &BTreeSet<String>,
    mounted: &BTreeSet<PathBuf>,
) -> Vec<Finding> {
    let Ok(root) = Root::open(root) else {
        return Vec::new();
    };
    let finding = |kind, subject: &str, text: String, step: String| Finding {
        host: host.clone(),
        kind,
        subject: subject.to_owned(),
        text,
        containers: Vec::new(),
        destroyed_by: Vec::new(),
        steps: vec![step],
        is_danger: false,
    };
    let mut found = Vec::new();
    let remembered = root.remembered();
    for name in remembered.iter().filter(|name| !names.contains(*name)) {
        found.push(finding(
            "no_container",
            name,
            format!(
                "what it takes to make it again is written down in {}, and there is no such \
                 container; its data are safe",
                root.record_path(name).display()
            ),
            format!("ww-ctl data adopt {name}"),
        ));
    }
    for name in root.places() {
        let place = root.place(&name);
        let is_had = mounted.iter().any(|one| one.starts_with(&place));
        if !remembered.contains(&name) && !is_had {
            let place = place.display().to_string();
            found.push(finding(
                "no_record",
                &place,
                "no container has this directory, and nothing tells whose it is".into(),
                format!("ww-ctl data adopt {name} --from {place}"),
            ));
        }
    }
    found
}

impl Finding {
    fn of(host: &Host, danger: Danger) -> Self {
        let text = match danger.peril {
            Peril::Missing => "its directory is not there",
            Peril::AnonymousVolume => "a volume nobody has named",
            Peril::Volume => "a volume that no running container has",
            Peril::Layer => "its /data are in the container itself",
            Peril::Memory => "its /data are in memory",
        };
        Self {
            host: host.target.name.clone(),
            kind: danger.peril.word(),
            subject: danger.subject,
            text: text.to_owned(),
            containers: danger.containers,
            destroyed_by: danger.destroyed_by,
            steps: danger.steps,
            is_danger: true,
        }
    }

    const fn is_danger(&self) -> bool {
        self.is_danger
    }

    fn is_meant(&self, names: &[String]) -> bool {
        let mut all = self.containers.iter().chain([&self.subject]);
        names.is_empty() || all.any(|one| names.iter().any(|name| matches_glob(name, one)))
    }

    fn fields(&self) -> Map<String, Value> {
        let all = |words: &[String]| -> Vec<String> {
            words.iter().map(|word| clean(word, TEXT)).collect()
        };
        let mut fields = Map::new();
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("host", json!(*self.host));
        put("kind", json!(self.kind));
        put("subject", json!(clean(&self.subject, TEXT)));
        put("danger", json!(self.is_danger));
        put("text", json!(clean(&self.text, TEXT)));
        put("containers", json!(all(&self.containers)));
        put("destroyed_by", json!(all(&self.destroyed_by)));
        put("steps", json!(all(&self.steps)));
        fields
    }

    fn paragraph(&self, context: &Context) -> String {
        let output = context.output;
        let tone = if self.is_danger {
            Tone::Bad
        } else {
            Tone::Strong
        };
        let name = context.name_of(&self.host, &clean(&self.subject, 200));
        let mut text = format!(
            "{}: {}\n",
            output.paint(&name, tone),
            clean(&self.text, TEXT)
        );
        let mut say = |what: &str, words: &[String]| {
            for (number, word) in words.iter().enumerate() {
                let what = if number == 0 { what } else { "" };
                let what = output.paint(&format!("{what:<13}"), Tone::Dim);
                let _never = writeln!(text, "  {what}{}", clean(word, TEXT));
            }
        };
        if !self.containers.is_empty() && self.containers != [self.subject.clone()] {
            say("used by", &[self.containers.join(", ")]);
        }
        say("destroyed by", &self.destroyed_by);
        say("do", &self.steps);
        text
    }
}

fn print(context: &Context, findings: &[Finding]) -> Result<(), Failure> {
    let output = context.output;
    let text = match context.format {
        Format::Name => lines(
            findings
                .iter()
                .map(|one| context.name_of(&one.host, &shown(&one.subject))),
        ),
        Format::Jsonl => findings
            .iter()
            .map(|one| record::line(one.fields()))
            .collect(),
        Format::Json => {
            let all: Vec<Value> = findings
                .iter()
                .map(|one| Value::Object(one.fields()))
                .collect();
            record::document(Map::from_iter([("findings".to_owned(), Value::Array(all))]))
        }
        Format::Table | Format::Wide if findings.is_empty() => {
            output.say("no data are in danger of a prune or an rm -v");
            String::new()
        }
        Format::Table | Format::Wide => {
            let all: Vec<String> = findings.iter().map(|one| one.paragraph(context)).collect();
            all.join("\n")
        }
    };
    output.data(&text)
}
