//! Restores: what was there is there again, in one step, and what was there before it, too.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::backup::Vault;
use crate::lab::{Guest, Lab, Ran, docker, is_soak, now, run};

/// So many kills there are where there is little time.
const FEW: u32 = 10;
/// And where there is more.
const MANY: u32 = 200;

/// So many bytes are changed of each file of a backup where there is more time: 501 in all.
const CHANGED: u32 = 167;

fn restore(vault: &Vault, words: &[&str]) -> Ran {
    run(&mut command(vault, words))
}

fn command(vault: &Vault, words: &[&str]) -> Command {
    let mut command = vault.other(&["restore"]);
    command.args(words).arg("--yes");
    command
}

/// Where what was there before is kept.
fn beside(data: &Path) -> PathBuf {
    let name = data.file_name().expect("a name").to_string_lossy();
    data.with_file_name(format!(".ww-restore-{name}"))
}

fn names(directory: &Path) -> Vec<String> {
    let Ok(all) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let name = |one: std::io::Result<std::fs::DirEntry>| {
        one.expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    };
    let mut names: Vec<String> = all.map(name).collect();
    names.sort();
    names
}

fn app(lab: &Lab, more: &[&str]) -> Guest {
    let tree = lab.tree("app");
    tree.all_scripts();
    let guest = lab.start("app", &lab.image(&tree), more, &[]);
    guest.reaches("UP");
    guest
}

