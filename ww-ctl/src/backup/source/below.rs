//! What is mounted below data: it is not in their archive, and wants one of its own.

use crate::engine::{Inspected, Placed};

/// What is mounted below a place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Below {
    /// What can be read, by its place; each once.
    pub mounts: Vec<Placed>,
    /// Places that only have memory: nothing of them lasts, nor is it backed up.
    pub memory: Vec<String>,
}

/// What any of these containers has mounted below a place.
pub(crate) fn below(members: &[Inspected], place: &str) -> Below {
    let mut below = Below::default();
    for member in members {
        for placed in member.placed() {
            if is_below(&placed.place, place) && !below.mounts.contains(&placed) {
                below.mounts.push(placed);
            }
        }
        for memory in member.in_memory() {
            if is_below(&memory, place) && !below.memory.contains(&memory) {
                below.memory.push(memory);
            }
        }
    }
    below
        .mounts
        .sort_by(|one, other| one.place.cmp(&other.place));
    below.memory.sort();
    below
}

/// Whether a place is within another one, and not the same.
pub(crate) fn is_below(inner: &str, outer: &str) -> bool {
    inside(inner, outer).is_some()
}

/// A place within another one, seen from there.
pub(super) fn inside<'a>(inner: &'a str, outer: &str) -> Option<&'a str> {
    let rest = inner.strip_prefix(outer.trim_end_matches('/'))?;
    let rest = rest.strip_prefix('/')?;
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_count() {
        assert_eq!(inside("/data/db", "/data"), Some("db"));
        assert_eq!(inside("/data/db/x", "/data/"), Some("db/x"));
        assert_eq!(inside("/data", "/data"), None);
        assert_eq!(inside("/database", "/data"), None);
        assert_eq!(inside("/data", "/"), Some("data"));
    }
}
