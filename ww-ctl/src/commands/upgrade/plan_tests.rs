//! The plan is driven against a small Engine, interrupted after every step in every way there is.

use super::*;
use jiff::SignedDuration;

const SHOP_1: &str = "sha256:1";
const SHOP_2: &str = "sha256:2";

/// How a run is cut short.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    /// The program is killed.
    Killed,
    /// The same, and the Engine is restarted, which ends all containers.
    Restarted,
    /// The same, but containers live on meanwhile.
    Relived,
}

/// What the new image does when it is started.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Image {
    Good,
    /// It runs but is not well.
    Ill,
    /// It ends.
    Ends,
}

#[derive(Debug, Clone)]
struct World {
    seen: Seen,
    clock: i64,
    image: Image,
    /// What has been done, for messages.
    done: Vec<Step>,
}

fn one(id: &str, image: &str, policy: Policy) -> One {
    One {
        id: id.into(),
        image: image.into(),
        running: false,
        started: false,
        policy,
        created: None,
        finished: None,
    }
}

fn forward() -> Wish {
    Wish {
        goal: Goal::Forward,
        image: Some(SHOP_2.into()),
        fresh: None,
        proven: false,
        revived: false,
        keep: false,
    }
}

fn undo() -> Wish {
    Wish {
        goal: Goal::Undo,
        image: None,
        ..forward()
    }
}

impl World {
    fn new(policy: Policy, running: bool, image: Image) -> Self {
        let mut world = Self {
            seen: Seen::default(),
            clock: 0,
            image,
            done: Vec::new(),
        };
        let mut old = one("old", SHOP_1, policy);
        old.created = Some(world.tick());
        old.started = true;
        old.running = running;
        if !running {
            old.finished = Some(world.tick());
        }
        world.seen.main = Some(old);
        world
    }

    fn tick(&mut self) -> Timestamp {
        self.clock += 1;
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(self.clock)
    }

    fn all(&mut self) -> impl Iterator<Item = &mut One> {
        let Seen {
            main,
            old,
            new,
            undo,
            kept,
        } = &mut self.seen;
        let old = old.as_mut().map(|(one, _)| one);
        let kept = kept.as_mut().map(|(one, _)| one);
        [main.as_mut(), old, new.as_mut(), undo.as_mut(), kept]
            .into_iter()
            .flatten()
    }

    fn get(&mut self, id: &str) -> &mut One {
        self.all().find(|one| one.id == id).unwrap()
    }

    fn take(&mut self, id: &str) -> One {
        let seen = &mut self.seen;
        for slot in [&mut seen.main, &mut seen.new, &mut seen.undo] {
            if slot.as_ref().is_some_and(|one| one.id == id) {
                return slot.take().unwrap();
            }
        }
        for slot in [&mut seen.old, &mut seen.kept] {
            if slot.as_ref().is_some_and(|(one, _)| one.id == id) {
                return slot.take().unwrap().0;
            }
        }
        panic!("no {id}");
    }

    fn check(&mut self) {
        let running: Vec<String> = self
            .all()
            .filter(|one| one.running)
            .map(|one| one.id.clone())
            .collect();
        assert!(running.len() <= 1, "{running:?} run: {:#?}", self.done);
    }

    /// The Engine is restarted: whoever is to come back does.
    fn restart(&mut self, ends: bool) {
        let now = Some(self.tick());
        for one in self.all() {
            if ends && one.running {
                one.running = false;
                one.finished = now;
                one.running = one.policy != Policy::No;
            } else if one.started && matches!(one.policy, Policy::Always | Policy::OnFailure(_)) {
                one.running = true;
            }
        }
        self.check();
    }

