//! Docker's restart policies, as JSON and as a word that fits into a name.

use serde_json::{Value, json};

/// When an Engine starts a container again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Never.
    No,
    /// Whenever it ends, and with the Engine, whoever has stopped it.
    Always,
    /// The same, unless somebody has stopped it.
    UnlessStopped,
    /// When it ends with a failure, so many times; 0 for ever.
    OnFailure(u32),
}

impl Policy {
    /// From `HostConfig.RestartPolicy`; none where it is one that is not known here.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let count = value["MaximumRetryCount"].as_u64().unwrap_or(0);
        match value["Name"].as_str().unwrap_or_default() {
            "" | "no" => Some(Self::No),
            "always" => Some(Self::Always),
            "unless-stopped" => Some(Self::UnlessStopped),
            "on-failure" => Some(Self::OnFailure(u32::try_from(count).unwrap_or(u32::MAX))),
            _ => None,
        }
    }

    /// As `HostConfig.RestartPolicy`.
    pub(super) fn json(self) -> Value {
        let (name, count) = match self {
            Self::No => ("no", 0),
            Self::Always => ("always", 0),
            Self::UnlessStopped => ("unless-stopped", 0),
            Self::OnFailure(count) => ("on-failure", count),
        };
        json!({"Name": name, "MaximumRetryCount": count})
    }

    /// As a word: `on-failure-3`.
    pub(crate) fn word(self) -> String {
        match self {
            Self::No => "no".into(),
            Self::Always => "always".into(),
            Self::UnlessStopped => "unless-stopped".into(),
            Self::OnFailure(0) => "on-failure".into(),
            Self::OnFailure(count) => format!("on-failure-{count}"),
        }
    }

    /// From a word; none where it is no such word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "no" => Some(Self::No),
            "always" => Some(Self::Always),
            "unless-stopped" => Some(Self::UnlessStopped),
            "on-failure" => Some(Self::OnFailure(0)),
            _ => {
                let count = word.strip_prefix("on-failure-")?;
                count.parse().ok().map(Self::OnFailure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_comes_back_from_its_word_and_from_its_json() {
        for policy in [
            Policy::No,
            Policy::Always,
            Policy::UnlessStopped,
            Policy::OnFailure(0),
            Policy::OnFailure(3),
        ] {
            assert_eq!(Policy::parse(&policy.word()), Some(policy));
            assert_eq!(Policy::read(&policy.json()), Some(policy));
        }
        assert_eq!(Policy::read(&json!({"Name": ""})), Some(Policy::No));
        assert_eq!(Policy::read(&json!({"Name": "sometimes"})), None);
        assert_eq!(Policy::parse("on-failure-many"), None);
    }
}
