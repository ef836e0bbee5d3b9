//! What is to be done next, from what is there: the containers' names are the journal.
//!
//! Names are atomic and durable at the Engine, and whoever looks sees the same. So the way there and
//! the way back is one function, asked again after each step, which knows nothing of how far it was:
//! an upgrade that was interrupted anywhere goes on, or back, from what is found.
//!
//! Forward: `NAME.ww-new` is made and connected beside `NAME`. `NAME` is stopped and becomes
//! `NAME.ww-old-POLICY`, which keeps its restart policy, and is told never to be started by Docker
//! itself. `NAME.ww-new` becomes `NAME` and is started. When it is UP and passing it gets the policy, and
//! `NAME.ww-old-…` goes.
//!
//! Back: `NAME` becomes `NAME.ww-undo`, from when on there is no other way than back, and is stopped.
//! `NAME.ww-old-…` gets its policy again, becomes `NAME` and is started. Then `NAME.ww-undo` goes.
//!
//! Docker starts a container by its policy when the Engine comes up, even one that was stopped on purpose,
//! but never one that was never started. So at each point at most one of the two may be started by
//! Docker, and the policy is always written down somewhere. The new one has none until it is proven: one
//! whose `upgrade` fails is to run it once, not again and again until somebody stops it.

use jiff::Timestamp;

use crate::engine::Policy;

/// A container of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct One {
    /// Its id.
    pub id: String,
    /// The id of its image.
    pub image: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it ever ran.
    pub started: bool,
    /// When Docker starts it by itself.
    pub policy: Policy,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it ended last.
    pub finished: Option<Timestamp>,
}

/// What is there under the names of an exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// `NAME`.
    pub main: Option<One>,
    /// `NAME.ww-old-POLICY`.
    pub old: Option<(One, Policy)>,
    /// `NAME.ww-new`.
    pub new: Option<One>,
    /// `NAME.ww-undo`.
    pub undo: Option<One>,
    /// `NAME.ww-kept-POLICY`: left by an upgrade that is over.
    pub kept: Option<(One, Policy)>,
}

/// The name a container of an exchange has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `NAME`.
    Main,
    /// `NAME.ww-old-POLICY`.
    Old(Policy),
    /// `NAME.ww-undo`.
    Undo,
    /// `NAME.ww-kept-POLICY`.
    Kept(Policy),
}

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// To the new image.
    Forward,
    /// What is pending is taken back.
    Undo,
    /// What is done is taken back: to the container that was kept.
    Back,
}

/// What is wanted, and what this run knows that cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// Where to.
    pub goal: Goal,
    /// The id of the image to come; none where it does not matter.
    pub image: Option<String>,
    /// The container that this run has made.
    pub fresh: Option<String>,
    /// Whether the new one was seen to be well.
    pub proven: bool,
    /// Whether the old one was started again and watched, whatever came of it.
    pub revived: bool,
    /// Whether the old one is kept in the end.
    pub keep: bool,
}

/// The next thing to do: one request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Make `NAME.ww-new` beside `NAME`, where its recipe is known, and connect it.
    Make,
    /// See that it is in all its networks, then go on as if this run had made it.
    Complete(String),
    /// Give it this policy.
    SetPolicy(String, Policy),
    /// Stop it in order.
    Stop(String),
    /// Give it this name.
    Rename(String, Role),
    /// Start the new one and watch until it is well.
    Prove(String),
    /// Start the old one and watch until it is UP.
    Revive(String),
    /// Remove it, but not its volumes.
    Discard(String),
    /// There is nothing left to do.
    Done,
    /// Only a person can know what was meant; why.
    Odd(&'static str),
}

const BOTH: &str = "an upgrade that was interrupted, and a container that somebody has made or \
                    renamed since";
const ORPHAN: &str = "its successor was removed or renamed while the upgrade was pending";
const GONE: &str =
    "the container that was to be replaced was removed or renamed while the upgrade was pending";

/// What is to be done next.
pub(super) fn plan(seen: &Seen, wish: &Wish) -> Step {
    if let Some(undone) = &seen.undo {
        return take_back(seen, undone, wish);
    }
    match (&seen.main, &seen.old, &seen.new) {
        (Some(_), Some(_), Some(_)) => Step::Odd(BOTH),
        (Some(main), None, Some(new)) => before_exchange(main, new, wish),
        (None, Some((old, policy)), Some(new)) => amid_exchange(old, *policy, new, wish),
        (Some(main), Some((old, policy)), None) => after_exchange(main, old, *policy, seen, wish),
        (None, Some(_), None) => Step::Odd(ORPHAN),
        (None, None, Some(_)) => Step::Odd(GONE),
        (Some(main), None, None) => alone(main, seen, wish),
        (None, None, None) => Step::Odd("it was removed meanwhile"),
    }
}

