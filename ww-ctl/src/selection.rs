//! Which containers a command is about: NAME…, `--all`, `--filter`.

use std::fmt;
use std::str::FromStr;

use whaleware::lifecycle::State;
use whaleware::protocol::HealthStatus;
use whaleware::spelling::{distance, nearest};

use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, Fleet, HostName, Listed, kept_for};

/// The shortest part of an id that is taken for one.
const SHORTEST_ID: usize = 4;
/// The label by which Compose names a project.
pub(crate) const PROJECT: &str = "com.docker.compose.project";
/// So many candidates are named.
const CANDIDATES: usize = 10;
/// What a filter can look at.
pub(crate) const KEYS: [&str; 7] = [
    "name", "label", "state", "health", "image", "project", "host",
];
/// What the checks of a container can say.
pub(crate) const HEALTH: [&str; 3] = ["unknown", "passing", "failing"];

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
    /// Its Compose project's name matches this pattern.
    Project(String),
    /// It is on a host whose name matches this pattern.
    Host(String),
    /// It is not as another filter says.
    Not(Box<Self>),
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Ok(Self::Name(text.to_owned()));
        };
        if let Some(key) = key.strip_suffix('!') {
            return Self::read(key, value).map(|filter| Self::Not(Box::new(filter)));
        }
        Self::read(key, value)
    }
}

/// Asks for the word that was meant, behind an error; nothing where none is near.
pub(crate) fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

impl Filter {
    fn read(key: &str, value: &str) -> Result<Self, String> {
        match key {
            "name" => Ok(Self::Name(value.to_owned())),
            "label" => Ok(match value.split_once('=') {
                Some((label, value)) => Self::Label(label.to_owned(), Some(value.to_owned())),
                None => Self::Label(value.to_owned(), None),
            }),
            "state" => value
                .parse()
                .map(Self::State)
                .map_err(|error: <State as FromStr>::Err| {
                    let near = nearest(&value.to_ascii_uppercase(), &State::ALL.map(State::name));
                    format!("{error}{}", meant(near))
                }),
            "health" => match value {
                "unknown" => Ok(Self::Health(HealthStatus::Unknown)),
                "passing" => Ok(Self::Health(HealthStatus::Passing)),
                "failing" => Ok(Self::Health(HealthStatus::Failing)),
                _ => Err(format!("health is one of {}", HEALTH.join(", "))),
            },
            "image" => Ok(Self::Image(value.to_owned())),
            "project" => Ok(Self::Project(value.to_owned())),
            "host" => Ok(Self::Host(value.to_owned())),
            _ => {
                let meant = meant(nearest(key, &KEYS));
                Err(format!("the keys are {}{meant}", KEYS.join(", ")))
            }
        }
    }

    /// What it looks at.
    const fn key(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Label(..) => "label",
            Self::State(_) => "state",
            Self::Health(_) => "health",
            Self::Image(_) => "image",
            Self::Project(_) => "project",
            Self::Host(_) => "host",
            Self::Not(filter) => filter.key(),
        }
    }

    /// Whether it must hold whatever the others say. A container has many labels and one of
    /// everything else, so that of several filters with one other key one is enough, as for `docker ps`.
    const fn holds_alone(&self) -> bool {
        matches!(self, Self::Label(..) | Self::Not(_))
    }

    /// Whether what it looks at stays as it is and is known without asking an agent.
    const fn lasts(&self) -> bool {
        match self {
            Self::Name(_) | Self::Label(..) | Self::Image(_) | Self::Project(_) | Self::Host(_) => {
                true
            }
            Self::State(_) | Self::Health(_) => false,
            Self::Not(filter) => filter.lasts(),
        }
    }

    fn accepts(&self, container: &Container) -> bool {
        let label = |key: &str, value: &dyn Fn(&str) -> bool| {
            let mut labels = container.labels.iter();
            labels.any(|(known, its)| known == key && value(its))
        };
        match self {
            Self::Name(pattern) => matches_glob(pattern, &container.name),
            Self::Label(key, value) => {
                label(key, &|its| value.as_ref().is_none_or(|value| its == value))
            }
            Self::State(state) => container.state() == Some(*state),
            Self::Health(health) => container.health() == *health,
            Self::Image(pattern) => matches_glob(pattern, &container.image),
            Self::Project(pattern) => label(PROJECT, &|its| matches_glob(pattern, its)),
            Self::Host(pattern) => matches_glob(pattern, &container.key.host),
            Self::Not(filter) => !filter.accepts(container),
        }
    }

    /// What it looks for.
    fn value(&self) -> String {
        match self {
            Self::Name(text) | Self::Image(text) | Self::Project(text) | Self::Host(text) => {
                text.clone()
            }
            Self::Label(key, None) => key.clone(),
            Self::Label(key, Some(value)) => format!("{key}={value}"),
            Self::State(state) => state.to_string(),
            Self::Health(health) => match health {
                HealthStatus::Unknown => HEALTH[0].to_owned(),
                HealthStatus::Passing => HEALTH[1].to_owned(),
                HealthStatus::Failing => HEALTH[2].to_owned(),
            },
            Self::Not(filter) => filter.value(),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = if matches!(self, Self::Not(_)) {
            "!="
        } else {
            "="
        };
        write!(formatter, "{}{is}{}", self.key(), self.value())
    }
}

