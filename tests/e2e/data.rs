//! Data containers: made, listed, used, and nothing left of those that cannot be made.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lab::{Lab, Ran, docker, run, ww_ctl_command};

/// The root directory of a laboratory's data containers, and the words that name it.
struct Place {
    root: PathBuf,
    words: Vec<String>,
}

impl Place {
    fn new(lab: &Lab) -> Self {
        let root = lab.directory("kept");
        let words = vec![
            format!("--root={}", root.display()),
            format!("--label={}", lab.label()),
        ];
        Self { root, words }
    }

    fn create(&self, name: &str, more: &[&str]) -> Ran {
        run(ww_ctl_command()
            .args(["data", "create", name])
            .args(&self.words)
            .args(more))
    }

    fn of(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

fn data(arguments: &[&str]) -> Ran {
    run(ww_ctl_command().arg("data").args(arguments))
}

fn shown(name: &str) -> Value {
    let shown = data(&["show", name, "-o", "json"]).expect(0);
    serde_json::from_str(&shown.stdout).expect("JSON")
}

/// The owner, the group and the permissions of a directory.
fn rights(path: &Path) -> (u32, u32, u32) {
    let found = std::fs::metadata(path).expect("a directory");
    let mode = found.permissions().mode() & 0o7777;
    (found.uid(), found.gid(), mode)
}

fn exists(name: &str) -> bool {
    docker(["container", "inspect", name]).code() == 0
}

#[test]
fn data_are_where_they_were_said_to_be_and_whose_they_were_said_to_be() {
    let lab = Lab::new("data");
    let place = Place::new(&lab);
    let name = lab.named("kept");
    let options = ["--owner", "1000:1001", "--mode", "2750"];
    let made = place.create(&name, &options).expect(0);
    assert!(made.stdout.contains("owned by 1000:1001 with 2750"));
    assert_eq!(rights(&place.of(&name)), (1000, 1001, 0o2750));

    // As Docker's own tool uses it, and as `run --data` does.
    let script = "stat -c '%u %g %a' /data; id -u; echo in > /data/word";
    let label = lab.label();
    let used = run(std::process::Command::new("docker")
        .args(["run", "--rm", "--user", "1000", "--label", &label])
        .args(["--volumes-from", &name, lab.base(), "sh", "-c", script]))
    .expect(0);
    assert_eq!(used.stdout, "1000 1001 2750\n1000\n");
    assert_eq!(
        std::fs::read_to_string(place.of(&name).join("word")).expect("a file"),
        "in\n"
    );
    let tree = lab.tree("app");
    tree.all_scripts();
    let app = lab.named("app");
    run(ww_ctl_command()
        .args(["run", &lab.image(&tree), "--name", &app, "--data", &name])
        .args(["--label", &label, "--wait"]))
    .expect(0);
    assert!(place.of(&name).join("whaleup").exists());

    let one = shown(&name);
    assert_eq!(one["kind"], "directory");
    assert_eq!(one["directory"], *place.of(&name).to_string_lossy());
    assert_eq!(one["users"][0]["name"], *app);
    assert_eq!(one["users"][0]["running"], true);
    assert_eq!((&one["uid"], &one["mode"]), (&1000.into(), &"2750".into()));
    // It was never started, and has no network to wait for.
    let state = docker(["inspect", "-f", "{{.State.Status}}", &name]).expect(0);
    assert_eq!(state.stdout, "created\n");

    // Nothing of this is done twice.
    place.create(&name, &[]).expect(6).says(&["data show"]);
    docker(["rm", "-f", &app]).expect(0);
    docker(["rm", &name]).expect(0);
    place.create(&name, &[]).expect(6).says(&["data adopt"]);
    assert!(place.of(&name).join("word").exists());
}

#[test]
fn what_an_image_has_at_its_data_is_copied_in_with_its_owners() {
    let lab = Lab::new("data");
    let place = Place::new(&lab);
    let image = lab.tag();
    let build = lab.directory("seed");
    std::fs::write(
        build.join("Dockerfile"),
        format!(
            "FROM {}\nRUN mkdir -p /data/sub && echo seed > /data/sub/word && \
             chown -R 1000:1000 /data && chmod 700 /data && chown 7:8 /data/sub/word && \
             ln -s /etc/passwd /data/link && ln /data/sub/word /data/same\nVOLUME /data\n",
            lab.base()
        ),
    )
    .expect("a file");
    let directory = build.to_str().expect("UTF-8");
    docker(["build", "-q", "-t", &image, directory]).expect(0);
    let name = lab.named("seeded");
    place.create(&name, &["--seed", &image]).expect(0);
    let data = place.of(&name);
    assert_eq!(rights(&data), (1000, 1000, 0o700));
    assert_eq!(rights(&data.join("sub/word")).0, 7);
    let same = std::fs::metadata(data.join("same")).expect("a file");
    assert_eq!(same.nlink(), 2);
    assert!(data.join("link").is_symlink());
    assert!(!exists(&format!("{name}.seed")));
    // An owner that is said counts more than the image's.
    let other = lab.named("owned");
    let owned = ["--seed", &image, "--owner", "5:6"];
    place.create(&other, &owned).expect(0);
    assert_eq!(rights(&place.of(&other)), (5, 6, 0o700));

    // Nothing is left of one that cannot be filled.
    let none = lab.named("unseeded");
    for image in [lab.base(), "no-such-image:1"] {
        place.create(&none, &["--seed", image]).expect(1);
        assert!(!place.of(&none).exists() && !exists(&none), "{image}");
        assert!(!exists(&format!("{none}.seed")), "{image}");
    }
}

#[test]
fn what_is_there_already_is_never_taken_for_new() {
    let lab = Lab::new("data");
    let place = Place::new(&lab);
    let name = lab.named("taken");
    std::fs::create_dir(place.of(&name)).expect("a directory");
    std::fs::write(place.of(&name).join("word"), "").expect("a file");
    let refused = place.create(&name, &[]).expect(6);
    assert!(refused.stderr.contains("not empty"), "{}", refused.stderr);
    assert!(!exists(&name) && place.of(&name).join("word").exists());
    let link = lab.named("link");
    std::os::unix::fs::symlink("/etc", place.of(&link)).expect("a link");
    place.create(&link, &[]).expect(6).says(&["it is a link"]);
    assert!(!exists(&link));

    // A volume instead; the Engine has it, and its labels say whose it is.
    let volume = lab.named("volume");
    let label = format!("--label={}", lab.label());
    let options = ["create", &volume, "--volume", "--owner", "7:7", &label];
    data(&options).expect(0);
    assert_eq!(shown(&volume)["kind"], "volume");
    assert_eq!(shown(&volume)["source"], *volume);
    docker(["rm", &volume]).expect(0);
    data(&options).expect(6).says(&["there is a volume"]);
    docker(["volume", "rm", &volume]).expect(0);
}

#[test]
fn those_that_others_made_are_listed_with_the_reason() {
    let lab = Lab::new("data");
    let label = lab.label();
    let old = lab.named("old");
    let options = ["create", "--name", &old, "--label", &label, "-v", "/data"];
    run(std::process::Command::new("docker")
        .args(options)
        .args([lab.base(), "true"]))
    .expect(0);
    let app = lab.start_bare("app", lab.base(), &["--volumes-from", &old], &["true"]);
    let listed = data(&["ls", &lab.named("*"), "-o", "json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let all = listed["data"].as_array().expect("a list");
    assert_eq!(all.len(), 1, "{listed}");
    let one = &all[0];
    assert_eq!(
        (&one["name"], &one["kind"]),
        (&old.clone().into(), &"anonymous_volume".into())
    );
    assert_eq!(one["whaleware"], false);
    let reason = one["reason"].as_str().expect("a reason");
    assert_eq!(
        reason,
        format!("never started, and {} has its volumes", app.name)
    );
    // A container that does more is told from one that is not there.
    data(&["show", &app.name])
        .expect(3)
        .says(&["does more than keep data"]);
    data(&["show", "no-such-data"]).expect(3).says(&["data ls"]);
}
