//! The operator's tool.

mod agent;
mod clock;
mod demo;
mod engine;
mod environment;
mod fleet;
mod image;
mod watch;

fn main() {}
