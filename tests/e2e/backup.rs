//! Backups: how still everything is while data are read, what is kept of them, and who is back afterwards.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::lab::{Guest, Lab, Ran, docker, run, until, ww_ctl_command, ww_ctl_path};
use crate::pty::Terminal;
use crate::tree::Tree;

/// A vault, and the journal of what is under way, of one test.
pub(crate) struct Vault {
    pub(crate) path: PathBuf,
    audit: PathBuf,
}

impl Vault {
    pub(crate) fn new(lab: &Lab) -> Self {
        Self::at(lab, lab.directory("vault"))
    }

    pub(crate) fn at(lab: &Lab, path: PathBuf) -> Self {
        let audit = lab.directory("journal").join("audit.jsonl");
        Self { path, audit }
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.other(&["backup"]);
        command.args(words);
        command
    }

    /// Any other command, with this vault and this journal.
    pub(crate) fn other(&self, words: &[&str]) -> Command {
        let mut command = ww_ctl_command();
        command.env("WW_AUDIT_FILE", &self.audit);
        command.env("WW_VAULT", &self.path);
        command.args(words);
        command
    }

    pub(crate) fn backup(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// The sets of a name, oldest first.
    pub(crate) fn sets(&self, name: &str) -> Vec<PathBuf> {
        let mut sets: Vec<PathBuf> = self
            .entries(name)
            .into_iter()
            .filter(|path| !file_name(path).starts_with('.'))
            .collect();
        sets.sort();
        sets
    }

    fn entries(&self, name: &str) -> Vec<PathBuf> {
        let Ok(all) = std::fs::read_dir(self.path.join(name)) else {
            return Vec::new();
        };
        all.map(|one| one.expect("an entry").path()).collect()
    }

    /// Nothing is left of any run: no half set, nothing under way.
    #[track_caller]
    pub(crate) fn is_tidy(&self, name: &str) {
        let half = self.entries(name);
        let half: Vec<String> = half.iter().map(|path| file_name(path)).collect();
        let odd = |name: &&String| name.starts_with('.') && *name != ".lock";
        assert_eq!(half.iter().find(odd), None, "{half:?}");
        assert_eq!(self.under_way(), 0, "something is still under way");
    }

    /// How many backups are written down as under way.
    pub(crate) fn under_way(&self) -> usize {
        self.written_down("backups-under-way")
    }

    /// The same for restores.
    pub(crate) fn restores_under_way(&self) -> usize {
        self.written_down("restores-under-way")
    }

    fn written_down(&self, journal: &str) -> usize {
        let directory = self.audit.with_file_name(journal);
        let Ok(all) = std::fs::read_dir(directory) else {
            return 0;
        };
        let names = all.map(|one| file_name(&one.expect("an entry").path()));
        names.filter(|name| name != "lock").count()
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The manifest of a set.
pub(crate) fn manifest(set: &Path) -> Value {
    let text = std::fs::read_to_string(set.join("manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("JSON")
}

/// A file of the data in a set, read with tools that are not ours.
fn kept(set: &Path, payload: &str, name: &str) -> String {
    let script = format!("zstd -dc '{payload}' | tar -xOf - '{name}'");
    let read = run(Command::new("sh").current_dir(set).args(["-c", &script]));
    read.expect(0).stdout
}

/// Names of the data in a set.
fn names(set: &Path, payload: &str) -> Vec<String> {
    let script = format!("zstd -dc '{payload}' | tar -tf -");
    let read = run(Command::new("sh").current_dir(set).args(["-c", &script]));
    read.expect(0).stdout.lines().map(str::to_owned).collect()
}

/// What is printed with `-o json`.
fn result(ran: &Ran) -> Value {
    let all: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    all["results"][0].clone()
}

fn app(lab: &Lab, what: &str, more: impl Fn(&Tree)) -> Guest {
    let tree = lab.tree(what);
    tree.all_scripts();
    more(&tree);
    let guest = lab.start(
        what,
        &lab.image(&tree),
        &["-e", "PASSWORD=secret-value"],
        &[],
    );
    guest.reaches("UP");
    guest
}

#[test]
fn services_are_down_while_data_are_read_and_up_at_once_after() {
    let lab = Lab::new("backup");
    let vault = Vault::new(&lab);
    let guest = app(&lab, "app", |_| {});
    let name = guest.name.as_str();
    let told = vault.backup(&[name, "--dry-run"]).expect(0);
    assert!(told.stdout.contains("services go down"), "{}", told.stdout);
    assert!(vault.sets(name).is_empty() && !guest.log().contains(&"+svcdown".to_owned()));

    let ran = vault
        .backup(&[name, "-o", "json"])
        .expect(0)
        .says(&["UP again after"]);
    let one = result(&ran);
    assert_eq!(
        (&one["ok"], &one["consistency"]),
        (&true.into(), &"svcdown".into())
    );
    assert!(one["outage_ms"].as_u64().expect("a time") > 0);
    let sets = vault.sets(name);
    assert_eq!(sets.len(), 1);
    assert_eq!(one["path"], *sets[0].to_string_lossy());
    // Read after svcdown had ended, and before svcup.
    let log = kept(&sets[0], "data.tar.zst", "./log");
    assert!(log.ends_with("+svcdown\n-svcdown\n"), "{log}");
    let after = guest.log();
    assert_eq!(after[after.len() - 2..], ["+svcup", "-svcup"]);

    let told = manifest(&sets[0]);
    assert_eq!(told["complete"], true);
    assert_eq!(told["containers"][0]["state"], "running");
    assert_eq!(told["parts"][0]["place"], "/data");
    assert_eq!(told["parts"][0]["source"], "host");
    assert!(!told.to_string().contains("secret-value"), "{told}");
    let variables = told["containers"][0]["env_names"]
        .as_array()
        .expect("a list");
    assert!(variables.contains(&"PASSWORD".into()), "{variables:?}");
    vault.is_tidy(name);

    // A second set beside the first; one that stays up.
    let named = vault.backup(&[name, "--live", "-o", "name"]).expect(0);
    let sets = vault.sets(name);
    assert_eq!(sets.len(), 2);
    let id = named.stdout.trim().strip_prefix(&format!("{name}/"));
    let set = vault.path.join(name).join(id.expect("NAME/ID"));
    assert_eq!(manifest(&set)["consistency"], "live");
    assert_eq!(guest.log(), after, "the services stayed up");
}

#[test]
fn the_image_may_want_services_to_stay_up_and_something_to_be_left_out() {
    let lab = Lab::new("backup");
    let vault = Vault::new(&lab);
    let guest = app(&lab, "app", |tree| {
        tree.defaults(r#"{"ww":{"backup":{"mode":"live","exclude":["cache/**"]}}}"#);
        tree.script(
            "boot",
            "mkdir -p /data/cache && echo x > /data/cache/x && echo y > /data/y",
        );
    });
    vault.backup(&[&guest.name, "--exclude", "y"]).expect(0);
    let set = vault.sets(&guest.name).remove(0);
    let names = names(&set, "data.tar.zst");
    let has = |name: &str| names.iter().any(|one| one.trim_end_matches('/') == name);
    assert!(
        has("./cache") && has("./log") && !has("./cache/x") && !has("./y"),
        "{names:?}"
    );
    let told = manifest(&set);
    assert_eq!(told["consistency"], "live");
    assert_eq!(
        told["parts"][0]["excluded"],
        serde_json::json!(["y", "cache/**"])
    );
}

#[test]
fn those_that_do_not_run_are_taken_as_they_are_and_stay_so() {
    let lab = Lab::new("backup");
    let vault = Vault::new(&lab);
    let guest = app(&lab, "app", |_| {});
    docker(["stop", &guest.name]).expect(0);
    vault.backup(&[&guest.name]).expect(0);
    let set = vault.sets(&guest.name).remove(0);
    assert_eq!(manifest(&set)["consistency"], "stopped");
    assert_eq!(manifest(&set)["outage_ms"], Value::Null);
    assert_eq!(guest.inspect("{{.State.Status}}"), "exited");

    // By a program that is called as `age` is; with a recipient that is none nothing is begun.
    let bin = lab.directory("bin");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let encrypted = |recipient: &str| {
        let mut command = vault.command(&[&guest.name, "--encrypt-to", recipient]);
        run(command.env("PATH", &path))
    };
    let age = "#!/bin/sh\n[ \"$2\" = age1good ] || { echo 'age: error: malformed' >&2; exit 1; }\n\
        echo age-encryption.org/v1; exec cat\n";
    Tree::at(&bin).file("age", 0o755, age);
    encrypted("age1bad").expect(2).says(&["malformed"]);
    encrypted("age1good").expect(0);
    let sets = vault.sets(&guest.name);
    assert_eq!(sets.len(), 2);
    let is_new = |one: &&PathBuf| **one != set;
    let set = sets.iter().find(is_new).expect("a new set").clone();
    let told = manifest(&set);
    let payload = &told["parts"][0]["payload"];
    assert_eq!(
        (&payload["encrypted"], &payload["file"]),
        (&true.into(), &"data.tar.zst.age".into())
    );
    std::fs::remove_file(bin.join("age")).expect("a program");
    std::fs::remove_dir_all(&set).expect("a set");

    // Without a place for it nothing is done; nor with nothing in it.
    let mut lost = vault.command(&[&guest.name]);
    run(lost.env_remove("WW_VAULT"))
        .expect(6)
        .says(&["--to DIR"]);
    std::fs::remove_dir_all(&guest.data).expect("its data");
    std::fs::create_dir(&guest.data).expect("a directory");
    vault
        .backup(&[&guest.name])
        .expect(6)
        .says(&["--allow-empty"]);
    vault.backup(&[&guest.name, "--allow-empty"]).expect(0);
    assert_eq!(vault.sets(&guest.name).len(), 2);
}

#[test]
fn who_shares_data_is_still_at_once_and_the_set_is_named_after_the_keeper() {
    let lab = Lab::new("backup");
    let vault = Vault::new(&lab);
    let (keeper, label) = (lab.named("kept"), lab.label());
    let root = format!("--root={}", lab.directory("root").display());
    run(ww_ctl_command().args(["data", "create", &keeper, &root, "--label", &label])).expect(0);
    // Alone it is as it is.
    vault.backup(&[&keeper, "--allow-empty"]).expect(0);
    let from = ["--volumes-from", keeper.as_str()];
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let first = lab.start_bare("first", &image, &from, &[]);
    first.reaches("UP");
    let beside = "while :; do date +%s%N > /data/tick; sleep 0.05; done";
    let plain = lab.start_bare("plain", lab.base(), &from, &["sh", "-c", beside]);
    let ran = vault.backup(&[&first.name, "-o", "json"]).expect(0);
    let one = result(&ran);
    assert_eq!(
        (&one["name"], &one["consistency"]),
        (&keeper.clone().into(), &"paused".into())
    );
    assert_eq!(one["members"].as_array().map(Vec::len), Some(3));
    let told = manifest(&vault.sets(&keeper)[1]);
    let reason = told["reason"].as_str().expect("a reason");
    assert!(reason.starts_with(&plain.name), "{reason}");
    let roles: Vec<&str> = told["containers"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["role"].as_str())
        .collect();
    assert_eq!(roles, ["user", "data", "user"]);
    assert_eq!(plain.inspect("{{.State.Status}}"), "running");
    first.reaches("UP");
    vault.is_tidy(&keeper);
    // One that somebody has paused stays so.
    docker(["pause", &plain.name]).expect(0);
    vault.backup(&[&keeper]).expect(0);
    assert_eq!(plain.inspect("{{.State.Status}}"), "paused");
}

#[test]
fn what_the_images_own_script_writes_is_kept_and_nothing_else_is_done_instead() {
    let lab = Lab::new("backup");
    let tree = lab.tree("app");
    tree.all_scripts();
    let script = "#!/bin/sh\nread -r code < /data/code\necho dump > $WW_BACKUP_DIR/all.sql\n\
        mkdir $WW_BACKUP_DIR/more && echo two > $WW_BACKUP_DIR/more/two\nexit $code\n";
    tree.file("usr/backup", 0o755, script);
    let out = lab.directory("out");
    let mount = format!("{}:/backup", out.display());
    let guest = lab.start("app", &lab.image(&tree), &["-v", &mount], &[]);
    guest.reaches("UP");
    let vault = Vault::at(&lab, out.clone());
    let backup = |words: &[&str]| {
        let mut command = vault.command(&[&[guest.name.as_str()], words].concat());
        // It is found at /backup.
        run(command.env_remove("WW_VAULT"))
    };
    let says = |code: &str| std::fs::write(guest.data.join("code"), code).expect("a file");
    let log = guest.log();
    says("0\n");
    let ran = backup(&["-o", "json"]).expect(0);
    assert_eq!(result(&ran)["consistency"], "hook");
    assert_eq!(result(&ran)["outage_ms"], Value::Null);
    let set = vault.sets(&guest.name).remove(0);
    assert_eq!(
        std::fs::read_to_string(set.join("hook/all.sql")).expect("a file"),
        "dump\n"
    );
    assert_eq!(
        std::fs::read_to_string(set.join("hook/more/two")).expect("a file"),
        "two\n"
    );
    assert_eq!(manifest(&set)["parts"][0]["kind"], "hook");

    says("3\n");
    backup(&[])
        .expect(1)
        .says(&["exit", "3", "nothing else is done instead"]);
    says("75\n");
    let ran = backup(&[]).expect(0);
    assert!(ran.stdout.contains("nothing to do"), "{}", ran.stdout);
    assert_eq!(vault.sets(&guest.name).len(), 1);
    assert_eq!(guest.log(), log, "the services stayed up");
    vault.is_tidy(&guest.name);
    let left = std::fs::read_dir(&out).expect("a directory").count();
    assert_eq!(left, 1, "what it wrote is gone from where it wrote it");
}

/// A child that is stopped in its tracks.
struct Frozen(Child);

impl Frozen {
    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        run(Command::new("kill").args([name, &pid])).expect(0);
    }

    /// Waits until it has a file open, and stops it there.
    fn at(&self, path: &Path) {
        let fds = PathBuf::from(format!("/proc/{}/fd", self.0.id()));
        until(&format!("{} to be read", path.display()), || {
            let all = std::fs::read_dir(&fds).ok()?;
            let mut open = all.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
            open.any(|one| one == path).then_some(())
        });
        self.signal("-STOP");
    }
}

#[test]
fn what_changes_while_it_is_read_is_in_the_manifest_and_what_is_missing_in_the_code() {
    let lab = Lab::new("backup");
    let vault = Vault::new(&lab);
    let guest = app(&lab, "app", |_| {});
    docker(["stop", &guest.name]).expect(0);
    let directory = guest.data.join("large");
    std::fs::create_dir(&directory).expect("a directory");
    // They are read in the order of their inodes: the first is large, and the others have not had their turn.
    let mut all: Vec<PathBuf> = (0..4)
        .map(|number| directory.join(number.to_string()))
        .collect();
    for path in &all {
        std::fs::write(path, "x").expect("a file");
    }
    all.sort_by_key(|path| path.metadata().expect("a file").ino());
    let [first, gone, link, dir] = &all[..] else {
        panic!("four files");
    };
    std::fs::write(first, vec![7; 256 << 20]).expect("a file");
    let resize = |length: u64| {
        let file = std::fs::OpenOptions::new().write(true).open(first);
        file.expect("a file").set_len(length).expect("its length");
    };
    let read = |change: &dyn Fn()| {
        let mut command = vault.command(&[&guest.name, "-o", "json"]);
        let child = command.stdout(Stdio::piped()).spawn().expect("ww-ctl");
        let child = Frozen(child);
        child.at(first);
        change();
        child.signal("-CONT");
        let output = child.0.wait_with_output().expect("its end");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), stdout)
    };
    let (code, _) = read(&|| {
        std::fs::remove_file(gone).expect("a file");
        resize(300 << 20);
    });
    assert_eq!(code, Some(0));
    let told = manifest(&vault.sets(&guest.name)[0]);
    let counts = &told["parts"][0]["problems"]["counts"];
    assert_eq!(
        (&counts["vanished"], &counts["grew"]),
        (&1.into(), &1.into()),
        "{told}"
    );
    assert_eq!(told["complete"], true);

    let (code, text) = read(&|| {
        resize(64 << 10);
        std::fs::remove_file(link).expect("a file");
        std::os::unix::fs::symlink("/etc/passwd", link).expect("a link");
        std::fs::remove_file(dir).expect("a file");
        std::fs::create_dir(dir).expect("a directory");
    });
    assert_eq!(code, Some(7), "{text}");
    let told = manifest(&vault.sets(&guest.name)[1]);
    let problems = &told["parts"][0]["problems"];
    assert_eq!(problems["counts"]["shrank"], 1, "{problems}");
    assert_eq!(problems["counts"]["replaced"], 2, "{problems}");
    assert_eq!(told["complete"], false);
    let listed = problems["listed"].as_array().expect("a list");
    let path = format!("large/{}", file_name(link));
    assert!(listed.iter().any(|one| one["path"] == *path), "{problems}");
}

/// A small file system in memory.
pub(crate) struct Small(pub(crate) PathBuf);

impl Small {
    pub(crate) fn mount(path: PathBuf, size: &str) -> Self {
        let options = format!("size={size}");
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "ww-test"])
            .arg(&path))
        .expect(0);
        Self(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

#[test]
fn without_room_in_the_vault_nothing_half_is_left_and_services_are_back() {
    let lab = Lab::new("backup");
    let small = Small::mount(lab.directory("small"), "128m");
    let vault = Vault::at(&lab, small.0.clone());
    let guest = app(&lab, "app", |tree| {
        let more = "head -c 60000000 /dev/urandom > /data/more";
        tree.script("svcdown", &format!("[ ! -e /data/grow ] || {more}"));
    });
    vault.backup(&[&guest.name]).expect(0);
    let before = vault.sets(&guest.name);
    let random = |bytes: u64| {
        let script = format!(
            "head -c {bytes} /dev/urandom > {}/random",
            guest.data.display()
        );
        run(Command::new("sh").args(["-c", &script])).expect(0);
    };
    // Enough room for what there is, and not for what comes to it while services go down.
    random(110_000_000);
    std::fs::write(guest.data.join("grow"), "").expect("a file");
    vault
        .backup(&[&guest.name])
        .expect(1)
        .says(&["No space left", "UP again", "backups prune"]);
    assert_eq!(vault.sets(&guest.name), before);
    vault.is_tidy(&guest.name);
    guest.reaches("UP");
    let downs = |guest: &Guest| {
        guest
            .log()
            .iter()
            .filter(|line| *line == "+svcdown")
            .count()
    };
    assert_eq!(downs(&guest), 2);
    // What cannot even be read is told beforehand.
    random(150_000_000);
    vault
        .backup(&[&guest.name])
        .expect(1)
        .says(&["free", "nothing was stopped"]);
    assert_eq!(downs(&guest), 2);
    assert_eq!(vault.sets(&guest.name), before);
}

#[test]
fn a_second_backup_of_the_same_waits_for_nobody_and_a_signal_brings_everything_back() {
    let lab = Lab::new("backup");
    let vault = Vault::new(&lab);
    let guest = app(&lab, "app", |tree| {
        tree.script("svcdown", "while [ ! -e /data/go ]; do sleep 0.05; done");
    });
    let start = || {
        let mut command = vault.command(&[&guest.name]);
        let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn();
        Frozen(child.expect("ww-ctl"))
    };
    let go = guest.data.join("go");
    // Asked to end, and its terminal closed.
    for (time, (signal, number)) in (1..).zip([("-TERM", 15), ("-HUP", 1)]) {
        let child = start();
        guest.wrote("+svcdown", time);
        vault.backup(&[&guest.name]).expect(10);
        child.signal(signal);
        // A shell tells it once more.
        child.signal("-HUP");
        std::fs::write(&go, "").expect("a file");
        let ended = child.0.wait_with_output().expect("its end");
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(128 + number), "{stderr}");
        assert!(vault.sets(&guest.name).is_empty());
        vault.is_tidy(&guest.name);
        guest.reaches("UP");
        std::fs::remove_file(&go).expect("a file");
    }
    std::fs::write(&go, "").expect("a file");
    vault.backup(&[&guest.name]).expect(0);
}

#[test]
fn a_terminal_that_is_closed_takes_nothing_with_it() {
    let lab = Lab::new("backup");
    let vault = Vault::new(&lab);
    let guest = app(&lab, "app", |tree| {
        tree.script("svcdown", "while [ ! -e /data/go ]; do sleep 0.05; done");
    });
    let words = format!(
        "WW_AUDIT_FILE={} WW_VAULT={} exec {} backup {}",
        vault.audit.display(),
        vault.path.display(),
        ww_ctl_path().display(),
        guest.name
    );
    let terminal = Terminal::new(&words, 24, 80);
    guest.wrote("+svcdown", 1);
    // Nothing can be written to it any more, either.
    drop(terminal);
    std::fs::write(guest.data.join("go"), "").expect("a file");
    until("the backup to be taken back", || {
        let all = vault.entries(&guest.name);
        let is_half = all.iter().any(|one| file_name(one).starts_with(".inc"));
        (vault.under_way() == 0 && !is_half).then_some(())
    });
    guest.reaches("UP");
    assert!(vault.sets(&guest.name).is_empty());
    vault.is_tidy(&guest.name);
}

#[test]
fn how_it_went_is_there_for_those_who_were_asleep() {
    let lab = Lab::new("backup");
    let vault = Vault::new(&lab);
    let guest = app(&lab, "app", |_| {});
    let name = guest.name.as_str();
    let metrics = lab.directory("metrics").join("ww.prom");
    let path = metrics.to_str().expect("UTF-8");
    vault.backup(&[name, "--metrics-file", path]).expect(0);
    let value = |metric: &str| {
        let text = std::fs::read_to_string(&metrics).expect("metrics");
        let line = format!("{metric}{{host=\"local\",name=\"{name}\"}} ");
        let value = text.lines().find_map(|one| one.strip_prefix(&line));
        value.expect(metric).parse::<f64>().expect("a number")
    };
    let success = value("ww_backup_last_success_timestamp_seconds");
    assert!(success > 1e9 && value("ww_backup_outage_seconds") > 0.0);
    assert!(value("ww_backup_exit_code") < 0.5);
    // One that fails takes nothing away.
    let file = lab.directory("journal").join("file");
    std::fs::write(&file, "").expect("a file");
    let nowhere = file.join("vault");
    let nowhere = nowhere.to_str().expect("UTF-8");
    vault
        .backup(&[name, "--metrics-file", path, "--to", nowhere])
        .expect(1);
    assert!((value("ww_backup_exit_code") - 1.0).abs() < 0.5);
    assert!((value("ww_backup_last_success_timestamp_seconds") - success).abs() < 0.5);

    let root = lab.directory("root");
    let units = lab.directory("root/etc/systemd/system");
    let destdir = format!("--destdir={}", root.display());
    let options = [name, "--to", "/srv/b c", "--install-timer", &destdir];
    let shown = vault
        .backup(&[&options[..], &["--print"]].concat())
        .expect(0);
    let command = format!("ww-ctl backup {name} --to \"/srv/b c\"\n");
    assert!(shown.stdout.contains(&command), "{}", shown.stdout);
    vault.backup(&options).expect(6).says(&["not confirmed"]);
    assert_eq!(std::fs::read_dir(&units).expect("a directory").count(), 0);
    let written = vault.backup(&[&options[..], &["--yes"]].concat()).expect(0);
    assert!(
        written
            .stdout
            .contains("systemctl enable --now ww-backup.timer")
    );
    let read = |name: &str| std::fs::read_to_string(units.join(name)).expect("a unit");
    assert!(read("ww-backup.service").contains(&command));
    assert!(read("ww-backup.timer").contains("OnCalendar=*-*-* 03:00:00"));
    let all = ["ww-backup.service", "ww-backup.timer"].map(|name| units.join(name));
    let verified = run(Command::new("systemd-analyze").arg("verify").args(all));
    assert!(
        !verified.stderr.contains("ww-backup"),
        "{}",
        verified.stderr
    );
}

#[test]
fn a_container_that_plants_links_in_its_vault_gets_nothing_out_of_it() {
    let lab = Lab::new("backup");
    let tree = lab.tree("app");
    tree.all_scripts();
    let out = lab.directory("out");
    let mount = format!("{}:/backup", out.display());
    let guest = lab.start("app", &lab.image(&tree), &["-v", &mount], &[]);
    guest.reaches("UP");
    let vault = Vault::at(&lab, out.clone());
    let precious = lab.directory("precious");
    std::fs::write(precious.join("file"), "as it was").expect("a file");
    let host = precious.to_str().expect("UTF-8");
    let untouched = || {
        let all = std::fs::read_dir(&precious).expect("a directory");
        assert_eq!(all.count(), 1);
        let text = std::fs::read_to_string(precious.join("file")).expect("a file");
        assert_eq!(text, "as it was");
    };
    let plant = |target: &str, link: &str| {
        let link = format!("/backup/{link}");
        docker(["exec", &guest.name, "ln", "-s", target, &link]).expect(0);
    };
    // In the place of its directory, and of the files in it.
    plant(host, &guest.name);
    vault.backup(&[&guest.name]).expect(1);
    untouched();
    docker([
        "exec",
        &guest.name,
        "rm",
        &format!("/backup/{}", guest.name),
    ])
    .expect(0);
    let directory = format!("/backup/{}", guest.name);
    docker(["exec", &guest.name, "mkdir", &directory]).expect(0);
    plant(&format!("{host}/file"), &format!("{}/.lock", guest.name));
    vault.backup(&[&guest.name]).expect(1);
    untouched();
    docker(["exec", &guest.name, "rm", &format!("{directory}/.lock")]).expect(0);
    plant(host, &format!("{}/.incoming-x", guest.name));
    vault.backup(&[&guest.name]).expect(0);
    untouched();
    assert_eq!(vault.sets(&guest.name).len(), 1);
    vault.is_tidy(&guest.name);
    guest.reaches("UP");
}
