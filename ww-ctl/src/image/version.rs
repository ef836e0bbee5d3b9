//! The version of the image that is built: what the tree says of itself, or what was asked for.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use whaleware::config::{self, is_version};

use super::build::{BuildError, plain};
use super::context::{Context, Kind};

/// The version of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// It, fit for a label.
    pub(super) text: String,
    /// Whether `ww.version` of the tree's defaults tells it; the agent follows that by itself.
    pub(super) told: bool,
}

/// The version of what a context holds.
///
/// # Errors
/// When `asked` cannot be one, or is not the one that the tree tells: the agent would follow the tree.
pub(super) fn of(context: &Context, asked: Option<&str>) -> Result<Option<Version>, BuildError> {
    let refuse = |text: &str, reason| {
        Err(BuildError::Name {
            name: plain(text),
            what: "a version",
            reason,
        })
    };
    let told = in_defaults(context);
    match (asked, told) {
        (Some(text), _) if !is_version(text) => refuse(
            text,
            "a version has 1 to 128 characters, none of them a control character",
        ),
        (Some(text), Some(told)) if text != told => refuse(
            text,
            "the tree's etc/defaults.json has another one as ww.version, which goes before",
        ),
        (_, Some(text)) => Ok(Some(Version { text, told: true })),
        (Some(text), None) => Ok(Some(Version {
            text: text.into(),
            told: false,
        })),
        (None, None) => Ok(None),
    }
}

/// `ww.version` of the tree's defaults; none also where they cannot be read, which is for the check of
/// the tree to say.
fn in_defaults(context: &Context) -> Option<String> {
    let text = match &context.get("ww/etc/defaults.json")?.kind {
        Kind::Text(text) => text.to_vec(),
        Kind::File { path, .. } => read(path)?,
        Kind::Directory | Kind::Link(_) => return None,
    };
    let layer = config::parse("defaults.json", &text).ok()?;
    let text = layer.object.get("ww")?.get("version")?.as_str()?;
    is_version(text).then(|| text.to_owned())
}

fn read(path: &Path) -> Option<Vec<u8>> {
    // It was a file when the tree was walked; opening what it became must not be waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
        .ok()?;
    let mut text = Vec::new();
    let most = u64::try_from(config::MAX_TEXT).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(defaults: &'static str) -> Context {
        let mut context = Context::default();
        let kind = Kind::Text(defaults.as_bytes().into());
        context.put("ww/etc/defaults.json", 0o644, kind);
        context
    }

    /// What a context and a wish come to: the version, and whether the tree tells it.
    fn made(context: &Context, asked: Option<&str>) -> Option<(String, bool)> {
        let version = of(context, asked).unwrap();
        version.map(|version| (version.text, version.told))
    }

    #[test]
    fn what_the_tree_tells_goes_before_what_is_asked_for() {
        let telling = context("{\"ww\": {\"version\": \"2.4\",}} // ours");
        assert_eq!(made(&telling, None), Some(("2.4".into(), true)));
        assert_eq!(made(&telling, Some("2.4")), Some(("2.4".into(), true)));
        let error = of(&telling, Some("2.5")).unwrap_err().to_string();
        assert!(error.contains("ww.version"), "{error}");
        for silent in ["{}", "{\"ww\":{\"version\":7}}", "nonsense"] {
            assert_eq!(made(&context(silent), None), None);
            assert_eq!(made(&context(silent), Some("3")), Some(("3".into(), false)));
        }
        assert_eq!(made(&Context::default(), None), None);
        for bad in ["", "a\nRUN x", "\x1b[2J"] {
            assert!(of(&Context::default(), Some(bad)).is_err());
        }
    }

    #[test]
    fn a_file_of_the_tree_is_read() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("defaults.json");
        std::fs::write(&path, "{\"ww\":{\"version\":\"1\"}}").unwrap();
        let mut context = Context::default();
        let kind = Kind::File { path, size: 24 };
        context.put("ww/etc/defaults.json", 0o644, kind);
        assert_eq!(made(&context, None), Some(("1".into(), true)));
    }
}
