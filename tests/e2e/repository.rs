//! Backups whose content a deduplicating repository keeps.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::backup::{Vault, manifest};
use crate::lab::{Guest, Lab, Ran, part, run, until, ww_ctl_command};

/// A repository of one test, with its password in a file.
struct Repository {
    path: PathBuf,
    secret: PathBuf,
}

impl Repository {
    fn new(lab: &Lab) -> Self {
        let directory = lab.directory("repository");
        let (path, secret) = (directory.join("kept"), directory.join("secret"));
        std::fs::write(&secret, "a password\n").expect("a file");
        let own = Self { path, secret };
        own.restic(&["init"]).expect(0);
        own
    }

    /// With `restic` and its password to be found, as an operator has them.
    fn known<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let restic = part("WW_RESTIC");
        let own = restic.parent().expect("a directory").to_owned();
        command
            .env("PATH", first(&own))
            .env("RESTIC_PASSWORD_FILE", &self.secret)
            .env("RESTIC_CACHE_DIR", self.path.with_file_name("cache"))
    }

    fn restic(&self, words: &[&str]) -> Ran {
        let mut command = Command::new(part("WW_RESTIC"));
        run(self
            .known(&mut command)
            .arg("-r")
            .arg(&self.path)
            .args(words))
    }

    fn snapshots(&self) -> Vec<Value> {
        let listed = self.restic(&["snapshots", "--json"]).expect(0);
        serde_json::from_str(&listed.stdout).expect("JSON")
    }

    fn bytes(&self) -> u64 {
        let told = run(Command::new("du").arg("-sb").arg(self.path.join("data"))).expect(0);
        let bytes = told.stdout.split_whitespace().next().expect("a number");
        bytes.parse().expect("a number")
    }

    fn backup(&self, vault: &Vault, guest: &Guest) -> PathBuf {
        let repo = self.path.to_string_lossy();
        let mut command = vault.command(&[&guest.name, "--repo", &repo]);
        run(self.known(&mut command)).expect(0);
        vault.sets(&guest.name).pop().expect("a set")
    }

    /// What works on what is there, told of the repository or not.
    fn with(&self, vault: &Path, told: bool, words: &[&str]) -> Ran {
        let mut command = ww_ctl_command();
        command
            .env("WW_VAULT", vault)
            .env_remove("RESTIC_REPOSITORY");
        if told {
            command.env("RESTIC_REPOSITORY", &self.path);
        }
        run(self.known(&mut command).args(words))
    }
}

/// What is in this directory is found first.
#[expect(
    clippy::disallowed_methods,
    reason = "the seam to the environment is another program's"
)]
fn first(own: &Path) -> String {
    let usual = std::env::var("PATH").unwrap_or_default();
    format!("{}:{usual}", own.display())
}

fn app(lab: &Lab) -> Guest {
    let tree = lab.tree("app");
    tree.all_scripts();
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    // What no compressor makes smaller, and is the same each time.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    let noise: Vec<u8> = noise.take(8 << 20).collect();
    std::fs::write(guest.data.join("noise"), noise).expect("a file");
    std::fs::write(guest.data.join("orders"), "one").expect("a file");
    guest
}

#[test]
fn a_repository_keeps_the_same_once_and_all_of_it_is_proven_and_comes_back() {
    let lab = Lab::new("repository");
    let (vault, repository) = (Vault::new(&lab), Repository::new(&lab));
    let guest = app(&lab);
    let name = guest.name.as_str();
    let first = repository.backup(&vault, &guest);
    let told = manifest(&first);
    assert_eq!(told["repository"]["program"], "restic");
    assert_eq!(told["consistency"], "svcdown");
    assert!(first.join("files.jsonl.zst").exists());
    assert!(!first.join("data.tar.zst").exists() && !first.join("data.tar").exists());
    vault.is_tidy(name);
    // It is there for whoever has no ww-ctl, too.
    let snapshot = told["repository"]["snapshot"].as_str().expect("an id");
    let dumped = repository.path.with_file_name("dumped");
    let script = format!(
        "'{}' -r '{}' dump {snapshot} data.tar > '{dumped}' && tar -xOf '{dumped}' ./orders",
        part("WW_RESTIC").display(),
        repository.path.display(),
        dumped = dumped.display()
    );
    let mut shell = Command::new("sh");
    let read = run(repository.known(&mut shell).args(["-c", &script])).expect(0);
    assert_eq!(read.stdout, "one");

    let before = repository.bytes();
    std::fs::write(guest.data.join("orders"), "one, two").expect("a file");
    repository.backup(&vault, &guest);
    let more = repository.bytes() - before;
    assert!(
        more < 6 << 20,
        "{more} more bytes for 8 MiB that are the same"
    );

    let with = |told, words: &[&str]| repository.with(&vault.path, told, words);
    with(false, &["backups", "verify", name])
        .expect(1)
        .says(&["RESTIC_REPOSITORY"]);
    with(true, &["backups", "verify", name, "--full"]).expect(0);

    std::fs::remove_file(guest.data.join("noise")).expect("a file");
    std::fs::write(guest.data.join("orders"), "lost").expect("a file");
    with(false, &["restore", name, name, "--yes"])
        .expect(6)
        .says(&["RESTIC_REPOSITORY"]);
    with(true, &["restore", name, name, "--yes"]).expect(0);
    let orders = std::fs::read_to_string(guest.data.join("orders")).expect("a file");
    assert_eq!(orders, "one, two");
    assert_eq!(
        std::fs::metadata(guest.data.join("noise"))
            .expect("a file")
            .len(),
        8 << 20
    );

    let scratch = lab.directory("scratch");
    let scratch = scratch.to_string_lossy();
    with(true, &["backups", "drill", name, "--scratch", &scratch]).expect(0);

    // With a set goes what it is a set of.
    let prune = ["backups", "prune", "--keep-last", "1", "--yes"];
    with(true, &prune).expect(0);
    let left = repository.snapshots();
    assert_eq!(left.len(), 1, "{left:?}");
    let id = left[0]["id"].as_str().expect("an id");
    repository.restic(&["forget", id]).expect(0);
    let told = with(true, &["backups", "verify", name]).expect(9).stdout;
    assert!(told.contains("restic has no snapshot"), "{told}");

    // What cannot be looked into hides nothing of what can.
    vault.backup(&[name]).expect(0);
    let ran = with(false, &["backups", "verify", "--all"]).expect(1);
    assert!(ran.stdout.contains("is what it was"), "{}", ran.stdout);
    ran.says(&["RESTIC_REPOSITORY"]);
}

