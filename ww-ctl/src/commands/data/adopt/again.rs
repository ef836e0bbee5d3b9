//! Containers made for directories: those that are remembered, in the trash, or anybody's.

use std::path::Path;

use super::super::local::rights;
use super::super::{apart, shown};
use super::{Interrupts, Job, Made};
use crate::data::{Kind, Record, Recorded, Root, Trash};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

impl Job<'_> {
    /// As it was.
    pub(super) async fn again(
        &self,
        root: &Root,
        record: Record,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<Vec<String>, Failure> {
        for mount in &record.mounts {
            let is_there = match mount.kind {
                Kind::Directory => {
                    let place = mount.source.clone();
                    apart(move || rights(Path::new(&place)).is_some()).await?
                }
                Kind::Volume | Kind::AnonymousVolume => {
                    let volume = self.host.engine.volume(&mount.source);
                    interrupts.or(volume).await??.is_some()
                }
            };
            if !is_there {
                let message = format!(
                    "cannot make {} again: {} is not there",
                    self.name,
                    shown(&mount.source)
                );
                return Err(Failure::new(Exit::Failed, message)
                    .hint("is the disk it lies on mounted? else restore it from a backup first"));
            }
        }
        let mut said = changed(&record);
        self.container(root, record, made, interrupts).await?;
        // None that is there has that id.
        let seen = &self.host.seen;
        said.extend(self.named_by_id(|word| {
            let is_id = word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_id
                && !seen
                    .iter()
                    .any(|one| one.id.starts_with(word) || one.name == word)
        }));
        Ok(said)
    }

    /// A directory, where it is.
    pub(super) async fn in_place(
        &self,
        root: &Root,
        place: &Path,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<Vec<String>, Failure> {
        if root.remembered().contains(self.name) {
            let message = format!(
                "cannot adopt {}: another one of that name is remembered in {}",
                self.name,
                clean(&root.text(), 500)
            );
            return Err(Failure::new(Exit::Refused, message).hint(format!(
                "take another name; `ww-ctl data adopt {}` without --from makes that one again",
                self.name
            )));
        }
        let mut record = self.record(root);
        record.mounts.push(at_data(place));
        self.container(root, record, made, interrupts).await?;
        Ok(Vec::new())
    }

    /// A directory, out of the trash.
    pub(super) async fn trashed(
        &self,
        root: &Root,
        place: &Path,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<Vec<String>, Failure> {
        let Some(trash) = Trash::of(place).filter(|trash| trash.root() == root) else {
            let message = format!("{} is not in the trash of {}", place.display(), root.text());
            return Err(Failure::new(Exit::Refused, clean(&message, 1000))
                .hint("name the root it is in with --root DIR"));
        };
        let old = trash.recall();
        let mut record = self.record(root);
        if let Some(old) = &old {
            record.created = old.created;
            record.by.clone_from(&old.by);
            record.labels.clone_from(&old.labels);
            record.note("root", root.text());
        }
        let home = trash.bring_back(self.name)?;
        made.brought_back(place.to_owned(), home.clone());
        let others = old.iter().flat_map(|old| &old.mounts);
        let others = others.filter(|mount| mount.place != whaleware::paths::DATA);
        record.mounts.push(at_data(&home));
        record.mounts.extend(others.cloned());
        self.container(root, record, made, interrupts).await?;
        trash.forget();
        Ok(Vec::new())
    }

    /// What is to be remembered of a new one.
    pub(super) fn record(&self, root: &Root) -> Record {
        let now = self.context.clock.now().wall;
        let mut record = Record::new(self.name, now, &self.context.by);
        record.note("root", root.text());
        record
    }
}

pub(super) fn at_data(place: &Path) -> Recorded {
    Recorded {
        place: whaleware::paths::DATA.to_owned(),
        kind: Kind::Directory,
        source: place.to_string_lossy().into_owned(),
        read_only: false,
    }
}

/// What is not as it was when it was written down.
fn changed(record: &Record) -> Vec<String> {
    let data = record.data().filter(|data| data.kind == Kind::Directory);
    let now = data.and_then(|data| rights(Path::new(&data.source)));
    let was = record.owner.zip(record.mode);
    match (was, now) {
        (Some(was), Some(now)) if was != now => vec![format!(
            "its root was owned by {} with {} when it was made, and is by {} with {} now",
            was.0, was.1, now.0, now.1
        )],
        _ => Vec::new(),
    }
}
