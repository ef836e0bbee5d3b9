//! Where the container gives less than usual, the agent says so and boots all the same.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use crate::harness::Image;

const ANYBODY: [&str; 6] = [
    "setpriv",
    "--reuid=12345",
    "--regid=12345",
    "--clear-groups",
    "--",
    "env",
];

#[test]
fn a_user_who_may_write_nowhere() {
    let image = Image::bare()
        .file("ww/usr/upgrade", b"#!/bin/sh\nid -u\n", 0o755)
        .around(&ANYBODY);
    std::fs::set_permissions(image.path(""), Permissions::from_mode(0o755)).unwrap();
    let mut agent = image.start();
    agent.wait_stderr("WARMUP -> UP");
    let stderr = agent.stderr();
    for what in ["/ww/etc/cfg.json", "agent.sock", "/data/whaleup"] {
        assert!(stderr.contains(what), "{what}: {stderr}");
    }
    assert_eq!(agent.stop().0, 0);
    assert!(agent.stdout().contains("12345\n"));
}

#[test]
fn a_root_that_is_read_only() {
    let mount = "mount --bind $ROOT $ROOT && mount -o remount,ro,bind $ROOT && \
                 mkdir -p $ROOT/dev/shm; mount -t tmpfs none $ROOT/dev/shm; exec \"$@\"";
    let image = Image::bare()
        .file("dev/shm/nothing", b"", 0o644)
        .around(&["sh", "-c", mount, "sh"]);
    let mut agent = image.start();
    agent.wait_stderr("WARMUP -> UP");
    let stderr = agent.stderr();
    assert!(
        stderr.contains("the merged configuration is in"),
        "{stderr}"
    );
    assert!(stderr.contains("dev/shm/ww/agent.sock"), "{stderr}");
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn not_the_first_process() {
    let mut agent = Image::new()
        .script(
            "svcup",
            "setsid sh -c 'trap : TERM; echo $$ > $ROOT/daemon; while :; do sleep 1; done' &",
        )
        .cfg(r#"{"ww":{"stop":{"grace":"200ms"}}}"#)
        .around(&[
            "sh",
            "-c",
            "\"$@\"; code=$?; sleep 0.1; echo $code > $ROOT/code; exit $code",
            "sh",
        ])
        .start();
    agent.wait_state("UP");
    agent.wait_stderr("not PID 1");
    let pid = crate::harness::until("the daemon", || {
        let pid = std::fs::read_to_string(agent.path("daemon")).ok()?;
        (!pid.is_empty()).then_some(pid)
    });
    assert_ne!(pid.trim(), "1");
    agent.listen().ask(r#"{"id":1,"type":"stop"}"#);
    assert_eq!(agent.exit(), 0);
    assert!(
        agent.stderr().contains("killing them"),
        "{}",
        agent.stderr()
    );
}

/// A process beside the agent, which ends with this.
struct Other(std::process::Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn too_few_processes_for_a_while() {
    // A user nobody else is, not even the same test in another run at the same time.
    let id = 100_000 + std::process::id();
    let (user, group) = (format!("--reuid={id}"), format!("--regid={id}"));
    let user = ["setpriv", &user, &group, "--clear-groups", "--"];
    // Another process of the same user takes the place that a script would need.
    let other = Other(
        std::process::Command::new(user[0])
            .args(&user[1..])
            .args(["sleep", "1000"])
            .spawn()
            .unwrap(),
    );
    let name = format!("/proc/{}/comm", other.0.id());
    crate::harness::until("the other process", || {
        let name = std::fs::read_to_string(&name).ok()?;
        (name.trim() == "sleep").then_some(())
    });
    let limited: Vec<&str> = user
        .into_iter()
        .chain(["prlimit", "--nproc=2", "--"])
        .collect();
    let image = ["boot", "svcup"]
        .into_iter()
        .fold(Image::bare().around(&limited), |image, name| {
            image.file(&format!("ww/usr/{name}"), b"#!/bin/sh\n", 0o755)
        });
    std::fs::set_permissions(image.path(""), Permissions::from_mode(0o755)).unwrap();
    let mut agent = image.start();
    agent.wait_stderr("boot cannot be started yet");
    drop(other);
    agent.wait_stderr("WARMUP -> UP");
    assert_eq!(agent.stop().0, 0);
}
