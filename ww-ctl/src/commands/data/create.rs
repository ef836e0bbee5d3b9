//! `data create`.

use std::collections::HashMap;
use std::path::Path;

use whaleware::paths::DATA;

use super::gather::Host;
use super::local::{is_proven, rights};
use super::made::Made;
use super::show::Page;
use super::{Context, apart, during, free, place, root_path, shown};
use crate::audit;
use crate::cli::{DataCreate, Format};
use crate::commands::interrupts::Interrupts;
use crate::commands::record;
use crate::data::{Kind, Mode, Owner, Record, Recorded, Root, RootError};
use crate::engine::{Creation, Engine, Target};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// Permissions of the root of new data where none are said.
const USUAL_MODE: u32 = 0o755;

pub(super) async fn run(context: &Context, arguments: &DataCreate) -> Result<Exit, Failure> {
    context.may_change("create a data container")?;
    let (target, engine) = make(context, arguments).await?;
    let (_, name) = place(context, &arguments.name)?;
    tell(context, target, engine, name).await
}

/// Makes one, without a word.
pub(super) async fn make<'a>(
    context: &'a Context,
    arguments: &DataCreate,
) -> Result<(&'a Target, Engine), Failure> {
    let (target, name) = place(context, &arguments.name)?;
    let mut interrupts = Interrupts::hear(context.output)?;
    let engine = interrupts
        .or(Engine::connect(target, context.clock))
        .await??;
    interrupts.or(free(&engine, "create", name)).await??;
    let mut record = Record::new(name, context.clock.now().wall, &context.by);
    for label in &arguments.labels {
        record.labels.insert(label.key.clone(), label.value.clone());
    }
    if let Some(owner) = arguments.owner {
        record.note("owner", owner.to_string());
    }
    if let Some(mode) = arguments.mode {
        record.note("mode", mode.to_string());
    }
    let job = Job {
        context,
        arguments,
        engine: &engine,
        name,
    };
    let entry = context.audit.begin(
        "data create",
        vec![audit::Target::named(&target.name, name)],
    );
    let mut made = Made::new(&engine);
    let done = job.make(record, &mut made, &mut interrupts).await;
    if let Err(failure) = done {
        let left = made.take_back().await;
        return Err(with_what_is_left(failure, &left));
    }
    entry.end(Exit::Done, "");
    drop(made);
    Ok((target, engine))
}

/// What could not be taken back has to be known.
pub(super) fn with_what_is_left(failure: Failure, left: &[String]) -> Failure {
    if left.is_empty() {
        return failure;
    }
    let left = left.join(", ");
    let hint = failure
        .hint
        .clone()
        .map_or_else(String::new, |hint| format!("; {hint}"));
    failure.hint(format!("left behind: {left}{hint}"))
}

/// Prints what a data container is now.
pub(super) async fn tell(
    context: &Context,
    target: &Target,
    engine: Engine,
    name: &str,
) -> Result<Exit, Failure> {
    let host = Host::through(target, engine).await?;
    let one = host.kept.iter().find(|one| one.seen.name == name).cloned();
    let one = one.ok_or_else(|| {
        let message = format!("{} is gone again", shown(name));
        Failure::new(Exit::Failed, message).hint("somebody else has removed it")
    })?;
    let page = Page::new(&host, one).await?;
    let text = match context.format {
        Format::Table | Format::Wide => format!("{}\n", page.sentence(context)),
        Format::Name => format!("{}\n", page.name(context)),
        Format::Json => record::document(page.fields()),
        Format::Jsonl => record::line(page.fields()),
    };
    context.output.data(&text)?;
    Ok(Exit::Done)
}

/// One that is to be made.
struct Job<'a> {
    context: &'a Context,
    arguments: &'a DataCreate,
    engine: &'a Engine,
    name: &'a str,
}

