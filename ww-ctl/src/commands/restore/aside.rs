//! A backup as files beside everything else: put together and compared with what it lists.

use std::ffi::CString;
use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, openat};
use tokio_util::sync::CancellationToken;

use super::told::Told;
use super::{Context, apart, shown, stopped};
use crate::audit::Target;
use crate::backup::restore::compare::compare;
use crate::backup::restore::extract::{ExtractError, Extracted, Wanted, extract};
use crate::backup::source::Gauge;
use crate::backup::vault::{Set, files};
use crate::cli::Restore;
use crate::commands::backup::progress::Progress;
use crate::engine::chain;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What is to be put together.
pub(in crate::commands) struct Content {
    pub set: Set,
    pub part: usize,
    pub identity: Option<PathBuf>,
    pub only: Option<Vec<Vec<u8>>>,
    pub devices: bool,
}

/// Extracts a part into an empty directory, and compares what is there with what is listed. What could not be made as
/// it was, in words.
pub(in crate::commands) fn put_together(
    content: &Content,
    root: &OwnedFd,
    gauge: &Gauge,
) -> Result<Vec<String>, Unfit> {
    let Content { set, part, .. } = content;
    let wanted = Wanted {
        set,
        part: *part,
        identity: content.identity.as_deref(),
        only: content.only.clone(),
        devices: content.devices,
    };
    let extracted = extract(&wanted, root.as_fd(), gauge);
    let extracted = extracted.map_err(|error| unextracted(set, &error))?;
    if let Some(path) = content
        .only
        .iter()
        .flatten()
        .find(|path| extracted.absent.contains(*path))
    {
        let path = clean(&String::from_utf8_lossy(path), 500);
        let message = format!("cannot restore {path}: it is not in {}", set.reference());
        let failure = Failure::new(Exit::Failed, message).hint(format!(
            "`ww-ctl backups show {}` tells what is",
            set.reference()
        ));
        return Err(failure.into());
    }
    let identity = content.identity.as_deref();
    let list = files(set, *part, identity).map_err(ExtractError::from);
    let mut list = list.map_err(|error| unextracted(set, &error))?;
    let only = content.only.as_deref();
    let compared = compare(&mut list, root.as_fd(), only, &extracted, gauge);
    // What follows proves that the list is what it was.
    let compared = compared.and_then(|compared| {
        io::copy(&mut list, &mut io::sink())?;
        Ok(compared)
    });
    let compared = compared.map_err(|error| {
        if gauge.is_stopped() {
            return stopped().into();
        }
        let words = clean(&error.to_string(), 500);
        damaged(set, &format!("its list of files: {words}"))
    })?;
    if compared.differing == 0 {
        return Ok(warnings(&extracted));
    }
    let first = compared.told.join("; ");
    let words = format!(
        "{} files are not as they are listed once they are extracted: {first}",
        compared.differing
    );
    Err(damaged(set, &words))
}

/// Why a backup was not put together.
pub(in crate::commands) enum Unfit {
    /// It is not what it was.
    Damaged {
        /// Which.
        reference: String,
        /// What is not.
        why: String,
    },
    /// Something else.
    Other(Failure),
}

impl From<Failure> for Unfit {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Other(failure) => failure,
            Unfit::Damaged { reference, why } => {
                let message = format!("refused to restore {reference}: {why}");
                Self::new(Exit::Unverified, message)
                    .hint("nothing was touched; `ww-ctl backups ls` shows others")
            }
        }
    }
}

fn damaged(set: &Set, why: &str) -> Unfit {
    Unfit::Damaged {
        reference: set.reference(),
        why: why.to_owned(),
    }
}

fn unextracted(set: &Set, error: &ExtractError) -> Unfit {
    let words = clean(&chain(error), 1000);
    if error.is_damage() {
        return damaged(set, &words);
    }
    let message = format!("cannot extract {}: {words}", set.reference());
    let failure = Failure::new(Exit::Failed, message);
    Unfit::Other(if error.is_full() {
        failure.hint(
            "nothing was touched; what is put together needs as much room there as the data have",
        )
    } else if matches!(error, ExtractError::Stopped) {
        stopped()
    } else {
        failure.hint("nothing was touched")
    })
}

fn warnings(extracted: &Extracted) -> Vec<String> {
    if extracted.counts.is_empty() {
        return Vec::new();
    }
    let counts = extracted.counts.iter();
    let counts: Vec<String> = counts
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let mut words = vec![format!(
        "not all could be made as it was: {}",
        counts.join(", ")
    )];
    words.extend(extracted.listed.iter().cloned());
    words
}

/// `--into-dir`.
pub(super) async fn extract_into(
    context: &Context,
    arguments: &Restore,
    set: &Set,
    directory: &Path,
    only: Option<Vec<Vec<u8>>>,
    stop: CancellationToken,
) -> Result<Exit, Failure> {
    let reference = set.reference();
    let host = std::sync::Arc::from("");
    let audit = context
        .audit
        .begin("restore --into-dir", vec![Target::named(&host, &reference)]);
    let mut progress = Progress::new(context.output, context.clock, reference.clone());
    let several = set.manifest.parts.len() > 1;
    for part in 0..set.manifest.parts.len() {
        let own = directory.join((part + 1).to_string());
        let path = if several { own } else { directory.to_owned() };
        let gauge = Gauge::new();
        let wanted = Content {
            set: set.clone(),
            part,
            identity: arguments.identity.clone(),
            only: only.clone(),
            devices: arguments.devices,
        };
        let at_work = gauge.clone();
        let work = apart(move || {
            let root = fresh(&path).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("cannot make {}: {error}", shown(&path)),
                )
            })?;
            let was_empty = is_empty(&root);
            put_together(&wanted, &root, &at_work).map_err(|unfit| {
                // A part of a backup must not be taken for one.
                if was_empty {
                    let _left = clear(&root);
                }
                Failure::from(unfit)
            })
        });
        let mut work = Box::pin(work);
        let (own, token) = (gauge.clone(), stop.clone());
        let stoppable = async move {
            tokio::select! {
                done = &mut work => return done,
                () = token.cancelled() => own.stop(),
            }
            work.await
        };
        let done = progress
            .during("extracting", Some((&gauge, None)), stoppable)
            .await?;
        for words in done? {
            progress.warn(&words);
        }
    }
    audit.end(Exit::Done, "");
    Told {
        action: "restore --into-dir",
        host: &host,
        name: &set.name,
        backup: &reference,
        words: format!(
            "extracted into {}, and compared with what it lists",
            shown(directory)
        ),
        users: Vec::new(),
        missing: Vec::new(),
    }
    .print(context, None)?;
    Ok(Exit::Done)
}

fn names(root: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(root)? {
        let name = entry?.file_name().to_owned();
        if name.as_bytes() != b"." && name.as_bytes() != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn is_empty(root: &OwnedFd) -> bool {
    names(root).is_ok_and(|names| names.is_empty())
}

fn clear(root: &OwnedFd) -> io::Result<()> {
    for name in names(root)? {
        ww_archive::remove::remove(root.as_fd(), &name)?;
    }
    Ok(())
}

fn fresh(path: &Path) -> io::Result<OwnedFd> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Ok(openat(rustix::fs::CWD, path, DIRECTORY, Mode::empty())?)
}
