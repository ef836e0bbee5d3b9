//! Where containers keep data: what is mounted where, volumes, and directories as the Engine sees
//! them. And what it takes to make something that only keeps data.

use std::collections::{BTreeSet, HashMap};

use bollard::errors::Error;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{
    ContainerArchiveInfoOptions, CreateImageOptionsBuilder, DownloadFromContainerOptions,
    ListVolumesOptions, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;

use super::client::Engine;
use super::error::EngineError;
use super::inspected::Inspected;
use super::mounted::{Backing, directory};

/// Two blocks of zeros: an archive of nothing, and the end of every other.
pub(crate) const EMPTY_ARCHIVE: [u8; 1024] = [0; 1024];
/// The label newer Engines give to volumes nobody has named.
const ANONYMOUS: &str = "com.docker.volume.anonymous";
/// How Engines name such volumes: so many hexadecimal digits.
const ANONYMOUS_NAME: usize = 64;
/// Go's mark of a directory in a mode.
const IS_DIRECTORY: u32 = 1 << 31;
/// Go's marks in a mode, and the bits they stand for.
const SPECIAL: [(u32, u32); 3] = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
/// The most bytes of an archive that are read to see how it begins.
const BEGINNING: usize = 64 * 1024;
/// Pieces of an archive that may be under way from one container to another.
const UNDER_WAY: usize = 16;

/// Something that is mounted in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Where.
    pub place: String,
    /// What is there.
    pub backing: Backing,
    /// Where a volume lies on the Engine's machine; the directory itself of a bind.
    pub source: String,
    /// Whether nobody has named the volume.
    pub is_anonymous: bool,
    /// Whether it can be written to.
    pub writable: bool,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    /// Its name.
    pub name: String,
    /// Whether nobody has named it.
    pub is_anonymous: bool,
    /// The directory it lies in on the Engine's machine; none where its driver keeps it elsewhere.
    pub directory: Option<String>,
    /// Its labels.
    pub labels: HashMap<String, String>,
}

/// A file or directory of a container as its Engine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Its permissions, 07777 at most.
    pub mode: u32,
    /// When it was last changed; none where that is not told.
    pub changed: Option<Timestamp>,
}

/// How an archive begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// The owner of its first entry.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permissions.
    pub mode: u32,
    /// Whether there is nothing but that entry.
    pub is_alone: bool,
}

impl Inspected {
    /// What is mounted in it, memory left out.
    pub(crate) fn placed(&self) -> Vec<Placed> {
        let mounts = self.0["Mounts"].as_array();
        mounts.into_iter().flatten().filter_map(placed).collect()
    }

    /// Where it has memory mounted.
    pub(crate) fn in_memory(&self) -> Vec<String> {
        let mounts = self.0["Mounts"].as_array();
        let mounts = mounts.into_iter().flatten();
        let told = mounts
            .filter(|mount| mount["Type"] == "tmpfs")
            .filter_map(|mount| mount["Destination"].as_str());
        let asked = self.0["HostConfig"]["Tmpfs"].as_object();
        let asked = asked
            .into_iter()
            .flat_map(|places| places.keys().map(String::as_str));
        let all: BTreeSet<String> = told.chain(asked).map(directory).collect();
        all.into_iter().collect()
    }

    /// The containers it was given the volumes of, by the names or ids it was told.
    pub(crate) fn volumes_from(&self) -> Vec<&str> {
        let all = self.0["HostConfig"]["VolumesFrom"].as_array();
        let words = all.into_iter().flatten().filter_map(Value::as_str);
        words
            .map(|word| word.split(':').next().unwrap_or(word))
            .collect()
    }

    /// Its labels.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.0["Config"]["Labels"].as_object();
        labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }
}

