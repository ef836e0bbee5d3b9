//! What the container uses, out of its own cgroup: version 2 or 1, read only when somebody listens.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use whaleware::lifecycle::Moment;
use whaleware::protocol::Resources;

use crate::clock;

/// Where cgroups are mounted.
const MOUNT: &str = "/sys/fs/cgroup";
/// A limit of version 1 that means none.
const NO_LIMIT: u64 = 1 << 60;

/// Takes samples and remembers the last, for the use of CPU between two.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    last: Option<(Moment, u64)>,
}

impl Sampler {
    /// One sample.
    pub(crate) fn sample(&mut self, now: Moment) -> Resources {
        let mut sample = read(Path::new(MOUNT));
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

/// Rounded to a tenth; none when the time between is too short to tell.
fn percent(between: Duration, used: u64) -> Option<f64> {
    let between = u64::try_from(between.as_micros()).ok()?;
    let tenths = used.saturating_mul(1000).checked_div(between)?;
    Some(f64::from(u32::try_from(tenths).ok()?) / 10.0)
}

/// How many processes the kernel has killed here for want of memory.
pub(crate) fn oom_kills() -> Option<u64> {
    let mount = Path::new(MOUNT);
    version_2(mount).map_or_else(
        || {
            field(
                &version_1(mount, "memory").join("memory.oom_control"),
                "oom_kill",
            )
        },
        |group| field(&group.join("memory.events"), "oom_kill"),
    )
}

fn read(mount: &Path) -> Resources {
    version_2(mount).map_or_else(|| read_1(mount), |group| read_2(&group))
}

/// The directory of this container's group. It is the mount itself when the container has a
/// namespace of its own, else a directory below it.
fn version_2(mount: &Path) -> Option<PathBuf> {
    if !mount.join("cgroup.controllers").exists() {
        return None;
    }
    let own = own_path("").map(|path| mount.join(path));
    let group = own.filter(|path| path.exists());
    Some(group.unwrap_or_else(|| mount.to_path_buf()))
}

fn version_1(mount: &Path, controller: &str) -> PathBuf {
    let controllers = mount.join(controller);
    let own = own_path(controller).map(|path| controllers.join(path));
    own.filter(|path| path.exists()).unwrap_or(controllers)
}

/// This process's path below a hierarchy, as `/proc/self/cgroup` has it.
fn own_path(controller: &str) -> Option<String> {
    let table = fs::read_to_string("/proc/self/cgroup").ok()?;
    table.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        controllers
            .split(',')
            .any(|name| name == controller)
            .then(|| path.trim_start_matches('/').to_owned())
    })
}

fn read_2(group: &Path) -> Resources {
    let cache = field(&group.join("memory.stat"), "inactive_file").unwrap_or(0);
    Resources {
        at: clock::wall(),
        cpu_usec: field(&group.join("cpu.stat"), "usage_usec"),
        cpu_percent: None,
        memory_bytes: number(&group.join("memory.current")).map(|all| all.saturating_sub(cache)),
        memory_limit: number(&group.join("memory.max")),
        pids: number(&group.join("pids.current")),
        oom_kills: field(&group.join("memory.events"), "oom_kill"),
    }
}

fn read_1(mount: &Path) -> Resources {
    let memory = version_1(mount, "memory");
    let cache = field(&memory.join("memory.stat"), "total_cache").unwrap_or(0);
    let cpu = version_1(mount, "cpuacct");
    Resources {
        at: clock::wall(),
        cpu_usec: number(&cpu.join("cpuacct.usage")).map(|nanoseconds| nanoseconds / 1000),
        cpu_percent: None,
        memory_bytes: number(&memory.join("memory.usage_in_bytes"))
            .map(|all| all.saturating_sub(cache)),
        memory_limit: number(&memory.join("memory.limit_in_bytes"))
            .filter(|limit| *limit < NO_LIMIT),
        pids: number(&version_1(mount, "pids").join("pids.current")),
        oom_kills: field(&memory.join("memory.oom_control"), "oom_kill"),
    }
}

/// A file that holds one number; none for `max`.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// A number out of a file of lines of a name and a number.
fn field(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(' ')?;
        (key == name).then(|| value.trim().parse().ok()).flatten()
    })
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
        let sample = read(tree.path());
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
        let sample = read(tree.path());
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