/// One whose services do not go down as long as its data have a file `hold`.
fn held(lab: &Lab) -> Guest {
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("svcdown", "while [ -e /data/hold ]; do sleep 0.05; done");
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    guest
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn everything_is_as_it_was_and_as_it_was_before_that() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let guest = app(&lab, &[]);
    let name = guest.name.as_str();
    let plain = lab.start_bare(
        "plain",
        lab.base(),
        &["-v", &format!("{}:/shared", guest.data.display())],
        &[
            "sh",
            "-c",
            "trap 'exit 0' TERM; while :; do sleep 0.05; done",
        ],
    );
    let nasty = guest.data.join("nasty");
    std::fs::create_dir(&nasty).expect("a directory");
    crate::nasty::nasty(&nasty);
    vault.backup(&[name]).expect(0);
    let copy = lab.directory("copy");
    // Without the window rsync leaves a directory's time alone that differs in less than a second.
    run(crate::nasty::compare("rsync")
        .args(["-aHAXS", "--numeric-ids", "--modify-window=-1"])
        .arg(nasty.join(""))
        .arg(copy.join("")))
    .expect(0);
    std::fs::write(nasty.join("since"), "x").expect("a file");
    std::fs::remove_dir_all(nasty.join("crowd")).expect("a directory");
    let stops = |guest: &Guest| guest.log().iter().filter(|one| *one == "-svcdown").count();

    let told = restore(&vault, &["--dry-run", name, name, "-o", "json"]).expect(0);
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(
        told["changes"][0]["removed"]["first"][0], "nasty/since",
        "{told}"
    );
    assert!(
        told["changes"][0]["added"]["count"].as_u64() > Some(1),
        "{told}"
    );
    assert_eq!(told["users"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(nasty.join("since").exists() && !beside(&guest.data).exists());

    let downs = stops(&guest);
    restore(&vault, &["--devices", name, name]).expect(0);
    assert!(!nasty.join("since").exists());
    crate::nasty::assert_same(&copy, &nasty, true);
    crate::nasty::assert_same_holes(&copy, &nasty);
    guest.reaches("UP");
    assert_eq!(plain.inspect("{{.State.Status}}"), "running");
    // Both see the new one; the old one has seen its services go down.
    let seen = docker(["exec", &plain.name, "ls", "/shared/nasty"]).expect(0);
    assert!(!seen.stdout.contains("since"), "{}", seen.stdout);
    assert!(beside(&guest.data).join("undo/tree/nasty/since").exists());
    assert_eq!(names(&beside(&guest.data)), ["lock", "undo"]);
    let log = read(beside(&guest.data).join("undo/tree/log"));
    assert!(log.ends_with("-svcdown\n"), "{log}");
    assert_eq!(downs, 1, "by the backup");

    restore(&vault, &["--undo", name]).expect(0);
    guest.reaches("UP");
    assert!(nasty.join("since").exists() && !nasty.join("crowd").exists());
    let seen = docker(["exec", &plain.name, "ls", "/shared/nasty"]).expect(0);
    assert!(seen.stdout.contains("since"), "{}", seen.stdout);
    restore(&vault, &["--undo", name]).expect(0);
    assert!(!nasty.join("since").exists());
    guest.reaches("UP");
}

#[test]
fn some_paths_or_into_another_or_into_a_directory() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let guest = app(&lab, &[]);
    let name = guest.name.as_str();
    docker(["stop", name]).expect(0);
    let write = |path: &str, text: &str| {
        let path = guest.data.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    };
    write("etc/shop.conf", "old");
    write("etc/other.conf", "old");
    write("gone/deep/file", "old");
    vault.backup(&[name]).expect(0);
    write("etc/shop.conf", "new");
    write("etc/other.conf", "new");
    std::fs::remove_dir_all(guest.data.join("gone")).expect("a directory");
    let paths = ["--path", "etc/shop.conf", "--path", "gone/deep"];
    restore(&vault, &[&[name, name][..], &paths].concat()).expect(0);
    let all = || {
        ["etc/shop.conf", "etc/other.conf", "gone/deep/file"]
            .map(|path| read(guest.data.join(path)))
    };
    assert_eq!(all(), ["old", "new", "old"]);
    assert_eq!(
        guest.inspect("{{.State.Status}}"),
        "exited",
        "it did not run"
    );
    restore(&vault, &["--undo", name]).expect(0);
    assert_eq!(all(), ["new", "new", ""]);
    restore(&vault, &[name, name, "--path", "none"])
        .expect(1)
        .says(&["not in"]);
    restore(&vault, &[name, name, "--path", "../etc"]).expect(2);
    assert_eq!(all(), ["new", "new", ""]);

    // Into a directory, and into a new data container; nothing of the old one is touched.
    let directory = lab.directory("into").join("here");
    restore(&vault, &[name, "--into-dir", &directory.to_string_lossy()]).expect(0);
    assert_eq!(read(directory.join("etc/other.conf")), "old");
    restore(&vault, &[name, "--into-dir", &directory.to_string_lossy()]).expect(1);
    let (new, root) = (lab.named("new"), lab.directory("root"));
    let mut into = command(&vault, &[name, "--into", &new]);
    run(into.env("WW_DATA_ROOT", &root)).expect(0);
    assert_eq!(read(root.join(&new).join("etc/other.conf")), "old");
    docker(["rm", &new]).expect(0);
    assert_eq!(all(), ["new", "new", ""]);

    // What may not be done is not.
    run(command(&vault, &[name, name]).arg("--read-only")).expect(6);
    restore(&vault, &["none", name]).expect(3);
    restore(&vault, &[name, &lab.named("nobody")]).expect(3);
}

#[test]
fn what_is_damaged_is_refused_and_nothing_was_touched() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let guest = app(&lab, &[]);
    let name = guest.name.as_str();
    vault.backup(&[name]).expect(0);
    let set = vault.sets(name).remove(0);
    let log = guest.log();
    let mut seed = 7_u64;
    for file in ["data.tar.zst", "files.jsonl.zst", "manifest.json"] {
        for _ in 0..if is_soak() { CHANGED } else { 4 } {
            let path = set.join(file);
            let length = path.metadata().expect("a file").len();
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            flip(&path, (seed >> 33) % length);
            let ran = restore(&vault, &[&format!("{name}/latest"), name]);
            let is_refused = ran.code() == 9 || (file == "manifest.json" && ran.code() == 3);
            assert!(is_refused, "{file}: {ran:?}");
            flip(&path, (seed >> 33) % length);
        }
    }
    assert_eq!(guest.log(), log, "the services stayed up");
    assert!(!beside(&guest.data).exists());

    // Nor is anything left of what was made for it.
    let (new, root) = (lab.named("new"), lab.directory("root"));
    let into = |code| {
        let mut into = command(&vault, &[name, "--into", &new]);
        run(into.env("WW_DATA_ROOT", &root)).expect(code);
    };
    let payload = set.join("data.tar.zst");
    flip(&payload, 100);
    into(9);
    assert_ne!(docker(["container", "inspect", &new]).code(), 0);
    let left = run(Command::new("find")
        .arg(&root)
        .args(["-name", &format!("*{new}*")]));
    assert_eq!(left.expect(0).stdout, "");
    flip(&payload, 100);
    into(0);
    docker(["rm", &new]).expect(0);
    restore(&vault, &[name, name]).expect(0);
    guest.reaches("UP");
}

