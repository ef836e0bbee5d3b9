//! `demo`: a fleet to look at.

use whaleware::env;

use super::{Context, image};
use crate::cli::Demo;
use crate::demo::{DemoError, DemoOptions, busybox, down, up};
use crate::engine::chain;
use crate::exit::{Exit, Failure};

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
            up(&engine, &options, &mut |text| output.say(&text)).await?;
            output.say("the fleet runs; `ww-ctl top` shows it, `ww-ctl demo down` removes it");
        }
        Demo::Down => {
            context.may_change("remove the demonstration")?;
            let engine = image::engine(context, "remove the demonstration").await?;
            let removed = down(&engine, &mut |text| output.detail(&text)).await?;
            output.say(&format!(
                "removed {}, {} and {} of the demonstration",
                count(removed.containers, "container"),
                count(removed.images, "image"),
                count(removed.volumes, "volume"),
            ));
        }
    }
    Ok(Exit::Done)
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
