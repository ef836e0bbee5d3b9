//! Whose turn it is, where only so many may be out at once.

use futures::future::BoxFuture;

use super::acting::Proof;
use super::before::Before;
use crate::fleet::Container;
use crate::watch::FeedHandle;

/// How containers are taken in turn.
pub(super) struct Turns<'a> {
    /// So many may be out at once.
    pub at_once: usize,
    /// Asks one that is there whether it is well.
    pub prove: &'a dyn Fn(&FeedHandle, &Container, &Before) -> BoxFuture<'static, Proof>,
}

/// How one of them stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its turn has not come.
    Waits(Condition),
    /// It is being acted on.
    InWork,
    /// Its turn is over.
    Over(Condition),
}

/// Whether one that is not being acted on does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// It is UP and not failing.
    Well,
    /// It is not.
    Ill,
    /// Nobody can tell at present.
    Unknown,
}

/// The place of the one whose turn it is, if any has it.
///
/// Out are those in work and those that are not well, whether their turn was or not: the rest has
/// to do the work of all. One that is not well is out anyway, so its turn comes first and takes
/// nothing away; whether it comes back shows whether what is being done can be done to the others.
/// Of whom nobody can tell how it is, nobody could tell how it ended.
pub(super) fn next(all: &[Standing], at_once: usize) -> Option<usize> {
    // Those that were begun and are not well (again) are ours, so to speak.
    let ours = all.iter().filter(|one| match one {
        Standing::InWork => true,
        Standing::Over(condition) => *condition != Condition::Well,
        Standing::Waits(_) => false,
    });
    let ours = ours.count();
    if ours >= at_once {
        return None;
    }
    let place = |wanted| all.iter().position(|one| *one == Standing::Waits(wanted));
    let ill = place(Condition::Ill);
    if ill.is_some() {
        return ill;
    }
    let unheard = all
        .iter()
        .filter(|one| **one == Standing::Waits(Condition::Unknown));
    if ours + unheard.count() < at_once {
        place(Condition::Well)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Condition::{Ill, Unknown, Well};
    use super::Standing::{InWork, Over, Waits};
    use super::*;

    #[test]
    fn no_more_are_out_than_may_be() {
        for (at_once, all, expected) in [
            (1, vec![Waits(Well), Waits(Well)], Some(0)),
            (1, vec![InWork, Waits(Well)], None),
            (2, vec![InWork, Waits(Well)], Some(1)),
            (2, vec![InWork, InWork, Waits(Well)], None),
            (1, vec![Over(Well), Waits(Well)], Some(1)),
            (1, vec![Over(Well), Over(Well)], None),
            // One that came back and fails now is out, too.
            (1, vec![Over(Ill), Waits(Well)], None),
            (2, vec![Over(Ill), Waits(Well)], Some(1)),
            (2, vec![Over(Ill), InWork, Waits(Well)], None),
            (1, vec![Over(Unknown), Waits(Well)], None),
            // One that is out anyway comes first and takes nothing away.
            (1, vec![Waits(Well), Waits(Ill)], Some(1)),
            (1, vec![Waits(Ill), Waits(Ill), Waits(Ill)], Some(0)),
            (1, vec![InWork, Waits(Ill)], None),
            (2, vec![InWork, Waits(Well), Waits(Ill)], Some(2)),
            (1, vec![Over(Ill), Waits(Ill)], None),
            // Nobody could tell what becomes of one that is not heard.
            (1, vec![Waits(Unknown)], None),
            (1, vec![Waits(Unknown), Waits(Well)], None),
            (2, vec![Waits(Unknown), Waits(Well)], Some(1)),
            (3, vec![], None),
        ] {
            assert_eq!(next(&all, at_once), expected, "{at_once} {all:?}");
        }
    }
}
