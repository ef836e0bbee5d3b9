//! Takes the status of every child that has ended: the agent's own and those it inherited.
//!
//! It is the only place that does. Nothing else in the agent waits for a process, so no status is
//! ever taken by the wrong hands.

use crate::sys::{self, Ending, Reaped};

/// So many in one pass, so that a storm of orphans does not keep signals and clients waiting.
const BATCH: usize = 256;

/// What one pass found.
#[derive(Debug, Default)]
pub(crate) struct Harvest {
    /// Who ended, and how.
    pub(crate) ended: Vec<(i32, Ending)>,
    /// There may be more at once.
    pub(crate) more: bool,
    /// The agent has no children at all.
    pub(crate) childless: bool,
}

/// Takes what there is, up to a bound.
pub(crate) fn reap() -> Harvest {
    let mut harvest = Harvest::default();
    while harvest.ended.len() < BATCH {
        match sys::reap_one() {
            Reaped::Child(pid, ending) => harvest.ended.push((pid, ending)),
            Reaped::NoneEnded => return harvest,
            Reaped::NoChildren => {
                harvest.childless = true;
                return harvest;
            }
        }
    }
    harvest.more = true;
    harvest
}
