//! `image`: puts the agent and a tree on a base image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, json};
use whaleware::env;

use super::{Context, record};
use crate::audit::Target;
use crate::cli::{Format, Image, ImageBuild};
use crate::engine::{Engine, chain};
use crate::environment::variable;
use crate::exit::{Exit, Failure};
use crate::image::{
    BinaryError, BuildError, BuildRequest, Check, Progress, StaticBinary, Tree, build, find_agent,
};

pub(super) async fn run(context: &Context, arguments: &Image) -> Result<Exit, Failure> {
    match arguments {
        Image::Build(arguments) => run_build(context, arguments).await,
    }
}

async fn run_build(context: &Context, arguments: &ImageBuild) -> Result<Exit, Failure> {
    context.may_change("build an image")?;
    let request = BuildRequest {
        base: arguments.base.clone(),
        tree: arguments.tree.clone().map_or(Tree::None, Tree::at),
        tag: arguments.tag.clone(),
        agent: agent()?,
        version: arguments.version.clone(),
        labels: BTreeMap::new(),
        healthcheck: arguments.healthcheck,
        check: if arguments.no_check {
            Check::Skip
        } else {
            Check::First
        },
    };
    let engine = engine(context, "build an image").await?;
    let output = context.output;
    let mut told = |progress| match progress {
        Progress::Note(text) => output.say(&text),
        Progress::Engine(text) => output.detail(&text),
    };
    let targets = vec![Target::named(&context.targets[0].name, &request.tag)];
    let entry = context.audit.begin("image build", targets);
    let id = build(&engine, &request, &mut told).await?.0;
    entry.end(Exit::Done, &id);
    let tag = &request.tag;
    let fields = || Map::from_iter([("tag".into(), json!(tag)), ("id".into(), json!(id))]);
    match context.format {
        Format::Table | Format::Wide => output.data(&format!("{tag} {id}\n"))?,
        Format::Name => output.data(&format!("{tag}\n"))?,
        Format::Json => output.data(&record::document(fields()))?,
        Format::Jsonl => output.data(&record::line(fields()))?,
    }
    Ok(Exit::Done)
}

/// The one Engine images and the demonstration are made on.
pub(super) async fn engine(context: &Context, what: &str) -> Result<Engine, Failure> {
    let [target] = context.targets.as_slice() else {
        let hosts = context.targets.len();
        let message = format!("cannot {what} on {hosts} hosts at once");
        return Err(Failure::new(Exit::Usage, message).hint("name one host with -H or -c"));
    };
    Ok(Engine::connect(target, context.clock).await?)
}

/// The agent that goes into images.
pub(super) fn agent() -> Result<StaticBinary, Failure> {
    let found = find_agent(given(env::WW_AGENT_BINARY).as_deref(), program().as_deref());
    found.map_err(|error| binary(&error, "`make` builds one, `make install` puts it where it is found; or name one with WW_AGENT_BINARY"))
}

/// A path somebody named in the environment.
pub(super) fn given(name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from)
}

/// Where this program is, links resolved: an installation may be linked to from elsewhere.
pub(super) fn program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(Path::canonicalize(&program).unwrap_or(program))
}

/// A program that cannot be used.
pub(super) fn binary(error: &BinaryError, hint: &str) -> Failure {
    Failure::new(Exit::Failed, chain(error)).hint(hint)
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let hint = error.hint();
        let exit = match &error {
            BuildError::Name { .. } => Exit::Usage,
            BuildError::Engine(error) if error.is_engine_down() => Exit::Engine,
            BuildError::Engine(_)
            | BuildError::Tree(_)
            | BuildError::Lint(_)
            | BuildError::Architecture { .. }
            | BuildError::Base { .. }
            | BuildError::Send(_)
            | BuildError::Builder { .. } => Exit::Failed,
        };
        Self {
            exit,
            message: chain(&error),
            hint,
        }
    }
}
