//! When something was, in little room.

use std::time::Duration;

use whaleware::lifecycle::Moment;

/// The length of one.
const TENTH: Duration = Duration::from_millis(100);

/// A moment to a tenth of a second, on the same clock; it takes 13 years until there are no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenths(u32);

impl Tenths {
    /// The tenth of a second a moment is in.
    pub(super) fn of(moment: Moment) -> Self {
        let tenths = (moment - Moment::default()).as_millis() / TENTH.as_millis();
        Self(u32::try_from(tenths).unwrap_or(u32::MAX))
    }

    /// Its beginning.
    pub(super) fn moment(self) -> Moment {
        Moment::at(TENTH * self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_kept_to_a_tenth_of_a_second() {
        let at = |millis| Moment::at(Duration::from_millis(millis));
        for (moment, kept) in [(0, 0), (99, 0), (100, 100), (86_400_050, 86_400_000)] {
            assert_eq!(Tenths::of(at(moment)).moment(), at(kept));
        }
        let never = Moment::at(Duration::from_secs(1 << 40));
        assert!(Tenths::of(never) > Tenths::of(at(86_400_000)));
    }
}
