//! A container whose root is nobody on the host: an Engine with `--userns-remap`, of its own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use crate::engine::{Engine, Kind};
use crate::lab::{Lab, PATIENCE, until};
use crate::worlds::spoken;

/// The user the containers' root is on the host, and how many there are.
const SUBORDINATE: &str = "nobody:200000:65536\n";

fn output(engine: &Engine, name: &str) -> String {
    let ran = engine.docker(&["logs", name]).expect(0);
    ran.stdout + &ran.stderr
}

#[track_caller]
fn wait(engine: &Engine, name: &str, word: &str, times: usize) {
    until(&format!("{word} in the log of {name}"), || {
        (output(engine, name).matches(word).count() >= times).then_some(())
    });
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
    let kind = Kind {
        options: &["--userns-remap=nobody:nogroup"],
        subordinate: Some(SUBORDINATE),
    };
    let engine = Engine::start(lab.directory("engine"), &kind);
    engine.load(&image);

    // An agent that runs as the very user that stands for everybody unknown.
    let nobody = lab.named("nobody");
    let options = ["run", "-d", "--net=none", "--user=65534:65534", "--name"];
    engine
        .docker(&[&options[..], &[&nobody, &image]].concat())
        .expect(0);
    wait(&engine, &nobody, "= LIFECYCLE: UP", 1);
    is_refused(&format!(
        "/proc/{}/root/dev/shm/ww/agent.sock",
        agent_of(265_534)
    ));
    assert!(!output(&engine, &nobody).contains("STOPPED"));
    engine.docker(&["stop", "-t", "60", &nobody]).expect(0);

    let name = lab.named("app");
    engine
        .docker(&["run", "-d", "--net=none", "--name", &name, &image])
        .expect(0);
    wait(&engine, &name, "= LIFECYCLE: UP", 1);
    // From the host, root is nobody that the container knows.
    is_refused(&format!(
        "/proc/{}/root/run/ww/agent.sock",
        agent_of(200_000)
    ));
    assert!(!output(&engine, &name).contains("STOPPED"));

    // Root of the container may ask.
    let status = engine
        .docker(&["exec", &name, "/ww/bin/ww-agent", "status", "--json"])
        .expect(0);
    assert!(status.stdout.contains("\"state\":\"UP\""), "{status:?}");
    engine.docker(&["kill", "-s", "HUP", &name]).expect(0);
    wait(&engine, &name, "= LIFECYCLE: UP", 2);
    for boot in 1..=2 {
        engine.docker(&["stop", "-t", "60", &name]).expect(0);
        let code = engine
            .docker(&["inspect", "-f", "{{.State.ExitCode}}", &name])
            .expect(0);
        assert_eq!(code.stdout.trim(), "0");
        if boot == 1 {
            engine.docker(&["start", &name]).expect(0);
            wait(&engine, &name, "= LIFECYCLE: UP", 3);
        }
    }
    assert!(!output(&engine, &name).contains("ERROR"));
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
