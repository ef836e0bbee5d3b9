//! `demo`: a fleet to look at.

use serde_json::{Map, json};
use whaleware::env;

use super::{Context, image, record};
use crate::audit::{Entry, Target};
use crate::cli::{Demo, Format};
use crate::demo::{DemoError, DemoOptions, Removed, busybox, down, names, up};
use crate::engine::chain;
use crate::exit::{Exit, Failure};
use crate::output::lines;

pub(super) async fn run(context: &Context, arguments: &Demo) -> Result<Exit, Failure> {
    let output = context.output;
    match arguments {
        Demo::Up => {
            context.may_change("make the demonstration")?;
            let program = image::program();
            let found = busybox::find(image::given(env::WW_BUSYBOX).as_deref(), program.as_deref());
            let busybox = found.map_err(|error| image::binary(&error, busybox::HINT))?;
            let options = DemoOptions {
                agent: image::agent()?,
                busybox,
            };
            let engine = image::engine(context, "make the demonstration").await?;
            let entry = begin(context, "demo up");
            up(&engine, &options, &mut |text| output.say(&text)).await?;
            entry.end(Exit::Done, "");
            output.data(&made(context.format))?;
            output.say("the fleet runs; `ww-ctl top` shows it, `ww-ctl demo down` removes it");
        }
        Demo::Down => {
            context.may_change("remove the demonstration")?;
            let engine = image::engine(context, "remove the demonstration").await?;
            let entry = begin(context, "demo down");
            let removed = down(&engine, &mut |text| output.detail(&text)).await?;
            let words = format!(
                "removed {}, {} and {} of the demonstration",
                count(removed.containers, "container"),
                count(removed.images, "image"),
                count(removed.volumes, "volume"),
            );
            entry.end(Exit::Done, &words);
            output.data(&gone(context.format, removed))?;
            output.say(&words);
        }
    }
    Ok(Exit::Done)
}

/// What the demonstration is made of is known once it is there.
fn begin(context: &Context, action: &str) -> Entry {
    let hosts = context.targets.iter();
    let targets = hosts.map(|host| Target::named(&host.name, "demo-*"));
    context.audit.begin(action, targets.collect())
}

/// What runs now, where that is wanted as data: for people it is said while it is done.
fn made(format: Format) -> String {
    let fields = |name, value| Map::from_iter([(String::from(name), value)]);
    match format {
        Format::Table | Format::Wide => String::new(),
        Format::Name => lines(names()),
        Format::Jsonl => names()
            .map(|name| record::line(fields("name", json!(name))))
            .collect(),
        Format::Json => {
            let all: Vec<String> = names().collect();
            record::document(fields("containers", json!(all)))
        }
    }
}

fn gone(format: Format, removed: Removed) -> String {
    let fields = Map::from_iter([(
        "removed".to_owned(),
        json!({
            "containers": removed.containers,
            "images": removed.images,
            "volumes": removed.volumes,
        }),
    )]);
    match format {
        Format::Table | Format::Wide | Format::Name => String::new(),
        Format::Jsonl => record::line(fields),
        Format::Json => record::document(fields),
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        let exit = match &error {
            DemoError::Interrupted(signal) => Exit::Signal(*signal),
            DemoError::NameTaken { .. } => Exit::Refused,
            DemoError::Engine(error) if error.is_engine_down() => Exit::Engine,
            DemoError::Engine(_)
            | DemoError::Base(_)
            | DemoError::Build(_)
            | DemoError::Signals(_)
            | DemoError::Left { .. } => Exit::Failed,
        };
        Self {
            exit,
            hint: error.hint(),
            message: chain(&error),
        }
    }
}
