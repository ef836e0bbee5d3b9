//! One image, built: base, tree, agent, and what makes the agent PID 1.

use std::collections::BTreeMap;

use whaleware::{env, paths, protocol};

use super::binary::StaticBinary;
use super::context::{Context, Kind, ROOT};
use super::lint::{self, LintError};
use super::tree::{self, Tree, TreeError};
use super::version::{self, Version};
use crate::engine::{BuildFailure, Engine, EngineError, Known};
use crate::fleet::clean;

/// The most characters of a line passed on.
const MAX_LINE: usize = 2000;
/// The base that is nothing.
pub(crate) const SCRATCH: &str = "scratch";

/// What to build.
#[derive(Debug, Clone)]
pub(crate) struct BuildRequest {
    /// An image's name, or `scratch`.
    pub(crate) base: String,
    /// What becomes `/ww`.
    pub(crate) tree: Tree,
    /// The new image's name, with or without a tag.
    pub(crate) tag: String,
    /// The agent that goes in.
    pub(crate) agent: StaticBinary,
    /// The image's version, where the tree does not tell one.
    pub(crate) version: Option<String>,
    /// Labels beside the agent's own.
    pub(crate) labels: BTreeMap<String, String>,
    /// Whether Docker is to ask the agent for its health. Off by default: each time costs the
    /// host a start of `runc` (some 100 ms), and `ww-ctl` knows the health without.
    pub(crate) healthcheck: bool,
    /// Whether the tree is checked first.
    pub(crate) check: Check,
}

/// What is done about a tree's errors before it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// The agent checks the tree; errors refuse the build.
    First,
    /// The tree is built as it is.
    Skip,
}

/// The id of an image, `sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageId(pub(crate) String);

/// What is told while building. The texts are safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something the operator should know, not an error.
    Note(String),
    /// A line of the Engine's builder.
    Engine(String),
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// A name that cannot be one.
    #[error("cannot use `{name}` as {what}: {reason}")]
    Name {
        /// What was given, safe for a terminal.
        name: String,
        /// What for.
        what: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// The tree cannot be used.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The tree has errors.
    #[error(transparent)]
    Lint(#[from] LintError),
    /// The agent and the place it would run in are of different machines.
    #[error(
        "cannot put the agent into an image on `{base}`: the agent is for {agent}, that is for {machine}"
    )]
    Architecture {
        /// The base.
        base: String,
        /// The agent's machine.
        agent: &'static str,
        /// The base's or the Engine's machine.
        machine: String,
    },
    /// The base is neither on the Engine nor can it be pulled.
    #[error("cannot get the base image `{base}`: {reason}")]
    Base {
        /// The base.
        base: String,
        /// The Engine's words.
        reason: String,
    },
    /// A file could not be sent.
    #[error("cannot send the tree to the Engine")]
    Send(#[source] std::io::Error),
    /// The builder gave up.
    #[error("cannot build `{tag}`: {reason}")]
    Builder {
        /// The image that was to be.
        tag: String,
        /// The builder's words.
        reason: String,
    },
    /// The Engine did not do as asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl BuildError {
    /// What to do next, in one line.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Lint(LintError::Found { .. }) => {
                Some("correct the tree, or build it as it is with --no-check".into())
            }
            Self::Lint(LintError::Run { .. } | LintError::Ended { .. }) => Some(
                "name another agent with WW_AGENT_BINARY, or build without with --no-check".into(),
            ),
            Self::Base { base, .. } => Some(format!(
                "try `docker pull {base}`, bring the image with `docker load`, or build on `--base {SCRATCH}`"
            )),
            Self::Architecture { machine, .. } => Some(format!(
                "name an agent built for {machine} with WW_AGENT_BINARY"
            )),
            Self::Engine(error) => error.hint(),
            Self::Lint(LintError::Refused { .. })
            | Self::Name { .. }
            | Self::Tree(_)
            | Self::Send(_)
            | Self::Builder { .. } => None,
        }
    }
}

