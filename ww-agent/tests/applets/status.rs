use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use crate::agent::{Agent, HELLO, greeting};
use crate::{outcome, ww_agent};

#[test]
fn a_page_says_how_the_container_stands() {
    let agent = Agent::saying(greeting("{}"));
    outcome(&mut agent.client(&["status"])).is(
        0,
        "\
state     UP for 12m 3s (since 2026-11-22T16:48:07Z)
cause     warmup finished
health    passing
restarts  2, 1 of 5 in a row; last 2026-11-22T16:50:00Z: monitor exited 1
agent     0.1.0 (protocol 1) on shop

last check 2026-11-22T17:00:00Z, exit 0, 17ms
  {
    \"users\": 3
  }

scripts of this boot, begun 2026-11-22T16:48:00Z
  +0ms      BOOT       boot       1.2s  ok
  +2.0s     WARMUP     svcup      4.2s  failed, went on: exit 3
",
    );
}

#[test]
fn a_script_that_runs_is_shown_with_what_it_says() {
    let agent = Agent::saying(greeting(
        r#"{"running": {"run": 4, "hook": "svcdown", "state": "STOPPED", "at": "2026-11-22T16:50:00Z",
            "result": "running", "duration_ms": 65000, "status": "saving\u001b[2J", "progress": 40}}"#,
    ));
    let page = outcome(&mut agent.client(&["status"])).stdout;
    let line = page.lines().last().unwrap();
    assert_eq!(
        line,
        "  +2m       STOPPED    svcdown     1m 5s  running, 40 %: saving\u{fffd}[2J"
    );
}

const SERVICES: &str = r#"{"health": {"status": "failing", "failures": 1}, "services": [
    {"service": "10-db", "status": "up", "since": "2026-11-22T16:48:00Z", "pid": 41,
     "text": "serving on 5432\u001b[2J", "progress": 40},
    {"service": "web", "status": "waiting", "since": "2026-11-22T16:49:00Z", "restarts": 2,
     "detail": "gave no sign of life for 1s"},
    {"service": "x", "status": "down", "since": "2026-11-22T16:49:00Z", "restarts": 1, "exit": 3}
]}"#;

#[test]
fn services_are_shown_and_the_one_that_is_not_up_is_named() {
    let agent = Agent::saying(greeting(SERVICES));
    let page = outcome(&mut agent.client(&["status"])).stdout;
    assert!(
        page.contains("health    failing(1): not up: web\n"),
        "{page}"
    );
    let shown = "
services
  10-db  up        pid 41      40 %, says: serving on 5432\u{fffd}[2J
  web    waiting               2 restarts, last gave no sign of life for 1s
  x      down                  1 restart, last exited 3

last check";
    assert!(page.contains(shown), "{page}");
    let agent = Agent::saying(greeting(SERVICES));
    let shown = outcome(&mut agent.client(&["status", "--json"])).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["services"][0]["pid"], 41);
    assert_eq!(shown["services"][1]["service"], "web");
    assert_eq!(shown["services"][2]["exit"], 3);
}

#[test]
fn json_is_one_object_with_its_schema() {
    let agent = Agent::saying(greeting("{}"));
    let outcome = outcome(&mut agent.client(&["status", "--json"]));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let shown: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(shown["schema"], 1);
    assert_eq!(shown["state"], "UP");
    assert_eq!(shown["boot"], "b-1");
    assert_eq!(shown["monitor"]["value"]["users"], 3);
    assert_eq!(shown["hooks"][1]["exit"], 3);
    assert_eq!(outcome.stdout.lines().count(), 1);
}

#[test]
fn nothing_the_agent_passes_on_controls_the_terminal() {
    let agent = Agent::saying(greeting(
        r#"{"cause": "\u001b]0;owned\u0007\u009b2J\nstate UP", "monitor":
            {"at": "2026-11-22T17:00:00Z", "exit": 1, "duration_ms": 1, "text": "a\u001b[2J\nb"}}"#,
    ));
    let page = outcome(&mut agent.client(&["status"])).stdout;
    assert!(page.contains("cause     \u{fffd}]0;owned"), "{page}");
    assert!(
        page.chars().all(|c| c == '\n' || !c.is_control()),
        "{page:?}"
    );
}

#[test]
fn an_answer_in_pieces_is_put_together() {
    let agent = Agent::serving(|mut client| {
        for piece in greeting("{}").as_bytes().chunks(97) {
            client.write_all(piece).unwrap();
        }
        drop(client);
    });
    assert_eq!(outcome(&mut agent.client(&["status"])).code, Some(0));
    agent.join();
}

