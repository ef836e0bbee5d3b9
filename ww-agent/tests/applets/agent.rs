//! A stand-in for the agent: a listener that says given bytes. The real one has tests of its own.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;

use crate::ww_agent;

/// A listener on a socket of its own, gone with this value.
pub(crate) struct Agent {
    directory: tempfile::TempDir,
    served: Option<JoinHandle<()>>,
}

impl Agent {
    /// Serves one client.
    pub(crate) fn serving(serve: impl FnOnce(UnixStream) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("agent.sock")).unwrap();
        let served = std::thread::spawn(move || serve(listener.accept().unwrap().0));
        Self {
            directory,
            served: Some(served),
        }
    }

    /// Says this, then listens until the client goes.
    pub(crate) fn saying(said: impl Into<Vec<u8>>) -> Self {
        let said = said.into();
        Self::serving(move |mut client| {
            client.write_all(&said).unwrap();
            let _ = client.read_to_end(&mut Vec::new());
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("agent.sock")
    }

    /// The binary, shown this agent.
    pub(crate) fn client(&self, arguments: &[&str]) -> Command {
        let mut command = ww_agent();
        command.args(arguments).env("WW_SOCKET", self.socket());
        command
    }

    /// Waits until the client has been served.
    pub(crate) fn join(mut self) {
        self.served.take().unwrap().join().unwrap();
    }
}

pub(crate) const HELLO: &str =
    r#"{"type":"hello","protocol":1,"agent":"0.1.0","boot":"b-1","hostname":"shop"}"#;

/// A greeting with these fields of the snapshot replaced.
pub(crate) fn greeting(changes: &str) -> String {
    let mut snapshot: serde_json::Value = serde_json::from_str(
        r#"{
        "type": "snapshot", "at": "2026-11-22T17:00:10Z", "booted": "2026-11-22T16:48:00Z",
        "state": "UP", "since": "2026-11-22T16:48:07Z", "since_ms": 723000, "cause": "warmup finished",
        "health": {"status": "passing", "failures": 0, "at": "2026-11-22T17:00:00Z"},
        "monitor": {"at": "2026-11-22T17:00:00Z", "exit": 0, "duration_ms": 17, "value": {"users": 3}},
        "restarts": {"total": 2, "in_a_row": 1, "max": 5, "last": "2026-11-22T16:50:00Z", "cause": "monitor exited 1"},
        "stop": {"drain_ms": 0, "grace_ms": 5000},
        "hooks": [
            {"run": 1, "hook": "boot", "state": "BOOT", "at": "2026-11-22T16:48:00Z", "result": "ok", "duration_ms": 1200, "exit": 0},
            {"run": 2, "hook": "svcup", "state": "WARMUP", "at": "2026-11-22T16:48:02Z", "result": "tolerated", "duration_ms": 4250, "exit": 3},
            {"run": 3, "hook": "warmup", "state": "WARMUP", "at": "2026-11-22T16:48:07Z", "result": "missing", "duration_ms": 0}
        ],
        "later": {"unknown": true}
    }"#,
    )
    .unwrap();
    let changes: serde_json::Value = serde_json::from_str(changes).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        snapshot[key] = value.clone();
    }
    format!("{HELLO}\n{{\"type\":\"later\"}}\n{snapshot}\n")
}
