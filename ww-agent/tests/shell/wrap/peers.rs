//! Beside tini and dumb-init, case by case.

use std::path::PathBuf;

use crate::harness::{Agent, Image};

/// What is done, and the exit code that all of them are to end with.
struct Case {
    program: &'static str,
    /// Sent to the supervisor when the program has said that it is ready.
    signals: &'static [&'static str],
    code: i32,
}

const fn case(program: &'static str, signals: &'static [&'static str], code: i32) -> Case {
    Case {
        program,
        signals,
        code,
    }
}

const READY: &str = "echo ready >> $LOG; ";
const WAIT: &str = "while :; do sleep 0.02; done";

const CASES: [Case; 22] = [
    case("exit 0", &[], 0),
    case("exit 1", &[], 1),
    case("exit 127", &[], 127),
    case("exit 255", &[], 255),
    case("kill -TERM $$", &[], 143),
    case("kill -KILL $$", &[], 137),
    case("ulimit -c 0; kill -SEGV $$", &[], 139),
    case("ulimit -c 0; kill -ABRT $$", &[], 134),
    case("READY WAIT", &["TERM"], 143),
    case("READY WAIT", &["INT"], 130),
    case("READY WAIT", &["HUP"], 129),
    case("READY WAIT", &["USR1"], 138),
    case("READY WAIT", &["USR2"], 140),
    case("READY WAIT", &["ALRM"], 142),
    case("READY exec sleep 1000", &["TERM"], 143),
    case("trap 'exit 0' TERM; READY WAIT", &["TERM"], 0),
    case("trap 'exit 7' INT; READY WAIT", &["INT"], 7),
    case(
        "trap 'echo ready >> $LOG' TERM; trap 'exit 6' USR1; READY WAIT",
        &["TERM", "USR1"],
        6,
    ),
    case("trap '' TERM; trap 'exit 5' USR2; READY WAIT", &["USR2"], 5),
    case("sleep 1000 & exit 4", &[], 4),
    case("setsid sleep 1000 & exit 3", &[], 3),
    case(
        "i=0; while [ $i -lt 50 ]; do (sh -c 'exit 1' &); i=$((i+1)); done; exit 2",
        &[],
        2,
    ),
];

fn run(image: Image, case: &Case) -> i32 {
    let program = case.program.replace("READY ", READY).replace("WAIT", WAIT);
    let mut agent = image.command(&["sh", "-c", &program]).start();
    for (number, signal) in case.signals.iter().enumerate() {
        agent.wait_log("ready", number + 1);
        send(&agent, signal);
    }
    agent.exit()
}

fn send(agent: &Agent, signal: &str) {
    let name = format!("SIG{signal}");
    agent.signal(name.parse().unwrap());
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own seam to their environment"
)]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

/// The others, as `scripts/peers.sh` finds them; only in long runs, which may download them.
fn peers() -> Vec<Vec<String>> {
    if variable("WW_SOAK").is_none_or(|value| value != "1") {
        return Vec::new();
    }
    let peers = PathBuf::from(variable("WW_PEERS").expect("WW_PEERS is not set: run `make soak`"));
    ["tini", "dumb-init"]
        .map(|name| peers.join("bin").join(name))
        .map(|path| vec![path.to_str().unwrap().to_owned()])
        .into()
}

#[test]
fn every_case_ends_with_the_same_exit_code() {
    for case in &CASES {
        let say = |who: &str| format!("{who}: {} {:?}", case.program, case.signals);
        assert_eq!(run(Image::foreign(), case), case.code, "{}", say("ours"));
        assert_eq!(
            run(Image::foreign().among_others(), case),
            case.code,
            "{}",
            say("ours, among others")
        );
        for peer in peers() {
            let words: Vec<&str> = peer.iter().map(String::as_str).collect();
            let code = run(Image::foreign().supervisor(&words), case);
            assert_eq!(code, case.code, "{}", say(&peer[0]));
        }
    }
}
