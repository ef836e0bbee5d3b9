//! What must hold of the log of any life, whatever happened in it.

use super::rounds::{Around, Reach, Rounds};
use crate::lifecycle::Policy;

/// How a restart stands, from its RESTARTING to what comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restart {
    /// None is under way.
    None,
    /// Begun, its `svcdown` not yet.
    Begun,
    /// Its `svcdown` was started.
    Down,
    /// Its `svcup` was started.
    Up,
}

/// How the lease of a backup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    None,
    /// Asked for, and heard.
    Given,
    /// Nothing runs.
    Held,
}

/// Reads a log line by line; each says what is no longer allowed.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that the log has said, of the machine's states it must know nothing"
)]
struct Reader<'a> {
    policy: &'a Policy,
    /// Scripts that run and have not been killed.
    running: Vec<&'a str>,
    /// Scripts that were told to end: what they answer then is no success.
    told: Vec<&'a str>,
    /// Groups that are watched and not yet empty.
    watched: Vec<&'a str>,
    /// How many groups were watched in this restart.
    groups: usize,
    stopping: bool,
    over: bool,
    been_up: bool,
    restart: Restart,
    /// How a lease stands: none, given, nothing runs by now.
    lease: Lease,
    /// `svcup` was started and no `svcdown` since.
    services: bool,
    /// `svcup` has finished, and `warmup`, since the last `svcup` was started.
    svcup: bool,
    warmup: bool,
    /// The container is there for one command.
    wraps: bool,
    rounds: Rounds<'a>,
}

/// Holds the log against every promise.
///
/// # Errors
/// The promise that was broken.
pub(super) fn hold(log: &[String], policy: &Policy, wraps: bool) -> Result<Reach, String> {
    let mut reader = Reader {
        policy,
        running: Vec::new(),
        told: Vec::new(),
        watched: Vec::new(),
        groups: 0,
        stopping: false,
        over: false,
        been_up: false,
        restart: Restart::None,
        lease: Lease::None,
        services: false,
        svcup: false,
        warmup: false,
        wraps,
        rounds: Rounds::new(policy),
    };
    for (index, line) in log.iter().enumerate() {
        reader
            .line(line)
            .map_err(|broken| format!("{broken}, at the end of {:#?}", &log[..=index]))?;
    }
    Ok(reader.rounds.reach)
}

