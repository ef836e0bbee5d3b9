//! Acting on several containers at once and watching until it is true.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use whaleware::lifecycle::State;

use super::Context;
use super::act::{Plan, Sent, Verdict, laggard};
use super::live::Live;
use super::outcome::Outcome;
use super::telling::Teller;
use crate::exit::{Exit, Failure};
use crate::fleet::{Change, Container, ContainerKey, Fleet, Link};
use crate::units::duration;

/// How often what goes on is drawn anew on a terminal.
const REDRAW: Duration = Duration::from_millis(250);

/// One container that is acted on.
enum Progress {
    Acting,
    Acted,
    /// It was sent, and nobody knows whether it was done; whether the host has answered again.
    Unanswered {
        answers: bool,
    },
    Over(Failure, Duration),
}

/// All containers that are acted on.
struct Acting(BTreeMap<ContainerKey, Progress>);

/// Acts on all at once and watches until each is there, cannot get there, or the time is over.
///
/// # Errors
/// When nothing can be watched any more.
pub(super) async fn drive(
    context: &Context,
    live: &mut Live,
    keys: &[ContainerKey],
    plan: &Plan<'_>,
) -> Result<Vec<Outcome>, Failure> {
    let begun = context.clock.now().moment;
    let took = || context.clock.now().moment - begun;
    let deadline = plan.limit.map(|limit| Instant::now() + limit);
    let mut teller = Teller::from_now(&live.fleet, context.output);
    let mut tick = tokio::time::interval(REDRAW);
    let mut acting = Acting::on(keys, plan);
    let mut acts: FuturesUnordered<_> = acting
        .0
        .iter()
        .filter(|(_, one)| matches!(one, Progress::Acting))
        .filter_map(|(key, _)| live.fleet.get(key))
        .map(|container| {
            let act = (plan.act)(live.handle(), container);
            let key = container.key.clone();
            async move { (key, act.await) }
        })
        .collect();
    loop {
        acting.measure(&live.fleet, plan, took());
        if acting.is_over() {
            break;
        }
        teller.draw(acting.still(&live.fleet), context.clock.now().moment);
        tokio::select! {
            changes = live.next() => {
                let changes = changes?;
                acting.answers_again(&changes);
                teller.tell(&live.fleet, &changes, |key| acting.0.contains_key(key));
            }
            Some((key, result)) = acts.next() => {
                if result == Ok(Sent::Unanswered) {
                    teller.clear();
                    say_unanswered(context, &live.fleet, &key);
                }
                acting.sent(&key, result, took());
            }
            _ = tick.tick(), if context.output.rewrites() => {}
            () = until(deadline) => {
                acting.give_up(&live.fleet, took());
                break;
            }
        }
    }
    teller.clear();
    Ok(acting.outcomes(&live.fleet))
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn say_unanswered(context: &Context, fleet: &Fleet, key: &ContainerKey) {
    let name = fleet.get(key).map_or("", |one| one.name.as_str());
    context.output.warn(&format!(
        "{name}: the connection to the Docker Engine broke before it answered; watching on"
    ));
}

/// Whether a container goes on as if nothing had been asked of it.
fn is_untouched(container: &Container) -> bool {
    matches!(container.link, Link::Live { .. }) && container.state() == Some(State::Up)
}

impl Acting {
    fn on(keys: &[ContainerKey], plan: &Plan<'_>) -> Self {
        let one = |key: &ContainerKey| {
            if plan.changed.contains(key) {
                let reason = "it was restarted meanwhile; nothing was done to it";
                let failure = Failure::new(Exit::Failed, reason);
                return (key.clone(), Progress::Over(failure, Duration::ZERO));
            }
            (key.clone(), Progress::Acting)
        };
        Self(keys.iter().map(one).collect())
    }

    fn is_over(&self) -> bool {
        self.0.values().all(|one| matches!(one, Progress::Over(..)))
    }

    /// Those that are not there yet.
    fn still<'a>(&'a self, fleet: &'a Fleet) -> impl Iterator<Item = &'a Container> {
        self.0
            .iter()
            .filter(|(_, one)| !matches!(one, Progress::Over(..)))
            .filter_map(|(key, _)| fleet.get(key))
    }

    /// The Engine has answered, or never will.
    fn sent(&mut self, key: &ContainerKey, result: Result<Sent, Failure>, took: Duration) {
        let ended = match result {
            Ok(Sent::Answered) => Progress::Acted,
            Ok(Sent::Unanswered) => Progress::Unanswered { answers: false },
            Err(failure) => Progress::Over(failure, took),
        };
        // What was seen already counts, whatever the answer.
        if let Some(one) = self.0.get_mut(key)
            && !matches!(one, Progress::Over(..))
        {
            *one = ended;
        }
    }

    fn answers_again(&mut self, changes: &[Change]) {
        for change in changes {
            let Change::HostLive(host) = change else {
                continue;
            };
            for (key, one) in &mut self.0 {
                if let Progress::Unanswered { answers } = one
                    && key.host == *host
                {
                    *answers = true;
                }
            }
        }
    }

    fn measure(&mut self, fleet: &Fleet, plan: &Plan<'_>, took: Duration) {
        for (key, one) in &mut self.0 {
            let acted = match one {
                Progress::Acting => false,
                Progress::Acted | Progress::Unanswered { .. } => true,
                Progress::Over(..) => continue,
            };
            let verdict = match fleet.get(key) {
                Some(container) => (plan.judge)(container, acted),
                None => Verdict::Failed("it was removed".into()),
            };
            let failure = match verdict {
                Verdict::Pending => {
                    let untouched = matches!(one, Progress::Unanswered { answers: true })
                        && fleet.get(key).is_some_and(is_untouched);
                    if !untouched {
                        continue;
                    }
                    let reason = "the connection to the Docker Engine broke before it had done \
                                  it, and the container is UP as before; try again";
                    Failure::new(Exit::Failed, reason)
                }
                Verdict::Asked(what) => Failure::new(Exit::Done, format!("{what} was asked for")),
                Verdict::Reached => Failure::new(Exit::Done, ""),
                Verdict::Failed(reason) => Failure::new(Exit::Failed, reason),
            };
            *one = Progress::Over(failure, took);
        }
    }

    fn give_up(&mut self, fleet: &Fleet, took: Duration) {
        for (key, one) in &mut self.0 {
            if !matches!(one, Progress::Over(..)) {
                let reason = fleet.get(key).map_or_else(String::new, laggard);
                let reason = format!("{reason} after {}", duration(took));
                *one = Progress::Over(Failure::new(Exit::TimedOut, reason), took);
            }
        }
    }

    fn outcomes(self, fleet: &Fleet) -> Vec<Outcome> {
        let outcome = |(key, one)| match one {
            Progress::Over(failure, took) => {
                let exit = failure.exit;
                let outcome = Outcome::new(fleet, key, exit, failure.message, took);
                outcome.hinting(failure.hint)
            }
            Progress::Acting | Progress::Acted | Progress::Unanswered { .. } => {
                Outcome::new(fleet, key, Exit::TimedOut, String::new(), Duration::ZERO)
            }
        };
        self.0.into_iter().map(outcome).collect()
    }
}
