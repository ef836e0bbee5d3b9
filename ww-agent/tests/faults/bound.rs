//! How long a stop may take, as a sum of settings.

use std::fmt;
use std::time::Duration;

/// `ww.stop.grace` of these tests: longer than [`SLACK`], so that a grace too many is seen.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// `ww.stop.timeout` of these tests: enough for a busy machine to make 200 processes in.
pub(crate) const CAP: Duration = Duration::from_millis(1500);
/// `ww.services.web.stop_timeout` of these tests: not the grace, and a grace more is seen.
pub(crate) const SERVICE: Duration = Duration::from_millis(2500);
/// How long a stop waits for the `lifecycle` script, whatever the settings.
const TOLD: Duration = Duration::from_secs(1);
/// What a second stop leaves of the grace.
const HURRIED: Duration = Duration::from_millis(500);
/// How long the agent offers its last output to a reader that does not read.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// What processes, a busy machine and the looks of these tests may take besides.
pub(crate) const SLACK: Duration = Duration::from_millis(1900);

/// A part of a stop's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `svcdown` has its time.
    Cap,
    /// A service has its time.
    Service,
    /// The `lifecycle` script is waited for.
    Told,
    /// From TERM to KILL.
    Grace,
    /// The same after a second stop.
    Hurried,
    /// Nobody reads the output.
    LastWords,
}

/// How long a stop may take at most; and how long it takes at least, for a grace that is not given
/// is a fault as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound(pub(crate) Vec<Part>);

impl Bound {
    /// What the settings give, without the slack.
    pub(crate) fn most(&self) -> Duration {
        self.0
            .iter()
            .map(|part| match part {
                Part::Cap => CAP,
                Part::Service => SERVICE,
                Part::Told => TOLD,
                Part::Grace => GRACE,
                Part::Hurried => HURRIED,
                Part::LastWords => LAST_WORDS,
            })
            .sum()
    }

    /// What a script is given that has all of its time to itself once it was told to end.
    pub(crate) fn least(&self) -> Duration {
        self.0
            .iter()
            .map(|part| match part {
                Part::Grace => GRACE,
                Part::Service => SERVICE,
                Part::Told => TOLD,
                Part::Cap | Part::Hurried | Part::LastWords => Duration::ZERO,
            })
            .sum()
    }

    /// The same from when the script began, which has `svcdown`'s own time in it.
    pub(crate) fn least_since_begin(&self) -> Duration {
        let capped = self.0.contains(&Part::Cap);
        self.least() + if capped { CAP } else { Duration::ZERO }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .0
            .iter()
            .map(|part| match part {
                Part::Cap => "cap",
                Part::Service => "service",
                Part::Told => "told",
                Part::Grace => "grace",
                Part::Hurried => "½ s",
                Part::LastWords => "unread",
            })
            .collect();
        match names.as_slice() {
            [] => formatter.write_str("at once"),
            names => formatter.write_str(&names.join(" + ")),
        }
    }
}
