//! The processes there are besides the agent, and signals to all of them.

use std::collections::BTreeMap;
use std::fs;

use nix::libc::{SIGCONT, SIGKILL, SIGTERM};
use nix::unistd::getpid;

use crate::sys;

/// So often descendants are looked for to be killed.
const SWEEPS: u32 = 4;

/// Who is to hear a signal that is meant for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The agent is PID 1: every process there is.
    Everyone,
    /// It is not: its descendants.
    Descendants,
}

impl Reach {
    /// What the agent may reach here.
    pub(crate) fn here() -> Self {
        if getpid().as_raw() == 1 {
            Self::Everyone
        } else {
            Self::Descendants
        }
    }

    /// Asks all of them to end.
    pub(crate) fn terminate(self) {
        self.send(SIGTERM);
        // One that is stopped cannot hear otherwise.
        self.send(SIGCONT);
    }

    /// Ends all of them.
    pub(crate) fn kill(self) {
        match self {
            // One call that nobody can slip through.
            Self::Everyone => self.send(SIGKILL),
            // A process that is being made while the table is read is found by the next look.
            Self::Descendants => {
                for _ in 0..SWEEPS {
                    self.send(SIGKILL);
                }
            }
        }
    }

    fn send(self, signal: i32) {
        match self {
            Self::Everyone => sys::send(-1, signal),
            Self::Descendants => {
                for pid in descendants() {
                    sys::send(pid, signal);
                }
            }
        }
    }

    /// Whether nobody is left, given that the agent has no children.
    pub(crate) fn is_alone(self) -> bool {
        match self {
            // Who came in through `docker exec` is nobody's child here.
            Self::Everyone => !table()
                .iter()
                .any(|(pid, process)| *pid != getpid().as_raw() && !process.is_dead),
            // Orphans become children of the agent, so without children there are no descendants.
            Self::Descendants => true,
        }
    }
}

struct Process {
    parent: i32,
    is_dead: bool,
}

/// All descendants of the agent that have not ended.
fn descendants() -> Vec<i32> {
    let table = table();
    let own = getpid().as_raw();
    let is_ours = |mut pid: i32| {
        // Bounded: a table read while it changes may hold a circle.
        for _ in 0..table.len() {
            match table.get(&pid) {
                Some(process) if process.parent == own => return true,
                Some(process) => pid = process.parent,
                None => return false,
            }
        }
        false
    };
    table
        .iter()
        .filter(|(pid, process)| !process.is_dead && is_ours(**pid))
        .map(|(pid, _)| *pid)
        .collect()
}

/// What `/proc` says; empty where it is not mounted, or is that of other processes.
fn table() -> BTreeMap<i32, Process> {
    let ours = fs::read_link("/proc/self")
        .ok()
        .and_then(|link| link.to_str()?.parse::<i32>().ok());
    if ours != Some(getpid().as_raw()) {
        return BTreeMap::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read(entry.path().join("stat")).ok()?;
            Some((pid, parse(&stat)?))
        })
        .collect()
}

/// The state and the parent out of a line of `/proc/PID/stat`. The name in it may hold anything.
fn parse(stat: &[u8]) -> Option<Process> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut words = rest.split_ascii_whitespace();
    let state = words.next()?;
    Some(Process {
        parent: words.next()?.parse().ok()?,
        is_dead: matches!(state, "Z" | "X" | "x"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let process = parse(b"17 (a) R 1 (b) S 4 17 17 0 -1").unwrap();
        assert_eq!((process.parent, process.is_dead), (4, false));
        let process = parse(b"17 (sh) Z 1 17 17").unwrap();
        assert_eq!((process.parent, process.is_dead), (1, true));
        assert!(parse(b"17 (sh").is_none());
    }

    #[test]
    fn the_table_knows_this_very_process() {
        assert!(table().contains_key(&getpid().as_raw()));
    }
}
