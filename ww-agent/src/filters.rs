//! jq filters asked for on the socket, each run by a child of its own.
//!
//! A filter can loop for ever, or exhaust the stack. PID 1 must do neither, so the same binary's
//! `cfg` is started for it, which limits itself in memory and time and is killed when it is late.

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::libc::SIGKILL;
use serde_json::{Value, json};
use whaleware::lifecycle::Moment;
use whaleware::protocol::RequestId;

use crate::clock;
use crate::hooks::Owner;
use crate::output::Output;
use crate::pipes::{Capture, Pipes};
use crate::poller::Poller;
use crate::server::{failure, success};
use crate::sys::{self, Ending};

/// So many filters run at once.
const MOST: usize = 4;
/// So long one may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A filter that is running.
#[derive(Debug)]
struct Running {
    number: u32,
    client: u32,
    id: RequestId,
    until: Moment,
    killed: bool,
}

/// All filters that are running, by the process that runs them.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    running: BTreeMap<i32, Running>,
    last: u32,
}

impl Filters {
    /// Starts one. The answer to its client when it cannot be started.
    pub(crate) fn start(
        &mut self,
        client: u32,
        id: RequestId,
        filter: &str,
        pipes: &mut Pipes,
        poller: &Poller,
    ) -> Option<Vec<u8>> {
        if self.running.len() >= MOST {
            let message = "too many filters are running already";
            return Some(failure(id, "refused", message));
        }
        self.last = self.last.wrapping_add(1);
        let number = self.last;
        match spawn(number, filter, pipes, poller) {
            Ok(pid) => {
                let until = clock::now() + PATIENCE;
                let running = Running {
                    number,
                    client,
                    id,
                    until,
                    killed: false,
                };
                self.running.insert(pid, running);
                None
            }
            Err(error) => {
                pipes.forget(Owner::Filter(number), poller);
                let message = format!("cannot start a process for the filter: {error}");
                Some(failure(id, "filter", &message))
            }
        }
    }

    /// A process ended: the client to be answered and the answer, if it ran a filter.
    pub(crate) fn reaped(
        &mut self,
        pid: i32,
        ending: Ending,
        pipes: &mut Pipes,
        output: &mut Output,
        poller: &Poller,
    ) -> Option<(u32, Vec<u8>)> {
        let running = self.running.remove(&pid)?;
        let printed = pipes
            .finish(Owner::Filter(running.number), output, poller)
            .unwrap_or_default();
        let Running {
            client, id, killed, ..
        } = running;
        Some((client, answer(id, killed, ending, &printed)))
    }

    /// When [`Self::cut`] is wanted.
    pub(crate) fn next_cut(&self) -> Option<Moment> {
        self.running
            .values()
            .filter(|running| !running.killed)
            .map(|running| running.until)
            .min()
    }

    /// Kills those that have had their time.
    pub(crate) fn cut(&mut self, now: Moment) {
        for (pid, running) in &mut self.running {
            if running.until <= now && !running.killed {
                running.killed = true;
                sys::send(-*pid, SIGKILL);
            }
        }
    }
}

fn spawn(number: u32, filter: &str, pipes: &mut Pipes, poller: &Poller) -> io::Result<i32> {
    let ends = pipes.make(Owner::Filter(number), true, poller)?;
    // What it complains about belongs to whoever asked, not to the log.
    let complaints = ends.stdout.try_clone()?;
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["cfg", "--json", "-c", "--", filter])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(ends.stdout)
        .stderr(complaints);
    sys::isolate(&mut command);
    let child = command.spawn()?;
    Ok(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

fn answer(id: RequestId, killed: bool, ending: Ending, printed: &Capture) -> Vec<u8> {
    if killed {
        let message = format!("the filter took longer than {} s", PATIENCE.as_secs());
        return failure(id, "filter", &message);
    }
    let text = String::from_utf8_lossy(&printed.head);
    match ending {
        Ending::Exited(0) if printed.truncated => failure(
            id,
            "toolarge",
            "the answer does not fit into a line; ask for less",
        ),
        Ending::Exited(0) => {
            let values: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
            match values {
                Ok(values) => success(id, Some(json!({ "values": values }))),
                Err(_) => failure(
                    id,
                    "filter",
                    "the filter printed something that is not JSON",
                ),
            }
        }
        Ending::Exited(_) => {
            let said = text.trim().trim_start_matches("ww-agent cfg: ");
            failure(id, "filter", said)
        }
        Ending::Signalled(number) => {
            let message = format!("the filter was ended by signal {number}: it took too much");
            failure(id, "filter", &message)
        }
    }
}
