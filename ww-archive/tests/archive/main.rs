//! Archives of real trees, held against programs that are not ours, against changes while they are read, and against
//! archives that mean harm. They need root: owners, devices and capabilities are part of it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this is test code, which only a failure ends early"
)]

mod arbitrary;
mod changing;
mod comparing;
mod extracting;
mod lab;
mod nasty;
mod reading;
mod writing;
