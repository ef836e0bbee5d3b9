//! One datagram: lines of `NAME=VALUE`, as `sd_notify(3)` has them.

use std::str::FromStr;
use std::time::Duration;

use whaleware::protocol::MAX_TEXT;

use crate::log;

/// The longest datagram that is looked at, in bytes; the same as systemd's.
pub(crate) const MAX_DATAGRAM: usize = 4096;
/// The longest extension that is believed; more would only overflow somewhere.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// What a process says to its watchdog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watchdog {
    /// `WATCHDOG=1`: it is alive.
    Alive,
    /// `WATCHDOG=trigger`: it found itself broken and wants what a missed deadline leads to.
    Trigger,
}

/// What one datagram says. Where a name comes more than once its first line counts, as with systemd;
/// names and values that are not known are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Notice {
    /// `READY=1`: it has started, or has ended what `RELOADING=1` began.
    pub(crate) ready: bool,
    /// `RELOADING=1`: it reads its configuration again.
    pub(crate) reloading: bool,
    /// `STOPPING=1`: it has begun to end.
    pub(crate) stopping: bool,
    /// `WATCHDOG=…`.
    pub(crate) watchdog: Option<Watchdog>,
    /// `EXTEND_TIMEOUT_USEC=N`: so long, from now on, it wants for what it is at; a year at most.
    pub(crate) extend: Option<Duration>,
    /// `STATUS=TEXT`: what it is doing, on one line of at most [`MAX_TEXT`] characters, without control
    /// characters. An empty text takes the one before back.
    pub(crate) status: Option<String>,
    /// `X_WW_PROGRESS=N`: how far it is, in percent, 100 at most.
    pub(crate) progress: Option<u8>,
    /// `MAINPID=N`: the process that matters, by the sender's own numbers. It is a claim.
    pub(crate) main_pid: Option<i32>,
    /// `ERRNO=N`: why it failed.
    pub(crate) errno: Option<i32>,
}

impl Notice {
    /// Reads a datagram; any bytes are one.
    pub(crate) fn parse(datagram: &[u8]) -> Self {
        let mut notice = Self::default();
        let text = String::from_utf8_lossy(datagram);
        let lines = text.lines().filter_map(|line| line.split_once('='));
        for (name, value) in lines {
            match (name, value) {
                ("READY", "1") => notice.ready = true,
                ("RELOADING", "1") => notice.reloading = true,
                ("STOPPING", "1") => notice.stopping = true,
                ("WATCHDOG", "1") => first(&mut notice.watchdog, Some(Watchdog::Alive)),
                ("WATCHDOG", "trigger") => first(&mut notice.watchdog, Some(Watchdog::Trigger)),
                ("EXTEND_TIMEOUT_USEC", value) => {
                    let extend = number(value).map(|n| Duration::from_micros(n).min(LONGEST));
                    first(&mut notice.extend, extend);
                }
                ("STATUS", text) => first(&mut notice.status, Some(log::plain(text, MAX_TEXT))),
                ("X_WW_PROGRESS", value) => {
                    let progress = number(value).filter(|percent| *percent <= 100);
                    first(&mut notice.progress, progress);
                }
                ("MAINPID", value) => {
                    let pid = number(value).filter(|pid| *pid > 0);
                    first(&mut notice.main_pid, pid);
                }
                ("ERRNO", value) => first(&mut notice.errno, number(value)),
                _ => {}
            }
        }
        notice
    }

    /// Whether nothing is said that is understood, as in a barrier's datagram.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn first<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

/// Digits and nothing else: Rust's own reading takes a plus sign, too.
fn number<T: FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn everything_at_once() {
        let notice = Notice::parse(
            b"READY=1\nSTOPPING=1\nRELOADING=1\nSTATUS=importing\nX_WW_PROGRESS=40\nWATCHDOG=1\n\
              EXTEND_TIMEOUT_USEC=1500000\nMAINPID=17\nERRNO=2\nFDSTORE=1\nMONOTONIC_USEC=12\n",
        );
        let expected = Notice {
            ready: true,
            reloading: true,
            stopping: true,
            watchdog: Some(Watchdog::Alive),
            extend: Some(Duration::from_millis(1500)),
            status: Some("importing".into()),
            progress: Some(40),
            main_pid: Some(17),
            errno: Some(2),
        };
        assert_eq!(notice, expected);
        assert!(!notice.is_empty());
    }

