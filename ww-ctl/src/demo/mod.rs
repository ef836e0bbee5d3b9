//! A fleet to look at: images made from nothing, containers that live different lives, and all of it
//! gone again afterwards.

mod base;
pub(crate) mod busybox;
mod content;
mod members;

use std::collections::{BTreeMap, HashMap};

use tokio::signal::unix::{SignalKind, signal};

use self::base::BaseError;
use self::members::{MEMBERS, Member};
use crate::engine::{Engine, EngineError, Labelled};
use crate::image::{BuildError, BuildRequest, Check, Progress, StaticBinary, Tree};

/// The label of everything the demonstration makes; what has it not is never touched.
pub(crate) const LABEL: (&str, &str) = ("io.whaleware.demo", "1");
/// An image may be held by one that is derived from it, or by a build just given up: it is gone in
/// the next pass.
const PASSES: u32 = 4;

/// What the demonstration is made of.
#[derive(Debug)]
pub(crate) struct DemoOptions {
    /// The agent.
    pub(crate) agent: StaticBinary,
    /// Shell and tools of the images.
    pub(crate) busybox: StaticBinary,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Removed {
    /// Containers.
    pub(crate) containers: usize,
    /// Images.
    pub(crate) images: usize,
    /// Volumes.
    pub(crate) volumes: usize,
}

/// Why there is no fleet, or why some of it is left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A name is somebody else's.
    #[error(
        "cannot make the demonstration's {what} `{name}`: there is one of that name that is not the demonstration's; rename or remove it"
    )]
    NameTaken {
        /// Container or image.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The image under all others.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A member's image.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The Engine did not do as asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// This signal came, SIGINT or SIGTERM.
    #[error("interrupted; what this call had made is removed again")]
    Interrupted(u8),
    /// Signals could not be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
    /// It failed, and what it had made could not be removed.
    #[error("{failed}; and cannot take it down again: {left}")]
    Left {
        /// The first failure.
        failed: Box<DemoError>,
        /// The second one.
        left: Box<DemoError>,
    },
}

impl DemoError {
    /// What to do next, in one line, where that can be said.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Build(error) | Self::Base(BaseError::Build(error)) => error.hint(),
            Self::Base(BaseError::Run { .. } | BaseError::Lacks { .. }) => {
                Some(busybox::HINT.into())
            }
            Self::Engine(error) => error.hint(),
            Self::Left { .. } => Some("`ww-ctl demo down` removes what is left".into()),
            Self::NameTaken { .. } | Self::Interrupted(_) | Self::Signals(_) => None,
        }
    }
}

/// The names of its containers.
pub(crate) fn names() -> impl Iterator<Item = String> {
    MEMBERS.iter().map(container_name)
}

/// Builds the images and starts the fleet; returns when the containers run, not when they are UP.
/// What is there already and is up to date stays as it is.
///
/// # Errors
/// When a step fails or SIGINT or SIGTERM comes. Then what this call made is removed again, and, if
/// there was no demonstration before, everything of it.
pub(crate) async fn up(
    engine: &Engine,
    options: &DemoOptions,
    progress: &mut (dyn FnMut(String) + Send),
) -> Result<(), DemoError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DemoError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(DemoError::Signals)?;
    let before = engine.labelled_containers(&label()).await?;
    for member in MEMBERS {
        free(engine, member, &before).await?;
    }
    let mut made = Vec::new();
    let outcome = tokio::select! {
        outcome = raise(engine, options, &before, &mut made, progress) => outcome,
        _ = interrupt.recv() => Err(DemoError::Interrupted(2)),
        _ = terminate.recv() => Err(DemoError::Interrupted(15)),
    };
    let Err(failed) = outcome else { return Ok(()) };
    progress("taking down what was made so far".into());
    match take_back(engine, before.is_empty(), &made).await {
        Ok(()) => Err(failed),
        Err(left) => Err(DemoError::Left {
            failed: Box::new(failed),
            left: Box::new(left),
        }),
    }
}

