//! Containers that give less than usual: the agent comes up in each, says what it cannot do there,
//! restarts, stops in order, and comes back.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::lab::{Guest, Lab, docker, now, run, until, ww_ctl};
use crate::tree::Tree;

/// Far below what a container that has to be killed would take.
const AT_ONCE: Duration = Duration::from_secs(8);

/// Scripts that say in the log of the container when they run, for where `/data` cannot be written.
pub(crate) fn spoken(tree: &Tree) -> &Tree {
    for hook in ["boot", "firstboot", "upgrade", "svcup", "warmup", "svcdown"] {
        says(tree, hook, "");
    }
    tree
}

fn says<'tree>(tree: &'tree Tree, hook: &str, body: &str) -> &'tree Tree {
    let text = format!("#!/bin/sh\necho '+{hook}'\n{body}\n");
    tree.file(&format!("usr/{hook}"), 0o755, &text)
}

/// How often a line is in the log of the container.
fn told(guest: &Guest, line: &str) -> usize {
    let output = guest.output();
    output.lines().filter(|seen| seen.trim() == line).count()
}

#[track_caller]
fn stops(guest: &Guest) {
    let begun = now();
    docker(["stop", "-t", "60", &guest.name]).expect(0);
    let took = begun.elapsed();
    assert!(took < AT_ONCE, "took {took:?}\n{}", guest.output());
    assert_eq!(guest.exit_code(), 0, "{}", guest.output());
}

/// The life every world must allow: up, restarted, stopped, started again, stopped.
#[track_caller]
fn lives(guest: &Guest) {
    guest.reaches("UP");
    ww_ctl(["restart", &guest.name, "--timeout", "30s"]).expect(0);
    stops(guest);
    docker(["start", &guest.name]).expect(0);
    guest.reaches("UP");
    stops(guest);
    let output = guest.output();
    for (line, times) in [
        ("= LIFECYCLE: UP", 3),
        ("= LIFECYCLE: RESTARTING", 1),
        ("= LIFECYCLE: STOPPED", 2),
        ("= LIFECYCLE: ERROR", 0),
        ("+svcup", 3),
        ("+svcdown", 3),
    ] {
        assert_eq!(told(guest, line), times, "{line}\n{output}");
    }
}

/// Waits until it is up, and holds what it says it cannot do against these words.
#[track_caller]
fn admits(guest: &Guest, words: &[&str]) {
    guest.reaches("UP");
    let status = guest.status();
    let degraded = status
        .split_once("\"degraded\":[")
        .map_or("", |(_, rest)| rest);
    let output = guest.output();
    for word in words {
        assert!(degraded.contains(word), "{word}: {status}");
        assert!(output.contains(word), "{word}: {output}");
    }
}

/// The image that does nothing but say so, made once for all tests that run at the same time.
struct Plain {
    _lab: Lab,
    tag: String,
}

static PLAIN: Mutex<Weak<Plain>> = Mutex::new(Weak::new());

fn plain() -> Arc<Plain> {
    let mut slot = PLAIN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(made) = slot.upgrade() {
        return made;
    }
    let lab = Lab::new("plain");
    let tag = lab.image(spoken(&lab.tree("app")));
    let made = Arc::new(Plain { _lab: lab, tag });
    *slot = Arc::downgrade(&made);
    made
}

/// A container of the plain image with these options. What it is made in goes with the first two.
fn world(what: &str, options: &[&str]) -> (Arc<Plain>, Lab, Guest) {
    let (plain, lab) = (plain(), Lab::new(what));
    let guest = lab.start("app", &plain.tag, options, &[]);
    (plain, lab, guest)
}

#[test]
fn a_root_that_is_read_only() {
    let (_plain, _lab, guest) = world("readonly", &["--read-only"]);
    admits(&guest, &["cannot write to /ww/etc", "/run/ww/agent.sock: "]);
    assert!(guest.data.join("whaleup").exists());
    lives(&guest);
    assert_eq!(told(&guest, "+firstboot"), 1);
}

#[test]
fn a_root_that_is_read_only_with_a_place_for_the_socket() {
    let (_plain, _lab, guest) = world("readonly", &["--read-only", "--tmpfs", "/run"]);
    admits(&guest, &["cannot write to /ww/etc"]);
    assert!(!guest.output().contains("agent.sock"), "{}", guest.output());
    lives(&guest);
}

#[test]
fn a_user_who_is_not_root_and_may_not_write_his_data() {
    let (_plain, _lab, guest) = world("user", &["--user", "1000:1000"]);
    admits(&guest, &["/ww/etc", "/data/whaleup: ", "agent.sock: "]);
    assert!(!guest.data.join("whaleup").exists());
    lives(&guest);
    assert_eq!(told(&guest, "+firstboot"), 2, "it was never marked");
}

