//! What an idle agent costs.

use std::fs;

use crate::lab::{Lab, agent_path, docker, now};

fn field(status: &str, name: &str) -> u64 {
    let line = status
        .lines()
        .find(|line| line.starts_with(name))
        .expect("the field");
    line.split_whitespace()
        .nth(1)
        .expect("a value")
        .parse()
        .expect("a number")
}

#[test]
fn the_binary_is_static_and_small() {
    let path = agent_path();
    let bytes = fs::read(&path).expect("the agent");
    assert!(bytes.len() <= 4 * 1024 * 1024, "{} bytes", bytes.len());
    // Alone in an image, with nothing to link to, it runs.
    let lab = Lab::new("idle");
    let tag = lab.named("alone");
    let built = crate::lab::ww_ctl(["image", "build", "--base", "scratch", "-t", &tag]);
    let ran = docker(["run", "--rm", &tag, "/ww/bin/ww-agent", "version"]);
    docker(["rmi", "-f", &tag]);
    built.expect(0);
    assert!(ran.expect(0).stdout.contains("protocol 1"));
}

#[test]
fn nobody_listening_it_does_not_wake_and_is_small() {
    let lab = Lab::new("idle");
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("monitor", "echo '{\"a\":1}'")
        .defaults(r#"{"ww":{"monitor":{"interval":"10m"}}}"#);
    fs::copy(agent_path(), tree.path().join("run")).expect("the agent");
    // Neither an image with the agent's label nor the usual socket: other tests list the fleet, and
    // would listen to it.
    let mount = format!("{}:/ww", tree.path().display());
    let options = ["-v", &mount, "-e", "WW_SOCKET=/run/ww/alone.sock"];
    let guest = lab.start("app", lab.base(), &options, &["/ww/run"]);
    // Not by `ww-ctl wait`: nobody is to have listened.
    guest.wrote("-warmup", 1);
    crate::lab::until("UP", || {
        guest.output().contains("LIFECYCLE: UP").then_some(())
    });
    let pid = guest.inspect("{{.State.Pid}}");
    let status = || fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    // Its last lines of output may still be on their way when they are seen.
    let switches = || field(&status(), "voluntary_ctxt_switches");
    let mut before = switches();
    crate::lab::until("the agent to fall asleep", || {
        let again = switches();
        std::thread::sleep(std::time::Duration::from_millis(200));
        (std::mem::replace(&mut before, again) == again).then_some(())
    });
    let begun = now();
    let before = switches();
    // Well within the pause between two checks nothing must happen.
    std::thread::sleep(std::time::Duration::from_secs(10));
    let woken = switches() - before;
    assert_eq!(woken, 0, "woken {woken} times in {:?}", begun.elapsed());
    let rss = field(&status(), "VmRSS:");
    assert!(rss <= 2048, "{rss} kB resident");
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("its memory");
    let private = field(&rollup, "Private_Dirty:") + field(&rollup, "Private_Clean:");
    println!(
        "idle agent: {rss} kB resident, {private} kB private, {} bytes on disk",
        fs::metadata(agent_path()).expect("the agent").len()
    );
}
