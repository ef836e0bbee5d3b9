//! The place of one container: its name, and all that stands for it while it is exchanged.

use std::collections::BTreeSet;

use super::plan::{One, Role, Seen};
use crate::commands::Context;
use crate::engine::{Engine, Inspected, Policy};
use crate::exit::{Exit, Failure};
use crate::fleet::{Fleet, HostName, kept_for, kept_name};
use crate::selection::Selection;

/// The place of one container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    /// The container's name, whatever name it has at present.
    pub name: String,
    /// The host.
    pub host: HostName,
}

/// What is there in a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// All of it, for the plan.
    pub seen: Seen,
    all: Vec<Inspected>,
}

impl Found {
    /// A container of it.
    pub(super) fn get(&self, id: &str) -> Option<&Inspected> {
        self.all.iter().find(|one| one.id() == id)
    }

    /// The container that is, or was, to be replaced.
    pub(super) fn before(&self) -> Option<&One> {
        let Seen {
            main,
            old,
            undo,
            kept,
            ..
        } = &self.seen;
        match (old, undo) {
            (Some((old, _)), _) => Some(old),
            (None, Some(_)) => main.as_ref().or(kept.as_ref().map(|(kept, _)| kept)),
            (None, None) => main.as_ref(),
        }
    }

    /// The container that is, or was, to come; none where nothing is pending.
    pub(super) fn after(&self) -> Option<&One> {
        let Seen {
            main,
            old,
            new,
            undo,
            ..
        } = &self.seen;
        let exchanged = main.as_ref().filter(|_| old.is_some());
        undo.as_ref().or(new.as_ref()).or(exchanged)
    }
}

impl Slot {
    /// The places that are meant. One whose name nobody has at present is found by what stands for it.
    pub(super) async fn pick(
        context: &Context,
        selection: &Selection,
        fleet: &Fleet,
    ) -> Result<Vec<Self>, Failure> {
        let mut slots = BTreeSet::new();
        let mut rest = selection.clone();
        rest.names
            .retain(|name| match Self::vacant(name, fleet).as_slice() {
                [] => true,
                vacant => {
                    slots.extend(vacant.iter().cloned());
                    false
                }
            });
        if !rest.names.is_empty() || selection.names.is_empty() {
            let keys = match rest.pick(fleet) {
                Ok(keys) => keys,
                // It may say more about why.
                Err(_) => context.pick(&rest, fleet).await?,
            };
            let picked = keys.iter().filter_map(|key| fleet.get(key));
            slots.extend(picked.map(|one| Self {
                name: kept_for(&one.name).unwrap_or(&one.name).to_owned(),
                host: one.key.host.clone(),
            }));
        }
        Ok(slots.into_iter().collect())
    }

    /// The places of this name that are empty, but not all that stands for it is gone.
    fn vacant(wanted: &str, fleet: &Fleet) -> Vec<Self> {
        let name = wanted.rsplit_once('/').map_or(wanted, |(_, name)| name);
        let on_host = |host: &HostName| match wanted.rsplit_once('/') {
            Some((wanted, _)) => **host == *wanted,
            None => true,
        };
        let here = || fleet.containers().filter(|one| on_host(&one.key.host));
        if here().any(|one| one.name == name) {
            return Vec::new();
        }
        let places: BTreeSet<Self> = here()
            .filter(|one| kept_for(&one.name) == Some(name))
            .map(|one| Self {
                name: name.to_owned(),
                host: one.key.host.clone(),
            })
            .collect();
        places.into_iter().collect()
    }

    /// Its name in a role.
    pub(super) fn named(&self, role: Role) -> String {
        match role {
            Role::Main => self.name.clone(),
            Role::Old(policy) => kept_name(&self.name, &with("old", policy)),
            Role::Undo => kept_name(&self.name, "undo"),
            Role::Kept(policy) => kept_name(&self.name, &with("kept", policy)),
        }
    }

    /// The name of the one to come.
    pub(super) fn new_name(&self) -> String {
        kept_name(&self.name, "new")
    }

