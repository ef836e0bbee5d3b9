//! What is read is compressed, and kept: meanwhile, where nobody waits for the reading, and else once it has ended.

use std::fs::File;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::job::{Job, unkept, unsealed};
use super::plan::Plan;
use super::progress::Progress;
use super::{apart, gone, stopped};
use crate::backup::feed::{Fed, Feed, Pace, feed};
use crate::backup::source::Gauge;
use crate::backup::vault::{Incoming, Restic, SealError, SealOptions, Sealed};
use crate::exit::Failure;

/// All parts of a set on their way into the vault, one after the other.
pub(super) struct Sealing {
    gauge: Arc<Gauge>,
    /// Dropped when it may begin.
    held: Option<oneshot::Sender<()>>,
    work: JoinHandle<(Incoming, Result<Vec<Sealed>, SealError>)>,
}

/// Why not everything was read.
pub(super) enum Unread {
    /// The sealing has ended before, and knows why.
    Untaken,
    /// Reading failed.
    Failed(Failure),
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Sealing {
    /// Nothing more comes, and what came is of no use: what the vault had of it is gone then.
    pub(super) async fn give_up(self) -> Option<SealError> {
        self.gauge.stop();
        drop(self.held);
        let (_incoming, sealed) = self.work.await.ok()?;
        sealed.err()
    }
}

impl Job<'_> {
    /// Begins to seal what is going to be read; what is to be read into, one for each reading.
    pub(super) fn begin_sealing(
        &self,
        plan: &Plan,
        incoming: Incoming,
    ) -> Result<(Vec<Feed>, Sealing), Failure> {
        let (mut feeds, mut all) = (Vec::new(), Vec::new());
        for _ in &plan.readings {
            let spool = incoming.spool().map_err(|error| unkept(&error))?;
            let (feed, taker) = feed(spool, plan.pace());
            feeds.push(feed);
            all.push(taker);
        }
        let (gauge, options) = (Gauge::new(), self.seal_options());
        let own = gauge.clone();
        let (sender, begin) = oneshot::channel();
        // Compressing takes the processors that reading needs, and somebody is down until that has ended.
        let held = (plan.pace() == Pace::Ahead).then_some(sender);
        let work = tokio::task::spawn_blocking(move || {
            let _may_begin = begin.blocking_recv();
            let sealed = seal_all(&incoming, all, &options, &own);
            (incoming, sealed)
        });
        Ok((feeds, Sealing { gauge, held, work }))
    }

    /// Waits until all that was read is sealed.
    pub(super) async fn end_sealing(
        &self,
        sealing: Sealing,
        bytes: u64,
        progress: &mut Progress,
    ) -> Result<(Incoming, Vec<Sealed>), Failure> {
        let Sealing { gauge, held, work } = sealing;
        drop(held);
        let work = self.stoppable(&gauge, work);
        let ended = progress
            .during("compressing", Some((&gauge, Some(bytes))), work)
            .await;
        let (incoming, sealed) = ended.map_err(|error| gone(&error))?;
        if self.stop.is_cancelled() {
            return Err(stopped());
        }
        let sealed = sealed.map_err(|error| unsealed(&error))?;
        Ok((incoming, sealed))
    }

    /// Gives it up, because not everything was read, and tells why that is so.
    pub(super) async fn give_up_sealing(&self, sealing: Sealing, unread: Unread) -> Failure {
        let sealed = sealing.give_up().await;
        match (unread, sealed) {
            (Unread::Failed(failure), _) => failure,
            (Unread::Untaken, _) if self.stop.is_cancelled() => stopped(),
            (Unread::Untaken, Some(error)) => unsealed(&error),
            (Unread::Untaken, None) => gone(&"what compresses has ended before its time"),
        }
    }

    /// Keeps what a script has written, once all of it was read.
    pub(super) async fn sealed_tree(
        &self,
        incoming: Incoming,
        raw: File,
        bytes: u64,
        progress: &mut Progress,
    ) -> Result<(Incoming, Sealed), Failure> {
        let (gauge, options) = (Gauge::new(), self.seal_options());
        let own = gauge.clone();
        let work = apart(move || {
            let sealed = incoming.seal_tree(raw, 1, &options, &own);
            (incoming, sealed)
        });
        let work = self.stoppable(&gauge, work);
        let (incoming, sealed) = progress
            .during("compressing", Some((&gauge, Some(bytes))), work)
            .await?;
        if self.stop.is_cancelled() {
            return Err(stopped());
        }
        let sealed = sealed.map_err(|error| unsealed(&error))?;
        Ok((incoming, sealed))
    }

    fn seal_options(&self) -> SealOptions {
        SealOptions {
            encrypt_to: self.arguments.encrypt_to.clone(),
            repository: self.arguments.repo.as_deref().map(Restic::at),
            ..SealOptions::default()
        }
    }
}

/// Seals one after the other. At the first that fails nobody takes the others any more.
fn seal_all(
    incoming: &Incoming,
    all: Vec<Fed>,
    options: &SealOptions,
    gauge: &Gauge,
) -> Result<Vec<Sealed>, SealError> {
    let parts = all.into_iter().enumerate();
    parts
        .map(|(at, taker)| incoming.seal(taker, at + 1, options, gauge))
        .collect()
}
