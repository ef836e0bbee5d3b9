//! What every command has to hand.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use whaleware::env::WW_VAULT;
use whaleware::paths::LABEL_AGENT;

use crate::audit::Journal;
use crate::cli::{Format, Global};
use crate::clock::Clock;
use crate::engine::{Engine, Scope, Target, Wanted, resolve};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::fleet::{ContainerKey, Fleet, HostName, HostStatus, Input, Stamp, kept_for};
use crate::output::{Output, Verbosity};
use crate::selection::Selection;
use crate::tui::Access;
use crate::units::{age, clock_time, duration};
use crate::watch::{Absent, Backups, Feed, last_answer, list, list_named, look};

use super::live::Live;

/// Clocks that differ by more are worth a word.
const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// What every command has to hand.
pub(crate) struct Context {
    /// The Engines.
    pub targets: Vec<Target>,
    /// The clock.
    pub clock: Clock,
    /// Where to write.
    pub output: Output,
    /// How data is printed.
    pub format: Format,
    /// Who acts.
    pub by: String,
    /// Where it is written down.
    pub audit: Journal,
    /// The words of the command line that say which Engines are meant.
    pub(super) engines: Vec<String>,
    read_only: bool,
    yes: bool,
    /// Whether some of what was meant may be on a host that did not answer.
    unseen: AtomicBool,
}

fn engines(global: &Global) -> Vec<String> {
    let hosts = global.hosts.iter().map(|url| ["-H", url.as_str()]);
    let contexts = global.contexts.iter().map(|name| ["-c", name.as_str()]);
    let words = hosts.chain(contexts).flatten();
    words.map(str::to_owned).collect()
}

impl Context {
    /// From the global options. `spoken` is the command line, for the audit journal.
    ///
    /// # Errors
    /// When it is not clear which Engine is meant.
    pub(crate) fn new(
        global: &Global,
        spoken: Vec<String>,
        output: Output,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let config = environment::docker_config();
        let targets = resolve(&Wanted {
            hosts: &global.hosts,
            contexts: &global.contexts,
            config: config.as_deref(),
            variable: &environment::variable,
        })?;
        let by = environment::operator();
        Ok(Self {
            audit: Journal::new(&by, spoken, clock, output),
            engines: engines(global),
            targets,
            clock,
            output,
            format: global.format,
            by,
            read_only: global.read_only,
            yes: global.yes,
            unseen: AtomicBool::new(false),
        })
    }

    /// How much is said.
    pub(crate) const fn verbosity(global: &Global) -> Verbosity {
        if global.quiet {
            Verbosity::Quiet
        } else if global.verbose {
            Verbosity::Verbose
        } else {
            Verbosity::Normal
        }
    }

    /// One look at the fleet, and how it ends when all else goes well: with [`Exit::Engine`] when
    /// a host did not answer, which has been said then. Hosts that cannot have what is selected are
    /// not asked, nor are the agents of containers that cannot be meant. Backups are looked for, too.
    ///
    /// # Errors
    /// When no host answers.
    pub(crate) async fn look(
        &self,
        scope: Scope,
        selection: &Selection,
    ) -> Result<(Fleet, Exit), Failure> {
        let targets = self.targets_for(selection);
        let (fleet, absent) = look(
            &targets,
            scope,
            selection,
            Some(&self.backups()),
            self.clock,
        )
        .await;
        let exit = self.weigh(&targets, absent)?;
        self.warn_of_skew(&fleet);
        Ok((fleet, exit))
    }

    /// What looks for backups.
    pub(super) fn backups(&self) -> Backups {
        let usual = environment::variable(WW_VAULT).map(PathBuf::from);
        Backups::new(usual, self.clock)
    }

    /// The containers that are meant, found by listing only, unless only their agents know. Those without an agent are looked for
    /// where no other is meant.
    ///
    /// # Errors
    /// When no host answers, or nothing is meant or too much.
    pub(crate) async fn find(
        &self,
        selection: &Selection,
    ) -> Result<(Fleet, Vec<ContainerKey>), Failure> {
        let (fleet, keys, _) = self.find_some(selection).await?;
        Ok((fleet, keys))
    }

