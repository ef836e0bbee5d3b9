//! Whether there is a backup of a container, and how old it is.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::units::age;

/// What is known of the backups of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Backed {
    /// Nothing: it has no data, it is not known where its backups are, or they could not be looked through.
    Unknown {
        /// Why, where there is something to say.
        reason: Option<String>,
    },
    /// Where its backups are is none that is good.
    Never {
        /// The directory.
        vault: String,
    },
    /// There is one.
    Last(Box<LastBackup>),
}

/// The newest backup that is complete and not known to be damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastBackup {
    /// Whose it is: what the group it was made of is called.
    pub name: String,
    /// What it is called.
    pub id: String,
    /// The directory with all of them.
    pub vault: String,
    /// When it was begun: its data are as of then.
    pub begun: Timestamp,
    /// How still everything was, in a word.
    pub consistency: Cow<'static, str>,
    /// Whether it was verified and found to be good.
    pub verified: bool,
}

impl Default for Backed {
    fn default() -> Self {
        Self::Unknown { reason: None }
    }
}

impl Backed {
    /// The last good one.
    pub(crate) fn last(&self) -> Option<&LastBackup> {
        match self {
            Self::Last(last) => Some(last),
            Self::Unknown { .. } | Self::Never { .. } => None,
        }
    }

    /// Of two answers the better one: that of a backup, the newer one; and of two that are none the one that says most.
    pub(crate) fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Last(one), Self::Last(another)) if another.begun > one.begun => other,
            (Self::Last(_), _) => self,
            (_, Self::Last(_)) | (Self::Never { .. }, Self::Unknown { .. }) => other,
            (Self::Unknown { .. } | Self::Never { .. }, _) => self,
        }
    }

    /// `3h ago, svcdown, verified: shop/20261122T161500Z-7f3a in /srv/backup`; empty where there is nothing to say.
    pub(crate) fn words(&self, now: Timestamp) -> String {
        match self {
            Self::Unknown { reason } => reason
                .as_ref()
                .map_or_else(String::new, |reason| format!("not known: {reason}")),
            Self::Never { vault } => format!("none that is good in {vault}"),
            Self::Last(last) => {
                let verified = if last.verified {
                    "verified"
                } else {
                    "not verified"
                };
                let LastBackup {
                    name,
                    id,
                    vault,
                    consistency,
                    ..
                } = &**last;
                format!(
                    "{} ago, {consistency}, {verified}: {name}/{id} in {vault}",
                    age(last.age(now))
                )
            }
        }
    }
}

impl LastBackup {
    /// How old its data are.
    pub(crate) fn age(&self, now: Timestamp) -> Duration {
        // Another machine's clock may be ahead of this one's.
        Duration::try_from(now.duration_since(self.begun)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::wall;

    fn last(seconds: i64) -> Backed {
        Backed::Last(Box::new(LastBackup {
            name: "shop".into(),
            id: "20261122T161500Z-7f3a".into(),
            vault: "/srv/backup".into(),
            begun: wall() - jiff::SignedDuration::from_secs(seconds),
            consistency: "svcdown".into(),
            verified: false,
        }))
    }

    #[test]
    fn the_newest_of_several_vaults_counts_and_one_that_was_not_seen_leaves_it_open() {
        let never = || Backed::Never {
            vault: "/srv/backup".into(),
        };
        let unknown = || Backed::Unknown {
            reason: Some("cannot open it".into()),
        };
        assert_eq!(last(60).or(last(3600)), last(60));
        assert_eq!(last(3600).or(last(60)), last(60));
        for other in [never(), unknown(), Backed::default()] {
            assert_eq!(last(60).or(other.clone()), last(60));
            assert_eq!(other.or(last(60)), last(60));
        }
        assert_eq!(never().or(unknown()), unknown());
        assert_eq!(unknown().or(never()), unknown());
        assert_eq!(never().or(never()), never());
    }

    #[test]
    fn it_is_told_in_words_and_a_clock_that_is_ahead_makes_it_no_older() {
        let words = "2h ago, svcdown, not verified: shop/20261122T161500Z-7f3a in /srv/backup";
        assert_eq!(last(7200).words(wall()), words);
        assert!(last(-30).words(wall()).starts_with("0s ago"));
        assert_eq!(Backed::default().words(wall()), "");
    }
}
