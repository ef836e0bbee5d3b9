//! Which data would be destroyed by what people type without a thought, and by what.

use std::collections::BTreeSet;

use whaleware::paths::{DATA, LABEL_DATA};

use super::record::BEFORE_ADOPT;
use super::survey::{DataContainer, Seen, Standing};
use crate::backup::source::is_below;
use crate::engine::{Backing, Volume};
use crate::fleet::kept_for;

/// What is in danger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peril {
    /// Data whose directory is not there.
    Missing,
    /// A volume nobody has named.
    AnonymousVolume,
    /// A volume with a name, which no container that runs holds.
    Volume,
    /// What lies in the container itself.
    Layer,
    /// What lies in memory.
    Memory,
}

impl Peril {
    /// In a word for other programs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::AnonymousVolume => "anonymous_volume",
            Self::Volume => "volume",
            Self::Layer => "layer",
            Self::Memory => "memory",
        }
    }
}

/// Data in danger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Danger {
    /// How they lie.
    pub peril: Peril,
    /// The volume, or the container whose own they are.
    pub subject: String,
    /// The containers that have them, by name.
    pub containers: Vec<String>,
    /// What destroys them.
    pub destroyed_by: Vec<String>,
    /// What to do, a step each.
    pub steps: Vec<String>,
}

/// How an Engine prunes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pruning {
    /// Whether `volume prune` takes volumes that have a name, too, without being told so.
    pub takes_named: bool,
}

/// All that is in danger, volumes first.
pub(crate) fn dangers(
    all: &[Seen],
    kept: &[DataContainer],
    volumes: &[Volume],
    pruning: Pruning,
) -> Vec<Danger> {
    let mut found: Vec<Danger> = volumes
        .iter()
        .filter_map(|volume| of_volume(volume, all, kept, pruning))
        .chain(all.iter().filter_map(own))
        .collect();
    found.sort_by(|one, other| (one.peril, &one.subject).cmp(&(other.peril, &other.subject)));
    found
}

fn of_volume(
    volume: &Volume,
    all: &[Seen],
    kept: &[DataContainer],
    pruning: Pruning,
) -> Option<Danger> {
    let backing = Backing::Volume(volume.name.clone());
    let having: Vec<&Seen> = all
        .iter()
        .filter(|one| one.placed.iter().any(|placed| placed.backing == backing))
        .collect();
    let runs = having.iter().any(|one| one.standing == Standing::Running);
    if runs && !volume.is_anonymous {
        return None;
    }
    let destroyed_by = if volume.is_anonymous {
        anonymous(&having, runs)
    } else {
        named(&having, pruning)
    };
    let keeper = kept.iter().find(|one| one.data.backing == backing);
    Some(Danger {
        peril: if volume.is_anonymous {
            Peril::AnonymousVolume
        } else {
            Peril::Volume
        },
        steps: steps(volume, keeper, &having),
        subject: volume.name.clone(),
        containers: names(&having),
        destroyed_by,
    })
}

fn anonymous(having: &[&Seen], runs: bool) -> Vec<String> {
    let mut ways = Vec::new();
    match having {
        [] => {
            ways.push("docker volume prune".to_owned());
        }
        [one] => {
            if one.goes_at_its_end {
                ways.push(format!("the end of {}, which is removed then", one.name));
            }
            ways.push(format!("docker rm -v {}", one.name));
            ways.push(format!("docker rm {}, then docker volume prune", one.name));
        }
        several => {
            let all = names(several).join(", ");
            ways.push(format!("docker rm -v of the last of {all}"));
            for one in several.iter().filter(|one| one.goes_at_its_end) {
                ways.push(format!(
                    "the end of {}, once the others are removed",
                    one.name
                ));
            }
        }
    }
    if !runs {
        ways.push("docker system prune --volumes".to_owned());
    }
    ways
}

