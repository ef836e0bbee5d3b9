//! In which order the rows stand.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;
use whaleware::lifecycle::Moment;

use super::path::{Path, largest_first};
use crate::fleet::{Backed, Container, Severity, clean};

/// The most characters of a path in the name of an order.
const PATH: usize = 40;

/// What the rows are sorted by. The name decides between equals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum SortKey {
    /// Worst first.
    #[default]
    Severity,
    /// By name.
    Name,
    /// The latest change of state first.
    Age,
    /// Most restarts first.
    Restarts,
    /// The busiest first.
    Cpu,
    /// The largest first.
    Memory,
    /// Those without a backup first, then the oldest backup.
    Backup,
    /// By image.
    Image,
    /// By host.
    Host,
    /// By a value of the monitor, the largest number first.
    Value(Path),
}

impl SortKey {
    /// All of them, in the order in which one key goes through them.
    const CYCLE: [Self; 9] = [
        Self::Severity,
        Self::Name,
        Self::Age,
        Self::Restarts,
        Self::Cpu,
        Self::Memory,
        Self::Backup,
        Self::Image,
        Self::Host,
    ];

    /// The one after this.
    pub(crate) fn next(&self) -> Self {
        let place = Self::CYCLE.iter().position(|key| key == self);
        Self::CYCLE[place.map_or(0, |place| (place + 1) % Self::CYCLE.len())].clone()
    }

    /// The one with a name in a file, or by the value at a place.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "worst" => Self::Severity,
            "name" => Self::Name,
            "latest" => Self::Age,
            "restarts" => Self::Restarts,
            "cpu" => Self::Cpu,
            "memory" => Self::Memory,
            "backup" => Self::Backup,
            "image" => Self::Image,
            "host" => Self::Host,
            path if path.starts_with(['.', '[']) => Self::Value(Path::parse(path)?),
            _ => return None,
        })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        let name = match self {
            Self::Severity => "worst first",
            Self::Name => "name",
            Self::Age => "latest change",
            Self::Restarts => "restarts",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Backup => "oldest backup",
            Self::Image => "image",
            Self::Host => "host",
            Self::Value(path) => return Cow::Owned(clean(&path.to_string(), PATH)),
        };
        Cow::Borrowed(name)
    }

    /// Whether a number says it all; texts and values of monitors are to be compared.
    pub(super) const fn is_counted(&self) -> bool {
        match self {
            Self::Severity
            | Self::Name
            | Self::Age
            | Self::Restarts
            | Self::Cpu
            | Self::Memory
            | Self::Backup => true,
            Self::Image | Self::Host | Self::Value(_) => false,
        }
    }

    /// Where a container stands by what can be counted, whatever the time; the same for all where
    /// that says nothing.
    pub(super) fn rank(&self, one: &Container, severity: Severity) -> Rank {
        Rank(match self {
            Self::Severity => severity as u64,
            Self::Age => {
                let since = (one.since() - Moment::default()).as_nanos();
                !u64::try_from(since).unwrap_or(u64::MAX)
            }
            // The most come first, those without a figure last.
            Self::Restarts => !restarts(one).map_or(0, |restarts| u64::from(restarts) + 1),
            Self::Cpu => !cpu(one),
            Self::Memory => !memory(one).map_or(0, |bytes| bytes.saturating_add(1)),
            Self::Backup => backup(one),
            Self::Name | Self::Image | Self::Host | Self::Value(_) => 0,
        })
    }

    /// How two of the same rank stand to each other; the name decides between equals.
    pub(super) fn compare(&self, a: &Container, b: &Container) -> Ordering {
        match self {
            Self::Severity
            | Self::Name
            | Self::Age
            | Self::Restarts
            | Self::Cpu
            | Self::Memory
            | Self::Backup => Ordering::Equal,
            Self::Image => a.image.cmp(&b.image),
            Self::Host => a.key.host.cmp(&b.key.host),
            Self::Value(path) => largest_first(value(a, path), value(b, path)),
        }
    }
}

/// Where a container stands; the smallest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Rank(u64);

/// Whether the order is the natural one of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Direction {
    /// As [`SortKey`] says.
    #[default]
    Natural,
    /// The other way round.
    Reversed,
}

impl Direction {
    /// The other one.
    pub(crate) const fn turned(self) -> Self {
        match self {
            Self::Natural => Self::Reversed,
            Self::Reversed => Self::Natural,
        }
    }

    /// Applied to a comparison.
    pub(crate) const fn apply(self, ordering: Ordering) -> Ordering {
        match self {
            Self::Natural => ordering,
            Self::Reversed => ordering.reverse(),
        }
    }
}

/// As people count: `web-2` before `web-10`.
pub(super) fn by_name(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    while let (Some(first_a), Some(first_b)) = (rest_a.chars().next(), rest_b.chars().next()) {
        let (number_a, after_a) = number(rest_a);
        let (number_b, after_b) = number(rest_b);
        let ordering = if number_a.is_empty() || number_b.is_empty() {
            rest_a = &rest_a[first_a.len_utf8()..];
            rest_b = &rest_b[first_b.len_utf8()..];
            first_a.cmp(&first_b)
        } else {
            (rest_a, rest_b) = (after_a, after_b);
            // Without leading zeros the longer one is the larger one.
            number_a
                .len()
                .cmp(&number_b.len())
                .then_with(|| number_a.cmp(number_b))
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    rest_a.len().cmp(&rest_b.len()).then_with(|| a.cmp(b))
}

/// The number a text begins with, without leading zeros but for a last one, and what follows.
fn number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    (&digits[zeros.min(digits.len().saturating_sub(1))..], after)
}

fn restarts(container: &Container) -> Option<u32> {
    container.agent.as_ref().map(|agent| agent.restarts.total)
}

/// The oldest comes first, before it what has none; last come those of which nothing is known.
fn backup(container: &Container) -> u64 {
    match &container.backed {
        Backed::Never { .. } => 0,
        Backed::Last(last) => u64::try_from(last.begun.as_nanosecond())
            .map_or(1, |since| since.clamp(1, u64::MAX - 1)),
        Backed::Unknown { .. } => u64::MAX,
    }
}

/// In billionths of a percent; below every real figure when there is none.
fn cpu(container: &Container) -> u64 {
    let resources = container.resources();
    let share = resources.and_then(|resources| resources.cpu_percent);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "such a cast ends at the largest and the least"
    )]
    share.map_or(0, |share| ((share * 1e9) as u64).saturating_add(1))
}

/// What its monitor printed last at a place.
pub(crate) fn value<'a>(container: &'a Container, path: &Path) -> Option<&'a Value> {
    let agent = container
        .agent
        .as_ref()
        .filter(|_| container.engine.is_running())?;
    path.of(agent.monitor.as_ref()?.value.as_ref()?)
}

fn memory(container: &Container) -> Option<u64> {
    let resources = container.resources();
    resources.and_then(|resources| resources.memory_bytes)
}

#[cfg(test)]
mod tests {
    use super::by_name;

    #[test]
    fn names_are_sorted_as_people_count() {
        let mut names = [
            "web-10", "web-2", "db", "web-2a", "web", "web-02", "10", "9", "é", "0",
        ];
        names.sort_by(|a, b| by_name(a, b));
        assert_eq!(
            names,
            [
                "0", "9", "10", "db", "web", "web-02", "web-2", "web-2a", "web-10", "é"
            ]
        );
    }
}
