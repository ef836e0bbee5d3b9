//! Podman behind Docker's API: what `docs/podman.md` says that works.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::lab::{Lab, Ran, part, run, until, ww_ctl_command};

/// A Podman with a store of its own, and its service.
struct Podman {
    program: PathBuf,
    place: PathBuf,
    url: String,
    service: Child,
}

impl Podman {
    fn start(lab: &Lab) -> Self {
        let program = part("WW_PODMAN");
        let place = lab.directory("podman");
        let socket = place.join("podman.sock");
        let url = format!("unix://{}", socket.display());
        let service = command(&program, &place)
            .args(["system", "service", "--time=0", &url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Podman starts");
        let podman = Self {
            program,
            place,
            url,
            service,
        };
        until("Podman's socket", || socket.exists().then_some(()));
        podman
    }

    fn run(&self, words: &[&str]) -> Ran {
        run(command(&self.program, &self.place).args(words))
    }

    /// The operator's tool, on this Podman.
    fn ctl(&self, words: &[&str]) -> Ran {
        run(ww_ctl_command().args(["-H", &self.url]).args(words))
    }

    /// Takes an image over from Docker.
    fn load(&self, image: &str) {
        let mut save = Command::new("docker")
            .args(["save", image])
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker");
        let archive = save.stdout.take().expect("its output");
        let loaded = command(&self.program, &self.place)
            .arg("load")
            .stdin(archive)
            .output()
            .expect("podman");
        assert!(save.wait().expect("docker").success());
        assert!(loaded.status.success(), "{loaded:?}");
    }
}

fn command(program: &PathBuf, place: &std::path::Path) -> Command {
    let mut command = Command::new(program);
    for (option, directory) in [("--root", "s"), ("--runroot", "r"), ("--tmpdir", "t")] {
        command.arg(option).arg(place.join(directory));
    }
    command
}

impl Drop for Podman {
    fn drop(&mut self) {
        drop(self.run(&["rm", "-fa", "-t", "0"]));
        drop(self.service.kill());
        drop(self.service.wait());
    }
}

fn states(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter(|line| line.contains("\"event\":\"state\""));
    lines
        .filter_map(|line| line.split_once("\"state\":\"")?.1.split('"').next())
        .collect()
}

#[test]
fn a_container_of_podmans_is_seen_acted_on_and_told_of() {
    let lab = Lab::new("podman");
    let tree = lab.tree("app");
    tree.all_scripts().defaults(r#"{"memory":400}"#);
    let image = lab.image(&tree);
    let podman = Podman::start(&lab);
    podman.load(&image);
    podman.load(lab.base());
    // Its own images have a registry before their names.
    let image = format!("localhost/{image}");
    let data = lab.directory("podman-data");
    let mount = format!("{}:/data", data.display());
    let options = [
        "run",
        "-d",
        "--name",
        "app",
        "--network",
        "none",
        "-v",
        &mount,
    ];
    podman.run(&[&options[..], &[&image]].concat()).expect(0);
    podman.ctl(&["wait", "app", "--for", "UP"]).expect(0);
    is_seen(&podman);
    is_acted_on(&podman);
    // A container is made there, with its configuration, and an image.
    let run = [
        "run",
        &image,
        "--name",
        "made",
        "--network",
        "none",
        "--set",
        "memory=7",
        "--wait",
    ];
    podman.ctl(&run).expect(0);
    assert_eq!(
        podman.ctl(&["cfg", "made", "memory"]).expect(0).stdout,
        "7\n"
    );
    let (base, tree) = (
        format!("localhost/{}", lab.base()),
        tree.path().display().to_string(),
    );
    let build = [
        "image",
        "build",
        "--base",
        &base,
        "--tree",
        &tree,
        "-t",
        "localhost/built:1",
    ];
    podman.ctl(&build).expect(0);
    podman
        .run(&["image", "exists", "localhost/built:1"])
        .expect(0);
}

fn is_seen(podman: &Podman) {
    // Seen, and by the short way where that is allowed.
    let listed = podman.ctl(&["ls", "-o", "jsonl"]).expect(0).stdout;
    assert!(
        listed.contains("\"state\":\"UP\"") && listed.contains("\"agent\":\"direct\""),
        "{listed}"
    );
    let shown = podman.ctl(&["show", "app"]).expect(0).stdout;
    assert!(
        shown.contains("UPGRADING") && shown.contains("/data"),
        "{shown}"
    );
    assert_eq!(
        podman.ctl(&["cfg", "app", "memory"]).expect(0).stdout,
        "400\n"
    );
    let printed = podman.ctl(&["logs", "app"]).expect(0).stdout;
    assert!(printed.contains("= LIFECYCLE: UP"), "{printed}");
    // Run in it.
    let ran = podman.ctl(&[
        "exec",
        "app",
        "--",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 7",
    ]);
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("out\n", "err\n")
    );
    ran.expect(7);
}

fn is_acted_on(podman: &Podman) {
    // Acted on, each action watched to its end through Podman's events.
    podman
        .ctl(&["restart", "app", "--timeout", "30s"])
        .expect(0);
    podman.ctl(&["stop", "app", "--timeout", "30s"]).expect(0);
    podman.ctl(&["start", "app", "--timeout", "30s"]).expect(0);
    podman
        .ctl(&["restart", "--container", "app", "--timeout", "30s"])
        .expect(0);
    let up = ["DOCKERUP", "BOOT", "UPGRADING", "WARMUP", "UP"];
    let down = ["STOPPED", "DOCKERDOWN"];
    let first = [
        "DOCKERUP",
        "BOOT",
        "FIRSTBOOT",
        "UPGRADING",
        "WARMUP",
        "UP",
        "RESTARTING",
        "UP",
    ];
    let expected = [&first[..], &down, &up, &down, &up].concat();
    let told = podman.ctl(&[
        "events", "app", "--since", "1h", "--until", "now", "-o", "jsonl",
    ]);
    assert_eq!(states(&told.expect(0).stdout), expected);
    podman.ctl(&["stop", "app", "--timeout", "30s"]).expect(0);
    podman
        .ctl(&["wait", "app", "--for", "DOCKERDOWN"])
        .expect(0);
    let kept = podman.ctl(&["show", "app", "--history"]).expect(0).stdout;
    assert_eq!(kept.matches("exited 0").count(), 3, "{kept}");
}
