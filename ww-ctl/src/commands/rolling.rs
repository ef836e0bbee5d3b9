//! `restart --rolling`: in turn, so that the others go on serving, up to the first that is not well.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use whaleware::lifecycle::{NO_MONITOR, State};
use whaleware::protocol::{HealthStatus, RequestKind};

use super::Context;
use super::act::{Chosen, Intent, Plan, Verdict, choose};
use super::acting::Proof;
use super::before::Before;
use super::drive::drive;
use super::outcome::conclude;
use super::restart::{hang_up, renew, renewed, restarted};
use super::turns::Turns;
use crate::cli::Restart;
use crate::engine::Scope;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, Fleet, stop_words};
use crate::watch::FeedHandle;

/// Before an agent that could not be asked is asked again.
const AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn run(context: &Context, arguments: &Restart) -> Result<Exit, Failure> {
    let selection = arguments.names.selection();
    let mut live = context.live(Scope::Agents, &selection).await?;
    let at_once = arguments.max_unavailable.get();
    let intent = Intent {
        verb: "restart",
        manner: &format!(" in turn, {},", at_most(at_once)),
        beforehand: if arguments.container {
            stop_words
        } else {
            |_: &Container| None
        },
    };
    let Chosen {
        keys,
        changed,
        entry,
    } = choose(context, &arguments.names, &intent, &mut live).await?;
    if let Some(words) = foreword(&live.fleet, &keys, at_once) {
        context.output.say(&words);
    }
    let judge = |one: &Container, before: &Before, acted: bool| {
        let verdict = if arguments.container {
            renewed(one, before, acted)
        } else {
            restarted(one, before, acted)
        };
        proven(one, verdict)
    };
    let plan = Plan {
        act: if arguments.container {
            &renew
        } else {
            &hang_up
        },
        judge: &judge,
        changed: &changed,
        limit: Some(arguments.timeout),
        turns: Some(Turns {
            at_once,
            prove: &prove,
        }),
        entry: Some(&entry),
    };
    let outcomes = drive(context, &mut live, &keys, &plan).await?;
    live.close().await;
    conclude(context, "restart", entry, &outcomes)
}

fn at_most(at_once: usize) -> String {
    match at_once {
        1 => "one at a time".to_owned(),
        several => format!("at most {several} at a time"),
    }
}

/// What is going to happen, before it does; nothing where there is no turn to be taken.
fn foreword(fleet: &Fleet, keys: &[ContainerKey], at_once: usize) -> Option<String> {
    if keys.len() < 2 {
        return None;
    }
    let all = || keys.iter().filter_map(|key| fleet.get(key));
    let names: Vec<&str> = all().map(|one| one.name.as_str()).collect();
    let mut words = format!(
        "{} in turn, {}: {}",
        names.len(),
        at_most(at_once),
        names.join(" ")
    );
    let ill: Vec<String> = all()
        .filter(|one| !one.is_healthy())
        .map(|one| {
            let state = one.state().map_or("unknown", State::name);
            let failing = one.health() == HealthStatus::Failing;
            let word = if failing { "failing" } else { state };
            format!("{} ({word})", one.name)
        })
        .collect();
    if !ill.is_empty() {
        words.push_str("; first those that are not well: ");
        words.push_str(&ill.join(", "));
    }
    Some(words)
}

/// Being UP says nothing of being well before a check has.
fn proven(one: &Container, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Reached if one.health() == HealthStatus::Unknown => Verdict::Unproven,
        Verdict::Reached
        | Verdict::Pending
        | Verdict::Unproven
        | Verdict::Asked(_)
        | Verdict::Failed(_) => verdict,
    }
}

/// Has its monitor run now rather than in its own time. What it says comes from the agent as any
/// other check does.
fn prove(handle: &FeedHandle, one: &Container, before: &Before) -> BoxFuture<'static, Proof> {
    let (handle, key) = (handle.clone(), one.key.clone());
    let was_checked = before.was_checked();
    async move {
        let Ok(answer) = handle.ask(&key, RequestKind::Check).await else {
            tokio::time::sleep(AGAIN).await;
            return Proof::Wanted;
        };
        let error = answer.error.map(|error| (error.code, error.message));
        match error
            .as_ref()
            .map(|(code, words)| (code.as_str(), words.as_str()))
        {
            None => Proof::Awaited,
            Some(("refused", NO_MONITOR)) => Proof::Enough,
            Some(("refused", _)) => {
                tokio::time::sleep(AGAIN).await;
                Proof::Wanted
            }
            // It may not be asked: its own checks come in their time, if it had any before.
            Some(_) if was_checked => Proof::Awaited,
            Some(_) => Proof::Enough,
        }
    }
    .boxed()
}

/// What one in work does, where nothing more is known of it: `shop-3: RESTARTING`.
pub(super) fn in_work(one: &Container) -> String {
    let state = one.state().map_or("unknown", State::name);
    let checked = one.state() == Some(State::Up) && one.health() != HealthStatus::Passing;
    let what = if checked { ", to be checked" } else { "" };
    format!("{}: {state}{what}", one.name)
}
