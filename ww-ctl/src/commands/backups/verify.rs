//! `backups verify`.

use std::time::Duration;

use serde_json::Map;

use super::checked::{Checked, Findings, write_down};
use super::row::word;
use super::wanted::{self, Wanted};
use super::{Context, TEXT, apart, vault};
use crate::audit;
use crate::backup::source::Gauge;
use crate::backup::vault::{Depth, How, Verdict, verify};
use crate::cli::BackupsVerify;
use crate::engine::chain;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::units::{duration, size};

/// How often it is said how far it is.
const TICK: Duration = Duration::from_millis(250);
/// What a backup is that is damaged.
pub(super) const WRONG: &str = "is not what it was";

pub(super) async fn run(context: &Context, arguments: &BackupsVerify) -> Result<Exit, Failure> {
    let vault = vault(&arguments.vault).await?;
    let wanted = if arguments.all {
        wanted::all(&vault).await?
    } else {
        wanted::named(&vault, &arguments.backups).await?
    };
    if wanted.is_empty() {
        context.output.say("there is no backup to verify");
    }
    // To look is always allowed; only what was found is not written down then.
    let writes = context.may_change("write down what was found").is_ok();
    let entry = writes.then(|| {
        let targets = wanted
            .iter()
            .map(|one| audit::Target::named("", &one.reference()));
        context.audit.begin("backups verify", targets.collect())
    });
    let mut findings = Findings::new(context, "verified");
    for one in wanted {
        // Of all there were one may be gone when its turn comes.
        if let Wanted::Set(set) = &one
            && let Err(error) = set.hold()
        {
            context.output.warn(&chain(&error));
            continue;
        }
        let reference = one.reference();
        match check(context, arguments, one, writes).await {
            Ok(checked) => findings.add(&checked)?,
            Err(failure) => findings.miss(&reference, &failure),
        }
    }
    findings.end(entry)
}

async fn check(
    context: &Context,
    arguments: &BackupsVerify,
    one: Wanted,
    writes: bool,
) -> Result<Checked, Failure> {
    let reference = one.reference();
    let (depth, how) = if arguments.full {
        (Depth::Full, How::Full)
    } else {
        (Depth::Quick, How::Quick)
    };
    let set = match one {
        Wanted::Set(set) => *set,
        Wanted::Broken { reason, .. } => {
            return Ok(Checked {
                reference,
                how,
                verdict: Verdict {
                    faults: vec![reason],
                    unchecked: Vec::new(),
                },
                well: String::new(),
                wrong: WRONG,
                bytes: 0,
                took: Duration::ZERO,
                more: Map::new(),
            });
        }
    };
    let begun = context.clock.now().moment;
    let gauge = Gauge::new();
    let (own, identity) = (set.clone(), arguments.identity.clone());
    let at_work = gauge.clone();
    let work = apart(move || verify(&own, depth, identity.as_deref(), &at_work));
    let verdict = watched(context, &reference, &gauge, work)
        .await?
        .map_err(|error| {
            let message = format!("cannot verify {reference}: {}", clean(&chain(&error), TEXT));
            Failure::new(Exit::Failed, message).hint("nothing is known of it; is it readable?")
        })?;
    let took = context.clock.now().moment.since(begun);
    // What was not decoded was looked into quickly.
    let how = if verdict.unchecked.is_empty() {
        how
    } else {
        How::Quick
    };
    let checked = Checked {
        reference,
        how,
        verdict,
        well: format!(
            "is what it was ({}, {} in {})",
            word(how),
            size(set.bytes()),
            duration(took)
        ),
        wrong: WRONG,
        bytes: set.bytes(),
        took,
        more: Map::new(),
    };
    if writes {
        write_down(context, set, &checked).await?;
    }
    Ok(checked)
}

/// Waits for work on a backup, and tells how far it is where somebody looks on.
async fn watched<T>(
    context: &Context,
    reference: &str,
    gauge: &Gauge,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = std::pin::pin!(work);
    let mut shown = 0;
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            done = &mut work => {
                context.output.rewrite(shown, &[]);
                return done;
            }
            _ = ticks.tick() => {
                let line = format!("{reference}  {} read", size(gauge.bytes()));
                shown = context.output.rewrite(shown, &[line]);
            }
        }
    }
}
