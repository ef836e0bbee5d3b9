//! Which containers share data, told from all that an Engine has: they are backed up together.

use std::collections::BTreeSet;

use whaleware::paths::{BACKUP, DATA};

use super::source::is_below;
use crate::data::{Seen, Standing, survey};
use crate::engine::{Backing, Placed};
use crate::fleet::kept_for;

/// Containers that share data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// What its backups are named after: the container that only keeps the data, else the first member.
    pub name: String,
    /// Those that have the data, by name.
    pub members: Vec<Member>,
    /// What is to be backed up, each once; what is at `/data` comes first.
    pub places: Vec<Placed>,
    /// Those that run and may write to the data because a directory above is mounted in them. They have more to
    /// do than with these data, and are left alone.
    pub bystanders: Vec<String>,
}

/// A container of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it only keeps the data.
    pub keeps: bool,
    /// Whether this program made it, or it has an agent.
    pub is_ours: bool,
}

/// A container as far as it matters here.
struct One<'a> {
    seen: &'a Seen,
    keeps: bool,
    /// What it has to be backed up.
    data: Vec<&'a Placed>,
}

/// All groups there are, by name. Containers that have no data of their own to be backed up are in one only where
/// they have a part of another's.
pub(crate) fn groups(all: &[Seen]) -> Vec<Group> {
    let keepers: BTreeSet<String> = survey(all).into_iter().map(|one| one.seen.id).collect();
    let one = |seen| one(seen, keepers.contains::<str>(id(seen)));
    let all: Vec<One<'_>> = all.iter().filter(|one| is_in_use(one)).map(one).collect();
    let mut leaders: Vec<usize> = (0..all.len()).collect();
    for (place, one) in all.iter().enumerate() {
        for (other_place, other) in all.iter().enumerate().take(place) {
            if shares(one, other) || shares(other, one) {
                let (from, to) = (leaders[place], leaders[other_place]);
                for leader in &mut leaders {
                    if *leader == from {
                        *leader = to;
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    for leader in 0..all.len() {
        let of_it = all.iter().zip(&leaders).filter(|(_, of)| **of == leader);
        let members: Vec<&One<'_>> = of_it.map(|(one, _)| one).collect();
        found.extend(group(members, &all));
    }
    found.sort_by(|one: &Group, other| one.name.cmp(&other.name));
    found
}

fn id(seen: &Seen) -> &str {
    &seen.id
}

/// What an upgrade keeps for the worst case does not count, unless somebody has started it; what a drill has made
/// never does.
fn is_in_use(one: &Seen) -> bool {
    if one.is_rehearsing() {
        return false;
    }
    one.standing == Standing::Running || kept_for(&one.name).is_none()
}

fn one(seen: &Seen, keeps: bool) -> One<'_> {
    let is_data = |place: &Placed| {
        let place = place.place.as_str();
        let is_backup = place == BACKUP || is_below(place, BACKUP);
        !is_backup && (keeps || place == DATA || is_below(place, DATA))
    };
    let data = seen.placed.iter().filter(|one| is_data(one)).collect();
    One { seen, keeps, data }
}

/// Whether a container can write to what another one has to be backed up. One that can only read it stands still
/// for it.
fn shares(one: &One<'_>, other: &One<'_>) -> bool {
    one.data.iter().any(|data| {
        let mut placed = other.seen.placed.iter().filter(|placed| placed.writable);
        placed.any(|placed| is_within(&placed.backing, &data.backing))
    })
}

/// Whether something is the same, or in it.
fn is_within(inner: &Backing, outer: &Backing) -> bool {
    match (inner, outer) {
        (Backing::Directory(inner), Backing::Directory(outer)) => {
            inner == outer || is_below(inner, outer)
        }
        (Backing::Volume(inner), Backing::Volume(outer)) => inner == outer,
        (Backing::Directory(_), Backing::Volume(_))
        | (Backing::Volume(_), Backing::Directory(_)) => false,
    }
}

fn group(mut members: Vec<&One<'_>>, all: &[One<'_>]) -> Option<Group> {
    members.sort_by(|one, other| one.seen.name.cmp(&other.seen.name));
    let mut places: Vec<Placed> = Vec::new();
    // As whoever keeps the data has them, first.
    let (keepers, users): (Vec<&One<'_>>, Vec<&One<'_>>) =
        members.iter().partition(|one| one.keeps);
    for placed in keepers.iter().chain(&users).flat_map(|one| &one.data) {
        let is_known = |known: &Placed| known.backing == placed.backing;
        if !places.iter().any(is_known) {
            places.push((*placed).clone());
        }
    }
    places.sort_by(|one, other| {
        (one.place != DATA, &one.place).cmp(&(other.place != DATA, &other.place))
    });
    let name = keepers.first().or(members.first())?.seen.name.clone();
    let is_member = |one: &One<'_>| members.iter().any(|member| member.seen.id == one.seen.id);
    let bystanders = all
        .iter()
        .filter(|one| one.seen.standing == Standing::Running && !is_member(one))
        .filter(|one| {
            let mut mounts = one.seen.placed.iter().filter(|placed| placed.writable);
            mounts.any(|above| {
                let mut inner = places.iter();
                inner.any(|place| is_within(&place.backing, &above.backing))
            })
        })
        .map(|one| one.seen.name.clone())
        .collect();
    (!places.is_empty()).then(|| Group {
        name,
        members: members.into_iter().map(member).collect(),
        places,
        bystanders,
    })
}

fn member(one: &One<'_>) -> Member {
    Member {
        id: one.seen.id.clone(),
        name: one.seen.name.clone(),
        keeps: one.keeps,
        is_ours: one.seen.has_agent || one.seen.is_made(),
    }
}

impl Group {
    /// Whether it is among what is backed up where nothing is named.
    pub(crate) fn is_ours(&self) -> bool {
        self.members.iter().any(|one| one.is_ours)
    }

    /// Whether a container is in it.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.members.iter().any(|one| one.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(place: &str, source: &str) -> Placed {
        let backing = match source.strip_prefix('/') {
            Some(_) => Backing::Directory(source.to_owned()),
            None => Backing::Volume(source.to_owned()),
        };
        Placed {
            place: place.into(),
            backing,
            source: String::new(),
            is_anonymous: false,
            writable: true,
        }
    }

    fn seen(name: &str, standing: Standing, mounts: &[(&str, &str)]) -> Seen {
        let placed = mounts.iter().map(|(place, source)| placed(place, source));
        Seen {
            id: format!("{name}-0123456789abcdef"),
            name: name.into(),
            image: "shop:1".into(),
            standing,
            created: None,
            labels: Vec::new(),
            placed: placed.collect(),
            in_memory: Vec::new(),
            volumes_from: Vec::new(),
            has_agent: standing == Standing::Running,
            goes_at_its_end: false,
        }
    }

    fn running(name: &str, mounts: &[(&str, &str)]) -> Seen {
        seen(name, Standing::Running, mounts)
    }

    /// `NAME: MEMBER … at PLACE …`.
    fn told(all: &[Seen]) -> Vec<String> {
        let words = |one: Group| {
            let members: Vec<&str> = one.members.iter().map(|one| one.name.as_str()).collect();
            let places: Vec<&str> = one.places.iter().map(|one| one.place.as_str()).collect();
            format!(
                "{}: {} at {}",
                one.name,
                members.join(" "),
                places.join(" ")
            )
        };
        groups(all).into_iter().map(words).collect()
    }

    #[test]
    fn who_shares_data_is_in_one_group_named_after_who_keeps_them() {
        let mut keeper = seen(
            "shop-data",
            Standing::Created,
            &[
                ("/data", "/srv/shop"),
                ("/etc/shop", "conf"),
                ("/backup", "/srv/backup"),
            ],
        );
        keeper.has_agent = false;
        let mut shop = running(
            "shop",
            &[("/data", "/srv/shop"), ("/backup", "/srv/backup")],
        );
        shop.volumes_from.push("shop-data".into());
        let web = running("web", &[("/www", "/srv/shop/www"), ("/tmp", "/srv/tmp")]);
        let other = running("db", &[("/data", "/srv/db"), ("/backup", "/srv/backup")]);
        assert_eq!(
            told(&[web, shop, keeper, other]),
            [
                "db: db at /data",
                "shop-data: shop shop-data web at /data /etc/shop"
            ]
        );
    }

    #[test]
    fn who_can_only_read_or_has_all_the_host_is_left_alone() {
        let shop = running("shop", &[("/data", "/srv/shop")]);
        let mut reader = running("reader", &[("/shop", "/srv/shop")]);
        reader.placed[0].writable = false;
        let admin = running("admin", &[("/host", "/")]);
        let stopped = seen("idle", Standing::Ended(Some(0)), &[("/host", "/srv")]);
        let all = groups(&[shop, reader, admin, stopped]);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].members.len(), 1);
        assert_eq!(all[0].bystanders, ["admin"]);
    }

    #[test]
    fn without_data_there_is_no_group_and_what_an_upgrade_keeps_is_in_none() {
        assert!(told(&[running("shop", &[("/etc/localtime", "/etc/localtime")])]).is_empty());
        let old = seen(
            "shop.ww-old",
            Standing::Ended(Some(0)),
            &[("/data", "/srv/shop")],
        );
        let shop = running("shop", &[("/data", "/srv/shop"), ("/data/db", "db")]);
        assert_eq!(told(&[old.clone(), shop]), ["shop: shop at /data /data/db"]);
        assert!(told(&[old]).is_empty());
    }

    #[test]
    fn a_chain_of_sharers_is_one_group() {
        let all = [
            running("a", &[("/data", "one")]),
            running("c", &[("/data", "two"), ("/data/x", "three")]),
            running("b", &[("/data", "three"), ("/other", "one")]),
        ];
        assert_eq!(told(&all), ["a: a b c at /data /data /data"]);
        assert!(groups(&all)[0].is_ours() && groups(&all)[0].has("c-0123456789abcdef"));
    }
}
