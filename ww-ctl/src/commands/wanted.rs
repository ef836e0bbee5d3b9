//! What is done for containers as long as somebody looks at them.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fleet::ContainerKey;

/// A task for each container that is wanted. All end with this.
pub(super) struct Wanted {
    tasks: TaskTracker,
    running: HashMap<ContainerKey, CancellationToken>,
}

impl Wanted {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self {
            tasks,
            running: HashMap::new(),
        }
    }

    /// From now on these and no others. `begin` makes what is done for one that is new; none where
    /// nothing can be done.
    pub(super) fn only<Task>(
        &mut self,
        keys: Vec<ContainerKey>,
        mut begin: impl FnMut(ContainerKey) -> Option<Task>,
    ) where
        Task: Future<Output = ()> + Send + 'static,
    {
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
            let Some(task) = begin(key.clone()) else {
                continue;
            };
            let cancel = CancellationToken::new();
            self.running.insert(key, cancel.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = cancel.cancelled() => {}
                    () = task => {}
                }
            });
        }
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        for cancel in self.running.values() {
            cancel.cancel();
        }
    }
}
