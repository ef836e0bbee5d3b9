//! The last good backup of each of some containers, found with as little reading as it takes.
//!
//! A vault may have thousands of backups, and be on a network: of each name the newest is looked at first, and only until
//! one is good. Most are under their own name; only for those that are not all other names are gone through.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::error::VaultError;
use super::set::Set;
use super::{Id, Vault};
use crate::engine::chain;
use crate::fleet::{Backed, LastBackup, clean};

/// The most names besides their own that are gone through for those that are not found under it.
const OTHERS: usize = 10_000;
/// What is dated further ahead is none of now. Clocks of two machines may differ by less.
const AHEAD: SignedDuration = SignedDuration::from_secs(300);
/// The most characters of a path or a reason.
const TEXT: usize = 300;

/// A container whose backups are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sought {
    /// Its full id.
    pub id: Arc<str>,
    /// Its name.
    pub name: String,
}

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    /// Whose backups.
    pub sought: &'a [Sought],
    /// The id of their Engine; one of the same name may be on another one. Empty where it has none.
    pub engine: &'a str,
    /// What time it is.
    pub now: Timestamp,
    /// Whether nobody waits for it any more.
    pub given_up: &'a AtomicBool,
}

impl Search<'_> {
    /// Looks through the vault at this path. Who is not in the answer was not come to.
    pub(crate) fn through(&self, path: &Path) -> Vec<(Arc<str>, Backed)> {
        let vault = clean(&path.to_string_lossy(), TEXT);
        let opened = match Vault::open(path) {
            Ok(opened) => opened,
            Err(error) => return self.all(&Backed::unknown(&error)),
        };
        let mut found = Found::new(self.sought);
        let own: BTreeSet<&str> = self.sought.iter().map(|one| one.name.as_str()).collect();
        for name in &own {
            if let Some(set) = self.last_good(&opened, name) {
                found.take(&set, &vault);
            }
        }
        match self.others(&opened, &own, &vault, &mut found) {
            Ok(true) => found.told(self.sought, Some(&Backed::Never { vault })),
            Ok(false) => found.told(self.sought, None),
            Err(error) => found.told(self.sought, Some(&Backed::unknown(&error))),
        }
    }

    /// Those that are in a group have their backups under its name. Whether all of them was gone through.
    fn others(
        &self,
        vault: &Vault,
        own: &BTreeSet<&str>,
        path: &str,
        found: &mut Found,
    ) -> Result<bool, VaultError> {
        if found.is_complete() {
            return Ok(true);
        }
        let names = vault.names()?;
        let mut others = names.iter().filter(|name| !own.contains(name.as_str()));
        for name in others.by_ref().take(OTHERS) {
            if self.is_given_up() {
                return Ok(false);
            }
            if let Some(set) = self.last_good(vault, name) {
                found.take(&set, path);
            }
            if found.is_complete() {
                return Ok(true);
            }
        }
        Ok(others.next().is_none() && !self.is_given_up())
    }

    /// The newest of a name that is good. What cannot be read is not.
    fn last_good(&self, vault: &Vault, name: &str) -> Option<Set> {
        let above = vault.place.below(name).ok()?;
        let names = above.names().ok()?.into_iter().rev();
        let latest = self.now.checked_add(AHEAD).unwrap_or(self.now);
        let ids = names.filter_map(|(name, _)| Id::parse(&name));
        ids.filter(|id| id.time() <= latest)
            .take_while(|_| !self.is_given_up())
            .filter_map(|id| Set::open_at(&above, name, &id).ok())
            .find(|set| self.is_good(set))
    }

    fn is_good(&self, set: &Set) -> bool {
        let engine = &set.manifest.engine.id;
        let is_of_it = engine.is_empty() || self.engine.is_empty() || engine == self.engine;
        is_of_it && set.manifest.complete && !set.verified.is_bad()
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    fn all(&self, backed: &Backed) -> Vec<(Arc<str>, Backed)> {
        let all = self.sought.iter();
        all.map(|one| (one.id.clone(), backed.clone())).collect()
    }
}

/// What was found so far.
struct Found<'a> {
    ids: HashMap<&'a str, usize>,
    names: HashMap<&'a str, usize>,
    last: BTreeMap<usize, LastBackup>,
    wanted: usize,
}

impl<'a> Found<'a> {
    fn new(sought: &'a [Sought]) -> Self {
        let all = || sought.iter().enumerate();
        Self {
            ids: all().map(|(place, one)| (&*one.id, place)).collect(),
            names: all().map(|(place, one)| (&*one.name, place)).collect(),
            last: BTreeMap::new(),
            wanted: sought.len(),
        }
    }

    fn is_complete(&self) -> bool {
        self.last.len() == self.wanted
    }

    /// Each member of the set has it as its own. One that was replaced by an upgrade has another id now; one that was
    /// renamed has its id still.
    fn take(&mut self, set: &Set, vault: &str) {
        for member in &set.manifest.containers {
            let known = self.ids.get(member.id.as_str());
            let Some(place) = known.or_else(|| self.names.get(member.name.as_str())) else {
                continue;
            };
            let begun = set.manifest.begun;
            if self.last.get(place).is_some_and(|last| last.begun >= begun) {
                continue;
            }
            let last = LastBackup {
                name: set.name.clone(),
                id: set.id.to_string(),
                vault: vault.to_owned(),
                begun,
                consistency: set.manifest.consistency.word().into(),
                verified: set.verified.good().is_some(),
            };
            self.last.insert(*place, last);
        }
    }

