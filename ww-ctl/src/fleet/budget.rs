//! How long a stop may take.

use std::time::Duration;

use whaleware::protocol::StopBudget;

use super::container::Container;
use crate::units::duration;

/// How long Docker waits for a container whose agent cannot say how long it needs.
const UNKNOWN_BUDGET: Duration = Duration::from_secs(60);
/// How long Docker waits when a stage has no cap: cutting a database short loses data.
const NO_CAP: Duration = Duration::from_secs(24 * 3600);
/// How long the agent waits for processes that even killing does not end.
const KILLING: Duration = Duration::from_secs(3);
/// What the agent needs besides its stages.
const MARGIN: Duration = Duration::from_secs(10);

/// How long Docker is to wait before it kills the container: as long as its agent may need.
pub(crate) fn stop_limit(container: &Container) -> Duration {
    let Some(budget) = budget(container) else {
        return UNKNOWN_BUDGET;
    };
    let mut sum = MARGIN;
    for part in parts(budget) {
        match part.limit {
            Some(limit) => sum = sum.saturating_add(limit),
            None => return NO_CAP,
        }
    }
    // A script that is in the way is ended first, where there is one by then.
    let cutting = Duration::from_millis(budget.grace_ms);
    sum.saturating_add(cutting).min(NO_CAP)
}

/// A stage of a stop, and what it takes at most; none where it has no cap.
struct Part {
    name: &'static str,
    limit: Option<Duration>,
}

/// What every stop may come to, one after the other.
fn parts(budget: &StopBudget) -> Vec<Part> {
    let millis = Duration::from_millis;
    let grace = millis(budget.grace_ms);
    let part = |name, limit| Part { name, limit };
    let mut parts = vec![
        part("drain", Some(millis(budget.drain_ms))),
        part("services", budget.services_ms.map(millis)),
        part("svcdown", budget.svcdown_ms.map(millis)),
    ];
    if budget.svcdown_ms.is_some() {
        parts.push(part("ending svcdown", Some(grace)));
    }
    parts.push(part("grace", Some(grace)));
    parts.push(part("killing", Some(KILLING)));
    parts
}

/// The same for people: `stopping may take up to 1m 13s, and as long as svcdown needs: drain 5s,
/// services 1m, svcdown no cap, grace 5s, killing 3s`. None where nothing is to be stopped, or its
/// agent cannot say.
pub(crate) fn stop_words(container: &Container) -> Option<String> {
    let budget = budget(container).filter(|_| container.engine.is_running())?;
    let mut sum = Duration::ZERO;
    let mut parts = Vec::new();
    let mut open = Vec::new();
    for Part { name, limit } in self::parts(budget) {
        match limit {
            Some(Duration::ZERO) => {}
            Some(limit) => {
                sum = sum.saturating_add(limit);
                parts.push(format!("{name} {}", duration(limit)));
            }
            None => {
                open.push(name);
                parts.push(format!("{name} no cap"));
            }
        }
    }
    let mut spans = vec![format!("up to {}", duration(sum))];
    match open.as_slice() {
        [] => {}
        ["services"] => spans.push("as long as its services need".to_owned()),
        [_] => spans.push("as long as svcdown needs".to_owned()),
        [..] => spans.push("as long as its services and svcdown need".to_owned()),
    }
    let spans = spans.join(", and ");
    Some(format!("stopping may take {spans}: {}", parts.join(", ")))
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
                113,
                "stopping may take up to 1m 38s: drain 5s, services 1m, svcdown 20s, ending svcdown 5s, \
                 grace 5s, killing 3s",
            ),
            (
                r#""drain_ms":5000,"services_ms":60000,"grace_ms":5000"#,
                86_400,
                "stopping may take up to 1m 13s, and as long as svcdown needs: \
                 drain 5s, services 1m, svcdown no cap, grace 5s, killing 3s",
            ),
            (
                r#""drain_ms":0,"services_ms":null,"svcdown_ms":20000,"grace_ms":5000"#,
                86_400,
                "stopping may take up to 33s, and as long as its services need: \
                 services no cap, svcdown 20s, ending svcdown 5s, grace 5s, killing 3s",
            ),
            (
                r#""drain_ms":0,"services_ms":null,"grace_ms":0"#,
                86_400,
                "stopping may take up to 3s, and as long as its services and svcdown need: \
                 services no cap, svcdown no cap, killing 3s",
            ),
            // An agent that knows no services.
            (
                r#""drain_ms":0,"svcdown_ms":20000,"grace_ms":5000"#,
                48,
                "stopping may take up to 33s: svcdown 20s, ending svcdown 5s, grace 5s, killing 3s",
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
