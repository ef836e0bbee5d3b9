//! How long a stop may take.

use std::time::Duration;

use crate::fleet::Container;

/// How long Docker waits for a container whose agent cannot say how long it needs.
const UNKNOWN_BUDGET: Duration = Duration::from_secs(60);
/// How long Docker waits when nothing caps `svcdown`: cutting a database short loses data.
const NO_CAP: Duration = Duration::from_secs(24 * 3600);
/// What the agent needs besides its stages.
const MARGIN: Duration = Duration::from_secs(10);

/// How long Docker is to wait before it kills the container: as long as its agent may need.
pub(super) fn stop_limit(container: &Container) -> Duration {
    let Some(agent) = container
        .agent
        .as_ref()
        .filter(|_| container.is_introduced())
    else {
        return UNKNOWN_BUDGET;
    };
    let millis = Duration::from_millis;
    match agent.stop.svcdown_ms {
        // A script that is running is ended first, then what is left in the end: two graces.
        Some(cap) => {
            let stages = millis(agent.stop.drain_ms)
                .saturating_add(millis(cap))
                .saturating_add(millis(agent.stop.grace_ms).saturating_mul(2))
                .saturating_add(MARGIN);
            stages.min(NO_CAP)
        }
        None => NO_CAP,
    }
}
