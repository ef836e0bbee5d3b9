//! Which groups are meant.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::Context;
use crate::backup::groups::{Group, groups};
use crate::cli::Backup;
use crate::data::Seen;
use crate::engine::{Engine, EngineError, Identity, Inspected, Target};
use crate::exit::{Exit, Failure};
use crate::fleet::{HostName, clean, kept_for};
use crate::watch::Absent;

/// The most characters shown of a name.
const SHOWN: usize = 200;

/// A group that is to be backed up.
pub(super) struct Chosen {
    /// Where it is.
    pub host: HostName,
    /// Its Engine.
    pub engine: Engine,
    /// What that is.
    pub identity: Identity,
    /// Who is in it, and what they have.
    pub group: Group,
    /// All that is known of the members, in the group's order.
    pub members: Vec<Inspected>,
}

impl Chosen {
    /// Its name, fit for a terminal.
    pub(super) fn name(&self) -> String {
        clean(&self.group.name, SHOWN)
    }
}

/// One host, as it is now.
struct Host {
    name: HostName,
    engine: Engine,
    identity: Identity,
    all: Vec<Inspected>,
    groups: Vec<Group>,
}

impl Host {
    async fn look(target: &Target, context: &Context) -> Result<Self, EngineError> {
        let engine = Engine::connect(target, context.clock).await?;
        let (all, identity) = futures::try_join!(engine.all_inspected(), engine.identity())?;
        let seen: Vec<Seen> = all.iter().map(Seen::of).collect();
        Ok(Self {
            name: target.name.clone(),
            engine,
            identity,
            all,
            groups: groups(&seen),
        })
    }

    fn choose(&self, group: &Group) -> Chosen {
        let found = |id: &str| self.all.iter().find(|one| one.id() == id).cloned();
        let members = group.members.iter().filter_map(|one| found(&one.id));
        Chosen {
            host: self.name.clone(),
            engine: self.engine.clone(),
            identity: self.identity.clone(),
            members: members.collect(),
            group: group.clone(),
        }
    }
}

/// The groups that are meant, by name; and how it ends when all else goes well: with [`Exit::Engine`] when a host
/// did not answer, which has been said then.
///
/// # Errors
/// When none is meant, or what is meant has no data.
pub(super) async fn choose(
    context: &Context,
    arguments: &Backup,
) -> Result<(Vec<Chosen>, Exit), Failure> {
    let selection = arguments.names.selection();
    let means_all = selection.names.is_empty() && selection.filters.is_empty();
    let (mut chosen, exit) = if means_all {
        let targets: Vec<&Target> = context.targets.iter().collect();
        let (hosts, absent) = look(context, &targets).await;
        let exit = context.weigh(&context.targets, absent)?;
        let ours = hosts.iter().flat_map(|host| {
            let ours = host.groups.iter().filter(|group| group.is_ours());
            ours.map(|group| host.choose(group))
        });
        (ours.collect::<Vec<Chosen>>(), exit)
    } else {
        let (fleet, keys, exit) = context.find_some(&selection).await?;
        let mut wanted: BTreeMap<HostName, BTreeSet<&str>> = BTreeMap::new();
        for key in &keys {
            let name = fleet.get(key).map_or("", |one| one.name.as_str());
            if kept_for(name).is_some() && !selection.is_explicit() {
                continue;
            }
            wanted.entry(key.host.clone()).or_default().insert(&key.id);
        }
        (named(context, &wanted).await?, exit)
    };
    if chosen.is_empty() {
        return Err(Failure::new(
            Exit::Absent,
            "there is nothing to back up: no whaleware container has data",
        )
        .hint("`ww-ctl ls` shows what there is; what has no agent is backed up by its name"));
    }
    chosen
        .sort_by(|one, other| (&one.group.name, &one.host).cmp(&(&other.group.name, &other.host)));
    Ok((chosen, exit))
}

async fn look(context: &Context, targets: &[&Target]) -> (Vec<Host>, Vec<Absent>) {
    let looked = join_all(targets.iter().map(|target| Host::look(target, context))).await;
    let (mut hosts, mut absent) = (Vec::new(), Vec::new());
    for (target, looked) in targets.iter().zip(looked) {
        match looked {
            Ok(host) => hosts.push(host),
            Err(error) => absent.push(Absent {
                target: (*target).clone(),
                error,
            }),
        }
    }
    (hosts, absent)
}

/// The groups these containers are in.
async fn named(
    context: &Context,
    wanted: &BTreeMap<HostName, BTreeSet<&str>>,
) -> Result<Vec<Chosen>, Failure> {
    let mut chosen = Vec::new();
    for (host, ids) in wanted {
        let host = Host::look(context.target(host)?, context).await?;
        for id in ids {
            if let Some(bare) = host.all.iter().find(|one| one.id() == *id)
                && !host.groups.iter().any(|group| group.has(id))
            {
                let name = clean(bare.name(), SHOWN);
                let message = format!("cannot back up {name}: nothing is mounted at its /data");
                return Err(Failure::new(Exit::Refused, message).hint(
                    "what is in the container itself goes with it; keep its data in a data \
                     container: `ww-ctl data create`, `ww-ctl run --data`",
                ));
            }
        }
        let meant = host
            .groups
            .iter()
            .filter(|group| ids.iter().any(|id| group.has(id)));
        chosen.extend(meant.map(|group| host.choose(group)));
    }
    Ok(chosen)
}