    /// Does a step; false when there was none.
    fn perform(&mut self, step: &Step, wish: &mut Wish) -> bool {
        self.done.push(step.clone());
        let now = Some(self.tick());
        match step {
            Step::Make => {
                assert_eq!(self.seen.new, None);
                let id = format!("new{}", self.clock);
                let mut new = one(&id, SHOP_2, Policy::No);
                new.created = now;
                self.seen.new = Some(new);
                wish.fresh = Some(id);
                (wish.proven, wish.revived) = (false, false);
            }
            Step::Complete(id) => wish.fresh = Some(id.clone()),
            Step::SetPolicy(id, policy) => self.get(id).policy = *policy,
            Step::Stop(id) => {
                let one = self.get(id);
                assert!(one.running);
                one.running = false;
                one.finished = now;
            }
            Step::Rename(id, role) => {
                let one = self.take(id);
                let seen = &mut self.seen;
                let free = match role {
                    Role::Main => seen.main.replace(one).is_none(),
                    Role::Old(policy) => seen.old.replace((one, *policy)).is_none(),
                    Role::Undo => seen.undo.replace(one).is_none(),
                    Role::Kept(policy) => seen.kept.replace((one, *policy)).is_none(),
                };
                assert!(free, "the name is taken: {:#?}", self.done);
            }
            Step::Prove(id) => {
                let image = self.image;
                let one = self.get(id);
                assert_eq!(one.image, SHOP_2);
                one.started = true;
                one.running = image != Image::Ends;
                if !one.running {
                    one.finished = now;
                }
                match image {
                    Image::Good => wish.proven = true,
                    Image::Ill | Image::Ends => wish.goal = Goal::Undo,
                }
            }
            Step::Revive(id) => {
                let one = self.get(id);
                assert_eq!(one.image, SHOP_1);
                one.running = true;
                wish.revived = true;
            }
            Step::Discard(id) => {
                assert!(!self.get(id).running, "it runs");
                self.take(id);
            }
            Step::Done => return false,
            Step::Odd(why) => panic!("{why}: {:#?}", self.done),
        }
        self.check();
        true
    }

    /// Runs to the end, or so many steps; whether it came to the end.
    fn run(&mut self, mut wish: Wish, steps: usize) -> bool {
        for _ in 0..steps {
            let step = plan(&self.seen, &wish);
            if !self.perform(&step, &mut wish) {
                return true;
            }
        }
        assert!(steps < 100, "it does not end: {:#?}", self.done);
        false
    }

    /// Whether an upgrade is under way.
    fn is_pending(&self) -> bool {
        self.seen.old.is_some() || self.seen.new.is_some() || self.seen.undo.is_some()
    }

    /// All is as it was before, or the new one is there instead and runs.
    fn is_whole(&mut self, policy: Policy, running: Option<bool>) {
        let done = self.done.clone();
        let count = self.all().count();
        assert_eq!(count, 1, "{:#?}\n{done:#?}", self.seen);
        let main = self.seen.main.as_ref().unwrap();
        assert_eq!(main.policy, policy, "{done:#?}");
        if let Some(running) = running {
            assert_eq!(main.running, running || main.image == SHOP_2, "{done:#?}");
        }
    }

    fn image(&self) -> &str {
        &self.seen.main.as_ref().unwrap().image
    }
}

const POLICIES: [Policy; 4] = [
    Policy::No,
    Policy::Always,
    Policy::UnlessStopped,
    Policy::OnFailure(3),
];

