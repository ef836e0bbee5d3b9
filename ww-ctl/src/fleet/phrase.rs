//! How what an agent tells is put into words, the same in every command and on the dashboard.

use std::fmt::Write as _;
use std::time::Duration;

use whaleware::protocol::{
    HookRun, PreviousBoot, QuiesceStage, Quiesced, ServiceReport, ServiceStatus, StopStage,
};

use super::agent::Stage;
use crate::units::{age, duration};

/// A stage of a stop in one word.
pub(crate) const fn stage_word(stage: StopStage) -> &'static str {
    match stage {
        StopStage::Cutting => "cutting",
        StopStage::Draining => "drain",
        StopStage::Services => "services",
        StopStage::Svcdown => "svcdown",
        StopStage::Terminating => "terminating",
        StopStage::Killing => "killing",
        StopStage::Unknown => "?",
    }
}

/// How a service stands, in one word.
pub(crate) const fn service_word(status: ServiceStatus) -> &'static str {
    match status {
        ServiceStatus::Down => "down",
        ServiceStatus::Starting => "starting",
        ServiceStatus::Up => "up",
        ServiceStatus::Waiting => "waiting",
        ServiceStatus::Stopping => "stopping",
        ServiceStatus::Unknown => "?",
    }
}

/// A stage that is over: `services 1.2s of 1m`, `svcdown 12s, no cap`.
pub(crate) fn stage_words(stage: &Stage, took: Duration) -> String {
    stage_for(stage, &duration(took))
}

/// A stage that goes on, where parts of a second are noise: `services 1s of 1m`.
pub(crate) fn stage_now(stage: &Stage, lasts: Duration) -> String {
    stage_for(stage, &age(lasts))
}

fn stage_for(stage: &Stage, took: &str) -> String {
    let limit = match stage.limit() {
        Some(limit) => format!(" of {}", duration(limit)),
        None => ", no cap".to_owned(),
    };
    format!("{} {took}{limit}", stage_word(stage.name))
}

/// What a script has told of itself: `firstboot 40% importing customers`.
pub(crate) fn run_words(run: &HookRun) -> String {
    let mut text = run.hook.clone();
    if let Some(percent) = run.progress {
        let _ = write!(text, " {percent}%");
    }
    if let Some(status) = run.status.as_deref().filter(|status| !status.is_empty()) {
        let _ = write!(text, " {status}");
    }
    text
}

/// What there is to say of a service besides how it stands: how often it was started again, how it
/// last ended, what it says. Empty when there is nothing.
pub(crate) fn service_words(report: &ServiceReport) -> String {
    let mut parts = Vec::new();
    match report.restarts {
        0 => {}
        1 => parts.push("started again once".to_owned()),
        several => parts.push(format!("started again {several} times")),
    }
    if let Some(ended) = service_end(report) {
        parts.push(format!("last {ended}"));
    }
    if let Some(percent) = report.progress {
        parts.push(format!("{percent}%"));
    }
    if let Some(text) = report.text.as_ref().filter(|text| !text.is_empty()) {
        parts.push(text.clone());
    }
    parts.join(", ")
}

/// How a service last ended; none before it has.
pub(crate) fn service_end(report: &ServiceReport) -> Option<String> {
    let detail = report.detail.clone().filter(|text| !text.is_empty());
    detail.or_else(|| report.exit.map(|code| format!("exited {code}")))
}

/// A service that is not up: `service web exited 3`, `service web is starting`.
pub(super) fn down_words(report: &ServiceReport) -> String {
    let how = service_end(report).unwrap_or_else(|| format!("is {}", service_word(report.status)));
    format!("service {} {how}", report.service)
}

/// A health that fails, and how many checks in a row have: `failing(3)`.
pub(crate) fn failing_words(failures: u32) -> String {
    match failures {
        // It is no check that fails.
        0 => "failing".to_owned(),
        several => format!("failing({several})"),
    }
}

/// How the boot before ended: `exited 1 after ERROR: svcup exited 3, 7h ago`.
pub(crate) fn previous_words(previous: &PreviousBoot, ago: Duration) -> String {
    let ago = age(ago);
    let cause = match previous.cause.as_str() {
        "" => String::new(),
        cause => format!(": {cause}"),
    };
    match previous.exit {
        Some(code) => format!("exited {code} after {}{cause}, {ago} ago", previous.state),
        None => format!(
            "ended without a word in {}, {ago} ago (killed, or the host went down)",
            previous.state
        ),
    }
}

/// Services that are kept down for a backup: `by alice@ops1, until 2026-11-22T16:30:00Z at most`.
pub(crate) fn quiesced_words(quiesced: &Quiesced) -> String {
    let stage = match quiesced.stage {
        QuiesceStage::Stopping => "stopping, ",
        QuiesceStage::Held | QuiesceStage::Ended | QuiesceStage::Unknown => "",
    };
    let Quiesced { by, until, .. } = quiesced;
    format!("{stage}by {by}, until {until:.0} at most")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(text: &str) -> ServiceReport {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_service_has_only_what_there_is_to_say() {
        for (more, words) in [
            ("", ""),
            (
                r#","restarts":1,"exit":3"#,
                "started again once, last exited 3",
            ),
            (
                r#","restarts":2,"exit":139,"detail":"was ended by SIGSEGV","text":"replaying","progress":7"#,
                "started again 2 times, last was ended by SIGSEGV, 7%, replaying",
            ),
        ] {
            let report = format!(
                r#"{{"service":"web","status":"up","since":"2026-11-22T16:15:00Z"{more}}}"#
            );
            assert_eq!(service_words(&service(&report)), words, "{more}");
        }
    }

    #[test]
    fn a_boot_that_could_not_say_goodbye_is_told_from_one_that_could() {
        let previous = |more: &str| -> PreviousBoot {
            serde_json::from_str(&format!(
                r#"{{"boot":"b","at":"2026-11-22T16:15:00Z"{more}}}"#
            ))
            .unwrap()
        };
        let ago = Duration::from_secs(7 * 3600);
        assert_eq!(
            previous_words(&previous(r#","state":"UP","cause":"warmup finished""#), ago),
            "ended without a word in UP, 7h ago (killed, or the host went down)"
        );
        assert_eq!(
            previous_words(
                &previous(r#","state":"ERROR","cause":"svcup exited 3","exit":1"#),
                ago
            ),
            "exited 1 after ERROR: svcup exited 3, 7h ago"
        );
    }
}
