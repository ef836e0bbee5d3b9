//! The operator's tool.

mod fleet;

fn main() {}