    /// All that was found, and `otherwise` for those of whom nothing was.
    fn told(mut self, sought: &[Sought], otherwise: Option<&Backed>) -> Vec<(Arc<str>, Backed)> {
        let all = sought.iter().enumerate();
        let told = all.filter_map(|(place, one)| {
            let last = self.last.remove(&place);
            let backed = last.map(|last| Backed::Last(Box::new(last)));
            Some((one.id.clone(), backed.or_else(|| otherwise.cloned())?))
        });
        told.collect()
    }
}

impl Backed {
    fn unknown(error: &VaultError) -> Self {
        Self::Unknown {
            reason: Some(clean(&chain(error), TEXT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::id;
    use super::super::{Consistency, Manifest, Member, Role, Verified};
    use super::*;
    use crate::backup::vault::How;

    const NEWEST: &str = "20261122T160000Z-0003";
    const MIDDLE: &str = "20261121T160000Z-0002";
    const OLDEST: &str = "20261120T160000Z-0001";

    fn now() -> Timestamp {
        "2026-11-22T16:15:00Z".parse().unwrap()
    }

    fn member(name: &str, id: &str) -> Member {
        Member {
            name: name.into(),
            id: id.into(),
            role: Role::User,
            state: "UP".into(),
            image: String::new(),
            image_id: String::new(),
            image_digests: Vec::new(),
            agent: None,
            image_version: None,
            create: serde_json::Value::Null,
            env_names: Vec::new(),
        }
    }

    /// A set of these members on Engine `e`.
    fn set(vault: &Vault, name: &str, text: &str, members: &[(&str, &str)], complete: bool) -> Set {
        let lock = vault.lock(name).unwrap();
        let id = id(text);
        let mut manifest = Manifest::new(id.clone(), name, id.time(), Consistency::Svcdown);
        manifest.engine.id = "e".into();
        manifest.complete = complete;
        manifest.containers = members.iter().map(|(name, id)| member(name, id)).collect();
        lock.incoming(&id).unwrap().publish(&manifest).unwrap()
    }

    fn found(vault: &Vault, engine: &str, names: &[&str]) -> Vec<String> {
        let sought: Vec<Sought> = names
            .iter()
            .map(|name| Sought {
                id: format!("id-{name}").into(),
                name: (*name).into(),
            })
            .collect();
        let search = Search {
            sought: &sought,
            engine,
            now: now(),
            given_up: &AtomicBool::new(false),
        };
        let told = search.through(vault.path()).into_iter();
        told.map(|(id, backed)| match backed {
            Backed::Last(last) => format!("{id} {}/{}", last.name, last.id),
            Backed::Never { .. } => format!("{id} never"),
            Backed::Unknown { reason } => format!("{id} {}", reason.unwrap_or_default()),
        })
        .collect()
    }

    #[test]
    fn it_is_the_newest_that_is_complete_and_was_not_found_to_be_bad() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::open(directory.path()).unwrap();
        let own = [("shop", "id-shop")];
        set(&vault, "shop", OLDEST, &own, true);
        assert_eq!(
            found(&vault, "e", &["shop"]),
            [format!("id-shop shop/{OLDEST}")]
        );
        let mut middle = set(&vault, "shop", MIDDLE, &own, true);
        set(&vault, "shop", NEWEST, &own, false);
        // Dated ahead, and one that is none.
        set(&vault, "shop", "20261123T160000Z-0004", &own, true);
        std::fs::create_dir(directory.path().join("shop/20261122T161000Z-0005")).unwrap();
        assert_eq!(
            found(&vault, "e", &["shop"]),
            [format!("id-shop shop/{MIDDLE}")]
        );
        let bad = Verified::new(now(), false, Some("damaged".into()));
        middle.record_verified(How::Quick, bad).unwrap();
        assert_eq!(
            found(&vault, "e", &["shop"]),
            [format!("id-shop shop/{OLDEST}")]
        );
        let again = Verified::new(now() + SignedDuration::from_secs(1), true, None);
        middle.record_verified(How::Full, again).unwrap();
        assert_eq!(
            found(&vault, "e", &["shop"]),
            [format!("id-shop shop/{MIDDLE}")]
        );
    }

    #[test]
    fn a_group_counts_for_its_members_and_only_on_their_engine() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::open(directory.path()).unwrap();
        let members = [
            ("keep", "id-keep"),
            ("web", "of-before-an-upgrade"),
            ("old", "id-new"),
        ];
        set(&vault, "keep", MIDDLE, &members, true);
        set(&vault, "web", OLDEST, &[("web", "id-web")], true);
        let told = found(&vault, "e", &["keep", "new", "other", "web"]);
        let keep = format!("keep/{MIDDLE}");
        let expected = [
            format!("id-keep {keep}"),
            format!("id-new {keep}"),
            "id-other never".to_owned(),
            format!("id-web {keep}"),
        ];
        assert_eq!(told, expected);
        assert_eq!(found(&vault, "f", &["web"]), ["id-web never"]);
        assert_eq!(found(&vault, "", &["keep"]), [format!("id-keep {keep}")]);
    }

    #[test]
    fn what_cannot_be_looked_through_is_said_and_who_was_not_come_to_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::open(directory.path()).unwrap();
        set(&vault, "shop", OLDEST, &[("shop", "id-shop")], true);
        let sought = [Sought {
            id: "id-shop".into(),
            name: "shop".into(),
        }];
        let search = |given_up, path: &Path| {
            let search = Search {
                sought: &sought,
                engine: "e",
                now: now(),
                given_up: &AtomicBool::new(given_up),
            };
            search.through(path)
        };
        assert_eq!(search(true, vault.path()), []);
        let gone = search(false, &directory.path().join("gone"));
        let [
            (
                _,
                Backed::Unknown {
                    reason: Some(reason),
                },
            ),
        ] = gone.as_slice()
        else {
            panic!("{gone:?}");
        };
        assert!(reason.contains("gone"), "{reason}");
    }
}
