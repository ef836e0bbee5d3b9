//! Acting on several containers, all at once or in turn, and watching until it is true.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::Context;
use super::act::{Plan, Sent};
use super::acting::{Acting, News, Proof};
use super::live::Live;
use super::outcome::Outcome;
use super::telling::Teller;
use crate::audit::{Target, TargetResult};
use crate::exit::{Exit, Failure};
use crate::fleet::{ContainerKey, Fleet};
use crate::units::duration;

/// How often what goes on is drawn anew on a terminal.
const REDRAW: Duration = Duration::from_millis(250);

/// What has been begun and ended.
enum Ended {
    Acted(Result<Sent, Failure>),
    Asked(Proof),
}

type Work = FuturesUnordered<BoxFuture<'static, (ContainerKey, Ended)>>;

/// Acts and watches until each is there, cannot get there, or its time is over.
///
/// # Errors
/// When nothing can be watched any more.
pub(super) async fn drive(
    context: &Context,
    live: &mut Live,
    keys: &[ContainerKey],
    plan: &Plan<'_>,
) -> Result<Vec<Outcome>, Failure> {
    let now = || context.clock.now().moment;
    let mut teller = Teller::from_now(&live.fleet, context.output);
    if plan.turns.is_some() {
        teller = teller.brief();
    }
    let mut tick = tokio::time::interval(REDRAW);
    let mut acting = Acting::on(keys, &live.fleet, plan, now(), context.output);
    let mut work = Work::new();
    loop {
        acting.measure(&live.fleet, plan, now());
        for one in acting.news() {
            if plan.turns.is_some() {
                let (done, all) = acting.done();
                teller.say(&progress(&one, done, all));
            }
            if let Some(entry) = plan.entry {
                entry.so_far(result(one));
            }
        }
        if acting.is_over() {
            break;
        }
        begin(live, plan, &mut acting, &mut work, now());
        teller.wait(acting.in_the_way(&live.fleet));
        let whole = plan.turns.as_ref().map(|_| acting.done());
        teller.draw(acting.still(&live.fleet), whole, now());
        tokio::select! {
            changes = live.next() => {
                let changes = changes?;
                acting.answers_again(&changes);
                let now = context.clock.now();
                teller.tell(&live.fleet, &changes, now, |key| acting.contains(key));
            }
            Some((key, ended)) = work.next() => match ended {
                Ended::Acted(result) => {
                    if result == Ok(Sent::Unanswered) {
                        teller.clear();
                        say_unanswered(context, &live.fleet, &key);
                    }
                    acting.sent(&key, result, now());
                }
                Ended::Asked(proof) => acting.proved(&key, proof),
            },
            _ = tick.tick(), if context.output.rewrites() => {}
            () = until(acting.deadline()) => acting.give_up(&live.fleet, now()),
        }
    }
    teller.clear();
    Ok(acting.outcomes(&live.fleet))
}

/// Begins those whose turn has come, and asks those that are there whether they are well.
fn begin(
    live: &Live,
    plan: &Plan<'_>,
    acting: &mut Acting,
    work: &mut Work,
    now: whaleware::lifecycle::Moment,
) {
    for key in acting.begin(&live.fleet, plan, now) {
        if let Some(container) = live.fleet.get(&key) {
            let act = (plan.act)(live.handle(), container);
            work.push(act.map(|result| (key, Ended::Acted(result))).boxed());
        }
    }
    if let Some(turns) = &plan.turns {
        for (container, before) in acting.ask(&live.fleet) {
            let asked = (turns.prove)(live.handle(), container, before);
            let key = container.key.clone();
            work.push(asked.map(|proof| (key, Ended::Asked(proof))).boxed());
        }
    }
}

/// `3/20 shop-3: UP after 2.1s`.
fn progress(one: &News, done: usize, all: usize) -> String {
    let name = &one.name;
    let what = if one.exit == Exit::Done {
        format!("UP after {}", duration(one.took))
    } else if one.exit == Exit::TimedOut {
        "took too long".to_owned()
    } else {
        "failed".to_owned()
    };
    format!("{done}/{all} {name}: {what}")
}

fn result(one: News) -> TargetResult {
    TargetResult {
        target: Target {
            host: one.key.host.to_string(),
            id: Some(one.key.id.to_string()),
            name: one.name,
        },
        ok: one.exit == Exit::Done,
        words: one.reason,
        took_ms: u64::try_from(one.took.as_millis()).unwrap_or(u64::MAX),
    }
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
