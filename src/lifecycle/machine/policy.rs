//! What the operator may decide about the life cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::lifecycle::{Hook, ServiceRules};

/// What the operator may decide about the life cycle; the defaults are the contract's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Pause between two checks.
    pub monitor_interval: Duration,
    /// A check that takes longer is killed and has failed.
    pub monitor_timeout: Duration,
    /// So many failures in a row lead to a restart.
    pub monitor_failures: u32,
    /// So many restarts in a row are made before ERROR; 0 means no limit.
    pub restart_max: u32,
    /// Healthy for so long, and the count of restarts in a row starts again.
    pub restart_reset: Duration,
    /// The first pause before a restart that nobody asked for.
    pub backoff: Duration,
    /// The longest such pause.
    pub backoff_max: Duration,
    /// Whether `warmup` runs again after a restart.
    pub restart_warmup: bool,
    /// Cap on `svcdown`.
    pub stop_timeout: Option<Duration>,
    /// Time between TERM and KILL.
    pub stop_grace: Duration,
    /// Pause between telling that the container goes and stopping its services.
    pub drain: Duration,
    /// Caps on single scripts.
    pub timeouts: BTreeMap<Hook, Duration>,
    /// Scripts whose failure is logged and taken for done.
    pub tolerated: BTreeSet<Hook>,
    /// What is decided about single services, by their names.
    pub services: BTreeMap<String, ServiceRules>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            monitor_interval: Duration::from_secs(30),
            monitor_timeout: Duration::from_secs(25),
            monitor_failures: 1,
            restart_max: 5,
            restart_reset: Duration::from_secs(600),
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            restart_warmup: false,
            stop_timeout: None,
            stop_grace: Duration::from_secs(5),
            drain: Duration::ZERO,
            timeouts: BTreeMap::new(),
            tolerated: BTreeSet::new(),
            services: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// The cap on one run of `hook`, if any.
    #[must_use]
    pub fn timeout(&self, hook: Hook) -> Option<Duration> {
        let own = self.timeouts.get(&hook).copied();
        match hook {
            Hook::Monitor => {
                Some(own.map_or(self.monitor_timeout, |t| t.min(self.monitor_timeout)))
            }
            Hook::Svcdown => [own, self.stop_timeout].into_iter().flatten().min(),
            Hook::Boot
            | Hook::Firstboot
            | Hook::Upgrade
            | Hook::Svcup
            | Hook::Warmup
            | Hook::Lifecycle
            | Hook::Pushstats
            | Hook::Backup
            | Hook::Restore => own,
        }
    }
}
