//! Drills: the image of a backup is started on it, beside everything else, and nothing of that is left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::backup::Vault;
use crate::lab::{Guest, Lab, Ran, docker, run, until};
use crate::tree::Tree;

/// A laboratory with a vault and a place for drills.
struct Scene {
    lab: Lab,
    vault: Vault,
    scratch: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::new("drill");
        let vault = Vault::new(&lab);
        let scratch = lab.directory("scratch");
        Self {
            lab,
            vault,
            scratch,
        }
    }

    /// `ww-ctl` with the vault and the journal of this scene.
    fn ctl(&self, words: &[&str]) -> Command {
        self.vault.other(words)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.ctl(&["backups", "drill"]);
        command.arg("--scratch").arg(&self.scratch).args(words);
        command
    }

    fn drill(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// A drill that goes on until somebody ends it: its container is there.
    fn begun(&self, words: &[&str]) -> Begun {
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn().expect("a process");
        let begun = Begun(child);
        until("its container to run", || container(words[0]));
        begun
    }

    /// Nothing is left of any drill.
    #[track_caller]
    fn is_tidy(&self, name: &str) {
        let filter = format!("name=^ww-drill-{name}-");
        let all = docker(["ps", "-aq", "--filter", &filter]).expect(0).stdout;
        assert_eq!(all, "");
        let left: Vec<_> = std::fs::read_dir(&self.scratch)
            .expect("a directory")
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The container of a drill that runs.
fn container(name: &str) -> Option<String> {
    let filter = format!("name=^ww-drill-{name}-");
    let ran = docker(["ps", "-q", "--filter", &filter]).expect(0);
    ran.stdout.lines().next().map(str::to_owned)
}

/// A drill that is under way. Dropped, it is killed.
struct Begun(Child);

impl Begun {
    fn signal(mut self, signal: Signal) -> Option<i32> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("it is there");
        self.0.wait().expect("its end").code()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn app(scene: &Scene, options: &[&str], more: impl Fn(&Tree)) -> Guest {
    let tree = scene.lab.tree("app");
    tree.all_scripts();
    more(&tree);
    let image = scene.lab.image(&tree);
    let guest = scene.lab.start("app", &image, options, &[]);
    guest.reaches("UP");
    guest
}

/// Data that make the next start of it different.
fn put(guest: &Guest, name: &str) {
    std::fs::write(guest.data.join(name), "").expect("a file");
}

fn known(set: &Path) -> Value {
    let text = std::fs::read_to_string(set.join("verified.json")).expect("what is known");
    serde_json::from_str::<Value>(&text).expect("JSON")["drill"].clone()
}

#[test]
fn a_backup_comes_up_beside_what_it_was_made_of_and_nothing_is_left() {
    let scene = Scene::new();
    let cfg = scene.lab.directory("cfg").join("cfg.json");
    std::fs::write(&cfg, r#"{"colour":"green"}"#).expect("a file");
    let mount = format!("{}:/run/secrets/cfg", cfg.display());
    let more = format!("{}:/etc/more", scene.lab.directory("more").display());
    let options = [
        ["-v", &mount],
        ["-v", &more],
        ["-e", "CFG_FILE=/run/secrets/cfg"],
        ["-e", "PASSWORD=secret"],
        ["--hostname", "shop"],
    ];
    let options = options.concat();
    let guest = app(&scene, &options, |tree| {
        tree.defaults(r#"{"colour":"red"}"#);
        // On the data of the backup it looks around, and it is not UP unless all is as it should be.
        tree.script(
            "warmup",
            r#"[ ! -e /data/strict ] || {
    [ "$(ls /sys/class/net)" = lo ] || { echo network; exit 1; }
    [ "$PASSWORD" = secret ] || { echo environment; exit 1; }
    [ "$(hostname)" = shop ] || { echo hostname; exit 1; }
    grep -q green /ww/etc/cfg.json || { echo configuration; exit 1; }
    echo >> /run/secrets/cfg && { echo writable; exit 1; }
    [ "$WITH" != more ] || [ -d /etc/more ] || { echo more; exit 1; }
    grep -q -- -svcdown /data/log || { echo data; exit 1; }
}"#,
        );
        tree.file("usr/monitor", 0o755, "#!/bin/sh\n[ ! -e /data/sick ]\n");
    });
    let name = guest.name.as_str();
    put(&guest, "strict");
    scene.vault.backup(&[name]).expect(0);
    std::fs::remove_file(guest.data.join("strict")).expect("a file");
    let log = guest.log();

    let ran = scene.drill(&[name]).expect(0);
    assert!(ran.stdout.contains("passes its check"), "{}", ran.stdout);
    scene.is_tidy(name);
    assert_eq!(guest.log(), log, "it was not touched");
    assert_eq!(guest.inspect("{{.State.Status}}"), "running");
    let set = scene.vault.sets(name).remove(0);
    assert_eq!(known(&set)["ok"], true);
    let listed = run(&mut scene.ctl(&["backups", "ls", name])).expect(0);
    assert!(listed.stdout.contains("drill, "), "{}", listed.stdout);

    let words = ["-e", "WITH=more", "--with", "/etc/more", "-o", "json"];
    let ran = scene.drill(&[&[name][..], &words].concat()).expect(0);
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let one = &told["drilled"][0];
    assert_eq!((&one["ok"], &one["how"]), (&true.into(), &"drill".into()));
    assert!(one["up_ms"].as_u64().is_some(), "{told}");
    assert!(!ran.stdout.contains("secret") && !ran.stderr.contains("secret"));

    // The container is gone, and with it what it had in its environment; its image is not.
    docker(["rm", "-f", name]).expect(0);
    let ran = scene.drill(&[name]).expect(9);
    ran.says(&["PASSWORD", "environment", "the last it has printed"]);
    assert_eq!(known(&set)["ok"], false);
    scene.is_tidy(name);
}

#[test]
fn one_that_does_not_come_up_is_told_with_what_it_printed() {
    let scene = Scene::new();
    let guest = app(&scene, &[], |tree| {
        tree.file("usr/monitor", 0o755, "#!/bin/sh\n[ ! -e /data/sick ]\n");
        tree.script(
            "svcup",
            "[ ! -e /data/broken ] || { echo no such table; exit 3; }",
        );
    });
    let name = guest.name.as_str();
    put(&guest, "broken");
    scene.vault.backup(&["--live", name]).expect(0);
    std::fs::remove_file(guest.data.join("broken")).expect("a file");
    let ran = scene.drill(&[name]).expect(9);
    assert!(ran.stdout.contains("does not come up"), "{}", ran.stdout);
    ran.says(&["no such table"]);
    scene.is_tidy(name);
    let listed = run(&mut scene.ctl(&["backups", "ls", name])).expect(0);
    assert!(listed.stdout.contains("FAILED (drill"), "{}", listed.stdout);

    // It is UP, and its check does not pass.
    put(&guest, "sick");
    scene.vault.backup(&["--live", name]).expect(0);
    std::fs::remove_file(guest.data.join("sick")).expect("a file");
    scene.drill(&[name, "--timeout", "3s"]).expect(9);
    scene.is_tidy(name);

    // Damaged it is not even tried.
    scene.vault.backup(&[name]).expect(0);
    let newest = scene.vault.sets(name).pop().expect("a set");
    let payload = newest.join("data.tar.zst");
    let mut bytes = std::fs::read(&payload).expect("a payload");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&payload, bytes).expect("a payload");
    let ran = scene.drill(&[name]).expect(9);
    assert!(ran.stdout.contains("is not what it was"), "{}", ran.stdout);
    scene.is_tidy(name);
}

#[test]
fn what_a_script_wrote_is_put_back_by_its_script() {
    let mut scene = Scene::new();
    let out = scene.lab.directory("out");
    scene.vault = Vault::at(&scene.lab, out.clone());
    let mount = format!("{}:/backup", out.display());
    let guest = app(&scene, &["-v", &mount], |tree| {
        tree.file(
            "usr/backup",
            0o755,
            "#!/bin/sh\ncp /data/value $WW_BACKUP_DIR/value\n",
        );
        tree.file(
            "usr/restore",
            0o755,
            "#!/bin/sh\ncp $WW_BACKUP_DIR/value /data/value && ! grep -q bad /data/value\n",
        );
        tree.script("firstboot", "echo first > /data/value");
        tree.file(
            "usr/monitor",
            0o755,
            "#!/bin/sh\n! grep -q sick /data/value\n",
        );
    });
    let name = guest.name.as_str();
    for (value, code) in [("good", 0), ("bad", 9), ("sick", 9)] {
        std::fs::write(guest.data.join("value"), value).expect("a file");
        scene.vault.backup(&[name]).expect(0);
        std::fs::write(guest.data.join("value"), "now").expect("a file");
        scene.drill(&[name, "--timeout", "4s"]).expect(code);
        scene.is_tidy(name);
    }
    let kept = std::fs::read_to_string(guest.data.join("value")).expect("a file");
    assert_eq!(kept, "now");
}

#[test]
fn cut_short_it_leaves_nothing_that_the_next_one_does_not_remove() {
    let scene = Scene::new();
    let guest = app(&scene, &[], |tree| {
        tree.script("warmup", "while [ -e /data/hold ]; do sleep 0.1; done");
    });
    let name = guest.name.as_str();
    put(&guest, "hold");
    scene.vault.backup(&["--live", name]).expect(0);
    std::fs::remove_file(guest.data.join("hold")).expect("a file");

    let begun = scene.begun(&[name]);
    // While it runs it is nobody's to be backed up, and nobody else's to be removed.
    let told = run(&mut scene.ctl(&["backup", "--dry-run", "-o", "name"]));
    assert!(!told.stdout.contains("ww-drill-"), "{}", told.stdout);
    let at_work = container(name);
    scene.drill(&[name, "--timeout", "2s"]).expect(9);
    assert_eq!(container(name), at_work);
    assert_eq!(begun.signal(Signal::TERM), Some(143));
    scene.is_tidy(name);

    let begun = scene.begun(&[name]);
    begun.signal(Signal::KILL);
    assert!(container(name).is_some());
    scene
        .drill(&[name, "--timeout", "2s"])
        .expect(9)
        .says(&["left by a drill", "is removed"]);
    scene.is_tidy(name);
}

#[test]
fn what_cannot_be_drilled_is_refused_with_the_way_out() {
    let scene = Scene::new();
    let lab = &scene.lab;
    let guest = app(&scene, &[], |_| {});
    let image = guest.inspect("{{.Config.Image}}");
    let data = lab.directory("data-plain");
    std::fs::write(data.join("value"), "").expect("a file");
    let plain = lab.start_bare(
        "plain",
        lab.base(),
        &["-v", &format!("{}:/data", data.display())],
        &["sh", "-c", "while :; do sleep 0.1; done"],
    );
    scene.vault.backup(&[&plain.name]).expect(0);
    scene
        .drill(&[&plain.name])
        .expect(6)
        .says(&["no agent", "verify --full"]);
    let vault = scene.vault.path.to_string_lossy().into_owned();
    let mut within = scene.ctl(&["backups", "drill", &plain.name, "--scratch", &vault]);
    run(&mut within).expect(6).says(&["it is in the vault"]);
    scene.drill(&[&plain.name, "--read-only"]).expect(6);
    scene.drill(&["none"]).expect(3);
    scene
        .drill(&[&plain.name, "--image", &lab.named("none")])
        .expect(6)
        .says(&["no image"]);
    // With an image that has an agent the same data do.
    scene.drill(&[&plain.name, "--image", &image]).expect(0);

    // Its image is gone, and another one has not come in its place.
    scene.vault.backup(&[&guest.name]).expect(0);
    docker(["rm", "-f", &guest.name]).expect(0);
    docker(["rmi", "-f", &image]).expect(0);
    scene
        .drill(&[&guest.name])
        .expect(6)
        .says(&["not on the Engine any more", "--image"]);
    scene.is_tidy(&plain.name);
    scene.is_tidy(&guest.name);
}
