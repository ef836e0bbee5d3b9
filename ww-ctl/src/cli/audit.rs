//! `audit`.

use std::str::FromStr;

use clap::Args;

use crate::units::When;

/// `audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only so many of the last actions
    #[arg(short = 'n', long = "lines", value_name = "N", default_value = "50")]
    pub lines: usize,
    /// Only from then on: a time as RFC 3339, or how long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<When>,
    /// Only those that match: a pattern for a container's name, or name=, action=, by=, host=
    #[arg(long = "filter", value_name = "FILTER")]
    pub filters: Vec<AuditFilter>,
}

/// One `--filter`; each is a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuditFilter {
    /// One of its targets has this name.
    Name(String),
    /// It is this action.
    Action(String),
    /// This one acted.
    By(String),
    /// One of its targets is on this host.
    Host(String),
}

impl FromStr for AuditFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, pattern) = text.split_once('=').unwrap_or(("name", text));
        let pattern = pattern.to_owned();
        match key {
            "name" => Ok(Self::Name(pattern)),
            "action" => Ok(Self::Action(pattern)),
            "by" => Ok(Self::By(pattern)),
            "host" => Ok(Self::Host(pattern)),
            _ => Err("the keys are name, action, by, host".into()),
        }
    }
}
