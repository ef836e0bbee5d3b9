//! `run`: a configuration checked against the image's defaults, a container made, started, watched.

mod checked;
mod configuration;
mod describe;
mod found;
mod given;
pub(super) mod line;
mod making;

use serde_json::{Map, json};
use whaleware::config::{ConfigError, Layer, parse};
use whaleware::{env, paths};

use self::configuration::Set;
use self::describe::{Described, describe};
use self::found::{backings, free, image};
use self::given::{Given, Wanted};
use self::line::line;
use super::interrupts::{Interrupts, interrupted};
use super::{Context, record};
use crate::cli::{Format, Run};
use crate::engine::{Backing, Engine, FileError, Known, Target, chain};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::syntax::is_name;

/// The most characters shown of a name.
const SHOWN: usize = 200;

pub(super) async fn run(context: &Context, arguments: &Run) -> Result<Exit, Failure> {
    if !arguments.print {
        context.may_change(&format!("run {}", shown(&arguments.image)))?;
    }
    let (target, name) = place(&context.targets, &arguments.name)?;
    let mut described = describe(arguments, name)?;
    let mut interrupts = Interrupts::hear(context.output)?;
    let sets = arguments.sets.iter().map(|text| Set::read(text));
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    let wanted = Wanted::of(arguments);
    // What is read may be a pipe somebody has yet to write to.
    let reading = tokio::task::spawn_blocking(move || given::read(&wanted));
    let given = interrupts.or(reading).await?.map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot read what is given: {error}"))
    })??;
    let engine = interrupts
        .or(Engine::connect(target, context.clock))
        .await??;
    if !arguments.print {
        interrupts.or(free(&engine, name)).await??;
    }
    let image = interrupts.or(image(&engine, &arguments.image)).await??;
    let subject = Subject {
        context,
        arguments,
        engine: &engine,
        image: &image,
    };
    let checked = subject.configuration(given, &sets, &mut interrupts);
    let (given, cfg) = checked.await?;
    described.fill(arguments, given, cfg.as_deref());
    let data = interrupts.or(backings(&engine, &described)).await??;
    if arguments.print {
        return print(context, &described.commands(&docker(target, &engine)));
    }
    interrupts.or(subject.share(name, &data)).await??;
    subject.say_what_is_new(&described);
    making::make(
        context,
        target,
        arguments,
        &engine,
        &described.creation,
        interrupts,
    )
    .await
}

/// What it is about.
struct Subject<'a> {
    context: &'a Context,
    arguments: &'a Run,
    engine: &'a Engine,
    image: &'a Known,
}

impl Subject<'_> {
    /// Checks the configuration that is given, and what is to become the variable `CFG`; none where
    /// it is among the variables already, or nothing is given.
    async fn configuration(
        &self,
        given: Given,
        sets: &[Set],
        interrupts: &mut Interrupts,
    ) -> Result<(Given, Option<String>), Failure> {
        let composed = given.cfg.is_some() || !sets.is_empty();
        let own = given.own_cfg().map(str::to_owned);
        if composed && own.is_some() {
            return Err(Failure::new(
                Exit::Usage,
                "CFG is given twice: by --cfg or --set, and by --env or --env-file",
            )
            .hint("--cfg and --set become the variable CFG; leave the other out"));
        }
        if !composed && own.is_none() {
            return Ok((given, None));
        }
        let defaults = self.defaults(interrupts).await?;
        let defaults = defaults.as_ref();
        let (layer, text) = if let Some(own) = own {
            let layer = parse(env::CFG, own.as_bytes());
            (layer.map_err(|error| refused(&error))?, None)
        } else {
            let object = configuration::compose(given.cfg.as_ref(), sets, defaults);
            let text = configuration::variable(&object)?;
            // Read as the agent will read it: it has limits of its own.
            let layer = parse(env::CFG, text.as_bytes());
            let layer = layer.map_err(|error| refused(&error))?;
            if self.image_sets(env::CFG) {
                let words = "the image sets CFG itself, which is replaced by what is given here";
                self.context.output.warn(words);
            }
            (layer, Some(text))
        };
        for warning in configuration::check(&layer, defaults, self.arguments.force)? {
            self.context.output.warn(&warning);
        }
        Ok((given, text))
    }

    fn image_sets(&self, name: &str) -> bool {
        let lines = &mut self.image.environment.iter();
        lines.any(|line| {
            line.split_once('=')
                .is_some_and(|(known, value)| known == name && !value.is_empty())
        })
    }

    /// The defaults the image carries; none where it has none, or they may not be looked at.
    async fn defaults(&self, interrupts: &mut Interrupts) -> Result<Option<Layer>, Failure> {
        let output = self.context.output;
        if self.context.may_change("look into the image").is_err() {
            output.warn(
                "read-only: the image's defaults are not looked at, so nothing is compared with \
                 them and the type of each --set is guessed",
            );
            return Ok(None);
        }
        // By its id: a name may be given to another image meanwhile.
        let read = self.engine.image_file(&self.image.id, paths::DEFAULTS);
        let read = interrupts.hold(read).await?;
        if let Some(number) = interrupts.came() {
            return Err(interrupted(number));
        }
        match read {
            Ok(Some(text)) => parse(paths::DEFAULTS, &text).map(Some).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("cannot use the image's own defaults: {error}"),
                )
                .hint("the agent would refuse to start with them: build the image anew")
            }),
            Ok(None) => {
                output.detail("the image has no defaults: nothing to compare with");
                Ok(None)
            }
            Err(error @ FileError::Odd { .. }) => {
                output.warn(&format!(
                    "{error}; nothing is compared with the image's defaults"
                ));
                Ok(None)
            }
            Err(FileError::Engine(error)) => Err(error.into()),
        }
    }

    /// Has it confirmed that others write to the same data.
    async fn share(&self, name: &str, data: &[Backing]) -> Result<(), Failure> {
        let mut users = Vec::new();
        for backing in data {
            users.extend(self.engine.writers(backing).await?);
        }
        users.sort();
        users.dedup();
        if users.is_empty() {
            return Ok(());
        }
        let users: Vec<String> = users.iter().map(|user| shown(user)).collect();
        let users = users.join(", ");
        self.context.output.warn(&format!(
            "{users} runs on the same data: two that write to the same data destroy it, unless \
             they are made for it"
        ));
        let question = format!("start {name} on data that are in use by {users}");
        self.context.confirm(&question).await
    }

    /// A directory that is not there is made by Docker; a typing error looks the same.
    fn say_what_is_new(&self, described: &Described) {
        // A socket of another name may lead to another host.
        if !self.engine.is_the_hosts() {
            return;
        }
        for line in &described.creation.binds {
            let source = line.split(':').next().unwrap_or_default();
            if source.starts_with('/') && std::fs::symlink_metadata(source).is_err() {
                self.context
                    .output
                    .say(&format!("{} is new: Docker makes it", shown(source)));
            }
        }
    }
}