#[test]
fn health_is_judged_from_state_and_checks() {
    let table = [
        ("{}", 0, "UP, health passing\n"),
        (
            r#"{"health":{"status":"unknown"}}"#,
            0,
            "UP, health unknown\n",
        ),
        (
            r#"{"health":{"status":"failing","failures":2,"detail":"monitor exited 1"}}"#,
            1,
            "UP, health failing(2): monitor exited 1\n",
        ),
        (
            r#"{"state":"RESTARTING","cause":"SIGHUP","since_ms":1500}"#,
            1,
            "RESTARTING for 1.5s: SIGHUP\n",
        ),
        (
            r#"{"state":"BOOT","since_ms":20}"#,
            1,
            "BOOT for 20ms: warmup finished\n",
        ),
    ];
    for (changes, code, line) in table {
        let agent = Agent::saying(greeting(changes));
        outcome(&mut agent.client(&["health"])).is(code, line);
    }
}

#[test]
fn a_silent_agent_is_given_up_within_its_two_seconds() {
    for said in [String::new(), format!("{HELLO}\n")] {
        for applet in ["status", "health"] {
            let agent = Agent::saying(said.clone());
            let begun = started();
            let outcome = outcome(&mut agent.client(&[applet]));
            assert!(begun.elapsed() < Duration::from_secs(5));
            assert_eq!(outcome.code, Some(1), "{outcome:?}");
            let text = outcome.stdout + &outcome.stderr;
            assert!(text.contains("is silent for 2 s"), "{text}");
        }
    }
}

#[test]
fn an_agent_that_does_not_accept_is_given_up_too() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // Fill the queue that nobody empties.
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let waiting = UnixStream::connect(&socket).unwrap();
    let begun = started();
    let outcome = outcome(ww_agent().arg("health").env("WW_SOCKET", &socket));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome.stdout.contains("too many are waiting"),
        "{outcome:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(waiting);
}

#[test]
fn where_no_agent_answers_the_message_says_what_was_tried() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("agent.sock");
    let shown = missing.display();
    outcome(ww_agent().arg("status").env("WW_SOCKET", &missing)).fails(
        1,
        &format!(
            "ww-agent status: no agent answers: cannot connect to {shown}: No such file or directory (os error 2); is the container running `/ww/run`?\n"
        ),
    );
    // A socket that a killed agent left behind.
    drop(UnixListener::bind(&missing).unwrap());
    let refused = outcome(ww_agent().arg("attach").env("WW_SOCKET", &missing));
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("nobody listens there any more"),
        "{refused:?}"
    );
    let long = directory.path().join("x".repeat(120));
    let refused = outcome(ww_agent().arg("status").env("WW_SOCKET", &long));
    assert!(
        refused.stderr.contains("longer than 107 bytes"),
        "{refused:?}"
    );
    let both = outcome(ww_agent().arg("status")).stderr;
    assert!(
        both.contains("/run/ww/agent.sock") && both.contains("/dev/shm/ww/agent.sock"),
        "{both}"
    );
}

#[test]
fn what_is_no_agent_is_told_so() {
    let long = vec![b'x'; 200_000];
    let table: [(&[u8], &str); 6] = [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "it does not speak the protocol"),
        (b"{}\n", "it does not speak the protocol"),
        (b"{\"type\":\"note\",\"at\":\"2026-11-22T17:00:00Z\",\"text\":\"x\"}\n", "it did not say hello"),
        (b"\xff\xfe\x00\n", "it does not speak the protocol"),
        (&long, "a line is longer than 65536 bytes"),
        (
            b"{\"type\":\"hello\",\"protocol\":1,\"agent\":\"x\",\"boot\":\"y\"}\n{\"type\":\"snapshot\"}\n",
            "its snapshot cannot be read",
        ),
    ];
    for (said, expected) in table {
        let said = said.to_vec();
        let agent = Agent::serving(move |mut client| {
            // The applet may go before it has heard all.
            let _ = client.write_all(&said);
            let _ = std::io::copy(&mut client, &mut std::io::sink());
        });
        let outcome = outcome(&mut agent.client(&["status"]));
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(expected), "{outcome:?}");
    }
    let agent = Agent::serving(drop);
    let outcome = outcome(&mut agent.client(&["status"]));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome.stderr.contains("closed the connection"),
        "{outcome:?}"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test measures how long a program took"
)]
fn started() -> Instant {
    Instant::now()
}
