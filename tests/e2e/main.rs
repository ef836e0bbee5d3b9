//! Stories on a real Docker Engine: the shipped agent, the real operator's tool.
//!
//! `make test` builds what these need and says where it is. What a test makes in Docker carries a
//! label of this run and is removed again, also when the test panics.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and its laboratory with it"
)]

mod acts;
mod aside;
mod audit;
mod backed;
mod backup;
mod balancer;
mod churn;
mod commands;
mod completion;
mod data;
mod databases;
mod deceptive;
mod demo;
mod drill;
mod engine;
mod events;
mod exec;
mod failing;
mod fleet;
mod followed;
mod health;
mod hostile;
mod hosts;
mod idle;
mod inputs;
mod killed;
mod lab;
mod legacy;
mod logs;
mod measured;
#[path = "../../ww-archive/tests/archive/nasty.rs"]
#[expect(clippy::unwrap_used, reason = "shared with the tests of archives")]
mod nasty;
mod orphans;
mod podman;
mod proxy;
mod prune;
mod pty;
mod reach;
mod readme;
mod remapped;
mod repository;
mod restart;
mod restore;
mod rolling;
mod run;
mod schema;
mod shape;
mod simulated;
mod stages;
mod stop;
mod template;
mod terminal;
mod top;
mod tree;
mod upgrade;
mod upgrade_restarted;
mod uses;
mod wait;
mod worlds;
mod wrap;
