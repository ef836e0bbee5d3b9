//! Services that are kept down for a backup, and the connection that keeps them down.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use whaleware::config;
use whaleware::lifecycle::{Ask, Heard, Lease, LeaseEnd};
use whaleware::protocol::{
    BackupMode, BackupPlan, BackupStep, FromAgent, LEASE_MOST_S, MAX_TEXT, QuiesceStage, Quiesced,
    RequestId, ScriptPlan,
};

use super::Runtime;
use crate::clock;
use crate::log::{self, Level};
use crate::script::{self, Form};
use crate::server::{Server, answered, failure, success};

/// Who keeps the services down.
#[derive(Debug)]
struct Held {
    client: u32,
    report: Quiesced,
    /// The request that waits until nothing runs.
    waiting: Option<RequestId>,
    /// Its connection has ended, or asks for nothing any more.
    is_gone: bool,
}

/// The one lease there can be, and how the last one ended before its time.
#[derive(Debug, Default)]
pub(super) struct Leasing {
    held: Option<Held>,
    /// Who had it, and the words for him.
    lapsed: Option<(u32, String)>,
}

impl Leasing {
    /// Who keeps the services down, and since when.
    pub(super) fn report(&self) -> Option<&Quiesced> {
        self.held.as_ref().map(|held| &held.report)
    }
}

impl Runtime {
    /// A step of a backup; the answer, unless it comes later.
    pub(super) fn backup(
        &mut self,
        client: u32,
        id: RequestId,
        by: String,
        step: &BackupStep,
    ) -> Option<Vec<u8>> {
        match step {
            BackupStep::Plan => Some(answered(id, &self.backup_plan())),
            BackupStep::Quiesce { most_s } => self.quiesce(client, id, by, *most_s),
            BackupStep::Resume => Some(self.give_back_lease(client, id)),
            BackupStep::Hook => self.backup_hook(client, id, by),
            BackupStep::Restore { directory } => self.restore_hook(client, id, by, directory),
            BackupStep::Clean { directory } => self.clean_hook(client, id, by, directory),
            BackupStep::Unknown => Some(failure(
                id,
                "unknown",
                "this agent does not know this step of a backup",
            )),
        }
    }

    fn backup_plan(&self) -> BackupPlan {
        let mode = match self.settings.backup_mode {
            config::BackupMode::Quiesce => BackupMode::Quiesce,
            config::BackupMode::Live => BackupMode::Live,
        };
        let script = |name: &str| {
            let path = self.environment.script(name);
            match script::diagnose(&path, Path::new("/")) {
                Ok(Form::Missing) => ScriptPlan::default(),
                Ok(Form::Native | Form::Plain) => ScriptPlan {
                    present: true,
                    fault: None,
                },
                Err(fault) => ScriptPlan {
                    present: true,
                    fault: Some(log::plain(&fault.to_string(), MAX_TEXT)),
                },
            }
        };
        BackupPlan {
            mode,
            exclude: self.settings.backup_exclude.clone(),
            backup: script("backup"),
            restore: script("restore"),
        }
    }

    /// Answered when nothing runs any more, or when it comes to nothing.
    fn quiesce(&mut self, client: u32, id: RequestId, by: String, most_s: u32) -> Option<Vec<u8>> {
        if !(1..=LEASE_MOST_S).contains(&most_s) {
            let text = format!("`most_s` is a number from 1 to {LEASE_MOST_S}");
            return Some(failure(id, "malformed", &text));
        }
        if let Some(report) = self.leasing.report() {
            return Some(failure(id, "busy", &busy(report)));
        }
        if let Some(busy) = self.hooking.busy() {
            return Some(failure(id, "busy", &busy));
        }
        let most = Duration::from_secs(most_s.into());
        let ask = Ask::Quiesce {
            by: by.clone(),
            most,
        };
        match self.ask(ask) {
            Some(Heard::Begun | Heard::Joined | Heard::Queued) => {}
            Some(Heard::Refused(reason)) => {
                let text = format!("{reason} (its state is {})", self.record.state());
                return Some(failure(id, "refused", &text));
            }
            None => return Some(failure(id, "refused", "it cannot be done now")),
        }
        let since = clock::wall();
        let report = Quiesced {
            stage: QuiesceStage::Stopping,
            by,
            since,
            until: since.saturating_add(most).unwrap_or(since),
            detail: None,
        };
        self.leasing = Leasing {
            held: Some(Held {
                client,
                report: report.clone(),
                waiting: Some(id),
                is_gone: false,
            }),
            lapsed: None,
        };
        self.tell_quiesced(report);
        None
    }