/// Removes every container, image and volume with the demonstration's label, and nothing else.
///
/// # Errors
/// When the Engine cannot remove something, which is named; what came before it is gone.
pub(crate) async fn down(
    engine: &Engine,
    progress: &mut (dyn FnMut(String) + Send),
) -> Result<Removed, DemoError> {
    let mut removed = Removed::default();
    for container in engine.labelled_containers(&label()).await? {
        progress(format!("removing the container {}", container.name));
        engine.remove_container(&container.id).await?;
        removed.containers += 1;
    }
    for pass in 1..=PASSES {
        let images = engine.labelled_images(&label()).await?;
        if images.is_empty() {
            break;
        }
        for image in images {
            match engine.remove_image(&image).await {
                Ok(()) => {
                    progress(format!("removing the image {image}"));
                    removed.images += 1;
                }
                Err(error) if pass == PASSES => return Err(error.into()),
                Err(_) => {}
            }
        }
    }
    for volume in engine.labelled_volumes(&label()).await? {
        progress(format!("removing the volume {volume}"));
        engine.remove_volume(&volume).await?;
        removed.volumes += 1;
    }
    Ok(removed)
}

fn label() -> String {
    format!("{}={}", LABEL.0, LABEL.1)
}

fn container_name(member: &Member) -> String {
    format!("demo-{}", member.name)
}

fn image_name(member: &Member) -> String {
    format!("whaleware-demo-{}", member.name)
}

/// Refuses to take a name that is somebody else's.
async fn free(engine: &Engine, member: &Member, before: &[Labelled]) -> Result<(), DemoError> {
    let name = container_name(member);
    let own = before.iter().any(|container| container.name == name);
    if !own && engine.container_exists(&name).await? {
        return Err(DemoError::NameTaken {
            what: "container",
            name,
        });
    }
    for name in [image_name(member), base::NAME.to_owned()] {
        let image = engine.image(&name).await?;
        if image.is_some_and(|image| {
            image
                .labels
                .get(LABEL.0)
                .is_none_or(|value| value != LABEL.1)
        }) {
            return Err(DemoError::NameTaken {
                what: "image",
                name,
            });
        }
    }
    Ok(())
}

/// Makes what is not there yet, and notes each container it makes.
async fn raise(
    engine: &Engine,
    options: &DemoOptions,
    before: &[Labelled],
    made: &mut Vec<String>,
    progress: &mut (dyn FnMut(String) + Send),
) -> Result<(), DemoError> {
    progress(format!(
        "making {} from {}, if it is not there",
        base::NAME,
        options.busybox.path().display()
    ));
    let base = base::build(engine, &options.agent, &options.busybox).await?;
    for member in MEMBERS {
        let (name, image) = (container_name(member), image_name(member));
        let id = image_of(engine, options, &base, member, progress).await?;
        match before.iter().find(|container| container.name == name) {
            Some(there) if there.image == id && there.running => {
                progress(format!("{name} is there already: {}", member.about));
                continue;
            }
            Some(there) if there.image == id => {
                progress(format!("starting {name} again: {}", member.about));
                engine.start(&there.id).await?;
                continue;
            }
            Some(there) => {
                progress(format!("replacing {name}, whose image is older"));
                engine.remove_container(&there.id).await?;
            }
            None => {}
        }
        progress(format!("starting {name}: {}", member.about));
        let labels = HashMap::from([(LABEL.0.into(), LABEL.1.into())]);
        let id = engine.create_container(&name, &image, labels).await?;
        made.push(id.clone());
        engine.start(&id).await?;
    }
    Ok(())
}

/// The id of a member's image, which is built unless one with the same content is there.
async fn image_of(
    engine: &Engine,
    options: &DemoOptions,
    base: &str,
    member: &Member,
    progress: &mut (dyn FnMut(String) + Send),
) -> Result<String, DemoError> {
    let image = image_name(member);
    let content = content::of_tree(base, member.files);
    if let Some(there) = engine.image(&image).await?
        && content::is(&there, &content)
    {
        return Ok(there.id);
    }
    progress(format!("building {image}"));
    let request = BuildRequest {
        base: base::NAME.into(),
        tree: Tree::Carried(member.files),
        tag: image,
        agent: options.agent.clone(),
        version: None,
        labels: BTreeMap::from([
            (LABEL.0.into(), LABEL.1.into()),
            (content::LABEL.into(), content),
        ]),
        healthcheck: false,
        check: Check::Skip,
    };
    let built = crate::image::build(engine, &request, &mut |_: Progress| {}).await?;
    Ok(built.0)
}

async fn take_back(engine: &Engine, all: bool, made: &[String]) -> Result<(), DemoError> {
    if all {
        return down(engine, &mut |_| {}).await.map(drop);
    }
    for id in made {
        engine.remove_container(id).await?;
    }
    Ok(())
}
