//! An honest client: it reads everything, misses nothing, and notes how late the checks come.

use std::time::Duration;

use serde_json::Value;

use crate::harness::Listener;

/// The pause between two checks.
pub(crate) const INTERVAL: Duration = Duration::from_millis(50);

/// The monitor of an agent that is listened to. It counts, says when it began and when it ended in
/// microseconds, and prints as much as makes a client that does not read fall behind soon.
pub(crate) const MONITOR: &[u8] = br#"#!/bin/bash
begun=${EPOCHREALTIME/[.,]/}
n=0; [ -e "$ROOT/n" ] && read -r n < "$ROOT/n"
n=$((n+1)); echo $n > "$ROOT/n"
printf '{"n":%d,"begun":%s,"padding":"%12000s","ended":%s}' $n $begun "" ${EPOCHREALTIME/[.,]/}
"#;

/// What an honest client has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) transitions: u64,
    pub(crate) checks: u64,
    /// How long after its time each check began: from the end of the one before, as both saw it
    /// themselves, less the interval. What the kernel needs to make a process is in it.
    late: Vec<Duration>,
    last: Option<(u64, u64)>,
    /// A restart may end a check before it reports.
    restarted: bool,
}

impl Seen {
    /// What a snapshot tells.
    pub(crate) fn first(snapshot: &Value) -> Self {
        let told = snapshot["transitions"].as_array().unwrap().last().unwrap();
        Self {
            transitions: told["number"].as_u64().unwrap(),
            ..Self::default()
        }
    }

    /// Listens until the agent has ended.
    pub(crate) fn all(mut self, mut listener: Listener) -> Self {
        while let Some(line) = listener.next() {
            self.take(&line);
        }
        self
    }

    fn take(&mut self, line: &Value) {
        let number = |name: &str| line[name].as_u64();
        match line["type"].as_str() {
            Some("state") => {
                assert_eq!(number("number"), Some(self.transitions + 1), "{line}");
                self.transitions += 1;
                self.restarted = true;
            }
            Some("monitor") => self.check(&line["value"]),
            _ => {}
        }
    }

    fn check(&mut self, value: &Value) {
        let field = |name: &str| value[name].as_u64().expect("a number");
        let (n, begun) = (field("n"), field("begun"));
        if let Some((last, ended)) = self.last {
            let next = n == last + 1;
            assert!(next || self.restarted, "check {n} after {last}");
            if !self.restarted {
                let pause = Duration::from_micros(begun.saturating_sub(ended));
                self.late.push(pause.saturating_sub(INTERVAL));
            }
        }
        self.checks += 1;
        self.restarted = false;
        self.last = Some((n, field("ended")));
    }

    /// So many of a hundred checks were at most that late.
    pub(crate) fn late(&self, percent: usize) -> Duration {
        let mut late = self.late.clone();
        late.sort_unstable();
        late[(late.len() - 1) * percent / 100]
    }
}
