//! An image author's directory, walked into a context: its content becomes `/ww`.

use std::borrow::Cow;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::binary::StaticBinary;
use super::context::{Context, Kind};

/// The most entries a tree may have. One beyond it is taken for a directory given by mistake.
const MAX_ENTRIES: usize = 200_000;
/// The most bytes a tree may have, for the same reason.
const MAX_BYTES: u64 = 16 << 30;
/// The agent's place and names below `/ww`, which are not the tree's to fill.
const AGENTS_OWN: [&str; 3] = ["bin/ww-agent", "cfg", "run"];

/// Where the content of `/ww` comes from.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    /// Nothing but the agent.
    None,
    /// A directory on this machine.
    Directory(PathBuf),
    /// The `ww` in a directory on this machine, which is that of a whole project.
    Within {
        /// What was named.
        given: PathBuf,
        /// What becomes `/ww`.
        tree: PathBuf,
    },
    /// Files this program carries: path below `/ww`, whether it is executable, content.
    Carried(&'static [CarriedFile]),
}

impl Tree {
    /// The tree that a directory is, or that lies in it as `ww`: as the agent's check takes it.
    pub(crate) fn at(given: PathBuf) -> Self {
        let tree = given.join("ww");
        if tree.is_dir() {
            Self::Within { given, tree }
        } else {
            Self::Directory(given)
        }
    }

    /// Where it is; none where it is nowhere on this machine.
    pub(crate) fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(tree) | Self::Within { tree, .. } => Some(tree),
            Self::None | Self::Carried(_) => None,
        }
    }
}

/// A file of a tree this program carries.
#[derive(Debug)]
pub(crate) struct CarriedFile {
    /// Its path below `/ww`.
    pub(crate) path: &'static str,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Its content.
    pub(crate) text: &'static str,
}

/// Why a tree cannot become an image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    /// There is no such directory.
    #[error("cannot use the tree {}: there is no such directory", .0.display())]
    Missing(PathBuf),
    /// It is something else.
    #[error("cannot use the tree {}: it is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// Something in it cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What cannot be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it has no place in an image.
    #[error("cannot put {} into an image: it is a {what}", path.display())]
    Unsupported {
        /// What it is about.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Something stands where a directory is needed.
    #[error("cannot put the agent into the image: {} is not a directory", .0.display())]
    InTheWay(PathBuf),
    /// It is too large.
    #[error("cannot use the tree {}: it has more than {MAX_ENTRIES} files or {} GiB", .0.display(), MAX_BYTES >> 30)]
    TooLarge(PathBuf),
}

/// The root directory of a new image: the tree as `/ww`, with the agent in it under all its names.
/// What the tree has at the agent's places is left out and returned, as paths below `/ww`.
///
/// # Errors
/// When the tree cannot be read completely or holds what has no place in an image.
pub(crate) fn context(
    tree: &Tree,
    agent: &StaticBinary,
) -> Result<(Context, Vec<PathBuf>), TreeError> {
    let mut context = Context::default();
    for directory in ["ww", "ww/bin", "ww/etc", "ww/usr"] {
        context.put(directory, 0o755, Kind::Directory);
    }
    match tree {
        Tree::None => {}
        Tree::Directory(tree) | Tree::Within { tree, .. } => walk(tree, &mut context)?,
        Tree::Carried(files) => carry(files, &mut context),
    }
    if context
        .get("ww/bin")
        .is_some_and(|entry| entry.kind != Kind::Directory)
    {
        return Err(TreeError::InTheWay(PathBuf::from("bin")));
    }
    let mut replaced = Vec::new();
    for name in AGENTS_OWN {
        let kind = if name == "bin/ww-agent" {
            Kind::File {
                path: agent.path().to_owned(),
                size: agent.size(),
            }
        } else {
            Kind::Link(PathBuf::from("bin/ww-agent"))
        };
        match context.put(Path::new("ww").join(name), 0o755, kind) {
            Some(entry) if entry.kind == Kind::Directory => {
                return Err(TreeError::Unsupported {
                    path: PathBuf::from(name),
                    what: "directory, but this is the agent's place",
                });
            }
            Some(_) => replaced.push(PathBuf::from(name)),
            None => {}
        }
    }
    Ok((context, replaced))
}

