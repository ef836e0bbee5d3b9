//! The one place where a test learns whether its long form is wanted.

/// Whether the long form is wanted; see `make soak`.
#[expect(clippy::disallowed_methods, reason = "the one place for it here")]
pub(crate) fn is_wanted() -> bool {
    std::env::var_os("WW_SOAK").is_some()
}
