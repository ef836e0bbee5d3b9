//! Owners and permissions, by number only: a name means somebody else on every machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The highest permissions there are.
const ALL: u32 = 0o7777;

/// Who owns a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl FromStr for Owner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let number: Option<u32> = text.parse().ok();
            // The highest one means "leave it as it is".
            number.filter(|number| *number != u32::MAX)
        };
        text.split_once(':')
            .and_then(|(uid, gid)| {
                Some(Self {
                    uid: number(uid)?,
                    gid: number(gid)?,
                })
            })
            .ok_or_else(|| {
                "expected UID:GID in numbers, such as 1000:1000: a name means somebody else in \
                 every image"
                    .to_owned()
            })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.uid, self.gid)
    }
}

/// Permissions of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Mode(u32);

impl Mode {
    /// What these bits mean; others are left out.
    pub(crate) const fn of(bits: u32) -> Self {
        Self(bits & ALL)
    }

    /// As the kernel has them.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_octal = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let bits = u32::from_str_radix(text, 8).ok().filter(|_| is_octal);
        bits.filter(|bits| *bits <= ALL)
            .map(Self)
            .ok_or_else(|| "expected permissions in octal, such as 0750".to_owned())
    }
}

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        mode.to_string()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_numbers_and_permissions_are_octal() {
        let owner: Owner = "1000:0".parse().unwrap();
        assert_eq!((owner.uid, owner.gid), (1000, 0));
        assert_eq!(owner.to_string(), "1000:0");
        for text in [
            "www-data:www-data",
            "1000",
            ":",
            "1000:",
            "-1:0",
            "4294967295:0",
            "1:2:3",
        ] {
            assert!(text.parse::<Owner>().is_err(), "{text}");
        }
        assert_eq!("2750".parse::<Mode>().unwrap().bits(), 0o2750);
        assert_eq!("0750".parse::<Mode>().unwrap().to_string(), "0750");
        for text in ["", "u+x", "888", "17777", "+755", "0o755"] {
            assert!(text.parse::<Mode>().is_err(), "{text}");
        }
    }
}
