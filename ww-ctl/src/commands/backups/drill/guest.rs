//! What is started on the data of a backup.
//!
//! A manifest is as trustworthy as the vault it lies in, and a vault may be mounted in containers: nothing is taken from
//! it that would give a container more than any other has.

use std::path::Path;

use serde_json::Value;
use whaleware::env::CFG_FILE;
use whaleware::paths::{BACKUP, DATA, LABEL_AGENT, LABEL_DRILL};

use super::super::TEXT;
use super::scratch::Scratch;
use crate::backup::source::is_below;
use crate::backup::vault::{Member, PartKind, Role, Set};
use crate::cli::BackupsDrill;
use crate::engine::{Backing, Creation, Engine, Inspected, Known, Placed, directory};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::Output;
use crate::syntax::{Mount, MountKind, Network, Pair, is_name};

/// The longest name of an image there is.
const IMAGE: usize = 512;
/// The most words of a command that are taken over.
const WORDS: usize = 1000;

/// What is started.
pub(super) struct Guest {
    /// Its image's id.
    image: String,
    /// The same as people call it.
    pub shown: String,
    member: Option<Member>,
    /// Whether the image is the one the backup was made of.
    is_same: bool,
    environment: Vec<String>,
    /// Places of the container that it is to have too.
    with: Vec<String>,
    /// The container that has its place now, if there is one.
    live: Option<Inspected>,
}

impl Guest {
    /// The one for a backup.
    ///
    /// # Errors
    /// When there is none that could come up.
    pub(super) async fn find(
        engine: &Engine,
        set: &Set,
        arguments: &BackupsDrill,
    ) -> Result<Self, Failure> {
        let users: Vec<&Member> = set
            .manifest
            .containers
            .iter()
            .filter(|one| one.role == Role::User)
            .collect();
        let (member, known, is_same) = match &arguments.image {
            Some(name) => (
                users.first().copied(),
                named(engine, set, name).await?,
                false,
            ),
            None => remembered(engine, set, users).await?,
        };
        let shown = match (&arguments.image, member) {
            (Some(name), _) => clean(name, TEXT),
            (None, Some(member)) => clean(&member.image, TEXT),
            (None, None) => clean(&known.id, TEXT),
        };
        let live = match member {
            Some(member) if is_name(&member.name) => engine
                .inspected(&member.name)
                .await?
                .filter(|live| live.name() == member.name),
            Some(_) | None => None,
        };
        let mut environment = live
            .as_ref()
            .map(Inspected::environment)
            .unwrap_or_default();
        environment.extend(arguments.environment.iter().cloned());
        Ok(Self {
            image: known.id,
            shown,
            member: member.cloned(),
            is_same,
            environment,
            with: arguments.with.clone(),
            live,
        })
    }

    /// Says what is not as it was.
    pub(super) fn foretell(&self, output: Output, reference: &str) {
        let Some(member) = &self.member else { return };
        if !self.is_same {
            let was = clean(&member.image_id, TEXT);
            output.say(&format!(
                "{reference}: it was made of the image {was}, and is tried with {}",
                self.shown
            ));
        }
        if self.live.is_none() && !member.env_names.is_empty() {
            let names: Vec<String> = member
                .env_names
                .iter()
                .map(|name| clean(name, 100))
                .collect();
            output.warn(&format!(
                "{reference}: there is no container {} whose environment it could be given, and a backup has the \
                 names only ({}); --env NAME=VALUE gives it more than its image's own",
                clean(&member.name, 200),
                clean(&names.join(", "), 500)
            ));
        }
    }

