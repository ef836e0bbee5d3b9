//! What can be seen before a restart by the watchdog, while what went wrong is still there.
//!
//! It must not hold the restart up. Everything has a bound and all of it has a deadline; what there is
//! by then is the report. `/proc/PID/cmdline` alone can hang: the kernel takes a lock of the process's
//! memory for it, which a process in uninterruptible sleep may hold. So it is read last, and not of
//! processes with a thread in that state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{SysconfVar, getpid, sysconf};
use whaleware::lifecycle::{Cause, Moment};
use whaleware::protocol::{Evidence, MAX_EVIDENCE, MonitorReport, ProcessReport};

use crate::clock;
use crate::log;
use crate::processes::Reach;
use crate::shelf::{Lasting, Shelf};

/// So long it may take to look.
pub(crate) const PATIENCE: Duration = Duration::from_millis(200);
/// The most processes told.
const PROCESSES: usize = 120;
/// The most characters of a command line.
const COMMAND: usize = 100;
/// The most threads of a process that are looked at before its command line is read.
const THREADS: usize = 256;
/// The most descriptors counted where the kernel does not count them itself.
const DESCRIPTORS: usize = 65_536;
/// The most bytes of what the monitor printed.
const MONITOR: usize = 4096;
/// The reports kept, the newest first.
const NAMES: [&str; 5] = [
    "evidence-1.json",
    "evidence-2.json",
    "evidence-3.json",
    "evidence-4.json",
    "evidence-5.json",
];

/// Whether a restart for this cause is one by the watchdog.
pub(crate) fn is_wanted(cause: &Cause) -> bool {
    match cause {
        Cause::Watchdog { .. } | Cause::Service { .. } => true,
        Cause::GaveUp { last, .. } => is_wanted(last),
        Cause::Started
        | Cause::Services(_)
        | Cause::Finished(_)
        | Cause::Failed(..)
        | Cause::MarkFailed(_)
        | Cause::Signal(_)
        | Cause::Operator(_)
        | Cause::Quiesced(_)
        | Cause::Restarted
        | Cause::Fault(_) => false,
    }
}

/// The processes of this container, as long as there is time: a parent before its children, and how
/// many were left out.
pub(crate) fn processes(reach: Reach, deadline: Moment) -> (Vec<ProcessReport>, u32) {
    // Where `/proc` is not mounted, or is that of other processes, it tells nothing of these.
    let ours = fs::read_link("/proc/self")
        .ok()
        .and_then(|link| link.to_str()?.parse::<i32>().ok());
    if ours != Some(getpid().as_raw()) {
        return (Vec::new(), 0);
    }
    let (table, mut omitted) = table(Path::new("/proc"), deadline);
    let (mut kept, beyond) = choose(table, getpid().as_raw(), reach);
    omitted = omitted.saturating_add(beyond);
    for process in &mut kept {
        if is_over(deadline) {
            break;
        }
        process.descriptors = descriptors(process.pid, deadline);
    }
    for process in &mut kept {
        if is_over(deadline) {
            break;
        }
        if let Some(command) = command(process) {
            process.command = command;
        }
    }
    (kept, omitted)
}

fn is_over(deadline: Moment) -> bool {
    clock::now() >= deadline
}

/// Every process there is, and how many there was no time for.
fn table(proc: &Path, deadline: Moment) -> (BTreeMap<i32, ProcessReport>, u32) {
    let mut found = BTreeMap::new();
    let mut omitted = 0_u32;
    let page = size_of(SysconfVar::PAGE_SIZE, 4096);
    let tick = size_of(SysconfVar::CLK_TCK, 100);
    let Ok(entries) = fs::read_dir(proc) else {
        return (found, omitted);
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if is_over(deadline) {
            omitted = omitted.saturating_add(1);
        } else if let Some(process) =
            read(&entry.path().join("stat"), 1024).and_then(|stat| parse(pid, &stat, page, tick))
        {
            found.insert(pid, process);
        }
    }
    (found, omitted)
}

