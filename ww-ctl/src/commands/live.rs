//! The fleet's model, kept up to date by the feed.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::exit::{Exit, Failure};
use crate::fleet::{Change, ContainerKey, EngineState, Fleet, Link};
use crate::watch::{Feed, FeedHandle};

/// How long a first listing may take.
const SETTLE: Duration = Duration::from_secs(30);
/// How long an agent may take to introduce itself before it is acted on without.
const INTRODUCED: Duration = Duration::from_secs(4);
/// The same for one that was frozen, and may have been given up until the next attempt.
const HEARD: Duration = Duration::from_secs(8);

/// The fleet's model, kept up to date by the feed.
pub(crate) struct Live {
    feed: Feed,
    /// What is known.
    pub fleet: Fleet,
    clock: Clock,
}

impl Live {
    pub(super) const fn new(feed: Feed, fleet: Fleet, clock: Clock) -> Self {
        Self { feed, fleet, clock }
    }

    /// What one can do about it.
    pub(crate) const fn handle(&self) -> &FeedHandle {
        &self.feed.handle
    }

    /// The next changes.
    ///
    /// # Errors
    /// When nothing will come any more.
    pub(crate) async fn next(&mut self) -> Result<Vec<Change>, Failure> {
        match self.feed.inputs.recv().await {
            Some(input) => Ok(self.fleet.apply(input, self.clock.now())),
            None => Err(Failure::new(Exit::Failed, "nothing is watched any more")),
        }
    }

    /// Takes in what happens until something else is done.
    ///
    /// # Errors
    /// When nothing will come any more.
    pub(super) async fn during<T>(&mut self, done: impl Future<Output = T>) -> Result<T, Failure> {
        let mut done = pin!(done);
        loop {
            tokio::select! {
                biased;
                changes = self.next() => drop(changes?),
                done = &mut done => return Ok(done),
            }
        }
    }

    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + SETTLE;
        while !self.fleet.is_settled() {
            if timeout_at(deadline, self.next()).await.is_err() {
                return Err(Failure::new(
                    Exit::Engine,
                    format!(
                        "the Engine did not list its containers within {} s",
                        SETTLE.as_secs()
                    ),
                )
                .hint("look at the Engine's log (journalctl -u docker)"));
            }
        }
        Ok(())
    }

    /// Waits until the agents of these containers have introduced themselves, or it is clear that
    /// they will not soon.
    ///
    /// # Errors
    /// When nothing will come any more.
    pub(crate) async fn introduced(&mut self, keys: &[ContainerKey]) -> Result<(), Failure> {
        let deadline = Instant::now() + INTRODUCED;
        while keys.iter().any(|key| self.is_expected(key)) {
            match timeout_at(deadline, self.next()).await {
                Ok(changes) => drop(changes?),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Waits until the agents of these containers, which may have been silent, are heard again.
    ///
    /// # Errors
    /// When nothing will come any more.
    pub(crate) async fn heard(&mut self, keys: &[ContainerKey]) -> Result<(), Failure> {
        let deadline = Instant::now() + HEARD;
        let is_silent = |fleet: &Fleet, key| {
            fleet.get(key).is_some_and(|one| {
                one.engine.is_running()
                    && !(one.is_introduced() && matches!(one.link, Link::Live { .. }))
            })
        };
        while keys.iter().any(|key| is_silent(&self.fleet, key)) {
            match timeout_at(deadline, self.next()).await {
                Ok(changes) => drop(changes?),
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn is_expected(&self, key: &ContainerKey) -> bool {
        self.fleet.get(key).is_some_and(|one| {
            one.has_agent
                // A frozen one says nothing.
                && one.engine == EngineState::Running
                && match one.link {
                    Link::None | Link::Reaching { .. } => true,
                    // Hello comes first; what it does comes with the snapshot.
                    Link::Live { .. } => !one.is_introduced(),
                    Link::Silent { .. } => false,
                }
        })
    }

    /// Ends every connection.
    pub(crate) async fn close(self) {
        self.feed.close().await;
    }
}