    #[test]
    fn what_is_not_understood_says_nothing() {
        let odd: [&[u8]; 16] = [
            b"",
            b"\n\n=\n",
            b"BARRIER=1",
            b"READY=0\nREADY=2\nREADY\nready=1\n READY=1",
            b"WATCHDOG=0\nWATCHDOG=Trigger",
            b"X_WW_PROGRESS=101",
            b"X_WW_PROGRESS=-1",
            b"X_WW_PROGRESS=+1",
            b"X_WW_PROGRESS=40%",
            b"X_WW_PROGRESS=",
            b"EXTEND_TIMEOUT_USEC=18446744073709551616",
            b"EXTEND_TIMEOUT_USEC=5s",
            b"MAINPID=0\nMAINPID=-7\nMAINPID=4294967297",
            b"ERRNO=-2",
            b"STATU\0S=x",
            &[0xff; 4096],
        ];
        for datagram in odd {
            let notice = Notice::parse(datagram);
            assert!(notice.is_empty(), "{datagram:?}: {notice:?}");
        }
    }

    #[test]
    fn the_first_counts_and_a_status_may_hold_an_equals_sign() {
        let notice = Notice::parse(b"STATUS=a=b\nSTATUS=c\nWATCHDOG=trigger\nWATCHDOG=1");
        assert_eq!(notice.status.as_deref(), Some("a=b"));
        assert_eq!(notice.watchdog, Some(Watchdog::Trigger));
        assert_eq!(
            Notice::parse(b"STATUS=\n").status.as_deref(),
            Some(""),
            "taken back"
        );
    }

    #[test]
    fn a_status_is_one_plain_line() {
        let notice = Notice::parse("STATUS=a\x1b[31m\0b\r\u{202e}c\n".as_bytes());
        assert_eq!(notice.status.as_deref(), Some("a[31mbc"));
        let long = format!("STATUS={}", "ä".repeat(2000));
        let status = Notice::parse(long.as_bytes()).status.unwrap();
        assert_eq!(status.chars().count(), MAX_TEXT);
        assert!(status.ends_with('…'));
    }

    #[test]
    fn an_extension_is_bounded() {
        let notice = Notice::parse(b"EXTEND_TIMEOUT_USEC=18446744073709551615");
        assert_eq!(notice.extend, Some(LONGEST));
    }

    fn anything() -> impl Strategy<Value = Vec<u8>> {
        let names = proptest::sample::select(vec![
            "READY",
            "STATUS",
            "WATCHDOG",
            "X_WW_PROGRESS",
            "EXTEND_TIMEOUT_USEC",
            "MAINPID",
            "",
        ]);
        let line = (names, proptest::collection::vec(any::<u8>(), 0..80));
        let lines = proptest::collection::vec(line, 0..20).prop_map(|lines| {
            let mut datagram = Vec::new();
            for (name, value) in lines {
                datagram.extend_from_slice(name.as_bytes());
                datagram.push(b'=');
                datagram.extend(value);
                datagram.push(b'\n');
            }
            datagram
        });
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..MAX_DATAGRAM),
            lines
        ]
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_notice_within_bounds(datagram in anything()) {
            let notice = Notice::parse(&datagram);
            prop_assert!(notice.progress.is_none_or(|percent| percent <= 100));
            prop_assert!(notice.main_pid.is_none_or(|pid| pid > 0));
            prop_assert!(notice.extend.is_none_or(|extend| extend <= LONGEST));
            if let Some(status) = notice.status {
                prop_assert!(status.chars().count() <= MAX_TEXT);
                prop_assert!(!status.chars().any(char::is_control));
            }
        }

        #[test]
        fn what_is_written_is_read(status in "[^\\p{C}\u{2028}\u{2029}]{0,60}", percent in 0_u8..=100) {
            let datagram = format!("STATUS={status}\nX_WW_PROGRESS={percent}");
            let notice = Notice::parse(datagram.as_bytes());
            prop_assert_eq!(notice.status, Some(status));
            prop_assert_eq!(notice.progress, Some(percent));
        }
    }
}
