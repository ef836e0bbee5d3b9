//! The steps of an exchange, each as it is done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use super::plan::{Goal, Role, Step};
use super::slot::Found;
use crate::commands::act::Plan;
use crate::commands::drive::drive;
use crate::commands::printed::show_last;
use crate::commands::proof::prove;
use crate::commands::start::{start, started};
use crate::commands::stop::{stop, stopped};
use crate::engine::{Engine, EngineError, Inspected, Policy, Recipe};
use crate::exit::{Exit, Failure};
use crate::fleet::{ContainerKey, clean};

/// How long the old one has at least to be UP again, however little the new one was given.
const REVIVAL: Duration = Duration::from_secs(5 * 60);
/// The most characters shown of what others say.
const SHOWN: usize = 400;

impl Job<'_> {
    /// What could not be done on the way forward leads back.
    pub(super) async fn go_back(&mut self, found: &Found, step: &Step, failure: Failure) {
        if let Step::Prove(id) = step {
            self.show_output(found, id).await;
        }
        self.say(&format!("going back: {}", failure.message));
        self.wrong = Some(failure);
        self.wish.goal = Goal::Undo;
    }

    async fn show_output(&self, found: &Found, id: &str) {
        if let Ok(engine) = self.engine().await {
            let tty = found.get(id).is_some_and(Inspected::has_terminal);
            show_last(self.context.output, &engine, id, tty, &self.slot.name).await;
        }
    }

    /// Does one step.
    pub(super) async fn perform(&mut self, found: &Found, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Make => self.make(found).await,
            Step::Complete(id) => self.complete(found, id).await,
            Step::SetPolicy(id, policy) => {
                let text = format!("{}: restart policy {}", self.slot.name, policy.word());
                self.context.output.detail(&text);
                Ok(self.engine().await?.set_policy(id, *policy).await?)
            }
            Step::Stop(id) => self.stop(id).await,
            Step::Rename(id, role) => self.rename(id, *role).await,
            Step::Prove(id) => self.prove(id).await,
            Step::Revive(id) => self.revive(id).await,
            Step::Discard(id) => {
                self.engine().await?.discard(id).await?;
                let gone = found.get(id).map_or("it", Inspected::name);
                self.say(&format!("removed {gone}"));
                Ok(())
            }
            Step::Done | Step::Odd(_) => Ok(()),
        }
    }

    fn say(&self, words: &str) {
        self.context
            .output
            .say(&format!("{}: {words}", self.slot.name));
    }

    pub(super) fn image(&self) -> &str {
        self.arguments.image.as_deref().unwrap_or_default()
    }

    async fn make(&mut self, found: &Found) -> Result<(), Failure> {
        let engine = self.engine().await?;
        let main = found.seen.main.as_ref();
        let old = main.and_then(|main| found.get(&main.id));
        let Some(old) = old else {
            return Err(Failure::new(Exit::Failed, "it was removed meanwhile"));
        };
        let name = self.slot.new_name();
        let recipe = recipe(&engine, old, self.image()).await?;
        let (id, warnings) = engine.make(&name, &recipe).await.map_err(taken)?;
        self.wish.fresh = Some(id.clone());
        (self.wish.proven, self.wish.revived) = (false, false);
        let new = inspected(&engine, &id).await?;
        if self.wish.image.as_deref() != Some(new.image_id()) {
            let message = format!("{} names another image now than a moment ago", self.image());
            return Err(Failure::new(Exit::Failed, message));
        }
        engine.connect_networks(&new, &recipe).await?;
        let new = inspected(&engine, &id).await?;
        let odd = (!Engine::is_connected(&new, &recipe)).then(|| "not in all networks".to_owned());
        let differences = Engine::unmeant(old, &new).into_iter().chain(odd);
        for text in warnings.into_iter().chain(differences) {
            self.context
                .output
                .warn(&format!("{name}: {}", clean(&text, SHOWN)));
        }
        self.told.after = Some((id, new.image()));
        self.say(&format!("made {name} of {}", new.image()));
        Ok(())
    }

    async fn complete(&mut self, found: &Found, id: &str) -> Result<(), Failure> {
        let engine = self.engine().await?;
        let main = found.seen.main.as_ref();
        let old = main.and_then(|main| found.get(&main.id));
        let (Some(old), Some(new)) = (old, found.get(id)) else {
            return Err(Failure::new(Exit::Failed, "it was removed meanwhile"));
        };
        let recipe = recipe(&engine, old, self.image()).await?;
        engine.connect_networks(new, &recipe).await?;
        self.say("going on with an upgrade that was interrupted");
        self.wish.fresh = Some(id.to_owned());
        Ok(())
    }

    async fn rename(&mut self, id: &str, role: Role) -> Result<(), Failure> {
        let name = self.slot.named(role);
        self.engine()
            .await?
            .rename(id, &name)
            .await
            .map_err(taken)?;
        let image = |told: &Option<(String, String)>| {
            let of = told.as_ref().filter(|(known, _)| known == id);
            of.map_or_else(String::new, |(_, image)| format!(" ({image})"))
        };
        let image = image(&self.told.before) + &image(&self.told.after);
        let short: String = id.chars().take(12).collect();
        self.say(&format!("{short}{image} is {name} now"));
        Ok(())
    }

    async fn stop(&mut self, id: &str) -> Result<(), Failure> {
        let key = self.known(id).await?;
        if self.wish.goal == Goal::Forward && self.is_before(id) {
            self.told.down = Some(self.context.clock.now().moment);
        }
        let keys = [key];
        self.live.introduced(&keys).await?;
        let plan = Plan {
            act: &stop,
            judge: &|one, _, acted| stopped(one, acted),
            changed: &BTreeSet::new(),
            limit: None,
            turns: None,
            entry: None,
        };
        let outcomes = drive(self.context, self.live, &keys, &plan).await?;
        let Some(one) = outcomes.first().filter(|one| one.exit != Exit::Done) else {
            return Ok(());
        };
        let failure = Failure::new(one.exit, one.reason());
        let runs = inspected(&self.engine().await?, id).await?.is_running();
        if runs || self.wish.goal == Goal::Forward {
            return Err(failure);
        }
        // It has ended, if not in order, and it is on its way out.
        self.context
            .output
            .warn(&format!("{}: {}", self.slot.name, failure.message));
        Ok(())
    }

    fn is_before(&self, id: &str) -> bool {
        let before = self.told.before.as_ref();
        before.is_some_and(|(before, _)| before == id)
    }

    async fn prove(&mut self, id: &str) -> Result<(), Failure> {
        let key = self.known(id).await?;
        self.say(&format!("starting {}", self.image()));
        prove(self.context, self.live, &key, self.arguments.timeout).await?;
        self.wish.proven = true;
        let now = self.context.clock.now().moment;
        self.told.outage = self.told.down.map(|down| now - down);
        Ok(())
    }

    async fn revive(&mut self, id: &str) -> Result<(), Failure> {
        let key = self.known(id).await?;
        let plan = Plan {
            act: &start,
            judge: &started,
            changed: &BTreeSet::new(),
            limit: Some(self.arguments.timeout.max(REVIVAL)),
            turns: None,
            entry: None,
        };
        let outcomes = drive(self.context, self.live, &[key], &plan).await?;
        self.wish.revived = true;
        let result = match outcomes.first() {
            Some(one) if one.exit != Exit::Done => Err(one.reason().to_owned()),
            Some(_) | None => Ok(()),
        };
        let forward = self.wish.goal == Goal::Forward;
        let failed = result.clone().err();
        self.told.revival = Some(result);
        match failed.filter(|_| forward) {
            Some(reason) => Err(Failure::new(
                Exit::Failed,
                format!("the old one was put back, but it is not UP: {reason}"),
            )),
            None => Ok(()),
        }
    }

    /// The container as the fleet knows it; its events come by another connection than the Engine's
    /// answers.
    async fn known(&mut self, id: &str) -> Result<ContainerKey, Failure> {
        let key = ContainerKey {
            host: self.slot.host.clone(),
            id: Arc::from(id),
        };
        if !self.live.knows(&key).await? {
            let message = "the Engine does not tell of a container that it has";
            return Err(Failure::new(Exit::Engine, message));
        }
        Ok(key)
    }
}

/// How the old one is made again.
pub(super) async fn recipe(
    engine: &Engine,
    old: &Inspected,
    image: &str,
) -> Result<Recipe, Failure> {
    // Docker is to start it by itself only when it is proven.
    let recipe = engine.recipe(old, image, Policy::No).await?;
    recipe.ok_or_else(|| {
        let message = format!(
            "its image {} is gone, so nobody can tell its own settings from those of the image",
            old.image()
        );
        Failure::new(Exit::Failed, message).hint("pull or build that image again first")
    })
}

async fn inspected(engine: &Engine, id: &str) -> Result<Inspected, Failure> {
    let found = engine.inspected(id).await?;
    found.ok_or_else(|| Failure::new(Exit::Failed, "it was removed meanwhile"))
}

/// A name that somebody else has taken meanwhile is another run's work.
fn taken(error: EngineError) -> Failure {
    let locked = matches!(error, EngineError::Refused { status: 409, .. });
    let mut failure = Failure::from(error);
    if locked {
        failure.exit = Exit::Locked;
        failure.hint = Some("another ww-ctl, on another machine, seems to be at work on it".into());
    }
    failure
}