/// Calls this with a world that was interrupted after each number of steps in each way.
fn interrupted(mut check: impl FnMut(World, Policy, Option<bool>)) {
    for policy in POLICIES {
        for running in [true, false] {
            for image in [Image::Good, Image::Ill, Image::Ends] {
                for first in [forward(), undo()] {
                    for cut in [Cut::Killed, Cut::Restarted, Cut::Relived] {
                        // An undo has something to do only after the beginning of an upgrade.
                        for before in 0..12 {
                            for steps in 0..20 {
                                let mut world = World::new(policy, running, image);
                                world.run(forward(), before);
                                if world.run(first.clone(), steps) {
                                    break;
                                }
                                match cut {
                                    Cut::Killed => {}
                                    Cut::Restarted => world.restart(true),
                                    Cut::Relived => world.restart(false),
                                }
                                // One that was down may have been started by the Engine.
                                let revivable =
                                    matches!(policy, Policy::Always | Policy::OnFailure(_));
                                let told = running || !revivable || cut == Cut::Killed;
                                check(world, policy, told.then_some(running));
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_second_call_finishes_or_undoes_whatever_was_interrupted() {
    let mut count = 0;
    interrupted(|mut world, policy, running| {
        if !world.is_pending() {
            return;
        }
        count += 1;
        world.run(forward(), 100);
        world.is_whole(policy, running);
        if world.image != Image::Good {
            assert_eq!(world.image(), SHOP_1);
        }
    });
    assert!(count > 500, "{count}");
}

#[test]
fn an_undo_puts_everything_back_whatever_was_interrupted() {
    interrupted(|mut world, policy, running| {
        if !world.is_pending() {
            return;
        }
        world.run(undo(), 100);
        world.is_whole(policy, running);
        assert_eq!(world.image(), SHOP_1, "{:#?}", world.done);
    });
}

impl World {
    fn image_is_new(&self) -> bool {
        self.seen
            .main
            .as_ref()
            .is_some_and(|main| main.image == SHOP_2)
    }
}

#[test]
fn what_is_pending_for_another_image_is_undone_first() {
    let other = Wish {
        image: Some(SHOP_1.into()),
        ..forward()
    };
    for before in 0..8 {
        let mut world = World::new(Policy::Always, true, Image::Good);
        world.run(forward(), before);
        if world.seen.old.is_none() && world.seen.new.is_none() {
            continue;
        }
        world.run(other.clone(), 100);
        world.is_whole(Policy::Always, Some(true));
        assert_eq!(world.image(), SHOP_1);
    }
}

#[test]
fn one_that_is_kept_can_be_gone_back_to_until_the_next_upgrade() {
    let keep = Wish {
        keep: true,
        ..forward()
    };
    let back = Wish {
        goal: Goal::Back,
        ..undo()
    };
    for cut in 0..10 {
        let mut world = World::new(Policy::Always, true, Image::Good);
        world.run(keep.clone(), 100);
        let (kept, policy) = world.seen.kept.clone().unwrap();
        assert_eq!(policy, Policy::Always);
        assert_eq!((kept.policy, kept.running), (Policy::No, false));
        assert!(world.image_is_new());
        // An undo has nothing to do: nothing is pending.
        assert!(world.run(undo(), 1));
        if !world.run(back.clone(), cut) && world.seen.kept.is_some() {
            world.run(back.clone(), 100);
        } else {
            world.run(undo(), 100);
        }
        world.is_whole(Policy::Always, Some(true));
        assert_eq!(world.image(), SHOP_1);
    }
    // The next one replaces it.
    let mut world = World::new(Policy::No, true, Image::Good);
    world.run(keep.clone(), 100);
    world.seen.main.as_mut().unwrap().image = SHOP_1.into();
    world.run(keep, 100);
    assert_ne!(world.seen.kept.unwrap().0.id, "old");
}

#[test]
fn one_that_somebody_else_has_started_is_stopped_before_anything_else() {
    // The new one beside the old one, the old one beside the new one, the new one on its way out.
    for before in 0..20 {
        for image in [Image::Good, Image::Ends] {
            let mut world = World::new(Policy::No, true, image);
            if world.run(forward(), before) {
                break;
            }
            for one in world.all() {
                one.started = true;
                one.running = true;
            }
            let count = world.all().filter(|one| one.running).count();
            if count < 2 {
                continue;
            }
            let step = plan(&world.seen, &forward());
            assert!(matches!(step, Step::Stop(_)), "{step:?}: {:#?}", world.seen);
        }
    }
}

#[test]
fn what_makes_no_sense_is_left_to_a_person() {
    let some = || Some(one("x", SHOP_1, Policy::No));
    let undone = || Some(one("y", SHOP_2, Policy::No));
    let old = || Some((one("z", SHOP_1, Policy::No), Policy::No));
    for seen in [
        Seen::default(),
        Seen {
            main: some(),
            old: old(),
            new: some(),
            ..Seen::default()
        },
        Seen {
            old: old(),
            ..Seen::default()
        },
        Seen {
            new: some(),
            ..Seen::default()
        },
        Seen {
            undo: undone(),
            ..Seen::default()
        },
        Seen {
            main: some(),
            old: old(),
            undo: undone(),
            ..Seen::default()
        },
        Seen {
            main: some(),
            new: some(),
            undo: undone(),
            ..Seen::default()
        },
    ] {
        for wish in [forward(), undo()] {
            assert!(matches!(plan(&seen, &wish), Step::Odd(_)), "{seen:?}");
        }
    }
}
