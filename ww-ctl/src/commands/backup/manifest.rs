//! What is written down of a set: how still everything was, who was in it, and what is needed to make it again.

use jiff::Timestamp;
use std::time::Duration;
use whaleware::paths::LABEL_VERSION;
use ww_archive::ProblemKind;

use super::job::Job;
use super::plan::{Plan, Reading, Treated, Treatment};
use crate::backup::source::ReadReport;
use crate::backup::vault::{
    BackingKind, BackingOf, Consistency, EngineOf, Id, Manifest, Member, Part, PartKind,
    ProblemTold, ProblemsTold, Restic, Role, Sealed,
};
use crate::engine::{Backing, Engine};
use crate::environment;
use crate::exit::Failure;
use crate::fleet::clean;

/// The most characters kept of a word.
const TEXT: usize = 1024;

/// What is known of a set when it is read.
pub(super) struct Outcome {
    pub id: Id,
    pub begun: Timestamp,
    pub consistency: Consistency,
    pub reason: Option<String>,
    pub outage: Option<Duration>,
    pub complete: bool,
}

/// How still a group was: as its weakest member, those that only keep the data apart. And why.
pub(super) fn consistency(plan: &Plan, lapsed: &[String]) -> (Consistency, Option<String>) {
    let members = plan.members.iter();
    let members: Vec<(Treatment, String, Option<&str>)> = members
        .map(|one| {
            (
                one.treatment,
                clean(one.one.name(), 200),
                one.why.as_deref(),
            )
        })
        .collect();
    weigh(&members, lapsed)
}

fn weigh(
    members: &[(Treatment, String, Option<&str>)],
    lapsed: &[String],
) -> (Consistency, Option<String>) {
    if members
        .iter()
        .any(|(treatment, ..)| *treatment == Treatment::Script)
    {
        let beside = members
            .iter()
            .filter(|(treatment, ..)| *treatment == Treatment::Beside);
        let beside: Vec<&str> = beside.map(|(_, name, _)| name.as_str()).collect();
        let reason = (!beside.is_empty())
            .then(|| format!("by the script of one of them, beside {}", beside.join(", ")));
        return (Consistency::Hook, reason);
    }
    if !lapsed.is_empty() {
        return (Consistency::Live, Some(lapsed.join("; ")));
    }
    let class = |treatment: Treatment| match treatment {
        Treatment::Quiesce => Some((1, Consistency::Svcdown, "its services were down")),
        Treatment::Stopped => Some((2, Consistency::Stopped, "it did not run")),
        Treatment::Pause => Some((3, Consistency::Paused, "it has no agent, and was paused")),
        Treatment::Frozen => Some((3, Consistency::Paused, "somebody had paused it")),
        Treatment::Live => Some((4, Consistency::Live, "its services were up")),
        Treatment::Keeps | Treatment::Script | Treatment::Beside => None,
    };
    let weakest = members
        .iter()
        .filter_map(|(treatment, name, why)| Some((class(*treatment)?, name, why)))
        .max_by_key(|((rank, ..), ..)| *rank);
    match weakest {
        None => (Consistency::Stopped, None),
        Some(((_, class, words), name, why)) => {
            let words = why.unwrap_or(words);
            (class, Some(format!("{name}: {words}")))
        }
    }
}

/// What was read of one place.
pub(super) fn part(reading: &Reading, report: &ReadReport, sealed: Sealed) -> Part {
    let (kind, source) = match &reading.placed.backing {
        Backing::Directory(path) => (BackingKind::Directory, path),
        Backing::Volume(name) => (BackingKind::Volume, name),
    };
    let below = reading.below.mounts.iter().map(|placed| &placed.place);
    let below = below.chain(&reading.below.memory);
    Part {
        kind: PartKind::Data,
        place: clean(&reading.placed.place, TEXT),
        backing: BackingOf {
            kind,
            source: clean(source, TEXT),
        },
        source: reading.source.name().to_owned(),
        loses: reading
            .source
            .loses()
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
        excluded: reading.exclude.clone(),
        below: below.map(|place| clean(place, TEXT)).collect(),
        payload: sealed.payload,
        files: sealed.files,
        counts: sealed.counts,
        problems: problems(report),
    }
}

