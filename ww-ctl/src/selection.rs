//! Which containers a command is about: NAME…, `--all`, `--filter`.

use std::str::FromStr;

use whaleware::lifecycle::State;
use whaleware::protocol::HealthStatus;
use whaleware::spelling::distance;

use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, Fleet};

/// The shortest part of an id that is taken for one.
const SHORTEST_ID: usize = 4;
/// The label by which Compose names a project.
const PROJECT: &str = "com.docker.compose.project";
/// So many candidates are named.
const CANDIDATES: usize = 10;

/// One `--filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// Its name matches this pattern.
    Name(String),
    /// It has this label, with this value if one is given.
    Label(String, Option<String>),
    /// It is in this state.
    State(State),
    /// Its checks say this.
    Health(HealthStatus),
    /// Its image matches this pattern.
    Image(String),
    /// It belongs to this Compose project.
    Project(String),
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Ok(Self::Name(text.to_owned()));
        };
        match key {
            "name" => Ok(Self::Name(value.to_owned())),
            "label" => Ok(match value.split_once('=') {
                Some((label, value)) => Self::Label(label.to_owned(), Some(value.to_owned())),
                None => Self::Label(value.to_owned(), None),
            }),
            "state" => value
                .parse()
                .map(Self::State)
                .map_err(|error: <State as FromStr>::Err| error.to_string()),
            "health" => match value {
                "unknown" => Ok(Self::Health(HealthStatus::Unknown)),
                "passing" => Ok(Self::Health(HealthStatus::Passing)),
                "failing" => Ok(Self::Health(HealthStatus::Failing)),
                _ => Err("health is one of unknown, passing, failing".into()),
            },
            "image" => Ok(Self::Image(value.to_owned())),
            "project" => Ok(Self::Project(value.to_owned())),
            _ => Err("the keys are name, label, state, health, image, project".into()),
        }
    }
}

impl Filter {
    fn accepts(&self, container: &Container) -> bool {
        let has = |key: &str, value: Option<&str>| {
            container
                .labels
                .iter()
                .any(|(k, v)| k == key && value.is_none_or(|value| v == value))
        };
        match self {
            Self::Name(pattern) => matches_glob(pattern, &container.name),
            Self::Label(key, value) => has(key, value.as_deref()),
            Self::State(state) => container.state() == Some(*state),
            Self::Health(health) => container.health() == *health,
            Self::Image(pattern) => matches_glob(pattern, &container.image),
            Self::Project(name) => has(PROJECT, Some(name)),
        }
    }
}

/// What was said about which containers are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// NAME…
    pub names: Vec<String>,
    /// `--all`.
    pub all: bool,
    /// `--filter`, all of which must hold.
    pub filters: Vec<Filter>,
}

impl Selection {
    /// One container, by its name.
    pub(crate) fn one(name: &str) -> Self {
        Self {
            names: vec![name.to_owned()],
            ..Self::default()
        }
    }

    /// Whether nothing was said at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.all && self.filters.is_empty()
    }

    /// Whether each container is named, and no pattern or filter stands for names.
    pub(crate) fn is_explicit(&self) -> bool {
        !self.names.is_empty() && !self.all && self.names.iter().all(|name| !is_glob(name))
    }

    /// Whether a container is meant; for those that come later than the selection was made.
    /// Names given as ids match by what they begin with.
    pub(crate) fn accepts(&self, container: &Container) -> bool {
        self.names_it(container) && self.filters_accept(container)
    }

    /// Whether all filters hold for a container.
    pub(crate) fn filters_accept(&self, container: &Container) -> bool {
        self.filters.iter().all(|filter| filter.accepts(container))
    }

    /// Whether a container is named, or none is.
    pub(crate) fn names_it(&self, container: &Container) -> bool {
        self.names.is_empty()
            || self.names.iter().any(|name| {
                let (host, name) = split_host(name, container);
                host && (container.name == name
                    || (is_glob(name) && matches_glob(name, &container.name))
                    || (is_id(name) && container.key.id.starts_with(&name.to_ascii_lowercase())))
            })
    }

    /// The containers that are meant, in the order of their names.
    ///
    /// # Errors
    /// [`Exit::Absent`] when a name or all together match none, [`Exit::Usage`] when a name means
    /// several or nothing was named.
    pub(crate) fn pick(&self, fleet: &Fleet) -> Result<Vec<ContainerKey>, Failure> {
        if self.is_empty() {
            return Err(Failure::new(Exit::Usage, "no container is named")
                .hint("give names, --filter, or --all"));
        }
        let mut picked: Vec<&Container> = Vec::new();
        if self.names.is_empty() {
            picked.extend(fleet.containers().filter(|one| one.has_agent || !self.all));
        }
        for name in &self.names {
            for container in named(fleet, name)? {
                if !picked.iter().any(|known| known.key == container.key) {
                    picked.push(container);
                }
            }
        }
        picked.retain(|one| self.filters.iter().all(|filter| filter.accepts(one)));
        if picked.is_empty() {
            return Err(Failure::new(Exit::Absent, "no container matches")
                .hint("`ww-ctl ls` shows what there is"));
        }
        picked.sort_by(|one, other| (&one.name, &one.key).cmp(&(&other.name, &other.key)));
        Ok(picked.into_iter().map(|one| one.key.clone()).collect())
    }

    /// The one container that is meant.
    ///
    /// # Errors
    /// As [`Self::pick`], and [`Exit::Usage`] when several are meant.
    pub(crate) fn pick_one(&self, fleet: &Fleet) -> Result<ContainerKey, Failure> {
        let picked = self.pick(fleet)?;
        match picked.as_slice() {
            [one] => Ok(one.clone()),
            several => {
                let containers: Vec<_> = several.iter().filter_map(|key| fleet.get(key)).collect();
                Err(ambiguous(&self.names.join(" "), &containers))
            }
        }
    }
}

