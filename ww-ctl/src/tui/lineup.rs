//! The rows in their order, kept up to date by what has changed.
//!
//! With 10,000 containers to walk through all of them takes longer than all the rest of a frame. What
//! is shown of a container beside others is kept in little room, and looked up anew only where
//! something was said of it.

use std::collections::{BTreeSet, HashMap};

use super::filter::Filter;
use super::sort::{Direction, Rank, SortKey, by_name};
use super::tally::{Longest, Standing, Tally};
use crate::fleet::{Container, ContainerKey, Fleet, Severity, Touched};
use crate::selection::Selection;

/// What decides which containers there are rows of, and in which order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// What the dashboard was started for.
    pub selection: &'a Selection,
    /// What is looked for.
    pub filter: &'a Filter,
    /// What the rows are sorted by.
    pub sort: &'a SortKey,
    /// And in which direction.
    pub direction: Direction,
    /// Whether what is down or has no agent is shown too.
    pub all: bool,
}

/// What is kept of the containers, in the order of their names.
#[derive(Debug, Clone, Default)]
pub(super) struct Lineup {
    /// Of which containers with which names, and by which rules.
    basis: Option<(u64, Filter, SortKey)>,
    entries: Vec<Entry>,
    places: HashMap<ContainerKey, usize>,
}

/// What is kept of one container.
#[derive(Debug, Clone)]
struct Entry {
    key: ContainerKey,
    /// Whether the dashboard was started for it.
    accepted: bool,
    /// Whether the filter lets it pass.
    matches: bool,
    has_agent: bool,
    standing: Standing,
    rank: Rank,
    columns: Longest,
}

impl Entry {
    fn new(one: &Container, rules: Rules<'_>) -> Self {
        let severity = one.severity();
        Self {
            key: one.key.clone(),
            accepted: rules.selection.accepts(one),
            matches: rules.filter.matches(one),
            has_agent: one.has_agent,
            standing: Standing::of(one, severity),
            rank: rules.sort.rank(one, severity),
            columns: Longest::of(one),
        }
    }

    /// Whether only who asks for all sees it.
    const fn is_quiet(&self) -> bool {
        matches!(self.standing.severity, Severity::Down | Severity::Plain)
    }
}

impl Lineup {
    /// Looks at what was touched since the last time; at everything where it is not the same fleet any
    /// more, or the rules are others.
    pub(super) fn follow(&mut self, fleet: &Fleet, touched: Touched, rules: Rules<'_>) {
        let is_same = self.basis.as_ref().is_some_and(|(names, filter, sort)| {
            *names == fleet.names() && filter == rules.filter && sort == rules.sort
        });
        match touched {
            Touched::Some { keys, hosts } if is_same && self.entries.len() == fleet.len() => {
                for key in keys {
                    self.look(fleet, &key, rules);
                }
                for host in hosts {
                    for one in fleet.containers_of(&host) {
                        self.look(fleet, &one.key, rules);
                    }
                }
            }
            Touched::Some { .. } | Touched::All => self.look_at_all(fleet, rules),
        }
    }

    fn look(&mut self, fleet: &Fleet, key: &ContainerKey, rules: Rules<'_>) {
        if let (Some(place), Some(one)) = (self.places.get(key), fleet.get(key)) {
            self.entries[*place] = Entry::new(one, rules);
        }
    }

    fn look_at_all(&mut self, fleet: &Fleet, rules: Rules<'_>) {
        let has_same_names = self.entries.len() == fleet.len()
            && matches!(&self.basis, Some((names, ..)) if *names == fleet.names());
        let mut all: Vec<Option<Entry>> = Vec::with_capacity(fleet.len());
        if has_same_names {
            // Names change seldom and take longest to compare.
            all.resize_with(fleet.len(), || None);
            for one in fleet.containers() {
                if let Some(place) = self.places.get(&one.key) {
                    all[*place] = Some(Entry::new(one, rules));
                }
            }
        } else {
            let mut containers: Vec<&Container> = fleet.containers().collect();
            containers.sort_by(|a, b| by_name(&a.name, &b.name));
            all.extend(
                containers
                    .into_iter()
                    .map(|one| Some(Entry::new(one, rules))),
            );
        }
        self.entries = all.into_iter().flatten().collect();
        if !has_same_names {
            let places = self.entries.iter().enumerate();
            self.places = places
                .map(|(place, one)| (one.key.clone(), place))
                .collect();
        }
        self.basis = Some((fleet.names(), rules.filter.clone(), rules.sort.clone()));
    }

    /// Counts them, and brings the rows up to date. `shown` are shown however they stand.
    pub(super) fn arrange(
        &self,
        fleet: &Fleet,
        rules: Rules<'_>,
        shown: &BTreeSet<&ContainerKey>,
        rows: &mut Vec<ContainerKey>,
    ) -> Tally {
        let mut tally = Tally::default();
        let mut order: Vec<(Rank, &Entry)> = Vec::with_capacity(self.entries.len());
        for entry in self.entries.iter().filter(|entry| entry.accepted) {
            let hidden = !rules.all && entry.is_quiet() && !shown.contains(&entry.key);
            tally.count(entry.standing, entry.columns, entry.has_agent, hidden);
            if !hidden && entry.matches {
                order.push((entry.rank, entry));
            }
        }
        if rules.direction == Direction::Reversed {
            order.reverse();
        }
        if rules.sort.is_counted() {
            order.sort_by(|(a, _), (b, _)| rules.direction.apply(a.cmp(b)));
        } else {
            let found = order
                .into_iter()
                .filter_map(|(_, entry)| Some((fleet.get(&entry.key)?, entry)));
            let mut found: Vec<(&Container, &Entry)> = found.collect();
            found.sort_by(|(a, _), (b, _)| rules.direction.apply(rules.sort.compare(a, b)));
            order = found
                .into_iter()
                .map(|(_, entry)| (entry.rank, entry))
                .collect();
        }
        // Most stay where they were.
        rows.truncate(order.len());
        for (row, (_, entry)) in rows.iter_mut().zip(&order) {
            if *row != entry.key {
                *row = entry.key.clone();
            }
        }
        let more = rows.len();
        rows.extend(order[more..].iter().map(|(_, entry)| entry.key.clone()));
        tally
    }
}
