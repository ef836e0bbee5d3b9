//! One container exchanged: looking, and doing what the plan says, until there is nothing left to do.

use std::time::Duration;

use tokio::time::Instant;
use whaleware::lifecycle::Moment;

use super::lock::Lock;
use super::plan::{Goal, Role, Step, Wish, plan};
use super::slot::{Found, Slot};
use super::told::Told;
use crate::cli::Upgrade;
use crate::commands::Context;
use crate::commands::live::Live;
use crate::commands::outcome::Outcome;
use crate::engine::{Engine, EngineError, Inspected};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// How long an Engine that has gone is waited for, and how often it is tried meanwhile.
const GONE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(500);
/// So often an Engine may go in one upgrade.
const BREAKS: u32 = 5;

/// One container exchanged.
pub(super) struct Job<'a> {
    /// The command's.
    pub context: &'a Context,
    pub live: &'a mut Live,
    pub arguments: &'a Upgrade,
    pub slot: &'a Slot,
    pub wish: Wish,
    /// What is told in the end.
    pub told: Told,
    /// Why it goes back.
    pub wrong: Option<Failure>,
    lock: Option<Lock>,
    /// When it began.
    pub begun: Moment,
}

/// Says how to go on when a run is given up in the middle.
struct Interrupted {
    output: Output,
    words: Option<String>,
}

impl Drop for Interrupted {
    fn drop(&mut self) {
        if let Some(words) = self.words.take() {
            self.output.say(&words);
        }
    }
}

impl<'a> Job<'a> {
    pub(super) fn new(
        context: &'a Context,
        live: &'a mut Live,
        arguments: &'a Upgrade,
        slot: &'a Slot,
        wish: Wish,
    ) -> Self {
        let begun = context.clock.now().moment;
        Self {
            context,
            live,
            arguments,
            slot,
            wish,
            told: Told::default(),
            wrong: None,
            lock: None,
            begun,
        }
    }

    /// Exchanges it, or takes that back.
    ///
    /// # Errors
    /// When nothing can be watched any more.
    pub(super) async fn run(mut self) -> Outcome {
        let mut interrupted = Interrupted {
            output: self.context.output,
            words: None,
        };
        let mut breaks = 0;
        let ended = loop {
            let (found, step) = match self.next().await {
                Ok(next) => next,
                Err(failure) => break Err(failure),
            };
            match &step {
                Step::Done => break Ok(found),
                Step::Odd(why) => {
                    // The same call again does not help.
                    interrupted.words = None;
                    break Err(self.odd(why));
                }
                Step::Make
                | Step::Complete(_)
                | Step::SetPolicy(..)
                | Step::Stop(_)
                | Step::Rename(..)
                | Step::Prove(_)
                | Step::Revive(_)
                | Step::Discard(_) => {}
            }
            interrupted.words = Some(self.how_to_go_on());
            self.told.acted = true;
            let Err(failure) = self.perform(&found, &step).await else {
                continue;
            };
            if failure.exit == Exit::Engine && breaks < BREAKS {
                breaks += 1;
                let text = format!("{}: {}; looking again", self.slot.name, failure.message);
                self.context.output.warn(&text);
            } else if self.wish.goal == Goal::Forward && failure.exit != Exit::Locked {
                self.go_back(&found, &step, failure).await;
            } else {
                break Err(failure);
            }
        };
        let pending = match &ended {
            Ok(_) => false,
            // Nothing was done, or nobody knows.
            Err(_) => self.told.acted,
        };
        let words = interrupted.words.take();
        let outcome = self.outcome(ended);
        match words.filter(|_| pending) {
            Some(words) => outcome.hinting(Some(words)),
            None => outcome,
        }
    }

    fn how_to_go_on(&self) -> String {
        let name = &self.slot.name;
        match &self.arguments.image {
            Some(image) => format!(
                "{name}: not finished; `ww-ctl upgrade {name} --image {image}` finishes or undoes it, \
                 `ww-ctl upgrade {name} --undo` undoes it"
            ),
            None => format!("{name}: not finished; `ww-ctl upgrade {name} --undo` goes on"),
        }
    }

    fn odd(&self, why: &str) -> Failure {
        let name = &self.slot.name;
        let message = format!("cannot tell what is to become of it: {why}");
        Failure::new(Exit::Failed, message).hint(format!(
            "look at `docker ps -a --filter name={name}`; the one that is to stay must be called {name} \
             (docker rename), and no other of them be there"
        ))
    }

    /// Looks, and asks the plan. An Engine that is gone is waited for.
    async fn next(&mut self) -> Result<(Found, Step), Failure> {
        let deadline = Instant::now() + GONE;
        let found = loop {
            match self.look().await {
                Ok(found) => break found,
                Err(failure) if failure.exit == Exit::Engine && Instant::now() < deadline => {
                    self.live.during(tokio::time::sleep(AGAIN)).await?;
                }
                Err(failure) => return Err(failure),
            }
        };
        let engine_word = |one: &super::plan::One| {
            let image = found.get(&one.id).map(Inspected::image);
            (one.id.clone(), image.unwrap_or_default())
        };
        if let Some(before) = found.before() {
            if self.lock.is_none() {
                self.lock = Some(Lock::take(&before.id, &self.slot.name)?);
                // What was seen before may have been another run's work.
                return Box::pin(self.next()).await;
            }
            // The one that was kept is known for it only when the other has made room.
            if self.told.before.is_none() || found.seen.undo.is_some() {
                self.told.before = Some(engine_word(before));
            }
        }
        if let Some(after) = found.after() {
            self.told.after = Some(engine_word(after));
        }
        let step = plan(&found.seen, &self.wish);
        self.resign(&found, &step);
        Ok((found, step))
    }

    /// One that has failed before this run came is taken back, and not tried again at once: the old one
    /// was down for long enough.
    fn resign(&mut self, found: &Found, step: &Step) {
        let after = match step {
            Step::Rename(id, Role::Undo) => found.after().filter(|one| one.id == *id),
            Step::Make
            | Step::Complete(_)
            | Step::SetPolicy(..)
            | Step::Stop(_)
            | Step::Rename(..)
            | Step::Prove(_)
            | Step::Revive(_)
            | Step::Discard(_)
            | Step::Done
            | Step::Odd(_) => found.seen.undo.as_ref(),
        };
        let failed = after.is_some_and(|one| self.wish.image.as_ref() == Some(&one.image));
        if failed && self.wish.goal == Goal::Forward {
            let message = "an earlier call found that it is not well, or it has ended since";
            self.wrong =
                Some(Failure::new(Exit::Failed, message).hint("call again to try it again"));
            self.wish.goal = Goal::Undo;
        }
    }

    async fn look(&self) -> Result<Found, Failure> {
        let engine = self.engine().await?;
        self.slot.look(&engine).await
    }

    pub(super) async fn engine(&self) -> Result<Engine, EngineError> {
        self.live.handle().engine(&self.slot.host).await
    }
}