#[test]
fn a_volume_and_a_directory_in_it_are_restored_and_undone_together() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let tree = lab.tree("app");
    tree.all_scripts();
    let volume = lab.named("volume");
    docker(["volume", "create", "--label", &lab.label(), &volume]).expect(0);
    let media = lab.directory("media");
    let mounts = [
        format!("{volume}:/data"),
        format!("{}:/data/media", media.display()),
    ];
    let mounts = ["-v", &mounts[0], "-v", &mounts[1]];
    let guest = lab.start_bare("app", &lab.image(&tree), &mounts, &[]);
    let name = guest.name.as_str();
    guest.reaches("UP");
    let inspect = ["volume", "inspect", "-f", "{{.Mountpoint}}", &volume];
    let data = docker(inspect).expect(0).stdout;
    let data = PathBuf::from(data.trim());
    let write = |text: &str| {
        for directory in [&data, &media] {
            std::fs::write(directory.join("value"), text).expect("a file");
        }
    };
    let both = || [&data, &media].map(|directory| read(directory.join("value")));
    let seen = || docker(["exec", name, "cat", "/data/value", "/data/media/value"]).stdout;
    write("old");
    vault.backup(&[name]).expect(0);
    write("new");
    restore(&vault, &[name, name]).expect(0);
    guest.reaches("UP");
    assert_eq!(
        (both(), seen()),
        (["old"; 2].map(str::to_owned), "oldold".to_owned())
    );
    restore(&vault, &["--undo", name]).expect(0);
    guest.reaches("UP");
    assert_eq!(
        (both(), seen()),
        (["new"; 2].map(str::to_owned), "newnew".to_owned())
    );
    // One of both cannot be put together: neither is exchanged.
    let set = vault.sets(name).remove(0);
    let second = names(&set).into_iter().find(|one| one.starts_with("data-"));
    let log = read(data.join("log"));
    flip(&set.join(second.expect("a second one")), 60);
    restore(&vault, &[name, name]).expect(9);
    assert_eq!(
        (both(), read(data.join("log"))),
        (["new"; 2].map(str::to_owned), log)
    );
}

/// Changes a byte, and changes it back.
fn flip(path: &Path, at: u64) {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path);
    let mut file = file.expect("a file");
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).expect("the place");
    file.read_exact(&mut byte).expect("a byte");
    file.seek(SeekFrom::Start(at)).expect("the place");
    file.write_all(&[byte[0] ^ 1]).expect("a byte");
}

#[test]
fn without_room_the_old_data_are_as_they_were_and_so_they_are_where_they_cannot_be_exchanged() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let small = crate::backup::Small::mount(lab.directory("small"), "24m");
    let data = small.0.join("data");
    std::fs::create_dir(&data).expect("a directory");
    let tree = lab.tree("app");
    tree.all_scripts();
    let mount = format!("{}:/data", data.display());
    let guest = lab.start_bare("app", &lab.image(&tree), &["-v", &mount], &[]);
    guest.reaches("UP");
    std::fs::write(data.join("much"), vec![7; 14_000_000]).expect("a file");
    let name = guest.name.as_str();
    vault.backup(&[name]).expect(0);
    std::fs::write(data.join("since"), "x").expect("a file");
    restore(&vault, &[name, name])
        .expect(1)
        .says(&["No space left", "nothing was touched"]);
    assert!(data.join("since").exists());
    assert_eq!(names(&small.0), ["data"], "and nothing is left beside");
    guest.reaches("UP");

    // What is a mount point itself is told apart.
    let whole = format!("{}:/data", small.0.display());
    let image = lab.image(&tree);
    let other = lab.start_bare("whole", &image, &["-v", &whole], &[]);
    other.reaches("UP");
    restore(&vault, &[name, &other.name])
        .expect(6)
        .says(&["mount"]);
    other.reaches("UP");
}

