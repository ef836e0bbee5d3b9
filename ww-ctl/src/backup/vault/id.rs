//! What a backup is called.

use std::fmt;
use std::io::Read;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The time it was begun, to the second, and four digits more: `20261122T161500Z-7f3a`. In order of
/// names they are in order of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Id(String);

/// How long one is.
const LENGTH: usize = "20261122T161500Z-7f3a".len();
/// How the time is written in it.
const TIME: &str = "%Y%m%dT%H%M%SZ";

impl Id {
    /// A new one. Of one second it comes after all that there are, given the last of them.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub(super) fn new(now: Timestamp, last: Option<&Self>) -> std::io::Result<Self> {
        let mut tail = [0; 2];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut tail)?;
        Ok(Self::with_tail(now, u16::from_be_bytes(tail)).after(last))
    }

    /// This, or where it would not come after the last of its second, the next after that.
    fn after(self, last: Option<&Self>) -> Self {
        let Some(last) = last.filter(|last| last.time() == self.time() && **last >= self) else {
            return self;
        };
        match last.tail().and_then(|tail| tail.checked_add(1)) {
            Some(tail) => Self::with_tail(last.time(), tail),
            // That many in one second are none that anybody makes.
            None => Self::with_tail(last.time() + jiff::SignedDuration::from_secs(1), 0),
        }
    }

    fn tail(&self) -> Option<u16> {
        let (_, tail) = self.0.split_once('-')?;
        u16::from_str_radix(tail, 16).ok()
    }

    fn with_tail(now: Timestamp, tail: u16) -> Self {
        Self(format!("{}-{tail:04x}", now.strftime(TIME)))
    }

    /// The one that is written like this.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (_, tail) = text.split_once("Z-")?;
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != LENGTH || tail.len() != 4 || !tail.bytes().all(lower) {
            return None;
        }
        let id = Self(text.to_owned());
        // Written again it must be the same: nothing has two names.
        let same = id.read_time()?.strftime(TIME).to_string();
        text.starts_with(&same).then_some(id)
    }

    fn read_time(&self) -> Option<Timestamp> {
        let (time, _) = self.0.split_once('-')?;
        let civil = jiff::civil::DateTime::strptime(TIME, time).ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    }

    /// When it was begun.
    pub(crate) fn time(&self) -> Timestamp {
        self.read_time().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| "it is no name of a backup".to_owned())
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_second_the_later_comes_after() {
        let now: Timestamp = "2026-11-22T16:15:00.7Z".parse().unwrap();
        let id = |tail| Id::with_tail(now, tail);
        assert_eq!(id(5).after(None), id(5));
        assert_eq!(id(5).after(Some(&id(4))), id(5));
        assert_eq!(id(5).after(Some(&id(5))), id(6));
        assert_eq!(id(5).after(Some(&id(0x7fff))), id(0x8000));
        let over = id(5).after(Some(&id(0xffff)));
        assert_eq!(over.as_str(), "20261122T161501Z-0000");
        // A clock that was set back is not followed: an id says when.
        let ahead = Id::parse("20261122T161501Z-ffff").unwrap();
        assert_eq!(id(5).after(Some(&ahead)), id(5));
    }

    #[test]
    fn it_says_when_and_nothing_else_is_one() {
        let now: Timestamp = "2026-11-22T16:15:00.7Z".parse().unwrap();
        let id = Id::with_tail(now, 0x7f3a);
        assert_eq!(id.to_string(), "20261122T161500Z-7f3a");
        assert_eq!(id.time().to_string(), "2026-11-22T16:15:00Z");
        assert_eq!(Id::parse("20261122T161500Z-7f3a"), Some(id));
        for text in [
            "",
            "20261122T161500Z-7f3",
            "20261122T161500Z-7F3a",
            "20261322T161500Z-7f3a",
            "20261122T161500Z-7f3a/",
            "../../../../etc/passw",
            "20261122T161500Z_7f3a",
            ".incoming-20261122T16",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}
