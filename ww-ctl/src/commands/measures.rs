//! What the Engine counts of the containers that the dashboard wants figures of.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
    tasks: TaskTracker,
    told: mpsc::Sender<Answer>,
    running: HashMap<ContainerKey, CancellationToken>,
}

impl Measures {
    pub(super) fn new(handle: FeedHandle, tasks: TaskTracker, told: mpsc::Sender<Answer>) -> Self {
        Self {
            handle,
            tasks,
            told,
            running: HashMap::new(),
        }
    }

    /// From now on these and no others.
    pub(super) fn only(&mut self, keys: Vec<ContainerKey>) {
        self.running.retain(|key, cancel| {
            let keep = keys.contains(key);
            if !keep {
                cancel.cancel();
            }
            keep
        });
        for key in keys {
            if self.running.contains_key(&key) {
                continue;
            }
            let cancel = CancellationToken::new();
            self.running.insert(key.clone(), cancel.clone());
            let (handle, told) = (self.handle.clone(), self.told.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = keep(&handle, &key, &told) => {}
                }
            });
        }
    }
}

impl Drop for Measures {
    fn drop(&mut self) {
        self.only(Vec::new());
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
