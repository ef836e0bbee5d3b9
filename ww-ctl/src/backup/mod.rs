//! Backups.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command that is to use it is not there yet")
)]
pub(crate) mod groups;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the command that is to use it is not there yet")
)]
pub(crate) mod journal;

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "backups, which are to use it, are not there yet")
)]
pub(crate) mod source;