fn size_of(variable: SysconfVar, usual: u64) -> u64 {
    let found = sysconf(variable).ok().flatten();
    found
        .and_then(|size| u64::try_from(size).ok())
        .filter(|size| *size > 0)
        .unwrap_or(usual)
}

/// A process out of its `/proc/PID/stat`. The name in it may hold anything.
fn parse(pid: i32, stat: &[u8], page: u64, tick: u64) -> Option<ProcessReport> {
    let begin = stat.iter().position(|&byte| byte == b'(')?;
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let name = String::from_utf8_lossy(stat.get(begin + 1..end)?);
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    // The first of these is the third of the manual page.
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| words.get(index)?.parse::<u64>().ok();
    let ticks = number(11)?.saturating_add(number(12)?);
    Some(ProcessReport {
        pid,
        parent: words.get(1)?.parse().ok()?,
        command: format!("[{}]", log::plain(&name, COMMAND)),
        state: words.first()?.chars().next()?,
        threads: u32::try_from(number(17)?).unwrap_or(u32::MAX),
        descriptors: None,
        memory_bytes: number(21)?.saturating_mul(page),
        cpu_ms: ticks.saturating_mul(1000) / tick,
    })
}

/// Those that are this container's, in the order of their tree. Where there are too many, those deepest
/// in the tree go first, and of the same depth the smallest.
fn choose(
    mut table: BTreeMap<i32, ProcessReport>,
    own: i32,
    reach: Reach,
) -> (Vec<ProcessReport>, u32) {
    let mut children: BTreeMap<i32, Vec<(u64, i32)>> = BTreeMap::new();
    let mut level = Vec::new();
    for process in table.values() {
        let one = (process.memory_bytes, process.pid);
        // Whose parent is not there came in through `docker exec`.
        let is_apart = reach == Reach::Everyone && !table.contains_key(&process.parent);
        if process.pid == own || is_apart {
            level.push(one);
        } else {
            children.entry(process.parent).or_default().push(one);
        }
    }
    // Level by level: a table read while it changes may hold a circle, which this never comes to.
    let mut chosen = BTreeSet::new();
    let mut roots: Vec<i32> = level.iter().map(|(_, pid)| *pid).collect();
    let mut omitted = 0_u32;
    while !level.is_empty() {
        level.sort_by_key(|(memory, pid)| (u64::MAX - memory, *pid));
        let mut next = Vec::new();
        for (_, pid) in level {
            if chosen.len() < PROCESSES {
                chosen.insert(pid);
            } else {
                omitted = omitted.saturating_add(1);
            }
            next.extend(children.get(&pid).into_iter().flatten().copied());
        }
        level = next;
    }
    let mut kept = Vec::with_capacity(chosen.len());
    roots.reverse();
    while let Some(pid) = roots.pop() {
        if !chosen.contains(&pid) {
            continue;
        }
        if let Some(mut process) = table.remove(&pid) {
            if pid == own {
                process.parent = 0;
            }
            kept.push(process);
        }
        let below = children.remove(&pid).unwrap_or_default();
        roots.extend(below.into_iter().rev().map(|(_, pid)| pid));
    }
    (kept, omitted)
}

/// How many descriptors a process has open.
fn descriptors(pid: i32, deadline: Moment) -> Option<u32> {
    let path = PathBuf::from(format!("/proc/{pid}/fd"));
    // Since Linux 6.2 this is their number.
    let size = fs::metadata(&path).ok()?.len();
    if size > 0 {
        return u32::try_from(size).ok();
    }
    let mut count = 0;
    for entry in fs::read_dir(&path).ok()?.take(DESCRIPTORS) {
        entry.ok()?;
        count += 1;
        if count % 1024 == 0 && is_over(deadline) {
            return None;
        }
    }
    Some(count)
}

