//! Which backups are kept, and which may go. Nothing here touches a file or a clock.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// How many sets before the newest one it is measured by: what shrank by mistake is noticed as long.
const MEASURED_BY: usize = 3;
/// A set that has less than this part of what another had has shrunk suspiciously.
const SUSPICIOUS: u64 = 2;

/// How many are kept of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Keep {
    /// The newest ones.
    pub last: u32,
    /// The newest one of each day that has one.
    pub daily: u32,
    /// Of each week; it begins on Monday.
    pub weekly: u32,
    /// Of each month.
    pub monthly: u32,
    /// Of each year.
    pub yearly: u32,
}

/// A backup of one container, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aged {
    /// What it is called: of two of the same time the greater one is the newer one.
    pub id: String,
    /// When it was begun.
    pub at: Timestamp,
    /// Bytes of content.
    pub bytes: u64,
    /// Entries.
    pub entries: u64,
    /// Whether nothing is missing that should be in it.
    pub is_complete: bool,
    /// Whether it was verified, and was good.
    pub is_verified: bool,
}

/// Which day, week, month or year a day is of.
type Period = fn(Date) -> (i16, i16);

/// Why one is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reason {
    /// It is one of the last.
    Last,
    /// It is the newest of its day.
    Daily,
    /// Of its week.
    Weekly,
    /// Of its month.
    Monthly,
    /// Of its year.
    Yearly,
    /// No complete one is newer.
    Newest,
    /// No verified one is newer.
    Verified,
    /// It is not complete, and no complete one is newer.
    Incomplete,
    /// It is dated in the future: some clock was wrong.
    Future,
}

impl Reason {
    /// In a word, as it is printed.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
            Self::Newest => "newest",
            Self::Verified => "newest-verified",
            Self::Incomplete => "no-complete-one-after-it",
            Self::Future => "future",
        }
    }
}

/// What of it shrank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shrunk {
    /// Which one of those that were given had more.
    pub from: usize,
    /// Which one has less: the newest complete one.
    pub to: usize,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Plan {
    /// Those that stay, by their place in what was given, and why. The others may go.
    pub kept: BTreeMap<usize, Vec<Reason>>,
    /// What is suspicious about the newest one, if something is: then none should go.
    pub shrunk: Option<Shrunk>,
}

impl Keep {
    /// Whether it keeps nothing by itself.
    pub(crate) const fn is_nothing(self) -> bool {
        self.last == 0
            && self.daily == 0
            && self.weekly == 0
            && self.monthly == 0
            && self.yearly == 0
    }
}

/// What is kept of the backups of one container.
///
/// Only complete ones count. Those that are not are kept as long as no complete one is newer: they may be all there
/// is. What is dated after `now` is kept and does not count either, so that a clock that was wrong once does not make
/// it the newest one for ever.
pub(crate) fn plan(all: &[Aged], keep: Keep, now: Timestamp) -> Plan {
    let mut kept: BTreeMap<usize, Vec<Reason>> = BTreeMap::new();
    let mut hold = |at: usize, reason| kept.entry(at).or_default().push(reason);
    let mut newest_first: Vec<usize> = (0..all.len()).collect();
    newest_first.sort_by(|one, other| {
        let key = |at: usize| (all[at].at, &all[at].id);
        key(*other).cmp(&key(*one))
    });
    newest_first.retain(|&at| {
        let is_future = all[at].at > now;
        if is_future {
            hold(at, Reason::Future);
        }
        !is_future
    });
    let complete: Vec<usize> = newest_first
        .iter()
        .copied()
        .filter(|&at| all[at].is_complete)
        .collect();
    let before_any = newest_first.iter().take_while(|at| !all[**at].is_complete);
    for &at in before_any {
        hold(at, Reason::Incomplete);
    }
    if let Some(&newest) = complete.first() {
        hold(newest, Reason::Newest);
    }
    if let Some(&verified) = complete.iter().find(|at| all[**at].is_verified) {
        hold(verified, Reason::Verified);
    }
    for &at in complete.iter().take(usize_of(keep.last)) {
        hold(at, Reason::Last);
    }
    let rules: [(u32, Reason, Period); 4] = [
        (keep.daily, Reason::Daily, |day| {
            (day.year(), day.day_of_year())
        }),
        (keep.weekly, Reason::Weekly, |day| {
            let week = day.iso_week_date();
            (week.year(), i16::from(week.week()))
        }),
        (keep.monthly, Reason::Monthly, |day| {
            (day.year(), i16::from(day.month()))
        }),
        (keep.yearly, Reason::Yearly, |day| (day.year(), 0)),
    ];
    for (many, reason, of) in rules {
        let mut last = None;
        let mut left = many;
        for &at in &complete {
            let period = of(day(all[at].at));
            if left > 0 && last != Some(period) {
                hold(at, reason);
                left -= 1;
                last = Some(period);
            }
        }
    }
    Plan {
        kept,
        shrunk: shrunk(all, &complete),
    }
}

