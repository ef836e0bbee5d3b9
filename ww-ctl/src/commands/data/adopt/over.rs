//! Data in volumes: copied into directories, which no prune destroys. Nothing is removed.

use std::path::{Path, PathBuf};

use super::super::copying::{copied, having, running};
use super::super::gather::Host;
use super::super::shown;
use super::again::at_data;
use super::{Interrupts, Job, Made};
use crate::data::{BEFORE_ADOPT, DataContainer, Kind, Recorded, Root};
use crate::engine::{Backing, Placed, Volume};
use crate::exit::{Exit, Failure};
use crate::units::size;

/// A volume that is to be copied.
struct Copy {
    backing: Backing,
    directory: PathBuf,
    /// The name of the directory it comes to.
    to: String,
}

impl Job<'_> {
    /// The data of a volume, in a container of its own.
    pub(super) async fn volume(
        &self,
        root: &Root,
        volume: &Volume,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<Vec<String>, Failure> {
        let copy = self.copy(Backing::Volume(volume.name.clone()), self.name.to_owned())?;
        let mut said = self
            .copies(root, std::slice::from_ref(&copy), made, interrupts)
            .await?;
        let mut record = self.record(root);
        record.mounts.push(at_data(&root.place(self.name)));
        self.container(root, record, made, interrupts).await?;
        said.extend(self.with_the_old(&copy, None));
        said.push(format!(
            "the volume {} stays; `docker volume rm` it once nothing in it is needed",
            shown(&volume.name)
        ));
        Ok(said)
    }

    /// A container with the same name that has directories instead.
    pub(super) async fn over(
        &self,
        root: &Root,
        one: &DataContainer,
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<Vec<String>, Failure> {
        let aside = format!("{}{BEFORE_ADOPT}", self.name);
        if self.host.seen.iter().any(|other| other.name == aside) {
            let message = format!("cannot adopt {}: there is {aside} already", self.name);
            return Err(Failure::new(Exit::Refused, message).hint(format!(
                "it is from an adoption before: `docker rm -v {aside}` if nothing in it is needed, \
                 or give it another name"
            )));
        }
        let mut record = self.record(root);
        let ours = record.labels.clone();
        record.labels = one.seen.labels.iter().cloned().collect();
        for (key, value) in ours {
            // When it was made, and by whom, where that is known.
            record.labels.entry(key).or_insert(value);
        }
        record.note("root", root.text());
        let mut volumes = Vec::new();
        for placed in &one.seen.placed {
            let mount = match self.comes_to(root, placed)? {
                None => Recorded::of(placed),
                Some(copy) => {
                    let mount = Recorded {
                        kind: Kind::Directory,
                        source: root.place(&copy.to).to_string_lossy().into_owned(),
                        ..Recorded::of(placed)
                    };
                    volumes.push(copy);
                    mount
                }
            };
            record.mounts.push(mount);
        }
        let mut said = self.copies(root, &volumes, made, interrupts).await?;
        made.set_aside(&one.seen.id, &aside, self.name).await?;
        self.container(root, record, made, interrupts).await?;
        said.extend(self.named_by_id(|word| word.len() >= 12 && one.seen.id.starts_with(word)));
        if volumes.is_empty() {
            // Whoever uses the data has the directories themselves.
            made.drop_aside().await?;
            return Ok(said);
        }
        for copy in &volumes {
            said.extend(self.with_the_old(copy, Some(&one.seen.id)));
        }
        said.push(format!(
            "the old container is {aside} now and keeps the old data; `docker rm -v {aside}` once \
             nothing in it is needed"
        ));
        Ok(said)
    }

    /// Where what is mounted is to be copied; none where it is a directory and stays.
    fn comes_to(&self, root: &Root, placed: &Placed) -> Result<Option<Copy>, Failure> {
        if Kind::of(placed) == Kind::Directory {
            return Ok(None);
        }
        let name = if placed.place == whaleware::paths::DATA {
            self.name.to_owned()
        } else {
            format!("{}{}", self.name, placed.place.replace('/', "."))
        };
        if !crate::syntax::is_name(&name) || name.len() > 255 {
            let message = format!(
                "cannot adopt {}: what it has at {} finds no name below {}",
                self.name,
                shown(&placed.place),
                shown(&root.text())
            );
            return Err(Failure::new(Exit::Refused, message));
        }
        self.copy(placed.backing.clone(), name).map(Some)
    }

    fn copy(&self, backing: Backing, to: String) -> Result<Copy, Failure> {
        let Some(directory) = self.host.directory(&backing) else {
            let message = format!(
                "cannot adopt {}: the driver of its volume does not say where the data lie",
                self.name
            );
            return Err(Failure::new(Exit::Refused, message)
                .hint("copy them into a directory and name that with --from DIR"));
        };
        Ok(Copy {
            backing,
            directory,
            to,
        })
    }

    /// Copies them, and only then gives the copies their names.
    async fn copies(
        &self,
        root: &Root,
        all: &[Copy],
        made: &mut Made<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<Vec<String>, Failure> {
        self.at_rest(self.host, all)?;
        let mut said = Vec::new();
        let mut staged = Vec::new();
        for copy in all {
            root.vacant(&copy.to)?;
            let stage = root.stage(&copy.to)?;
            made.staged(stage.clone());
            self.context.output.detail(&format!(
                "copying {}",
                shown(&copy.directory.to_string_lossy())
            ));
            let (copied, _) =
                copied(copy.directory.clone(), stage.clone(), false, interrupts).await?;
            said.push(format!(
                "copied {} entries, {}, to {}",
                copied.entries,
                size(copied.bytes),
                root.place(&copy.to).display()
            ));
            staged.push((stage, &copy.to));
        }
        if !all.is_empty() {
            // Somebody may have started one of them meanwhile.
            let look = Host::through(&self.host.target, self.host.engine.clone());
            let now = interrupts.or(look).await??;
            self.at_rest(&now, all)?;
        }
        for (stage, name) in staged {
            let place = root.settle(&stage, name)?;
            made.settled(&stage, place);
        }
        Ok(said)
    }

    fn at_rest(&self, host: &Host, all: &[Copy]) -> Result<(), Failure> {
        let mut names: Vec<String> = all
            .iter()
            .flat_map(|copy| running(&host.seen, &copy.backing, Some(&copy.directory)))
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        let message = format!(
            "cannot adopt {}: its data are copied, and {} may write to them",
            self.name,
            names.join(", ")
        );
        Err(Failure::new(Exit::Refused, message).hint(format!(
            "`ww-ctl stop {}` first, and make it again afterwards with `--volumes-from {}`",
            names.join(" "),
            self.name
        )))
    }

    /// Those that go on with the old volume.
    fn with_the_old(&self, copy: &Copy, keeper: Option<&str>) -> Vec<String> {
        let users = having(
            &self.host.seen,
            &copy.backing,
            Some::<&Path>(&copy.directory),
        );
        users
            .filter(|one| Some(one.id.as_str()) != keeper)
            .map(|one| {
                format!(
                    "{} still has the old volume: make it again with `--volumes-from {}` before it \
                     is started",
                    shown(&one.name),
                    self.name
                )
            })
            .collect()
    }
}
