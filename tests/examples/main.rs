//! The examples, built from Debian's packages without a registry, and lived through: `make test-examples`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and its laboratory with it"
)]

mod asterisk;
mod debian;
#[path = "../e2e/lab.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod lab;
mod moved;
mod notify;
#[path = "../e2e/tree.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod tree;
mod webapp_db;