/// What happened to files while they were read.
pub(super) fn problems(report: &ReadReport) -> ProblemsTold {
    let problems = &report.problems;
    let counts = problems.totals.iter();
    let counts = counts.map(|(kind, count)| (name(*kind), *count)).collect();
    let all: u64 = problems.totals.values().sum();
    let listed: Vec<ProblemTold> = problems
        .listed
        .iter()
        .map(|one| ProblemTold {
            kind: name(one.kind),
            path: one.path.clone(),
            text: one.text.clone(),
        })
        .collect();
    ProblemsTold {
        counts,
        more: all.saturating_sub(listed.len() as u64),
        listed,
    }
}

fn name(kind: ProblemKind) -> String {
    kind.name().to_owned()
}

/// All of it.
///
/// # Errors
/// When the Engine cannot be asked for the images.
pub(super) async fn manifest(
    job: &Job<'_>,
    plan: &Plan,
    outcome: &Outcome,
    parts: Vec<Part>,
) -> Result<Manifest, Failure> {
    let chosen = job.chosen;
    let mut containers = Vec::new();
    for one in &plan.members {
        containers.push(member(&chosen.engine, one).await?);
    }
    let mut manifest = Manifest::new(
        outcome.id.clone(),
        &chosen.group.name,
        outcome.begun,
        outcome.consistency,
    );
    manifest.ended = job.context.clock.now().wall;
    manifest.reason.clone_from(&outcome.reason);
    manifest.outage_ms = outcome
        .outage
        .map(|outage| u64::try_from(outage.as_millis()).unwrap_or(u64::MAX));
    manifest.complete = outcome.complete;
    manifest.host = environment::hostname();
    manifest.engine = EngineOf {
        id: chosen.identity.id.clone(),
        version: chosen.identity.version.clone(),
        endpoint: chosen.identity.endpoint.clone(),
    };
    manifest.containers = containers;
    if let Some(location) = &job.arguments.repo {
        let mut snapshots = parts
            .iter()
            .filter_map(|part| part.payload.snapshot.as_ref());
        let first = snapshots.next().map_or("", String::as_str);
        manifest.repository = Some(Restic::at(location).told(first));
    }
    manifest.parts = parts;
    Ok(manifest)
}

/// A member as it was, and what it takes to make it again; the values of its variables are left out.
async fn member(engine: &Engine, treated: &Treated) -> Result<Member, Failure> {
    let one = &treated.one;
    let (create, env_names) = one.described();
    let label = one.label(LABEL_VERSION).map(|label| clean(label, TEXT));
    Ok(Member {
        name: one.name().to_owned(),
        id: one.id().to_owned(),
        role: if treated.treatment == Treatment::Keeps {
            Role::Data
        } else {
            Role::User
        },
        state: one.status(),
        image: one.image(),
        image_id: one.image_id().to_owned(),
        image_digests: engine.image_digests(one.image_id()).await?,
        agent: treated.agent.clone(),
        image_version: treated.version.clone().or(label),
        create,
        env_names,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(members: &[(&str, Treatment)]) -> (&'static str, String) {
        let members: Vec<(Treatment, String, Option<&str>)> = members
            .iter()
            .map(|(name, treatment)| (*treatment, (*name).to_owned(), None))
            .collect();
        let (class, reason) = weigh(&members, &[]);
        (class.word(), reason.unwrap_or_default())
    }

    #[test]
    fn a_group_is_as_still_as_its_weakest_member() {
        use Treatment::{Beside, Frozen, Keeps, Live, Pause, Quiesce, Script, Stopped};
        for (members, class) in [
            (&[("d", Keeps)][..], "stopped"),
            (&[("d", Keeps), ("a", Quiesce)], "svcdown"),
            (&[("a", Quiesce), ("b", Stopped)], "stopped"),
            (&[("a", Quiesce), ("b", Pause)], "paused"),
            (&[("a", Frozen), ("b", Stopped)], "paused"),
            (&[("a", Quiesce), ("b", Live), ("c", Pause)], "live"),
            (&[("a", Script), ("b", Beside), ("d", Keeps)], "hook"),
        ] {
            assert_eq!(weighed(members).0, class, "{members:?}");
        }
        let (_, reason) = weighed(&[("a", Quiesce), ("b", Pause)]);
        assert_eq!(reason, "b: it has no agent, and was paused");
        let held = [(Quiesce, "a".to_owned(), None)];
        let (class, reason) = weigh(&held, &["a: its time is over".into()]);
        assert_eq!(
            (class.word(), reason.unwrap().as_str()),
            ("live", "a: its time is over")
        );
    }
}
