//! The image under the demonstration's: the agent, a static busybox under all its names, nothing else.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use whaleware::{paths, protocol};

use super::content;
use crate::engine::Engine;
use crate::image::build::{BuildError, SCRATCH, send};
use crate::image::context::{Context, Kind, ROOT};
use crate::image::{StaticBinary, Tree, tree};

/// Its name.
pub(crate) const NAME: &str = "whaleware-demo-base";
/// What the demonstration's scripts need.
const NEEDED: [&str; 15] = [
    "awk",
    "cat",
    "cp",
    "cut",
    "date",
    "du",
    "grep",
    "httpd",
    "mkdir",
    "seq",
    "sh",
    "sha256sum",
    "sleep",
    "wc",
    "wget",
];
/// The most names taken from a busybox; a full one has about 400.
const MAX_APPLETS: usize = 1000;

/// Why there is no base image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    /// The busybox did not run.
    #[error("cannot ask {} for its applets", busybox.display())]
    Run {
        /// Which one.
        busybox: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The busybox lacks something.
    #[error("cannot use {}: it has no {}", busybox.display(), missing.join(", "))]
    Lacks {
        /// Which one.
        busybox: PathBuf,
        /// The names it does not know.
        missing: Vec<&'static str>,
    },
    /// The builder failed.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Builds and tags the base image, unless it is there already with the same content. Returns what
/// stands for that content.
///
/// # Errors
/// When the busybox is not fit, or the Engine cannot build.
pub(crate) async fn build(
    engine: &Engine,
    agent: &StaticBinary,
    busybox: &StaticBinary,
) -> Result<String, BaseError> {
    let (mut context, _) = tree::context(&Tree::None, agent).map_err(BuildError::from)?;
    fill(&mut context, busybox, &applets(busybox).await?);
    let (key, value) = super::LABEL;
    let (agent, version) = (paths::LABEL_AGENT, protocol::VERSION);
    let recipe = format!(
        "FROM {SCRATCH}\nLABEL {key}={value} {agent}={version}\nCOPY {ROOT}/ /\nENV PATH=/bin\nCMD [\"/bin/sh\"]\n"
    );
    context.dockerfile(recipe.clone());
    let (mut context, hash) = content::of_context(context)
        .await
        .map_err(BuildError::Send)?;
    let there = engine.image(NAME).await.map_err(BuildError::from)?;
    if there.is_some_and(|image| content::is(&image, &hash)) {
        return Ok(hash);
    }
    context.dockerfile(format!("{recipe}LABEL {}={hash}\n", content::LABEL));
    send(engine, SCRATCH, NAME, true, context, &mut |_| {}).await?;
    Ok(hash)
}

async fn applets(busybox: &StaticBinary) -> Result<Vec<String>, BaseError> {
    let path = busybox.path().to_owned();
    let run = |source| BaseError::Run {
        busybox: path.clone(),
        source,
    };
    let mut command = Command::new(&path);
    command
        .arg("--list")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .map_err(|error| run(io::Error::other(error)))?
        .map_err(run)?;
    let names = names(&String::from_utf8_lossy(&output.stdout));
    let missing: Vec<_> = NEEDED
        .into_iter()
        .filter(|needed| !names.iter().any(|name| name == needed))
        .collect();
    if missing.is_empty() {
        Ok(names)
    } else {
        Err(BaseError::Lacks {
            busybox: path,
            missing,
        })
    }
}

fn names(list: &str) -> Vec<String> {
    let known = |name: &&str| {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "[_-".contains(letter);
        !name.is_empty() && *name != "busybox" && name.chars().all(letter)
    };
    list.lines()
        .map(str::trim)
        .filter(known)
        .take(MAX_APPLETS)
        .map(str::to_owned)
        .collect()
}

fn fill(context: &mut Context, busybox: &StaticBinary, applets: &[String]) {
    for directory in [
        "backup", "bin", "data", "etc", "root", "run", "usr", "usr/bin", "var",
    ] {
        context.put(directory, 0o755, Kind::Directory);
    }
    context.put("tmp", 0o1777, Kind::Directory);
    let passwd = Kind::Text(Cow::Borrowed(b"root:x:0:0:root:/root:/bin/sh\n"));
    context.put("etc/passwd", 0o644, passwd);
    context.put(
        "etc/group",
        0o644,
        Kind::Text(Cow::Borrowed(b"root:x:0:\n")),
    );
    let program = Kind::File {
        path: busybox.path().into(),
        size: busybox.size(),
    };
    context.put("bin/busybox", 0o755, program);
    for applet in applets {
        context.put(
            PathBuf::from("bin").join(applet),
            0o777,
            Kind::Link("busybox".into()),
        );
    }
    context.put("usr/bin/env", 0o777, Kind::Link("../../bin/busybox".into()));
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn names_that_are_no_names_of_programs_are_left_out() {
        assert_eq!(
            names("[\n[[\nsh\n../../etc/passwd\n\nbusybox\nrun-parts\n"),
            ["[", "[[", "sh", "run-parts"]
        );
    }
}
