//! What decides a random life: the policy, the services, and what happens in it.

use std::time::Duration;

use crate::lifecycle::{Hook, MAIN_SERVICE, Outcome, Policy, ServiceRules};

/// What can happen next; numbers choose among what is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Move {
    Start(bool),
    End(u8, u8),
    EndUnknown(u64),
    Told,
    Marked(bool),
    GroupEmpty(bool),
    AllGone,
    Restart,
    Stop,
    Check,
    Quiesce(u32),
    Resume,
    Fault,
    Deadline,
    Wait(u32),
    /// The process of a service exists.
    Begin(u8),
    /// A service ends.
    ServiceEnd(u8, u8),
    /// Nothing is left of a run of a service that has ended.
    ServiceEmpty(u8),
    /// A run of a service, of now or before, says something.
    Say(u8, u8),
    /// Something is put into `svc.d`, or removed.
    Change(u8),
}

/// The services there may be, in their order.
pub(super) const SERVICES: [&str; 3] = ["a", "b", "c"];

/// Everything that decides a life; the same number is the same life for ever.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one way a world can be"
)]
pub(super) struct Life {
    pub(super) policy: Policy,
    pub(super) prompt: bool,
    pub(super) services: Vec<String>,
    /// The container is there for one command.
    pub(super) wraps: bool,
    /// The processes of services exist at once.
    pub(super) begins: bool,
    /// Whether the end is asked for a second time when it is under way already.
    pub(super) insist: bool,
    pub(super) moves: Vec<Move>,
}

/// Numbers that look like chance (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn toss(&mut self) -> bool {
        self.below(2) == 0
    }
}

impl Life {
    pub(super) fn of(number: u64) -> Self {
        let mut chance = Chance(number);
        let mut policy = policy(&mut chance);
        let wraps = chance.below(5) == 0;
        let attends = chance.below(3) > 0;
        let services: Vec<String> = SERVICES
            .into_iter()
            .filter(|_| attends && chance.below(3) > 0)
            .map(str::to_owned)
            .collect();
        for name in SERVICES.into_iter().chain([MAIN_SERVICE]) {
            policy.services.insert(name.into(), rules(&mut chance));
        }
        // With little luck few lives get to UP, with nothing but luck none fails.
        let luck = [50, 90, 99][usize::from(chance.byte()) % 3];
        // Without a stop among the moves a life can get long.
        let stops = chance.toss();
        // Most lives start first; the machine must bear the others too.
        let start = (chance.below(16) > 0).then_some(Move::Start(chance.toss()));
        // Services take longer to come up.
        let attends = wraps || !services.is_empty();
        let length = chance.below(if attends { 320 } else { 200 });
        let later = (0..length).map(|_| {
            if attends && chance.below(5) < 2 {
                service_move(&mut chance, luck)
            } else {
                one_move(&mut chance, luck, stops)
            }
        });
        let moves = start.into_iter().chain(later).collect();
        Self {
            policy,
            prompt: chance.toss(),
            services,
            wraps,
            begins: chance.toss(),
            insist: chance.toss(),
            moves,
        }
    }
}

fn one_move(chance: &mut Chance, luck: u64, stops: bool) -> Move {
    let lucky = chance.below(100) < luck;
    match chance.below(36) {
        0 => Move::Start(chance.toss()),
        1..=8 => Move::End(chance.byte(), if lucky { 0 } else { chance.byte() }),
        9 => Move::EndUnknown(chance.below(40)),
        10..=13 => Move::Told,
        14..=16 => Move::Marked(lucky || chance.toss()),
        17..=20 => Move::GroupEmpty(chance.toss()),
        21..=22 => Move::AllGone,
        23..=24 => Move::Restart,
        25 if stops && chance.toss() => Move::Stop,
        26 if stops && chance.below(8) == 0 => Move::Fault,
        25..=27 => Move::Check,
        28..=31 => Move::Deadline,
        32 | 33 => Move::Quiesce(u32::try_from(chance.below(100)).unwrap()),
        34 => Move::Resume,
        _ => Move::Wait(u32::try_from(chance.below(100_000)).unwrap()),
    }
}

fn service_move(chance: &mut Chance, luck: u64) -> Move {
    let lucky = chance.below(100) < luck;
    let which = chance.byte();
    match chance.below(16) {
        0..=2 => Move::Begin(which),
        3..=5 if !lucky || chance.below(4) == 0 => Move::ServiceEnd(which, chance.byte()),
        6..=8 => Move::ServiceEmpty(which),
        15 if chance.below(4) == 0 => Move::Change(which),
        _ => Move::Say(which, if lucky { 0 } else { chance.byte() }),
    }
}

fn rules(chance: &mut Chance) -> ServiceRules {
    ServiceRules {
        notify: chance.below(3) == 0,
        ready_timeout: Duration::from_secs(if chance.toss() { 40 } else { 300 }),
        stop_timeout: chance.toss().then_some(Duration::from_secs(4)),
        watchdog: (chance.below(3) == 0).then_some(Duration::from_secs(30)),
        restart_max: chance.toss().then(|| u32::from(chance.byte() % 3)),
    }
}

fn policy(chance: &mut Chance) -> Policy {
    let mut policy = Policy {
        restart_max: u32::from(chance.byte() % 3),
        monitor_failures: u32::from(chance.byte() % 2) + 1,
        restart_warmup: chance.toss(),
        drain: Duration::from_secs(if chance.toss() { 7 } else { 0 }),
        stop_timeout: chance.toss().then_some(Duration::from_secs(9)),
        ..Policy::default()
    };
    let tolerated = chance.byte();
    for (bit, hook) in Hook::ALL.into_iter().take(5).enumerate() {
        if tolerated & (1 << bit) != 0 {
            policy.tolerated.insert(hook);
        }
        if chance.toss() {
            policy.timeouts.insert(hook, Duration::from_secs(20));
        }
    }
    policy
}

pub(super) fn outcome(how: u8) -> Outcome {
    match how % 8 {
        0..=3 => Outcome::Exited(0),
        4 => Outcome::Exited(i32::from(how)),
        5 => Outcome::Missing,
        6 => Outcome::Signalled {
            name: "SIGKILL".into(),
            number: 9,
            out_of_memory: how > 100,
        },
        _ => Outcome::CannotStart {
            code: 127,
            reason: "no interpreter".into(),
        },
    }
}
