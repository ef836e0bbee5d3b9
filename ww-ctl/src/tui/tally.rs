//! What is counted of the whole fleet, in the one walk through it that a frame takes. With 10,000
//! containers each walk takes a millisecond or two.

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
    pub name: usize,
    /// Of the images.
    pub image: usize,
    /// Of the names of hosts.
    pub host: usize,
}

impl Tally {
    /// One more.
    pub(super) fn count(&mut self, container: &Container, severity: Severity, hidden: bool) {
        self.all += 1;
        self.hidden += usize::from(hidden);
        self.agents += usize::from(container.has_agent);
        let standing = Standing {
            severity,
            word: word(container),
        };
        let mut known = self.standings.iter_mut();
        match known.find(|(known, _)| *known == standing) {
            Some((_, count)) => *count += 1,
            None => self.standings.push((standing, 1)),
        }
        let longest = &mut self.longest;
        longest.name = longest.name.max(columns(&container.name));
        longest.image = longest.image.max(columns(&container.image));
        longest.host = longest.host.max(columns(&container.key.host));
    }
}
