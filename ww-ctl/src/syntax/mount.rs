//! `--mount type=bind|volume|tmpfs,…`.

use std::str::FromStr;

use super::amount::Size;
use super::fields::{fields, flag, needed};
use super::target;

const EXPECTED: &str =
    "expected type=bind|volume|tmpfs,source=…,target=/PLACE[,readonly], as Docker has it";
const PROPAGATION: [&str; 6] = [
    "private", "rprivate", "shared", "rshared", "slave", "rslave",
];

/// One `--mount`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// As it was written.
    pub text: String,
    /// What it is.
    pub kind: MountKind,
    /// Where, in the container.
    pub target: String,
    /// Whether it cannot be written.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MountKind {
    /// A directory or file of the host, which must be there.
    Bind {
        /// Which.
        source: String,
        /// How mounts below it spread.
        propagation: Option<String>,
    },
    /// A volume.
    Volume {
        /// Its name; a new anonymous one without.
        source: Option<String>,
        /// The image's content is not copied into a new one.
        no_copy: bool,
        /// Labels of a new one.
        labels: Vec<(String, String)>,
        /// The driver of a new one.
        driver: Option<String>,
        /// That driver's options.
        driver_options: Vec<(String, String)>,
    },
    /// Memory.
    Tmpfs {
        /// At most so many bytes.
        size: Option<i64>,
        /// The mode of its root.
        mode: Option<u32>,
    },
}

/// Everything that may be said, before it is known of what kind it is.
#[derive(Default)]
struct Said {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    propagation: Option<String>,
    no_copy: bool,
    labels: Vec<(String, String)>,
    driver: Option<String>,
    driver_options: Vec<(String, String)>,
    size: Option<i64>,
    mode: Option<u32>,
    /// Which of these words hold for one kind only, as they were written.
    of_bind: Option<String>,
    of_volume: Option<String>,
    of_tmpfs: Option<String>,
}

impl FromStr for Mount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).map_err(|reason| format!("{reason}; {EXPECTED}"))
    }
}

fn read(text: &str) -> Result<Mount, String> {
    let mut said = Said::default();
    for (key, value) in fields(text)? {
        said.take(&key, value)?;
    }
    let place = said.target.as_deref().ok_or("target=/PLACE is missing")?;
    let target = target(place)?;
    let read_only = said.read_only;
    Ok(Mount {
        text: text.to_owned(),
        kind: said.kind()?,
        target,
        read_only,
    })
}

impl Said {
    fn take(&mut self, key: &str, value: Option<String>) -> Result<(), String> {
        let of = match key.split_once('-') {
            Some(("bind", _)) => Some(&mut self.of_bind),
            Some(("volume", _)) => Some(&mut self.of_volume),
            Some(("tmpfs", _)) => Some(&mut self.of_tmpfs),
            Some(_) | None => None,
        };
        if let Some(of) = of {
            *of = Some(key.to_owned());
        }
        match key {
            "type" => self.kind = Some(needed(key, value)?.to_ascii_lowercase()),
            "source" | "src" => self.source = Some(needed(key, value)?),
            "target" | "dst" | "destination" => self.target = Some(needed(key, value)?),
            "readonly" | "ro" => self.read_only = flag(key, value.as_deref())?,
            "bind-propagation" => {
                let word = needed(key, value)?;
                if !PROPAGATION.contains(&word.as_str()) {
                    return Err(format!(
                        "bind-propagation is one of {}",
                        PROPAGATION.join(", ")
                    ));
                }
                self.propagation = Some(word);
            }
            "volume-nocopy" => self.no_copy = flag(key, value.as_deref())?,
            "volume-label" => self.labels.push(split(&needed(key, value)?)),
            "volume-driver" => self.driver = Some(needed(key, value)?),
            "volume-opt" => self.driver_options.push(split(&needed(key, value)?)),
            "tmpfs-size" => self.size = Some(needed(key, value)?.parse::<Size>()?.0),
            "tmpfs-mode" => {
                let mode = u32::from_str_radix(&needed(key, value)?, 8);
                self.mode = Some(mode.map_err(|_| "tmpfs-mode is octal, such as 1777")?);
            }
            _ => return Err(format!("`{key}` is not known")),
        }
        Ok(())
    }

    fn kind(self) -> Result<MountKind, String> {
        let kind = self.kind.as_deref().unwrap_or("volume");
        let (foreign, kind) = match kind {
            "bind" => {
                let source = self.source.ok_or("a bind needs source=/DIR")?;
                if !source.starts_with('/') {
                    return Err(format!("`{source}` must be an absolute path"));
                }
                let propagation = self.propagation;
                let bind = MountKind::Bind {
                    source,
                    propagation,
                };
                (self.of_volume.or(self.of_tmpfs), bind)
            }
            "volume" => {
                let volume = MountKind::Volume {
                    source: self.source,
                    no_copy: self.no_copy,
                    labels: self.labels,
                    driver: self.driver,
                    driver_options: self.driver_options,
                };
                (self.of_bind.or(self.of_tmpfs), volume)
            }
            "tmpfs" => {
                if self.source.is_some() {
                    return Err("a tmpfs has no source".into());
                }
                let (size, mode) = (self.size, self.mode);
                (
                    self.of_bind.or(self.of_volume),
                    MountKind::Tmpfs { size, mode },
                )
            }
            other => {
                return Err(format!(
                    "the type `{other}` is not one of bind, volume, tmpfs"
                ));
            }
        };
        match foreign {
            Some(key) => Err(format!("`{key}` does not go with this type")),
            None => Ok(kind),
        }
    }
}

fn split(pair: &str) -> (String, String) {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (key.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_words() {
        let read: Mount = "type=bind,src=/srv/a,dst=/a,ro,bind-propagation=rslave"
            .parse()
            .unwrap();
        assert!(read.read_only);
        let bind = MountKind::Bind {
            source: "/srv/a".into(),
            propagation: Some("rslave".into()),
        };
        assert_eq!((read.kind, read.target.as_str()), (bind, "/a"));
        let read: Mount = "source=cache,target=/c,volume-nocopy,volume-label=a=b"
            .parse()
            .unwrap();
        let volume = MountKind::Volume {
            source: Some("cache".into()),
            no_copy: true,
            labels: vec![("a".into(), "b".into())],
            driver: None,
            driver_options: Vec::new(),
        };
        assert_eq!(read.kind, volume);
        let read: Mount = "type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1777"
            .parse()
            .unwrap();
        let tmpfs = MountKind::Tmpfs {
            size: Some(64 << 20),
            mode: Some(0o1777),
        };
        assert_eq!(read.kind, tmpfs);
        for (text, words) in [
            ("type=bind,dst=/a", "a bind needs source"),
            ("type=bind,src=a,dst=/a", "absolute path"),
            ("type=bind,src=/a", "target=/PLACE is missing"),
            (
                "type=bind,src=/a,dst=/a,volume-nocopy",
                "`volume-nocopy` does not go",
            ),
            ("type=nfs,dst=/a", "`nfs` is not one of"),
            ("type=tmpfs,src=/a,dst=/a", "a tmpfs has no source"),
            ("type=tmpfs,dst=/a,tmpfs-mode=9", "octal"),
            ("src=a,dst=/a,colour=red", "`colour` is not known"),
            ("src=a,dst=/a,ro=maybe", "true or false"),
        ] {
            let error = text.parse::<Mount>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
