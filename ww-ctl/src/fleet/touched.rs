//! Of which containers something was said since somebody looked last.

use super::input::{ContainerKey, HostName, Input};

/// So many are told one by one; with more it is quicker to look at all.
const MOST: usize = 4096;

/// The containers something was said of. Whether it is news is another matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched {
    /// Any.
    All,
    /// These, some of them several times.
    Some {
        /// The containers.
        keys: Vec<ContainerKey>,
        /// All containers of these hosts.
        hosts: Vec<HostName>,
    },
}

impl Default for Touched {
    fn default() -> Self {
        Self::Some {
            keys: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

impl Touched {
    /// What this is about is touched.
    pub(super) fn by(&mut self, input: &Input) {
        let Self::Some { keys, hosts } = self else {
            return;
        };
        match input {
            Input::Listing { host, .. }
            | Input::HostLost { host, .. }
            | Input::Backups { host, .. } => {
                if !hosts.contains(host) {
                    hosts.push(host.clone());
                }
            }
            Input::Engine { key, .. }
            | Input::Used { key, .. }
            | Input::Reaching(key)
            | Input::Reached { key, .. }
            | Input::Frame { key, .. }
            | Input::AgentLost { key, .. } => keys.push(key.clone()),
        }
        if keys.len() > MOST || hosts.len() > MOST {
            *self = Self::All;
        }
    }
}
