//! The agent with real processes, signals and sockets: PID 1 of a name space of its own, no Docker.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this is test code, which only a failure ends early"
)]

mod clocks;
mod configuration;
mod degraded;
mod faults;
mod firstboot;
mod harness;
mod idle;
mod isolation;
mod monitoring;
mod notify;
mod output;
mod reaping;
mod restarts;
mod scripts;
mod services;
mod socket;
mod stopping;
mod wrap;
