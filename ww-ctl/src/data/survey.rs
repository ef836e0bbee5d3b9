//! Which containers only keep data, and which others use them: told from all that an Engine has.

use std::collections::BTreeSet;

use jiff::Timestamp;
use whaleware::paths::{DATA, LABEL_AGENT, LABEL_DATA, LABEL_DRILL};

use crate::engine::{Backing, Inspected, Placed};
use crate::fleet::kept_for;

/// How a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was never started.
    Created,
    /// It runs, or is frozen.
    Running,
    /// It has ended, with this code.
    Ended(Option<i64>),
}

/// A container, as far as data are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image as it was named.
    pub image: String,
    /// How it stands.
    pub standing: Standing,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// What is mounted in it.
    pub placed: Vec<Placed>,
    /// Where it has memory mounted.
    pub in_memory: Vec<String>,
    /// Whose volumes it was given, by name or id.
    pub volumes_from: Vec<String>,
    /// Whether it has an agent.
    pub has_agent: bool,
    /// Whether Docker removes it, and its anonymous volumes, as soon as it ends.
    pub goes_at_its_end: bool,
}

impl Seen {
    /// From all that is known of it.
    pub(crate) fn of(one: &Inspected) -> Self {
        let standing = if one.is_running() || one.is_restarting() {
            Standing::Running
        } else if one.was_started() {
            Standing::Ended(one.exit_code())
        } else {
            Standing::Created
        };
        Self {
            id: one.id().to_owned(),
            name: one.name().to_owned(),
            image: one.image(),
            standing,
            created: one.created(),
            labels: one
                .labels()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            placed: one.placed(),
            in_memory: one.in_memory(),
            volumes_from: one.volumes_from().into_iter().map(str::to_owned).collect(),
            has_agent: one.label(LABEL_AGENT).is_some(),
            goes_at_its_end: one.goes_at_its_end(),
        }
    }

    /// Whether it was made by this program to keep data.
    pub(crate) fn is_made(&self) -> bool {
        self.labels.iter().any(|(key, _)| key == LABEL_DATA)
    }

    /// Whether it is there for a drill, and gone at its end.
    pub(crate) fn is_rehearsing(&self) -> bool {
        self.labels.iter().any(|(key, _)| key == LABEL_DRILL)
    }

    /// What is mounted at `/data`, or else the first of what is.
    pub(crate) fn data(&self) -> Option<&Placed> {
        let at_data = self.placed.iter().find(|one| one.place == DATA);
        at_data.or_else(|| {
            self.placed
                .iter()
                .min_by(|one, other| one.place.cmp(&other.place))
        })
    }

    fn is_meant_by(&self, word: &str) -> bool {
        self.name == word || (word.len() >= 12 && self.id.starts_with(word))
    }
}

/// A container that uses data which another one keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it has not these data mounted but a directory in them or above them.
    pub is_part: bool,
}

/// A container that only keeps data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataContainer {
    /// The container.
    pub seen: Seen,
    /// Where its data are.
    pub data: Placed,
    /// Why it counts as one; none where this program has made it.
    pub because: Option<String>,
    /// Who uses the data, by name.
    pub users: Vec<User>,
    /// Other containers that keep the same.
    pub twins: Vec<String>,
}

/// The containers that only keep data, by name.
pub(crate) fn survey(all: &[Seen]) -> Vec<DataContainer> {
    let mut kept: Vec<DataContainer> = all
        .iter()
        .filter_map(|one| {
            let data = one.data()?.clone();
            let because = if one.is_made() {
                None
            } else {
                Some(because(one, &data, all)?)
            };
            Some(DataContainer {
                seen: one.clone(),
                data,
                because,
                users: Vec::new(),
                twins: Vec::new(),
            })
        })
        .collect();
    let keepers: BTreeSet<String> = kept.iter().map(|one| one.seen.id.clone()).collect();
    for one in &mut kept {
        let others = all.iter().filter(|other| other.id != one.seen.id);
        for other in others {
            let Some(is_part) = shares(&one.data.backing, other) else {
                continue;
            };
            if !keepers.contains(&other.id) {
                one.users.push(User {
                    id: other.id.clone(),
                    name: other.name.clone(),
                    running: other.standing == Standing::Running,
                    is_part,
                });
            } else if !is_part {
                one.twins.push(other.name.clone());
            }
        }
        one.users.sort_by(|one, other| one.name.cmp(&other.name));
        one.twins.sort();
    }
    kept.sort_by(|one, other| one.seen.name.cmp(&other.seen.name));
    kept
}

/// Whether a container has this mounted; whether it is only a part of it, or more.
fn shares(backing: &Backing, other: &Seen) -> Option<bool> {
    let mut met = None;
    for placed in &other.placed {
        if placed.backing == *backing {
            return Some(false);
        }
        if placed.backing.meets(backing) {
            met = Some(true);
        }
    }
    met
}

