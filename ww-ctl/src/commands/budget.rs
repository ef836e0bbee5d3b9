//! How long a stop may take.

use std::time::Duration;

use whaleware::protocol::StopBudget;

use crate::fleet::Container;
use crate::units::duration;

/// How long Docker waits for a container whose agent cannot say how long it needs.
const UNKNOWN_BUDGET: Duration = Duration::from_secs(60);
/// How long Docker waits when a stage has no cap: cutting a database short loses data.
const NO_CAP: Duration = Duration::from_secs(24 * 3600);
/// What the agent needs besides its stages.
const MARGIN: Duration = Duration::from_secs(10);

/// How long Docker is to wait before it kills the container: as long as its agent may need.
pub(super) fn stop_limit(container: &Container) -> Duration {
    let Some(budget) = budget(container) else {
        return UNKNOWN_BUDGET;
    };
    let millis = Duration::from_millis;
    match (budget.services_ms, budget.svcdown_ms) {
        // A script that is running is ended first, then what is left in the end: two graces.
        (Some(services), Some(svcdown)) => {
            let stages = millis(budget.drain_ms)
                .saturating_add(millis(services))
                .saturating_add(millis(svcdown))
                .saturating_add(millis(budget.grace_ms).saturating_mul(2))
                .saturating_add(MARGIN);
            stages.min(NO_CAP)
        }
        (None, _) | (_, None) => NO_CAP,
    }
}

/// The same for people: `stopping may take up to 1m 10s, and as long as svcdown needs: drain 5s, services 1m,
/// svcdown no cap, grace 5s`. None where nothing is to be stopped, or its agent cannot say.
pub(super) fn stop_words(container: &Container) -> Option<String> {
    let budget = budget(container).filter(|_| container.engine.is_running())?;
    let mut sum = Duration::ZERO;
    let mut parts = Vec::new();
    let mut open = Vec::new();
    for (stage, limit) in [
        ("drain", Some(budget.drain_ms)),
        ("services", budget.services_ms),
        ("svcdown", budget.svcdown_ms),
        ("grace", Some(budget.grace_ms)),
    ] {
        match limit.map(Duration::from_millis) {
            Some(Duration::ZERO) => {}
            Some(limit) => {
                sum = sum.saturating_add(limit);
                parts.push(format!("{stage} {}", duration(limit)));
            }
            None => {
                open.push(stage);
                parts.push(format!("{stage} no cap"));
            }
        }
    }
    let mut spans = Vec::new();
    if !sum.is_zero() || open.is_empty() {
        spans.push(format!("up to {}", duration(sum)));
    }
    match open.as_slice() {
        [] => {}
        ["services"] => spans.push("as long as its services need".to_owned()),
        [_] => spans.push("as long as svcdown needs".to_owned()),
        [..] => spans.push("as long as its services and svcdown need".to_owned()),
    }
    let spans = spans.join(", and ");
    Some(match parts.as_slice() {
        [] => format!("stopping may take {spans}"),
        [..] => format!("stopping may take {spans}: {}", parts.join(", ")),
    })
}

fn budget(container: &Container) -> Option<&StopBudget> {
    let agent = container.agent.as_ref()?;
    container.is_introduced().then_some(&agent.stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::scene::{at, frame, one, snapshot, unheard, up};
    use crate::fleet::{EngineState, Fleet};

    fn fleet(budget: &str) -> Fleet {
        let mut fleet = up();
        let told = snapshot("UP", 10).replace(r#""drain_ms":0,"grace_ms":5000"#, budget);
        fleet.apply(frame("a", &told), at(10));
        fleet
    }

    fn both(fleet: &Fleet) -> (u64, Option<String>) {
        (stop_limit(one(fleet)).as_secs(), stop_words(one(fleet)))
    }

    #[test]
    fn docker_waits_as_long_as_the_stages_may_take_and_people_are_told() {
        for (budget, seconds, words) in [
            (
                r#""drain_ms":5000,"services_ms":60000,"svcdown_ms":20000,"grace_ms":5000"#,
                105,
                "stopping may take up to 1m 30s: drain 5s, services 1m, svcdown 20s, grace 5s",
            ),
            (
                r#""drain_ms":5000,"services_ms":60000,"grace_ms":5000"#,
                86_400,
                "stopping may take up to 1m 10s, and as long as svcdown needs: \
                 drain 5s, services 1m, svcdown no cap, grace 5s",
            ),
            (
                r#""drain_ms":0,"services_ms":null,"svcdown_ms":20000,"grace_ms":5000"#,
                86_400,
                "stopping may take up to 25s, and as long as its services need: \
                 services no cap, svcdown 20s, grace 5s",
            ),
            (
                r#""drain_ms":0,"services_ms":null,"grace_ms":0"#,
                86_400,
                "stopping may take as long as its services and svcdown need: \
                 services no cap, svcdown no cap",
            ),
            // An agent that knows no services.
            (
                r#""drain_ms":0,"svcdown_ms":20000,"grace_ms":5000"#,
                40,
                "stopping may take up to 25s: svcdown 20s, grace 5s",
            ),
        ] {
            assert_eq!(
                both(&fleet(budget)),
                (seconds, Some(words.into())),
                "{budget}"
            );
        }
    }

    #[test]
    fn nothing_is_promised_for_an_agent_that_was_not_heard() {
        assert_eq!(both(&unheard(EngineState::Running)), (60, None));
    }

    #[test]
    fn no_budget_however_large_overflows() {
        let large = format!(
            r#""drain_ms":{max},"services_ms":{max},"svcdown_ms":{max},"grace_ms":{max}"#,
            max = u64::MAX
        );
        assert_eq!(both(&fleet(&large)).0, 86_400);
    }
}