    /// The same, and how it ends when all else goes well: with [`Exit::Engine`] when a host did not
    /// answer, which has been said then.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn find_some(
        &self,
        selection: &Selection,
    ) -> Result<(Fleet, Vec<ContainerKey>, Exit), Failure> {
        let targets = self.targets_for(selection);
        let (fleet, absent) = if selection.asks_agents() {
            look(&targets, Scope::Agents, selection, None, self.clock).await
        } else {
            list(&targets, Scope::Agents, self.clock).await
        };
        let exit = self.weigh(&targets, absent)?;
        match selection.pick(&fleet) {
            Err(failure) if failure.exit == Exit::Absent => {}
            picked => return picked.map(|keys| (fleet, keys, exit)),
        }
        let answering = answering(&targets, &fleet);
        let (everything, _) = list(&answering, Scope::Everything, self.clock).await;
        match selection.pick(&everything) {
            Err(failure) => Err(elsewhere(failure, selection, &fleet)),
            Ok(keys) => Ok((everything, keys, exit)),
        }
    }

    /// The same for a command that is about one.
    ///
    /// # Errors
    /// The same, and when several are meant.
    pub(crate) async fn find_one(&self, name: &str) -> Result<(Fleet, ContainerKey), Failure> {
        let selection = Selection::one(name);
        let targets = self.targets_for(&selection);
        // On one host a name says which container is meant, whatever others there are.
        if let ([target], Some(plain)) = (targets.as_slice(), plain_name(name)) {
            let (fleet, absent) = list_named(target, Scope::Agents, plain, self.clock).await;
            self.weigh(&targets, absent)?;
            if let Ok(key) = selection.pick_one(&fleet) {
                return Ok((fleet, key));
            }
        }
        let (fleet, _) = self.find(&selection).await?;
        let key = selection.pick_one(&fleet)?;
        Ok((fleet, key))
    }

    /// The containers that are meant among those with an agent.
    ///
    /// # Errors
    /// As [`Selection::pick`]; a container that is there but has no agent is told from one that is
    /// not there, and one that is not there from one that may be on a host that does not answer.
    pub(crate) async fn pick(
        &self,
        selection: &Selection,
        fleet: &Fleet,
    ) -> Result<Vec<ContainerKey>, Failure> {
        let failure = match selection.pick(fleet) {
            Err(failure) if failure.exit == Exit::Absent => failure,
            picked => return picked,
        };
        if selection.names.is_empty() {
            return Err(elsewhere(failure, selection, fleet));
        }
        let answering = answering(&self.targets_for(selection), fleet);
        let (everything, _) = list(&answering, Scope::Everything, self.clock).await;
        let failure = without_agent(selection, &everything).unwrap_or(failure);
        Err(elsewhere(failure, selection, fleet))
    }

    /// The same, for what is done to them or waited for. Those that an upgrade keeps are meant only
    /// where they are spelled out: a pattern that fits the one in use fits them too.
    ///
    /// # Errors
    /// The same, and when none is left.
    async fn pick_in_use(
        &self,
        selection: &Selection,
        fleet: &Fleet,
    ) -> Result<Vec<ContainerKey>, Failure> {
        let keys = self.pick(selection, fleet).await?;
        without_kept(selection, fleet, keys)
    }

    /// The hosts that may have what is selected; all where none can.
    fn targets_for(&self, selection: &Selection) -> Vec<Target> {
        let may = |target: &&Target| selection.may_be_on(&target.name);
        let some: Vec<Target> = self.targets.iter().filter(may).cloned().collect();
        if some.is_empty() {
            self.targets.clone()
        } else {
            some
        }
    }

    /// The same among those that are watched. Where it takes the word of agents to tell which are
    /// meant, they are heard first.
    ///
    /// # Errors
    /// As [`Self::pick_in_use`], and when nothing can be watched any more.
    pub(super) async fn pick_live(
        &self,
        selection: &Selection,
        live: &mut Live,
    ) -> Result<Vec<ContainerKey>, Failure> {
        if selection.asks_agents() {
            let all = live.fleet.containers();
            let named = all.filter(|one| one.has_agent && selection.names_it(one));
            let named: Vec<ContainerKey> = named.map(|one| one.key.clone()).collect();
            live.introduced(&named).await?;
        }
        let keys = self.pick_in_use(selection, &live.fleet).await?;
        let mut hosts = live.fleet.hosts();
        if selection.is_open() && hosts.any(|host| host.status != HostStatus::Live) {
            self.unseen.store(true, Ordering::Relaxed);
        }
        Ok(keys)
    }

    /// How what went well has ended: with [`Exit::Engine`] where a host that did not answer may have
    /// more of what was meant, which has been said then.
    pub(super) fn all_told(&self, exit: Exit) -> Exit {
        if exit == Exit::Done && self.unseen.load(Ordering::Relaxed) {
            Exit::Engine
        } else {
            exit
        }
    }

    /// The Engine a container is on.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn engine(&self, host: &HostName) -> Result<Engine, Failure> {
        Ok(Engine::connect(self.target(host)?, self.clock).await?)
    }

    /// Where a host is.
    ///
    /// # Errors
    /// When it is none of those that are meant.
    pub(crate) fn target(&self, host: &HostName) -> Result<&Target, Failure> {
        let mut targets = self.targets.iter();
        targets
            .find(|target| target.name == *host)
            .ok_or_else(|| Failure::new(Exit::Engine, format!("there is no host {host}")))
    }

    /// How long things last is told by the hosts' clocks; that theirs differ should be known.
    fn warn_of_skew(&self, fleet: &Fleet) {
        for host in fleet.hosts().filter(|host| host.skew.abs() > SKEW) {
            let ahead = if host.skew.is_positive() {
                "ahead of"
            } else {
                "behind"
            };
            let by = duration(host.skew.unsigned_abs());
            let text = format!("the clock of {} is {by} {ahead} this one", host.name);
            self.output.warn(&text);
        }
    }

    /// Nothing to be done without any host; without some, that is said.
    ///
    /// # Errors
    /// When none answers.
    pub(super) fn weigh(&self, asked: &[Target], absent: Vec<Absent>) -> Result<Exit, Failure> {
        if absent.is_empty() {
            return Ok(Exit::Done);
        }
        let now = self.clock.now().wall;
        let all = absent.len() == asked.len();
        let mut hint = None;
        let mut told = Vec::new();
        for Absent { target, error } in absent {
            let last = last_answer(&target);
            let failure = Failure::from(error);
            hint = hint.or(failure.hint);
            let why = failure.message;
            told.push(match last {
                Some(last) if asked.len() == 1 => {
                    format!("{why}; it last answered {}", ago(last, now))
                }
                None if asked.len() == 1 => why,
                last => absence(&target.name, &why, last, now),
            });
        }
        if all && asked.len() == 1 {
            let mut failure = Failure::new(Exit::Engine, told.remove(0));
            failure.hint = hint;
            return Err(failure);
        }
        for text in told {
            self.output.warn(&text);
        }
        if all {
            let text = format!("none of the {} hosts answers", asked.len());
            let mut failure = Failure::new(Exit::Engine, text);
            failure.hint = hint;
            return Err(failure);
        }
        Ok(Exit::Engine)
    }

    /// The fleet, live, once every host has answered or has been given up for now. Hosts that cannot
    /// have what is selected are not asked, nor are the agents of containers that cannot be meant.
    ///
    /// # Errors
    /// When no host answers.
    pub(crate) async fn live(&self, scope: Scope, selection: &Selection) -> Result<Live, Failure> {
        let targets = self.targets_for(selection);
        let meant = Some(selection.clone());
        self.live_on_all(&targets, scope, meant).await
    }

    /// One host, live, once it has answered.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn live_on(&self, target: &Target, scope: Scope) -> Result<Live, Failure> {
        self.live_on_all(std::slice::from_ref(target), scope, None)
            .await
    }

    async fn live_on_all(
        &self,
        targets: &[Target],
        scope: Scope,
        meant: Option<Selection>,
    ) -> Result<Live, Failure> {
        let take = |fleet: &mut Fleet, input, now| drop(fleet.apply(input, now));
        Ok(self.live_to(targets, scope, meant, take).await?.0)
    }

    /// The same as [`Self::live`], with all that comes meanwhile taken in by somebody else; and how it
    /// ends when all else goes well, as in [`Self::look`].
    ///
    /// # Errors
    /// When no host answers.
    pub(super) async fn live_and(
        &self,
        scope: Scope,
        selection: &Selection,
        take: impl FnMut(&mut Fleet, Input, Stamp),
    ) -> Result<(Live, Exit), Failure> {
        let meant = Some(selection.clone());
        self.live_to(&self.targets_for(selection), scope, meant, take)
            .await
    }

    async fn live_to(
        &self,
        targets: &[Target],
        scope: Scope,
        meant: Option<Selection>,
        take: impl FnMut(&mut Fleet, Input, Stamp),
    ) -> Result<(Live, Exit), Failure> {
        let feed = Feed::open_for(targets.to_vec(), scope, meant, &self.by, self.clock);
        let fleet = Fleet::new(targets.iter().map(|target| target.name.clone()));
        let mut live = Live::new(feed, fleet, self.clock);
        let absent = live.settle(targets, take).await?;
        let exit = self.weigh(targets, absent)?;
        Ok((live, exit))
    }

    /// Whether several hosts are watched, so that names alone do not say which container is meant.
    pub(crate) const fn has_several_hosts(&self) -> bool {
        self.targets.len() > 1
    }

    /// Whether the dashboard may change anything.
    pub(crate) const fn access(&self) -> Access {
        if self.read_only {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        }
    }

    /// Refuses when nothing may be changed.
    ///
    /// # Errors
    /// [`Exit::Refused`] under `--read-only`.
    pub(crate) fn may_change(&self, what: &str) -> Result<(), Failure> {
        may_change(self.read_only, what)
    }

    /// The name by which a container is meant: with its host's where several are watched. It can be
    /// given as NAME again.
    pub(crate) fn name_of(&self, host: &HostName, name: &str) -> String {
        if self.has_several_hosts() {
            format!("{host}/{name}")
        } else {
            name.to_owned()
        }
    }

    /// Whether a question can be answered by anybody.
    pub(crate) fn can_confirm(&self) -> bool {
        self.yes || Output::can_ask()
    }

    /// Has `what` confirmed, such as "stop 3 containers: a, b, c".
    ///
    /// # Errors
    /// [`Exit::Refused`] when it is not, or nobody can be asked.
    pub(crate) async fn confirm(&self, what: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !Output::can_ask() {
            return Err(Failure::new(
                Exit::Refused,
                format!("refused to {what}: not confirmed, and there is no terminal to ask on"),
            )
            .hint("add --yes if that is what you want"));
        }
        if Output::confirm(format!("{}?", capital(what))).await {
            Ok(())
        } else {
            Err(Failure::new(Exit::Refused, format!("did not {what}")))
        }
    }
}

