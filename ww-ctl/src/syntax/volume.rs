//! Volumes: `[SOURCE:]TARGET[:OPTIONS]`, and `--tmpfs`.

use std::str::FromStr;

use super::{is_name, target};

const EXPECTED: &str =
    "expected [DIR|VOLUME:]/PLACE[:ro,…], such as /srv/shop:/data or cache:/cache:ro";
const OPTIONS: [&str; 14] = [
    "ro",
    "rw",
    "z",
    "Z",
    "nocopy",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "private",
    "rprivate",
    "consistent",
    "cached",
    "delegated",
];

/// One `--volume`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    /// What is mounted; a new anonymous volume where nothing is named.
    pub source: Option<Source>,
    /// Where, in the container.
    pub target: String,
    /// How, as it was written.
    pub options: Option<String>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A directory or file of the host. It may be relative, beginning with a dot.
    Path(String),
    /// A volume.
    Volume(String),
}

impl FromStr for Volume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).map_err(|reason| format!("{reason}; {EXPECTED}"))
    }
}

fn read(text: &str) -> Result<Volume, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, place, options) = match parts.as_slice() {
        [place] => (None, *place, None),
        [source, place] => (Some(*source), *place, None),
        [source, place, options] => (Some(*source), *place, Some(*options)),
        [..] => return Err("there are too many colons".into()),
    };
    if let Some(options) = options
        && let Some(odd) = options.split(',').find(|word| !OPTIONS.contains(word))
    {
        return Err(format!("`{odd}` is no option of a volume"));
    }
    Ok(Volume {
        source: source.map(what).transpose()?,
        target: target(place)?,
        options: options.map(str::to_owned),
    })
}

fn what(source: &str) -> Result<Source, String> {
    if source.starts_with(['/', '.']) {
        return Ok(Source::Path(source.to_owned()));
    }
    if source.is_empty() {
        return Err("what is to be mounted is missing".into());
    }
    if source.contains('/') {
        return Err(format!(
            "`{source}` is neither a volume nor an absolute path: write ./{source} for a directory here"
        ));
    }
    if is_name(source) {
        Ok(Source::Volume(source.to_owned()))
    } else {
        Err(format!(
            "`{source}` is no name of a volume (letters, digits, _ . -, two at least)"
        ))
    }
}

/// One `--tmpfs`: `/PLACE[:OPTIONS]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tmpfs {
    /// As it was written.
    pub text: String,
    /// Where, in the container.
    pub target: String,
    /// Options of the mount; may be empty.
    pub options: String,
}

impl FromStr for Tmpfs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, options) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self {
            text: text.to_owned(),
            target: target(place).map_err(|reason| {
                format!("{reason}; expected /PLACE[:OPTIONS], such as /tmp:size=64m")
            })?,
            options: options.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_told_from_directories() {
        let path = |text: &str| Some(Source::Path(text.into()));
        let volume = |text: &str| Some(Source::Volume(text.into()));
        for (text, source, target, options) in [
            ("/data", None, "/data", None),
            ("/srv/shop:/data", path("/srv/shop"), "/data", None),
            ("./shop:/data:ro", path("./shop"), "/data", Some("ro")),
            ("../shop:/data", path("../shop"), "/data", None),
            ("cache:/cache:rw,z", volume("cache"), "/cache", Some("rw,z")),
        ] {
            let read: Volume = text.parse().unwrap();
            assert_eq!(read.source, source, "{text}");
            assert_eq!(read.target, target, "{text}");
            assert_eq!(read.options.as_deref(), options, "{text}");
        }
        for (text, words) in [
            ("srv/shop:/data", "write ./srv/shop"),
            ("/srv/shop:data", "must begin with /"),
            ("/srv:/", "cannot be / itself"),
            (":/data", "is missing"),
            ("/a:/b:ro:x", "too many colons"),
            ("/a:/b:readonly", "`readonly` is no option"),
            ("a b:/data", "no name of a volume"),
            ("", "must begin with /"),
        ] {
            let error = text.parse::<Volume>().unwrap_err();
            assert!(
                error.contains(words) && error.contains("/srv/shop:/data"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_tmpfs_has_a_place() {
        let read: Tmpfs = "/tmp:size=64m,mode=1777".parse().unwrap();
        assert_eq!(
            (read.target.as_str(), read.options.as_str()),
            ("/tmp", "size=64m,mode=1777")
        );
        assert!("tmp".parse::<Tmpfs>().is_err());
    }
}
