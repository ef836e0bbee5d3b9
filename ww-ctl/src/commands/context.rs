//! What every command has to hand.

use futures::future::join_all;
use jiff::SignedDuration;
use whaleware::paths::LABEL_AGENT;

use crate::cli::{Format, Global};
use crate::clock::Clock;
use crate::engine::{Engine, EngineError, Scope, Target, Wanted, resolve};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::fleet::{ContainerKey, Fleet, HostName};
use crate::output::{Output, Verbosity};
use crate::selection::Selection;
use crate::tui::Access;
use crate::units::duration;
use crate::watch::{Feed, list, look};

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
    read_only: bool,
    yes: bool,
}

impl Context {
    /// From the global options.
    ///
    /// # Errors
    /// When it is not clear which Engine is meant.
    pub(crate) fn new(global: &Global, output: Output, clock: Clock) -> Result<Self, Failure> {
        let config = environment::docker_config();
        let targets = resolve(&Wanted {
            hosts: &global.hosts,
            contexts: &global.contexts,
            config: config.as_deref(),
            variable: &environment::variable,
        })?;
        Ok(Self {
            targets,
            clock,
            output,
            format: global.format,
            by: environment::operator(),
            read_only: global.read_only,
            yes: global.yes,
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
    /// a host did not answer, which has been said then.
    ///
    /// # Errors
    /// When no host answers.
    pub(crate) async fn look(&self, scope: Scope) -> Result<(Fleet, Exit), Failure> {
        let (fleet, errors) = look(&self.targets, scope, self.clock).await;
        let exit = self.weigh(errors)?;
        self.warn_of_skew(&fleet);
        Ok((fleet, exit))
    }

    /// The containers that are meant, found by listing only. Those without an agent are looked for
    /// where no other is meant.
    ///
    /// # Errors
    /// When no host answers, or nothing is meant or too much.
    pub(crate) async fn find(
        &self,
        selection: &Selection,
    ) -> Result<(Fleet, Vec<ContainerKey>), Failure> {
        let (fleet, errors) = list(&self.targets, Scope::Agents, self.clock).await;
        self.weigh(errors)?;
        match selection.pick(&fleet) {
            Err(failure) if failure.exit == Exit::Absent => {}
            picked => return picked.map(|keys| (fleet, keys)),
        }
        let (fleet, errors) = list(&self.targets, Scope::Everything, self.clock).await;
        self.weigh(errors)?;
        selection.pick(&fleet).map(|keys| (fleet, keys))
    }

    /// The same for a command that is about one.
    ///
    /// # Errors
    /// The same, and when several are meant.
    pub(crate) async fn find_one(&self, name: &str) -> Result<(Fleet, ContainerKey), Failure> {
        let selection = Selection::one(name);
        let (fleet, _) = self.find(&selection).await?;
        let key = selection.pick_one(&fleet)?;
        Ok((fleet, key))
    }

    /// The containers that are meant among those with an agent.
    ///
    /// # Errors
    /// As [`Selection::pick`]; a container that is there but has no agent is told from one that is
    /// not there.
    pub(crate) async fn pick(
        &self,
        selection: &Selection,
        fleet: &Fleet,
    ) -> Result<Vec<ContainerKey>, Failure> {
        let failure = match selection.pick(fleet) {
            Err(failure) if failure.exit == Exit::Absent && !selection.names.is_empty() => failure,
            picked => return picked,
        };
        let (everything, _) = list(&self.targets, Scope::Everything, self.clock).await;
        Err(without_agent(selection, &everything).unwrap_or(failure))
    }

    /// The Engine a container is on.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn engine(&self, host: &HostName) -> Result<Engine, Failure> {
        let target = self
            .targets
            .iter()
            .find(|target| target.name == *host)
            .ok_or_else(|| Failure::new(Exit::Engine, format!("there is no host {host}")))?;
        Ok(Engine::connect(target, self.clock).await?)
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
    fn weigh(&self, mut errors: Vec<EngineError>) -> Result<Exit, Failure> {
        if errors.is_empty() {
            return Ok(Exit::Done);
        }
        if errors.len() == self.targets.len() {
            return Err(errors.remove(0).into());
        }
        for error in errors {
            self.output.warn(&Failure::from(error).message);
        }
        Ok(Exit::Engine)
    }

    /// The fleet, live, once every host has answered.
    ///
    /// # Errors
    /// When no host answers.
    pub(crate) async fn live(&self, scope: Scope) -> Result<Live, Failure> {
        // Asked first, because its error says more than a lost host in the model can.
        let pings = self
            .targets
            .iter()
            .map(|target| Engine::connect(target, self.clock));
        let answers = join_all(pings).await;
        self.weigh(answers.into_iter().filter_map(Result::err).collect())?;
        let feed = Feed::open(self.targets.clone(), scope, &self.by, self.clock);
        let fleet = Fleet::new(self.targets.iter().map(|target| target.name.clone()));
        let mut live = Live::new(feed, fleet, self.clock);
        live.settle().await?;
        Ok(live)
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
        if self.read_only {
            return Err(
                Failure::new(Exit::Refused, format!("cannot {what}: read-only"))
                    .hint("leave out --read-only to act"),
            );
        }
        Ok(())
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
