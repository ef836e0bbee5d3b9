//! Which containers an Engine has.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, HostConfig, MountPoint, RestartPolicyNameEnum,
};
use futures::StreamExt;
use jiff::Timestamp;
use whaleware::paths::{BACKUP, DATA, LABEL_AGENT};

use super::client::Engine;
use super::error::EngineError;
use super::probe;
use crate::fleet::{EngineState, Keeping, Listed};

/// How many containers are looked at closely at a time.
const AT_ONCE: usize = 8;

/// Which containers are of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those whose image has an agent.
    Agents,
    /// All.
    Everything,
}

impl Scope {
    pub(super) fn filters(self, more: &[(&str, &str)]) -> HashMap<String, Vec<String>> {
        let mut filters: HashMap<String, Vec<String>> = more
            .iter()
            .map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]))
            .collect();
        if self == Self::Agents {
            filters.insert("label".into(), vec![LABEL_AGENT.into()]);
        }
        filters
    }
}

/// How containers that do not run have ended, so that it is asked only once for each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exits {
    known: BTreeMap<Arc<str>, Exit>,
}

#[derive(Debug, Clone, Copy)]
struct Exit {
    state: EngineState,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
}

impl Exits {
    /// A container has begun a new life; how it ended the last time does not count any more.
    pub(crate) fn forget(&mut self, id: &str) {
        self.known.remove(id);
    }
}

impl Engine {
    /// All containers in scope, running or not. How those that do not run have ended is looked up
    /// where `exits` does not know it.
    ///
    /// # Errors
    /// When the Engine does not answer. One container that goes away meanwhile is no error.
    pub(crate) async fn list(
        &self,
        scope: Scope,
        exits: &mut Exits,
    ) -> Result<Vec<Listed>, EngineError> {
        let summaries = self.summaries(scope.filters(&[])).await?;
        let mut listed: Vec<Listed> = summaries.into_iter().filter_map(read).collect();
        self.look_up_exits(&mut listed, exits).await?;
        Ok(listed)
    }

    /// The containers in scope that have exactly this name: one at most. The Engine looks at no other.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub(crate) async fn named(&self, scope: Scope, name: &str) -> Result<Vec<Listed>, EngineError> {
        // The filter is a regular expression, and a name may have dots.
        let exactly = format!("^/?{}$", name.replace('.', "\\."));
        let summaries = self.summaries(scope.filters(&[("name", &exactly)])).await?;
        let mut listed: Vec<Listed> = summaries.into_iter().filter_map(read).collect();
        listed.retain(|one| one.name == name);
        self.look_up_exits(&mut listed, &mut Exits::default())
            .await?;
        Ok(listed)
    }

    /// A container that has died and that the Engine starts again by its restart policy, or has by
    /// now; none when it does not.
    ///
    /// # Errors
    /// When the Engine does not answer.
    pub(crate) async fn restarting(&self, id: &str) -> Result<Option<Listed>, EngineError> {
        // A listing is a little behind; to inspect waits until the Engine has made up its mind.
        match self.inspect(id).await {
            Ok(answer) if is_restarting(&answer) => {}
            Err(error) if error.is_engine_down() => return Err(error),
            Ok(_) | Err(_) => return Ok(None),
        }
        let this = HashMap::from([("id".to_owned(), vec![id.to_owned()])]);
        let summaries = self.summaries(this).await?;
        let mut listed = summaries.into_iter().find_map(read);
        if let Some(listed) = &mut listed {
            listed.engine = EngineState::Restarting;
        }
        Ok(listed)
    }

    /// When a container was started last, by the Engine's clock.
    ///
    /// # Errors
    /// When it is gone or the Engine is.
    pub(crate) async fn started(&self, id: &str) -> Result<Option<Timestamp>, EngineError> {
        let state = self.inspect(id).await?.state.unwrap_or_default();
        Ok(state.started_at.as_deref().and_then(time))
    }

    async fn look_up_exits(
        &self,
        listed: &mut [Listed],
        exits: &mut Exits,
    ) -> Result<(), EngineError> {
        exits
            .known
            .retain(|id, _| listed.iter().any(|one| one.id == *id && is_over(one)));
        let wanted: Vec<Arc<str>> = listed
            .iter()
            .filter(|one| is_over(one) && !exits.known.contains_key(&one.id))
            .map(|one| one.id.clone())
            .collect();
        let mut answers = futures::stream::iter(wanted)
            .map(|id| async move {
                let exit = self.exit(&id).await;
                (id, exit)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((id, exit)) = answers.next().await {
            match exit {
                Ok(exit) => {
                    exits.known.insert(id, exit);
                }
                Err(error) if error.is_engine_down() => return Err(error),
                Err(_) => {}
            }
        }
        for one in listed {
            if let Some(exit) = exits.known.get(&one.id) {
                one.engine = exit.state;
                one.started = exit.started;
                one.finished = exit.finished;
            }
        }
        Ok(())
    }

    async fn exit(&self, id: &str) -> Result<Exit, EngineError> {
        let answer = self.inspect(id).await?;
        Ok(exit(&answer.state.unwrap_or_default()))
    }
}

fn exit(state: &ContainerState) -> Exit {
    let engine = match state.status {
        Some(ContainerStateStatusEnum::CREATED) => EngineState::Created,
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING) => {
            EngineState::Running
        }
        Some(ContainerStateStatusEnum::PAUSED) => EngineState::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => EngineState::Restarting,
        Some(ContainerStateStatusEnum::DEAD | ContainerStateStatusEnum::REMOVING) => {
            EngineState::Dead
        }
        Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::EMPTY) | None => {
            EngineState::Exited {
                code: state.exit_code,
                out_of_memory: state.oom_killed.unwrap_or(false),
            }
        }
    };
    Exit {
        state: engine,
        started: state.started_at.as_deref().and_then(time),
        finished: state.finished_at.as_deref().and_then(time),
    }
}

