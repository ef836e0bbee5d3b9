//! What is to be done with a group, found out before anything is stopped.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;
use whaleware::env::WW_VAULT;
use whaleware::paths::{BACKUP, DATA, LABEL_AGENT};
use whaleware::protocol::{BackupMode, BackupPlan};
use ww_archive::pattern::Patterns;

use super::Context;
use super::chosen::Chosen;
use super::progress::Progress;
use crate::agent::{Reach, StepError};
use crate::backup::feed::Pace;
use crate::backup::journal::{How, Touched};
use crate::backup::source::{Below, Measured, Source, below, best};
use crate::cli::Backup;
use crate::engine::{Backing, Engine, EngineError, Inspected, Placed, chain};
use crate::environment::variable;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::units::{duration, size};

/// How long an agent may take to say what is true.
const INTRODUCTION: Duration = Duration::from_secs(5);
/// So often both sides are looked at: something may be made or removed in between.
const LOOKS: u32 = 3;
/// What is read in a second at least, by experience: bytes, and entries.
const BYTES: u64 = 300_000_000;
const ENTRIES: u64 = 20_000;
/// What an entry costs besides its content.
const HEADER: u64 = 1536;

/// What is done to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// It only keeps the data.
    Keeps,
    /// It does not run.
    Stopped,
    /// Somebody has paused it.
    Frozen,
    /// Its services go down.
    Quiesce,
    /// Docker freezes it.
    Pause,
    /// It stays up, because that was asked for.
    Live,
    /// Its `backup` script runs.
    Script,
    /// Another one's script runs.
    Beside,
}

/// A member, and what is done to it.
pub(super) struct Treated {
    /// What is known of it.
    pub one: Inspected,
    /// What is done.
    pub treatment: Treatment,
    /// Why, where that says something.
    pub why: Option<String>,
    /// Its agent's version.
    pub agent: Option<String>,
    /// Its image's version, as its agent tells it.
    pub version: Option<String>,
}

/// Something that is to be read.
pub(super) struct Reading {
    /// Where it is mounted.
    pub placed: Placed,
    /// How it is read.
    pub source: Source,
    /// What is left out.
    pub exclude: Vec<String>,
    /// How much it is, where that can be told.
    pub measured: Option<Measured>,
    /// What is mounted below.
    pub below: Below,
}

/// What is to be done with a group.
pub(super) struct Plan {
    /// Its members.
    pub members: Vec<Treated>,
    /// What is read, while they are still; nothing where a script does it.
    pub readings: Vec<Reading>,
    /// The vault.
    pub vault: PathBuf,
}

/// Finds out what is to be done.
///
/// # Errors
/// When that cannot be found out, or nothing can be done.
pub(super) async fn plan(
    context: &Context,
    arguments: &Backup,
    chosen: &Chosen,
    progress: &mut Progress,
) -> Result<Plan, Failure> {
    let vault = vault(arguments, chosen).await?;
    let mut members = Vec::new();
    let mut exclude = arguments.exclude.clone();
    for (one, member) in chosen.members.iter().zip(&chosen.group.members) {
        let treated = treat(context, arguments, &chosen.engine, one, member.keeps).await?;
        exclude.extend(treated.1);
        members.push(treated.0);
    }
    Patterns::new(exclude.iter().map(String::as_bytes)).map_err(|error| {
        Failure::new(Exit::Usage, format!("cannot leave that out: {error}"))
            .hint("patterns are of ww.backup.exclude and --exclude")
    })?;
    let scripts = members
        .iter()
        .filter(|one| one.treatment == Treatment::Script);
    let mut readings = Vec::new();
    match scripts.count() {
        0 => readings = read(chosen, &exclude, progress).await?,
        1 => {
            for one in &mut members {
                one.treatment = match one.treatment {
                    Treatment::Quiesce | Treatment::Pause | Treatment::Live => Treatment::Beside,
                    Treatment::Keeps
                    | Treatment::Stopped
                    | Treatment::Frozen
                    | Treatment::Script
                    | Treatment::Beside => one.treatment,
                };
            }
        }
        several => {
            let message = format!(
                "cannot back up {}: {several} of its members have a `backup` script",
                chosen.name()
            );
            return Err(Failure::new(Exit::Refused, message)
                .hint("they have the same data; leave the script in the image of one of them"));
        }
    }
    Ok(Plan {
        members,
        readings,
        vault,
    })
}

/// Where the set goes.
async fn vault(arguments: &Backup, chosen: &Chosen) -> Result<PathBuf, Failure> {
    if let Some(path) = &arguments.to {
        return absolute(path);
    }
    if let Some(path) = mounted(chosen).await? {
        return Ok(path);
    }
    if let Some(path) = variable(WW_VAULT) {
        return absolute(Path::new(&path));
    }
    let message = format!(
        "refused to back up {}: it is not known where to",
        chosen.name()
    );
    Err(Failure::new(Exit::Refused, message).hint(
        "say --to DIR, set WW_VAULT, or mount a directory of this host at the container's /backup",
    ))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        let path = path.display();
        Failure::new(Exit::Usage, format!("cannot tell where {path} is: {error}"))
    })
}