fn placed(mount: &Value) -> Option<Placed> {
    let text = |name: &str| mount[name].as_str().filter(|text| !text.is_empty());
    let source = text("Source").unwrap_or_default().to_owned();
    let (backing, is_anonymous) = match text("Type")? {
        "bind" => (Backing::Directory(directory(&source)), false),
        "volume" => {
            let name = text("Name")?;
            (Backing::Volume(name.to_owned()), has_no_name(name))
        }
        _ => return None,
    };
    Some(Placed {
        place: directory(text("Destination")?),
        backing,
        source,
        is_anonymous,
        writable: mount["RW"].as_bool() != Some(false),
    })
}

/// Whether a volume's name is one that an Engine makes up.
fn has_no_name(name: &str) -> bool {
    name.len() == ANONYMOUS_NAME && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Engine {
    /// All containers, running or not.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn all_inspected(&self) -> Result<Vec<Inspected>, EngineError> {
        self.inspected_all(None).await
    }

    /// All volumes.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn volumes(&self) -> Result<Vec<Volume>, EngineError> {
        let listed = self.inner.quick.list_volumes(None::<ListVolumesOptions>);
        let listed = listed
            .await
            .map_err(|error| self.error("list volumes", &error))?;
        Ok(listed
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(volume)
            .collect())
    }

    /// Whether `volume prune` destroys volumes that have a name, too, as it is asked by clients that speak
    /// with this Engine as this program does: newer ones have to be told so.
    pub(crate) fn prunes_named_volumes(&self) -> bool {
        let version = self.inner.quick.client_version();
        (version.major_version, version.minor_version) < (1, 42)
    }

    /// A volume; none where there is none.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn volume(&self, name: &str) -> Result<Option<Volume>, EngineError> {
        match self.inner.quick.inspect_volume(name).await {
            Ok(found) => Ok(Some(volume(found))),
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(self.error("look up the volume", &error)),
        }
    }

    /// Makes a volume.
    ///
    /// # Errors
    /// When the Engine cannot.
    pub(crate) async fn make_volume(
        &self,
        name: &str,
        labels: HashMap<String, String>,
    ) -> Result<(), EngineError> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels),
            ..VolumeCreateRequest::default()
        };
        let made = self.inner.quick.create_volume(request).await;
        made.map(drop)
            .map_err(|error| self.error("create the volume", &error))
    }

    /// Makes an image of nothing at all, with these words of a Dockerfile. Nothing is pulled.
    ///
    /// # Errors
    /// When the Engine cannot.
    pub(crate) async fn make_empty_image(
        &self,
        repository: &str,
        tag: &str,
        words: &[&str],
    ) -> Result<(), EngineError> {
        const WHAT: &str = "make the image of data containers";
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .changes(words.iter().map(|word| (*word).to_owned()).collect())
            .build();
        let body = bollard::body_full(Bytes::from_static(&EMPTY_ARCHIVE));
        let docker = &self.inner.quick;
        let mut told = docker.create_image(Some(options), Some(body), None);
        while let Some(line) = told.next().await {
            line.map_err(|error| self.error(WHAT, &error))?;
        }
        Ok(())
    }

    /// The name of the Engine's machine.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn machine(&self) -> Result<String, EngineError> {
        let info = self.inner.quick.info().await;
        let info = info.map_err(|error| self.error("ask for its machine", &error))?;
        Ok(info.name.unwrap_or_default())
    }

    /// A file or directory of a container as the Engine sees it; none where there is none.
    ///
    /// # Errors
    /// When the Engine cannot be asked.
    pub(crate) async fn sight(&self, id: &str, path: &str) -> Result<Option<Sight>, EngineError> {
        let options = ContainerArchiveInfoOptions {
            path: path.to_owned(),
        };
        let docker = &self.inner.patient;
        match docker.get_container_archive_info(id, Some(options)).await {
            Ok(seen) => {
                let bits = seen.file_mode;
                let special = SPECIAL.iter().filter(|(mark, _)| bits & mark != 0);
                Ok(Some(Sight {
                    is_directory: bits & IS_DIRECTORY != 0,
                    mode: (bits & 0o777) | special.map(|(_, bit)| bit).sum::<u32>(),
                    changed: seen.modification_time.and_then(|time| time.parse().ok()),
                }))
            }
            Err(Error::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(None),
            Err(error) => Err(self.error("look into the container", &error)),
        }
    }

    /// How the archive of a directory of a container begins: the directory itself, and whether
    /// anything is in it.
    ///
    /// # Errors
    /// When the Engine does not give it, or it is none.
    pub(crate) async fn beginning(&self, id: &str, path: &str) -> Result<Beginning, EngineError> {
        const WHAT: &str = "look into the container";
        let options = DownloadFromContainerOptions {
            path: path.to_owned(),
        };
        let docker = &self.inner.patient;
        let mut pieces = Box::pin(docker.download_from_container(id, Some(options)));
        let mut archive = Vec::new();
        while let Some(piece) = pieces.next().await {
            archive.extend_from_slice(&piece.map_err(|error| self.error(WHAT, &error))?);
            if archive.len() >= BEGINNING {
                break;
            }
        }
        beginning(&archive).map_err(|error| self.broken(WHAT, &error))
    }

    /// Puts an archive into a container, whether it runs or not: what is there already stays.
    ///
    /// # Errors
    /// When the Engine cannot; a part of it may be there then.
    pub(crate) async fn put(
        &self,
        id: &str,
        path: &str,
        archive: Vec<u8>,
    ) -> Result<(), EngineError> {
        let options = UploadToContainerOptionsBuilder::new().path(path).build();
        let body = bollard::body_full(Bytes::from(archive));
        let docker = &self.inner.patient;
        let put = docker.upload_to_container(id, Some(options), body).await;
        put.map_err(|error| self.error("write into the container", &error))
    }

    /// Copies a directory of one container into another one, at the same place. How many bytes the
    /// archive had.
    ///
    /// # Errors
    /// When it did not arrive whole; a part of it may be there then.
    pub(crate) async fn copy_over(
        &self,
        from: &str,
        to: &str,
        path: &str,
    ) -> Result<u64, EngineError> {
        const WHAT: &str = "copy from one container into another";
        let (send, receive) = mpsc::channel::<std::io::Result<Bytes>>(UNDER_WAY);
        let read = self.give(from, path, send);
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let body = futures::stream::unfold(receive, |mut receive| async {
            receive.recv().await.map(|piece| (piece, receive))
        });
        let docker = &self.inner.patient;
        let body = bollard::body_try_stream(body);
        let written = docker.upload_to_container(to, Some(options), body);
        let (read, written) = futures::join!(read, written);
        // Where both failed, it is the reading that made the writing fail.
        let bytes = read?;
        written.map_err(|error| self.error(WHAT, &error))?;
        Ok(bytes)
    }

    /// Reads an archive to its end, which must be one: an Engine ends in silence when it cannot go
    /// on.
    ///
    /// # Errors
    /// When it does not arrive whole; who receives is told, too.
    pub(crate) async fn give(
        &self,
        from: &str,
        path: &str,
        send: mpsc::Sender<std::io::Result<Bytes>>,
    ) -> Result<u64, EngineError> {
        const WHAT: &str = "read from the container";
        let options = DownloadFromContainerOptions {
            path: path.to_owned(),
        };
        let docker = &self.inner.patient;
        let mut pieces = Box::pin(docker.download_from_container(from, Some(options)));
        let mut end = Vec::new();
        let mut bytes: u64 = 0;
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    // The other side must not take what it has for the whole.
                    let _gone = send.send(Err(std::io::Error::other("cut short"))).await;
                    return Err(self.error(WHAT, &error));
                }
            };
            bytes = bytes.saturating_add(piece.len() as u64);
            let kept = piece.len().min(EMPTY_ARCHIVE.len());
            end.extend_from_slice(&piece[piece.len() - kept..]);
            end.drain(..end.len().saturating_sub(EMPTY_ARCHIVE.len()));
            if send.send(Ok(piece)).await.is_err() {
                // The other side has said why it takes no more.
                return Ok(bytes);
            }
        }
        if end == EMPTY_ARCHIVE {
            return Ok(bytes);
        }
        let cut = std::io::Error::other("the archive has no end");
        let told = self.broken(WHAT, &cut);
        let _gone = send.send(Err(cut)).await;
        Err(told)
    }
}

