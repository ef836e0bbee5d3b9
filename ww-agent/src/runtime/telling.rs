//! Tells the world: the socket's listeners, and the scripts made for it.

use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, send};
use whaleware::lifecycle::{Hook, Moment};
use whaleware::protocol::{FromAgent, Hello, MAX_TEXT, Note, VERSION, encode};

use super::{Runtime, SAMPLE};
use crate::clock;
use crate::hooks::{Owner, Task};
use crate::log::{self, Level};
use crate::server::{Admitted, Server};

impl Runtime {
    /// A line for everybody who listens.
    pub(super) fn tell(&mut self, message: &FromAgent) {
        if let Some(server) = &mut self.server
            && server.has_listeners()
            && let Ok(line) = encode(message)
        {
            server.broadcast(&line, &self.poller);
        }
    }

    /// A line for one of them.
    pub(super) fn send(&mut self, client: u32, line: &[u8]) {
        if let Some(server) = &mut self.server {
            server.send(client, line, &self.poller);
        }
    }

    pub(super) fn tell_health(&mut self) {
        let report = self.record.health.clone();
        self.tell(&FromAgent::Health(report));
    }

    /// Something an operator should know.
    pub(super) fn note(&mut self, text: &str) {
        let note = Note {
            at: clock::wall(),
            text: log::plain(text, MAX_TEXT),
        };
        self.tell(&FromAgent::Note(note));
    }

    /// The agent cannot do something here; it says so and goes on.
    pub(super) fn degrade(&mut self, text: &str) {
        if self.record.degrade(text) {
            // A command that runs as well without needs no warning.
            let level = if self.command.is_some() {
                Level::Info
            } else {
                Level::Warning
            };
            self.output.log(level, text);
            self.note(text);
        }
    }

    /// Lets in who wants to listen, and tells them everything that is true now.
    pub(super) fn accept(&mut self) {
        let Some(server) = &mut self.server else {
            return;
        };
        let Admitted { new, turned_away } = server.accept(&self.poller);
        if new.is_empty() && turned_away.is_empty() {
            return;
        }
        let now = clock::now();
        if self.next_sample.is_none() {
            // For the snapshot only: `hello` comes before everything else.
            self.record.resources = Some(self.sampler.sample(now));
            self.next_sample = Some(now + SAMPLE);
        }
        let hello = FromAgent::Hello(Hello {
            protocol: VERSION,
            agent: env!("CARGO_PKG_VERSION").into(),
            boot: self.boot.clone(),
            hostname: hostname(),
        });
        // In one piece: with a hundred agents asked at once every system call counts.
        let mut greeting = encode(&hello).unwrap_or_default();
        greeting.extend(self.record.snapshot(now));
        for id in new {
            self.send(id, &greeting);
        }
        // A health check asks for no more than this, and must not fail because others stay long.
        for stream in turned_away {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            let _ = send(stream.as_raw_fd(), &greeting, flags);
        }
    }

    /// With nobody listening there is no sampling, and no timer for it.
    pub(super) fn stop_sampling(&mut self) {
        let listened = self.server.as_ref().is_some_and(Server::has_listeners);
        if self.next_sample.is_some() && !listened {
            self.next_sample = None;
            self.sampler.forget();
        }
    }

    /// Takes a sample for those who listen.
    pub(super) fn sample(&mut self, now: Moment) {
        let sample = self.sampler.sample(now);
        self.record.resources = Some(sample.clone());
        self.next_sample = Some(now + SAMPLE);
        self.tell(&FromAgent::Resources(sample));
    }

    /// Starts the scripts that tell the world, when there is something to tell and none runs.
    /// Answers whether something was done.
    pub(super) fn begin_telling(&mut self) -> bool {
        if self.watches.everyone.is_some() || self.exit.is_some() {
            return false;
        }
        let state = self.states.begin();
        if let Some((_, state)) = state {
            let argument = Some(state.name().to_owned());
            let owner = Owner::Lifecycle;
            let ended = self.hooks.start(
                owner,
                Task::Hook(Hook::Lifecycle),
                state,
                argument,
                &self.poller,
            );
            self.ended.extend(ended);
        }
        let numbers = self.stats.begin();
        let sends = numbers.is_some();
        if sends {
            let (owner, state) = (Owner::Pushstats, self.record.state());
            let ended = self.hooks.start(
                owner,
                Task::Hook(Hook::Pushstats),
                state,
                numbers,
                &self.poller,
            );
            self.ended.extend(ended);
        }
        state.is_some() || sends
    }
}

fn hostname() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    log::plain(&name.to_string_lossy(), 64)
}
