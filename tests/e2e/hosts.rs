//! Several Engines in one view: over a socket, over TLS, over ssh; slow, gone, and back.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::engine::{Authority, Engine, Impostor, Kind, Sshd};
use crate::lab::{Guest, Lab, PATIENCE, Ran, docker, now, run, until, ww_ctl_command};
use crate::shape::Shapes;

/// `ww-ctl` of an operator with a configuration of its own.
struct Operator {
    config: PathBuf,
    state: PathBuf,
    runtime: PathBuf,
    path: Option<String>,
    hosts: Vec<String>,
}

impl Operator {
    fn new(lab: &Lab) -> Self {
        Self {
            config: lab.directory("config"),
            state: lab.directory("state"),
            runtime: lab.directory("run"),
            path: None,
            hosts: Vec::new(),
        }
    }

    fn command(&self) -> Command {
        let mut command = ww_ctl_command();
        command
            .env("DOCKER_CONFIG", &self.config)
            .env("XDG_STATE_HOME", &self.state)
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .args(&self.hosts);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command().args(arguments))
    }

    fn begin(&self, arguments: &[&str]) -> Running {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ww-ctl");
        let stdout = gather(child.stdout.take().expect("its stdout"));
        let stderr = gather(child.stderr.take().expect("its stderr"));
        Running {
            child,
            stdout,
            stderr,
        }
    }

    fn context(&self, name: &str, endpoint: &str) {
        run(Command::new("docker")
            .arg("--config")
            .arg(&self.config)
            .args(["context", "create", name, "--docker", endpoint]))
        .expect(0);
    }
}

type Lines = Arc<Mutex<Vec<String>>>;

fn gather(stream: impl Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let kept = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            kept.lock().expect("no panic while held").push(line);
        }
    });
    lines
}

/// A `ww-ctl` that runs on.
struct Running {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Running {
    fn lines(lines: &Lines) -> Vec<String> {
        lines.lock().expect("no panic while held").clone()
    }

