//! The one place that asks for the time.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use whaleware::lifecycle::Moment;

use crate::fleet::Stamp;

/// How long before the program's start the monotonic clock's zero lies: things are older than the
/// program, and a moment before zero cannot be told.
const BEFORE: Duration = Duration::from_secs(200 * 366 * 24 * 3600);

/// Both clocks of this program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
    pub(crate) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    /// Now, on both clocks.
    #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
    pub(crate) fn now(self) -> Stamp {
        Stamp {
            moment: Moment::at(BEFORE + self.origin.elapsed()),
            wall: Timestamp::now(),
        }
    }
}

/// Seconds since 1970 with all their digits, as an Engine takes a time.
pub(crate) fn decimal_seconds(time: Timestamp) -> String {
    let nanos = time.as_nanosecond().max(0);
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}
