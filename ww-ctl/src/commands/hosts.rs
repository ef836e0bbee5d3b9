//! Hosts that come and go while a command runs: what is told of them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use whaleware::lifecycle::Moment;

use crate::fleet::{Change, Fleet, HostName, HostStatus, Stamp};
use crate::units::{clock_time, duration};

/// What became of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// It does not answer any more.
    Lost {
        /// Since when.
        since: Timestamp,
        /// Why, in words.
        reason: String,
    },
    /// It answers; after how long, if it did before.
    Answers {
        /// How long it did not.
        after: Option<Duration>,
    },
}

/// Which hosts do not answer.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Since when; none when that was so from the beginning.
    lost: BTreeMap<HostName, Option<Moment>>,
}

impl Hosts {
    /// From now on: that some do not answer has been said.
    pub(super) fn from_now(fleet: &Fleet) -> Self {
        let lost = fleet
            .hosts()
            .filter(|host| host.status != HostStatus::Live)
            .map(|host| (host.name.clone(), None));
        Self {
            lost: lost.collect(),
        }
    }

    /// What a change says of a host.
    pub(super) fn news(
        &mut self,
        fleet: &Fleet,
        change: &Change,
        now: Stamp,
    ) -> Option<(HostName, News)> {
        let (name, news) = match change {
            Change::HostLive(name) => {
                let since = self.lost.remove(name)?;
                let after = since.map(|since| now.moment - since);
                (name, News::Answers { after })
            }
            Change::HostLost(name) => {
                let HostStatus::Lost { since, reason } = &fleet.host(name)?.status else {
                    return None;
                };
                // What was said to be without an answer at first is not lost a second time.
                if self.lost.contains_key(name) {
                    return None;
                }
                self.lost.insert(name.clone(), Some(*since));
                let ago = now.moment - *since;
                let since = now.wall.checked_sub(ago).unwrap_or(now.wall);
                let reason = reason.clone();
                (name, News::Lost { since, reason })
            }
            Change::Appeared(_)
            | Change::Gone(_)
            | Change::State(..)
            | Change::Docker(..)
            | Change::Health(..)
            | Change::Service(..)
            | Change::Stopping(..)
            | Change::Note(..)
            | Change::Link(_)
            | Change::Details(_) => return None,
        };
        Some((name.clone(), news))
    }

    /// The same as a line of talk.
    pub(super) fn line(&mut self, fleet: &Fleet, change: &Change, now: Stamp) -> Option<String> {
        let (name, news) = self.news(fleet, change, now)?;
        Some(format!("host {name}: {}", news.words(now.wall)))
    }
}

impl News {
    /// In words.
    pub(super) fn words(&self, now: Timestamp) -> String {
        match self {
            Self::Lost { since, reason } => {
                let since = clock_time(*since, now);
                format!("does not answer since {since} ({reason})")
            }
            Self::Answers { after: Some(after) } => {
                format!("answers again after {}", duration(*after))
            }
            Self::Answers { after: None } => "answers now".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{HOST, at, listing, up};
    use crate::fleet::{Fleet, Input};
    use std::sync::Arc;

    fn lost(since: Option<Moment>) -> Input {
        Input::HostLost {
            host: Arc::from(HOST),
            since,
            reason: "connection refused".into(),
        }
    }

    fn lines(hosts: &mut Hosts, fleet: &mut Fleet, input: Input, millis: u64) -> Vec<String> {
        let changes = fleet.apply(input, at(millis));
        changes
            .iter()
            .filter_map(|change| hosts.line(fleet, change, at(millis)))
            .collect()
    }

    #[test]
    fn a_host_is_lost_since_it_was_heard_last_and_told_once() {
        let mut fleet = up();
        let mut hosts = Hosts::from_now(&fleet);
        let since = at(4_000);
        let told = lines(&mut hosts, &mut fleet, lost(Some(since.moment)), 9_000);
        let time = clock_time(since.wall, since.wall);
        assert_eq!(
            told,
            [format!(
                "host {HOST}: does not answer since {time} (connection refused)"
            )]
        );
        let again = lines(&mut hosts, &mut fleet, lost(Some(since.moment)), 12_000);
        assert!(again.is_empty());
        let told = lines(&mut hosts, &mut fleet, listing(Vec::new()), 16_500);
        assert_eq!(told, [format!("host {HOST}: answers again after 12s")]);
    }

    #[test]
    fn one_that_was_never_heard_is_not_lost_and_answers_at_last() {
        let mut fleet = Fleet::new([Arc::from(HOST)]);
        let mut hosts = Hosts::from_now(&fleet);
        assert!(lines(&mut hosts, &mut fleet, lost(None), 1_000).is_empty());
        let told = lines(&mut hosts, &mut fleet, listing(Vec::new()), 2_000);
        assert_eq!(told, [format!("host {HOST}: answers now")]);
    }
}
