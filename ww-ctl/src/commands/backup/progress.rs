//! What a backup is at: a line that moves on a terminal, and lines now and then off it.

use std::time::Duration;

use crate::backup::source::Gauge;
use crate::clock::Clock;
use crate::output::Output;
use crate::units::{duration, size};

/// How often the line on a terminal is drawn anew.
const REDRAW: Duration = Duration::from_millis(250);
/// How often there is a line where there is no terminal.
const NOW_AND_THEN: Duration = Duration::from_secs(60);
/// The longest bar, in columns.
const BAR: u64 = 20;

/// Tells what one group's backup is at.
pub(in crate::commands) struct Progress {
    output: Output,
    clock: Clock,
    name: String,
    drawn: usize,
}

impl Progress {
    /// For the group of this name.
    pub(in crate::commands) const fn new(output: Output, clock: Clock, name: String) -> Self {
        Self {
            output,
            clock,
            name,
            drawn: 0,
        }
    }

    /// Tells a line of its own.
    pub(in crate::commands) fn say(&mut self, words: &str) {
        self.clear();
        self.output.say(&format!("{}: {words}", self.name));
    }

    /// Tells something that must not be missed.
    pub(in crate::commands) fn warn(&mut self, words: &str) {
        self.clear();
        self.output.warn(&format!("{}: {words}", self.name));
    }

    /// Tells how something is done, to those who asked for it.
    pub(in crate::commands) fn detail(&mut self, words: &str) {
        self.clear();
        self.output.detail(&format!("{}: {words}", self.name));
    }

    /// Does some work and shows how far it is, where that is known: of so many bytes in all.
    pub(in crate::commands) fn during<'a, T>(
        &'a mut self,
        what: &'a str,
        gauge: Option<(&'a Gauge, Option<u64>)>,
        work: impl Future<Output = T> + 'a,
    ) -> impl Future<Output = T> + 'a {
        // Such work is large, and goes through many hands.
        let mut work = Box::pin(work);
        let every = if self.output.rewrites() {
            REDRAW
        } else {
            NOW_AND_THEN
        };
        async move {
            let begun = self.clock.now().moment;
            let mut tick = tokio::time::interval(every);
            tick.tick().await;
            loop {
                tokio::select! {
                    biased;
                    done = &mut work => {
                        self.clear();
                        return done;
                    }
                    _ = tick.tick() => {
                        let took = self.clock.now().moment - begun;
                        self.draw(&line(what, gauge, took));
                    }
                }
            }
        }
    }

    fn draw(&mut self, words: &str) {
        let line = format!("{}: {words}", self.name);
        if self.output.rewrites() {
            self.drawn = self.output.rewrite(self.drawn, &[line]);
        } else {
            self.output.say(&line);
        }
    }

    fn clear(&mut self) {
        self.drawn = self.output.rewrite(self.drawn, &[]);
    }
}

/// `reading 1.2 GiB of 4.0 GiB, 310 MiB/s, 3456 entries, for 4s  ██████░░░░░░░░░░░░░░`.
fn line(what: &str, gauge: Option<(&Gauge, Option<u64>)>, took: Duration) -> String {
    let Some((gauge, all)) = gauge else {
        return format!("{what}, for {}", duration(took));
    };
    let (bytes, entries) = (gauge.bytes(), gauge.entries());
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = bytes.saturating_mul(1000) / millis;
    let of = all.map_or_else(String::new, |all| format!(" of {}", size(all)));
    let entries = match entries {
        0 => String::new(),
        1 => ", 1 entry".to_owned(),
        several => format!(", {several} entries"),
    };
    let bar = all.filter(|all| *all > 0).map_or_else(String::new, |all| {
        let full = bytes.saturating_mul(BAR).div_ceil(all).min(BAR);
        let columns = |count: u64, one: &str| one.repeat(usize::try_from(count).unwrap_or(0));
        format!("  {}{}", columns(full, "█"), columns(BAR - full, "░"))
    });
    format!(
        "{what} {}{of}, {}/s{entries}, for {}{bar}",
        size(bytes),
        size(rate),
        duration(took)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_shown_and_nothing_else() {
        let gauge = Gauge::new();
        let took = Duration::from_secs(2);
        assert_eq!(line("stopping", None, took), "stopping, for 2s");
        assert_eq!(
            line("reading", Some((&gauge, None)), took),
            "reading 0 B, 0 B/s, for 2s"
        );
        assert_eq!(
            line("reading", Some((&gauge, Some(4096))), Duration::ZERO),
            "reading 0 B of 4.0 KiB, 0 B/s, for 0ms  ░░░░░░░░░░░░░░░░░░░░"
        );
    }
}