fn named(having: &[&Seen], pruning: Pruning) -> Vec<String> {
    let prune = if pruning.takes_named {
        "docker volume prune"
    } else {
        "docker volume prune --all"
    };
    let mut ways = Vec::new();
    if having.is_empty() {
        ways.push(prune.to_owned());
    } else {
        ways.push(format!("docker container prune, then {prune}"));
    }
    if pruning.takes_named {
        ways.push("docker system prune --volumes".to_owned());
    }
    ways
}

fn steps(volume: &Volume, keeper: Option<&DataContainer>, having: &[&Seen]) -> Vec<String> {
    let running: Vec<String> = having
        .iter()
        .filter(|one| one.standing == Standing::Running)
        .map(|one| one.name.clone())
        .collect();
    let mut steps = Vec::new();
    if !running.is_empty() {
        steps.push(format!("ww-ctl stop {}", running.join(" ")));
    }
    let is_made = volume.labels.contains_key(LABEL_DATA);
    match keeper {
        Some(one) if one.seen.name.ends_with(BEFORE_ADOPT) => {
            return vec![format!(
                "docker rm -v {}, once nothing in it is needed",
                one.seen.name
            )];
        }
        Some(one) if one.data.place == DATA => {
            steps.push(format!("ww-ctl data adopt {}", one.seen.name));
        }
        None if is_made && having.is_empty() => {
            steps.push(format!("ww-ctl data adopt {}", volume.name));
        }
        Some(_) | None => {
            let name = having.first().map_or("NAME", |one| one.name.as_str());
            steps.push(format!(
                "ww-ctl data adopt {}-data --from {}",
                name.trim_end_matches("-data"),
                volume.name
            ));
        }
    }
    let keeper = keeper.map(|one| one.seen.id.as_str());
    let users: Vec<&Seen> = having
        .iter()
        .copied()
        .filter(|one| Some(one.id.as_str()) != keeper)
        .collect();
    if !users.is_empty() {
        steps.push(format!(
            "make {} again with the new one's volumes",
            names(&users).join(", ")
        ));
    }
    steps
}

/// What an application keeps in its container, where nothing is mounted for it.
fn own(one: &Seen) -> Option<Danger> {
    if !one.has_agent || kept_for(&one.name).is_some() {
        return None;
    }
    let covers = |place: &str| place == DATA || is_below(DATA, place);
    if one.placed.iter().any(|placed| covers(&placed.place)) {
        return None;
    }
    let is_memory = one.in_memory.iter().any(|place| covers(place));
    let name = &one.name;
    let mut ways = Vec::new();
    let runs = one.standing == Standing::Running;
    if is_memory {
        // What has ended has lost it already.
        if !runs {
            return None;
        }
        ways.push(format!("docker stop {name}, and any other end of it"));
    } else {
        if one.goes_at_its_end {
            ways.push(format!("the end of {name}, which is removed then"));
        }
        ways.push(format!("docker rm {name}"));
        if !runs {
            ways.push("docker container prune".to_owned());
            ways.push("docker system prune".to_owned());
        }
    }
    Some(Danger {
        peril: if is_memory {
            Peril::Memory
        } else {
            Peril::Layer
        },
        subject: name.clone(),
        containers: vec![name.clone()],
        destroyed_by: ways,
        steps: vec![
            format!("ww-ctl data create {name}-data"),
            format!("copy {DATA} of {name} into its directory while nothing writes to it"),
            format!("make {name} again with --data {name}-data"),
        ],
    })
}