fn shrunk(all: &[Aged], newest_first: &[usize]) -> Option<Shrunk> {
    let (&to, before) = newest_first.split_first()?;
    let newest = &all[to];
    let mut before = before.iter().copied().take(MEASURED_BY);
    let is_less = |now: u64, then: u64| now < then.div_ceil(SUSPICIOUS);
    let from = before.find(|&at| {
        is_less(newest.bytes, all[at].bytes) || is_less(newest.entries, all[at].entries)
    })?;
    Some(Shrunk { from, to })
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn usize_of(many: u32) -> usize {
    usize::try_from(many).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn aged(at: &str) -> Aged {
        Aged {
            id: at.to_owned(),
            at: at.parse().unwrap(),
            bytes: 1000,
            entries: 10,
            is_complete: true,
            is_verified: false,
        }
    }

    fn kept(all: &[Aged], keep: Keep) -> Vec<(String, Vec<&'static str>)> {
        let plan = plan(all, keep, now());
        let kept = plan.kept.into_iter();
        let words = |reasons: Vec<Reason>| reasons.into_iter().map(Reason::word).collect();
        kept.map(|(at, reasons)| (all[at].id[..10].to_owned(), words(reasons)))
            .collect()
    }

    #[test]
    fn the_newest_of_each_period_is_kept() {
        let all: Vec<Aged> = [
            "2024-12-31T10:00:00Z",
            "2025-12-31T10:00:00Z",
            "2026-10-30T10:00:00Z",
            "2026-11-14T10:00:00Z",
            "2026-11-20T10:00:00Z",
            "2026-11-21T10:00:00Z",
            "2026-11-22T09:00:00Z",
            "2026-11-22T10:00:00Z",
        ]
        .map(aged)
        .into();
        let keep = Keep {
            last: 1,
            daily: 2,
            weekly: 2,
            monthly: 2,
            yearly: 2,
        };
        let expected: Vec<(String, Vec<&str>)> = [
            ("2025-12-31", vec!["yearly"]),
            ("2026-10-30", vec!["monthly"]),
            ("2026-11-14", vec!["weekly"]),
            ("2026-11-21", vec!["daily"]),
            (
                "2026-11-22",
                vec!["newest", "last", "daily", "weekly", "monthly", "yearly"],
            ),
        ]
        .map(|(day, words)| (day.to_owned(), words))
        .into();
        assert_eq!(kept(&all, keep), expected);
    }

    #[test]
    fn a_week_has_a_monday_and_may_lie_in_two_years() {
        let all: Vec<Aged> = [
            "2024-12-29T10:00:00Z",
            "2024-12-30T10:00:00Z",
            "2025-01-05T10:00:00Z",
        ]
        .map(aged)
        .into();
        let keep = Keep {
            weekly: 5,
            ..Keep::default()
        };
        let days: Vec<String> = kept(&all, keep).into_iter().map(|(day, _)| day).collect();
        assert_eq!(days, ["2024-12-29", "2025-01-05"]);
    }

    #[test]
    fn the_newest_verified_one_stays_and_incomplete_ones_do_not_count() {
        let mut all: Vec<Aged> = (10..=20)
            .map(|day| aged(&format!("2026-11-{day}T10:00:00Z")))
            .collect();
        all[2].is_verified = true;
        all[3].is_verified = true;
        for at in [6, 9, 10] {
            all[at].is_complete = false;
            all[at].is_verified = true;
        }
        let keep = Keep {
            last: 2,
            ..Keep::default()
        };
        let expected: Vec<(String, Vec<&str>)> = [
            ("2026-11-13", vec!["newest-verified"]),
            ("2026-11-17", vec!["last"]),
            ("2026-11-18", vec!["newest", "last"]),
            ("2026-11-19", vec!["no-complete-one-after-it"]),
            ("2026-11-20", vec!["no-complete-one-after-it"]),
        ]
        .map(|(day, words)| (day.to_owned(), words))
        .into();
        assert_eq!(kept(&all, keep), expected);
    }

    #[test]
    fn where_none_is_complete_all_stay_and_what_is_of_the_future_does_not_count() {
        let mut all: Vec<Aged> = ["2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z"]
            .map(aged)
            .into();
        for one in &mut all {
            one.is_complete = false;
        }
        let keep = Keep {
            last: 1,
            ..Keep::default()
        };
        assert_eq!(kept(&all, keep).len(), 2);
        let all: Vec<Aged> = [
            "2026-11-20T10:00:00Z",
            "2026-11-21T10:00:00Z",
            "2036-01-01T00:00:00Z",
        ]
        .map(aged)
        .into();
        let expected: Vec<(String, Vec<&str>)> = [
            ("2026-11-21", vec!["newest", "last"]),
            ("2036-01-01", vec!["future"]),
        ]
        .map(|(day, words)| (day.to_owned(), words))
        .into();
        assert_eq!(kept(&all, keep), expected);
    }

    #[test]
    fn what_shrank_is_noticed_for_three_backups_more() {
        let mut all: Vec<Aged> = (10..=15)
            .map(|day| aged(&format!("2026-11-{day}T10:00:00Z")))
            .collect();
        let found = |all: &[Aged]| plan(all, Keep::default(), now()).shrunk;
        assert_eq!(found(&all), None);
        all[5].bytes = 500;
        assert_eq!(found(&all), None, "half is left");
        all[5].bytes = 499;
        assert_eq!(found(&all), Some(Shrunk { from: 4, to: 5 }));
        all[5].bytes = 1000;
        all[5].entries = 1;
        assert_eq!(found(&all), Some(Shrunk { from: 4, to: 5 }));
        all[4].entries = 1;
        all[3].entries = 1;
        assert_eq!(found(&all), Some(Shrunk { from: 2, to: 5 }));
        all[2].entries = 1;
        assert_eq!(found(&all), None, "it has been so for long enough");
        assert_eq!(found(&all[..1]), None);
        assert_eq!(found(&[]), None);
    }

    fn any_set() -> impl Strategy<Value = Aged> {
        let times = 1_600_000_000_i64..1_800_000_000;
        (times, any::<bool>(), any::<bool>(), 0..5000_u64).prop_map(
            |(second, is_complete, is_verified, bytes)| {
                let at = Timestamp::from_second(second).unwrap();
                Aged {
                    id: at.to_string(),
                    at,
                    bytes,
                    entries: 1,
                    is_complete,
                    is_verified,
                }
            },
        )
    }

    fn any_keep() -> impl Strategy<Value = Keep> {
        (0..5_u32, 0..5_u32, 0..5_u32, 0..5_u32, 0..5_u32).prop_map(
            |(last, daily, weekly, monthly, yearly)| Keep {
                last,
                daily,
                weekly,
                monthly,
                yearly,
            },
        )
    }

    proptest! {
        #[test]
        fn the_best_there_is_always_stays(all in proptest::collection::vec(any_set(), 0..40), keep in any_keep()) {
            let plan = plan(&all, keep, now());
            let usable = |one: &&Aged| one.is_complete && one.at <= now();
            let newest = all.iter().filter(usable).map(|one| one.at).max();
            let verified = all.iter().filter(usable).filter(|one| one.is_verified).map(|one| one.at).max();
            for wanted in [newest, verified].into_iter().flatten() {
                prop_assert!(plan.kept.keys().any(|at| all[*at].at == wanted));
            }
            // Nothing goes that has no complete one after it.
            for (at, one) in all.iter().enumerate() {
                if !plan.kept.contains_key(&at) {
                    prop_assert!(newest.is_some_and(|newest| newest >= one.at));
                }
            }
        }

        #[test]
        fn no_more_are_kept_than_was_said(all in proptest::collection::vec(any_set(), 0..40), keep in any_keep()) {
            let plan = plan(&all, keep, now());
            for (reason, most) in [
                (Reason::Last, keep.last),
                (Reason::Daily, keep.daily),
                (Reason::Weekly, keep.weekly),
                (Reason::Monthly, keep.monthly),
                (Reason::Yearly, keep.yearly),
                (Reason::Newest, 1),
                (Reason::Verified, 1),
            ] {
                let count = plan.kept.values().filter(|reasons| reasons.contains(&reason)).count();
                prop_assert!(count <= usize::try_from(most).unwrap(), "{reason:?}");
            }
        }

        #[test]
        fn what_was_kept_is_kept_again_when_the_others_are_gone(all in proptest::collection::vec(any_set(), 0..40), keep in any_keep()) {
            let first = plan(&all, keep, now());
            let left: Vec<Aged> = first.kept.keys().map(|at| all[*at].clone()).collect();
            let second = plan(&left, keep, now());
            let ids: BTreeSet<&str> = left.iter().map(|one| one.id.as_str()).collect();
            let again: BTreeSet<&str> = second.kept.keys().map(|at| left[*at].id.as_str()).collect();
            prop_assert_eq!(ids, again);
        }

        #[test]
        fn the_order_in_which_they_are_given_does_not_matter(all in proptest::collection::vec(any_set(), 0..20), keep in any_keep()) {
            let ids = |all: &[Aged]| -> BTreeSet<String> {
                plan(all, keep, now()).kept.keys().map(|at| all[*at].id.clone()).collect()
            };
            let reversed: Vec<Aged> = all.iter().rev().cloned().collect();
            prop_assert_eq!(ids(&all), ids(&reversed));
        }
    }
}
