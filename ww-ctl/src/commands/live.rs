//! The fleet's model, kept up to date by the feed.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::clock::Clock;
use crate::engine::{EngineError, Target};
use crate::exit::{Exit, Failure};
use crate::fleet::{
    Change, ContainerKey, EngineState, Fleet, HostName, HostStatus, Input, Link, Stamp,
};
use crate::watch::{Absent, Feed, FeedHandle, First, LISTING, first_answer};

/// How long a first listing may take where there is no other yet.
const SETTLE: Duration = Duration::from_secs(30);
/// How long an agent may take to introduce itself before it is acted on without.
const INTRODUCED: Duration = Duration::from_secs(4);
/// The same for one that was frozen, and may have been given up until the next attempt.
const HEARD: Duration = Duration::from_secs(8);

/// How long an Engine may take to tell the feed of a container that it has told of otherwise.
pub(super) const KNOWN: Duration = Duration::from_secs(10);

/// The fleet's model, kept up to date by the feed.
pub(crate) struct Live {
    feed: Feed,
    /// What is known.
    pub fleet: Fleet,
    /// From when on the events of each host are told, by its clock; of those that answered at first.
    pub began: BTreeMap<HostName, Timestamp>,
    clock: Clock,
}

impl Live {
    pub(super) const fn new(feed: Feed, fleet: Fleet, clock: Clock) -> Self {
        Self {
            feed,
            fleet,
            began: BTreeMap::new(),
            clock,
        }
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

    /// The same, taken in by somebody else.
    ///
    /// # Errors
    /// When nothing will come any more.
    pub(super) async fn next_to(
        &mut self,
        take: impl FnOnce(&mut Fleet, Input, Stamp),
    ) -> Result<(), Failure> {
        let Some(input) = self.feed.inputs.recv().await else {
            return Err(Failure::new(Exit::Failed, "nothing is watched any more"));
        };
        take(&mut self.fleet, input, self.clock.now());
        Ok(())
    }

    /// Whether something has come that was not taken in yet.
    pub(super) fn has_more(&self) -> bool {
        !self.feed.inputs.is_empty()
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

    /// Waits for the first listing of every host, but for those that take long only as long as is fair
    /// to the others. Those that are done without for now; what they tell later is taken in.
    ///
    /// # Errors
    /// When no host lists its containers in time.
    pub(super) async fn settle(
        &mut self,
        targets: &[Target],
        mut take: impl FnMut(&mut Fleet, Input, Stamp),
    ) -> Result<Vec<Absent>, Failure> {
        let begun = Instant::now();
        let mut firsts: BTreeMap<HostName, Result<Timestamp, EngineError>> = BTreeMap::new();
        while !self.fleet.is_settled() {
            let deadline = begun + self.patience(targets, &firsts);
            tokio::select! {
                input = self.feed.inputs.recv() => match input {
                    Some(input) => take(&mut self.fleet, input, self.clock.now()),
                    None => break,
                },
                Some(First { host, outcome }) = self.feed.firsts.recv() => {
                    firsts.insert(host, outcome);
                }
                () = sleep_until(deadline) => break,
            }
        }
        while let Ok(First { host, outcome }) = self.feed.firsts.try_recv() {
            firsts.insert(host, outcome);
        }
        self.began = firsts
            .iter()
            .filter_map(|(host, outcome)| Some((host.clone(), *outcome.as_ref().ok()?)))
            .collect();
        let absent = |target: &Target| {
            let status = &self.fleet.host(&target.name)?.status;
            let error = match (status, firsts.remove(&target.name)) {
                (HostStatus::Live, _) => return None,
                (_, Some(Err(error))) => error,
                (HostStatus::Lost { reason, .. }, _) => EngineError::Lost {
                    reason: reason.clone(),
                },
                (HostStatus::Reaching, Some(Ok(_))) => EngineError::unlisted(target),
                (HostStatus::Reaching, None) => EngineError::silent(target, begun.elapsed()),
            };
            let target = target.clone();
            Some(Absent { target, error })
        };
        Ok(targets.iter().filter_map(absent).collect())
    }

    /// How long the hosts that have not told what they have are waited for, all in all.
    fn patience(
        &self,
        targets: &[Target],
        firsts: &BTreeMap<HostName, Result<Timestamp, EngineError>>,
    ) -> Duration {
        let status = |target: &Target| self.fleet.host(&target.name).map(|host| &host.status);
        if !targets
            .iter()
            .any(|one| status(one) == Some(&HostStatus::Live))
        {
            return SETTLE;
        }
        let awaited = targets
            .iter()
            .filter(|one| status(one) == Some(&HostStatus::Reaching));
        let each = awaited.map(|one| match firsts.get(&one.name) {
            Some(_) => LISTING,
            None => first_answer(one),
        });
        each.max().unwrap_or(SETTLE)
    }

    /// Waits until a container is known that was just made. Whether it is.
    ///
    /// # Errors
    /// When nothing will come any more.
    pub(super) async fn knows(&mut self, key: &ContainerKey) -> Result<bool, Failure> {
        let deadline = Instant::now() + KNOWN;
        while self.fleet.get(key).is_none() {
            match timeout_at(deadline, self.next()).await {
                Ok(changes) => drop(changes?),
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
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

    /// Whether an agent may still introduce itself soon.
    pub(super) fn is_expected(&self, key: &ContainerKey) -> bool {
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
