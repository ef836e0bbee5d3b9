//! The containers that are acted on, and how far each is.

mod one;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use whaleware::lifecycle::Moment;

pub(super) use one::Proof;

use super::act::{Plan, Sent, laggard};
use super::before::Before;
use super::outcome::{Outcome, UNTOUCHED};
use super::turns::{Condition, Standing, next};
use crate::exit::{Exit, Failure};
use crate::fleet::{Change, Container, ContainerKey, Fleet, HostStatus};
use crate::output::Output;
use crate::units::duration;
use one::{One, Step, condition, relapse};

/// Before an Engine that could not be reached is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// All containers that are acted on.
#[derive(Debug)]
pub(super) struct Acting {
    order: Vec<ContainerKey>,
    all: BTreeMap<ContainerKey, One>,
    in_turn: bool,
    /// Until when it is waited for those that keep the next from being begun.
    patience: Option<Instant>,
    /// Where to say what is left when nobody watches any more.
    output: Output,
}

/// What has become of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    /// Which one.
    pub key: ContainerKey,
    /// Its name.
    pub name: String,
    /// How it counts.
    pub exit: Exit,
    /// Why it is not there.
    pub reason: String,
    /// How long it took.
    pub took: Duration,
}

impl Acting {
    /// These, in this order. None has been begun.
    pub(super) fn on(
        keys: &[ContainerKey],
        fleet: &Fleet,
        plan: &Plan<'_>,
        now: Moment,
        output: Output,
    ) -> Self {
        let one = |key: &ContainerKey| {
            let step = if plan.changed.contains(key) {
                let reason = "it was restarted meanwhile; nothing was done to it";
                Step::Over(Failure::new(Exit::Failed, reason), Duration::ZERO)
            } else {
                Step::Waiting(None)
            };
            let name = fleet.get(key).map(|one| one.name.clone());
            (key.clone(), One::new(name.unwrap_or_default(), step, now))
        };
        Self {
            order: keys.to_vec(),
            all: keys.iter().map(one).collect(),
            in_turn: plan.turns.is_some(),
            patience: None,
            output,
        }
    }

    pub(super) fn contains(&self, key: &ContainerKey) -> bool {
        self.all.contains_key(key)
    }

    pub(super) fn is_over(&self) -> bool {
        self.all.values().all(One::is_over)
    }

    /// How many are where they are wanted, and of how many.
    pub(super) fn done(&self) -> (usize, usize) {
        let done = self.all.values().filter(|one| one.is_done());
        (done.count(), self.all.len())
    }

    /// Those that have been begun and are not there yet, in their order.
    pub(super) fn still<'a>(&'a self, fleet: &'a Fleet) -> impl Iterator<Item = &'a Container> {
        self.order
            .iter()
            .filter(|key| self.all.get(key).is_some_and(One::is_in_work))
            .filter_map(|key| fleet.get(key))
    }

    /// Begins those whose turn has come: all, unless they are taken in turn.
    pub(super) fn begin(
        &mut self,
        fleet: &Fleet,
        plan: &Plan<'_>,
        now: Moment,
    ) -> Vec<ContainerKey> {
        let mut begun = Vec::new();
        while let Some(key) = self.next(fleet, plan) {
            if let Some(one) = self.all.get_mut(&key) {
                one.begin(fleet.get(&key), plan.limit, now);
            }
            begun.push(key);
        }
        if self.is_held_up() && self.patience.is_none() {
            self.patience = plan.limit.map(|limit| Instant::now() + limit);
        }
        begun
    }

    fn next(&self, fleet: &Fleet, plan: &Plan<'_>) -> Option<ContainerKey> {
        let place = match &plan.turns {
            Some(turns) => {
                let all = self.order.iter();
                let all: Vec<Standing> = all.map(|key| self.standing(key, fleet)).collect();
                next(&all, turns.at_once)
            }
            None => self
                .order
                .iter()
                .position(|key| self.all.get(key).is_some_and(One::is_waiting)),
        };
        place.map(|place| self.order[place].clone())
    }

    fn standing(&self, key: &ContainerKey, fleet: &Fleet) -> Standing {
        match self.all.get(key).map(|one| &one.step) {
            Some(Step::Waiting(Some(until))) if *until > Instant::now() => {
                Standing::Waits(Condition::Unknown)
            }
            Some(Step::Waiting(_)) => Standing::Waits(condition(fleet, key)),
            Some(Step::Acting | Step::Acted | Step::Unanswered { .. }) => Standing::InWork,
            Some(Step::Over(..) | Step::Untouched(_)) | None => {
                Standing::Over(condition(fleet, key))
            }
        }
    }

