//! A container whose root is nobody on the host: an Engine with `--userns-remap`, of its own.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::lab::{Lab, PATIENCE, Ran, docker, run, until};
use crate::worlds::spoken;

/// An Engine besides the one that is there: its own directories, socket, network, mounts and
/// processes. All that it starts ends with it.
struct Engine {
    daemon: Child,
    root: PathBuf,
}

/// The user the containers' root is on the host, and how many there are.
const SUBORDINATE: &str = "nobody:200000:65536\n";

impl Engine {
    /// `/etc` is a copy, so that the users to map to are known to this Engine only.
    fn start(root: PathBuf) -> Self {
        // The mapped root has to come to its files.
        for directory in [root.parent().expect("a parent"), &root] {
            std::fs::set_permissions(directory, Permissions::from_mode(0o711)).expect("its mode");
        }
        let etc = root.join("etc");
        run(Command::new("cp").args(["-a", "/etc"]).arg(&etc)).expect(0);
        for file in ["subuid", "subgid"] {
            std::fs::write(etc.join(file), SUBORDINATE).expect("the users");
        }
        // Nor does it hear what the one that is there was told.
        let _ = std::fs::remove_file(etc.join("docker/daemon.json"));
        let log = std::fs::File::create(root.join("log")).expect("its log");
        let script = "mount --make-rprivate / && mount --bind $ROOT/etc /etc && \
            exec dockerd --userns-remap=nobody:nogroup --data-root $ROOT/data --exec-root $ROOT/exec \
            --pidfile $ROOT/pid -H unix://$ROOT/sock --bridge=none --iptables=false \
            --storage-driver=vfs";
        let daemon = Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .args(["sh", "-c", script])
            .env("ROOT", &root)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("its log"))
            .stderr(log)
            .spawn()
            .expect("`unshare` and the right to use it (root)");
        let mut engine = Self { daemon, root };
        until("the second Engine", || {
            if let Some(status) = engine.daemon.try_wait().expect("its state") {
                let log = std::fs::read_to_string(engine.root.join("log"));
                panic!(
                    "the second Engine ended with {status}: {}",
                    log.unwrap_or_default()
                );
            }
            (engine.docker(&["version"]).code() == 0).then_some(())
        });
        engine
    }

    fn docker(&self, arguments: &[&str]) -> Ran {
        let socket = format!("unix://{}", self.root.join("sock").display());
        run(Command::new("docker").args(["-H", &socket]).args(arguments))
    }

    fn output(&self, name: &str) -> String {
        let ran = self.docker(&["logs", name]).expect(0);
        ran.stdout + &ran.stderr
    }

    #[track_caller]
    fn wait(&self, name: &str, word: &str, times: usize) {
        until(&format!("{word} in the log of {name}"), || {
            (self.output(name).matches(word).count() >= times).then_some(())
        });
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The end of the first of its processes is the end of all of them, and of their mounts.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The first process of the only container whose agent is this user of the host.
fn agent_of(uid: u32) -> String {
    let status = |name: &str| std::fs::read_to_string(format!("/proc/{name}/status")).ok();
    let wanted = format!("Uid:\t{uid}\t");
    until("the container's first process", || {
        let entries = std::fs::read_dir("/proc").expect("/proc");
        entries.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let status = status(&name)?;
            let is_first = status
                .lines()
                .any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"));
            (is_first && status.contains(&wanted)).then_some(name)
        })
    })
}

#[test]
fn an_engine_that_maps_users_gives_the_hosts_root_no_rights() {
    let lab = Lab::new("remapped");
    let image = lab.image(spoken(&lab.tree("app")));
    let engine = Engine::start(lab.directory("engine"));
    let archive = lab.directory("images").join("image.tar");
    let archive = archive.to_str().expect("UTF-8");
    docker(["save", "-o", archive, &image]).expect(0);
    engine.docker(&["load", "-i", archive]).expect(0);

    // An agent that runs as the very user that stands for everybody unknown.
    let nobody = lab.named("nobody");
    let options = ["run", "-d", "--net=none", "--user=65534:65534", "--name"];
    engine
        .docker(&[&options[..], &[&nobody, &image]].concat())
        .expect(0);
    engine.wait(&nobody, "= LIFECYCLE: UP", 1);
    is_refused(&format!(
        "/proc/{}/root/dev/shm/ww/agent.sock",
        agent_of(265_534)
    ));
    assert!(!engine.output(&nobody).contains("STOPPED"));
    engine.docker(&["stop", "-t", "60", &nobody]).expect(0);

    let name = lab.named("app");
    engine
        .docker(&["run", "-d", "--net=none", "--name", &name, &image])
        .expect(0);
    engine.wait(&name, "= LIFECYCLE: UP", 1);
    // From the host, root is nobody that the container knows.
    is_refused(&format!(
        "/proc/{}/root/run/ww/agent.sock",
        agent_of(200_000)
    ));
    assert!(!engine.output(&name).contains("STOPPED"));

    // Root of the container may ask.
    let status = engine
        .docker(&["exec", &name, "/ww/bin/ww-agent", "status", "--json"])
        .expect(0);
    assert!(status.stdout.contains("\"state\":\"UP\""), "{status:?}");
    engine.docker(&["kill", "-s", "HUP", &name]).expect(0);
    engine.wait(&name, "= LIFECYCLE: UP", 2);
    for boot in 1..=2 {
        engine.docker(&["stop", "-t", "60", &name]).expect(0);
        let code = engine
            .docker(&["inspect", "-f", "{{.State.ExitCode}}", &name])
            .expect(0);
        assert_eq!(code.stdout.trim(), "0");
        if boot == 1 {
            engine.docker(&["start", &name]).expect(0);
            engine.wait(&name, "= LIFECYCLE: UP", 3);
        }
    }
    assert!(!engine.output(&name).contains("ERROR"));
    engine.docker(&["rm", "-fv", &name]).expect(0);
}

/// Asks for a stop as the host's root.
#[track_caller]
fn is_refused(socket: &str) {
    let mut stream = UnixStream::connect(socket).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
        .write_all(b"{\"id\":1,\"type\":\"stop\"}\n")
        .expect("a request");
    let answer = BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("\"answer\""))
        .expect("an answer");
    assert!(answer.contains("\"forbidden\""), "{answer}");
}
