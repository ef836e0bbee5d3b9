//! Which transitions of a container have not been told yet.

use std::collections::BTreeMap;

use whaleware::protocol::TransitionReport;

use crate::fleet::{Container, ContainerKey, Fleet};

/// How far a container's life has been told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// What it had done before we looked is no news.
    AllSoFar,
    /// Up to this transition of this boot.
    UpTo { boot: String, number: u64 },
}

/// Which transitions have not been told yet. A transition that happened while an agent was not
/// reached comes with its next snapshot, and none is told twice.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline {
    told: BTreeMap<ContainerKey, Told>,
}

impl Timeline {
    /// From now on.
    pub(super) fn from_now(fleet: &Fleet) -> Self {
        let mut timeline = Self::default();
        for container in fleet.containers() {
            if container.engine.is_running() {
                timeline.told.insert(container.key.clone(), Told::AllSoFar);
            }
            // A life that is over is no news either; all of the next one is.
            if container.is_introduced() {
                timeline.fresh(container);
            }
        }
        timeline
    }

    /// The same, but what an agent has to say that has not been heard yet may be news: whoever asks
    /// looks at when it was.
    pub(super) fn of_heard(fleet: &Fleet) -> Self {
        let mut timeline = Self::from_now(fleet);
        timeline.told.retain(|_, told| *told != Told::AllSoFar);
        timeline
    }

    /// A new life: all of it is news. How far the last one was told stays known: it may have been
    /// heard of the new one already.
    pub(super) fn started(&mut self, key: &ContainerKey) {
        if self.told.get(key) == Some(&Told::AllSoFar) {
            self.told.remove(key);
        }
    }

    /// It is gone for good.
    pub(super) fn gone(&mut self, key: &ContainerKey) {
        self.told.remove(key);
    }

    /// The transitions that have not been told, oldest first; they are told now.
    pub(super) fn fresh(&mut self, container: &Container) -> Vec<TransitionReport> {
        let Some(agent) = container
            .agent
            .as_ref()
            .filter(|_| container.is_introduced())
        else {
            return Vec::new();
        };
        let boot = agent.hello.as_ref().map_or("", |hello| hello.boot.as_str());
        let newest = agent.transitions.last().map_or(0, |report| report.number);
        let after = match self.told.get(&container.key) {
            Some(Told::AllSoFar) => newest,
            Some(Told::UpTo {
                boot: known,
                number,
            }) if known == boot => *number,
            Some(Told::UpTo { .. }) | None => 0,
        };
        let up_to = Told::UpTo {
            boot: boot.to_owned(),
            number: newest.max(after),
        };
        self.told.insert(container.key.clone(), up_to);
        agent
            .transitions
            .iter()
            .filter(|report| report.number > after)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{
        HELLO, at, event, frame, key, listed, listing, one, snapshot, state, up,
    };
    use crate::fleet::{EngineEvent, EngineState};
    use std::sync::Arc;

    fn numbers(timeline: &mut Timeline, fleet: &Fleet) -> Vec<u64> {
        let fresh = timeline.fresh(one(fleet));
        fresh.iter().map(|report| report.number).collect()
    }

    #[test]
    fn what_was_before_is_no_news_and_nothing_is_told_twice() {
        let mut fleet = up();
        let mut timeline = Timeline::from_now(&fleet);
        assert!(numbers(&mut timeline, &fleet).is_empty());
        fleet.apply(frame("a", &state(6, "RESTARTING", "SIGHUP")), at(10));
        fleet.apply(frame("a", &state(7, "UP", "restart finished")), at(20));
        assert_eq!(numbers(&mut timeline, &fleet), [6, 7]);
        assert!(numbers(&mut timeline, &fleet).is_empty());
    }

    #[test]
    fn a_life_that_was_over_before_is_no_news() {
        let mut fleet = up();
        let died = EngineEvent::Died {
            code: 0,
            out_of_memory: false,
        };
        fleet.apply(event("a", died), at(10));
        let mut timeline = Timeline::from_now(&fleet);
        assert!(numbers(&mut timeline, &fleet).is_empty());
        fleet.apply(event("a", EngineEvent::Started), at(20));
        timeline.started(&key("a"));
        fleet.apply(frame("a", &HELLO.replace("b1", "b2")), at(30));
        fleet.apply(frame("a", &snapshot("BOOT", 0)), at(31));
        assert_eq!(numbers(&mut timeline, &fleet), [5]);
    }

    #[test]
    fn an_agent_that_was_not_heard_yet_has_no_news_in_its_first_snapshot() {
        let mut fleet = Fleet::new([Arc::from("local")]);
        fleet.apply(listing(vec![listed("a", EngineState::Running)]), at(0));
        let mut timeline = Timeline::from_now(&fleet);
        fleet.apply(frame("a", HELLO), at(1));
        fleet.apply(frame("a", &snapshot("UP", 10)), at(2));
        assert!(numbers(&mut timeline, &fleet).is_empty());
    }

    #[test]
    fn where_its_time_is_looked_at_what_an_agent_says_first_may_be_news() {
        let mut fleet = Fleet::new([Arc::from("local")]);
        fleet.apply(listing(vec![listed("a", EngineState::Running)]), at(0));
        let mut unheard = Timeline::of_heard(&fleet);
        fleet.apply(frame("a", HELLO), at(1));
        fleet.apply(frame("a", &snapshot("UP", 10)), at(2));
        assert_eq!(numbers(&mut unheard, &fleet), [5]);
        let mut heard = Timeline::of_heard(&fleet);
        assert!(numbers(&mut heard, &fleet).is_empty());
    }

    #[test]
    fn what_happened_while_an_agent_was_not_reached_comes_with_its_next_snapshot() {
        let mut fleet = up();
        let mut timeline = Timeline::from_now(&fleet);
        let later = snapshot("UP", 10).replace("\"number\":5", "\"number\":8");
        fleet.apply(frame("a", &later), at(10));
        assert_eq!(numbers(&mut timeline, &fleet), [8]);
    }

    #[test]
    fn all_of_a_new_life_is_news() {
        let mut fleet = up();
        let mut timeline = Timeline::from_now(&fleet);
        fleet.apply(event("a", EngineEvent::Started), at(10));
        timeline.started(&key("a"));
        fleet.apply(frame("a", &HELLO.replace("b1", "b2")), at(11));
        fleet.apply(frame("a", &snapshot("BOOT", 0)), at(12));
        assert_eq!(numbers(&mut timeline, &fleet), [5]);
    }

    #[test]
    fn a_life_that_ended_unseen_is_not_told_again() {
        let mut fleet = up();
        let mut timeline = Timeline::from_now(&fleet);
        fleet.apply(frame("a", &HELLO.replace("b1", "b2")), at(10));
        assert!(numbers(&mut timeline, &fleet).is_empty());
        let anew = snapshot("BOOT", 0).replace("\"number\":5", "\"number\":1");
        fleet.apply(frame("a", &anew), at(11));
        assert_eq!(numbers(&mut timeline, &fleet), [1]);
        // The Engine is reached again only now, and tells of the start.
        timeline.started(&key("a"));
        assert!(numbers(&mut timeline, &fleet).is_empty());
    }
}