    /// What it is to be like.
    ///
    /// # Errors
    /// When the backup has a part of a place where nothing can be mounted.
    pub(super) fn creation(
        &self,
        set: &Set,
        scratch: &Scratch,
        rooms: &Rooms,
    ) -> Result<Creation, Failure> {
        let mut creation = Creation {
            name: format!("ww-drill-{}-{}", set.name, scratch.tail()),
            image: self.image.clone(),
            environment: self.environment.clone(),
            labels: vec![label(&scratch.path().to_string_lossy())],
            networks: vec![Network {
                name: "none".to_owned(),
                ..Network::default()
            }],
            ..Creation::default()
        };
        for (place, path) in rooms.places(set)? {
            creation.mounts.push(mount(&place, bind(path), false));
        }
        self.lend(set, &mut creation)?;
        if let Some(member) = &self.member {
            self.liken(&mut creation, &member.create);
        }
        Ok(creation)
    }

    /// Mounts what the container has that is there now, to read: its configuration, and what is asked for.
    fn lend(&self, set: &Set, creation: &mut Creation) -> Result<(), Failure> {
        let placed = self
            .live
            .as_ref()
            .map(Inspected::placed)
            .unwrap_or_default();
        let configuration = self.environment.iter().rev().find_map(|pair| {
            let (name, path) = pair.split_once('=')?;
            (name == CFG_FILE).then(|| directory(path))
        });
        let mut lent: Vec<&Placed> = Vec::new();
        if let Some(path) = configuration {
            let covers = |one: &&Placed| one.place == path || is_below(&path, &one.place);
            // The innermost is what is seen.
            let of = placed.iter().filter(covers);
            lent.extend(of.max_by_key(|one| one.place.len()));
        }
        for place in &self.with {
            let place = directory(place);
            let found = placed.iter().find(|one| one.place == place);
            lent.push(found.ok_or_else(|| {
                let place = clean(&place, TEXT);
                refused(
                    set,
                    &format!("no container has anything mounted at {place} to be lent"),
                )
            })?);
        }
        for one in lent {
            if creation.mounts.iter().any(|own| own.target == one.place) {
                continue;
            }
            let kind = match &one.backing {
                Backing::Directory(source) => bind(Path::new(source)),
                Backing::Volume(name) => volume(name.clone()),
            };
            creation.mounts.push(mount(&one.place, kind, true));
        }
        Ok(())
    }

    /// Takes over what is harmless.
    fn liken(&self, creation: &mut Creation, create: &Value) {
        let text = |pointer: &str| {
            let text = create.pointer(pointer).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let number = |pointer: &str| {
            let number = create.pointer(pointer).and_then(Value::as_i64);
            number.filter(|number| *number > 0)
        };
        creation.user = text("/Config/User");
        creation.hostname = text("/Config/Hostname");
        creation.memory = number("/HostConfig/Memory");
        creation.shm_size = number("/HostConfig/ShmSize");
        // Of another image it may be no command at all.
        if self.is_same {
            let words = create.pointer("/Config/Cmd").and_then(Value::as_array);
            let words = words.filter(|words| !words.is_empty() && words.len() <= WORDS);
            creation.command = words.and_then(|words| {
                let words = words.iter().map(|word| word.as_str().map(str::to_owned));
                words.collect()
            });
            creation.workdir = text("/Config/WorkingDir");
        }
    }
}

/// Where the content of a backup was put.
pub(super) struct Rooms {
    /// Of each part.
    pub parts: Vec<std::path::PathBuf>,
    /// What is there where the backup has nothing.
    pub data: std::path::PathBuf,
    /// The same for what a script wrote, and what it writes.
    pub backup: std::path::PathBuf,
}

impl Rooms {
    /// What is mounted where.
    fn places(&self, set: &Set) -> Result<Vec<(String, &Path)>, Failure> {
        let mut places: Vec<(String, &Path)> = Vec::new();
        for (part, path) in set.manifest.parts.iter().zip(&self.parts) {
            if part.kind == PartKind::Hook {
                continue;
            }
            let place = directory(&part.place);
            let plain = place.starts_with('/')
                && place != "/"
                && !place.split('/').any(|name| name == ".." || name == ".")
                && !place.chars().any(char::is_control);
            if !plain || places.iter().any(|(other, _)| *other == place) {
                let words = format!("nothing can be mounted at {}", clean(&part.place, TEXT));
                return Err(refused(set, &words));
            }
            places.push((place, path));
        }
        for (place, path) in [(DATA, &self.data), (BACKUP, &self.backup)] {
            if !places.iter().any(|(other, _)| other == place) {
                places.push((place.to_owned(), path));
            }
        }
        // What is in another one is mounted after it.
        places.sort();
        Ok(places)
    }
}

/// The image somebody has named.
async fn named(engine: &Engine, set: &Set, name: &str) -> Result<Known, Failure> {
    let shown = clean(name, TEXT);
    let known = engine.image(name).await?;
    let known =
        known.ok_or_else(|| refused(set, &format!("there is no image {shown} on the Engine")))?;
    if known.labels.contains_key(LABEL_AGENT) {
        Ok(known)
    } else {
        Err(no_agent(set, &shown))
    }
}

/// The first of those that used the data whose image can tell when it is UP.
async fn remembered<'a>(
    engine: &Engine,
    set: &Set,
    users: Vec<&'a Member>,
) -> Result<(Option<&'a Member>, Known, bool), Failure> {
    let mut why = None;
    for member in users {
        let shown = clean(&member.image, TEXT);
        let failure = match image_of(engine, member).await? {
            Some((known, is_same)) if known.labels.contains_key(LABEL_AGENT) => {
                return Ok((Some(member), known, is_same));
            }
            Some(_) => no_agent(set, &shown),
            None => refused(
                set,
                &format!("its image {shown} is not on the Engine any more"),
            )
            .hint("build or load it, or name another one with --image IMAGE"),
        };
        why.get_or_insert(failure);
    }
    Err(why.unwrap_or_else(|| {
        refused(
            set,
            "nothing used the data when it was made, so no image is known",
        )
        .hint("name the image with --image IMAGE")
    }))
}

