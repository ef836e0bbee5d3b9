//! What the Engine counts of the containers that the dashboard wants figures of.

use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::wanted::Wanted;
use crate::engine::EngineError;
use crate::fleet::ContainerKey;
use crate::tui::Answer;
use crate::watch::FeedHandle;

/// Who scrolls by does not look.
const LOOK: Duration = Duration::from_millis(300);
/// Between two attempts where the Engine has ended it.
const AGAIN: Duration = Duration::from_secs(5);

/// A stream for each of them.
pub(super) struct Measures {
    handle: FeedHandle,
    told: mpsc::Sender<Answer>,
    wanted: Wanted,
}

impl Measures {
    pub(super) fn new(handle: FeedHandle, tasks: TaskTracker, told: mpsc::Sender<Answer>) -> Self {
        Self {
            handle,
            told,
            wanted: Wanted::new(tasks),
        }
    }

    /// From now on these and no others.
    pub(super) fn only(&mut self, keys: Vec<ContainerKey>) {
        let (handle, told) = (&self.handle, &self.told);
        self.wanted.only(keys, |key| {
            let (handle, told) = (handle.clone(), told.clone());
            Some(async move { keep(&handle, &key, &told).await })
        });
    }
}

async fn keep(handle: &FeedHandle, key: &ContainerKey, told: &mpsc::Sender<Answer>) {
    tokio::time::sleep(LOOK).await;
    loop {
        // Why there are no figures is told by what else is known of the container.
        let _ended = follow(handle, key, told).await;
        if told.send(Answer::Used(key.clone(), None)).await.is_err() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn follow(
    handle: &FeedHandle,
    key: &ContainerKey,
    told: &mpsc::Sender<Answer>,
) -> Result<(), EngineError> {
    let engine = handle.engine(&key.host).await?;
    let mut samples = std::pin::pin!(engine.usage(&key.id));
    while let Some(sample) = samples.next().await {
        let answer = Answer::Used(key.clone(), Some(sample?));
        if told.send(answer).await.is_err() {
            break;
        }
    }
    Ok(())
}