fn must(holds: bool, broken: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken.into()) }
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        // What the world did by itself, and what it was answered, is no act of the machine.
        let heard = ["Begun", "Joined", "Queued"].contains(&word) || word.starts_with("Refused");
        let given = ["empty", "know", "t", "began", "ready", "triggered"].contains(&word);
        let act = !(heard || given || word.starts_with('-'));
        must(!act || !self.over, "something after the end")?;
        if self.of_services(word, rest)? {
            return Ok(());
        }
        if let Some(hook) = word.strip_prefix('+') {
            return self.started(hook);
        }
        if let Some(hook) = word.strip_prefix('-') {
            self.ended(hook, rest == "ok");
            return Ok(());
        }
        match word {
            "TERM" | "KILL" => self.signalled(word, rest),
            "watch" => {
                self.watched.push(rest);
                self.groups += 1;
            }
            "empty" => self.watched.retain(|group| *group != rest),
            "tolerated" => return self.tolerated(rest),
            "unheard" => return must(false, "the end of a script that led to nothing"),
            "held" => {
                must(self.lease == Lease::Given, "held without a lease")?;
                must(self.restart == Restart::Down, "held before svcdown")?;
                must(
                    self.running.is_empty() && self.groups == 2 && self.watched.is_empty(),
                    "held while something runs",
                )?;
                self.rounds.all_down()?;
                self.lease = Lease::Held;
            }
            "lease" => {
                must(self.lease != Lease::None, "a lease that ends twice")?;
                self.lease = Lease::None;
            }
            "mark" => return must(!self.stopping, "a mark after a stop"),
            "STOPPED:" | "ERROR:" => {
                must(!self.stopping, "a second end")?;
                self.rounds.told(word, rest)?;
                self.stopping = true;
                self.restart = Restart::None;
            }
            "RESTARTING:" => return self.restarting(rest),
            "UP:" => return self.up(),
            "BOOT:" | "FIRSTBOOT:" | "UPGRADING:" | "WARMUP:" => {
                must(!self.stopping && !self.been_up, "a boot out of its place")?;
            }
            "exit" => {
                self.over = true;
                must(self.lease == Lease::None, "a lease that never ends")?;
                return self.rounds.exited(rest, self.wraps);
            }
            _ => {}
        }
        Ok(())
    }

    /// What is about services alone.
    fn of_services(&mut self, word: &'a str, rest: &'a str) -> Result<bool, String> {
        let around = Around {
            open: self.services && self.svcup,
            held: self.stopping || self.restart == Restart::Begun,
        };
        if let Some(name) = word.strip_prefix('+').filter(|name| self.rounds.has(name)) {
            must(
                self.running.is_empty(),
                "a service started beside a script of its own",
            )
            .or_else(|broken| {
                // One that is started again alone is, beside a check and `warmup`.
                let may = |hook: &&str| ["monitor", "warmup"].contains(hook);
                must(self.running.iter().all(may), &broken)
            })?;
            self.rounds.started(name, around)?;
            return Ok(true);
        }
        if let Some(name) = word.strip_prefix('-').filter(|name| self.rounds.has(name)) {
            self.rounds.ended(name, rest);
            return Ok(true);
        }
        match word {
            "know" => self.rounds.know(rest),
            "t" => self.rounds.time(rest),
            "began" | "ready" => self.rounds.said(word, rest),
            "triggered" => self.rounds.triggered(rest),
            "TERM" if self.rounds.has(rest) => self.rounds.terminated(rest, around)?,
            "KILL" if self.rounds.has(rest) => self.rounds.killed(rest)?,
            "watch" if self.rounds.has(rest) => self.rounds.watched(rest)?,
            "empty" if self.rounds.has(rest) => self.rounds.emptied(rest),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn started(&mut self, hook: &'a str) -> Result<(), String> {
        if hook == "monitor" {
            must(self.running.is_empty(), "a check beside a script")?;
            must(
                self.been_up && self.restart == Restart::None,
                "a check while it is not UP",
            )?;
        } else {
            must(self.running.is_empty(), "two scripts at once")?;
            must(self.lease != Lease::Held, "a start while it is held")?;
        }
        must(!self.stopping || hook == "svcdown", "a start after a stop")?;
        match hook {
            "svcup" => {
                must(!self.services, "services started twice")?;
                if self.been_up || self.restart != Restart::None {
                    must(self.restart == Restart::Down, "svcup before svcdown")?;
                    must(
                        self.groups == 2 && self.watched.is_empty(),
                        "svcup beside what is left of the last one",
                    )?;
                    self.restart = Restart::Up;
                }
                (self.services, self.svcup, self.warmup) = (true, false, false);
            }
            "svcdown" => {
                must(self.services, "a svcdown too many")?;
                self.rounds.all_down()?;
                if self.restart != Restart::None {
                    must(self.restart == Restart::Begun, "two restarts at once")?;
                    self.restart = Restart::Down;
                }
                self.services = false;
            }
            "warmup" => {
                must(self.svcup, "warmup before svcup has finished")?;
                self.rounds.all_up()?;
            }
            _ => {}
        }
        self.told.retain(|told| *told != hook);
        self.running.push(hook);
        Ok(())
    }

    fn ended(&mut self, hook: &str, ok: bool) {
        let cut = self.told.contains(&hook);
        if let Some(at) = self.running.iter().position(|running| *running == hook) {
            self.running.remove(at);
        }
        if ok && !cut {
            self.finished(hook);
        }
    }

    fn finished(&mut self, hook: &str) {
        match hook {
            "svcup" => self.svcup = true,
            "warmup" => self.warmup = true,
            _ => {}
        }
    }

    /// A script that was killed is not waited for by these rules, nor is a group.
    fn signalled(&mut self, signal: &str, hook: &'a str) {
        self.told.push(hook);
        if signal == "KILL" {
            if self.watched.contains(&hook) {
                self.watched.retain(|group| *group != hook);
            } else {
                self.running.retain(|running| *running != hook);
            }
        }
    }

    fn tolerated(&mut self, rest: &str) -> Result<(), String> {
        let hook = rest.split(' ').next().unwrap_or_default();
        let may = self.policy.tolerated.iter().any(|may| may.name() == hook);
        must(
            may || hook == "svcdown",
            "a failure taken for done unasked for",
        )?;
        self.finished(hook);
        Ok(())
    }

    fn restarting(&mut self, cause: &'a str) -> Result<(), String> {
        must(!self.stopping, "a restart after a stop")?;
        self.rounds.told("RESTARTING:", cause)?;
        must(self.been_up, "a restart before UP")?;
        must(self.running.is_empty(), "a restart beside a script")?;
        // One that failed is tried again; that is the only way from one to the next without UP.
        let failed = cause.starts_with("svcup ") || cause.starts_with("warmup ");
        must(
            match self.restart {
                Restart::None => !failed,
                Restart::Up => failed || cause.starts_with("service "),
                Restart::Begun | Restart::Down => false,
            },
            "two restarts at once",
        )?;
        self.restart = Restart::Begun;
        must(
            self.lease == Lease::None,
            "a restart while a lease is given",
        )?;
        if cause.starts_with("quiesced ") {
            self.lease = Lease::Given;
        }
        self.groups = 0;
        self.watched.clear();
        Ok(())
    }

    fn up(&mut self) -> Result<(), String> {
        must(self.lease == Lease::None, "UP while a lease is given")?;
        must(!self.stopping, "UP after a stop")?;
        must(self.running.is_empty(), "UP while a script runs")?;
        must(self.svcup, "UP without a finished svcup")?;
        self.rounds.up()?;
        let first = !self.been_up;
        must(
            self.warmup || !(first || self.policy.restart_warmup),
            "UP without a finished warm-up",
        )?;
        must(
            first || self.restart == Restart::Up,
            "UP without a finished restart",
        )?;
        self.been_up = true;
        self.restart = Restart::None;
        Ok(())
    }
}
