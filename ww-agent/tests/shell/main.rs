//! The agent with real processes, signals and sockets: PID 1 of a name space of its own, no Docker.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this is test code, which only a failure ends early"
)]

mod backup;
mod cgroups;
mod clocks;
mod configuration;
mod degraded;
mod evidence;
mod faults;
mod firstboot;
mod footprint;
mod growth;
mod harness;
mod history;
mod idle;
mod isolation;
mod journal;
mod monitoring;
mod notify;
mod output;
mod quiesce;
mod reaping;
mod restarts;
mod scripts;
mod services;
mod soak;
mod socket;
mod stopping;
mod terminal;
mod wrap;