fn is_glob(name: &str) -> bool {
    name.contains(['*', '?'])
}

fn is_id(name: &str) -> bool {
    name.len() >= SHORTEST_ID && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A host's name may contain a slash itself, a container's cannot.
fn split_host<'a>(name: &'a str, container: &Container) -> (bool, &'a str) {
    match name.rsplit_once('/') {
        Some((host, name)) => (*container.key.host == *host, name),
        None => (true, name),
    }
}

fn named<'a>(fleet: &'a Fleet, wanted: &str) -> Result<Vec<&'a Container>, Failure> {
    let on_host = |container: &&Container| split_host(wanted, container).0;
    let name = wanted.rsplit_once('/').map_or(wanted, |(_, name)| name);
    let candidates = || fleet.containers().filter(on_host);
    let exact: Vec<_> = candidates().filter(|one| one.name == name).collect();
    match exact.len() {
        0 => {}
        1 => return Ok(exact),
        _ => return Err(ambiguous(wanted, &exact)),
    }
    if is_id(name) {
        let lower = name.to_ascii_lowercase();
        let by_id: Vec<_> = candidates()
            .filter(|one| one.key.id.starts_with(&lower))
            .collect();
        match by_id.len() {
            0 => {}
            1 => return Ok(by_id),
            _ => return Err(ambiguous(wanted, &by_id)),
        }
    }
    if is_glob(name) {
        let matching: Vec<_> = candidates()
            .filter(|one| one.has_agent && matches_glob(name, &one.name))
            .collect();
        if !matching.is_empty() {
            return Ok(matching);
        }
    }
    Err(unknown(fleet, wanted, name))
}