fn volume(found: bollard::models::Volume) -> Volume {
    let device = found.options.get("device").filter(|path| {
        let flags = found.options.get("o").map_or("", String::as_str);
        path.starts_with('/') && flags.split(',').any(|flag| flag == "bind")
    });
    let plain = Some(&found.mountpoint)
        .filter(|path| found.driver == "local" && found.options.is_empty() && !path.is_empty());
    Volume {
        directory: device.or(plain).cloned(),
        is_anonymous: has_no_name(&found.name) || found.labels.contains_key(ANONYMOUS),
        labels: found.labels,
        name: found.name,
    }
}

fn beginning(archive: &[u8]) -> std::io::Result<Beginning> {
    let none = || std::io::Error::other("the Engine sent no directory");
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries()?;
    let first = entries.next().ok_or_else(none)??;
    let header = first.header();
    if !header.entry_type().is_dir() {
        return Err(none());
    }
    let number = |read: std::io::Result<u64>| {
        u32::try_from(read?).map_err(|_| std::io::Error::other("an owner out of range"))
    };
    let (uid, gid, mode) = (
        number(header.uid())?,
        number(header.gid())?,
        header.mode()? & 0o7777,
    );
    Ok(Beginning {
        uid,
        gid,
        mode,
        is_alone: entries.next().is_none(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mounts_are_told_by_what_they_lead_to() {
        let name = "0123456789abcdef".repeat(4);
        let one = Inspected(json!({
            "HostConfig": {
                "VolumesFrom": ["shop-data:ro", "other"],
                "Tmpfs": {"/t/": "", "/data/tmp": "size=1m"},
            },
            "Mounts": [
                {"Type": "bind", "Source": "/srv//shop/", "Destination": "/data/", "RW": true},
                {"Type": "volume", "Name": name, "Source": "/v/_data", "Destination": "/x", "RW": false},
                {"Type": "volume", "Name": "named", "Source": "", "Destination": "/y"},
                {"Type": "tmpfs", "Destination": "/t"},
            ],
        }));
        let placed = one.placed();
        assert_eq!(placed.len(), 3);
        assert_eq!(placed[0].place, "/data");
        assert_eq!(placed[0].backing, Backing::Directory("/srv/shop".into()));
        assert!(placed[1].is_anonymous && !placed[1].writable);
        assert!(!placed[2].is_anonymous && placed[2].writable);
        assert_eq!(one.volumes_from(), ["shop-data", "other"]);
        assert_eq!(one.in_memory(), ["/data/tmp", "/t"]);
    }

    #[test]
    fn an_archive_begins_with_the_directory_and_its_owner() {
        let entry = |name: &str, kind| {
            let mut header = tar::Header::new_gnu();
            header.set_path(name).unwrap();
            header.set_entry_type(kind);
            header.set_mode(0o2750);
            header.set_uid(1000);
            header.set_gid(1001);
            header.set_size(0);
            header.set_cksum();
            header.as_bytes().to_vec()
        };
        let root = entry("data/", tar::EntryType::Directory);
        let alone = [root.clone(), EMPTY_ARCHIVE.to_vec()].concat();
        let seen = beginning(&alone).unwrap();
        assert_eq!((seen.uid, seen.gid, seen.mode), (1000, 1001, 0o2750));
        assert!(seen.is_alone);
        let more = [
            root,
            entry("data/x", tar::EntryType::Regular),
            EMPTY_ARCHIVE.to_vec(),
        ];
        assert!(!beginning(&more.concat()).unwrap().is_alone);
        assert!(beginning(&EMPTY_ARCHIVE).is_err());
        assert!(beginning(&entry("data", tar::EntryType::Symlink)).is_err());
    }
}
