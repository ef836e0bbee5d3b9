//! Backups that are killed at any moment: services are up again, no half set is seen, and the next one leaves nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::backup::{Vault, manifest};
use crate::engine::{Engine, Kind};
use crate::lab::{Guest, Lab, docker, is_soak, now, run, until};

/// So many kills there are where there is little time, of each kind.
const FEW: u32 = 4;
/// And where there is more.
const MANY: u32 = 70;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    /// `ww-ctl backup`.
    Tool,
    /// The first process of the container.
    Container,
    /// Whatever runs in the container beside the agent and its services.
    Worker,
}

fn kills() -> u32 {
    if is_soak() { MANY } else { FEW }
}

/// A group of containers with data to be read.
struct Stage {
    lab: Lab,
    vault: Vault,
    app: Guest,
    /// One without an agent that has the same data.
    plain: Option<Guest>,
}

impl Stage {
    /// Services go down, and one that is none of ours is paused.
    fn quiesced() -> Self {
        let lab = Lab::new("killed");
        let tree = lab.tree("app");
        tree.all_scripts()
            .script("svcdown", "sleep 0.05")
            .script("svcup", "sleep 0.05");
        let app = lab.start("app", &lab.image(&tree), &[], &[]);
        let mount = format!("{}:/shared", app.data.display());
        let beside = "while :; do sleep 0.05; done";
        let plain = lab.start_bare("plain", lab.base(), &["-v", &mount], &["sh", "-c", beside]);
        let vault = Vault::new(&lab);
        Self::filled(lab, vault, app, Some(plain))
    }

    /// The image's own script writes.
    fn scripted() -> Self {
        let lab = Lab::new("killed");
        let tree = lab.tree("app");
        tree.all_scripts();
        let script = "#!/bin/sh\ncp /data/random $WW_BACKUP_DIR/one && sleep 0.1\n\
            cp /data/random $WW_BACKUP_DIR/two\n";
        tree.file("usr/backup", 0o755, script);
        let out = lab.directory("out");
        let mount = format!("{}:/backup", out.display());
        let app = lab.start("app", &lab.image(&tree), &["-v", &mount], &[]);
        let vault = Vault::at(&lab, out);
        Self::filled(lab, vault, app, None)
    }

    fn filled(lab: Lab, vault: Vault, app: Guest, plain: Option<Guest>) -> Self {
        app.reaches("UP");
        fill(&app.data, 24_000_000);
        Self {
            lab,
            vault,
            app,
            plain,
        }
    }

