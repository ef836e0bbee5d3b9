//! The operator's tool for a fleet of whaleware containers.

mod demo;
mod engine;
mod image;

fn main() {}
