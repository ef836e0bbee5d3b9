//! What a set is called: when it was begun, and something no other has.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How its time is written.
const FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// `20261122T161500Z-7f3a`. Those of a name are in the order of their times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(String);

/// Why something is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a time and four digits, such as 20261122T161500Z-7f3a")]
pub(crate) struct IdError;

impl Id {
    /// A new one.
    pub(crate) fn new(at: Timestamp) -> Self {
        let mut tail = [0; 2];
        // Two that begin in the same second are kept apart by the lock; it is for those of two machines.
        if ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut tail).is_err() {
            let [.., one, two] = std::process::id().to_be_bytes();
            tail = [one, two];
        }
        let [one, two] = tail;
        Self(format!("{}-{one:02x}{two:02x}", at.strftime(FORMAT)))
    }

    /// When it was begun, to the second.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "what is to list sets is not there yet")
    )]
    pub(crate) fn time(&self) -> Option<Timestamp> {
        time(&self.0)
    }
}

fn time(text: &str) -> Option<Timestamp> {
    let (time, _) = text.split_once('-')?;
    let civil = DateTime::strptime(FORMAT, time).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let tail = text.split_once('-').map(|(_, tail)| tail).ok_or(IdError)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_one = text.len() == 21
            && tail.len() == 4
            && tail.bytes().all(is_digit)
            && time(text).is_some();
        is_one.then(|| Self(text.to_owned())).ok_or(IdError)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_when_and_nothing_else_is_one() {
        let at: Timestamp = "2026-11-22T16:15:00.7Z".parse().unwrap();
        let id = Id::new(at);
        assert!(id.to_string().starts_with("20261122T161500Z-"));
        assert_eq!(id.to_string().parse::<Id>().unwrap(), id);
        assert_eq!(id.time().unwrap().as_second(), at.as_second());
        for odd in [
            "",
            "20261122T161500Z",
            "20261122T161500Z-7F3A",
            "20261122T161500Z-7f3a0",
            "20261322T161500Z-7f3a",
            "../20261122T16150-7f3a",
            ".incoming-161500Z-7f3",
        ] {
            assert!(odd.parse::<Id>().is_err(), "{odd}");
        }
    }
}
