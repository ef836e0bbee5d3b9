//! What has been made so far, to be taken back where the rest cannot be made.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{apart, during};
use crate::data::{Lock, Record, Root, RootError};
use crate::engine::{Creation, Engine};
use crate::exit::Failure;
use crate::fleet::clean;

/// What has been made so far.
pub(super) struct Made<'a> {
    engine: &'a Engine,
    lock: Option<Lock>,
    /// Directories, and whether they were not there before.
    places: Vec<(PathBuf, bool)>,
    /// Where a directory came from, and where it is now.
    moved: Option<(PathBuf, PathBuf)>,
    /// A container that was given another name, and the one it had.
    aside: Option<(String, String)>,
    volume: Option<String>,
    container: Option<String>,
    helper: Option<String>,
    record: Option<(Root, String)>,
}

impl<'a> Made<'a> {
    /// Nothing yet.
    pub(super) const fn new(engine: &'a Engine) -> Self {
        Self {
            engine,
            lock: None,
            places: Vec::new(),
            moved: None,
            aside: None,
            volume: None,
            container: None,
            helper: None,
            record: None,
        }
    }

    /// Keeps others out as long as this lasts.
    pub(super) fn hold(&mut self, lock: Lock) {
        self.lock = Some(lock);
    }

    /// Makes the directory of one.
    pub(super) fn place(&mut self, root: &Root, name: &str) -> Result<(), RootError> {
        let is_new = root.make_place(name)?;
        self.places.push((root.place(name), is_new));
        Ok(())
    }

    /// A directory was made, to be filled.
    pub(super) fn staged(&mut self, stage: PathBuf) {
        self.places.push((stage, true));
    }

    /// It was filled, and is at its place now.
    pub(super) fn settled(&mut self, stage: &Path, place: PathBuf) {
        self.places.retain(|(path, _)| path != stage);
        self.places.push((place, true));
    }

    /// A directory was moved.
    pub(super) fn brought_back(&mut self, from: PathBuf, to: PathBuf) {
        self.moved = Some((from, to));
    }

    /// Gives a container another name.
    pub(super) async fn set_aside(
        &mut self,
        id: &str,
        to: &str,
        from: &str,
    ) -> Result<(), Failure> {
        self.engine.rename(id, to).await?;
        self.aside = Some((id.to_owned(), from.to_owned()));
        Ok(())
    }

    /// Removes it. Its volumes stay.
    pub(super) async fn drop_aside(&mut self) -> Result<(), Failure> {
        if let Some((id, _)) = &self.aside {
            self.engine.discard(id).await?;
        }
        self.aside = None;
        Ok(())
    }

    /// Makes a volume.
    pub(super) async fn volume(
        &mut self,
        name: &str,
        labels: HashMap<String, String>,
    ) -> Result<(), Failure> {
        self.engine.make_volume(name, labels).await?;
        self.volume = Some(name.to_owned());
        Ok(())
    }

    /// Makes the container; its id.
    pub(super) async fn container(&mut self, creation: &Creation) -> Result<String, Failure> {
        let made = self.engine.create(creation).await;
        let made = made.map_err(|error| during(&format!("make {}", creation.name), error))?;
        self.container = Some(made.id.clone());
        Ok(made.id)
    }

    /// The container's id.
    pub(super) fn id(&self) -> &str {
        self.container.as_deref().unwrap_or_default()
    }

    /// Makes a container that is needed for a while; its id.
    pub(super) async fn helper(&mut self, creation: &Creation) -> Result<String, Failure> {
        let made = self.engine.create(creation).await?;
        self.helper = Some(made.id.clone());
        Ok(made.id)
    }

    /// Removes it, with the volumes nobody has named.
    pub(super) async fn drop_helper(&mut self) -> Result<(), Failure> {
        if let Some(id) = &self.helper {
            self.engine.remove_container(id).await?;
        }
        self.helper = None;
        Ok(())
    }

    /// Remembers what was made.
    pub(super) fn record(&mut self, root: &Root, record: &Record) -> Result<(), RootError> {
        self.record = Some((root.clone(), record.name.clone()));
        root.remember(record)
    }

    /// Takes all of it back. What cannot be is told.
    pub(super) async fn take_back(self) -> Vec<String> {
        let mut left = Vec::new();
        if let Some((root, name)) = &self.record
            && root.forget(name).is_err()
        {
            left.push(root.record_path(name).display().to_string());
        }
        for id in [self.helper, self.container].into_iter().flatten() {
            // It has no volume of its own that anything was in before.
            if self.engine.remove_container(&id).await.is_err() {
                left.push(format!("the container {}", id.get(..12).unwrap_or(&id)));
            }
        }
        if let Some(name) = &self.volume
            && self.engine.remove_volume(name).await.is_err()
        {
            left.push(format!("the volume {name}"));
        }
        if let Some((id, name)) = &self.aside
            && self.engine.rename(id, name).await.is_err()
        {
            left.push(format!("{name} under another name"));
        }
        if let Some((from, to)) = &self.moved
            && fs::rename(to, from).is_err()
        {
            left.push(clean(&to.to_string_lossy(), 500));
        }
        for (place, is_new) in self.places {
            let path = place.clone();
            let emptied = apart(move || {
                if is_new {
                    fs::remove_dir_all(&place)
                } else {
                    empty(&place)
                }
            });
            if !matches!(emptied.await, Ok(Ok(()))) {
                left.push(clean(&path.to_string_lossy(), 500));
            }
        }
        drop(self.lock);
        left
    }
}

/// Removes all that is in a directory, which stays.
fn empty(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
