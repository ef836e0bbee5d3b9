//! Durations, times and sizes as people write them.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

/// `850ms`, `12s`, `3m 20s`, `4h 12m`, `6d 3h`: two units at most.
pub(crate) fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let pair = |big: u64, unit: &str, small: u64, part: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit} {small}{part}")
        }
    };
    match seconds {
        0 => format!("{}ms", length.as_millis()),
        1..=9 => {
            let tenths = length.subsec_millis() / 100;
            if tenths == 0 {
                format!("{seconds}s")
            } else {
                format!("{seconds}.{tenths}s")
            }
        }
        10..=59 => format!("{seconds}s"),
        60..=3599 => pair(seconds / 60, "m", seconds % 60, "s"),
        3600..=86_399 => pair(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// The same for an age, where parts of a second are noise.
pub(crate) fn age(length: Duration) -> String {
    duration(Duration::from_secs(length.as_secs())).replace("0ms", "0s")
}

/// `16:15:10Z`, with its day where that is not today's.
pub(crate) fn clock_time(at: Timestamp, now: Timestamp) -> String {
    let day = |time: Timestamp| time.as_second().div_euclid(86_400);
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    let text = whole.to_string();
    match text.split_once('T') {
        Some((_, time)) if day(at) == day(now) => time.to_owned(),
        Some(_) | None => text,
    }
}

/// `2026-11-22T16:15:10Z`.
pub(crate) fn day_and_time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

/// `512 B`, `38 KiB`, `1.2 MiB`, `46 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut shift = 10;
    let mut unit = 0;
    while unit + 1 < UNITS.len() && bytes >> shift >= 1024 {
        shift += 10;
        unit += 1;
    }
    let whole = bytes >> shift;
    if whole < 10 {
        let tenths = ((bytes >> (shift - 10)) & 1023) * 10 / 1024;
        format!("{whole}.{tenths} {}", UNITS[unit])
    } else {
        format!("{whole} {}", UNITS[unit])
    }
}

/// Reads a duration: `30s`, `2m`, `1h 30m`; a bare number is seconds.
///
/// # Errors
/// What was expected instead.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
    let text = text.trim();
    let parsed = if let Ok(seconds) = text.parse::<u64>() {
        Some(Duration::from_secs(seconds))
    } else {
        text.parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|signed| Duration::try_from(signed).ok())
    };
    parsed
        .filter(|length| *length <= LONGEST)
        .ok_or_else(|| "expected a duration such as 30s, 2m or 1h30m, a year at most".into())
}

/// A time as people give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// That time.
    At(Timestamp),
    /// So long ago.
    Ago(Duration),
}

impl When {
    /// The time that is meant, where a clock shows `now`.
    pub(crate) fn time(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(length) => now.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Ago(Duration::ZERO));
        }
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        parse_duration(text).map(Self::Ago).map_err(|_| {
            "expected a time such as 2026-11-22T16:15:00Z, or how long ago such as 10m".into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (millis, expected, aged) in [
            (0, "0ms", "0s"),
            (850, "850ms", "0s"),
            (1_000, "1s", "1s"),
            (1_250, "1.2s", "1s"),
            (9_999, "9.9s", "9s"),
            (59_999, "59s", "59s"),
            (60_000, "1m", "1m"),
            (200_000, "3m 20s", "3m 20s"),
            (15_120_000, "4h 12m", "4h 12m"),
            (529_200_000, "6d 3h", "6d 3h"),
        ] {
            let length = Duration::from_millis(millis);
            assert_eq!(
                (duration(length).as_str(), age(length).as_str()),
                (expected, aged)
            );
        }
    }

    #[test]
    fn sizes_are_rounded_down() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_300_000, "1.2 MiB"),
            (48_234_496, "46 MiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration(" 250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        for text in ["", "soon", "-5s", "400d", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_a_time_or_how_long_ago() {
        let now: Timestamp = "2026-11-22T16:15:00Z".parse().unwrap();
        for (text, expected) in [
            ("now", "2026-11-22T16:15:00Z"),
            ("10m", "2026-11-22T16:05:00Z"),
            ("2026-11-22T16:15:00.5+01:00", "2026-11-22T15:15:00.5Z"),
        ] {
            let when: When = text.parse().unwrap();
            assert_eq!(when.time(now).to_string(), expected, "{text}");
        }
        for text in ["yesterday", "2026-11-22", "-5m", ""] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
