//! What the agent costs as PID 1, beside tini, dumb-init, s6 and bash in the same run.
//!
//! Each is PID 1 of a name space of its own, made by the same `unshare`, and runs the same static
//! busybox. The rounds are interleaved, and compared round by round: what slows the machine for a
//! while slows all of them. Absolute times are those of the machine; "nothing" is what the name
//! space alone takes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot measure ends, and printing is what it is for"
)]

mod cost;
mod running;
mod subject;
mod verdict;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use cost::Cost;
use running::Running;
use subject::Subject;
use verdict::{Samples, judge};

/// A check of the idle agent comes 30 s after it is UP; the window has it in it.
const WINDOW: Duration = Duration::from_secs(32);
const ROUNDS: usize = 40;
/// Rounds before the first that counts: they bring the files into memory.
const WARM_UP: usize = 2;

#[expect(clippy::disallowed_methods, reason = "the benchmark's clock seam")]
fn now() -> Instant {
    Instant::now()
}

fn main() -> ExitCode {
    // `cargo test --benches` asks for a quick look that everything still runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    let (rounds, window) = if quick {
        (3, Duration::from_secs(1))
    } else {
        (ROUNDS, WINDOW)
    };
    let subjects = Subject::all();
    // With directories of their own: s6 locks its own.
    let resting = Subject::all();
    let fleet: Vec<Running> = resting
        .iter()
        .filter(|subject| subject.is_supervisor())
        .map(Running::settled)
        .collect();
    let (begun, before): (_, Vec<_>) = (now(), fleet.iter().map(Cost::of).collect());
    let samples = rounds_of(&subjects, rounds);
    // An idle process is not disturbed by what runs beside it; no time is to be lost by waiting.
    std::thread::sleep(window.saturating_sub(begun.elapsed()));
    let idle: Vec<_> = fleet
        .iter()
        .zip(&before)
        .map(|(running, before)| (running.name(), Cost::of(running).since(before)))
        .collect();
    let window = begun.elapsed();
    drop(fleet);
    for (what, samples) in [("start", &samples.start), ("stop", &samples.stop)] {
        verdict::table(what, samples, rounds);
    }
    cost::table(&idle, window);
    if !subjects
        .iter()
        .any(|subject| subject.name() == subject::WRAP)
    {
        println!("{}: not in this agent", subject::WRAP);
    }
    let mut met = true;
    for (what, samples) in [("start", &samples.start), ("stop", &samples.stop)] {
        met &= judge(what, samples);
    }
    if met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What was measured of each subject.
struct Measured {
    start: Samples,
    stop: Samples,
}

fn rounds_of(subjects: &[Subject], rounds: usize) -> Measured {
    let mut measured = Measured {
        start: Samples::new(subjects),
        stop: Samples::new(subjects),
    };
    for round in 0..WARM_UP + rounds {
        for turn in 0..subjects.len() {
            // Nobody always comes after the same one.
            let subject = &subjects[(round + turn) % subjects.len()];
            let (running, start) = Running::start(subject);
            running.wait_idle();
            let stop = running.stop();
            if round >= WARM_UP {
                measured.start.push(subject.name(), start);
                measured.stop.push(subject.name(), stop);
            }
        }
    }
    measured
}