/// A host that does not answer: why, and when it did last.
fn absence(name: &str, why: &str, last: Option<Timestamp>, now: Timestamp) -> String {
    let last = match last {
        Some(last) => format!("last answered {}", ago(last, now)),
        None => "never answered".to_owned(),
    };
    format!("host {name} does not answer: {why}; {last}")
}

/// `16:15:10Z, 12m ago`, with its day where that is another.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let length = now.duration_since(at).unsigned_abs();
    format!("{}, {} ago", clock_time(at, now), age(length))
}

/// The hosts that answer.
fn answering(targets: &[Target], fleet: &Fleet) -> Vec<Target> {
    let live = |target: &&Target| {
        let host = fleet.host(&target.name);
        host.is_some_and(|host| host.status == HostStatus::Live)
    };
    targets.iter().filter(live).cloned().collect()
}

/// What is not found may be on a host that does not answer: that is another failure, and not the
/// name's.
fn elsewhere(failure: Failure, selection: &Selection, fleet: &Fleet) -> Failure {
    if failure.exit != Exit::Absent || selection.names_other_host(fleet) {
        return failure;
    }
    let silent: Vec<&str> = fleet
        .hosts()
        .filter(|host| host.status != HostStatus::Live)
        .map(|host| &*host.name)
        .collect();
    if silent.is_empty() {
        return failure;
    }
    let names = silent.join(", ");
    let text = format!("{}, unless it is on {names}", failure.message);
    Failure::new(Exit::Engine, text).hint(format!(
        "{names} did not answer; try again, or leave it out of the hosts that are asked"
    ))
}

