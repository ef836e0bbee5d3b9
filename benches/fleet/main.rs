//! What the operator's tool costs, beside Docker's own in the same run, and how soon it sees.
//!
//! `make bench` builds what this needs. Every figure is a ratio to a peer, or a latency with its
//! spread; absolute times are those of the machine it ran on.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot measure ends, and printing is what it is for"
)]
#![expect(
    dead_code,
    reason = "the laboratory of the end-to-end tests is shared, not all of it is used here"
)]

mod dashboard;
#[path = "../../tests/e2e/lab.rs"]
mod lab;
mod latency;
mod listing;
mod many;
#[path = "../../tests/e2e/pty.rs"]
mod pty;
#[path = "../../tests/e2e/simulated.rs"]
mod simulated;
#[path = "../../tests/e2e/tree.rs"]
mod tree;

use std::time::Duration;

fn main() {
    // `cargo test --benches` asks for a quick look that everything still runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    // One part alone, by its name: `cargo bench --bench fleet -- listing`.
    let wants = |part: &str| {
        let mut parts = std::env::args()
            .skip(1)
            .filter(|word| !word.starts_with('-'))
            .peekable();
        parts.peek().is_none() || parts.any(|wanted| wanted == part)
    };
    if wants("latency") {
        latency::measure(if quick { 3 } else { 50 });
    }
    if wants("dashboard") {
        let seconds = if quick { 1 } else { 30 };
        dashboard::measure(if quick { 2 } else { 50 }, Duration::from_secs(seconds));
    }
    if wants("many") {
        let size = if quick {
            many::Size {
                hosts: 2,
                containers: 5,
                changes: 100,
                time: Duration::from_secs(1),
            }
        } else {
            many::Size {
                hosts: 100,
                containers: 100,
                changes: 1000,
                time: Duration::from_secs(60),
            }
        };
        many::measure(&size);
    }
    if wants("listing") {
        listing::measure(if quick { &[2] } else { &[1, 50, 150] });
    }
}

/// Of some durations: the least, the median, the 95th percentile and the greatest, in milliseconds.
fn spread(mut durations: Vec<Duration>) -> String {
    durations.sort_unstable();
    let at = |percent: usize| millis(durations[(durations.len() - 1) * percent / 100]);
    format!(
        "min {:.1}  median {:.1}  p95 {:.1}  max {:.1} ms",
        at(0),
        at(50),
        at(95),
        at(100)
    )
}

const fn yes(holds: bool) -> &'static str {
    if holds { "yes" } else { "NO" }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