fn refused(error: &ConfigError) -> Failure {
    Failure::new(Exit::Failed, chain(error))
}

/// On which host, and under which name.
fn place<'a>(targets: &'a [Target], wanted: &'a str) -> Result<(&'a Target, &'a str), Failure> {
    let (host, name) = match wanted.rsplit_once('/') {
        Some((host, name)) => (Some(host), name),
        None => (None, wanted),
    };
    if !is_name(name) {
        return Err(Failure::new(
            Exit::Usage,
            format!("cannot use --name `{}`", shown(wanted)),
        )
        .hint("a name has letters, digits, _ . and -, two at least, and begins with a letter or digit"));
    }
    let candidates = || {
        let all: Vec<String> = targets
            .iter()
            .map(|target| format!("{}/{name}", target.name))
            .collect();
        format!("say --name {}", all.join(" or --name "))
    };
    match (host, targets) {
        (None, [only]) => Ok((only, name)),
        (None, _) => Err(Failure::new(
            Exit::Usage,
            format!("cannot run `{name}` on {} hosts at once", targets.len()),
        )
        .hint(candidates())),
        (Some(host), _) => targets
            .iter()
            .find(|target| &*target.name == host)
            .map(|target| (target, name))
            .ok_or_else(|| {
                Failure::new(Exit::Usage, format!("there is no host `{}`", shown(host)))
                    .hint(candidates())
            }),
    }
}

/// How Docker's own tool is called to reach the same Engine.
fn docker(target: &Target, engine: &Engine) -> Vec<String> {
    let mut words = vec!["docker".to_owned()];
    if !engine.is_the_hosts() {
        words.extend(target.endpoint.docker_options());
    }
    words
}

fn print(context: &Context, commands: &[Vec<String>]) -> Result<Exit, Failure> {
    let line = line(commands);
    let fields = || {
        Map::from_iter([
            ("line".to_owned(), json!(line)),
            ("commands".to_owned(), json!(commands)),
        ])
    };
    let text = match context.format {
        Format::Table | Format::Wide | Format::Name => format!("{line}\n"),
        Format::Json => record::document(fields()),
        Format::Jsonl => record::line(fields()),
    };
    context.output.data(&text)?;
    Ok(Exit::Done)
}

fn shown(name: &str) -> String {
    clean(name, SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::Arc;

    fn target(name: &str) -> Target {
        Target {
            name: Arc::from(name),
            endpoint: crate::engine::Endpoint::Unix(PathBuf::from("/nowhere")),
        }
    }

    #[test]
    fn one_of_several_hosts_is_named() {
        let one = [target("local")];
        let two = [target("local"), target("tcp://ops2:2375")];
        let placed = |targets: &[Target], name: &str| {
            place(targets, name).map(|(target, name)| format!("{} {name}", target.name))
        };
        assert_eq!(placed(&one, "shop").unwrap(), "local shop");
        assert_eq!(placed(&one, "local/shop").unwrap(), "local shop");
        assert_eq!(
            placed(&two, "tcp://ops2:2375/shop").unwrap(),
            "tcp://ops2:2375 shop"
        );
        let failure = placed(&two, "shop").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(
            failure.hint.unwrap(),
            "say --name local/shop or --name tcp://ops2:2375/shop"
        );
        for (name, words) in [
            ("ops3/shop", "there is no host `ops3`"),
            ("s", "cannot use --name `s`"),
            ("-shop", "cannot use --name"),
            ("a shop", "cannot use --name"),
            ("local/", "cannot use --name"),
        ] {
            let failure = placed(&two, name).unwrap_err();
            assert!(failure.message.contains(words), "{name}: {failure:?}");
        }
    }
}
