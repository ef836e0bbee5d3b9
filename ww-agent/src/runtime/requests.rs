//! What clients ask for.

use std::time::Duration;

use nix::libc::{SIGHUP, SIGTERM};
use serde_json::{Value, json};
use whaleware::config::origins;
use whaleware::lifecycle::{Ask, Cause, Heard};
use whaleware::protocol::{Quiesced, RequestId, RequestKind};

use super::{Named, Runtime};
use crate::clock;
use crate::server::{Asked, failure, success};

/// So long an announced signal may take to come.
const ANNOUNCED: Duration = Duration::from_secs(10);
/// So many checks may be waited for at once.
const CHECKS: usize = 64;

impl Runtime {
    pub(super) fn on_asked(&mut self, asked: Asked) {
        match asked {
            Asked::Refused { client, answer, .. } => self.send(client, &answer),
            Asked::Request {
                client,
                id,
                by,
                kind,
            } => {
                if let Some(answer) = self.request(client, id, by, kind) {
                    self.send(client, &answer);
                }
            }
        }
        self.settle();
    }

    /// Does what is asked; the answer, unless it comes later.
    fn request(
        &mut self,
        client: u32,
        id: RequestId,
        by: Option<String>,
        kind: RequestKind,
    ) -> Option<Vec<u8>> {
        let by = by.unwrap_or_else(|| "unnamed".into());
        match kind {
            RequestKind::Restart => {
                let heard = self.ask(Ask::Restart(Cause::Operator(by)));
                Some(accepted(id, heard, self.leasing.report()))
            }
            RequestKind::Stop => {
                let heard = self.ask(Ask::Stop(Cause::Operator(by)));
                Some(accepted(id, heard, None))
            }
            RequestKind::Check => self.check(client, id),
            RequestKind::Announce { signal } => Some(self.name_signal(id, by, &signal)),
            RequestKind::Cfg { filter, origin } => self.cfg(client, id, filter.as_deref(), origin),
            RequestKind::Evidence { index } => Some(self.evidence(id, index)),
            RequestKind::History => Some(self.history(id)),
            RequestKind::Backup(step) => self.backup(client, id, by, &step),
            // The server has answered these.
            RequestKind::Unknown => Some(failure(id, "unknown", "unknown type of request")),
        }
    }

    fn check(&mut self, client: u32, id: RequestId) -> Option<Vec<u8>> {
        if self.checks.len() >= CHECKS {
            let message = "too many wait for a check already";
            return Some(failure(id, "refused", message));
        }
        match self.ask(Ask::Check) {
            Some(Heard::Begun | Heard::Joined | Heard::Queued) => {
                self.checks.push((client, id));
                None
            }
            Some(Heard::Refused(reason)) => Some(failure(id, "refused", reason)),
            None => Some(failure(id, "refused", "it cannot be done now")),
        }
    }

    fn name_signal(&mut self, id: RequestId, by: String, signal: &str) -> Vec<u8> {
        let signal = match signal.strip_prefix("SIG").unwrap_or(signal) {
            "HUP" => SIGHUP,
            "TERM" => SIGTERM,
            _ => return failure(id, "malformed", "only HUP and TERM can be announced"),
        };
        let until = clock::now() + ANNOUNCED;
        self.named = Some(Named { signal, by, until });
        success(id, None)
    }

    /// Values of the configuration, or where they come from. A filter is answered when it has run.
    fn cfg(
        &mut self,
        client: u32,
        id: RequestId,
        filter: Option<&str>,
        origin: bool,
    ) -> Option<Vec<u8>> {
        if origin {
            let list: Vec<Value> = origins(&self.configuration.layers)
                .into_iter()
                .map(|one| json!({"path": one.path, "value": one.value, "layer": one.layer}))
                .collect();
            return Some(success(id, Some(json!({ "origins": list }))));
        }
        match filter {
            None | Some("." | "") => {
                let merged = Value::Object(self.configuration.merged.clone());
                Some(success(id, Some(json!({ "values": [merged] }))))
            }
            Some(filter) => {
                let pipes = &mut self.hooks.pipes;
                self.filters.start(client, id, filter, pipes, &self.poller)
            }
        }
    }
}

/// It was heard; it comes later than usual while services are kept down for a backup.
fn accepted(id: RequestId, heard: Option<Heard>, quiesced: Option<&Quiesced>) -> Vec<u8> {
    let word = match heard {
        Some(Heard::Begun) => "begun",
        Some(Heard::Joined) => "joined",
        Some(Heard::Queued) => "queued",
        Some(Heard::Refused(reason)) => return failure(id, "refused", reason),
        None => return failure(id, "refused", "it cannot be done now"),
    };
    let result = match quiesced {
        Some(quiesced) => json!({"heard": word, "quiesced": quiesced}),
        None => json!({"heard": word}),
    };
    success(id, Some(result))
}