    /// The lease is given back by who holds it.
    fn give_back_lease(&mut self, client: u32, id: RequestId) -> Vec<u8> {
        match &self.leasing.held {
            Some(held) if held.client == client => {
                self.ask(Ask::Resume);
                success(id, Some(json!({"heard": "begun"})))
            }
            Some(held) => {
                let text = format!("only who asked for it may end it: {}", busy(&held.report));
                failure(id, "refused", &text)
            }
            None => match self.leasing.lapsed.take_if(|(whose, _)| *whose == client) {
                Some((_, words)) => failure(id, "lapsed", &words),
                None => failure(id, "refused", "it is not quiesced"),
            },
        }
    }

    /// The machine says how far it has come.
    pub(super) fn on_lease(&mut self, lease: Lease) {
        match lease {
            Lease::Held => self.on_held(),
            Lease::Ended(why) => self.on_lease_ended(why),
        }
    }

    fn on_held(&mut self) {
        let Some(held) = &mut self.leasing.held else {
            return;
        };
        held.report.stage = QuiesceStage::Held;
        let report = held.report.clone();
        let waiting = held.waiting.take().map(|id| (held.client, id));
        let text = format!(
            "nothing runs any more, for {} at most",
            log::duration(Duration::try_from(report.until - clock::wall()).unwrap_or_default())
        );
        self.output.log(Level::Info, &text);
        self.tell_quiesced(report.clone());
        if let Some((client, id)) = waiting {
            self.send(client, &answered(id, &report));
        }
    }

    fn on_lease_ended(&mut self, why: LeaseEnd) {
        let Some(held) = self.leasing.held.take() else {
            return;
        };
        let words = match why {
            LeaseEnd::Resumed if held.is_gone => "the connection that asked for it has ended",
            LeaseEnd::Resumed => "it was given back",
            LeaseEnd::Overdue => "its time is over",
            LeaseEnd::Stopped => "the container stops",
        };
        let text = format!(
            "no longer quiesced for a backup by {}: {words}",
            held.report.by
        );
        let is_well = why == LeaseEnd::Resumed && !held.is_gone;
        let level = if is_well { Level::Info } else { Level::Warning };
        self.output.log(level, &text);
        if !is_well {
            self.note(&text);
        }
        let ended = Quiesced {
            stage: QuiesceStage::Ended,
            detail: Some(words.into()),
            ..held.report
        };
        self.tell_quiesced(ended);
        if let Some(id) = held.waiting {
            let text = format!("it ended before everything was stopped: {words}");
            self.send(held.client, &failure(id, "lapsed", &text));
        } else if !is_well {
            let text = format!("the services were not down all the time: {words}");
            self.leasing.lapsed = Some((held.client, text));
        }
    }

    fn tell_quiesced(&mut self, report: Quiesced) {
        let is_over = report.stage == QuiesceStage::Ended;
        self.record.quiesced = (!is_over).then(|| report.clone());
        self.tell(&FromAgent::Quiesced(report));
    }

    /// Ends a lease whose connection is gone; whether there was one.
    pub(super) fn end_lost_lease(&mut self) -> bool {
        let Some(held) = &mut self.leasing.held else {
            return false;
        };
        let hears = |server: &Server| server.hears(held.client);
        if held.is_gone || self.server.as_ref().is_some_and(hears) {
            return false;
        }
        held.is_gone = true;
        self.ask(Ask::Resume);
        true
    }
}

fn busy(report: &Quiesced) -> String {
    format!(
        "it is quiesced for a backup by {} since {:.0}, until {:.0} at most",
        report.by, report.since, report.until
    )
}
