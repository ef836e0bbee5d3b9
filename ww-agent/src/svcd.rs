//! Which files of `svc.d` are services.

use whaleware::lifecycle::MAIN_SERVICE;

/// More files in `svc.d` than this are a mistake.
pub(crate) const MOST: usize = 32;

/// What a file in `svc.d` is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A service of that name.
    Service,
    /// What editors and version control leave there.
    Leftover,
    /// Something that cannot be a service under this name.
    Misnamed,
}

impl Entry {
    /// What the file of this name is.
    pub(crate) fn of(name: &str) -> Self {
        if name.starts_with('.') || name.ends_with('~') {
            Self::Leftover
        } else if name == MAIN_SERVICE || name.chars().any(char::is_control) {
            Self::Misnamed
        } else {
            Self::Service
        }
    }
}