fn carry(files: &'static [CarriedFile], context: &mut Context) {
    for file in files {
        let path = Path::new("ww").join(file.path);
        for parent in path
            .ancestors()
            .skip(1)
            .take_while(|parent| !parent.as_os_str().is_empty())
        {
            context.put(parent, 0o755, Kind::Directory);
        }
        context.put(
            &path,
            file.mode,
            Kind::Text(Cow::Borrowed(file.text.as_bytes())),
        );
    }
}

/// Everything below a directory, links as links. The directory itself may be given as a link.
fn walk(top: &Path, context: &mut Context) -> Result<(), TreeError> {
    let read = |path: &Path| {
        let path = path.to_owned();
        |source| TreeError::Read { path, source }
    };
    match fs::metadata(top) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(TreeError::Missing(top.into()));
        }
        Err(error) => return Err(read(top)(error)),
        Ok(metadata) if !metadata.is_dir() => return Err(TreeError::NotADirectory(top.into())),
        Ok(_) => {}
    }
    let (mut entries, mut bytes) = (0_usize, 0_u64);
    let mut left = vec![PathBuf::new()];
    while let Some(directory) = left.pop() {
        let path = top.join(&directory);
        for entry in fs::read_dir(&path).map_err(read(&path))? {
            let entry = entry.map_err(read(&path))?;
            let (path, below) = (entry.path(), directory.join(entry.file_name()));
            let metadata = entry.metadata().map_err(read(&path))?;
            let kind = kind(&path, &metadata)?;
            entries += 1;
            if let Kind::File { size, .. } = &kind {
                bytes = bytes.saturating_add(*size);
            }
            if entries > MAX_ENTRIES || bytes > MAX_BYTES {
                return Err(TreeError::TooLarge(top.into()));
            }
            context.put(
                Path::new("ww").join(&below),
                metadata.permissions().mode() & 0o7777,
                kind.clone(),
            );
            if kind == Kind::Directory {
                left.push(below);
            }
        }
    }
    Ok(())
}

fn kind(path: &Path, metadata: &Metadata) -> Result<Kind, TreeError> {
    let found = metadata.file_type();
    if found.is_dir() {
        return Ok(Kind::Directory);
    }
    if found.is_symlink() {
        let target = fs::read_link(path).map_err(|source| TreeError::Read {
            path: path.into(),
            source,
        })?;
        return Ok(Kind::Link(target));
    }
    if found.is_file() {
        return Ok(Kind::File {
            path: path.into(),
            size: metadata.len(),
        });
    }
    Err(TreeError::Unsupported {
        path: path.into(),
        what: special(found),
    })
}