    /// Some wait for their turn, and yet none is in work.
    fn is_held_up(&self) -> bool {
        self.in_turn
            && self.all.values().any(One::is_waiting)
            && !self.all.values().any(One::is_in_work)
    }

    /// What keeps the next from being begun: `shop-3: still UP (failing: …)`.
    pub(super) fn in_the_way(&self, fleet: &Fleet) -> BTreeSet<String> {
        if !self.is_held_up() {
            return BTreeSet::new();
        }
        let ill = self
            .order
            .iter()
            .filter(|key| match self.standing(key, fleet) {
                Standing::Waits(condition) | Standing::Over(condition) => {
                    condition != Condition::Well
                }
                Standing::InWork => false,
            });
        ill.map(|key| self.ailing(key, fleet)).collect()
    }

    fn ailing(&self, key: &ContainerKey, fleet: &Fleet) -> String {
        let host = fleet.host(&key.host);
        let is_lost = host.is_some_and(|host| matches!(host.status, HostStatus::Lost { .. }));
        let one = self.all.get(key);
        if is_lost || one.is_some_and(|one| matches!(one.step, Step::Waiting(Some(_)))) {
            return format!("the Docker Engine of {} does not answer", key.host);
        }
        let name = one.map_or("", |one| &one.name);
        match fleet.get(key) {
            Some(container) => format!("{name}: {}", laggard(container)),
            None => format!("{name}: it was removed"),
        }
    }