/// Why a container that somebody else has made counts as one that only keeps data; none where it does
/// not. It never counts when it has an agent or runs: that is an application, whose volumes another may
/// well have, too.
fn because(one: &Seen, data: &Placed, all: &[Seen]) -> Option<String> {
    if one.has_agent || kept_for(&one.name).is_some() {
        return None;
    }
    let never = match one.standing {
        Standing::Created => true,
        // What somebody ran `true` in to make it. One that failed was to do something.
        Standing::Ended(Some(0)) => false,
        Standing::Running | Standing::Ended(_) => return None,
    };
    let state = if never {
        "never started"
    } else {
        "ended with 0"
    };
    let lent = all
        .iter()
        .find(|other| other.volumes_from.iter().any(|word| one.is_meant_by(word)));
    if let Some(other) = lent {
        return Some(format!("{state}, and {} has its volumes", other.name));
    }
    let is_at_data = data.place == DATA;
    let sharer = all
        .iter()
        .find(|other| other.id != one.id && shares(&data.backing, other) == Some(false));
    if let (true, true, Some(other)) = (never, is_at_data, sharer) {
        return Some(format!("{state}, and {} has the same mounted", other.name));
    }
    let named = |text: &str| {
        text.to_ascii_lowercase()
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| matches!(word, "data" | "dataonly" | "volume" | "volumes"))
    };
    if is_at_data && never && (named(&one.image) || named(&one.name)) {
        return Some(format!("{state}, has {DATA}, and is named after data"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(place: &str, volume: &str) -> Placed {
        let backing = match volume.strip_prefix('/') {
            Some(_) => Backing::Directory(volume.to_owned()),
            None => Backing::Volume(volume.to_owned()),
        };
        Placed {
            place: place.into(),
            backing,
            source: String::new(),
            is_anonymous: false,
            writable: true,
        }
    }

    fn seen(name: &str, standing: Standing, placed: Vec<Placed>) -> Seen {
        Seen {
            id: format!("{name}-0123456789abcdef"),
            name: name.into(),
            image: "busybox".into(),
            standing,
            created: None,
            labels: Vec::new(),
            placed,
            in_memory: Vec::new(),
            volumes_from: Vec::new(),
            has_agent: false,
            goes_at_its_end: false,
        }
    }

    fn names(all: &[Seen]) -> Vec<String> {
        survey(all).into_iter().map(|one| one.seen.name).collect()
    }

    #[test]
    fn what_this_program_made_counts_and_its_users_are_known() {
        let mut data = seen(
            "shop-data",
            Standing::Created,
            vec![placed("/data", "/srv/shop")],
        );
        data.labels.push((LABEL_DATA.into(), "1".into()));
        let shop = seen(
            "shop",
            Standing::Running,
            vec![placed("/data", "/srv/shop")],
        );
        let part = seen(
            "web",
            Standing::Ended(Some(0)),
            vec![placed("/www", "/srv/shop/www")],
        );
        let other = seen("db", Standing::Running, vec![placed("/data", "/srv/shop2")]);
        let kept = survey(&[shop, data, part, other]);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].because, None);
        let users: Vec<_> = kept[0]
            .users
            .iter()
            .map(|user| (user.name.as_str(), user.running, user.is_part))
            .collect();
        assert_eq!(users, [("shop", true, false), ("web", false, true)]);
    }

    #[test]
    fn what_others_made_counts_where_there_is_a_reason() {
        let created = |name: &str| seen(name, Standing::Created, vec![placed("/data", name)]);
        let mut shop = seen("shop", Standing::Running, vec![placed("/data", "old")]);
        shop.volumes_from.push("old".into());
        let ended = |code| {
            seen(
                "old",
                Standing::Ended(Some(code)),
                vec![placed("/data", "old")],
            )
        };
        assert_eq!(names(&[created("old"), shop.clone()]), ["old"]);
        assert_eq!(names(&[ended(0), shop.clone()]), ["old"]);
        // Those that failed or run do something; so does one with an agent.
        assert!(names(&[ended(1), shop.clone()]).is_empty());
        let mut agent = created("old");
        agent.has_agent = true;
        assert!(names(&[agent, shop.clone()]).is_empty());
        let running = seen("old", Standing::Running, vec![placed("/data", "old")]);
        assert!(names(&[running, shop.clone()]).is_empty());
        // By its id, too.
        shop.volumes_from = vec!["old-01234567".into()];
        assert_eq!(names(&[created("old"), shop.clone()]), ["old"]);
        // The same mount, and names.
        shop.volumes_from.clear();
        assert_eq!(names(&[created("old"), shop.clone()]), ["old"]);
        assert_eq!(names(&[created("db-data")]), ["db-data"]);
        assert!(names(&[created("database"), created("other")]).is_empty());
        assert!(names(&[seen("db-data", Standing::Created, Vec::new())]).is_empty());
    }

    #[test]
    fn two_that_keep_the_same_know_each_other() {
        let one = |name: &str| {
            let mut one = seen(name, Standing::Created, vec![placed("/data", "/srv/shop")]);
            one.labels.push((LABEL_DATA.into(), "1".into()));
            one
        };
        let kept = survey(&[one("a-data"), one("b-data")]);
        assert_eq!(kept[0].twins, ["b-data"]);
        assert!(kept[0].users.is_empty());
    }
}