/// What was said about which containers are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// NAME…
    pub names: Vec<String>,
    /// `--all`.
    pub all: bool,
    /// `--filter`: of those with one key one must hold (of labels, each), and every one that says
    /// what is not to be.
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

    /// Whether it takes the word of agents to tell which containers are meant.
    pub(crate) fn asks_agents(&self) -> bool {
        self.filters.iter().any(|filter| !filter.lasts())
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

    /// Whether a container may be meant, by what its listing says of it: what its agent says can
    /// only be known by asking it, which the others need not be.
    pub(crate) fn may_mean(&self, host: &HostName, listed: &Listed) -> bool {
        if self.names.is_empty() && self.filters.is_empty() {
            return true;
        }
        let container = Container::listed(host, listed);
        if let Some(base) = kept_for(&container.name) {
            // What an upgrade keeps is the same under another name, and of another image.
            let base = base.to_owned();
            return self.names_it(&container)
                || self.names_it(&Container {
                    name: base,
                    ..container
                });
        }
        let lasting = Self {
            names: self.names.clone(),
            all: self.all,
            filters: self
                .filters
                .iter()
                .filter(|one| one.lasts())
                .cloned()
                .collect(),
        };
        lasting.accepts(&container)
    }

    /// Whether the filters let a container pass.
    pub(crate) fn filters_accept(&self, container: &Container) -> bool {
        self.filters.iter().all(|filter| {
            filter.accepts(container)
                || (!filter.holds_alone()
                    && self.filters.iter().any(|other| {
                        !other.holds_alone()
                            && other.key() == filter.key()
                            && other.accepts(container)
                    }))
        })
    }

    /// Whether anything that is meant may be on this host. A host's name may contain a slash itself, a
    /// container's cannot.
    pub(crate) fn may_be_on(&self, host: &str) -> bool {
        let named = |name: &String| match name.rsplit_once('/') {
            Some((on, _)) => on == host,
            None => true,
        };
        let on = |filter: &Filter| match filter {
            Filter::Host(pattern) => Some(matches_glob(pattern, host)),
            Filter::Name(_)
            | Filter::Label(..)
            | Filter::State(_)
            | Filter::Health(_)
            | Filter::Image(_)
            | Filter::Project(_)
            | Filter::Not(_) => None,
        };
        let hosts: Vec<bool> = self.filters.iter().filter_map(on).collect();
        let kept_out = self
            .filters
            .iter()
            .any(|filter| matches!(filter, Filter::Not(filter) if on(filter) == Some(true)));
        (self.names.is_empty() || self.names.iter().any(named))
            && (hosts.is_empty() || hosts.contains(&true))
            && !kept_out
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
        picked.retain(|one| self.filters_accept(one));
        if picked.is_empty() {
            let filters: Vec<String> = self.filters.iter().map(Filter::to_string).collect();
            let message = format!("no container matches {}", filters.join(", "));
            return Err(Failure::new(Exit::Absent, message.trim_end())
                .hint("`ww-ctl ls` shows what there is"));
        }
        picked.sort_by(|one, other| (&one.name, &one.key).cmp(&(&other.name, &other.key)));
        Ok(picked.into_iter().map(|one| one.key.clone()).collect())
    }

    /// Whether it means whatever there is of a kind, so that a host that does not answer may have some
    /// of it whatever the others have.
    pub(crate) fn is_open(&self) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| is_glob(name))
    }

    /// Whether a name is on a host that is none of these.
    pub(crate) fn names_other_host(&self, fleet: &Fleet) -> bool {
        let hosts = self.names.iter().filter_map(|name| name.rsplit_once('/'));
        hosts
            .into_iter()
            .any(|(host, _)| fleet.host(host).is_none())
    }

    /// Whether a container is named by the whole of its name or by its id, not by a pattern.
    pub(crate) fn spells(&self, container: &Container) -> bool {
        self.names.iter().any(|name| {
            let (host, name) = split_host(name, container);
            host && (container.name == name
                || (is_id(name) && container.key.id.starts_with(&name.to_ascii_lowercase())))
        })
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
    if let Some((host, _)) = wanted.rsplit_once('/')
        && fleet.host(host).is_none()
    {
        return Err(unknown_host(fleet, wanted, host));
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

fn unknown_host(fleet: &Fleet, wanted: &str, host: &str) -> Failure {
    let names: Vec<&str> = fleet.hosts().map(|host| &*host.name).collect();
    Failure::new(
        Exit::Absent,
        format!("there is no container `{wanted}`: no host here is called `{host}`"),
    )
    .hint(format!(
        "the hosts are: {}; -H and -c add others",
        names.join(", ")
    ))
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
    use crate::fleet::{EngineState, Input, Keeping, Stamp};
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
            keeping: Keeping::default(),
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
                skew: jiff::SignedDuration::ZERO,
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
        assert_eq!(pick(&[], false, &["host=ops*"]).unwrap(), ["ops2/shop-1"]);
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
    fn of_one_key_one_is_enough_but_each_label_and_all_that_is_not_to_be() {
        let all = |filters: &[&str]| pick(&[], true, filters).unwrap();
        assert_eq!(
            all(&["name=shop-2", "name=dead*"]),
            ["local/deadbeef", "local/shop-2"]
        );
        assert_eq!(
            all(&["name=shop-*", "name=dead*", "label=tier=web"]),
            ["local/shop-1", "local/shop-2"]
        );
        assert_eq!(all(&["label=tier", "label=tier=db"]), ["ops2/shop-1"]);
        assert_eq!(
            pick(&[], true, &["label=tier=web", "label=tier=db"])
                .unwrap_err()
                .message,
            "no container matches label=tier=web, label=tier=db"
        );
        assert_eq!(all(&["state=UP", "state=DOCKERUP"]).len(), 4);
        assert_eq!(all(&["label!=tier"]), ["local/deadbeef"]);
        assert_eq!(
            all(&["label=tier", "label!=tier=db"]),
            ["local/shop-1", "local/shop-2"]
        );
        assert_eq!(
            all(&["name!=shop-1", "name!=shop-2"]),
            ["local/deadbeef"],
            "neither"
        );
        assert_eq!(
            all(&["name=shop-*", "name!=shop-2", "project!=sh?p"]),
            ["ops2/shop-1"]
        );
        assert_eq!(
            pick(&[], true, &["state!=DOCKERUP", "health!=passing"])
                .unwrap_err()
                .message,
            "no container matches state!=DOCKERUP, health!=passing"
        );
    }

    #[test]
    fn only_who_may_be_meant_is_asked() {
        let one = listed("aaaa11", "shop-1", &[("tier", "web")]);
        for (names, filters, expected) in [
            (&[][..], &[][..], true),
            (&["shop-1"], &[], true),
            (&["shop-2"], &[], false),
            (&["aaaa"], &[], true),
            (&["local/shop-*"], &[], true),
            (&["ops2/shop-1"], &[], false),
            (&[], &["label=tier=web", "state=ERROR"], true),
            (&[], &["label=tier=db", "state=DOCKERUP"], false),
            (&[], &["state!=DOCKERUP"], true),
            (&[], &["name!=shop-*"], false),
        ] {
            let selection = Selection {
                names: names.iter().map(|&name| name.to_owned()).collect(),
                all: false,
                filters: filters.iter().map(|text| text.parse().unwrap()).collect(),
            };
            let meant = selection.may_mean(&Arc::from("local"), &one);
            assert_eq!(meant, expected, "{names:?} {filters:?}");
        }
        let kept = listed("aaaa22", "shop-1.ww-new", &[]);
        for (name, expected) in [("shop-1", true), ("shop-1.ww-new", true), ("shop-2", false)] {
            let meant = Selection::one(name).may_mean(&Arc::from("local"), &kept);
            assert_eq!(meant, expected, "{name}");
        }
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
        for (filter, words) in [
            ("state=LATER", "`LATER` is not a state"),
            ("state!=warmpu", "did you mean `WARMUP`?"),
            ("health=fine", "unknown, passing, failing"),
            ("colour=red", "name, label, state, health, image, project"),
            ("projct=shop", "did you mean `project`?"),
            ("lable!=a=b", "did you mean `label`?"),
        ] {
            let error = filter.parse::<Filter>().unwrap_err();
            assert!(error.contains(words), "{filter}: {error}");
        }
    }

    #[test]
    fn hosts_that_cannot_have_it_are_told_from_those_that_may() {
        let selection = |names: &[&str], filters: &[&str]| Selection {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            all: false,
            filters: filters.iter().map(|text| text.parse().unwrap()).collect(),
        };
        for (names, filters, local, ops) in [
            (&[][..], &[][..], true, true),
            (&["shop"], &[], true, true),
            (&["ops2/shop"], &[], false, true),
            (&["ops2/shop", "run/docker/x"], &[], false, true),
            (&["ops2/shop", "web"], &[], true, true),
            (&["shop"], &["host=l*"], true, false),
            (&["ops2/shop"], &["host=l*"], false, false),
            (&[], &["host=l*", "host=ops?"], true, true),
            (&[], &["host!=l*"], false, true),
        ] {
            let selection = selection(names, filters);
            assert_eq!(
                (selection.may_be_on("local"), selection.may_be_on("ops2")),
                (local, ops),
                "{names:?} {filters:?}"
            );
        }
        let failure = pick(&["ops3/shop-1"], false, &[]).unwrap_err();
        assert_eq!(
            failure.message,
            "there is no container `ops3/shop-1`: no host here is called `ops3`"
        );
        assert_eq!(
            failure.hint.unwrap(),
            "the hosts are: local, ops2; -H and -c add others"
        );
    }
}