    /// Those that are to be asked whether they are well; they are asked now.
    pub(super) fn ask<'a>(
        &'a mut self,
        fleet: &'a Fleet,
    ) -> impl Iterator<Item = (&'a Container, &'a Before)> {
        let wanted = self.all.iter_mut();
        wanted
            .filter(|(_, one)| one.is_in_work() && one.proof == Some(Proof::Wanted))
            .filter_map(|(key, one)| {
                one.proof = Some(Proof::Asked);
                Some((fleet.get(key)?, &one.before))
            })
    }

    /// What asking one has come to.
    pub(super) fn proved(&mut self, key: &ContainerKey, proof: Proof) {
        if let Some(one) = self.all.get_mut(key) {
            one.proof = Some(proof);
        }
    }

    /// When there is something to be done that nobody tells of.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let all = self.all.values().filter_map(|one| match one.step {
            Step::Waiting(until) => until.filter(|until| *until > Instant::now()),
            Step::Acting | Step::Acted | Step::Unanswered { .. } => one.deadline,
            Step::Over(..) | Step::Untouched(_) => None,
        });
        all.chain(self.patience).min()
    }

    /// The Engine has answered, or never will.
    pub(super) fn sent(&mut self, key: &ContainerKey, result: Result<Sent, Failure>, now: Moment) {
        if result.is_ok() {
            self.patience = None;
        }
        // What was seen already counts, whatever the answer.
        let Some(one) = self.all.get_mut(key).filter(|one| one.is_in_work()) else {
            return;
        };
        match result {
            Ok(Sent::Answered) => one.step = Step::Acted,
            Ok(Sent::Unanswered) => one.step = Step::Unanswered { answers: false },
            // It was not reached at all, so nothing was done.
            Err(failure) if self.in_turn && failure.exit == Exit::Engine => {
                one.put_back(Some(Instant::now() + RETRY));
            }
            Err(failure) => one.end(failure, now),
        }
    }

    pub(super) fn answers_again(&mut self, changes: &[Change]) {
        for change in changes {
            let Change::HostLive(host) = change else {
                continue;
            };
            for (key, one) in &mut self.all {
                if let Step::Unanswered { answers } = &mut one.step
                    && key.host == *host
                {
                    *answers = true;
                }
            }
        }
    }

    /// Measures those in work. Where they are taken in turn the first that is not well is the last
    /// one begun.
    pub(super) fn measure(&mut self, fleet: &Fleet, plan: &Plan<'_>, now: Moment) {
        for (key, one) in &mut self.all {
            one.measure(fleet.get(key), plan, now);
        }
        if self.in_turn {
            self.look_around(fleet, now);
            self.stop_at_the_first_failure();
        }
    }

    /// Whether those that came back have stayed, and those whose turn is to come are still there.
    fn look_around(&mut self, fleet: &Fleet, now: Moment) {
        for (key, one) in &mut self.all {
            let container = fleet.get(key);
            if one.is_waiting() && container.is_none() {
                one.begun = now;
                one.end(Failure::new(Exit::Failed, "it was removed"), now);
            }
            if one.is_done()
                && let Some(reason) = relapse(container)
            {
                let reason = format!("it did not stay UP: {reason}");
                one.fall_back(Failure::new(Exit::Failed, reason));
            }
        }
    }

    fn stop_at_the_first_failure(&mut self) {
        let mut all = self.order.iter().filter_map(|key| self.all.get(key));
        let failed = all.find_map(|one| Some((&one.name, one.failure()?)));
        if let Some((name, failure)) = failed {
            let what = if failure.exit == Exit::TimedOut {
                "took too long"
            } else {
                "failed"
            };
            let reason = format!("{UNTOUCHED}{name} {what}");
            let exit = failure.exit;
            self.leave_the_rest(exit, &reason);
        }
    }

    fn leave_the_rest(&mut self, exit: Exit, reason: &str) {
        for one in self.all.values_mut().filter(|one| one.is_waiting()) {
            one.step = Step::Untouched(Failure::new(exit, reason));
        }
    }

    /// Those whose time is over are not watched any more.
    pub(super) fn give_up(&mut self, fleet: &Fleet, now: Moment) {
        let clock = Instant::now();
        for (key, one) in &mut self.all {
            let is_late = one.deadline.is_some_and(|deadline| deadline <= clock);
            if is_late && one.is_in_work() {
                let reason = fleet.get(key).map_or_else(String::new, laggard);
                let reason = format!("{reason} after {}", duration(now - one.begun));
                one.end(Failure::new(Exit::TimedOut, reason), now);
            }
        }
        if self.patience.is_some_and(|patience| patience <= clock) {
            self.patience = None;
            self.wait_no_longer(fleet);
        }
    }

    fn wait_no_longer(&mut self, fleet: &Fleet) {
        let who: Vec<String> = self.in_the_way(fleet).into_iter().collect();
        for (key, one) in &mut self.all {
            if one.is_done() && condition(fleet, key) == Condition::Ill {
                let reason = fleet.get(key).map_or_else(String::new, laggard);
                let reason = format!("it did not stay well: {reason}");
                one.fall_back(Failure::new(Exit::TimedOut, reason));
            }
        }
        let reason = format!("{UNTOUCHED}waited in vain: {}", who.join("; "));
        self.leave_the_rest(Exit::TimedOut, &reason);
    }

    /// Those whose end has not been told yet; it is told now.
    pub(super) fn news(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        for key in &self.order {
            let Some(one) = self.all.get_mut(key).filter(|one| !one.told) else {
                continue;
            };
            if let Step::Over(failure, took) = &one.step {
                one.told = true;
                news.push(News {
                    key: key.clone(),
                    name: one.name.clone(),
                    exit: failure.exit,
                    reason: failure.message.clone(),
                    took: *took,
                });
            }
        }
        news
    }

    /// How it ended for each.
    pub(super) fn outcomes(mut self, fleet: &Fleet) -> Vec<Outcome> {
        let mut all = std::mem::take(&mut self.all);
        let order = std::mem::take(&mut self.order);
        let outcome = |key: ContainerKey| match all.remove(&key)?.step {
            Step::Over(failure, took) => {
                let outcome = Outcome::new(fleet, key, failure.exit, failure.message, took);
                Some(outcome.hinting(failure.hint))
            }
            Step::Untouched(failure) => {
                let took = Duration::ZERO;
                let outcome = Outcome::new(fleet, key, failure.exit, failure.message, took);
                Some(outcome.untouched())
            }
            Step::Waiting(_) | Step::Acting | Step::Acted | Step::Unanswered { .. } => None,
        };
        order.into_iter().filter_map(outcome).collect()
    }
}

/// Whoever leaves before the end should know what is left.
impl Drop for Acting {
    fn drop(&mut self) {
        if !self.in_turn || self.is_over() {
            return;
        }
        let names = |wanted: fn(&One) -> bool| {
            let all = self.order.iter().filter_map(|key| self.all.get(key));
            let names = all.filter(|one| wanted(one)).map(|one| one.name.as_str());
            names.collect::<Vec<_>>().join(" ")
        };
        let (done, all) = self.done();
        self.output.say(&format!("{done} of {all} were restarted"));
        let in_work = names(One::is_in_work);
        if !in_work.is_empty() {
            self.output
                .say(&format!("in work, which goes on: {in_work}"));
        }
        let untouched = names(|one| !one.is_in_work() && !matches!(one.step, Step::Over(..)));
        if !untouched.is_empty() {
            self.output.say(&format!("not touched: {untouched}"));
        }
    }
}
