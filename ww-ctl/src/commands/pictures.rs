//! `top --once` and `top --batch`: the dashboard's pictures as text.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use whaleware::env::COLUMNS;

use super::Context;
use crate::cli::Top;
use crate::engine::{Scope, chain};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::fleet::{Input, Stamp};
use crate::tui::{End, FeedStatus, Plain, Recorder, Replay, Start};
use crate::watch::Feed;

/// As wide as that where nobody says.
const USUAL: usize = 120;
/// So long the first picture of many waits for those that have not answered.
const FIRST: Duration = Duration::from_secs(3);

/// As many columns as whoever reads can see.
pub(super) fn columns(context: &Context) -> usize {
    context
        .output
        .width()
        .or_else(|| environment::variable(COLUMNS)?.parse().ok())
        .unwrap_or(USUAL)
}

/// One picture of one look at the fleet, as `ls` looks at it.
pub(super) async fn once(context: &Context, start: Start) -> Result<Exit, Failure> {
    let selection = start.selection.clone();
    let (fleet, exit) = context.look(Scope::Everything, &selection).await?;
    if !selection.names.is_empty() {
        context.pick(&selection, &fleet).await?;
    }
    let hosts: Vec<_> = fleet.hosts().map(|host| host.name.clone()).collect();
    let now = context.clock.now();
    let mut plain = Plain::new(hosts, start, columns(context), now);
    plain.knows(fleet);
    context.output.data(&plain.draw(now))?;
    Ok(exit)
}

/// One picture of how a recording ends.
pub(super) fn last(context: &Context, start: Start, mut replay: Replay) -> Result<Exit, Failure> {
    let hosts = replay.hosts().to_vec();
    let mut plain = Plain::new(hosts, start, columns(context), replay.last());
    let told = loop {
        match replay.tell() {
            Ok(Some((at, input))) => plain.take(input, at),
            Ok(None) => break Ok(Exit::Done),
            Err(error) => break Err(error),
        }
    };
    let telling = replay.telling();
    if telling.end == Some(End::Cut) {
        context.output.warn("the last line is incomplete: left out");
    }
    plain.replayed(telling);
    // As far as it goes it is shown, whatever is wrong with the rest.
    context.output.data(&plain.draw(replay.last()))?;
    told.map_err(|error| Failure::new(Exit::Failed, chain(&error)))
}

/// A picture after the other, until nobody reads them.
pub(super) async fn batch(
    context: &Context,
    arguments: &Top,
    start: Start,
    recorder: Option<Recorder>,
) -> Result<Exit, Failure> {
    let clock = context.clock;
    let targets = context.targets.clone();
    let hosts: Vec<_> = targets.iter().map(|target| target.name.clone()).collect();
    let plain = Plain::new(hosts, start, columns(context), clock.now());
    let everything = Scope::Everything;
    let mut feed = Feed::open(targets, everything, &context.backups(), &context.by, clock);
    let mut taken = Taken { plain, recorder };
    let ended = pictures(context, arguments.interval, &mut feed, &mut taken).await;
    feed.close().await;
    ended.map(|()| Exit::Done)
}

/// What pictures are made of, and what keeps it.
struct Taken {
    plain: Plain,
    recorder: Option<Recorder>,
}

impl Taken {
    fn take(&mut self, context: &Context, input: Input, at: Stamp) {
        let failed = self
            .recorder
            .as_mut()
            .and_then(|recorder| recorder.keep(at, &input).or_else(|| recorder.failed()));
        if let Some(reason) = failed {
            self.recorder = None;
            let text = format!("recording has stopped: {reason}");
            context.output.warn(&text);
        }
        self.plain.take(input, at);
    }
}

async fn pictures(
    context: &Context,
    between: Duration,
    feed: &mut Feed,
    taken: &mut Taken,
) -> Result<(), Failure> {
    let clock = context.clock;
    let limit = Instant::now() + FIRST;
    while !taken.plain.is_settled() {
        tokio::select! {
            () = sleep_until(limit) => break,
            input = feed.inputs.recv() => match input {
                Some(input) => taken.take(context, input, clock.now()),
                None => break,
            }
        }
    }
    let mut ticks = interval(between);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_first = true;
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => {
                let picture = taken.plain.draw(clock.now());
                let text = if is_first { picture } else { format!("\n{picture}") };
                is_first = false;
                context.output.data(&text)?;
            }
            input = feed.inputs.recv(), if taken.plain.feed() == FeedStatus::Open => match input {
                Some(input) => taken.take(context, input, clock.now()),
                None => taken.plain.end(clock.now()),
            }
        }
    }
}
