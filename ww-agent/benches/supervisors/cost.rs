//! What a supervisor costs while nothing happens, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::running::Running;
use crate::subject::IDLE;

/// A process by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process(pub(crate) i32);

impl Process {
    fn read(self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0)).unwrap_or_default()
    }

    pub(crate) fn children(self) -> Vec<Self> {
        let children = self.read(&format!("task/{}/children", self.0));
        let numbers = children.split_whitespace();
        numbers
            .filter_map(|number| number.parse().ok().map(Self))
            .collect()
    }

    pub(crate) fn descendants(self) -> Vec<Self> {
        let mut found = self.children();
        let mut next = 0;
        while next < found.len() {
            found.extend(found[next].children());
            next += 1;
        }
        found
    }

    /// Its arguments, one a line.
    pub(crate) fn command_line(self) -> String {
        self.read("cmdline").replace('\0', "\n")
    }

    /// The sum of the fields whose names end so, in the file's own unit.
    fn sum(self, file: &str, name: &str) -> u64 {
        let text = self.read(file);
        let values = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(field, _)| field.ends_with(name))
            .filter_map(|(_, value)| value.split_whitespace().next()?.parse::<u64>().ok());
        values.sum()
    }
}

/// What it has cost so far, the idle child not counted.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    /// Times a process gave up or lost the processor, voluntarily or not; by process.
    pub(crate) switches: BTreeMap<Process, u64>,
    /// Time on a processor; by process.
    on_cpu: BTreeMap<Process, Duration>,
    /// Kilobytes.
    resident: u64,
    anonymous: u64,
    dirty: u64,
    proportional: u64,
}

impl Cost {
    /// Of one that runs.
    pub(crate) fn of(running: &Running) -> Self {
        let first = running.process();
        let mut processes = first.descendants();
        processes.push(first);
        let mut cost = Self::default();
        for process in processes {
            if process.command_line().contains(IDLE) {
                continue;
            }
            let on_cpu = process.read("schedstat");
            let nanoseconds = on_cpu.split(' ').next().and_then(|text| text.parse().ok());
            let on_cpu = Duration::from_nanos(nanoseconds.unwrap_or(0));
            cost.on_cpu.insert(process, on_cpu);
            let switches = process.sum("status", "ctxt_switches");
            cost.switches.insert(process, switches);
            cost.resident += process.sum("status", "VmRSS");
            cost.anonymous += process.sum("status", "RssAnon");
            cost.dirty += process.sum("smaps_rollup", "Private_Dirty");
            cost.proportional += process.sum("smaps_rollup", "Pss");
        }
        cost
    }

    /// What came on top since then; memory as it is now.
    pub(crate) fn since(self, before: &Self) -> Idle {
        let switches = self.switches.iter().map(|(process, now)| {
            now.saturating_sub(before.switches.get(process).copied().unwrap_or(0))
        });
        let on_cpu = self.on_cpu.iter().map(|(process, now)| {
            now.saturating_sub(before.on_cpu.get(process).copied().unwrap_or_default())
        });
        Idle {
            switches: switches.sum(),
            on_cpu: on_cpu.sum(),
            processes: self.switches.len(),
            memory: self,
        }
    }
}

/// What a while of doing nothing cost.
pub(crate) struct Idle {
    switches: u64,
    on_cpu: Duration,
    processes: usize,
    memory: Cost,
}

/// Prints them side by side.
pub(crate) fn table(all: &[(&str, Idle)], window: Duration) {
    println!(
        "\nidle for {:.0} s, one check of the agent's and of bash's in it",
        window.as_secs_f64()
    );
    println!(
        "  {:<16} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "processes", "switches", "cpu us", "rss kB", "anon kB", "dirty kB", "pss kB"
    );
    for (name, idle) in all {
        println!(
            "  {name:<16} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            idle.processes,
            idle.switches,
            idle.on_cpu.as_micros(),
            idle.memory.resident,
            idle.memory.anonymous,
            idle.memory.dirty,
            idle.memory.proportional
        );
    }
}
