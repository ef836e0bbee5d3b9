//! What of a tree is not in its archive, or not as it was.

use std::collections::BTreeMap;

use ww_archive::{Problem, ProblemKind};

use crate::fleet::clean;

/// So many are kept one by one.
const LISTED: usize = 1000;
/// The most characters kept of a path or a reason.
const TEXT: usize = 1024;

/// Problems: the first ones, and how many there were of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Problems {
    /// The first ones, in the order they were met.
    pub listed: Vec<Noted>,
    /// How many there were, those that are not listed included.
    pub totals: BTreeMap<ProblemKind, u64>,
}

/// A problem in words that are fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    /// Which kind.
    pub kind: ProblemKind,
    /// Whose, below the root.
    pub path: String,
    /// Without the path.
    pub text: String,
}

/// What a problem means for a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It was not to be read.
    LeftOut,
    /// It changed while it was read: it is of no one moment, or came too late or went too early.
    Changed,
    /// It was there and is missing.
    Lost,
}

impl Weight {
    /// That of a kind.
    pub(crate) const fn of(kind: ProblemKind) -> Self {
        match kind {
            ProblemKind::Excluded | ProblemKind::MountPoint => Self::LeftOut,
            ProblemKind::Vanished
            | ProblemKind::Shrank
            | ProblemKind::Grew
            | ProblemKind::Changed => Self::Changed,
            // Neither what was there before nor what is there now has been read.
            ProblemKind::Replaced
            | ProblemKind::Unreadable
            | ProblemKind::Unsupported
            | ProblemKind::Missing
            | ProblemKind::DeviceSkipped
            | ProblemKind::OwnerNotSet
            | ProblemKind::AttributeNotSet
            | ProblemKind::TimeNotSet => Self::Lost,
        }
    }
}

impl Problems {
    /// How many there were of a weight.
    pub(crate) fn count(&self, weight: Weight) -> u64 {
        let of_it = self
            .totals
            .iter()
            .filter(|(kind, _)| Weight::of(**kind) == weight);
        of_it.map(|(_, count)| count).sum()
    }

    /// Whether something that was there is missing.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.count(Weight::Lost) > 0
    }

    pub(super) fn add(&mut self, problem: &Problem) {
        let path = String::from_utf8_lossy(&problem.path);
        self.note(problem.kind, &path, &problem.text);
        *self.totals.entry(problem.kind).or_default() += 1;
    }

    /// Lists one that is counted elsewhere.
    pub(super) fn note(&mut self, kind: ProblemKind, path: &str, text: &str) {
        if self.listed.len() < LISTED {
            self.listed.push(Noted {
                kind,
                path: clean(path, TEXT),
                text: clean(text, TEXT),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_listed_and_all_are_counted() {
        let mut problems = Problems::default();
        let mut problem = Problem {
            kind: ProblemKind::Grew,
            path: b"a\x1b[31m\xff".to_vec(),
            text: "it grew\n".into(),
        };
        for _ in 0..2000 {
            problems.add(&problem);
        }
        assert_eq!(problems.listed.len(), LISTED);
        assert_eq!(problems.listed[0].path, "a\u{fffd}");
        assert_eq!(problems.count(Weight::Changed), 2000);
        assert!(!problems.is_incomplete());
        problem.kind = ProblemKind::Unreadable;
        problems.add(&problem);
        assert!(problems.is_incomplete());
    }
}
