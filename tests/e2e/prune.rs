//! What people type without a thought, on an Engine of the test's own: data that lie in a directory of the
//! host are there afterwards, and their container is made again as it was.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::engine::{Engine, Kind};
use crate::lab::{Lab, Ran, run, ww_ctl_command};

/// An Engine and a root directory that nobody else has.
struct Host {
    lab: Lab,
    engine: Engine,
    root: PathBuf,
}

/// What is done to it, words for Docker's own tool; `NAME` stands for the data container's.
const WAYS: [&[&str]; 6] = [
    &["rm NAME"],
    &["rm -v NAME"],
    &["container prune -f"],
    &["volume prune -f"],
    // The last one that has the data goes by itself, and would take what nobody has named with it.
    &["rm -v NAME", "stop -t 0 NAME-user"],
    &["system prune --volumes -af"],
];

impl Host {
    fn new() -> Self {
        let lab = Lab::new("prune");
        let engine = Engine::start(lab.directory("engine"), &Kind::default());
        engine.load(lab.base());
        let root = lab.directory("kept");
        Self { lab, engine, root }
    }

    fn docker(&self, line: &str) -> Ran {
        let words: Vec<&str> = line.split(' ').collect();
        self.engine.docker(&words)
    }

    fn data(&self, line: &str) -> Ran {
        let root = format!("--root={}", self.root.display());
        let url = self.engine.url();
        let takes_root = !line.starts_with("show") && !line.starts_with("ls");
        run(ww_ctl_command()
            .args(["-H", &url, "data"])
            .args(line.split(' '))
            .args(takes_root.then_some(root)))
    }

