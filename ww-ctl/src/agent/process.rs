//! The first process of a container, found without asking the Engine.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::Uid;

use super::cgroup;

/// The most bytes read of a file below `/proc`.
const MAX: u64 = 64 * 1024;
/// Where containerd keeps what it knows of Docker's running containers: a containerd of its own,
/// and one that Docker started itself.
const TASKS: [&str; 2] = [
    "/run/containerd/io.containerd.runtime.v2.task/moby",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby",
];
/// The one of them where a container was found last: where the next is looked for first.
static RIGHT: AtomicUsize = AtomicUsize::new(0);
/// The most containers that are taken from there.
const MOST: usize = 4096;
/// The most processes of a container that are looked at.
const CANDIDATES: usize = 4096;

/// A process, held so that its number cannot come to mean another one.
pub(super) struct Process {
    pid: i32,
    dir: OwnedFd,
    /// Where in the hierarchy of cgroups its container begins; never empty.
    place: Vec<String>,
}

/// Whether it is worth asking the Engine for a process number: without these rights
/// `/proc/PID/root` cannot be followed anyway.
pub(super) fn may_look_into_others() -> bool {
    Uid::effective().is_root()
}

/// The ids of the containers that seem to run on this host, as far as it may be seen.
pub(super) fn running() -> Vec<String> {
    TASKS
        .iter()
        .filter_map(|tasks| std::fs::read_dir(tasks).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .take(MOST)
        .collect()
}

impl Process {
    /// The process with this number, if it is one of the container's.
    pub(super) fn of(pid: i32, id: &str) -> Result<Self, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = open(format!("/proc/{pid}").as_str(), flags, Mode::empty())?;
        let cgroup = read_at(&dir, "cgroup").map_err(|_| Errno::ESRCH)?;
        let place = cgroup::place(&cgroup, id);
        if place.is_empty() {
            return Err(Errno::ESRCH);
        }
        Ok(Self { pid, dir, place })
    }

    /// The first process of the container, by what the host's files say of it.
    pub(super) fn first_of(id: &str) -> Result<Self, Errno> {
        let mut denied = false;
        let right = RIGHT.load(Ordering::Relaxed);
        for place in [right, 1 - right] {
            let path = format!("{}/{id}/init.pid", TASKS[place]);
            match read(&path) {
                Ok(text) => {
                    if let Ok(pid) = text.trim().parse()
                        && let Ok(process) = Self::of(pid, id)
                    {
                        RIGHT.store(place, Ordering::Relaxed);
                        return Ok(process);
                    }
                }
                Err(error) => denied |= error.kind() == io::ErrorKind::PermissionDenied,
            }
        }
        for path in cgroup::process_lists(id) {
            let Ok(list) = read(&path) else {
                continue;
            };
            for pid in list
                .lines()
                .take(CANDIDATES)
                .filter_map(|line| line.parse().ok())
            {
                if let Ok(process) = Self::of(pid, id)
                    && process.is_first()
                {
                    return Ok(process);
                }
            }
        }
        Err(if denied { Errno::EACCES } else { Errno::ENOENT })
    }

    /// Whether a process with this number is in the same container.
    pub(super) fn shares_container_with(&self, pid: i32, id: &str) -> bool {
        if pid == self.pid {
            // Nothing can be found in the directory of a process that is gone, so the number
            // still means the process that is held.
            return fstatat(&self.dir, "comm", AtFlags::empty()).is_ok();
        }
        Self::of(pid, id).is_ok_and(|other| other.place == self.place)
    }

    /// Whether it has the number 1 in its own PID namespace, and is in one.
    fn is_first(&self) -> bool {
        read_at(&self.dir, "status").is_ok_and(|status| innermost_pid(&status) == Some(1))
    }

    /// The root of its file system.
    pub(super) fn root(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(self.dir.as_fd(), "root", flags, Mode::empty())
    }
}

/// The last number of `NSpid:` in `/proc/PID/status`.
fn innermost_pid(status: &str) -> Option<i32> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_ascii_whitespace().last()?.parse().ok()
}

fn read(path: &str) -> io::Result<String> {
    bounded(File::open(path)?)
}

fn read_at(dir: &OwnedFd, name: &str) -> io::Result<String> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file = openat(dir.as_fd(), name, flags, Mode::empty())?;
    bounded(File::from(file))
}

fn bounded(mut file: File) -> io::Result<String> {
    // Each of them is read in a hundred containers: what comes short of the room there is was all.
    let mut room = [0; 2048];
    let length = file.read(&mut room)?;
    let mut text = room[..length].to_vec();
    if length == room.len() {
        file.take(MAX).read_to_end(&mut text)?;
    }
    String::from_utf8(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_in_the_innermost_namespace_counts() {
        assert_eq!(
            innermost_pid("Name:\tx\nNSpid:\t812\t1\nNSsid:\t1\n"),
            Some(1)
        );
        assert_eq!(innermost_pid("NSpid:\t812\n"), Some(812));
        assert_eq!(innermost_pid("Name:\tx\n"), None);
    }

    #[test]
    fn a_process_of_no_container_is_none_of_its() {
        let own = i32::try_from(std::process::id()).unwrap();
        let id = "0f5a3e0c9a7d4e1b8c6f2a1d3b5c7e9f0a2b4c6d8e0f1a3b5c7d9e1f2a4b6c8d";
        assert_eq!(Process::of(own, id).err(), Some(Errno::ESRCH));
        assert!(Process::first_of(id).is_err());
    }
}