    /// Waits until so many lines have all of these words.
    #[track_caller]
    fn has(lines: &Lines, words: &[&str], count: usize) {
        let all = |line: &&String| words.iter().all(|word| line.contains(word));
        let begun = now();
        loop {
            let seen = Self::lines(lines);
            if seen.iter().filter(all).count() >= count {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited in vain for {words:?}, {count} times: {seen:#?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn says(&self, word: &str, count: usize) {
        Self::has(&self.stderr, &[word], count);
    }

    #[track_caller]
    fn prints(&self, words: &[&str]) {
        Self::has(&self.stdout, words, 1);
    }

    #[track_caller]
    fn ends(&mut self, code: i32) {
        let status = until("ww-ctl to end", || {
            self.child.try_wait().expect("its state")
        });
        let said = Self::lines(&self.stderr);
        assert_eq!(status.code(), Some(code), "{said:?}");
    }

    /// The states that were told of a container, in order.
    fn states(&self, name: &str) -> Vec<String> {
        let name = format!("\"name\":\"{name}\"");
        Self::lines(&self.stdout)
            .iter()
            .filter(|line| line.contains("\"event\":\"state\"") && line.contains(&name))
            .map(|line| field(line, "state"))
            .collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A text of a JSON object.
fn field(json: &str, key: &str) -> String {
    let key = format!("\"{key}\":");
    let rest = json.split_once(&key).map_or("", |(_, rest)| rest.trim());
    rest.trim_start_matches('"')
        .split(['"', ',', '}'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// An image whose watchdog strikes once a file is in `/data`, and whose warm-up waits for another
/// where it is told to.
fn image(lab: &Lab) -> String {
    let tree = lab.tree("app");
    tree.all_scripts()
        .script(
            "warmup",
            "[ -z \"$GATE\" ] || while [ ! -e /data/go ]; do sleep 0.1; done",
        )
        .script("monitor", "if [ -e /data/strike ]; then rm /data/strike; exit 1; fi; echo '{}'")
        .defaults(r#"{"ww":{"monitor":{"interval":"500ms","timeout":"400ms"},"restart":{"backoff":"100ms"}}}"#);
    lab.image(&tree)
}

/// Starts a container on another Engine.
fn start(lab: &Lab, engine: &Engine, what: &str, image: &str, options: &[&str]) -> Guest {
    let name = lab.named(what);
    let data = lab.directory(&format!("data-{what}"));
    let mount = format!("{}:/data", data.display());
    let label = lab.label();
    let fixed = [
        "run",
        "-d",
        "--net=none",
        "--name",
        &name,
        "--label",
        &label,
        "-v",
        &mount,
    ];
    engine
        .docker(&[&fixed[..], options, &[image]].concat())
        .expect(0);
    Guest { name, data }
}

/// Three Engines: the one that is there, one over TLS, one over ssh, and who looks at them.
struct World {
    operator: Operator,
    here: Guest,
    /// A name that two of them know.
    shop: String,
    only: String,
    far: Engine,
    far_port: u16,
    near: Engine,
    sshd: Sshd,
    authority: Authority,
    _lab: Lab,
}

#[test]
fn three_engines_are_one_fleet_and_none_that_is_silent_or_gone_holds_the_others_up() {
    let mut world = world();
    one_view(&world);
    certificates_that_are_no_good(&world);
    one_is_silent_and_one_is_gone(&mut world);
}

fn world() -> World {
    let lab = Lab::new("hosts");
    let authority = Authority::new(lab.directory("certificates"));
    authority.sign(
        ("server-cert.pem", "server-key.pem"),
        "serverAuth",
        "IP:127.0.0.1",
        "30",
    );
    authority.sign(("cert.pem", "key.pem"), "clientAuth", "DNS:operator", "30");
    let path = authority.path();
    let tls = [
        "-H tcp://127.0.0.1:2376 --tlsverify".to_owned(),
        format!(
            "--tlscacert {path}/ca.pem --tlscert {path}/server-cert.pem --tlskey {path}/server-key.pem"
        ),
    ];
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let far_kind = Kind {
        options: &tls,
        subordinate: None,
    };
    let image = image(&lab);
    let engine = |what: &str, kind: &Kind<'_>| {
        let engine = Engine::start(lab.directory(what), kind);
        engine.load(&image);
        engine
    };
    let (far, near) = std::thread::scope(|scope| {
        let near = scope.spawn(|| engine("near/engine", &Kind::default()));
        let far = engine("far/engine", &far_kind);
        (far, near.join().expect("an Engine"))
    });
    let sshd = Sshd::start(lab.directory("sshd"), Some(&near.socket()));
    let port = far.port(2376);
    let mut operator = Operator::new(&lab);
    operator.path = Some(sshd.path());
    let secured = format!(
        "host=tcp://127.0.0.1:{port},ca={path}/ca.pem,cert={path}/cert.pem,key={path}/key.pem"
    );
    operator.context("far", &secured);
    operator.context("near", &format!("host={}", sshd.url()));
    operator.hosts = ["-c", "default", "-c", "far", "-c", "near"]
        .map(str::to_owned)
        .to_vec();

    let here = lab.start("here", &image, &["--net=none"], &[]);
    start(&lab, &far, "shop", &image, &[]);
    let shop = start(&lab, &near, "shop", &image, &[]).name;
    let only = format!("label={}", lab.label());
    operator
        .run(&["wait", "--filter", &only, "--for", "UP", "--timeout", "30s"])
        .expect(0);
    World {
        operator,
        here,
        shop,
        only,
        far,
        far_port: port,
        near,
        sshd,
        authority,
        _lab: lab,
    }
}

/// Where each is, and how its agent is reached.
fn one_view(world: &World) {
    let World {
        operator,
        here,
        shop,
        only,
        ..
    } = world;
    let listed = operator
        .run(&["ls", "--filter", only, "-o", "jsonl"])
        .expect(0);
    let mut seen: Vec<_> = listed
        .stdout
        .lines()
        .map(|line| {
            ["host", "name", "state", "agent"]
                .map(|key| field(line, key))
                .join(" ")
        })
        .collect();
    seen.sort();
    let expected = [
        format!("far {shop} UP exec"),
        format!("local {} UP direct", here.name),
        format!("near {shop} UP exec"),
    ];
    assert_eq!(seen, expected);
    let table = operator.run(&["ls", "--filter", only]).expect(0).stdout;
    assert!(
        table
            .lines()
            .next()
            .is_some_and(|head| head.trim_end().ends_with("HOST")),
        "{table}"
    );
    let document = operator
        .run(&["ls", "--filter", only, "-o", "json"])
        .expect(0)
        .stdout;
    Shapes::new().document("ls", &document);
    for word in [
        "\"endpoint\": \"ssh\"",
        "\"endpoint\": \"tls\"",
        "\"endpoint\": \"unix\"",
    ] {
        assert!(document.contains(word), "{document}");
    }
    let named = operator.run(&["ls", "--filter", only, "--filter", "host=n*", "-o", "name"]);
    assert_eq!(named.expect(0).stdout, format!("near/{shop}\n"));

    // A name that two have is refused with both; with its host it is one, and the others need not
    // even be there.
    operator
        .run(&["show", shop])
        .expect(2)
        .says(&[&format!("far/{shop}"), &format!("near/{shop}")]);
    let there = operator.run(&["cfg", &format!("near/{shop}"), "ww.restart.backoff"]);
    assert_eq!(there.expect(0).stdout, "100ms\n");
}

/// Two that run on, while one host falls silent and another one dies.
fn one_is_silent_and_one_is_gone(world: &mut World) {
    let World {
        operator,
        here,
        shop,
        only,
        far,
        near,
        ..
    } = world;
    let events = operator.begin(&["events", "-v", "-o", "jsonl", "--filter", only]);
    events.says("watching", 1);
    let mut wait = operator.begin(&[
        "wait",
        "-v",
        &here.name,
        "--for",
        "DOCKERDOWN",
        "--timeout",
        "60s",
    ]);
    wait.says("waiting", 1);
    std::fs::write(here.data.join("strike"), "").expect("a file");
    events.prints(&["RESTARTING", &here.name]);

    far.signal("STOP");
    let begun = now();
    let listed = operator
        .run(&["ls", "--filter", only, "-o", "name"])
        .expect(5);
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(4500), "{took:?}");
    let mut rows: Vec<&str> = listed.stdout.lines().collect();
    rows.sort_unstable();
    let (here_named, there_named) = (format!("local/{}", here.name), format!("near/{shop}"));
    assert_eq!(rows, [here_named, there_named]);
    listed.says(&[
        "host far does not answer: ",
        " within 3 s",
        "; last answered ",
        "s ago",
    ]);
    let begun = now();
    operator.run(&["ls", &format!("near/{shop}")]).expect(0);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "it waited for a host it has nothing to ask of"
    );

    wait.says("host far: does not answer since ", 1);
    events.says("host far: does not answer since ", 1);

    near.signal("KILL");
    near.ended();
    wait.says("host near: does not answer since ", 1);
    events.says("host near: does not answer since ", 1);
    events.prints(&[
        "\"event\":\"host\"",
        "\"host\":\"near\"",
        "LOST",
        "\"since\":",
    ]);
    operator.run(&["ls", "--filter", only]).expect(5).says(&[
        "host near does not answer: ",
        "nobody listens on /var/run/docker.sock there",
    ]);
    // It may be there: that is another failure than a wrong name.
    operator
        .run(&["stop", "--yes", "nowhere"])
        .expect(5)
        .says(&["unless it is on far, near"]);

    far.signal("CONT");
    near.begin(&[]);
    near.answers();
    events.prints(&["\"host\":\"far\"", "ANSWERS", "\"after_ms\":"]);
    events.prints(&["\"host\":\"near\"", "ANSWERS"]);
    wait.says("answers again after ", 2);
    operator.run(&["ls", "--filter", only]).expect(0);
    docker(["stop", "-t", "60", &here.name]).expect(0);
    wait.ends(0);
    events.prints(&["DOCKERDOWN", &here.name]);
}

fn certificates_that_are_no_good(world: &World) {
    let World {
        operator,
        authority,
        sshd,
        far_port: port,
        ..
    } = world;
    let dir = authority.dir.join("others");
    std::fs::create_dir(&dir).expect("a directory");
    let other = Authority::new(dir);
    let with = |url: &str, dir: &Path| {
        let mut command = ww_ctl_command();
        command
            .env("DOCKER_CONFIG", &operator.config)
            .env("XDG_STATE_HOME", &operator.state)
            .env("DOCKER_CERT_PATH", dir)
            .env("DOCKER_TLS_VERIFY", "1")
            .args(["-H", url, "ls"]);
        run(&mut command)
    };
    let url = format!("tcp://127.0.0.1:{port}");
    with(&url, &authority.dir).expect(0);
    with(&url, &other.dir)
        .expect(5)
        .says(&["is signed by nobody that", "ca.pem"]);
    with(&format!("tcp://localhost:{port}"), &authority.dir)
        .expect(5)
        .says(&[
            "its certificate is not for `localhost` but has",
            "127.0.0.1",
        ]);
    with(&format!("tcp://127.0.0.1:{}", sshd.port), &authority.dir)
        .expect(5)
        .says(&["it does not speak TLS"]);
    with(&url, Path::new("/nowhere"))
        .expect(2)
        .says(&["cannot read /nowhere/ca.pem"]);
    // Without a certificate of one's own, and with one that nobody there knows.
    other.sign(
        ("other.pem", "other-key.pem"),
        "clientAuth",
        "DNS:operator",
        "30",
    );
    std::fs::copy(authority.dir.join("ca.pem"), other.dir.join("ca.pem")).expect("a file");
    with(&url, &other.dir)
        .expect(5)
        .says(&["it wants a certificate of ours"]);
    for (from, to) in [("other.pem", "cert.pem"), ("other-key.pem", "key.pem")] {
        std::fs::rename(other.dir.join(from), other.dir.join(to)).expect("a file");
    }
    with(&url, &other.dir)
        .expect(5)
        .says(&["it refuses", "cert.pem: "]);
    std::fs::copy(authority.dir.join("key.pem"), other.dir.join("key.pem")).expect("a file");
    with(&url, &other.dir)
        .expect(2)
        .says(&["is not the key of"]);
    authority.sign(
        ("old.pem", "old-key.pem"),
        "serverAuth",
        "IP:127.0.0.1",
        "-1",
    );
    let old = Impostor::start(authority, "old.pem", "old-key.pem");
    with(&format!("tcp://127.0.0.1:{}", old.port), &authority.dir)
        .expect(5)
        .says(&["its certificate has expired"]);
    let plain = run(ww_ctl_command()
        .env_remove("DOCKER_TLS_VERIFY")
        .args(["-H", &url, "ls"]));
    plain
        .expect(5)
        .says(&["it speaks TLS only", "DOCKER_TLS_VERIFY=1"]);
    let trusting = run(ww_ctl_command()
        .env("DOCKER_TLS", "1")
        .env("DOCKER_CERT_PATH", &authority.dir)
        .args(["-H", &format!("tcp://localhost:{port}"), "ls"]));
    trusting.expect(0);
}

#[test]
fn an_engine_that_is_restarted_loses_no_event_and_invents_none() {
    let lab = Lab::new("resume");
    let image = image(&lab);
    let keeps = ["--live-restore"];
    let kind = Kind {
        options: &keeps,
        subordinate: None,
    };
    let mut engine = Engine::start(lab.directory("far/engine"), &kind);
    engine.load(&image);
    let mut operator = Operator::new(&lab);
    operator.hosts = vec!["-H".into(), engine.url()];
    let ends = start(&lab, &engine, "ends", &image, &[]);
    let again = start(&lab, &engine, "again", &image, &["--restart=always"]);
    let slow = start(&lab, &engine, "slow", &image, &["-e", "GATE=1"]);
    operator
        .run(&["wait", &ends.name, &again.name, "--for", "healthy"])
        .expect(0);
    operator
        .run(&["wait", &slow.name, "--for", "WARMUP"])
        .expect(0);
    let events = operator.begin(&["events", "-v", "-o", "jsonl"]);
    events.says("watching", 1);
    let mut wait = operator.begin(&["wait", "-v", &slow.name, "--for", "UP", "--timeout", "60s"]);
    wait.says("waiting", 1);
    std::fs::write(ends.data.join("strike"), "").expect("a file");
    events.prints(&["\"state\":\"UP\"", &ends.name]);
    let mut truth = BTreeMap::from([
        (&ends.name, vec!["RESTARTING", "UP"]),
        (&again.name, vec![]),
        (&slow.name, vec![]),
    ]);

    // The Engine goes and comes, the containers stay, and go on living meanwhile.
    engine.signal("TERM");
    engine.ended();
    wait.says("does not answer since", 1);
    std::fs::write(again.data.join("strike"), "").expect("a file");
    until("a restart while nobody watches", || {
        (!again.data.join("strike").exists()).then_some(())
    });
    truth
        .get_mut(&again.name)
        .expect("it")
        .extend(["RESTARTING", "UP"]);
    engine.begin(&keeps);
    engine.answers();
    wait.says("answers again after", 1);
    std::fs::write(slow.data.join("go"), "").expect("a file");
    truth.get_mut(&slow.name).expect("it").push("UP");
    wait.ends(0);
    events.prints(&["\"state\":\"UP\"", &again.name]);

    // It goes again, and its successor keeps none: one is started anew by its policy.
    engine.signal("TERM");
    engine.ended();
    engine.begin(&[]);
    engine.answers();
    truth
        .get_mut(&ends.name)
        .expect("it")
        .extend(["STOPPED", "DOCKERDOWN"]);
    truth
        .get_mut(&slow.name)
        .expect("it")
        .extend(["STOPPED", "DOCKERDOWN"]);
    let reborn = [
        "STOPPED",
        "DOCKERDOWN",
        "DOCKERUP",
        "BOOT",
        "UPGRADING",
        "WARMUP",
        "UP",
    ];
    truth.get_mut(&again.name).expect("it").extend(reborn);
    operator
        .run(&["wait", &again.name, "--for", "healthy", "--timeout", "30s"])
        .expect(0);
    until(&format!("the last events: {truth:?}"), || {
        let all = truth
            .iter()
            .all(|(name, states)| events.states(name).len() >= states.len());
        all.then_some(())
    });
    for (name, states) in &truth {
        assert_eq!(&events.states(name), states, "{name}");
    }
}

#[test]
fn ssh_is_one_connection_and_comes_back() {
    let lab = Lab::new("ssh");
    let image = image(&lab);
    let mut sshd = Sshd::start(lab.directory("sshd"), None);
    let mut operator = Operator::new(&lab);
    operator.path = Some(sshd.path());
    operator.hosts = vec!["-H".into(), sshd.url()];
    let guests: Vec<Guest> = (0..5)
        .map(|number| lab.start(&format!("app{number}"), &image, &["--net=none"], &[]))
        .collect();
    let only = format!("label={}", lab.label());
    operator
        .run(&["wait", "--filter", &only, "--for", "UP", "--timeout", "30s"])
        .expect(0);
    assert_eq!(sshd.logins(), 1);
    // All at once, though the server allows one session a connection.
    let listed = operator
        .run(&["ls", "--filter", &only, "-o", "jsonl"])
        .expect(0);
    let through_exec = listed.stdout.matches("\"agent\":\"exec\"").count();
    assert_eq!(through_exec, guests.len(), "{listed:?}");
    assert_eq!(sshd.logins(), 2);

    let events = operator.begin(&["events", "-v", "-o", "jsonl", "--filter", &only]);
    events.says("watching", 1);
    let strike = |guest: &Guest| std::fs::write(guest.data.join("strike"), "").expect("a file");
    strike(&guests[0]);
    events.prints(&["\"state\":\"UP\"", &guests[0].name]);
    sshd.kill();
    events.says("does not answer since", 1);
    strike(&guests[1]);
    guests[1].wrote("-svcup", 2);
    sshd.begin();
    events.says("answers again after", 1);
    events.prints(&["\"state\":\"UP\"", &guests[1].name]);
    assert_eq!(events.states(&guests[1].name), ["RESTARTING", "UP"]);

    // Killed, it leaves no ssh behind, and what it left on the disk goes with the next.
    drop(events);
    let socket = format!(":{} ", "/var/run/docker.sock");
    until("ssh to end", || {
        let running = run(Command::new("ps").args(["-eo", "args"])).stdout;
        let port = format!("-p {} ", sshd.port);
        let ours = |line: &&str| line.contains(&port) && line.contains(&socket);
        running.lines().find(ours).is_none().then_some(())
    });
    let near_ends = || {
        std::fs::read_dir(&operator.runtime)
            .expect("a directory")
            .count()
    };
    assert_eq!(near_ends(), 1);
    operator.run(&["ls", "--filter", &only]).expect(0);
    assert_eq!(near_ends(), 0);
    ways_that_are_barred(&operator, &mut sshd);
}

fn ways_that_are_barred(operator: &Operator, sshd: &mut Sshd) {
    let with = |url: &str| {
        let mut command = ww_ctl_command();
        command
            .env("DOCKER_CONFIG", &operator.config)
            .env("XDG_STATE_HOME", &operator.state)
            .env("XDG_RUNTIME_DIR", &operator.runtime)
            .env("PATH", operator.path.as_deref().expect("a PATH"))
            .args(["-H", url, "ls"]);
        run(&mut command).expect(5)
    };
    with(&format!("{}/nowhere.sock", sshd.url())).says(&["there is no socket /nowhere.sock there"]);
    with("ssh://root@127.0.0.1:1").says(&["Connection refused", "is sshd running there"]);
    with(&format!("ssh://nobody@127.0.0.1:{}", sshd.port)).says(&["This account is currently not"]);
    sshd.set("AllowStreamLocalForwarding no");
    with(&sshd.url()).says(&["does not forward to it", "AllowStreamLocalForwarding"]);
    sshd.set("AllowUsers nobody");
    with(&sshd.url()).says(&["Permission denied", "ssh-add"]);
    std::fs::write(sshd.root().join("known_hosts"), "").expect("a file");
    with(&sshd.url()).says(&["Host key verification failed", "connect once by hand"]);
    let bare = run(ww_ctl_command()
        .env("PATH", "/nowhere")
        .env("XDG_STATE_HOME", &operator.state)
        .args(["-H", &sshd.url(), "ls"]));
    bare.expect(5).says(&["cannot run ssh", "openssh-client"]);
}