    /// Looks at what is there.
    ///
    /// # Errors
    /// When the Engine cannot be asked, or what is there is not understood.
    pub(super) async fn look(&self, engine: &Engine) -> Result<Found, Failure> {
        let mut found = Found::default();
        for inspected in engine.inspected_like(&self.name).await? {
            let name = inspected.name();
            if name != self.name && kept_for(name) != Some(&self.name) {
                continue;
            }
            let one = read(&inspected)?;
            let role = name.strip_prefix(&kept_name(&self.name, ""));
            let (word, policy) = match role.map(|role| role.split_once('-')) {
                Some(Some((word, policy))) => (Some(word), Policy::parse(policy)),
                Some(None) => (role, Some(Policy::No)),
                None => (None, Some(Policy::No)),
            };
            let policy = policy.ok_or_else(|| odd_policy(name))?;
            let seen = &mut found.seen;
            match word {
                None => seen.main = Some(one),
                Some("old") => seen.old = Some((one, policy)),
                Some("new") => seen.new = Some(one),
                Some("kept") => seen.kept = Some((one, policy)),
                Some(_) => seen.undo = Some(one),
            }
            found.all.push(inspected);
        }
        Ok(found)
    }
}

/// A role, and the policy of which it keeps the memory.
fn with(role: &str, policy: Policy) -> String {
    match policy {
        Policy::No => role.to_owned(),
        Policy::Always | Policy::UnlessStopped | Policy::OnFailure(_) => {
            format!("{role}-{}", policy.word())
        }
    }
}

fn read(inspected: &Inspected) -> Result<One, Failure> {
    Ok(One {
        id: inspected.id().to_owned(),
        image: inspected.image_id().to_owned(),
        running: inspected.is_running(),
        started: inspected.was_started(),
        policy: inspected
            .policy()
            .ok_or_else(|| odd_policy(inspected.name()))?,
        created: inspected.created(),
        finished: inspected.finished(),
    })
}

fn odd_policy(name: &str) -> Failure {
    let message = format!("{name} has a restart policy that this ww-ctl does not know");
    Failure::new(Exit::Failed, message).hint("a newer ww-ctl may know it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::EngineState;
    use crate::fleet::scene::{HOST, at, listed, listing};
    use std::sync::Arc;

    fn fleet(names: &[&str]) -> Fleet {
        let mut fleet = Fleet::new([Arc::from(HOST)]);
        let listed = names.iter().map(|name| {
            let mut one = listed(name, EngineState::Running);
            (*name).clone_into(&mut one.name);
            one
        });
        fleet.apply(listing(listed.collect()), at(0));
        fleet
    }

    #[test]
    fn a_name_that_nobody_has_at_present_is_found_by_what_stands_for_it() {
        let fleet = fleet(&["shop.ww-old", "shop.ww-new", "db", "db.ww-kept"]);
        let vacant = |name| Slot::vacant(name, &fleet).len();
        assert_eq!(vacant("shop"), 1);
        assert_eq!(vacant("local/shop"), 1);
        assert_eq!(vacant("ops2/shop"), 0);
        assert_eq!(vacant("db"), 0, "it is there");
        assert_eq!(vacant("shop.ww-old"), 0);
    }

    #[test]
    fn names_say_what_stands_there() {
        let slot = Slot {
            name: "shop".into(),
            host: Arc::from(HOST),
        };
        assert_eq!(slot.named(Role::Main), "shop");
        assert_eq!(
            slot.named(Role::Old(Policy::OnFailure(3))),
            "shop.ww-old-on-failure-3"
        );
        for name in [
            slot.new_name(),
            slot.named(Role::Old(Policy::No)),
            slot.named(Role::Old(Policy::Always)),
            slot.named(Role::Kept(Policy::UnlessStopped)),
            slot.named(Role::Undo),
        ] {
            assert_eq!(kept_for(&name), Some("shop"), "{name}");
        }
    }
}