#[test]
fn a_hostile_backup_is_put_nowhere_else() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let guest = app(&lab, &[]);
    let name = guest.name.as_str();
    docker(["stop", name]).expect(0);
    let outside = lab.directory("outside");
    // Planted in the data: links that lead out, and a device.
    std::os::unix::fs::symlink(&outside, guest.data.join("link")).expect("a link");
    run(Command::new("mknod")
        .arg(guest.data.join("disk"))
        .args(["b", "7", "99"]))
    .expect(0);
    vault.backup(&[name]).expect(0);
    std::fs::remove_file(guest.data.join("link")).expect("a link");
    restore(&vault, &[name, name]).expect(0).says(&["device"]);
    assert!(!guest.data.join("disk").exists());
    assert!(guest.data.join("link").is_symlink());
    assert!(names(&outside).is_empty());
    // In place of what is beside.
    let area = beside(&guest.data);
    std::fs::remove_dir_all(&area).expect("what is kept");
    std::os::unix::fs::symlink(&outside, &area).expect("a link");
    assert_ne!(restore(&vault, &[name, name]).code(), 0);
    assert!(names(&outside).is_empty());
    std::fs::remove_file(&area).expect("a link");
    // A path over a link.
    let over = restore(&vault, &[name, name, "--path", "link/x"]);
    assert_ne!(over.code(), 0);
    assert!(names(&outside).is_empty());
}

#[test]
fn a_second_one_waits_for_nobody_and_a_service_that_is_not_back_is_told() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("svcdown", "while [ -e /data/hold ]; do sleep 0.05; done")
        .script("svcup", "[ ! -e /data/broken ] || exit 1");
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    let name = guest.name.as_str();
    vault.backup(&[name]).expect(0);
    std::fs::write(guest.data.join("broken"), "").expect("a file");
    vault.backup(&[name, "--live"]).expect(0);
    std::fs::remove_file(guest.data.join("broken")).expect("a file");
    std::fs::write(guest.data.join("hold"), "").expect("a file");
    let mut first = command(&vault, &[name, name, "--timeout", "30s"]);
    let mut first = first
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("ww-ctl");
    guest.wrote("+svcdown", 2);
    restore(&vault, &[name, name]).expect(10);
    std::fs::remove_file(guest.data.join("hold")).expect("a file");
    assert_eq!(first.wait().expect("its end").code(), Some(8));
    assert!(
        guest.data.join("broken").exists(),
        "the data are those of the backup"
    );
    restore(&vault, &["--undo", name, "--timeout", "30s"]).expect(0);
    assert!(!guest.data.join("broken").exists());
}

#[test]
fn what_is_restored_is_neither_pruned_nor_backed_up_meanwhile() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let guest = held(&lab);
    let name = guest.name.as_str();
    vault.backup(&[name]).expect(0);
    std::fs::write(guest.data.join("hold"), "").expect("a file");
    vault.backup(&[name, "--live"]).expect(0);
    let sets = vault.sets(name);
    let oldest = sets[0].file_name().expect("a name").to_string_lossy();
    let mut first = command(&vault, &[&oldest, name]);
    let first = first.stderr(Stdio::null()).stdout(Stdio::null());
    let mut first = first.spawn().expect("ww-ctl");
    guest.wrote("+svcdown", 2);
    let prune = || {
        let mut command = vault.other(&["backups", "prune", name, "--keep-last", "1", "--yes"]);
        run(&mut command).expect(0).stdout
    };
    let told = prune();
    assert!(told.contains("being read"), "{told}");
    assert_eq!(vault.sets(name), sets);
    // Nor is what is half-exchanged backed up.
    vault
        .backup(&[name])
        .expect(10)
        .says(&["exchanges just now"]);
    std::fs::remove_file(guest.data.join("hold")).expect("a file");
    assert_eq!(first.wait().expect("its end").code(), Some(0));
    assert!(prune().contains("removed"));
    assert_eq!(vault.sets(name), sets[1..]);
    vault.is_tidy(name);
}