/// A process's command line; none where it has none or where reading it could hang.
fn command(process: &ProcessReport) -> Option<String> {
    let path = PathBuf::from(format!("/proc/{}", process.pid));
    if matches!(process.state, 'D' | 'Z' | 'X') || has_stuck_thread(&path.join("task")) {
        return None;
    }
    let mut words = read(&path.join("cmdline"), 4096)?;
    while words.last() == Some(&0) {
        words.pop();
    }
    for byte in &mut words {
        if *byte == 0 || byte.is_ascii_whitespace() {
            *byte = b' ';
        }
    }
    let line = log::plain(String::from_utf8_lossy(&words).trim(), COMMAND);
    (!line.is_empty()).then_some(line)
}

/// Whether a thread is in uninterruptible sleep.
fn has_stuck_thread(threads: &Path) -> bool {
    let Ok(entries) = fs::read_dir(threads) else {
        return true;
    };
    entries.flatten().take(THREADS).any(|entry| {
        read(&entry.path().join("stat"), 1024)
            .and_then(|stat| parse(0, &stat, 1, 1))
            .is_some_and(|thread| thread.state == 'D')
    })
}

fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let file = File::open(path).ok()?;
    file.take(most).read_to_end(&mut content).ok()?;
    Some(content)
}

/// What the monitor printed, cut to its beginning.
pub(crate) fn cut(mut report: MonitorReport) -> MonitorReport {
    if let Some(value) = &report.value {
        let text = value.to_string();
        if text.len() > MONITOR {
            report.value = None;
            report.text = Some(text);
        }
    }
    if let Some(text) = &mut report.text
        && text.len() > MONITOR
    {
        let end = (0..=MONITOR).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        report.truncated = true;
    }
    report
}

/// A report as JSON of at most [`MAX_EVIDENCE`] bytes. What is told least of goes first.
pub(crate) fn fit(mut evidence: Evidence) -> Vec<u8> {
    loop {
        let text = serde_json::to_vec(&evidence).unwrap_or_default();
        if text.len() <= MAX_EVIDENCE {
            return text;
        }
        let processes = evidence.processes.len();
        let log = evidence.log.len();
        if processes + log > 16 {
            // The deepest of the tree, and the oldest lines.
            evidence.processes.truncate(processes - processes / 4);
            let left_out = processes - evidence.processes.len();
            let left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
            evidence.omitted = evidence.omitted.saturating_add(left_out);
            evidence.log.drain(..log / 4);
        } else if evidence.monitor.take().is_none() && evidence.services.pop().is_none() {
            return Vec::new();
        }
    }
}

/// The reports that are kept.
#[derive(Debug)]
pub(crate) struct Reports {
    shelf: Shelf,
    /// The newest, where it could not be written.
    unwritten: Option<Vec<u8>>,
}

impl Reports {
    /// Those of this container. Nothing is read yet.
    pub(crate) const fn new(shelf: Shelf) -> Self {
        Self {
            shelf,
            unwritten: None,
        }
    }

    /// Keeps one more, and lets the oldest go.
    ///
    /// # Errors
    /// When it cannot be written; it is then kept for this boot. `NotFound` means that there is no
    /// `/data`, or that it has no mark yet.
    pub(crate) fn keep(&mut self, report: Vec<u8>) -> std::io::Result<()> {
        for pair in NAMES.windows(2).rev() {
            if let [newer, older] = pair {
                // Where there is none yet, there is nothing to move.
                let _ = self.shelf.rename(newer, older);
            }
        }
        match self.shelf.replace(NAMES[0], &report, Lasting::Cached) {
            Ok(()) => {
                self.unwritten = None;
                Ok(())
            }
            Err(error) => {
                self.unwritten = Some(report);
                Err(error)
            }
        }
    }

