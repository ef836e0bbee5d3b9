//! What a check printed, made fit for the socket.

use std::time::Duration;

use serde_json::Value;
use whaleware::lifecycle::Outcome;
use whaleware::protocol::{MAX_MONITOR, MonitorReport, is_shallow};

use crate::clock;
use crate::log;
use crate::pipes::Capture;

/// The report of a check that has ended; none when there is no monitor.
///
/// Anything that is not JSON, or is too long, is shown as text. Printing nothing is fine.
pub(crate) fn report(
    outcome: &Outcome,
    duration: Duration,
    printed: &Capture,
) -> Option<MonitorReport> {
    let exit = outcome.exit_code()?;
    let text = String::from_utf8_lossy(&printed.head);
    let text = text.trim();
    let value = if printed.truncated {
        None
    } else {
        serde_json::from_str::<Value>(text)
            .ok()
            // Numbers can be longer when written anew.
            .filter(|value| is_shallow(value) && value.to_string().len() <= MAX_MONITOR)
    };
    let mut truncated = printed.truncated;
    let text = (value.is_none() && !text.is_empty()).then(|| {
        let (cut, was_cut) = fit(text);
        truncated |= was_cut;
        cut
    });
    Some(MonitorReport {
        at: clock::wall(),
        exit,
        duration_ms: clock::milliseconds(duration),
        value,
        text,
        truncated,
    })
}

/// The JSON a monitor printed, as it printed it, for `pushstats`.
pub(crate) fn json(report: &MonitorReport, printed: &Capture) -> Option<String> {
    report.value.as_ref()?;
    let text = std::str::from_utf8(&printed.head).ok()?.trim();
    Some(text.to_owned())
}

/// As much of the text as fits, without control characters but line feeds and tabs, and whether
/// something was cut.
fn fit(text: &str) -> (String, bool) {
    let mut kept = String::new();
    let mut size = 0;
    for letter in text.chars() {
        // What JSON writes as two bytes or more.
        let cost = match letter {
            '"' | '\\' | '\n' | '\t' => 2,
            _ => letter.len_utf8(),
        };
        if !matches!(letter, '\n' | '\t')
            && log::plain(letter.encode_utf8(&mut [0; 4]), 1).is_empty()
        {
            continue;
        }
        size += cost;
        if size > MAX_MONITOR {
            return (kept, true);
        }
        kept.push(letter);
    }
    (kept, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn printed(text: &[u8]) -> Capture {
        Capture {
            head: text.to_vec(),
            truncated: false,
        }
    }

    fn made(text: &[u8]) -> MonitorReport {
        report(
            &Outcome::Exited(0),
            Duration::from_millis(7),
            &printed(text),
        )
        .unwrap()
    }

    #[test]
    fn json_is_a_value_and_anything_else_is_text() {
        let seen = made(b"{\"queries\": 17}\n");
        assert_eq!(seen.value, Some(json!({"queries": 17})));
        assert_eq!(seen.text, None);
        assert_eq!(
            json(&seen, &printed(b"{\"queries\": 17}\n")).as_deref(),
            Some("{\"queries\": 17}")
        );
        let seen = made(b"all is \xff well\x1b[2J\n");
        assert_eq!(seen.value, None);
        assert_eq!(seen.text.as_deref(), Some("all is \u{fffd} well[2J"));
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let seen = made(deep.as_bytes());
        assert_eq!((seen.value, seen.text), (None, Some(deep)));
        let seen = made(b"");
        assert_eq!((seen.value, seen.text), (None, None));
    }

    #[test]
    fn whatever_is_printed_fits() {
        for text in [
            vec![b'"'; MAX_MONITOR],
            vec![0xff; MAX_MONITOR],
            format!("[{}1]", "1e9,".repeat(4000)).into_bytes(),
            vec![b'\n'; MAX_MONITOR],
        ] {
            let line = serde_json::to_string(&made(&text)).unwrap();
            assert!(line.len() <= MAX_MONITOR + 200, "{}", line.len());
        }
    }
}