/// Builds an image and returns its id. Files are read while they are sent; a tree of any size
/// needs no more than a few megabytes of memory.
///
/// # Errors
/// When something in the request cannot be used, and when the Engine cannot build it. Nothing is
/// tagged then; layers the builder had finished stay in its cache.
pub(crate) async fn build(
    engine: &Engine,
    request: &BuildRequest,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ImageId, BuildError> {
    name("a base", &request.base)?;
    name("a tag", &request.tag)?;
    labels(&request.labels)?;
    if let Tree::Within { given, .. } = &request.tree {
        let given = plain(&given.display().to_string());
        progress(Progress::Note(format!("the tree is the ww in {given}")));
    }
    let (mut context, replaced) = tree::context(&request.tree, &request.agent)?;
    let version = version::of(&context, request.version.as_deref())?;
    for path in replaced {
        let path = plain(&path.display().to_string());
        progress(Progress::Note(format!(
            "the agent takes the place of the tree's own {path}"
        )));
    }
    if let (Check::First, Some(directory)) = (request.check, request.tree.directory()) {
        for line in lint::check(&request.agent, directory).await? {
            progress(Progress::Note(line));
        }
    }
    let base = Base::find(engine, &request.base, progress).await?;
    base.suits(&request.agent, &request.base)?;
    if request.base == SCRATCH {
        // What programs expect of a root directory; any other base has its own.
        context.put("tmp", 0o1777, Kind::Directory);
        context.put("run", 0o755, Kind::Directory);
        context.put("data", 0o755, Kind::Directory);
        context.put("backup", 0o755, Kind::Directory);
    }
    context.dockerfile(dockerfile(request, &base, version.as_ref()));
    progress(Progress::Note(format!(
        "sending {} KiB to the Engine",
        context.size().div_ceil(1024)
    )));
    send(
        engine,
        &request.base,
        &request.tag,
        base.is_there(),
        context,
        progress,
    )
    .await
}

/// Sends a context with its Dockerfile to the builder.
pub(crate) async fn send(
    engine: &Engine,
    base: &str,
    tag: &str,
    base_is_there: bool,
    context: Context,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ImageId, BuildError> {
    let mut steps = 0_u32;
    let said = &mut |line: &str| {
        steps += u32::from(line.starts_with("Step "));
        progress(Progress::Engine(plain(line)));
    };
    let built = engine.build_image(tag, context.stream(), said).await;
    built.map(ImageId).map_err(|failure| match failure {
        BuildFailure::Source(error) => BuildError::Send(error),
        BuildFailure::Builder(reason) if !base_is_there && steps <= 1 => BuildError::Base {
            base: base.into(),
            reason: plain(&reason),
        },
        BuildFailure::Builder(reason) => BuildError::Builder {
            tag: tag.into(),
            reason: plain(&reason),
        },
        BuildFailure::Engine(error) => BuildError::Engine(error),
    })
}

/// What is known of the base before anything is built.
enum Base {
    /// Nothing at all, for the Engine's machine.
    Scratch { machine: Option<String> },
    /// An image on the Engine.
    Known(Box<Known>),
    /// An image the Engine has to pull first.
    Unknown { machine: Option<String> },
}

impl Base {
    async fn find(
        engine: &Engine,
        base: &str,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Self, EngineError> {
        if base == SCRATCH {
            return Ok(Self::Scratch {
                machine: engine.architecture().await?,
            });
        }
        if let Some(image) = engine.image(base).await? {
            return Ok(Self::Known(Box::new(image)));
        }
        progress(Progress::Note(format!(
            "{base} is not on this Engine, which will try to pull it"
        )));
        Ok(Self::Unknown {
            machine: engine.architecture().await?,
        })
    }

    const fn is_there(&self) -> bool {
        !matches!(self, Self::Unknown { .. })
    }

    fn suits(&self, agent: &StaticBinary, base: &str) -> Result<(), BuildError> {
        let machine = match self {
            Self::Scratch { machine } | Self::Unknown { machine } => machine,
            Self::Known(image) => &image.architecture,
        };
        match (agent.architecture(), machine.as_deref()) {
            (Some(agent), Some(machine)) if agent != machine => Err(BuildError::Architecture {
                base: base.into(),
                agent,
                machine: plain(machine),
            }),
            _ => Ok(()),
        }
    }
}

/// The recipe. The base's environment, user and ports stay, its entry point does not: the agent is
/// PID 1. `/data` is no VOLUME: that would give every container an anonymous one, gone with
/// `docker rm -v`.
fn dockerfile(request: &BuildRequest, base: &Base, version: Option<&Version>) -> String {
    let nothing_there = Known::default();
    let known = match base {
        Base::Scratch { .. } => Some(&nothing_there),
        Base::Known(image) => Some(&**image),
        Base::Unknown { .. } => None,
    };
    let protocol = protocol::VERSION.to_string();
    let own: Vec<_> = version
        .map(|version| (paths::LABEL_VERSION, version.text.as_str()))
        .into_iter()
        .chain([(paths::LABEL_AGENT, protocol.as_str())])
        .collect();
    let given = request
        .labels
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let labels = given
        .filter(|(key, _)| own.iter().all(|(other, _)| other != key))
        .chain(own.iter().copied());
    let labels: Vec<_> = labels
        .map(|(key, value)| format!("{}={}", quoted(key), quoted(value)))
        .collect();
    let mut lines = vec![format!("FROM {}", request.base), format!("COPY {ROOT}/ /")];
    // A base made here has the directories already. Each instruction costs the Engine a layer.
    let made_here = known.is_some_and(|image| image.labels.contains_key(paths::LABEL_AGENT));
    if request.base != SCRATCH && !made_here {
        // Makes the directory where there is none, and unlike COPY leaves the owner and mode of one
        // the base has.
        lines.push(format!("WORKDIR {}", paths::DATA));
        lines.push(format!("WORKDIR {}", paths::BACKUP));
        let workdir = known.map_or("", |image| &image.workdir);
        lines.push(format!(
            "WORKDIR {}",
            quoted(if workdir.is_empty() { "/" } else { workdir })
        ));
    }
    if let Some(Version { text, told: false }) = version {
        lines.push(format!("ENV {}={}", env::WW_VERSION, quoted(text)));
    }
    if request.healthcheck {
        let agent = paths::AGENT;
        lines.push(format!(
            "HEALTHCHECK --interval=30s --timeout=10s CMD [\"{agent}\", \"health\"]"
        ));
    }
    let foreign = |signal: &str| signal != "SIGTERM";
    if known.is_none_or(|image| image.stop_signal.as_deref().is_some_and(foreign)) {
        lines.push("STOPSIGNAL SIGTERM".into());
    }
    if known.is_none_or(|image| !image.entry_point.is_empty()) {
        lines.push("ENTRYPOINT []".into());
    }
    lines.push(format!("CMD [\"{}\"]", paths::RUN));
    // Last, so that the builder's own containers for the steps before do not have it: they would be
    // listed with the fleet.
    lines.push(format!("LABEL {}\n", labels.join(" ")));
    lines.join("\n")
}

/// A word as the Dockerfile wants it, with nothing left in it that could mean something.
fn quoted(word: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        if matches!(letter, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// Refuses what cannot be an image's name before it becomes a line of a Dockerfile.
fn name(what: &'static str, name: &str) -> Result<(), BuildError> {
    let refuse = |reason| {
        Err(BuildError::Name {
            name: plain(name),
            what,
            reason,
        })
    };
    let known = |letter: char| letter.is_ascii_alphanumeric() || "._-/:@".contains(letter);
    if name.is_empty() {
        return refuse("it is empty");
    }
    if !name.chars().all(known) {
        return refuse("an image's name has only letters, digits and `._-/:@`");
    }
    if !name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) {
        return refuse("an image's name begins with a letter or a digit");
    }
    let path = name.rsplit_once('/').map_or(name, |(_, last)| last);
    let last = path.split([':', '@']).next().unwrap_or_default();
    if last.chars().any(|letter| letter.is_ascii_uppercase()) {
        return refuse("an image's name has no capitals");
    }
    if what == "a tag" && name.split(':').next() == Some(SCRATCH) {
        return refuse("that name means no image at all");
    }
    Ok(())
}

fn labels(labels: &BTreeMap<String, String>) -> Result<(), BuildError> {
    for (key, value) in labels {
        let control = key.chars().chain(value.chars()).any(char::is_control);
        if key.is_empty() || control {
            let name = plain(key);
            let reason = "a label has a key, and no line breaks or control characters";
            return Err(BuildError::Name {
                name,
                what: "a label",
                reason,
            });
        }
    }
    Ok(())
}

/// A line of the Engine's, a program's or a path, fit for a terminal.
pub(super) fn plain(text: &str) -> String {
    clean(text.trim_end(), MAX_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn request(base: &str) -> BuildRequest {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        std::fs::write(&path, crate::image::binary::tests::elf(None)).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        BuildRequest {
            base: base.into(),
            tree: Tree::None,
            tag: "shop".into(),
            agent: StaticBinary::open(&path).unwrap(),
            version: None,
            labels: BTreeMap::new(),
            healthcheck: false,
            check: Check::First,
        }
    }

    #[test]
    fn a_recipe_has_no_instruction_that_changes_nothing() {
        assert_eq!(
            dockerfile(&request(SCRATCH), &Base::Scratch { machine: None }, None),
            "FROM scratch\nCOPY root/ /\nCMD [\"/ww/run\"]\nLABEL \"io.whaleware.agent\"=\"1\"\n"
        );
        let labels = HashMap::from([(paths::LABEL_AGENT.to_owned(), "1".to_owned())]);
        assert_eq!(
            dockerfile(
                &request("shop-base"),
                &Base::Known(Box::new(Known {
                    labels,
                    ..Known::default()
                })),
                None
            ),
            "FROM shop-base\nCOPY root/ /\nCMD [\"/ww/run\"]\nLABEL \"io.whaleware.agent\"=\"1\"\n"
        );
        assert!(
            dockerfile(&request("shop-base"), &Base::Unknown { machine: None }, None)
                .contains("WORKDIR /data\nWORKDIR /backup\nWORKDIR \"/\"\nSTOPSIGNAL SIGTERM\nENTRYPOINT []\nCMD [\"/ww/run\"]\nLABEL ")
        );
    }

    #[test]
    fn a_recipe_on_a_base_keeps_its_directory_and_cannot_be_extended_by_words() {
        let mut request = request("debian:12");
        request.healthcheck = true;
        request
            .labels
            .insert("shop".into(), "a \"b\" \\ $HOME".into());
        request
            .labels
            .insert("io.whaleware.agent".into(), "99".into());
        let base = Base::Known(Box::new(Known {
            workdir: "/srv/$app".into(),
            entry_point: vec!["/bin/sh".into()],
            stop_signal: Some("SIGQUIT".into()),
            ..Known::default()
        }));
        let text = dockerfile(&request, &base, None);
        assert!(
            text.ends_with(
                "LABEL \"shop\"=\"a \\\"b\\\" \\\\ \\$HOME\" \"io.whaleware.agent\"=\"1\"\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("WORKDIR /data\nWORKDIR /backup\nWORKDIR \"/srv/\\$app\"\n"),
            "{text}"
        );
        assert!(
            text.contains("CMD [\"/ww/bin/ww-agent\", \"health\"]\n"),
            "{text}"
        );
        assert!(
            text.contains("STOPSIGNAL SIGTERM\nENTRYPOINT []\nCMD [\"/ww/run\"]\nLABEL "),
            "{text}"
        );
        assert!(!text.contains("VOLUME"));
    }

    #[test]
    fn a_version_is_a_label_and_the_agent_is_told_what_it_cannot_read() {
        let base = Base::Scratch { machine: None };
        for (told, variable) in [(true, ""), (false, "ENV WW_VERSION=\"2 \\$b\"\n")] {
            let text = "2 $b".into();
            let version = Version { text, told };
            assert_eq!(
                dockerfile(&request(SCRATCH), &base, Some(&version)),
                format!(
                    "FROM scratch\nCOPY root/ /\n{variable}CMD [\"/ww/run\"]\nLABEL \
                     \"org.opencontainers.image.version\"=\"2 \\$b\" \"io.whaleware.agent\"=\"1\"\n"
                )
            );
        }
    }

    #[test]
    fn names_that_could_not_be_names_are_refused() {
        for good in [
            "debian",
            "debian:12",
            "Registry:5000/a/b-c:1.0",
            "a@sha256:00ff",
            "scratch",
        ] {
            name("a base", good).unwrap();
        }
        for bad in [
            "",
            "a b",
            "a\nRUN x",
            "--platform=x",
            "$X",
            "Debian",
            "a\x1b[2J",
        ] {
            let error = name("a base", bad).unwrap_err().to_string();
            assert!(!error.contains('\x1b') && !error.contains('\n'), "{error}");
        }
        assert!(name("a tag", "scratch").is_err());
    }

    #[test]
    fn an_agent_for_another_machine_is_refused() {
        let request = request(SCRATCH);
        let base = |machine: Option<&str>| Base::Scratch {
            machine: machine.map(Into::into),
        };
        base(Some("amd64")).suits(&request.agent, SCRATCH).unwrap();
        base(None).suits(&request.agent, SCRATCH).unwrap();
        let error = base(Some("arm64"))
            .suits(&request.agent, SCRATCH)
            .unwrap_err();
        assert!(
            error.to_string().contains("for amd64, that is for arm64"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("arm64"));
    }
}
