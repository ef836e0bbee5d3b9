//! What the container uses, out of its own cgroup: version 2 or 1, read only when somebody listens.
//!
//! The files are found once, when they are first wanted, and stay open: with a hundred agents asked
//! at the same time, looking for them again would be most of the work. At the start nobody asks yet,
//! and the first script is not to wait for it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use whaleware::lifecycle::Moment;
use whaleware::protocol::Resources;

use crate::clock;

/// Where cgroups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";
/// A limit of version 1 that means none.
const NO_LIMIT: u64 = 1 << 60;
/// The most read of any of the files; the longest, `memory.stat`, has about 2 KiB.
const PAGE: usize = 4096;

/// Takes samples and remembers the last, for the use of CPU between two.
#[derive(Debug)]
pub(crate) struct Sampler {
    group: Option<Group>,
    last: Option<(Moment, u64)>,
}

impl Sampler {
    /// A sampler of this container's own group.
    pub(crate) const fn here() -> Self {
        Self {
            group: None,
            last: None,
        }
    }

    /// One sample.
    pub(crate) fn sample(&mut self, now: Moment) -> Resources {
        let group = self
            .group
            .get_or_insert_with(|| Group::below(Path::new(MOUNT)));
        let mut sample = group.read();
        let last = std::mem::replace(&mut self.last, sample.cpu_usec.map(|used| (now, used)));
        if let (Some((then, before)), Some(used)) = (last, sample.cpu_usec) {
            sample.cpu_percent = percent(now - then, used.saturating_sub(before));
        }
        sample
    }

    /// Nobody listens any more: the next sample is a first one.
    pub(crate) const fn forget(&mut self) {
        self.last = None;
    }
}

/// The kernel's count of processes it has killed here for want of memory.
#[derive(Debug, Default)]
pub(crate) struct OomKills(Option<Gauge>);

impl OomKills {
    /// The count of this container's own group; none where there is no such group.
    pub(crate) fn count(&mut self) -> Option<u64> {
        let gauge = self
            .0
            .get_or_insert_with(|| Group::below(Path::new(MOUNT)).oom_kills);
        gauge.field("oom_kill")
    }
}

/// The directory of this container's group of version 2; none where there is none.
pub(crate) fn unified() -> Option<PathBuf> {
    let mount = Path::new(MOUNT);
    if !mount.join("cgroup.controllers").exists() {
        return None;
    }
    let table = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Some(own(&table, mount, ""))
}

/// Rounded to a tenth; none when the time between is too short to tell.
fn percent(between: Duration, used: u64) -> Option<f64> {
    let between = u64::try_from(between.as_micros()).ok()?;
    let tenths = used.saturating_mul(1000).checked_div(between)?;
    Some(f64::from(u32::try_from(tenths).ok()?) / 10.0)
}

