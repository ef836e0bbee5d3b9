//! The one place where the agent asks for the time.

use std::time::Duration;

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};
use whaleware::lifecycle::Moment;

/// Now, on the monotonic clock.
pub(crate) fn now() -> Moment {
    // This clock always exists; zero would only make deadlines late.
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    Moment::at(now)
}

/// Now, on the wall clock, for people.
#[expect(clippy::disallowed_methods, reason = "the seam itself")]
pub(crate) fn wall() -> Timestamp {
    // Nanoseconds are noise on the wire.
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A duration in whole milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
