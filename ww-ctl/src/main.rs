//! The operator's tool.

mod agent;
mod clock;
mod engine;
mod environment;
mod fleet;
mod tui;
mod watch;

fn main() {}
