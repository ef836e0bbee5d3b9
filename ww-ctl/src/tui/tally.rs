//! What is counted of the whole fleet, in the one walk through its [`super::lineup`] that a frame takes.

use super::view::{columns, word};
use crate::fleet::{Container, Severity};

/// What is counted of all containers the dashboard was started for, whatever the filter shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many there are.
    pub all: usize,
    /// How many of them the scope hides.
    pub hidden: usize,
    /// How many have an agent.
    pub agents: usize,
    /// How many stand how, in no order.
    pub standings: Vec<(Standing, usize)>,
    /// The columns of the longest of each.
    pub longest: Longest,
}

/// How a container stands, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How bad it is.
    pub severity: Severity,
    /// The word for it.
    pub word: &'static str,
}

/// The columns that the longest of some texts take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Longest {
    /// Of the names.
    pub name: u16,
    /// Of the images.
    pub image: u16,
    /// Of the names of hosts.
    pub host: u16,
}

impl Standing {
    /// How a container stands that is so bad.
    pub(super) fn of(one: &Container, severity: Severity) -> Self {
        Self {
            severity,
            word: word(one),
        }
    }
}

impl Longest {
    /// Of one container.
    pub(super) fn of(one: &Container) -> Self {
        let columns = |text| u16::try_from(columns(text)).unwrap_or(u16::MAX);
        Self {
            name: columns(&one.name),
            image: columns(&one.image),
            host: columns(&one.key.host),
        }
    }
}

impl Tally {
    /// One more.
    pub(super) fn count(
        &mut self,
        standing: Standing,
        columns: Longest,
        has_agent: bool,
        hidden: bool,
    ) {
        self.all += 1;
        self.hidden += usize::from(hidden);
        self.agents += usize::from(has_agent);
        let mut known = self.standings.iter_mut();
        match known.find(|(known, _)| *known == standing) {
            Some((_, count)) => *count += 1,
            None => self.standings.push((standing, 1)),
        }
        let longest = &mut self.longest;
        longest.name = longest.name.max(columns.name);
        longest.image = longest.image.max(columns.image);
        longest.host = longest.host.max(columns.host);
    }
}
