//! What containers have mounted, and which others have it too.

use std::path::Path;

use bollard::errors::Error;
use bollard::models::{ContainerStateStatusEnum, MountPoint};
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::client::Engine;
use super::error::EngineError;

/// What a mount leads to: two that lead to the same share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Backing {
    /// A directory of the host.
    Directory(String),
    /// A volume.
    Volume(String),
}

impl Backing {
    /// Whether both lead to something that is the same, or one of them to a part of the other.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Directory(one), Self::Directory(other)) => {
                let (one, other) = (Path::new(one), Path::new(other));
                one.starts_with(other) || other.starts_with(one)
            }
            (Self::Volume(one), Self::Volume(other)) => one == other,
            (Self::Directory(_), Self::Volume(_)) | (Self::Volume(_), Self::Directory(_)) => false,
        }
    }
}

/// A container that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Present {
    /// Its name.
    pub name: String,
    /// Whether it was ever started.
    pub fresh: bool,
    /// Whether it runs.
    pub running: bool,
    /// What it has mounted, by the place.
    pub mounts: Vec<(String, Backing)>,
}

impl Engine {
    /// A container by its name or id; none when there is none.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn present(&self, name: &str) -> Result<Option<Present>, EngineError> {
        let answer = match self.inner.quick.inspect_container(name, None).await {
            Ok(answer) => answer,
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => return Ok(None),
            Err(error) => return Err(self.error("look up the container", &error)),
        };
        let state = answer.state.unwrap_or_default();
        Ok(Some(Present {
            name: plain(answer.name.unwrap_or_default()),
            fresh: state.status == Some(ContainerStateStatusEnum::CREATED),
            running: state.running.unwrap_or(false),
            mounts: places(answer.mounts.unwrap_or_default()),
        }))
    }

    /// The names of all containers.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn container_names(&self) -> Result<Vec<String>, EngineError> {
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let listed = self.inner.quick.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list containers", &error))?;
        let names = listed.into_iter().filter_map(|one| one.names);
        Ok(names.flatten().map(plain).collect())
    }

    /// The containers that run now and can write to this, or to something in it, by name.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn writers(&self, backing: &Backing) -> Result<Vec<String>, EngineError> {
        let options = ListContainersOptionsBuilder::new().build();
        let listed = self.inner.quick.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.error("list containers", &error))?;
        // Only this machine's links can be followed from here.
        let real = |backing| match backing {
            Backing::Directory(path) if self.is_the_hosts() => Backing::Directory(real(path)),
            Backing::Directory(_) | Backing::Volume(_) => backing,
        };
        let backing = real(backing.clone());
        let mut writers: Vec<String> = listed
            .into_iter()
            .filter(|one| {
                let mut mounts = one.mounts.iter().flatten();
                mounts.any(|mount| {
                    mount.rw != Some(false)
                        && leads_to(mount).is_some_and(|other| real(other).meets(&backing))
                })
            })
            .filter_map(|one| one.names?.into_iter().next().map(plain))
            .collect();
        writers.sort();
        Ok(writers)
    }
}

/// Where it leads to, if there is something there.
fn real(path: String) -> String {
    let real = std::fs::canonicalize(&path).ok();
    let real = real.and_then(|real| real.into_os_string().into_string().ok());
    real.unwrap_or(path)
}

fn plain(name: String) -> String {
    match name.strip_prefix('/') {
        Some(plain) => plain.to_owned(),
        None => name,
    }
}

fn places(mounts: Vec<MountPoint>) -> Vec<(String, Backing)> {
    let place = |mount: MountPoint| {
        let backing = leads_to(&mount)?;
        Some((mount.destination?, backing))
    };
    mounts.into_iter().filter_map(place).collect()
}

fn leads_to(mount: &MountPoint) -> Option<Backing> {
    let named = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match mount.typ.as_deref() {
        Some("volume") => named(&mount.name).map(Backing::Volume),
        Some("bind") => named(&mount.source).map(|path| Backing::Directory(directory(&path))),
        Some(_) | None => None,
    }
}

/// The same directory, however it is written.
pub(crate) fn directory(path: &str) -> String {
    let mut steps = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    format!("/{}", steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_the_same_however_it_is_written() {
        for path in [
            "/srv/shop",
            "/srv//shop/",
            "/srv/./shop",
            "/srv/old/../shop",
        ] {
            assert_eq!(directory(path), "/srv/shop", "{path}");
        }
        assert_eq!(directory("/.."), "/");
    }

    #[test]
    fn a_directory_meets_those_above_it_and_those_in_it() {
        let at = |path: &str| Backing::Directory(path.into());
        for (one, other, meets) in [
            ("/srv/shop", "/srv/shop", true),
            ("/srv/shop", "/srv", true),
            ("/srv/shop", "/srv/shop/db", true),
            ("/srv/shop", "/", true),
            ("/srv/shop", "/srv/shop2", false),
            ("/srv/shop", "/srv/db", false),
        ] {
            assert_eq!(at(one).meets(&at(other)), meets, "{one} {other}");
        }
        let volume = Backing::Volume("shop".into());
        assert!(volume.meets(&volume) && !volume.meets(&at("/shop")));
    }

    #[test]
    fn memory_leads_nowhere() {
        let mount = |typ: &str, name: Option<&str>, source: Option<&str>| MountPoint {
            typ: Some(typ.into()),
            name: name.map(Into::into),
            source: source.map(Into::into),
            ..MountPoint::default()
        };
        let volume = mount("volume", Some("v"), Some("/var/lib/docker/volumes/v/_data"));
        assert_eq!(leads_to(&volume), Some(Backing::Volume("v".into())));
        let bind = mount("bind", None, Some("/srv/a/"));
        assert_eq!(leads_to(&bind), Some(Backing::Directory("/srv/a".into())));
        assert_eq!(leads_to(&mount("tmpfs", None, None)), None);
    }
}
