//! What a running agent takes, as the kernel counts it.

use std::fs;

use crate::harness::{Agent, until};

/// A process's footprint at one moment; sizes in kB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) resident: u64,
    pub(crate) anonymous: u64,
    pub(crate) private_dirty: u64,
    pub(crate) private_clean: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: usize,
    /// Its children, ended ones that nobody has taken the status of included.
    pub(crate) children: usize,
}

impl Footprint {
    pub(crate) fn of(agent: &Agent) -> Self {
        let directory = format!("/proc/{}", agent.pid());
        let read = |name: &str| fs::read_to_string(format!("{directory}/{name}")).unwrap();
        let (status, memory) = (read("status"), read("smaps_rollup"));
        let children = read(&format!("task/{}/children", agent.pid()));
        Self {
            resident: field(&status, "VmRSS:"),
            anonymous: field(&status, "RssAnon:"),
            private_dirty: field(&memory, "Private_Dirty:"),
            private_clean: field(&memory, "Private_Clean:"),
            threads: field(&status, "Threads:"),
            descriptors: fs::read_dir(format!("{directory}/fd")).unwrap().count(),
            children: children.split_whitespace().count(),
        }
    }
}

/// How often the agent has gone to sleep: once for each time it had to wait for something. Waiting for a
/// page of its own file, which a busy machine has dropped from its cache, is not counted: nothing woke it.
pub(crate) fn sleeps(agent: &Agent) -> u64 {
    let file = |name| fs::read_to_string(format!("/proc/{}/{name}", agent.pid())).unwrap();
    let stat = file("stat");
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let from_disk: u64 = rest.split_whitespace().nth(9).unwrap().parse().unwrap();
    field(&file("status"), "voluntary_ctxt_switches:").saturating_sub(from_disk)
}

/// Waits until it sleeps and goes on sleeping, and answers how often it has gone to sleep by then.
pub(crate) fn settle(agent: &Agent) -> u64 {
    let mut before = sleeps(agent);
    until("quiet", || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let now = sleeps(agent);
        (std::mem::replace(&mut before, now) == now).then_some(now)
    })
}

fn field(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.and_then(|value| value.split_whitespace().next());
    value
        .unwrap_or_else(|| panic!("no {name}"))
        .parse()
        .unwrap()
}
