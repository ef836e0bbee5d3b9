//! Control groups as the kernel makes them: version 2 mounted for real, and a process in a frozen
//! group, which nothing can end.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Image, now, until};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A group of its own in a hierarchy that is mounted for it; both go when this does.
struct Group {
    mount: TempDir,
    path: PathBuf,
}

impl Group {
    fn new(options: &[&str]) -> Self {
        let mount = tempfile::tempdir().unwrap();
        let made = Command::new("mount")
            .args(options)
            .arg("none")
            .arg(mount.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wwtest-{}-{number}", std::process::id());
        let path = mount.path().join(name);
        let group = Self { mount, path };
        std::fs::create_dir(&group.path).unwrap();
        group
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn number(&self, file: &str, field: &str) -> u64 {
        let text = std::fs::read_to_string(self.file(file)).unwrap();
        text.lines()
            .find_map(|line| line.strip_prefix(field)?.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {field} in {text}"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::write(self.file("freezer.state"), "THAWED");
        // Who was in it is ended by now, or is about to be.
        let deadline = now() + Duration::from_secs(5);
        while std::fs::remove_dir(&self.path).is_err() && now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.mount.path())
            .status();
    }
}

/// Uses a little of the CPU, so that there is something to count.
const BUSY: &str = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";

/// The agent's own figures against those of the file, read before and after.
fn version_2_is_read(around: &str) {
    let group = Group::new(&["-t", "cgroup2"]);
    let script = format!(
        "echo $$ > {} && exec {around} sh -c 'mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\"' sh \"$@\"",
        group.file("cgroup.procs").display()
    );
    let agent = Image::new()
        .script("boot", BUSY)
        .around(&["sh", "-c", &script, "sh"])
        .start();
    // Nobody has listened before, so what the first one is told is fresh.
    agent.wait_stderr("WARMUP -> UP");
    let before = group.number("cpu.stat", "usage_usec");
    let resources = agent.listen().line("snapshot")["resources"].clone();
    let after = group.number("cpu.stat", "usage_usec");
    let told = resources["cpu_usec"].as_u64().unwrap();
    assert!(before > 0, "the agent is not in its group");
    assert!(
        (before..=after).contains(&told),
        "{told} of {before}..={after}"
    );
    // What this hierarchy does not have is not made up.
    for (file, field) in [("memory.current", "memory_bytes"), ("pids.current", "pids")] {
        assert_eq!(
            group.file(file).exists(),
            resources.get(field).is_some(),
            "{field}: {resources}"
        );
    }
    drop(agent);
}

#[test]
fn version_2_is_read_where_the_whole_hierarchy_is_seen() {
    version_2_is_read("");
}

#[test]
fn version_2_is_read_in_a_name_space_of_its_own() {
    version_2_is_read("unshare --cgroup");
}

#[test]
fn a_process_that_nothing_can_end_is_waited_for_so_long_and_said() {
    let group = Group::new(&["-t", "cgroup", "-o", "freezer"]);
    let daemon = format!(
        "setsid sh -c 'echo $$ > {}; echo ready >> $LOG; exec sleep 1000' &",
        group.file("cgroup.procs").display()
    );
    let mut agent = Image::new()
        .script("svcup", &daemon)
        .cfg(r#"{"ww":{"stop":{"grace":"100ms"}}}"#)
        .start();
    agent.wait_log("ready", 1);
    agent.wait_state("UP");
    std::fs::write(group.file("freezer.state"), "FROZEN").unwrap();
    until("the group to be frozen", || {
        let state = std::fs::read_to_string(group.file("freezer.state")).unwrap();
        (state.trim() == "FROZEN").then_some(())
    });
    let began = now();
    agent.signal(Signal::SIGTERM);
    agent.wait_stderr("some processes cannot be ended");
    let took = now() - began;
    assert!(took < Duration::from_secs(8), "took {took:?}");
    // The kernel itself does not let PID 1 go before all of its name space have gone.
    std::fs::write(group.file("freezer.state"), "THAWED").unwrap();
    assert_eq!(agent.exit(), 0);
}