fn names(all: &[&Seen]) -> Vec<String> {
    let names: BTreeSet<String> = all.iter().map(|one| one.name.clone()).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::survey::survey;
    use super::*;
    use crate::engine::Placed;

    const OLD: Pruning = Pruning { takes_named: true };
    const NEW: Pruning = Pruning { takes_named: false };

    fn volume(name: &str, is_anonymous: bool) -> Volume {
        Volume {
            name: name.into(),
            is_anonymous,
            directory: None,
            labels: HashMap::new(),
        }
    }

    fn seen(name: &str, standing: Standing, volume: Option<&str>) -> Seen {
        let placed = volume.map(|volume| Placed {
            place: DATA.into(),
            backing: Backing::Volume(volume.into()),
            source: String::new(),
            is_anonymous: true,
            writable: true,
        });
        Seen {
            id: format!("{name}-0123456789abcdef"),
            name: name.into(),
            image: "busybox".into(),
            standing,
            created: None,
            labels: Vec::new(),
            placed: placed.into_iter().collect(),
            in_memory: Vec::new(),
            volumes_from: Vec::new(),
            has_agent: false,
            goes_at_its_end: false,
        }
    }

    fn found(all: &[Seen], volumes: &[Volume], pruning: Pruning) -> Vec<Danger> {
        dangers(all, &survey(all), volumes, pruning)
    }

    #[test]
    fn a_volume_nobody_has_named_is_always_in_danger() {
        let volumes = [volume("aa", true)];
        let alone = found(&[], &volumes, NEW);
        let ways = ["docker volume prune", "docker system prune --volumes"];
        assert_eq!(alone[0].destroyed_by, ways);
        assert_eq!(alone[0].steps, ["ww-ctl data adopt NAME-data --from aa"]);

        let keeper = seen("shop-data", Standing::Created, Some("aa"));
        let kept = found(std::slice::from_ref(&keeper), &volumes, NEW);
        assert_eq!(kept[0].steps, ["ww-ctl data adopt shop-data"]);
        assert!(
            kept[0]
                .destroyed_by
                .contains(&"docker rm -v shop-data".to_owned())
        );

        // A user that runs keeps it from a prune; its own end does not.
        let mut guest = seen("shop", Standing::Running, Some("aa"));
        guest.goes_at_its_end = true;
        let used = found(&[keeper, guest], &volumes, NEW);
        let ways = [
            "docker rm -v of the last of shop, shop-data",
            "the end of shop, once the others are removed",
        ];
        assert_eq!(used[0].destroyed_by, ways);
        assert_eq!(
            used[0].steps,
            [
                "ww-ctl stop shop",
                "ww-ctl data adopt shop-data",
                "make shop again with the new one's volumes"
            ]
        );
    }

    #[test]
    fn one_with_a_name_is_when_nothing_that_runs_has_it() {
        let volumes = [volume("shop", false)];
        let stopped = seen("app", Standing::Ended(Some(0)), Some("shop"));
        let old = found(std::slice::from_ref(&stopped), &volumes, OLD);
        assert_eq!(
            old[0].destroyed_by,
            [
                "docker container prune, then docker volume prune",
                "docker system prune --volumes"
            ]
        );
        let new = found(&[stopped], &volumes, NEW);
        assert_eq!(
            new[0].destroyed_by,
            ["docker container prune, then docker volume prune --all"]
        );
        let running = seen("app", Standing::Running, Some("shop"));
        assert_eq!(found(&[running], &volumes, OLD), []);
        // Its labels tell that a data container had it.
        let mut made = volume("shop-data", false);
        made.labels.insert(LABEL_DATA.into(), "1".into());
        let made = found(&[], &[made], OLD);
        assert_eq!(made[0].steps, ["ww-ctl data adopt shop-data"]);
    }

    #[test]
    fn what_an_application_keeps_in_itself_goes_with_it() {
        let mut app = seen("shop", Standing::Running, None);
        assert_eq!(found(std::slice::from_ref(&app), &[], NEW), []);
        app.has_agent = true;
        let own = found(std::slice::from_ref(&app), &[], NEW);
        assert_eq!(
            (own[0].peril, &own[0].destroyed_by[..]),
            (Peril::Layer, &["docker rm shop".to_owned()][..])
        );
        app.standing = Standing::Ended(Some(0));
        let ended = found(std::slice::from_ref(&app), &[], NEW);
        assert_eq!(ended[0].destroyed_by.len(), 3);
        app.in_memory = vec![DATA.into()];
        assert_eq!(found(std::slice::from_ref(&app), &[], NEW), []);
        app.standing = Standing::Running;
        let memory = found(&[app], &[], NEW);
        assert_eq!(memory[0].peril, Peril::Memory);
    }
}
