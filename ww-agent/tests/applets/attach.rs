use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::process::{Child, Stdio};

use crate::agent::Agent;
use crate::{feed, outcome};

fn attached(agent: &Agent) -> Child {
    agent
        .client(&["attach"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn bytes_pass_both_ways_as_they_are_and_at_once() {
    let agent = Agent::serving(|mut client| {
        client.write_all(b"\x00hello\xff").unwrap();
        let mut asked = [0; 6];
        client.read_exact(&mut asked).unwrap();
        assert_eq!(&asked, b"ask\x00\xfe\n");
        client.write_all(b"answer").unwrap();
        // Ends when the client's stdin does.
        assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
    });
    let mut child = attached(&agent);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut said = [0; 7];
    stdout.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"\x00hello\xff");
    // Neither side has closed or filled anything, and still it arrives.
    stdin.write_all(b"ask\x00\xfe\n").unwrap();
    let mut said = [0; 6];
    stdout.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"answer");
    drop(stdin);
    agent.join();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_answer_still_comes_after_stdin_has_ended() {
    let agent = Agent::serving(|mut client| {
        let mut asked = String::new();
        client.read_to_string(&mut asked).unwrap();
        client.write_all(asked.to_uppercase().as_bytes()).unwrap();
    });
    feed(&mut agent.client(&["attach"]), b"question\n").is(0, "QUESTION\n");
}

#[test]
fn it_ends_when_the_agent_does_though_stdin_stays_open() {
    let agent = Agent::serving(|mut client| client.write_all(b"last words").unwrap());
    let mut child = attached(&agent);
    let stdin = child.stdin.take();
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "last words");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(stdin);
}

#[test]
fn it_ends_when_nobody_reads_its_stdout() {
    let agent = Agent::serving(|mut client| {
        client.write_all(b"first\n").unwrap();
        // Nothing more is said: the end must be noticed without a write.
        assert_eq!(client.read_to_end(&mut Vec::new()).unwrap(), 0);
    });
    let mut child = attached(&agent);
    let stdin = child.stdin.take();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    agent.join();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(stdin);
}

#[test]
fn much_passes_both_ways_with_neither_side_waiting_for_the_other() {
    const MUCH: usize = 8 * 1024 * 1024;
    let agent = Agent::serving(|client| {
        let mut heard = client.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            heard.read_to_end(&mut bytes).unwrap();
            assert!(bytes.len() == MUCH && bytes.iter().all(|byte| *byte == b'u'));
        });
        let mut client = client;
        client.write_all(&vec![b'd'; MUCH]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        reader.join().unwrap();
    });
    let mut child = attached(&agent);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&vec![b'u'; MUCH]);
    });
    let mut bytes = Vec::new();
    stdout.read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() == MUCH && bytes.iter().all(|byte| *byte == b'd'));
    writer.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(agent);
}

#[test]
fn it_sleeps_while_nothing_is_said() {
    let agent = Agent::serving(|mut client| {
        client.write_all(b"hello\n").unwrap();
        let _ = client.read_to_end(&mut Vec::new());
    });
    let mut child = attached(&agent);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    let before = wake_ups(child.id());
    // Long enough for anything periodic to show.
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert!(wake_ups(child.id()) <= before + 1);
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    agent.join();
}

fn wake_ups(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn it_takes_no_arguments() {
    let agent = Agent::saying("");
    let outcome = outcome(&mut agent.client(&["attach", "shop"]));
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    drop(std::os::unix::net::UnixStream::connect(agent.socket()));
}
