//! Amounts: memory and processors.

use std::str::FromStr;

const SIZES: &str = "expected a size such as 512m, 1.5g or 1073741824";

/// An amount of memory: `512m`, `1.5g`, a plain number of bytes; units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub i64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        bytes(text).map(Self).ok_or_else(|| SIZES.into())
    }
}

/// The same, or -1 for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SwapSize(pub i64);

impl FromStr for SwapSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-1" {
            return Ok(Self(-1));
        }
        bytes(text)
            .map(Self)
            .ok_or_else(|| format!("{SIZES}, or -1 for no limit"))
    }
}

fn bytes(text: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let without = lower.strip_suffix('b').unwrap_or(&lower);
    let without = match without.strip_suffix('i') {
        // "i" belongs to a unit.
        Some(rest) if rest.ends_with(['k', 'm', 'g', 't', 'p']) => rest,
        Some(_) => return None,
        None => without,
    };
    let (number, shift) = match without.chars().last()? {
        'k' => (&without[..without.len() - 1], 10),
        'm' => (&without[..without.len() - 1], 20),
        'g' => (&without[..without.len() - 1], 30),
        't' => (&without[..without.len() - 1], 40),
        'p' => (&without[..without.len() - 1], 50),
        _ => (without, 0),
    };
    let number = number.strip_suffix(' ').unwrap_or(number);
    let (whole, part) = decimal(number)?;
    let unit = 1_i128 << shift;
    let whole = i128::from(whole).checked_mul(unit)?;
    let part = part.map_or(0, |(digits, scale)| i128::from(digits) * unit / scale);
    i64::try_from(whole + part).ok()
}

/// A processor's share, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cpus(pub i64);

impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const BILLION: i128 = 1_000_000_000;
        let read = || {
            let (whole, part) = decimal(text)?;
            let part = match part {
                // Finer than Docker can tell.
                Some((digits, scale)) if i128::from(digits) * BILLION % scale != 0 => return None,
                Some((digits, scale)) => i128::from(digits) * BILLION / scale,
                None => 0,
            };
            i64::try_from(i128::from(whole) * BILLION + part).ok()
        };
        read()
            .filter(|nanos| *nanos > 0)
            .map(Self)
            .ok_or_else(|| "expected a number of processors such as 0.5 or 2".into())
    }
}

/// A decimal number as its whole part and, after the point, digits and what they are parts of.
fn decimal(text: &str) -> Option<(u64, Option<(u64, i128)>)> {
    let digits = |text: &str| {
        let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| text.parse::<u64>().ok()).flatten()
    };
    match text.split_once('.') {
        None => Some((digits(text)?, None)),
        Some((whole, part)) if part.len() <= 15 => {
            let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
            Some((digits(whole)?, Some((digits(part)?, scale))))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        for (text, expected) in [
            ("1073741824", 1 << 30),
            ("512m", 512 << 20),
            ("512M", 512 << 20),
            ("512mb", 512 << 20),
            ("512MiB", 512 << 20),
            ("64 k", 64 << 10),
            ("1.5g", 3 << 29),
            ("2t", 2 << 40),
            ("100b", 100),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(Size(expected)), "{text}");
        }
        for text in [
            "",
            "m",
            "-1",
            "1x",
            "1.2.3g",
            "half",
            "1e9",
            "99999999p",
            "12i",
            "1 2",
            "１m",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert_eq!("-1".parse(), Ok(SwapSize(-1)));
        assert_eq!("1g".parse(), Ok(SwapSize(1 << 30)));
        assert!("-2".parse::<SwapSize>().is_err());
    }

    #[test]
    fn processors_are_counted_in_billionths() {
        for (text, expected) in [
            ("1", 1_000_000_000),
            ("0.5", 500_000_000),
            ("1.25", 1_250_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Cpus(expected)), "{text}");
        }
        for text in ["0", "-1", "two", "0.0000000001", "1,5", ".5", ""] {
            assert!(text.parse::<Cpus>().is_err(), "{text}");
        }
    }
}
