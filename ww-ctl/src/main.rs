//! The operator's tool for a fleet of whaleware containers.
mod engine;
mod image;

fn main() {}