fn ambiguous(wanted: &str, found: &[&Container]) -> Failure {
    let shown: Vec<String> = found
        .iter()
        .take(CANDIDATES)
        .map(|one| {
            let id: String = one.key.id.chars().take(12).collect();
            format!("{}/{} ({id})", one.key.host, one.name)
        })
        .collect();
    let more = match found.len().saturating_sub(CANDIDATES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Failure::new(
        Exit::Usage,
        format!(
            "`{wanted}` means {} containers: {}{more}",
            found.len(),
            shown.join(", ")
        ),
    )
    .hint("say which one, as HOST/NAME or by its id")
}

fn unknown(fleet: &Fleet, wanted: &str, name: &str) -> Failure {
    let mut near: Vec<(usize, &str)> = fleet
        .containers()
        .map(|one| (distance(&one.name, name), one.name.as_str()))
        .filter(|(distance, known)| {
            *distance <= known.chars().count().max(name.chars().count()).div_ceil(3)
                || (name.len() >= 3 && known.contains(name))
        })
        .collect();
    near.sort_unstable();
    near.dedup_by(|one, other| one.1 == other.1);
    near.truncate(3);
    let failure = Failure::new(Exit::Absent, format!("there is no container `{wanted}`"));
    if near.is_empty() {
        failure.hint("`ww-ctl ls` shows what there is, `ww-ctl ls -a` those without an agent too")
    } else {
        let names: Vec<String> = near.iter().map(|(_, name)| format!("`{name}`")).collect();
        failure.hint(format!(
            "did you mean {}? `ww-ctl ls` shows what there is",
            names.join(" or ")
        ))
    }
}

/// Whether a text matches a pattern in which `*` stands for any characters and `?` for one.
pub(crate) fn matches_glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows a star does not match: one character later.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match retry {
                Some((after_star, from)) => {
                    p = after_star;
                    t = from + 1;
                    retry = Some((after_star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{EngineState, Input, Listed, Stamp};
    use std::sync::Arc;
    use whaleware::lifecycle::Moment;

    fn listed(id: &str, name: &str, labels: &[(&str, &str)]) -> Listed {
        Listed {
            id: Arc::from(id),
            name: name.into(),
            image: format!("{name}:1"),
            has_agent: name != "postgres",
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
            engine: EngineState::Running,
            created: None,
            started: None,
            finished: None,
        }
    }

    fn fleet() -> Fleet {
        let now = Stamp {
            moment: Moment::default(),
            wall: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut fleet = Fleet::new([Arc::from("local"), Arc::from("ops2")]);
        for (host, containers) in [
            (
                "local",
                vec![
                    listed("aaaa11", "shop-1", &[("tier", "web"), (PROJECT, "shop")]),
                    listed("aaaa22", "shop-2", &[("tier", "web")]),
                    listed("bbbb11", "postgres", &[]),
                    listed("cccc11", "deadbeef", &[]),
                ],
            ),
            ("ops2", vec![listed("dead01", "shop-1", &[("tier", "db")])]),
        ] {
            let listing = Input::Listing {
                host: Arc::from(host),
                clock: now.wall,
                containers,
            };
            fleet.apply(listing, now);
        }
        fleet
    }

    fn pick(names: &[&str], all: bool, filters: &[&str]) -> Result<Vec<String>, Failure> {
        let selection = Selection {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            all,
            filters: filters.iter().map(|text| text.parse().unwrap()).collect(),
        };
        let fleet = fleet();
        selection.pick(&fleet).map(|keys| {
            keys.iter()
                .map(|key| format!("{}/{}", key.host, fleet.get(key).unwrap().name))
                .collect()
        })
    }

    #[test]
    fn a_name_is_exact_then_an_id_then_a_pattern() {
        assert_eq!(pick(&["shop-2"], false, &[]).unwrap(), ["local/shop-2"]);
        assert_eq!(pick(&["bbbb"], false, &[]).unwrap(), ["local/postgres"]);
        assert_eq!(pick(&["AAAA22"], false, &[]).unwrap(), ["local/shop-2"]);
        // A name that looks like an id is a name first.
        assert_eq!(pick(&["deadbeef"], false, &[]).unwrap(), ["local/deadbeef"]);
        assert_eq!(pick(&["dead"], false, &[]).unwrap(), ["ops2/shop-1"]);
        assert_eq!(
            pick(&["shop-*"], false, &[]).unwrap(),
            ["local/shop-1", "ops2/shop-1", "local/shop-2"]
        );
        assert_eq!(pick(&["ops2/shop-1"], false, &[]).unwrap(), ["ops2/shop-1"]);
        assert_eq!(pick(&["ops2/*"], false, &[]).unwrap(), ["ops2/shop-1"]);
        assert_eq!(
            pick(&["shop-2", "shop-?", "shop-2"], false, &["name=*-2"]).unwrap(),
            ["local/shop-2"]
        );
    }

    #[test]
    fn filters_hold_together() {
        assert_eq!(
            pick(&[], false, &["label=tier=web"]).unwrap(),
            ["local/shop-1", "local/shop-2"]
        );
        assert_eq!(
            pick(&[], false, &["label=tier", "project=shop"]).unwrap(),
            ["local/shop-1"]
        );
        assert_eq!(
            pick(&[], false, &["image=postgres:*"]).unwrap(),
            ["local/postgres"]
        );
        assert_eq!(
            pick(&[], true, &[]).unwrap().len(),
            4,
            "those with an agent"
        );
        assert_eq!(pick(&[], true, &["state=dockerup"]).unwrap().len(), 4);
        assert_eq!(
            pick(&[], true, &["state=UP"]).unwrap_err().exit,
            Exit::Absent
        );
    }

    #[test]
    fn what_is_not_clear_is_refused_with_what_there_is() {
        let several = pick(&["shop-1"], false, &[]).unwrap_err();
        assert_eq!(several.exit, Exit::Usage);
        assert_eq!(
            several.message,
            "`shop-1` means 2 containers: local/shop-1 (aaaa11), ops2/shop-1 (dead01)"
        );
        assert_eq!(pick(&["aaaa"], false, &[]).unwrap_err().exit, Exit::Usage);
        let unknown = pick(&["shpo-2"], false, &[]).unwrap_err();
        assert_eq!(unknown.exit, Exit::Absent);
        assert_eq!(
            unknown.hint.unwrap(),
            "did you mean `shop-2` or `shop-1`? `ww-ctl ls` shows what there is"
        );
        // Three letters are no id.
        assert_eq!(pick(&["bbb"], false, &[]).unwrap_err().exit, Exit::Absent);
        assert_eq!(
            pick(&["nothing*"], false, &[]).unwrap_err().exit,
            Exit::Absent
        );
        assert_eq!(pick(&[], false, &[]).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("shop", "shop-1", false),
            ("shop*", "shop-1", true),
            ("*-1", "shop-1", true),
            ("s*p-?", "shop-1", true),
            ("s**1", "shop-1", true),
            ("?", "", false),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("漢?", "漢字", true),
        ] {
            assert_eq!(matches_glob(pattern, text), expected, "{pattern} {text}");
        }
        // A pattern of stars does not take for ever.
        assert!(!matches_glob(&"*a".repeat(200), &"a".repeat(150)));
    }

    #[test]
    fn filters_that_make_no_sense_say_what_would() {
        assert!(
            "state=LATER"
                .parse::<Filter>()
                .unwrap_err()
                .contains("LATER")
        );
        assert!(
            "health=fine"
                .parse::<Filter>()
                .unwrap_err()
                .contains("passing")
        );
        assert!(
            "colour=red"
                .parse::<Filter>()
                .unwrap_err()
                .contains("project")
        );
    }
}
