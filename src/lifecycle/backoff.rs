//! Growing pauses between restarts, with jitter from a seed.

use std::time::Duration;

/// Pauses that double from a first one up to a longest one, each spread by up to a quarter.
///
/// The spread comes from a seed that the caller gives, so that a fleet restarted by one cause does
/// not come back in step, and a test sees the same pauses every time.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    taken: u32,
    random: u64,
}

impl Backoff {
    /// Pauses from `first` to `longest`; `seed` decides the jitter.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        // Zero is the one state xorshift never leaves.
        Self {
            first,
            longest,
            taken: 0,
            random: seed | 1,
        }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1_u32.checked_shl(self.taken).unwrap_or(u32::MAX));
        self.taken = self.taken.saturating_add(1);
        let base = doubled.min(self.longest);
        let quarter = u64::try_from(base.as_millis() / 4).unwrap_or(u64::MAX);
        let jitter = if quarter == 0 {
            0
        } else {
            self.next_random() % (quarter + 1)
        };
        // The jitter shortens: the longest pause is a promise.
        base.saturating_sub(Duration::from_millis(jitter))
    }

    /// Starts again from the first pause.
    pub const fn reset(&mut self) {
        self.taken = 0;
    }

    const fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_within_their_jitter_and_stop_at_the_longest() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60), seed);
            let mut expected = Duration::from_secs(1);
            for _ in 0..40 {
                let pause = backoff.pause();
                assert!(pause <= expected, "{pause:?} over {expected:?}");
                assert!(
                    pause >= expected.mul_f64(0.74),
                    "{pause:?} far under {expected:?}"
                );
                expected = (expected * 2).min(Duration::from_secs(60));
            }
            backoff.reset();
            assert!(backoff.pause() <= Duration::from_secs(1));
        }
    }

    #[test]
    fn two_seeds_do_not_march_in_step() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(Duration::from_secs(8), Duration::from_secs(600), seed);
            (0..8).map(|_| backoff.pause()).collect::<Vec<_>>()
        };
        assert_ne!(pauses(3), pauses(1234));
    }
}
