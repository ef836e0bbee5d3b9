//! Data copied into a new data container, and data put aside: nothing is destroyed that was not meant twice.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::backup::Small;
use crate::lab::{Lab, Ran, docker, run, until, ww_ctl_command};

struct Place {
    lab: Lab,
    root: PathBuf,
}

impl Place {
    fn new() -> Self {
        let lab = Lab::new("aside");
        let root = lab.directory("kept");
        Self { lab, root }
    }

    fn data(&self, words: &[&str]) -> Ran {
        let root = format!("--root={}", self.root.display());
        run(ww_ctl_command().arg("data").args(words).arg(root))
    }

    fn create(&self, what: &str) -> String {
        let name = self.lab.named(what);
        let label = format!("--label={}", self.lab.label());
        self.data(&["create", &name, &label, "--owner=1000:1001"])
            .expect(0);
        std::fs::write(self.of(&name).join("word"), "in").expect("a file");
        name
    }

    fn of(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn trash(&self) -> Vec<Value> {
        let listed = self.data(&["ls", "--trash", "-o", "json"]).expect(0);
        let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
        listed["trash"].as_array().expect("a list").clone()
    }
}

fn exists(name: &str) -> bool {
    docker(["container", "inspect", name]).code() == 0
}

#[test]
fn data_are_put_aside_and_come_back() {
    let place = Place::new();
    let name = place.create("shop");
    let words = ["rm", &name, "--yes", "--without-backup"];
    // Whoever has them mounted keeps them, running or not.
    let user = place.lab.named("user");
    let from = format!("--volumes-from={name}");
    let label = place.lab.label();
    let options = ["create", "--name", &user, "--label", &label, &from];
    run(Command::new("docker")
        .args(options)
        .args([place.lab.base(), "true"]))
    .expect(0);
    place.data(&words).expect(6).says(&["has its data mounted"]);
    docker(["rm", &user]).expect(0);
    // Nor without a backup, which is looked for where it is said to be.
    let vault = place.lab.directory("vault");
    let vault = format!("--vault={}", vault.display());
    let refused = place.data(&["rm", &name, &vault]).expect(6);
    assert!(refused.stderr.contains("no verified backup"), "{refused:?}");
    place.data(&["rm", &name, "--without-backup"]).expect(6);
    assert!(exists(&name) && place.of(&name).join("word").exists());
    assert_eq!(place.trash().len(), 0);

    place.data(&words).expect(0);
    assert!(!exists(&name) && !place.of(&name).exists());
    let trash = place.trash();
    assert_eq!((trash.len(), &trash[0]["name"]), (1, &Value::from(&*name)));
    let path = trash[0]["path"].as_str().expect("a path");
    assert!(PathBuf::from(path).join("word").exists());
    // Something of that name may be there meanwhile.
    let second = place.create("shop");
    assert_eq!(second, name);
    place.data(&["adopt", &name, "--from", path]).expect(6);
    // With a backup, when that was verified.
    let set = place.lab.directory("vault");
    let set = set.to_str().expect("UTF-8");
    run(ww_ctl_command().args(["backup", &name, "--to", set])).expect(0);
    place.data(&["rm", &name, &vault]).expect(6);
    run(ww_ctl_command().args(["backups", "verify", &name, "--from", set])).expect(0);
    let removed = place.data(&["rm", &name, &vault]).expect(0);
    let told = removed.stderr.lines().next().unwrap_or_default();
    assert!(
        told.starts_with("backed up ") && told.contains(" ago: "),
        "{removed:?}"
    );
    assert_eq!(place.trash().len(), 2);

    let back = place.data(&["adopt", &name, "--from", path]).expect(0);
    assert!(back.stdout.contains("1000:1001"), "{back:?}");
    let label = "{{index .Config.Labels \"io.whaleware.data.owner\"}}";
    let label = docker(["inspect", "-f", label, &name]).expect(0);
    assert_eq!(label.stdout, "1000:1001\n");
    assert!(place.of(&name).join("word").exists());
    assert_eq!(place.trash().len(), 1);

    // For good only when that is confirmed.
    place.data(&["rm", "--purge", &name]).expect(6);
    assert_eq!(place.trash().len(), 1);
    place.data(&["rm", "--purge", &name, "--yes"]).expect(0);
    assert_eq!(place.trash().len(), 0);
    place.data(&["rm", "--purge", &name, "--yes"]).expect(3);
    place.data(&["rm", "--empty-trash", "--yes"]).expect(0);
    assert!(exists(&name) && place.of(&name).join("word").exists());
}

#[test]
fn a_copy_is_of_one_moment_and_its_own() {
    let place = Place::new();
    let name = place.create("shop");
    let tree = place.lab.tree("app");
    // Two files that are only the same while nobody writes.
    tree.all_scripts().script(
        "svc.d/writer",
        "stop=; trap stop=1 TERM; n=0; while [ -z \"$stop\" ]; do n=$((n+1)); echo $n > /data/one; echo $n > /data/two; done",
    );
    let image = place.lab.image(&tree);
    let from = format!("--volumes-from={name}");
    let guest = place.lab.start_bare("app", &image, &[&from], &[]);
    guest.reaches("UP");
    let copy = place.lab.named("copy");
    let cloned = place.data(&["clone", &name, &copy]).expect(0);
    assert!(
        cloned.stderr.contains("services were down for"),
        "{cloned:?}"
    );
    let read = |file: &str| std::fs::read_to_string(place.of(&copy).join(file)).expect("a file");
    assert_eq!(read("one"), read("two"));
    assert_eq!(read("word"), "in");
    // It is UP again, and writes to its own.
    guest.reaches("UP");
    let counted = read("one");
    until("a writer that goes on", || {
        let now = std::fs::read_to_string(place.of(&name).join("one")).ok()?;
        (!now.is_empty() && now != counted).then_some(())
    });
    assert_eq!(read("one"), counted);
    let owner = "{{index .Config.Labels \"io.whaleware.data.cloned-from\"}}";
    let label = docker(["inspect", "-f", owner, &copy]).expect(0);
    assert_eq!(label.stdout.trim(), name);

    // One without an agent cannot be made to stand still.
    let bare = ["sh", "-c", "while :; do sleep 1; done"];
    let bare = place
        .lab
        .start_bare("bare", place.lab.base(), &[&from], &bare);
    let other = place.lab.named("other");
    let refused = place.data(&["clone", &name, &other]).expect(6);
    assert!(refused.stderr.contains(&bare.name), "{refused:?}");
    assert!(!exists(&other) && !place.of(&other).exists());
    place.data(&["clone", &name, &other, "--live"]).expect(0);
    assert!(exists(&other));
    place.data(&["clone", &name, &other, "--live"]).expect(6);
    docker(["rm", &copy, &other]).expect(0);
}

#[test]
fn without_room_nothing_is_left_of_a_copy_and_what_it_was_to_be_of_is_as_it_was() {
    let place = Place::new();
    let lab = &place.lab;
    let small = Small::mount(lab.directory("small"), "8m");
    let root = format!("--root={}", small.0.display());
    let name = place.create("shop");
    let noise = "head -c 20000000 /dev/urandom > ";
    let fill = |directory: &Path| {
        let script = format!("{noise}{}/noise", directory.display());
        run(Command::new("sh").args(["-c", &script])).expect(0);
    };
    fill(&place.of(&name));
    let copy = lab.named("copy");
    run(ww_ctl_command().args(["data", "clone", &name, &copy, &root]))
        .expect(1)
        .says(&["No space left", "room for a second copy"]);
    assert!(!exists(&copy));
    let is_empty = || {
        let found = run(Command::new("find")
            .arg(&small.0)
            .args(["-size", "+0c", "-type", "f"]));
        assert_eq!(found.expect(0).stdout, "");
        let used = run(Command::new("du").arg("-s").arg(&small.0)).expect(0);
        assert!(used.stdout.starts_with("0\t"), "{}", used.stdout);
    };
    is_empty();
    let size = |directory: &Path| std::fs::metadata(directory.join("noise")).map(|one| one.len());
    assert_eq!(size(&place.of(&name)).ok(), Some(20_000_000));
    assert_eq!(data_of(&name).as_deref(), place.of(&name).to_str());

    // A volume that was to come into a directory stays one.
    let volume = lab.named("volume");
    let label = lab.label();
    docker(["volume", "create", "--label", &label, &volume]).expect(0);
    let inspect = ["volume", "inspect", "-f", "{{.Mountpoint}}", &volume];
    let mountpoint = docker(inspect).expect(0).stdout;
    let mountpoint = PathBuf::from(mountpoint.trim());
    fill(&mountpoint);
    let adopted = lab.named("adopted");
    run(ww_ctl_command().args(["data", "adopt", &adopted, "--from", &volume, &root]))
        .expect(1)
        .says(&["No space left"]);
    assert!(!exists(&adopted));
    is_empty();
    assert_eq!(size(&mountpoint).ok(), Some(20_000_000));
    docker(["volume", "rm", &volume]).expect(0);
    docker(["rm", &name]).expect(0);
}

/// Where its data are.
fn data_of(name: &str) -> Option<String> {
    let template = "{{range .Mounts}}{{.Source}}{{end}}";
    let told = docker(["inspect", "-f", template, name]).expect(0);
    told.stdout.lines().next().map(str::to_owned)
}
