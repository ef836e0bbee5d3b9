//! jq filters asked for on the socket, each run by a child of its own.
//!
//! A filter can loop for ever, or exhaust the stack. PID 1 must do neither, so the same binary's
//! `cfg` is started for it, which limits itself in memory and time and is killed when it is late.

use std::collections::BTreeMap;
use std::io;
use std::process::Command;
use std::time::Duration;

use nix::libc::SIGKILL;
use serde_json::{Value, json};
use whaleware::lifecycle::Moment;
use whaleware::protocol::{RequestId, is_shallow};

use crate::clock;
use crate::hooks::Owner;
use crate::output::Output;
use crate::pipes::{Keep, Kept, Pipes};
use crate::poller::Poller;
use crate::server::{failure, success};
use crate::spawn::spawn;
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
        match begin(number, filter, pipes, poller) {
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
        let kept = pipes.finish(Owner::Filter(running.number), output, poller);
        let Running {
            client, id, killed, ..
        } = running;
        Some((client, answer(id, killed, ending, &kept)))
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

fn begin(number: u32, filter: &str, pipes: &mut Pipes, poller: &Poller) -> io::Result<i32> {
    let ends = pipes.make(Owner::Filter(number), Keep::Both, poller)?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["cfg", "--json", "-c", "--", filter]);
    Ok(spawn(&command, &ends)?)
}

fn answer(id: RequestId, killed: bool, ending: Ending, kept: &Kept) -> Vec<u8> {
    if killed {
        let message = format!("the filter took longer than {} s", PATIENCE.as_secs());
        return failure(id, "filter", &message);
    }
    match ending {
        Ending::Exited(0) => match values(kept) {
            Ok(values) => success(id, Some(json!({ "values": values }))),
            Err((code, message)) => failure(id, code, message),
        },
        // Only what it complains about is passed on: what it printed before are values.
        Ending::Exited(code) => {
            let said = kept
                .stderr
                .as_ref()
                .map_or(&[][..], |capture| &capture.head);
            let said = String::from_utf8_lossy(said);
            // Its first line tells the place; the filter and the mark below it are for a terminal, and a
            // message of the protocol is one line.
            let said = said.trim().lines().next().unwrap_or_default();
            let said = said.trim_start_matches("ww-agent cfg: ");
            if said.is_empty() {
                failure(
                    id,
                    "filter",
                    &format!("the filter ended with exit code {code}"),
                )
            } else {
                failure(id, "filter", said)
            }
        }
        Ending::Signalled(number) => {
            let message = format!("the filter was ended by signal {number}: it took too much");
            failure(id, "filter", &message)
        }
    }
}

/// What the filter printed, a value a line, or the code and the words of why that cannot be told.
fn values(kept: &Kept) -> Result<Vec<Value>, (&'static str, &'static str)> {
    let Some(printed) = &kept.stdout else {
        return Ok(Vec::new());
    };
    if printed.truncated {
        return Err((
            "toolarge",
            "the answer does not fit into a line; ask for less",
        ));
    }
    let text = String::from_utf8_lossy(&printed.head);
    let values: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|_| {
            (
                "filter",
                "the filter printed something that cannot be told as JSON",
            )
        })?;
    if !values.iter().all(is_shallow) {
        return Err(("toolarge", "the answer is nested too deep; ask for less"));
    }
    Ok(values)
}