/// Nothing is pending.
fn alone(main: &One, seen: &Seen, wish: &Wish) -> Step {
    match (wish.goal, &seen.kept) {
        (Goal::Back, Some(_)) => give_way(main),
        (Goal::Forward, _) if !wish.is_of(main) => Step::Make,
        (Goal::Forward | Goal::Undo | Goal::Back, _) => Step::Done,
    }
}

/// The new one waits beside the old one.
fn before_exchange(main: &One, new: &One, wish: &Wish) -> Step {
    let is_fresh = wish.fresh.as_ref() == Some(&new.id);
    // Made earlier, maybe from other settings than the old one has now; only a stop that this upgrade
    // has begun makes it better to go on.
    let stale = !is_fresh && main.running;
    if wish.goal != Goal::Forward || !wish.is_of(new) || new.started || stale {
        if new.running {
            // Nobody but a person has started it.
            return Step::Stop(new.id.clone());
        }
        return restore(main, new, wish);
    }
    if !is_fresh {
        return Step::Complete(new.id.clone());
    }
    if main.running {
        return Step::Stop(main.id.clone());
    }
    Step::Rename(main.id.clone(), Role::Old(main.policy))
}

/// Nobody has the name.
fn amid_exchange(old: &One, policy: Policy, new: &One, wish: &Wish) -> Step {
    if new.running {
        return Step::Stop(new.id.clone());
    }
    if wish.goal != Goal::Forward || !wish.is_of(new) || new.started {
        return give_back(old, policy);
    }
    if old.policy != Policy::No {
        return Step::SetPolicy(old.id.clone(), Policy::No);
    }
    if old.running {
        // Docker has started it by its policy, when the Engine came up.
        return Step::Stop(old.id.clone());
    }
    Step::Rename(new.id.clone(), Role::Main)
}

/// The new one has the name, the old one is still there.
fn after_exchange(main: &One, old: &One, policy: Policy, seen: &Seen, wish: &Wish) -> Step {
    let ended = main.started && !main.running;
    if wish.goal != Goal::Forward || !wish.is_of(main) || ended {
        return give_way(main);
    }
    if old.running {
        // Somebody has started it.
        return Step::Stop(old.id.clone());
    }
    if !wish.proven {
        return Step::Prove(main.id.clone());
    }
    if main.policy != policy {
        return Step::SetPolicy(main.id.clone(), policy);
    }
    match &seen.kept {
        Some((kept, _)) => Step::Discard(kept.id.clone()),
        None if wish.keep => Step::Rename(old.id.clone(), Role::Kept(policy)),
        None => Step::Discard(old.id.clone()),
    }
}

/// The new one makes room for the old one: decided once and for all.
fn give_way(main: &One) -> Step {
    Step::Rename(main.id.clone(), Role::Undo)
}

/// The new one is on its way out.
fn take_back(seen: &Seen, undone: &One, wish: &Wish) -> Step {
    if seen.new.is_some() || (seen.old.is_some() && seen.main.is_some()) {
        return Step::Odd(BOTH);
    }
    if undone.policy != Policy::No {
        return Step::SetPolicy(undone.id.clone(), Policy::No);
    }
    if undone.running {
        return Step::Stop(undone.id.clone());
    }
    match (&seen.main, seen.old.as_ref().or(seen.kept.as_ref())) {
        (Some(main), _) => restore(main, undone, wish),
        (None, Some((old, policy))) => give_back(old, *policy),
        (None, None) => Step::Odd(GONE),
    }
}

/// The old one gets its policy and its name again.
fn give_back(old: &One, policy: Policy) -> Step {
    if old.policy == policy {
        Step::Rename(old.id.clone(), Role::Main)
    } else {
        Step::SetPolicy(old.id.clone(), policy)
    }
}

/// The old one has all that it had, and runs again if it ran before. `other` is what was to replace it.
fn restore(main: &One, other: &One, wish: &Wish) -> Step {
    // One that had ended before the other was made was not stopped for its sake.
    let was_running = main.finished > other.created;
    let goes_on = main.running && wish.goal == Goal::Forward;
    if !wish.revived && !goes_on && (main.running || was_running) {
        return Step::Revive(main.id.clone());
    }
    Step::Discard(other.id.clone())
}

impl Wish {
    /// Whether a container is of the image that is wanted.
    fn is_of(&self, one: &One) -> bool {
        self.image.as_ref().is_none_or(|image| *image == one.image)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