    fn of(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Runs a shell in a container that has the volumes of another one.
    fn within(&self, name: &str, script: &str) {
        let words = ["run", "--rm", "--network=none", "--volumes-from", name];
        let shell = [self.lab.base(), "sh", "-c", script];
        self.engine.docker(&[&words[..], &shell].concat()).expect(0);
    }

    /// One that runs as long as nobody stops it, and is removed then.
    fn user(&self, name: &str, options: &[&str]) -> String {
        let user = format!("{name}-user");
        let words = ["run", "-d", "--network=none", "--name", &user];
        let from = ["--volumes-from", name, self.lab.base(), "sleep", "1000"];
        self.engine
            .docker(&[&words[..], options, &from].concat())
            .expect(0);
        user
    }

    /// All of a container that is not another one each time it is made.
    fn inspected(&self, name: &str) -> Value {
        let shown = self.docker(&format!("inspect {name}")).expect(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
        let one = &shown[0];
        let mut config = one["Config"].clone();
        // The Engine makes it up from the id.
        config["Hostname"] = json!(null);
        json!({
            "name": one["Name"],
            "config": config,
            "host": one["HostConfig"],
            "mounts": one["Mounts"],
            "status": one["State"]["Status"],
            "networks": one["NetworkSettings"]["Networks"].as_object().map(|all| all.keys().collect::<Vec<_>>()),
        })
    }

    fn exists(&self, name: &str) -> bool {
        self.docker(&format!("container inspect {name}")).code() == 0
    }
}

const FILL: &str = "echo one > /data/word && mkdir -m 2750 /data/sub && echo two > /data/sub/secret && \
     chown 70:71 /data/sub /data/sub/secret && chmod 4711 /data/sub/secret && ln /data/word /data/same && \
     ln -s word /data/link && mkfifo /data/fifo && touch -d '2001-02-03 04:05:06' /data/word";

/// Everything that is to be the same afterwards, an entry a line.
fn listing(place: &Path) -> String {
    let mut found = Command::new("find");
    let format = "%P %y %U %G %m %n %s %T@ %l\n";
    let listed = run(found.arg(place).args(["-printf", format])).expect(0);
    let mut lines: Vec<&str> = listed.stdout.lines().collect();
    lines.sort_unstable();
    let word = std::fs::read_to_string(place.join("sub/secret")).expect("a file");
    format!("{}\n{word}", lines.join("\n"))
}

#[test]
fn whatever_is_pruned_the_data_are_there_and_their_container_is_made_again() {
    let host = Host::new();
    for (number, way) in WAYS.iter().enumerate() {
        let name = format!("shop-data-{number}");
        let options = "--owner 1000:1001 --mode 2750 --label tier=gold";
        host.data(&format!("create {name} {options}")).expect(0);
        host.within(&name, FILL);
        if way.len() > 1 {
            host.user(&name, &["--rm"]);
        }
        let (was, tree) = (host.inspected(&name), listing(&host.of(&name)));
        for line in *way {
            host.docker(&line.replace("NAME", &name)).expect(0);
        }
        assert_eq!(listing(&host.of(&name)), tree, "{way:?}");
        // Only a prune of volumes leaves the container.
        let is_there = way[0].starts_with("volume");
        assert_eq!(host.exists(&name), is_there, "{way:?}");
        if !is_there {
            let told = host.data("doctor").expect(0);
            assert!(
                told.stdout.contains(&format!("data adopt {name}")),
                "{told:?}"
            );
        }
        let adopted = host.data(&format!("adopt {name}")).expect(0);
        assert!(
            adopted.stdout.contains("1000:1001 with 2750"),
            "{adopted:?}"
        );
        assert_eq!(host.inspected(&name), was, "{way:?}");
        assert_eq!(listing(&host.of(&name)), tree, "{way:?}");
        host.docker(&format!("rm {name}")).expect(0);
    }
    a_directory_that_is_gone_is_not_made_anew(&host);
}

fn a_directory_that_is_gone_is_not_made_anew(host: &Host) {
    let (place, aside) = (host.of("shop-data-0"), host.of("aside"));
    std::fs::rename(&place, &aside).expect("a directory");
    let refused = host.data("adopt shop-data-0").expect(1);
    assert!(refused.stderr.contains("is not there"), "{refused:?}");
    assert!(!place.exists() && !host.exists("shop-data-0"));
    // Nor does a link get in its place.
    std::os::unix::fs::symlink(&aside, &place).expect("a link");
    host.data("adopt shop-data-0").expect(1);
    assert!(!host.exists("shop-data-0"));
}

#[test]
fn what_others_made_is_in_danger_until_it_is_adopted() {
    let host = Host::new();
    in_danger_as_the_doctor_said(&host);
    an_anonymous_volume_comes_into_a_directory(&host);
    a_named_one_too(&host);
    anything_else_by_its_place(&host);
    nothing_changes_where_it_cannot_be_done(&host);
}

fn create(host: &Host, name: &str, volume: &str) {
    let base = host.lab.base();
    host.docker(&format!(
        "create --name {name} --label by=hand -v {volume} {base} true"
    ))
    .expect(0);
    host.within(name, FILL);
    host.within(name, "chown 1000:1001 /data && chmod 2750 /data");
}

fn volume_of(host: &Host, name: &str) -> String {
    let format = "{{(index .Mounts 0).Name}}";
    let shown = host
        .engine
        .docker(&["inspect", "-f", format, name])
        .expect(0);
    shown.stdout.trim().to_owned()
}

/// The Engine does what the doctor says it would do.
fn in_danger_as_the_doctor_said(host: &Host) {
    for (volume, way) in [
        ("/data", "docker rm -v lost-data"),
        ("/data", "docker system prune --volumes"),
        ("lost:/data", "docker system prune --volumes"),
    ] {
        create(host, "lost-data", volume);
        let name = volume_of(host, "lost-data");
        let told = host.data("doctor -o json").expect(1);
        let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
        let finding = told["findings"].as_array().expect("a list").iter();
        let finding = finding.clone().find(|one| one["subject"] == *name);
        let ways = finding.expect("the volume")["destroyed_by"].as_array();
        assert!(ways.expect("a list").iter().any(|one| one == way), "{told}");
        let line = way.strip_prefix("docker ").expect("its name");
        let force = if line.starts_with("system") {
            " -f"
        } else {
            ""
        };
        host.docker(&format!("{line}{force}")).expect(0);
        assert_ne!(host.docker(&format!("volume inspect {name}")).code(), 0);
    }
    host.data("doctor").expect(0);
}

fn an_anonymous_volume_comes_into_a_directory(host: &Host) {
    create(host, "old-data", "/data");
    let volume = volume_of(host, "old-data");
    let from = PathBuf::from(
        host.docker(&format!("volume inspect -f {{{{.Mountpoint}}}} {volume}"))
            .expect(0)
            .stdout
            .trim(),
    );
    let tree = listing(&from);
    let user = host.user("old-data", &[]);
    let refused = host.data("adopt old-data").expect(6);
    assert!(refused.stderr.contains(&user), "{refused:?}");
    assert!(!host.of("old-data").exists());
    host.docker(&format!("stop -t 0 {user}")).expect(0);

    let adopted = host.data("adopt old-data").expect(0);
    let words = format!("{user} still has the old volume");
    assert!(adopted.stderr.contains(&words), "{}", adopted.stderr);
    assert_eq!(listing(&host.of("old-data")), tree);
    assert_eq!(listing(&from), tree, "the old one stays");
    let now = host.inspected("old-data");
    assert_eq!(now["config"]["Labels"]["by"], "hand");
    assert_eq!(
        now["mounts"][0]["Source"],
        *host.of("old-data").to_string_lossy()
    );
    assert_eq!(volume_of(host, "old-data.before-adopt"), volume);
    assert!(
        host.data("adopt old-data")
            .expect(0)
            .stderr
            .contains("already")
    );

    // Its user is made again, and what was left of the old ones goes with the next prune.
    host.docker(&format!("rm {user}")).expect(0);
    host.user("old-data", &[]);
    let told = host.data("doctor -o name").expect(1);
    assert_eq!(told.stdout, format!("{volume}\n"));
    host.docker("system prune --volumes -f").expect(0);
    assert_ne!(host.docker(&format!("volume inspect {volume}")).code(), 0);
    host.docker(&format!("rm -vf {user}")).expect(0);
    assert_eq!(listing(&host.of("old-data")), tree);
    host.data("adopt old-data").expect(0);
    assert_eq!(host.inspected("old-data"), now);
    let rights = std::fs::metadata(host.of("old-data")).expect("a directory");
    assert_eq!((rights.uid(), rights.gid()), (1000, 1001));
}

fn a_named_one_too(host: &Host) {
    let run = |line: &str| host.data(line).expect(0);
    // Without --root: it has no directory.
    let url = host.engine.url();
    crate::lab::run(ww_ctl_command().args(["-H", &url, "data", "create", "vol-data", "--volume"]))
        .expect(0);
    host.within("vol-data", FILL);
    let was = host.inspected("vol-data");
    host.docker("rm vol-data").expect(0);
    let told = host.data("doctor").expect(1);
    assert!(
        told.stdout.contains("ww-ctl data adopt vol-data"),
        "{told:?}"
    );
    // First as it was; a second time into a directory.
    run("adopt vol-data");
    assert_eq!(host.inspected("vol-data"), was);
    run("adopt vol-data");
    let now = host.inspected("vol-data");
    assert_eq!(now["mounts"][0]["Type"], "bind");
    assert!(host.of("vol-data/sub/secret").exists());
    assert!(host.exists("vol-data.before-adopt"));
    host.docker("rm -v vol-data.before-adopt").expect(0);
    host.docker("volume rm vol-data").expect(0);
}

fn anything_else_by_its_place(host: &Host) {
    // What nobody has any more.
    create(host, "gone-data", "/data");
    let volume = volume_of(host, "gone-data");
    host.docker("rm gone-data").expect(0);
    host.data(&format!("adopt found-data --from {volume}"))
        .expect(0);
    assert!(host.of("found-data/sub/secret").exists());
    // A directory stays where it is.
    let place = host.lab.directory("plain");
    std::fs::write(place.join("word"), "in").expect("a file");
    let from = place.to_str().expect("UTF-8");
    host.data(&format!("adopt plain-data --from {from}"))
        .expect(0);
    host.docker("rm -v plain-data").expect(0);
    let was = host.data("adopt plain-data").expect(0);
    assert!(was.stdout.contains(from), "{was:?}");
    host.within("plain-data", "grep in /data/word");
    host.data("adopt /nonexistent/dir").expect(3);
    host.data("adopt other-data --from no-such-volume")
        .expect(3);
    host.data("adopt no-such-data").expect(3);
    let root = host.root.to_str().expect("UTF-8");
    host.data(&format!("adopt root-data --from {root}"))
        .expect(6);
}

fn nothing_changes_where_it_cannot_be_done(host: &Host) {
    create(host, "full-data", "/data");
    std::fs::create_dir(host.of("full-data")).expect("a directory");
    std::fs::write(host.of("full-data").join("x"), "").expect("a file");
    let was = host.inspected("full-data");
    let refused = host.data("adopt full-data").expect(6);
    assert!(refused.stderr.contains("not empty"), "{refused:?}");
    assert_eq!(host.inspected("full-data"), was);
    assert!(!host.exists("full-data.before-adopt"));
    // Another run is at work there.
    let lock = host.root.join(".ww-data/.lock");
    let mut holding = Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo held; read -r _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`flock`");
    let mut word = [0; 5];
    let held = holding.stdout.as_mut().expect("its stdout");
    held.read_exact(&mut word).expect("a word");
    host.data("adopt full-data").expect(10);
    drop(holding.stdin.take());
    holding.wait().expect("its end");
    let user = host.user("full-data", &[]);
    host.data(&format!("adopt {user}")).expect(6);
    host.docker(&format!("rm -f {user}")).expect(0);
}