#[test]
fn a_user_who_is_not_root_and_owns_his_data() {
    let lab = Lab::new("user");
    let tree = lab.tree("app");
    says(spoken(&tree), "boot", "id -u");
    let data = lab.directory("data-app");
    std::os::unix::fs::chown(&data, Some(1000), Some(1000)).expect("the owner");
    let guest = lab.start("app", &lab.image(&tree), &["--user", "1000:1000"], &[]);
    guest.reaches("UP");
    assert!(guest.data.join("whaleup").exists());
    lives(&guest);
    assert_eq!(told(&guest, "+firstboot"), 1);
    assert_eq!(told(&guest, "1000"), 2);
}

/// A process that is none of the container's business.
struct Bystander(Child);

impl Bystander {
    fn new() -> Self {
        let mut sleep = Command::new("sleep");
        Self(
            sleep
                .arg("1000")
                .stdin(Stdio::null())
                .spawn()
                .expect("sleep"),
        )
    }

    #[track_caller]
    fn lives(&mut self) {
        let ended = self.0.try_wait().expect("its state");
        assert_eq!(ended, None, "a process of somebody else was ended");
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A daemon that left its group and its parent, and says when it was asked to end.
const DAEMON: &str = "setsid sh -c 'trap \"echo told >> /data/log; exit\" TERM; \
                      echo daemon >> /data/log; while :; do sleep 0.1; done' &";

fn not_the_first_process(option: &str) {
    let mut bystander = Bystander::new();
    let (plain, lab) = (plain(), Lab::new("notfirst"));
    let tree = lab.tree("app");
    says(spoken(&tree), "svcup", DAEMON);
    let guest = lab.start("app", &lab.image(&tree), &[option], &[]);
    guest.wrote("daemon", 1);
    admits(&guest, &["not PID 1"]);
    let other = lab.start("other", &plain.tag, &[], &[]);
    other.reaches("UP");
    // A restart is svcdown's business: it does not touch what left the group.
    ww_ctl(["restart", &guest.name, "--timeout", "30s"]).expect(0);
    guest.wrote("daemon", 2);
    assert!(!guest.log().contains(&"told".to_owned()));
    stops(&guest);
    assert_eq!(guest.log(), ["daemon", "daemon", "told", "told"]);
    bystander.lives();
    assert_eq!(other.inspect("{{.State.Status}}"), "running");
    docker(["start", &guest.name]).expect(0);
    guest.reaches("UP");
    stops(&guest);
    bystander.lives();
}

#[test]
fn behind_an_init_of_dockers() {
    not_the_first_process("--init");
}

#[test]
fn among_the_processes_of_the_host_it_ends_its_own_only() {
    not_the_first_process("--pid=host");
}

#[test]
fn a_terminal() {
    let (_plain, _lab, guest) = world("terminal", &["-t"]);
    lives(&guest);
}

#[test]
fn no_data_at_all() {
    let (plain, lab) = (plain(), Lab::new("nodata"));
    let guest = lab.start_bare("app", &plain.tag, &[], &[]);
    lives(&guest);
    // What a container keeps in its own layer lasts as long as it does.
    assert_eq!(told(&guest, "+firstboot"), 1);
}

#[test]
fn one_that_was_killed_comes_back() {
    let (_plain, _lab, guest) = world("killed", &[]);
    guest.reaches("UP");
    docker(["kill", "-s", "KILL", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 137);
    docker(["start", &guest.name]).expect(0);
    guest.reaches("UP");
    // Its socket was left behind; the one there is now is in its place.
    let status = guest.status();
    assert!(
        status.contains("\"degraded\":[]") || !status.contains("degraded"),
        "{status}"
    );
    assert_eq!(told(&guest, "+firstboot"), 1);
    stops(&guest);
}

/// A file system of a few pages.
struct Small(PathBuf);

impl Small {
    fn at(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).expect("a directory");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16k,nr_inodes=16", "none"])
            .arg(&path))
        .expect(0);
        Self(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run(Command::new("umount").args(["-l"]).arg(&self.0));
    }
}

#[test]
fn a_full_data_is_an_error_and_never_taken_for_initialised() {
    let lab = Lab::new("full");
    let tree = lab.tree("app");
    let fill = "[ -e /data/room ] || { i=0; while true > /data/$i; do i=$((i+1)); done; } 2>/dev/null; true";
    says(spoken(&tree), "firstboot", fill);
    let small = Small::at(lab.directory("data-app"));
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    assert_eq!(guest.exit_code(), 1);
    let output = guest.output();
    for word in ["-> ERROR", "cannot mark /data", "No space left on device"] {
        assert!(output.contains(word), "{word}: {output}");
    }
    assert_eq!(told(&guest, "+upgrade"), 0, "{output}");
    assert!(!small.0.join("whaleup").exists());
    // With room again it starts from where it was: before the mark.
    for name in ["0", "1", "2", "3"] {
        std::fs::remove_file(small.0.join(name)).expect("what filled it");
    }
    std::fs::write(small.0.join("room"), "").expect("room");
    docker(["start", &guest.name]).expect(0);
    guest.reaches("UP");
    assert_eq!(told(&guest, "+firstboot"), 2);
    assert!(small.0.join("whaleup").exists());
    stops(&guest);
}

#[test]
fn too_few_processes_are_waited_for_and_the_state_is_kept() {
    let (_plain, _lab, guest) = world("pids", &["--pids-limit", "50"]);
    guest.reaches("UP");
    docker(["update", "--pids-limit", "1", &guest.name]).expect(0);
    docker(["kill", "-s", "HUP", &guest.name]).expect(0);
    until("the first attempt to fail", || {
        let output = guest.output();
        output
            .contains("svcdown cannot be started yet")
            .then_some(())
    });
    assert_eq!(told(&guest, "+svcdown"), 0);
    assert!(!guest.output().contains("-> ERROR"), "{}", guest.output());
    docker(["update", "--pids-limit", "50", &guest.name]).expect(0);
    until("the restart to go on", || {
        (told(&guest, "+svcup") == 2).then_some(())
    });
    guest.reaches("UP");
    assert_eq!(told(&guest, "+svcdown"), 1);
    stops(&guest);
    assert_eq!(told(&guest, "+svcdown"), 2);
}

#[test]
fn a_script_that_wants_more_memory_than_there_is() {
    let lab = Lab::new("memory");
    let tree = lab.tree("app");
    let greedy = "[ -e /data/greedy ] && { rm /data/greedy; exec tail /dev/zero; }; true";
    says(spoken(&tree), "monitor", greedy)
        .defaults(r#"{"ww":{"monitor":{"interval":"300ms"},"restart":{"backoff":"10ms"}}}"#);
    let options = ["-m", "16m", "--memory-swap", "16m"];
    let guest = lab.start("app", &lab.image(&tree), &options, &[]);
    guest.reaches("UP");
    let pid = guest.inspect("{{.State.Pid}}");
    std::fs::write(guest.data.join("greedy"), "").expect("a file");
    until("the restart", || {
        (told(&guest, "= LIFECYCLE: RESTARTING") == 1).then_some(())
    });
    guest.reaches("UP");
    // A sample serves all who ask within two seconds.
    let status = until("a sample from after it", || {
        let status = guest.status();
        (!status.contains("\"oom_kills\":0")).then_some(status)
    });
    let output = guest.output();
    assert!(
        output.contains("UP -> RESTARTING") && output.contains("possibly out of memory"),
        "{output}"
    );
    assert!(status.contains("possibly out of memory"), "{status}");
    assert!(status.contains("\"memory_limit\":16777216"), "{status}");
    // The agent itself was not hit.
    assert_eq!(guest.inspect("{{.State.Pid}}"), pid);
    stops(&guest);
}

/// The process of containerd that reads what a container prints.
fn reader(guest: &Guest) -> String {
    let pid = guest.inspect("{{.State.Pid}}");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("its parent");
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    rest.split_whitespace().nth(1).expect("a parent").to_owned()
}

/// A process that stands still, until this goes out of scope.
struct Standstill(String);

impl Standstill {
    fn of(pid: String) -> Self {
        run(Command::new("kill").args(["-STOP", &pid])).expect(0);
        Self(pid)
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        run(Command::new("kill").args(["-CONT", &self.0]));
    }
}

#[test]
fn a_log_whose_reader_stands_still_holds_nothing_up_and_the_loss_is_told() {
    let lab = Lab::new("reader");
    let tree = lab.tree("app");
    let flood = "[ -e /data/flood ] && { head -c 3000000 /dev/zero | tr '\\0' x; echo; }; \
                 echo svcup >> /data/log";
    says(spoken(&tree), "svcup", flood);
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    std::fs::write(guest.data.join("flood"), "").expect("a file");
    let pid = guest.inspect("{{.State.Pid}}");
    let still = Standstill::of(reader(&guest));
    for count in 2..4 {
        run(Command::new("kill").args(["-HUP", &pid])).expect(0);
        guest.wrote("svcup", count);
    }
    drop(still);
    until("the loss to be told", || {
        guest
            .output()
            .contains("bytes of output were dropped")
            .then_some(())
    });
    assert!(guest.output().contains("nobody reads stdout any more"));
    guest.reaches("UP");
    stops(&guest);
}