/// The files of one group, those of version 1 and 2 under the names of what they tell.
#[derive(Debug)]
struct Group {
    version: Version,
    cpu: Gauge,
    memory: Gauge,
    memory_stat: Gauge,
    memory_limit: Gauge,
    pids: Gauge,
    oom_kills: Gauge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Group {
    fn below(mount: &Path) -> Self {
        let table = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        if mount.join("cgroup.controllers").exists() {
            let group = own(&table, mount, "");
            Self {
                version: Version::Two,
                cpu: Gauge::open(&group.join("cpu.stat")),
                memory: Gauge::open(&group.join("memory.current")),
                memory_stat: Gauge::open(&group.join("memory.stat")),
                memory_limit: Gauge::open(&group.join("memory.max")),
                pids: Gauge::open(&group.join("pids.current")),
                oom_kills: Gauge::open(&group.join("memory.events")),
            }
        } else {
            let group = |controller| own(&table, &mount.join(controller), controller);
            let memory = group("memory");
            Self {
                version: Version::One,
                cpu: Gauge::open(&group("cpuacct").join("cpuacct.usage")),
                memory: Gauge::open(&memory.join("memory.usage_in_bytes")),
                memory_stat: Gauge::open(&memory.join("memory.stat")),
                memory_limit: Gauge::open(&memory.join("memory.limit_in_bytes")),
                pids: Gauge::open(&group("pids").join("pids.current")),
                oom_kills: Gauge::open(&memory.join("memory.oom_control")),
            }
        }
    }

    fn read(&self) -> Resources {
        let (cpu, cache) = match self.version {
            Version::One => (
                self.cpu.number().map(|nanoseconds| nanoseconds / 1000),
                self.memory_stat.field("total_cache"),
            ),
            Version::Two => (
                self.cpu.field("usage_usec"),
                self.memory_stat.field("inactive_file"),
            ),
        };
        Resources {
            at: clock::wall(),
            cpu_usec: cpu,
            cpu_percent: None,
            memory_bytes: self
                .memory
                .number()
                .map(|all| all.saturating_sub(cache.unwrap_or(0))),
            memory_limit: self.memory_limit.number().filter(|limit| *limit < NO_LIMIT),
            pids: self.pids.number(),
            oom_kills: self.oom_kills.field("oom_kill"),
        }
    }
}

/// The directory of this container's group. It is the mount itself when the container has a
/// namespace of its own, else a directory below it.
fn own(table: &str, mount: &Path, controller: &str) -> PathBuf {
    let path = table.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        controllers
            .split(',')
            .any(|name| name == controller)
            .then(|| path.trim_start_matches('/'))
    });
    path.map(|path| mount.join(path))
        .filter(|path| path.exists())
        .unwrap_or_else(|| mount.to_path_buf())
}

/// A file of a group, open as long as the agent lives; a read from its start is a fresh value.
#[derive(Debug)]
struct Gauge(Option<File>);

impl Gauge {
    fn open(path: &Path) -> Self {
        Self(File::open(path).ok())
    }

    fn text<T>(&self, find: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let mut page = [0; PAGE];
        let count = self.0.as_ref()?.read_at(&mut page, 0).ok()?;
        find(std::str::from_utf8(page.get(..count)?).ok()?)
    }

    /// The one number of the file; none for `max`.
    fn number(&self) -> Option<u64> {
        self.text(|text| text.trim().parse().ok())
    }

    /// A number out of lines of a name and a number.
    fn field(&self, name: &str) -> Option<u64> {
        self.text(|text| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once(' ')?;
                (key == name).then(|| value.trim().parse().ok()).flatten()
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        tree
    }

    #[test]
    fn version_2_is_read() {
        let tree = group(&[
            ("cgroup.controllers", "cpu memory pids\n"),
            ("cpu.stat", "usage_usec 1500000\nuser_usec 1\n"),
            ("memory.current", "5000000\n"),
            ("memory.stat", "anon 3\ninactive_file 1000000\n"),
            ("memory.max", "max\n"),
            ("memory.events", "low 0\noom 1\noom_kill 2\n"),
            ("pids.current", "7\n"),
        ]);
        let sample = Group::below(tree.path()).read();
        assert_eq!(sample.cpu_usec, Some(1_500_000));
        assert_eq!(sample.memory_bytes, Some(4_000_000));
        assert_eq!(sample.memory_limit, None);
        assert_eq!(sample.oom_kills, Some(2));
        assert_eq!(sample.pids, Some(7));
    }

    #[test]
    fn version_1_is_read() {
        let tree = group(&[
            ("cpuacct/cpuacct.usage", "1500000999\n"),
            ("memory/memory.usage_in_bytes", "5000000\n"),
            ("memory/memory.stat", "cache 9\ntotal_cache 2000000\n"),
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            (
                "memory/memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            ),
        ]);
        let sample = Group::below(tree.path()).read();
        assert_eq!(sample.cpu_usec, Some(1_500_000));
        assert_eq!(sample.memory_bytes, Some(3_000_000));
        assert_eq!(sample.memory_limit, None);
        assert_eq!(sample.oom_kills, Some(3));
        assert_eq!(sample.pids, None);
    }

    #[test]
    fn the_use_of_cpu_is_that_between_two_samples() {
        assert_eq!(percent(Duration::from_secs(2), 500_000), Some(25.0));
        assert_eq!(percent(Duration::ZERO, 5), None);
    }
}
