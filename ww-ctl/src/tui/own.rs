//! What the dashboard itself costs, as the kernel counts it.

use std::fmt;
use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use whaleware::lifecycle::Moment;

/// Between two looks. There is one only where a frame is drawn anyway: to tell what it costs is to
/// cost nothing.
const PAUSE: Duration = Duration::from_secs(5);

/// What the dashboard costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Own {
    /// The share of a processor in percent since the look before.
    pub cpu_percent: f64,
    /// Its memory in bytes.
    pub memory: u64,
}

/// Looks at what this process has used.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: Option<(Moment, Duration)>,
}

impl Meter {
    /// What it costs, where there is a new figure.
    pub(super) fn look(&mut self, now: Moment) -> Option<Own> {
        if self.last.is_some_and(|(then, _)| now - then < PAUSE) {
            return None;
        }
        let used = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).ok()?;
        let used = Duration::from(used);
        let (then, before) = self.last.replace((now, used))?;
        let share = used.saturating_sub(before).as_secs_f64() / (now - then).as_secs_f64();
        Some(Own {
            cpu_percent: share * 100.0,
            memory: resident()?,
        })
    }
}

/// So many steps of a tenth of a millisecond are told apart.
const STEPS: usize = 1000;

/// How long frames took: to sort, to lay out and to write.
#[derive(Debug, Clone)]
pub(crate) struct Frames {
    steps: Vec<u32>,
    longest: Duration,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            steps: vec![0; STEPS],
            longest: Duration::ZERO,
        }
    }
}

impl Frames {
    /// One more.
    pub(super) fn took(&mut self, time: Duration) {
        let step = usize::try_from(time.as_micros() / 100).unwrap_or(STEPS);
        self.steps[step.min(STEPS - 1)] += 1;
        self.longest = self.longest.max(time);
    }

    /// So many, and 99 of 100 of them within this.
    fn most(&self) -> (u32, Duration) {
        let count: u32 = self.steps.iter().sum();
        let mut over = count / 100;
        let mut step = STEPS;
        while let Some(below) = step.checked_sub(1) {
            if self.steps[below] > over {
                break;
            }
            over -= self.steps[below];
            step = below;
        }
        let within = Duration::from_micros(100) * u32::try_from(step).unwrap_or(u32::MAX);
        (count, within.min(self.longest))
    }
}

impl fmt::Display for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, within) = self.most();
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{count} frames, 99 of 100 within {:.1} ms, the longest {:.1} ms",
            millis(within),
            millis(self.longest)
        )
    }
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_frames_one_may_be_longer() {
        let mut frames = Frames::default();
        assert_eq!(
            frames.to_string(),
            "0 frames, 99 of 100 within 0.0 ms, the longest 0.0 ms"
        );
        for _ in 0..198 {
            frames.took(Duration::from_micros(1234));
        }
        frames.took(Duration::from_millis(7));
        frames.took(Duration::from_secs(2));
        assert_eq!(
            frames.to_string(),
            "200 frames, 99 of 100 within 1.3 ms, the longest 2000.0 ms"
        );
        frames.took(Duration::from_millis(7));
        assert_eq!(frames.most(), (201, Duration::from_micros(7100)));
    }

    #[test]
    fn there_is_no_figure_before_the_second_look_and_few_looks() {
        let at = |seconds| Moment::at(Duration::from_secs(seconds));
        let mut meter = Meter::default();
        assert_eq!(meter.look(at(1)), None);
        assert_eq!(meter.look(at(5)), None, "too soon");
        let own = meter.look(at(6)).unwrap();
        assert!((0.0..100_000.0).contains(&own.cpu_percent), "{own:?}");
        assert!(own.memory > 1 << 20, "{own:?}");
        assert_eq!(meter.look(at(7)), None);
    }
}