/// Leaves out what an upgrade keeps and nobody has spelled out.
fn without_kept(
    selection: &Selection,
    fleet: &Fleet,
    mut keys: Vec<ContainerKey>,
) -> Result<Vec<ContainerKey>, Failure> {
    keys.retain(|key| {
        let one = fleet.get(key);
        one.is_some_and(|one| kept_for(&one.name).is_none() || selection.spells(one))
    });
    if keys.is_empty() {
        return Err(Failure::new(
            Exit::Absent,
            "no container matches but those that an upgrade keeps",
        )
        .hint("name one by the whole of its name if it is meant"));
    }
    Ok(keys)
}

/// Refuses when nothing may be changed.
///
/// # Errors
/// [`Exit::Refused`] under `--read-only`.
pub(super) fn may_change(read_only: bool, what: &str) -> Result<(), Failure> {
    if read_only {
        return Err(
            Failure::new(Exit::Refused, format!("cannot {what}: read-only"))
                .hint("leave out --read-only to act"),
        );
    }
    Ok(())
}

/// The container's part of `NAME` or `HOST/NAME`, where it can be nothing else than a name or an id.
fn plain_name(name: &str) -> Option<&str> {
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// Why containers that are there cannot be meant; none when it is not for want of an agent.
fn without_agent(selection: &Selection, everything: &Fleet) -> Option<Failure> {
    let keys = selection.pick(everything).ok()?;
    let mut plain = keys
        .iter()
        .filter_map(|key| everything.get(key))
        .filter(|one| !one.has_agent);
    let name = &plain.next()?.name;
    let message = format!("`{name}` has no agent (its image lacks the label {LABEL_AGENT})");
    let hint = format!(
        "plain `docker start {name}`, `docker stop {name}` and so on are what there is for it; \
         `ww-ctl ls -a` shows it"
    );
    Some(Failure::new(Exit::Absent, message).hint(hint))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::EngineState;
    use crate::fleet::scene::{at, listed, listing};

    #[test]
    fn what_an_upgrade_keeps_is_meant_only_where_it_is_spelled_out() {
        let mut fleet = Fleet::new([std::sync::Arc::from(crate::fleet::scene::HOST)]);
        let called = |id: &str, name: &str| {
            let mut one = listed(id, EngineState::Running);
            name.clone_into(&mut one.name);
            one
        };
        let all = vec![called("a", "shop"), called("b", "shop.ww-old")];
        fleet.apply(listing(all), at(0));
        let picked = |name: &str| {
            let selection = Selection::one(name);
            let keys = selection.pick(&fleet).unwrap();
            let keys = without_kept(&selection, &fleet, keys)?;
            let meant = keys.iter().map(|key| fleet.get(key).unwrap().name.clone());
            Ok::<Vec<String>, Failure>(meant.collect())
        };
        assert_eq!(picked("shop*").unwrap(), ["shop"]);
        assert_eq!(picked("shop.ww-old").unwrap(), ["shop.ww-old"]);
        assert_eq!(picked("*-old").unwrap_err().exit, Exit::Absent);
    }

    #[test]
    fn what_has_no_agent_is_told_from_what_is_not_there() {
        let mut plain = listed("a", EngineState::Running);
        plain.has_agent = false;
        let mut fleet = Fleet::new([std::sync::Arc::from(crate::fleet::scene::HOST)]);
        let agent = listed("b", EngineState::Running);
        fleet.apply(listing(vec![plain, agent]), at(0));
        let failure = without_agent(&Selection::one("name-a"), &fleet).unwrap();
        assert_eq!(failure.exit, Exit::Absent);
        assert_eq!(
            failure.message,
            "`name-a` has no agent (its image lacks the label io.whaleware.agent)"
        );
        for name in ["name-b", "name-c"] {
            assert_eq!(without_agent(&Selection::one(name), &fleet), None);
        }
    }
}