    /// How many there are, and the one that was asked for, the newest being 0.
    pub(crate) fn get(&self, index: u32) -> (u32, Option<Evidence>) {
        let mut kept = 0;
        let mut report = None;
        if let Some(text) = &self.unwritten {
            kept = 1;
            if index == 0 {
                report = serde_json::from_slice(text).ok();
            }
        }
        for name in NAMES {
            if !self.shelf.has(name) {
                continue;
            }
            if kept == index && report.is_none() {
                report = self
                    .shelf
                    .read(name, MAX_EVIDENCE)
                    .ok()
                    .and_then(|text| serde_json::from_slice(&text).ok());
            }
            kept += 1;
        }
        (kept, report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn process(pid: i32, parent: i32, memory_bytes: u64) -> (i32, ProcessReport) {
        let command = format!("worker {} \"{}\"", pid, "\u{10ffff}\"".repeat(100));
        let process = ProcessReport {
            pid,
            parent,
            command: log::plain(&command, COMMAND),
            state: 'S',
            threads: 5,
            descriptors: Some(30),
            memory_bytes,
            cpu_ms: 1,
        };
        (pid, process)
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat =
            b"17 (a) R 1 (\x1b[2J) S 4 17 17 0 -1 4194560 94 0 0 0 150 50 0 0 20 0 3 0 7 1000 25 1";
        let found = parse(17, stat, 4096, 100).unwrap();
        assert_eq!(found.command, "[a) R 1 ([2J]");
        assert_eq!((found.parent, found.state, found.threads), (4, 'S', 3));
        assert_eq!((found.memory_bytes, found.cpu_ms), (25 * 4096, 2000));
        assert!(parse(17, b"17 (a) S 4", 1, 1).is_none());
    }

    #[test]
    fn a_parent_comes_before_its_children_and_the_top_of_the_tree_is_kept() {
        let mut table = BTreeMap::from([process(1, 0, 9), process(70, 1, 9), process(9, 70, 9)]);
        // A circle, which belongs to nobody.
        table.extend([process(5, 6, 1), process(6, 5, 1)]);
        // Through `docker exec`.
        table.extend([process(800, 0, 1), process(801, 800, 1)]);
        let pids = |kept: &[ProcessReport]| kept.iter().map(|one| one.pid).collect::<Vec<_>>();
        let (kept, omitted) = choose(table.clone(), 1, Reach::Everyone);
        assert_eq!((pids(&kept), omitted), (vec![1, 70, 9, 800, 801], 0));
        let (kept, _) = choose(table.clone(), 1, Reach::Descendants);
        assert_eq!(pids(&kept), [1, 70, 9]);
        for pid in 1000..1500 {
            let memory = u64::try_from(pid).unwrap();
            table.extend([process(pid, 9, memory)]);
        }
        let (kept, omitted) = choose(table, 1, Reach::Everyone);
        assert_eq!((kept.len(), omitted), (PROCESSES, 385));
        assert_eq!(pids(&kept)[..3], [1, 70, 9]);
        // The largest of them.
        assert!(kept.iter().all(|one| !(1000..1385).contains(&one.pid)));
    }

    #[test]
    fn a_report_fits_whatever_was_seen() {
        let table: BTreeMap<_, _> = (2..502).map(|pid| process(pid, 1, 1)).collect();
        let (processes, omitted) = choose(table, 1, Reach::Everyone);
        let evidence = Evidence {
            at: clock::wall(),
            boot: "b007".into(),
            cause: "monitor exited 1".into(),
            monitor: Some(cut(MonitorReport {
                at: clock::wall(),
                exit: 1,
                duration_ms: 1,
                value: Some(json!("\u{10ffff}".repeat(16_000))),
                text: None,
                truncated: false,
            })),
            processes,
            omitted,
            services: Vec::new(),
            resources: None,
            pressure: None,
            log: vec!["\"\u{10ffff}".repeat(120); 60],
        };
        let text = fit(evidence);
        assert!(text.len() <= MAX_EVIDENCE);
        let report: Evidence = serde_json::from_slice(&text).unwrap();
        assert_eq!(report.processes.len() + report.omitted as usize, 500);
        assert!(report.processes.len() > 20 && report.log.len() > 5);
        let monitor = report.monitor.unwrap();
        assert!(monitor.truncated && monitor.text.unwrap().len() <= MONITOR);
    }

    #[test]
    fn there_is_no_waiting_beyond_the_deadline() {
        let (table, omitted) = table(Path::new("/proc"), Moment::default());
        assert!(table.is_empty() && omitted > 0);
    }
}
