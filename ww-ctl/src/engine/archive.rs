//! Small files of a container, read through the Engine, whether it runs or not.

use std::io::{self, Read};

use bollard::query_parameters::DownloadFromContainerOptions;
use futures::StreamExt;

use super::client::Engine;
use super::error::EngineError;

/// The largest file that is read, in bytes.
pub(crate) const LARGEST: usize = 1 << 20;
/// What an archive of one file has besides its content: headers and padding.
const AROUND: usize = 64 * 1024;

/// Why a file of a container cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The Engine did not give it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What is there is not what was looked for. Nothing is followed: the container may have planted it.
    #[error("cannot read {path} of the container: {reason}")]
    Odd {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

impl Engine {
    /// The content of a file of a container; none when there is no such file.
    ///
    /// # Errors
    /// When the container is gone, the Engine is, or what has that name is no regular file of at most
    /// [`LARGEST`] bytes.
    pub(crate) async fn file(&self, id: &str, path: &str) -> Result<Option<Vec<u8>>, FileError> {
        const WHAT: &str = "read a file of the container";
        let options = DownloadFromContainerOptions {
            path: path.to_owned(),
        };
        let docker = &self.inner.quick;
        let mut pieces = Box::pin(docker.download_from_container(id, Some(options)));
        let mut archive = Vec::new();
        while let Some(piece) = pieces.next().await {
            let piece = match piece.map_err(|error| self.error(WHAT, &error)) {
                Ok(piece) => piece,
                Err(error) if is_no_file(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let room = (LARGEST + AROUND).saturating_sub(archive.len());
            archive.extend_from_slice(&piece[..piece.len().min(room)]);
            // One that is too large need not arrive in full to be refused.
            if piece.len() > room {
                break;
            }
        }
        only_file(&archive)
            .map(Some)
            .map_err(|error| FileError::Odd {
                path: path.to_owned(),
                reason: error.to_string(),
            })
    }
}

/// The Engine answers alike when a container is not there and when a file in it is not.
fn is_no_file(error: &EngineError) -> bool {
    match error {
        EngineError::Absent { message, .. } => !message.contains("No such container"),
        EngineError::Unreachable { .. }
        | EngineError::NoWay { .. }
        | EngineError::Lost { .. }
        | EngineError::Denied { .. }
        | EngineError::Silent { .. }
        | EngineError::Foreign { .. }
        | EngineError::Broken { .. }
        | EngineError::Refused { .. } => false,
    }
}

/// The one file of an archive.
fn only_file(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let entry = archive.entries()?.next();
    let entry = entry.ok_or_else(|| io::Error::other("the Engine sent no file"))??;
    if !entry.header().entry_type().is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if entry.size() > LARGEST as u64 {
        return Err(io::Error::other(format!(
            "it has {} bytes, and at most {LARGEST} are read",
            entry.size()
        )));
    }
    let size = usize::try_from(entry.size()).unwrap_or(LARGEST);
    let mut content = Vec::new();
    entry.take(LARGEST as u64).read_to_end(&mut content)?;
    if content.len() < size {
        return Err(io::Error::other("the Engine sent only a part of it"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(kind: tar::EntryType, content: &[u8], size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_path("history.jsonl").unwrap();
        header.set_entry_type(kind);
        header.set_mode(0o600);
        header.set_size(size);
        header.set_cksum();
        let mut archive = header.as_bytes().to_vec();
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
        archive
    }

    #[test]
    fn a_small_file_is_read_and_nothing_else() {
        let file = tar::EntryType::Regular;
        assert_eq!(only_file(&packed(file, b"abc", 3)).unwrap(), b"abc");
        assert_eq!(only_file(&packed(file, b"", 0)).unwrap(), b"");
        for (archive, words) in [
            (packed(tar::EntryType::Symlink, b"", 0), "no regular file"),
            (packed(tar::EntryType::Link, b"", 0), "no regular file"),
            (packed(tar::EntryType::Fifo, b"", 0), "no regular file"),
            (packed(tar::EntryType::Char, b"", 0), "no regular file"),
            (packed(tar::EntryType::Directory, b"", 0), "no regular file"),
            (packed(file, b"abc", 1 << 40), "at most 1048576"),
            (packed(file, b"abc", (1 << 20) + 1), "at most 1048576"),
            (packed(file, b"abc", 100_000), "only a part"),
            (Vec::new(), "no file"),
            (vec![b'x'; 4096], ""),
        ] {
            let error = only_file(&archive).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
