//! PID 1 of a whaleware container: runs its scripts through the life cycle.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the life cycle that uses it follows")
)]
mod script;

fn main() {}