#[test]
fn closing_the_terminal_takes_it_back_and_a_backup_settles_what_a_killed_one_has_left() {
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let guest = held(&lab);
    let name = guest.name.as_str();
    vault.backup(&[name]).expect(0);
    let (since, hold) = (guest.data.join("since"), guest.data.join("hold"));
    std::fs::write(&since, "x").expect("a file");
    for (time, (signal, code)) in (2..).zip([("-HUP", Some(129)), ("-KILL", None)]) {
        std::fs::write(&hold, "").expect("a file");
        let mut command = command(&vault, &[name, name]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("ww-ctl");
        guest.wrote("+svcdown", time);
        let pid = child.id().to_string();
        run(Command::new("kill").args([signal, &pid])).expect(0);
        if signal == "-HUP" {
            std::fs::remove_file(&hold).expect("a file");
        }
        assert_eq!(child.wait().expect("its end").code(), code);
        assert!(since.exists(), "the data are those from before");
        assert_eq!(vault.restores_under_way(), usize::from(code.is_none()));
        assert_eq!(beside(&guest.data).exists(), code.is_none());
        if code.is_some() {
            guest.reaches("UP");
        }
    }
    std::fs::remove_file(&hold).expect("a file");
    // As long as that cannot be settled nothing is read of it.
    let record = beside(&guest.data).join("incoming/record.json");
    let written = std::fs::read(&record).expect("a record");
    std::fs::write(&record, "{").expect("a record");
    let sets = vault.sets(name);
    vault
        .backup(&[name])
        .expect(6)
        .says(&["what was done to", "has left half-done"]);
    assert_eq!(vault.sets(name), sets);
    assert_eq!(vault.restores_under_way(), 1);
    std::fs::write(&record, written).expect("a record");
    vault
        .backup(&[name])
        .expect(0)
        .says(&["a restore was cut short", "what they were before"]);
    guest.reaches("UP");
    assert!(since.exists() && !beside(&guest.data).exists());
    assert_eq!(vault.restores_under_way(), 0);
    vault.is_tidy(name);
}

#[test]
fn what_a_script_wrote_goes_to_its_own_script() {
    let lab = Lab::new("restore");
    let tree = lab.tree("app");
    tree.all_scripts();
    tree.file(
        "usr/backup",
        0o755,
        "#!/bin/sh\nmkdir $WW_BACKUP_DIR/deep && cp /data/value $WW_BACKUP_DIR/deep/value\n",
    );
    tree.file(
        "usr/restore",
        0o755,
        "#!/bin/sh\n[ ! -e /data/refuse ] && cp $WW_BACKUP_DIR/deep/value /data/value\n",
    );
    let out = lab.directory("out");
    let mount = format!("{}:/backup", out.display());
    let guest = lab.start("app", &lab.image(&tree), &["-v", &mount], &[]);
    guest.reaches("UP");
    let name = guest.name.as_str();
    let vault = Vault::at(&lab, out.clone());
    let value = guest.data.join("value");
    std::fs::write(&value, "old").expect("a file");
    vault.backup(&[name]).expect(0);
    std::fs::write(&value, "new").expect("a file");
    let log = guest.log();
    restore(&vault, &[name, name]).expect(0);
    assert_eq!(read(value.clone()), "old");
    assert_eq!(guest.log(), log, "the services stayed up");
    assert_eq!(names(&out), [name]);
    std::fs::write(guest.data.join("refuse"), "").expect("a file");
    restore(&vault, &[name, name])
        .expect(1)
        .says(&["restore", "failed"]);
    assert_eq!(names(&out), [name]);
    restore(&vault, &[name, "--into", "x-data"]).expect(6);
    let directory = lab.directory("into").join("here");
    restore(&vault, &[name, "--into-dir", &directory.to_string_lossy()]).expect(0);
    assert_eq!(read(directory.join("deep/value")), "old");
}

#[test]
fn killed_at_any_moment_either_is_there_whole_and_the_next_brings_everything_back() {
    let kills = if is_soak() { MANY } else { FEW };
    let lab = Lab::new("restore");
    let vault = Vault::new(&lab);
    let guest = app(&lab, &[]);
    let name = guest.name.as_str();
    let fill = |text: &str| {
        for number in 0..200 {
            std::fs::write(guest.data.join(format!("file-{number}")), text).expect("a file");
        }
    };
    fill("old");
    vault.backup(&[name]).expect(0);
    let begin = || {
        let mut command = command(&vault, &[name, name]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("ww-ctl")
    };
    let since = now();
    assert!(begin().wait().expect("its end").success());
    let length = since.elapsed();
    for kill in 0..kills {
        fill("new");
        let mut child = begin();
        let after = length.mul_f64(f64::from(kill + 1) / f64::from(kills + 1));
        std::thread::sleep(after);
        drop(child.kill());
        child.wait().expect("its end");
        // What the containers see, running or not, is the one or the other.
        let all: std::collections::BTreeSet<String> = (0..200)
            .map(|number| read(guest.data.join(format!("file-{number}"))))
            .collect();
        assert_eq!(all.len(), 1, "killed after {after:?}: {all:?}");
        let next = restore(&vault, &[name, name]);
        assert_eq!(next.code(), 0, "killed after {after:?}: {next:?}");
        guest.reaches("UP");
        assert_eq!(read(guest.data.join("file-7")), "old");
        assert_eq!(
            names(&beside(&guest.data)),
            ["lock", "undo"],
            "after {after:?}"
        );
    }
}