/// The directory of this machine that is mounted at a member's `/backup`. That it is this machine's is proven: both
/// sides have to see the same time of its last change.
async fn mounted(chosen: &Chosen) -> Result<Option<PathBuf>, Failure> {
    let engine = &chosen.engine;
    if !engine.is_here().await? {
        return Ok(None);
    }
    for one in &chosen.members {
        if let Some(path) = at_backup(engine, one).await? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The directory of this machine that is mounted at a container's `/backup`, on an Engine of this machine.
///
/// # Errors
/// When the Engine cannot be asked.
pub(super) async fn at_backup(
    engine: &Engine,
    one: &Inspected,
) -> Result<Option<PathBuf>, EngineError> {
    let placed = one.placed();
    let Some(placed) = placed.iter().find(|placed| placed.place == BACKUP) else {
        return Ok(None);
    };
    let path = match &placed.backing {
        Backing::Directory(path) => Some(path.clone()),
        Backing::Volume(name) => engine
            .volume(name)
            .await?
            .and_then(|volume| volume.directory),
    };
    let Some(path) = path.map(PathBuf::from) else {
        return Ok(None);
    };
    for _ in 0..LOOKS {
        if let Ok(found) = std::fs::symlink_metadata(&path)
            && found.is_dir()
            && engine.sees(one.id(), BACKUP, &found).await?
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// What is done to a member, and what it wants to be left out.
async fn treat(
    context: &Context,
    arguments: &Backup,
    engine: &Engine,
    one: &Inspected,
    keeps: bool,
) -> Result<(Treated, Vec<String>), Failure> {
    let mut treated = Treated {
        one: one.clone(),
        treatment: Treatment::Keeps,
        why: None,
        agent: None,
        version: None,
    };
    if keeps && !one.is_running() {
        return Ok((treated, Vec::new()));
    }
    treated.treatment = match () {
        () if !one.is_running() => Treatment::Stopped,
        () if one.is_paused() => Treatment::Frozen,
        () if one.label(LABEL_AGENT).is_some() => Treatment::Quiesce,
        () if arguments.live => Treatment::Live,
        () => Treatment::Pause,
    };
    if treated.treatment != Treatment::Quiesce {
        return Ok((treated, Vec::new()));
    }
    let name = clean(one.name(), 200);
    let asked = ask(context, engine, one, &mut treated).await;
    let plan = match asked {
        Ok(plan) => plan,
        Err(words) => {
            let message = format!("cannot ask {name} how it wants to be backed up: {words}");
            return Err(Failure::new(Exit::Failed, message).hint(format!(
                "`ww-ctl show {name}` tells what it is at; one that is stopped is backed up as it is"
            )));
        }
    };
    if let Some(fault) = &plan.backup.fault {
        let fault = clean(fault, 500);
        let message = format!("cannot run the `backup` script of {name}: {fault}");
        return Err(Failure::new(Exit::Failed, message)
            .hint("nothing else is done instead: mend it, or take it out of the image"));
    }
    treated.treatment = if plan.backup.present {
        Treatment::Script
    } else if arguments.live || plan.mode == BackupMode::Live {
        Treatment::Live
    } else {
        Treatment::Quiesce
    };
    if treated.treatment == Treatment::Live && !arguments.live {
        treated.why = Some("ww.backup.mode is live".into());
    }
    Ok((treated, plan.exclude))
}

async fn ask(
    context: &Context,
    engine: &Engine,
    one: &Inspected,
    treated: &mut Treated,
) -> Result<BackupPlan, String> {
    let session = Reach::new(engine.clone()).connect(one.id()).await;
    let mut session = session.map_err(|error| error.to_string())?;
    let told = timeout(INTRODUCTION, session.introduction()).await;
    let told = told.map_err(|_| "its agent says nothing".to_owned())?;
    let (hello, snapshot) = told.map_err(|error| error.to_string())?;
    treated.agent = Some(clean(&hello.agent, 200));
    treated.version = snapshot.version.map(|version| clean(&version, 200));
    let plan = session.plan(&context.by).await;
    plan.map_err(|error: StepError| error.to_string())
}

/// How everything is read, and how much it is.
async fn read(
    chosen: &Chosen,
    exclude: &[String],
    progress: &mut Progress,
) -> Result<Vec<Reading>, Failure> {
    let mut readings = Vec::new();
    for placed in &chosen.group.places {
        let work = async {
            let source = best(&chosen.engine, &chosen.members, placed).await?;
            let exclude = inner(exclude, &placed.place);
            let measured = source.measure(&exclude).await?;
            Ok::<Reading, crate::backup::source::SourceError>(Reading {
                placed: placed.clone(),
                source,
                exclude,
                measured,
                below: below(&chosen.members, &placed.place),
            })
        };
        let what = format!("looking at {}", clean(&placed.place, 500));
        let reading = progress.during(&what, None, work).await;
        readings.push(reading.map_err(|error| unread(&chosen.name(), &error))?);
    }
    Ok(readings)
}

/// An error of a source.
pub(super) fn unread(name: &str, error: &crate::backup::source::SourceError) -> Failure {
    let words = clean(&chain(error), 1000);
    Failure::new(
        Exit::Failed,
        format!("cannot read the data of {name}: {words}"),
    )
}

/// The patterns that are about what is mounted at a place. They are told as they are below `/data`.
fn inner(exclude: &[String], place: &str) -> Vec<String> {
    if place == DATA {
        return exclude.to_vec();
    }
    let Some(below) = place
        .strip_prefix(DATA)
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        return Vec::new();
    };
    let of_it = exclude.iter().filter_map(|pattern| {
        if pattern.starts_with("**/") {
            return Some(pattern.clone());
        }
        let rest = pattern.strip_prefix(below)?.strip_prefix('/')?;
        Some(rest.to_owned())
    });
    of_it.collect()
}

impl Plan {
    /// What is written down before anything is done.
    pub(super) fn touched(&self) -> Vec<Touched> {
        let touched = |one: &Treated| {
            let how = match one.treatment {
                Treatment::Quiesce => How::Quiesced,
                Treatment::Pause => How::Paused,
                Treatment::Script => How::Hook,
                Treatment::Keeps
                | Treatment::Stopped
                | Treatment::Frozen
                | Treatment::Live
                | Treatment::Beside => return None,
            };
            Some(Touched {
                id: one.one.id().to_owned(),
                name: one.one.name().to_owned(),
                how,
                directory: None,
            })
        };
        self.members.iter().filter_map(touched).collect()
    }

    /// Whether reading waits for compressing: not where a member waits for its end, or changes the data meanwhile.
    pub(super) fn pace(&self) -> Pace {
        let hurries = |one: &Treated| {
            matches!(
                one.treatment,
                Treatment::Quiesce | Treatment::Pause | Treatment::Live
            )
        };
        if self.members.iter().any(hurries) {
            Pace::Ahead
        } else {
            Pace::Even
        }
    }

    /// The one whose script runs.
    pub(super) fn script(&self) -> Option<&Treated> {
        self.members
            .iter()
            .find(|one| one.treatment == Treatment::Script)
    }

    /// How much is to be read; none where it cannot be told.
    pub(super) fn measured(&self) -> Option<Measured> {
        let mut sum = Measured {
            bytes: 0,
            entries: 0,
        };
        for one in &self.readings {
            let one = one.measured?;
            sum.bytes = sum.bytes.saturating_add(one.bytes);
            sum.entries = sum.entries.saturating_add(one.entries);
        }
        (!self.readings.is_empty()).then_some(sum)
    }

    /// So many bytes the vault must have at least: what is read lies there before it is compressed.
    pub(super) fn needs(&self) -> u64 {
        let of = |one: Measured| one.bytes.saturating_add(one.entries.saturating_mul(HEADER));
        self.measured().map_or(0, of)
    }

    /// What is going to happen, before it does.
    pub(super) fn words(&self, free: Option<u64>) -> String {
        let mut words = match self.measured() {
            Some(all) => format!("{} in {} entries", size(all.bytes), all.entries),
            None if self.readings.is_empty() => "its `backup` script".to_owned(),
            None => "nobody can tell how much".to_owned(),
        };
        let to = clean(&self.vault.to_string_lossy(), 500);
        let _never = write!(words, " to {to}");
        if let Some(free) = free {
            let _never = write!(words, " ({} free)", size(free));
        }
        for (treatment, what) in [
            (Treatment::Quiesce, "services go down"),
            (Treatment::Pause, "is paused"),
            (Treatment::Live, "stays up"),
            (Treatment::Beside, "stays up"),
        ] {
            let of_it = self.members.iter().filter(|one| one.treatment == treatment);
            let names: Vec<String> = of_it.map(|one| clean(one.one.name(), 200)).collect();
            if names.is_empty() {
                continue;
            }
            let _never = write!(words, "; {what}: {}", names.join(", "));
            let goes_down = matches!(treatment, Treatment::Quiesce | Treatment::Pause);
            if let Some(all) = self.measured().filter(|_| goes_down) {
                let millis = all.bytes / (BYTES / 1000) + all.entries / (ENTRIES / 1000);
                let time = duration(Duration::from_millis(millis.max(100)));
                let _never = write!(words, ", about {time} besides stopping and starting");
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_below_data_are_told_to_what_is_mounted_there() {
        let all = ["cache/**", "db/tmp/*", "**/*.log", "dbx/*"].map(str::to_owned);
        assert_eq!(inner(&all, "/data"), all);
        assert_eq!(inner(&all, "/data/db"), ["tmp/*", "**/*.log"]);
        assert!(inner(&all, "/etc/shop").is_empty());
    }
}
