//! Smaller things: restart policies, limits, devices, names of hosts, pairs.

use std::net::IpAddr;
use std::str::FromStr;

/// `--restart`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restart {
    /// `no`, `always`, `unless-stopped` or `on-failure`.
    pub policy: String,
    /// How often at most; 0 for ever.
    pub retries: i64,
}

impl FromStr for Restart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected no, always, unless-stopped, on-failure or on-failure:TIMES";
        let (policy, retries) = match text.split_once(':') {
            Some((policy, retries)) => (policy, Some(retries)),
            None => (text, None),
        };
        let retries = match (policy, retries) {
            ("no" | "always" | "unless-stopped" | "on-failure", None) => 0,
            ("on-failure", Some(times)) => times
                .parse::<u32>()
                .map_err(|_| format!("`{times}` is no number; {EXPECTED}"))?
                .into(),
            _ => return Err(EXPECTED.into()),
        };
        Ok(Self {
            policy: policy.to_owned(),
            retries,
        })
    }
}

impl std::fmt::Display for Restart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.retries {
            0 => formatter.write_str(&self.policy),
            times => write!(formatter, "{}:{times}", self.policy),
        }
    }
}

const LIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `--ulimit NAME=SOFT[:HARD]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ulimit {
    /// As it was written.
    pub text: String,
    /// Which.
    pub name: String,
    /// The soft limit; -1 for none.
    pub soft: i64,
    /// The hard one.
    pub hard: i64,
}

impl FromStr for Ulimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected NAME=SOFT[:HARD], such as nofile=1024:4096; -1 for no limit";
        let (name, limits) = text.split_once('=').ok_or(EXPECTED)?;
        if !LIMITS.contains(&name) {
            return Err(format!("`{name}` is not one of {}", LIMITS.join(", ")));
        }
        let number = |text: &str| {
            let number = text.parse::<i64>().ok().filter(|number| *number >= -1);
            number.ok_or_else(|| format!("`{text}` is no limit; {EXPECTED}"))
        };
        let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
        let (soft, hard) = (number(soft)?, number(hard)?);
        if hard != -1 && (soft == -1 || soft > hard) {
            return Err("the soft limit is above the hard one".into());
        }
        Ok(Self {
            text: text.to_owned(),
            name: name.to_owned(),
            soft,
            hard,
        })
    }
}

/// `--device /dev/HOST[:/dev/CONTAINER[:rwm]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// As it was written.
    pub text: String,
    /// On the host.
    pub outside: String,
    /// In the container.
    pub inside: String,
    /// What may be done with it.
    pub rights: String,
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected /dev/NAME[:/dev/NAME_INSIDE][:rwm], such as /dev/fuse or /dev/sda:/dev/disk:r";
        let is_rights = |word: &str| {
            !word.is_empty() && word.len() <= 3 && word.chars().all(|c| "rwm".contains(c))
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (outside, inside, rights) = match parts.as_slice() {
            [one] => (*one, *one, "rwm"),
            [one, rights] if is_rights(rights) => (*one, *one, *rights),
            [one, inside] => (*one, *inside, "rwm"),
            [one, inside, rights] if is_rights(rights) => (*one, *inside, *rights),
            [..] => return Err(EXPECTED.into()),
        };
        if !outside.starts_with('/') || !inside.starts_with('/') {
            return Err(EXPECTED.into());
        }
        Ok(Self {
            text: text.to_owned(),
            outside: outside.to_owned(),
            inside: inside.to_owned(),
            rights: rights.to_owned(),
        })
    }
}

/// `--add-host NAME:ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExtraHost {
    /// As it was written.
    pub text: String,
    /// The name and its address, with a colon between.
    pub line: String,
}

impl FromStr for ExtraHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected NAME:ADDRESS, such as db:10.0.0.7; the address may be host-gateway";
        let (name, address) = text
            .split_once('=')
            .or_else(|| text.split_once(':'))
            .ok_or(EXPECTED)?;
        let plain = address.trim_start_matches('[').trim_end_matches(']');
        if name.is_empty() || !(plain == "host-gateway" || plain.parse::<IpAddr>().is_ok()) {
            return Err(EXPECTED.into());
        }
        Ok(Self {
            text: text.to_owned(),
            line: format!("{name}:{plain}"),
        })
    }
}

/// `KEY=VALUE`, or a key alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The key.
    pub key: String,
    /// The value; empty without one.
    pub value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        if key.is_empty() {
            return Err("expected KEY=VALUE".into());
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl std::fmt::Display for Pair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}={}", self.key, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restart_policies_are_dockers() {
        for (text, policy, retries) in [
            ("no", "no", 0),
            ("always", "always", 0),
            ("unless-stopped", "unless-stopped", 0),
            ("on-failure", "on-failure", 0),
            ("on-failure:3", "on-failure", 3),
        ] {
            let read: Restart = text.parse().unwrap();
            assert_eq!((read.policy.as_str(), read.retries), (policy, retries));
            assert_eq!(read.to_string(), text);
        }
        for text in [
            "",
            "yes",
            "always:3",
            "on-failure:x",
            "on-failure:-1",
            "onfailure",
        ] {
            let error = text.parse::<Restart>().unwrap_err();
            assert!(error.contains("on-failure:TIMES"), "{text}: {error}");
        }
    }

    #[test]
    fn limits_name_what_is_limited() {
        let read: Ulimit = "nofile=1024:4096".parse().unwrap();
        assert_eq!((read.soft, read.hard), (1024, 4096));
        let read: Ulimit = "core=-1".parse().unwrap();
        assert_eq!((read.soft, read.hard), (-1, -1));
        for text in [
            "nofile",
            "files=3",
            "nofile=many",
            "nofile=9:3",
            "nofile=-1:3",
            "nofile=-2",
        ] {
            assert!(text.parse::<Ulimit>().is_err(), "{text}");
        }
    }

    #[test]
    fn devices_and_hosts_are_read() {
        for (text, inside, rights) in [
            ("/dev/fuse", "/dev/fuse", "rwm"),
            ("/dev/fuse:r", "/dev/fuse", "r"),
            ("/dev/fuse:/dev/f", "/dev/f", "rwm"),
            ("/dev/fuse:/dev/f:rw", "/dev/f", "rw"),
        ] {
            let read: Device = text.parse().unwrap();
            assert_eq!(
                (read.inside.as_str(), read.rights.as_str()),
                (inside, rights)
            );
        }
        for text in ["", "fuse", "/dev/fuse:x", "/dev/a:/dev/b:q", "/a:/b:r:w"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
        for (text, line) in [
            ("db:10.0.0.7", "db:10.0.0.7"),
            ("db=::1", "db:::1"),
            ("db:[::1]", "db:::1"),
            ("gate:host-gateway", "gate:host-gateway"),
        ] {
            assert_eq!(text.parse::<ExtraHost>().unwrap().line, line);
        }
        for text in ["db", "db:there", ":10.0.0.7"] {
            assert!(text.parse::<ExtraHost>().is_err(), "{text}");
        }
    }
}