fn special(found: FileType) -> &'static str {
    if found.is_socket() {
        "socket, which means nothing once its owner is gone; remove it"
    } else if found.is_fifo() {
        "named pipe; make it in `boot` instead"
    } else {
        "device; give it to the container with --device instead"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn agent(dir: &Path) -> StaticBinary {
        let path = dir.join("agent-for-test");
        fs::write(&path, super::super::binary::tests::elf(None)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        StaticBinary::open(&path).unwrap()
    }

    fn listing(context: &Context) -> Vec<String> {
        let bytes = context.write(Vec::new()).unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                let link = entry
                    .link_name()
                    .unwrap()
                    .map(|to| format!(" -> {}", to.display()))
                    .unwrap_or_default();
                format!(
                    "{:04o} {}{link}",
                    header.mode().unwrap(),
                    entry.path().unwrap().display()
                )
            })
            .collect()
    }

    #[test]
    fn the_agent_comes_under_all_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let (context, replaced) = context(&Tree::None, &agent(dir.path())).unwrap();
        assert!(replaced.is_empty());
        assert_eq!(
            listing(&context),
            [
                "0755 root/ww",
                "0755 root/ww/bin",
                "0755 root/ww/bin/ww-agent",
                "0755 root/ww/cfg -> bin/ww-agent",
                "0755 root/ww/etc",
                "0755 root/ww/run -> bin/ww-agent",
                "0755 root/ww/usr",
            ]
        );
    }

    #[test]
    fn the_same_tree_is_the_same_bytes_whenever_it_was_checked_out() {
        let dir = tempfile::tempdir().unwrap();
        let agent = agent(dir.path());
        let bytes = |order: [&str; 3]| {
            let tree = tempfile::tempdir().unwrap();
            for name in order {
                fs::create_dir_all(tree.path().join("usr")).unwrap();
                fs::write(tree.path().join("usr").join(name), name).unwrap();
                let file = fs::File::options()
                    .write(true)
                    .open(tree.path().join("usr").join(name))
                    .unwrap();
                let later = std::time::UNIX_EPOCH
                    + std::time::Duration::from_secs(name.len() as u64 * 1000);
                file.set_modified(later).unwrap();
            }
            let (context, _) = context(&Tree::Directory(tree.path().into()), &agent).unwrap();
            context.write(Vec::new()).unwrap()
        };
        assert!(bytes(["boot", "svcup", "monitor"]) == bytes(["monitor", "boot", "svcup"]));
    }

    #[test]
    fn modes_and_links_are_kept_and_the_originals_own_scripts_give_way() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("usr/svc.d")).unwrap();
        for (name, mode) in [
            ("usr/boot", 0o750),
            ("usr/svc.d/web", 0o755),
            ("usr/svc.d/.notes", 0o640),
            ("run", 0o755),
            ("cfg", 0o755),
            ("Dockerfile", 0o600),
        ] {
            fs::write(tree.join(name), "x").unwrap();
            fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("/etc/passwd", tree.join("usr/monitor")).unwrap();
        symlink("nowhere", tree.join("files")).unwrap();
        let (context, replaced) = context(&Tree::Directory(tree), &agent(dir.path())).unwrap();
        assert_eq!(replaced, [PathBuf::from("cfg"), PathBuf::from("run")]);
        let listing = listing(&context);
        for expected in [
            "0750 root/ww/usr/boot",
            "0755 root/ww/usr/svc.d/web",
            "0640 root/ww/usr/svc.d/.notes",
            "0600 root/ww/Dockerfile",
            "0777 root/ww/usr/monitor -> /etc/passwd",
            "0777 root/ww/files -> nowhere",
            "0755 root/ww/run -> bin/ww-agent",
        ] {
            assert!(
                listing.iter().any(|line| line == expected),
                "{expected} in {listing:#?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_in_an_image_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let agent = agent(dir.path());
        let refused = |tree: &Path| {
            context(&Tree::Directory(tree.into()), &agent)
                .unwrap_err()
                .to_string()
        };

        let missing = dir.path().join("missing");
        assert!(refused(&missing).contains("there is no such directory"));
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(refused(&file).contains("it is not a directory"));

        let tree = dir.path().join("socket");
        fs::create_dir_all(tree.join("etc")).unwrap();
        let _listener = UnixListener::bind(tree.join("etc/app.sock")).unwrap();
        let error = refused(&tree);
        assert!(
            error.contains("app.sock") && error.contains("it is a socket"),
            "{error}"
        );

        let tree = dir.path().join("bin-is-a-file");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("bin"), "").unwrap();
        assert!(refused(&tree).contains("bin is not a directory"));

        let tree = dir.path().join("run-is-a-directory");
        fs::create_dir_all(tree.join("run")).unwrap();
        assert!(refused(&tree).contains("the agent's place"));
    }
}