    fn begin(&self) -> Child {
        let mut command = self.vault.command(&[&self.app.name]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("ww-ctl")
    }

    /// How long one takes that nobody kills.
    fn length(&self) -> Duration {
        let begun = now();
        let ended = self.begin().wait().expect("its end");
        assert!(ended.success(), "{ended}");
        begun.elapsed()
    }

    /// Kills it after a while, and everything is well with the next call at the latest.
    fn kill(&self, victim: Victim, after: Duration) {
        let mut child = self.begin();
        std::thread::sleep(after);
        match victim {
            Victim::Tool => drop(child.kill()),
            Victim::Container => self.kill_container(),
            Victim::Worker => self.kill_workers(),
        }
        let _ended = child.wait().expect("its end");
        self.no_half_set_is_seen();
        if victim != Victim::Container {
            // Nobody is needed for that.
            self.app.reaches("UP");
        }
        let next = self.vault.backup(&[&self.app.name]);
        assert_eq!(next.code(), 0, "{victim:?} after {after:?}: {next:?}");
        if victim == Victim::Container && self.app.inspect("{{.State.Running}}") == "false" {
            // It was killed before its services went down, or when they were up again: that is no matter of a backup.
            assert!(
                self.is_up_by_its_log(),
                "killed {after:?} after the beginning: {next:?}"
            );
            docker(["start", &self.app.name]).expect(0);
        }
        self.app.reaches("UP");
        if let Some(plain) = &self.plain {
            assert_eq!(plain.inspect("{{.State.Status}}"), "running");
        }
        self.no_half_set_is_seen();
        self.vault.is_tidy(&self.app.name);
        self.nothing_is_left_of_scripts();
        self.nothing_works_on();
        self.keep_few();
    }

    fn is_up_by_its_log(&self) -> bool {
        let log = self.app.log();
        let last = log.iter().rev().find(|line| line.contains("svc"));
        last.is_some_and(|line| line == "-svcup")
    }

    /// All that the container has besides the agent itself.
    fn workers(&self) -> Vec<String> {
        let listed = run(Command::new("docker").args(["top", &self.app.name, "-eo", "pid,args"]));
        let agent = self.app.inspect("{{.State.Pid}}");
        let lines = listed.stdout.lines().skip(1);
        let pids = lines.filter_map(|line| line.split_whitespace().next());
        pids.filter(|pid| *pid != agent)
            .map(str::to_owned)
            .collect()
    }

    fn kill_container(&self) {
        let pid = self.app.inspect("{{.State.Pid}}");
        if pid != "0" {
            run(Command::new("kill").args(["-KILL", &pid]));
        }
        until("the Engine to have noticed", || {
            (self.app.inspect("{{.State.Pid}}") != pid || pid == "0").then_some(())
        });
    }

    fn kill_workers(&self) {
        for pid in self.workers() {
            run(Command::new("kill").args(["-KILL", &pid]));
        }
    }

    #[track_caller]
    fn nothing_works_on(&self) {
        until("nothing to run beside the agent", || {
            self.workers().is_empty().then_some(())
        });
    }

    /// What is seen is whole, by tools that are not ours.
    #[track_caller]
    fn no_half_set_is_seen(&self) {
        for set in self.vault.sets(&self.app.name) {
            let told = manifest(&set);
            let payload = &told["parts"][0]["payload"];
            let file = payload["file"].as_str().expect("a name");
            if file == "hook" {
                let there = run(Command::new("du").arg("-sb").arg(set.join("hook")));
                assert!(
                    there.expect(0).stdout.starts_with("48"),
                    "{}",
                    set.display()
                );
                continue;
            }
            let sum = run(Command::new("sha256sum").arg(set.join(file))).expect(0);
            let hash = payload["sha256"].as_str().expect("a hash");
            assert!(sum.stdout.starts_with(hash), "{}", set.display());
        }
    }

    #[track_caller]
    fn nothing_is_left_of_scripts(&self) {
        let all = std::fs::read_dir(&self.vault.path).expect("a vault");
        let names = all.map(|one| one.expect("an entry").file_name());
        let left: Vec<String> = names
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.starts_with(".ww-hook-"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// There is no end of room.
    fn keep_few(&self) {
        let sets = self.vault.sets(&self.app.name);
        for old in sets.iter().rev().skip(2) {
            std::fs::remove_dir_all(old).expect("an old set");
        }
    }
}

fn fill(data: &Path, bytes: u64) {
    let script = format!("head -c {bytes} /dev/urandom > {}/random", data.display());
    run(Command::new("sh").args(["-c", &script])).expect(0);
}

/// Kills spread evenly over the time one takes.
fn killed(stage: &Stage, victims: &[Victim]) {
    let (length, count) = (stage.length(), kills());
    let mut done: BTreeMap<Victim, u32> = BTreeMap::new();
    for number in 0..count {
        for victim in victims {
            stage.kill(*victim, length * number / count);
            *done.entry(*victim).or_default() += 1;
        }
    }
    let words = format!("{}: {done:?} over {length:?}\n", stage.lab.named("kills"));
    let path = crate::lab::audit_file().with_file_name("e2e-kills");
    drop(std::fs::write(path, words));
}

#[test]
fn services_are_back_and_nothing_is_left_whoever_is_killed_while_they_are_down() {
    killed(&Stage::quiesced(), &[Victim::Tool, Victim::Container]);
}

#[test]
fn nothing_is_left_of_a_script_whoever_is_killed_while_it_runs() {
    let all = [Victim::Tool, Victim::Worker, Victim::Container];
    killed(&Stage::scripted(), &all);
}

#[test]
fn services_are_back_after_the_engine_was_killed() {
    let lab = Lab::new("killed");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let mut engine = Engine::start(lab.directory("engine"), &Kind::default());
    engine.load(&image);
    let data = lab.directory("data");
    let mount = format!("{}:/data", data.display());
    let name = "app";
    let up = |engine: &Engine| {
        until("it to be UP", || {
            let told = engine.docker(&["exec", name, "/ww/bin/ww-agent", "status", "--json"]);
            told.stdout.contains("\"state\":\"UP\"").then_some(())
        });
    };
    // An Engine that comes back ends what runs, and starts it again where it is told to.
    engine
        .docker(&[
            "run",
            "-d",
            "--restart=always",
            "--net=none",
            "--name",
            name,
            "-v",
            &mount,
            &image,
        ])
        .expect(0);
    up(&engine);
    fill(&data, 24_000_000);
    let vault = Vault::new(&lab);
    let backup = |engine: &Engine| {
        let mut command = vault.command(&["--max-down", "1m", "--timeout", "20s", name]);
        command.args(["-H", &engine.url()]);
        command
    };
    let begun = now();
    run(&mut backup(&engine)).expect(0);
    let length = begun.elapsed();
    let count = kills() / 2;
    for number in 0..count {
        let mut command = backup(&engine);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("ww-ctl");
        std::thread::sleep(length * number / count);
        engine.signal("KILL");
        engine.ended();
        let _ended = child.wait().expect("its end");
        engine.begin(&[]);
        engine.answers();
        run(&mut backup(&engine)).expect(0);
        up(&engine);
        vault.is_tidy(name);
        for set in vault.sets(name) {
            assert_eq!(manifest(&set)["complete"], true);
            std::fs::remove_dir_all(&set).expect("a set");
        }
    }
}
