//! The figures side by side, and whether they are what was aimed at.

use std::time::Duration;

use crate::subject::{BASH, LIFE_CYCLE, NOTHING, Subject, TINI, WRAP};

/// The agent may be so much later than tini, in milliseconds.
const BESIDE_TINI: f64 = 10.0;

/// Milliseconds, by subject and round.
pub(crate) struct Samples(Vec<(&'static str, Vec<f64>)>);

impl Samples {
    pub(crate) fn new(subjects: &[Subject]) -> Self {
        Self(
            subjects
                .iter()
                .map(|one| (one.name(), Vec::new()))
                .collect(),
        )
    }

    pub(crate) fn push(&mut self, name: &str, took: Duration) {
        let found = self.0.iter_mut().find(|(of, _)| *of == name);
        found.expect("a subject").1.push(took.as_secs_f64() * 1e3);
    }

    fn of(&self, name: &str) -> Option<&[f64]> {
        let found = self.0.iter().find(|(of, _)| *of == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// The median of the differences of two, round by round.
    fn beyond(&self, one: &str, other: &str) -> Option<f64> {
        let pairs = self.of(one)?.iter().zip(self.of(other)?);
        Some(median(pairs.map(|(one, other)| one - other).collect()))
    }
}

/// Prints medians, and the differences to the peers that matter.
pub(crate) fn table(what: &str, samples: &Samples, rounds: usize) {
    println!("\n{what}, medians of {rounds} rounds, ms");
    println!(
        "  {:<16} {:>8} {:>8} {:>11} {:>9} {:>9}",
        "", "median", "p95", "- nothing", "- tini", "- bash"
    );
    for (name, values) in &samples.0 {
        let beyond = |other| samples.beyond(name, other).unwrap_or(f64::NAN);
        println!(
            "  {name:<16} {:>8.2} {:>8.2} {:>+11.2} {:>+9.2} {:>+9.2}",
            median(values.clone()),
            percentile(values.clone(), 95),
            beyond(NOTHING),
            beyond(TINI),
            beyond(BASH),
        );
    }
}

/// Prints a line a target; answers whether all are met.
pub(crate) fn judge(what: &str, samples: &Samples) -> bool {
    let mut all = true;
    for agent in [LIFE_CYCLE, WRAP] {
        let (Some(bash), Some(tini)) = (samples.beyond(agent, BASH), samples.beyond(agent, TINI))
        else {
            continue;
        };
        for (met, text) in [
            (bash < 0.0, format!("faster than bash ({bash:+.2} ms)")),
            (
                tini <= BESIDE_TINI,
                format!("within {BESIDE_TINI:.0} ms of tini ({tini:+.2} ms)"),
            ),
        ] {
            let word = if met { "met" } else { "MISSED" };
            println!("{word}: {what} of {agent}: {text}");
            all &= met;
        }
    }
    all
}

fn median(values: Vec<f64>) -> f64 {
    percentile(values, 50)
}

fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values
        .get(last * percent / 100)
        .copied()
        .unwrap_or(f64::NAN)
}
