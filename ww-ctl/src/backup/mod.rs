//! Backups.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "backups, which are to use it, are not there yet")
)]
pub(crate) mod source;
