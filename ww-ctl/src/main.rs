//! The operator's tool.

mod fleet;
mod tui;

fn main() {}
