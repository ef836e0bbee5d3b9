//! Stories on a real Docker Engine: the shipped agent, the real operator's tool.
//!
//! `make test` builds what these need and says where it is. What a test makes in Docker carries a
//! label of this run and is removed again, also when the test panics.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and its laboratory with it"
)]

mod demo;
mod health;
mod idle;
mod inputs;
mod lab;
mod legacy;
mod orphans;
mod pty;
mod reach;
mod remapped;
mod restart;
mod stages;
mod stop;
mod top;
mod tree;
mod worlds;
mod wrap;
