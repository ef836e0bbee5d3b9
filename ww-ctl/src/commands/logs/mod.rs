//! `logs`: what containers have printed, several in one by time.

mod line;
mod merge;
mod reader;

use std::pin::Pin;
use std::time::Duration;

use futures::future::{FutureExt, select_all};
use futures::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until};

use self::line::{Form, Owner, Printer};
use self::merge::{Merge, Step};
pub(super) use self::reader::{News, Reader};
use super::Context;
use crate::cli::{Format, Logs};
use crate::engine::LogQuery;
use crate::exit::{Exit, Failure};
use crate::fleet::{ContainerKey, Fleet};

/// How long a line waits for those that were printed before and are still on their way.
const WINDOW: Duration = Duration::from_millis(150);
/// How long an output is waited for of which nothing comes but should.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(context: &Context, arguments: &Logs) -> Result<Exit, Failure> {
    let form = form(context);
    let selection = arguments.names.selection();
    let (fleet, keys, exit) = context.find_some(&selection).await?;
    let owners = owners(context, arguments, &fleet, &keys);
    let mut outputs = Vec::new();
    for owner in &owners {
        outputs.push(open(context, arguments, owner)?);
    }
    let printer = Printer::new(context.output, form, arguments.timestamps, owners.len());
    let now = Instant::now();
    let patience = if arguments.follow { WINDOW } else { PATIENCE };
    let mut telling = Telling {
        context,
        owners,
        outputs,
        merge: Merge::new(keys.len(), patience, now),
        printer,
        exit,
    };
    telling.tell().await?;
    Ok(telling.exit)
}

const fn form(context: &Context) -> Form {
    match context.format {
        Format::Jsonl => Form::Recorded,
        Format::Table | Format::Wide | Format::Json | Format::Name
            if context.output.is_terminal() =>
        {
            Form::Shown
        }
        Format::Table | Format::Wide | Format::Json | Format::Name => Form::Written,
    }
}

/// Whose lines are told, each with what stands before them: of the same width, so that lines stand
/// below each other.
fn owners(context: &Context, arguments: &Logs, fleet: &Fleet, keys: &[ContainerKey]) -> Vec<Owner> {
    let mut owners: Vec<Owner> = keys
        .iter()
        .filter_map(|key| fleet.get(key))
        .map(|one| {
            let called = if context.has_several_hosts() {
                format!("{}/{}", one.key.host, one.name)
            } else {
                one.name.clone()
            };
            Owner {
                key: one.key.clone(),
                name: one.name.clone(),
                prefix: called.clone(),
                called,
            }
        })
        .collect();
    let is_plain = arguments.no_prefix || owners.len() < 2;
    let wide = owners.iter().map(|one| one.prefix.chars().count()).max();
    for owner in &mut owners {
        owner.prefix = if is_plain {
            String::new()
        } else {
            format!("{:<wide$} | ", owner.prefix, wide = wide.unwrap_or(0))
        };
    }
    owners
}

type Output = Pin<Box<dyn Stream<Item = News>>>;

fn open(context: &Context, arguments: &Logs, owner: &Owner) -> Result<Output, Failure> {
    let target = context.target(&owner.key.host)?.clone();
    let now = context.clock.now().wall;
    let reader = Reader {
        target,
        clock: context.clock,
        key: owner.key.clone(),
        is_patient: false,
        query: LogQuery {
            follow: arguments.follow,
            tail: arguments.tail,
            since: arguments.since.map(|since| since.time(now)),
            until: arguments.until.map(|until| until.time(now)),
        },
    };
    Ok(Box::pin(reader.news()))
}

/// The telling of several outputs in one.
struct Telling<'a> {
    context: &'a Context,
    owners: Vec<Owner>,
    outputs: Vec<Output>,
    merge: Merge,
    printer: Printer,
    /// How it ends.
    exit: Exit,
}

impl Telling<'_> {
    async fn tell(&mut self) -> Result<(), Failure> {
        loop {
            self.take_what_is_there();
            let mut bytes = Vec::new();
            let due = loop {
                match self.merge.next(Instant::now()) {
                    Step::Tell(index, line) => {
                        let owner = &self.owners[index];
                        bytes.extend(self.printer.print(index, owner, &line));
                    }
                    Step::Wait(due) => break Some(due),
                    Step::End => break None,
                }
            };
            if !bytes.is_empty() {
                self.context.output.pass(bytes.into(), false).await?;
            }
            let Some(due) = due else { return Ok(()) };
            self.wait(due).await;
        }
    }

    /// Takes in what has come already, without waiting for more.
    fn take_what_is_there(&mut self) {
        for index in 0..self.outputs.len() {
            while self.merge.wants(index) {
                match self.outputs[index].next().now_or_never() {
                    Some(news) => self.take(index, news),
                    None => break,
                }
            }
        }
    }

    /// Waits until something comes, or until then.
    async fn wait(&mut self, due: Option<Instant>) {
        let merge = &self.merge;
        let wanted = self
            .outputs
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| merge.wants(*index))
            .map(|(index, output)| Box::pin(async move { (index, output.next().await) }));
        let wanted: Vec<_> = wanted.collect();
        let come = async {
            if wanted.is_empty() {
                std::future::pending().await
            } else {
                select_all(wanted).await.0
            }
        };
        let over = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let come = tokio::select! {
            biased;
            come = come => Some(come),
            () = over => None,
        };
        if let Some((index, news)) = come {
            self.take(index, news);
        }
    }

    fn take(&mut self, index: usize, news: Option<News>) {
        match news {
            Some(News::Line(line)) => self.merge.push(index, line, Instant::now()),
            Some(News::Opened) => self.printer.begins(index),
            Some(News::Word(text)) => {
                let called = &self.owners[index].called;
                self.context.output.say(&format!("{called}: {text}"));
            }
            Some(News::Failed(mut failure)) => {
                let called = &self.owners[index].called;
                failure.message = format!("{called}: {}", failure.message);
                self.context.output.failure(&failure);
                self.exit = worse(self.exit, failure.exit);
            }
            None => self.merge.close(index),
        }
    }
}

/// An Engine that is gone says more than a container that could not be read.
fn worse(one: Exit, other: Exit) -> Exit {
    if one == Exit::Engine || other == Exit::Engine {
        Exit::Engine
    } else {
        Exit::Failed
    }
}