/// Whether one that has died is about to be started by its policy, or has been by now. One that
/// runs again without such a policy was started by somebody, whose event is still to come.
fn is_restarting(answer: &ContainerInspectResponse) -> bool {
    match answer
        .state
        .as_ref()
        .map_or(EngineState::Dead, |state| exit(state).state)
    {
        EngineState::Restarting => true,
        EngineState::Running => answer.host_config.as_ref().is_some_and(has_policy),
        EngineState::Created
        | EngineState::Paused
        | EngineState::Exited { .. }
        | EngineState::Dead => false,
    }
}

fn has_policy(host: &HostConfig) -> bool {
    let name = host.restart_policy.as_ref().and_then(|policy| policy.name);
    !matches!(
        name,
        None | Some(RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY)
    )
}

const fn is_over(listed: &Listed) -> bool {
    matches!(listed.engine, EngineState::Exited { .. })
}

/// The Engine writes a year 1 for "never".
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>()
        .ok()
        .filter(|time| time.as_second() > 0)
}

fn read(summary: ContainerSummary) -> Option<Listed> {
    let labels = summary.labels.unwrap_or_default();
    if labels.contains_key(probe::LABEL) {
        return None;
    }
    let mut names = summary.names.unwrap_or_default();
    // Links add names with a second slash; the container's own has none.
    names.sort_by_key(|name| name.trim_start_matches('/').contains('/'));
    let name = names.into_iter().next().unwrap_or_default();
    Some(Listed {
        id: Arc::from(summary.id?),
        name: name.trim_start_matches('/').to_owned(),
        image: summary.image.unwrap_or_default(),
        has_agent: labels.contains_key(LABEL_AGENT),
        labels: sorted(labels),
        engine: state(summary.state),
        created: summary.created.and_then(|s| Timestamp::from_second(s).ok()),
        started: None,
        finished: None,
        keeping: keeping(&summary.mounts.unwrap_or_default()),
    })
}

/// What matters of its mounts to who looks for backups.
fn keeping(mounts: &[MountPoint]) -> Keeping {
    let mut keeping = Keeping::default();
    for mount in mounts {
        let place = mount.destination.as_deref().unwrap_or_default();
        let source = mount.source.as_ref().filter(|source| !source.is_empty());
        if Path::new(place).starts_with(DATA) {
            // Where an Engine does not say where a volume lies, its name will do.
            keeping.data.extend(source.or(mount.name.as_ref()).cloned());
        } else if place == BACKUP {
            keeping.vault = source.filter(|path| path.starts_with('/')).cloned();
        }
    }
    keeping
}

pub(super) fn sorted(labels: HashMap<String, String>) -> Vec<(String, String)> {
    let mut labels: Vec<_> = labels.into_iter().collect();
    labels.sort();
    labels
}

const fn state(state: Option<ContainerSummaryStateEnum>) -> EngineState {
    match state {
        Some(ContainerSummaryStateEnum::CREATED) => EngineState::Created,
        Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::STOPPING) => {
            EngineState::Running
        }
        Some(ContainerSummaryStateEnum::PAUSED) => EngineState::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => EngineState::Restarting,
        Some(ContainerSummaryStateEnum::DEAD | ContainerSummaryStateEnum::REMOVING) => {
            EngineState::Dead
        }
        Some(ContainerSummaryStateEnum::EXITED | ContainerSummaryStateEnum::EMPTY) | None => {
            EngineState::Exited {
                code: None,
                out_of_memory: false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::RestartPolicy;

    #[test]
    fn only_a_policy_or_docker_itself_says_that_it_comes_back() {
        use ContainerStateStatusEnum::{EXITED, RESTARTING, RUNNING};
        use RestartPolicyNameEnum::{ALWAYS, NO};
        for (status, policy, expected) in [
            (RUNNING, Some(ALWAYS), true),
            (RUNNING, Some(NO), false),
            (RUNNING, None, false),
            (RESTARTING, None, true),
            (EXITED, Some(ALWAYS), false),
        ] {
            let answer = ContainerInspectResponse {
                state: Some(ContainerState {
                    status: Some(status),
                    ..ContainerState::default()
                }),
                host_config: Some(HostConfig {
                    restart_policy: policy.map(|name| RestartPolicy {
                        name: Some(name),
                        ..RestartPolicy::default()
                    }),
                    ..HostConfig::default()
                }),
                ..ContainerInspectResponse::default()
            };
            assert_eq!(is_restarting(&answer), expected, "{status} {policy:?}");
        }
    }
}