impl Job<'_> {
    async fn make(
        &self,
        record: Record,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<(), Failure> {
        interrupts.or(image(self.engine)).await??;
        if self.arguments.volume {
            self.with_volume(record, made, interrupts).await
        } else if self.engine.is_local() {
            self.with_directory(record, made, interrupts).await
        } else {
            self.with_far_directory(record, made, interrupts).await
        }
    }

    async fn with_volume(
        &self,
        mut record: Record,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<(), Failure> {
        let name = self.name;
        if interrupts.or(self.engine.volume(name)).await??.is_some() {
            let message = format!("cannot create {name}: there is a volume of that name");
            return Err(Failure::new(Exit::Refused, message).hint(format!(
                "take another name, or `docker volume rm {name}` if nothing in it is needed"
            )));
        }
        record.mounts.push(data(Kind::Volume, name.to_owned()));
        // Its labels are what is remembered of the container, should that be gone.
        let labels: HashMap<String, String> = record.labels.clone().into_iter().collect();
        interrupts.hold(made.volume(name, labels)).await??;
        self.container(&record.creation(true), made, interrupts)
            .await?;
        self.fill(made, interrupts).await
    }

    async fn with_directory(
        &self,
        mut record: Record,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<(), Failure> {
        let given = root_path(self.arguments.root.as_deref())?;
        let root = apart({
            let given = given.clone();
            move || Root::make(&given)
        })
        .await??;
        if root.path() != given {
            self.context.output.say(&format!(
                "{} leads to {}, where the data will be",
                clean(&given.to_string_lossy(), 500),
                clean(&root.text(), 500)
            ));
        }
        made.hold(root.lock()?);
        let place = root.place(self.name);
        if root.recall(self.name)?.is_some() {
            return Err(remembered(&root, self.name));
        }
        made.place(&root, self.name)
            .map_err(|error| taken(error, &place))?;
        record.note("root", root.text());
        let text = place.to_string_lossy().into_owned();
        record.mounts.push(data(Kind::Directory, text));
        let id = self
            .container(&record.creation(true), made, interrupts)
            .await
            .map_err(|failure| elsewhere_perhaps(failure, &place))?;
        let is_proven = is_proven(self.engine, &id, DATA, &place);
        if !interrupts.or(is_proven).await?? {
            return Err(elsewhere(&place));
        }
        self.fill(made, interrupts).await?;
        if let Some((owner, mode)) = rights(&place) {
            record.owner = Some(owner);
            record.mode = Some(mode);
        }
        made.record(&root, &record)?;
        Ok(())
    }

    /// On another machine the Engine makes the directory, when it first looks at it.
    async fn with_far_directory(
        &self,
        mut record: Record,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<(), Failure> {
        let root = root_path(self.arguments.root.as_deref())?;
        let text = root.join(self.name).to_string_lossy().into_owned();
        let refused = |message: &str| {
            Err(Failure::new(Exit::Refused, message.to_owned())
                .hint("call ww-ctl on that machine, or add --volume for a volume of its Engine"))
        };
        if self.arguments.seed.is_some() {
            // What has arrived of it in part could not be taken away again.
            return refused("cannot copy an image's /data into a directory of another machine");
        }
        if text.contains(':') {
            return refused("cannot name a directory with a colon to an Engine of another machine");
        }
        record.note("root", root.to_string_lossy().into_owned());
        record.mounts.push(data(Kind::Directory, text.clone()));
        let id = self
            .container(&record.creation(false), made, interrupts)
            .await?;
        let beginning = interrupts.or(self.engine.beginning(&id, DATA)).await??;
        if !beginning.is_alone {
            let message = format!("cannot put data into {text} of that machine: it is not empty");
            return Err(Failure::new(Exit::Refused, message).hint(format!(
                "`ww-ctl data adopt {text}` makes a container for what is in it"
            )));
        }
        self.fill(made, interrupts).await?;
        self.context.output.say(
            "nothing is written down beside the data on another machine: keep this call, should the \
             container have to be made again",
        );
        Ok(())
    }

    async fn container(
        &self,
        creation: &Creation,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<String, Failure> {
        let id = interrupts.hold(made.container(creation)).await??;
        match interrupts.came() {
            Some(number) => Err(interrupted(number)),
            None => Ok(id),
        }
    }

    /// What is to be in it from the beginning: the image's data, the owner, the permissions.
    async fn fill(&self, made: &mut Made<'_>, interrupts: &mut Interrupts) -> Result<(), Failure> {
        let id = made.id().to_owned();
        if let Some(image) = &self.arguments.seed {
            let seeded = seed(self.engine, image, self.name, &id, made, interrupts).await;
            seeded.map_err(|failure| Failure {
                message: format!(
                    "cannot copy {DATA} of {} in: {}",
                    shown(image),
                    failure.message
                ),
                ..failure
            })?;
        }
        if self.arguments.owner.is_none() && self.arguments.mode.is_none() {
            return Ok(());
        }
        let now = interrupts.or(self.engine.beginning(&id, DATA)).await??;
        let owner = self.arguments.owner.unwrap_or(Owner {
            uid: now.uid,
            gid: now.gid,
        });
        let usual = if self.arguments.seed.is_some() {
            now.mode
        } else {
            USUAL_MODE
        };
        let rights = self.arguments.mode.unwrap_or(Mode::of(usual));
        let archive = root_entry(owner, rights, self.context.clock.now().wall.as_second());
        let put = self.engine.put(&id, "/", archive);
        interrupts.or(put).await??;
        let then = interrupts.or(self.engine.beginning(&id, DATA)).await??;
        let has = (then.uid, then.gid, Mode::of(then.mode));
        if has != (owner.uid, owner.gid, rights) {
            let message = format!(
                "cannot give {DATA} to {owner} with {rights}: it has {}:{} and {}",
                has.0, has.1, has.2
            );
            return Err(
                Failure::new(Exit::Failed, message).hint("its file system may not know owners")
            );
        }
        Ok(())
    }
}

/// There were data of that name: an empty directory may be one whose disk is not mounted.
fn remembered(root: &Root, name: &str) -> Failure {
    let place = clean(&root.place(name).to_string_lossy(), 500);
    let record = root.record_path(name);
    let record = clean(&record.to_string_lossy(), 500);
    let message = format!("cannot create {name}: {place} had the data of one of that name");
    Failure::new(Exit::Refused, message).hint(format!(
        "`ww-ctl data adopt {place}` makes that one again; where its data are gone for good, remove \
         {record}"
    ))
}

/// Something is there already.
fn taken(error: RootError, place: &Path) -> Failure {
    let is_odd = matches!(error, RootError::Odd { .. });
    let failure = Failure::from(error);
    if !is_odd {
        return failure;
    }
    failure.hint(format!(
        "`ww-ctl data adopt {}` makes a container for what is in it; or take another name",
        clean(&place.to_string_lossy(), 500)
    ))
}

fn data(kind: Kind, source: String) -> Recorded {
    Recorded {
        place: DATA.to_owned(),
        kind,
        source,
        read_only: false,
    }
}

fn interrupted(number: u8) -> Failure {
    Failure::new(Exit::Signal(number), "interrupted; nothing is left of it")
}

/// The Engine behind this socket is another machine's.
pub(super) fn elsewhere(place: &Path) -> Failure {
    let message = format!(
        "cannot keep data in {}: the Engine behind this socket does not see the directories of this \
         machine",
        clean(&place.to_string_lossy(), 500)
    );
    Failure::new(Exit::Refused, message)
        .hint("call ww-ctl where that Engine is, or add --volume for a volume of it")
}

/// An Engine that has not the directory says so when it is to mount it.
fn elsewhere_perhaps(failure: Failure, place: &Path) -> Failure {
    if failure.message.contains("source path does not exist") {
        elsewhere(place)
    } else {
        failure
    }
}

/// Makes the image of data containers, unless it is there.
pub(super) async fn image(engine: &Engine) -> Result<(), Failure> {
    use crate::data::{REPOSITORY, TAG};
    let name = format!("{REPOSITORY}:{TAG}");
    if engine.image(&name).await?.is_some() {
        return Ok(());
    }
    let label = format!("LABEL {}=image", whaleware::paths::LABEL_DATA);
    let volume = format!("VOLUME {DATA}");
    engine
        .make_empty_image(REPOSITORY, TAG, &[&volume, &label])
        .await?;
    Ok(())
}

/// Copies the image's `/data` in, through a container of it that is not started either.
async fn seed(
    engine: &Engine,
    image: &str,
    name: &str,
    id: &str,
    made: &mut Made<'_>,
    interrupts: &mut Interrupts,
) -> Result<(), Failure> {
    if interrupts.or(engine.image(image)).await??.is_none() {
        let message = "there is no such image on that host";
        return Err(
            Failure::new(Exit::Failed, message).hint(format!("`docker pull {image}` first"))
        );
    }
    let creation = Creation {
        name: format!("{name}.seed"),
        image: image.to_owned(),
        command: Some(vec!["never-started".into()]),
        ..Creation::default()
    };
    let from = interrupts.hold(made.helper(&creation)).await??;
    let sight = interrupts.or(engine.sight(&from, DATA)).await??;
    let why = match sight {
        None => Some("it has none"),
        Some(sight) if !sight.is_directory => Some("it is no directory"),
        Some(_) => None,
    };
    if let Some(why) = why {
        return Err(Failure::new(Exit::Failed, why).hint("leave out --seed for empty data"));
    }
    let copied = interrupts.or(engine.copy_over(&from, id, DATA)).await?;
    copied.map_err(|error| during("copy", error))?;
    interrupts.hold(made.drop_helper()).await??;
    Ok(())
}

/// An archive that says nothing but who owns `/data`.
fn root_entry(owner: Owner, mode: Mode, now: i64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    // Neither of these can fail: the path is short.
    let _fits = header.set_path(DATA.trim_start_matches('/'));
    header.set_entry_type(tar::EntryType::Directory);
    header.set_uid(u64::from(owner.uid));
    header.set_gid(u64::from(owner.gid));
    header.set_mode(mode.bits());
    header.set_mtime(u64::try_from(now).unwrap_or(0));
    header.set_size(0);
    header.set_cksum();
    let mut archive = header.as_bytes().to_vec();
    archive.extend_from_slice(&crate::engine::EMPTY_ARCHIVE);
    archive
}