#[test]
fn what_a_script_wrote_is_kept_too_and_goes_back_to_the_other_one() {
    let lab = Lab::new("repository-hook");
    let repository = Repository::new(&lab);
    let tree = lab.tree("app");
    tree.all_scripts();
    let backup = "#!/bin/sh\ncp /data/value $WW_BACKUP_DIR/value\n";
    tree.file("usr/backup", 0o755, backup);
    let restore = "#!/bin/sh\ncp $WW_BACKUP_DIR/value /data/value\n";
    tree.file("usr/restore", 0o755, restore);
    let vault = Vault::at(&lab, lab.directory("out"));
    let mount = format!("{}:/backup", vault.path.display());
    let guest = lab.start("app", &lab.image(&tree), &["-v", &mount], &[]);
    guest.reaches("UP");
    let value = guest.data.join("value");
    std::fs::write(&value, "old").expect("a file");
    let set = repository.backup(&vault, &guest);
    assert_eq!(manifest(&set)["consistency"], "hook");
    assert!(!set.join("hook").exists());
    std::fs::write(&value, "new").expect("a file");
    let words = ["restore", &guest.name, &guest.name, "--yes"];
    repository.with(&vault.path, true, &words).expect(0);
    assert_eq!(std::fs::read_to_string(&value).expect("a file"), "old");
}

#[test]
fn what_cannot_be_kept_stops_nothing_and_a_repository_that_hangs_is_left() {
    let lab = Lab::new("repository-bad");
    let (vault, repository) = (Vault::new(&lab), Repository::new(&lab));
    let guest = app(&lab);
    let name = guest.name.as_str();
    let repo = repository.path.to_string_lossy().into_owned();
    // Not there, a wrong password, no such repository: each before anything is stopped.
    run(vault
        .command(&[name, "--repo", &repo])
        .env("PATH", "/nowhere"))
    .expect(1)
    .says(&["cannot run `restic`", "install it"]);
    let mut wrong = vault.command(&[name, "--repo", &repo]);
    run(repository
        .known(&mut wrong)
        .env_remove("RESTIC_PASSWORD_FILE")
        .env("RESTIC_PASSWORD", "another"))
    .expect(1)
    .says(&["wrong password"]);
    let mut none = vault.command(&[name, "--repo", "/nowhere/at/all"]);
    run(repository.known(&mut none))
        .expect(1)
        .says(&["/nowhere/at/all", "restic init"]);
    assert!(!guest.log().contains(&"+svcdown".to_owned()));

    // One that takes nothing.
    let own = lab.directory("own");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' backup '*) echo $$ > '{}'; exec sleep 1000;; esac\n",
        own.join("pid").display()
    );
    let fake = own.join("restic");
    std::fs::write(&fake, script).expect("a file");
    run(Command::new("chmod").arg("755").arg(&fake)).expect(0);
    let path = first(&own);
    let mut command = vault.command(&[name, "--repo", &repo]);
    let mut child = command
        .env("PATH", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("ww-ctl");
    let pid = until("restic", || {
        let pid = std::fs::read_to_string(own.join("pid")).ok()?;
        pid.ends_with('\n').then(|| pid.trim().to_owned())
    });
    // Services do not wait for it.
    guest.wrote("-svcup", 2);
    run(Command::new("kill").args(["-TERM", &child.id().to_string()])).expect(0);
    let code = child.wait().expect("its end").code();
    assert_eq!(code, Some(143));
    assert!(!Path::new("/proc").join(&pid).exists(), "restic goes on");
    guest.reaches("UP");
    vault.is_tidy(name);
    assert!(vault.sets(name).is_empty() && repository.snapshots().is_empty());
}
