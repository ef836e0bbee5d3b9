//! The records of PAX headers: `LENGTH KEY=VALUE\n`, where the length is that of the whole record.

use crate::entry::Time;

/// Adds a record.
pub(crate) fn push(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // The blank, the sign and the end of line; the digits are counted themselves.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + digits(length) {
        length = rest + digits(length);
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Takes the first record: its key, its value, and what is after it.
pub(crate) fn take(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&records[..blank])?).ok()?;
    let record = records.get(blank + 1..length)?;
    let record = record.strip_suffix(b"\n")?;
    let sign = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..sign], &record[sign + 1..], &records[length..]))
}

/// A number of decimal digits and nothing else.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

const NANOS: u32 = 1_000_000_000;

/// A time as a decimal fraction.
pub(crate) fn time_text(time: Time) -> String {
    if time.nanos == 0 {
        time.seconds.to_string()
    } else if time.seconds < 0 {
        let whole = (time.seconds + 1).unsigned_abs();
        format!("-{whole}.{:09}", NANOS - time.nanos)
    } else {
        format!("{}.{:09}", time.seconds, time.nanos)
    }
}

/// A time that is a decimal fraction; more digits than nanoseconds are cut, towards the past.
pub(crate) fn time(text: &[u8]) -> Option<Time> {
    let (negative, text) = text
        .strip_prefix(b"-")
        .map_or((false, text), |rest| (true, rest));
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = point.map_or((text, &b""[..]), |at| (&text[..at], &text[at + 1..]));
    let seconds = i64::try_from(decimal(whole)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + u32::from(fraction.get(place).map_or(0, |digit| digit - b'0'));
    }
    let rest = fraction
        .get(9..)
        .is_some_and(|rest| rest.iter().any(|digit| *digit != b'0'));
    Some(match (negative, nanos + u32::from(negative && rest)) {
        (false, nanos) => Time { seconds, nanos },
        (true, 0) => Time {
            seconds: -seconds,
            nanos: 0,
        },
        (true, nanos) => Time {
            seconds: -seconds - 1,
            nanos: NANOS - nanos,
        },
    })
}

/// The name of an attribute as a key: without the sign that ends keys. As GNU tar does it.
pub(crate) fn escaped(name: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            other => key.push(*other),
        }
    }
    key
}

/// And back.
pub(crate) fn unescaped(key: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(key.len());
    let mut rest = key;
    while let Some((byte, after)) = rest.split_first() {
        rest = match rest {
            [b'%', b'2', b'5', after @ ..] => {
                name.push(b'%');
                after
            }
            [b'%', b'3', b'D', after @ ..] => {
                name.push(b'=');
                after
            }
            _ => {
                name.push(*byte);
                after
            }
        };
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{escaped, push, take, time, time_text, unescaped};
    use crate::entry::Time;

    #[test]
    fn a_record_counts_its_own_digits() {
        for length in (0..30).chain(80..120).chain(980..1020).chain(9980..10_020) {
            let value = vec![b'\n'; length];
            let mut records = Vec::new();
            push(&mut records, b"key", &value);
            push(&mut records, b"k", b"=");
            let (key, found, rest) = take(&records).unwrap();
            assert_eq!((key, found), (&b"key"[..], &value[..]));
            assert_eq!(take(rest).unwrap(), (&b"k"[..], &b"="[..], &b""[..]));
        }
    }

    #[test]
    fn what_is_no_record_is_not_taken() {
        for bytes in [
            "",
            "6",
            "6 a=b",
            "7 a=b\n",
            "5 a=b\n",
            "0 a=b\n",
            "6 ab \n",
            "99999999999999999999 a=b\n",
        ] {
            assert_eq!(take(bytes.as_bytes()), None, "{bytes}");
        }
    }

    #[test]
    fn times_before_1970_are_negative_as_a_whole() {
        for (seconds, nanos, text) in [
            (0, 0, "0"),
            (1, 5, "1.000000005"),
            (-1, 0, "-1"),
            (-1, 500_000_000, "-0.500000000"),
            (-2, 999_999_999, "-1.000000001"),
            (i64::MAX, 999_999_999, "9223372036854775807.999999999"),
        ] {
            let value = Time { seconds, nanos };
            assert_eq!(time_text(value), text);
            assert_eq!(time(text.as_bytes()), Some(value), "{text}");
        }
        assert_eq!(
            time(b"1.5"),
            Some(Time {
                seconds: 1,
                nanos: 500_000_000
            })
        );
        assert_eq!(
            time(b"-0.0000000001"),
            Some(Time {
                seconds: -1,
                nanos: 999_999_999
            })
        );
        assert_eq!(
            time(b"-0.9999999999"),
            Some(Time {
                seconds: -1,
                nanos: 0
            })
        );
        assert_eq!(
            time(b"1."),
            Some(Time {
                seconds: 1,
                nanos: 0
            })
        );
        for text in ["", "-", ".5", "1.x", "1e5", "99999999999999999999"] {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn names_of_attributes_may_have_any_sign() {
        let name = b"user.a=b%25=%3Dc%";
        assert!(!escaped(name).contains(&b'='));
        assert_eq!(unescaped(&escaped(name)), name);
    }
}