/// The image of a member: the very one, or what has its name now.
async fn image_of(engine: &Engine, member: &Member) -> Result<Option<(Known, bool)>, Failure> {
    for (name, is_same) in [(&member.image_id, true), (&member.image, false)] {
        if is_image(name)
            && let Some(known) = engine.image(name).await?
        {
            return Ok(Some((known, is_same)));
        }
    }
    Ok(None)
}

/// Whether it can be the name or id of an image, and nothing else.
fn is_image(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    (1..=IMAGE).contains(&name.len())
        && name.bytes().all(plain)
        && name
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

fn mount(place: &str, kind: MountKind, read_only: bool) -> Mount {
    Mount {
        text: String::new(),
        kind,
        target: place.to_owned(),
        read_only,
    }
}

fn bind(path: &Path) -> MountKind {
    MountKind::Bind {
        source: path.to_string_lossy().into_owned(),
        propagation: None,
    }
}

const fn volume(name: String) -> MountKind {
    MountKind::Volume {
        source: Some(name),
        no_copy: true,
        labels: Vec::new(),
        driver: None,
        driver_options: Vec::new(),
    }
}

fn label(scratch: &str) -> Pair {
    Pair {
        key: LABEL_DRILL.to_owned(),
        value: scratch.to_owned(),
    }
}

fn refused(set: &Set, why: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        format!("cannot drill {}: {why}", set.reference()),
    )
}

fn no_agent(set: &Set, image: &str) -> Failure {
    refused(
        set,
        &format!("its image {image} has no agent, so nobody tells when it is UP"),
    )
    .hint(format!(
        "`ww-ctl backups verify --full {}` proves that the files are what they were",
        set.reference()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_image_is_not_asked_for() {
        for name in [
            "shop:1",
            "registry.local:5000/shop@sha256:0a",
            "sha256:0a1b",
        ] {
            assert!(is_image(name), "{name}");
        }
        let long = "x".repeat(IMAGE + 1);
        for name in [
            "",
            "../containers",
            "a//b",
            "a/../../b",
            "a b",
            "a?b=c",
            "a%2f",
            &long,
        ] {
            assert!(!is_image(name), "{name}");
        }
    }
}
