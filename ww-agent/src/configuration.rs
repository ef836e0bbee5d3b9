//! Loads the configuration: the layers, what they come to, and the agent's own settings in it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::O_NONBLOCK;
use serde_json::{Map, Value};
use whaleware::config::{
    ConfigError, Layer, MAX_TEXT, Settings, SettingsError, merge, origins, parse,
};
use whaleware::{env, paths};

use crate::durable;
use crate::environment::Environment;

/// The configuration as it is in this boot.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// The layers, the lowest first; which one said what is told by [`whaleware::config::origins`].
    pub(crate) layers: Vec<Layer>,
    /// What they come to.
    pub(crate) merged: Map<String, Value>,
}

/// Why there is no configuration. No text of these ever holds a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// A file is there, or must be, and cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// A layer is not what it must be.
    #[error(transparent)]
    Layer(#[from] ConfigError),
    /// A setting of the agent's own is wrong.
    #[error("cannot use the configuration{}: {error}", .layer.as_ref().map(|name| format!(" of {name}")).unwrap_or_default())]
    Settings {
        /// The layer that has it, where one can be named.
        layer: Option<String>,
        /// What is wrong.
        error: SettingsError,
    },
}

impl Configuration {
    /// Reads and merges `defaults.json` (which may be missing), `CFG_FILE` and `CFG`.
    ///
    /// # Errors
    /// The first layer that cannot be used.
    pub(crate) fn load(environment: &Environment) -> Result<Self, LoadError> {
        let mut layers = Vec::new();
        let defaults = environment.path(paths::DEFAULTS);
        match read(&defaults) {
            Ok(text) => layers.push(parse(&defaults.to_string_lossy(), &text)?),
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => {}
            Err(reason) => {
                return Err(LoadError::Unreadable {
                    path: defaults,
                    reason,
                });
            }
        }
        if let Some(path) = &environment.cfg_file {
            let text = read(path).map_err(|reason| LoadError::Unreadable {
                path: path.clone(),
                reason,
            })?;
            layers.push(parse(&path.to_string_lossy(), &text)?);
        }
        if let Some(text) = &environment.cfg {
            layers.push(parse(env::CFG, text.as_bytes())?);
        }
        let merged = merge(&layers);
        Ok(Self { layers, merged })
    }

    /// Nothing configured.
    pub(crate) fn empty() -> Self {
        Self {
            layers: Vec::new(),
            merged: Map::new(),
        }
    }

    /// The agent's own settings.
    ///
    /// # Errors
    /// The first setting that is unknown or wrong, with the layer it stands in.
    pub(crate) fn settings(&self) -> Result<Settings, LoadError> {
        Settings::read(&self.merged).map_err(|error| {
            let key = match &error {
                SettingsError::Unknown { key, .. } | SettingsError::Type { key, .. } => key,
            };
            let path = format!(".{}", key.split('[').next().unwrap_or(key));
            let layer = origins(&self.layers)
                .into_iter()
                .find(|origin| origin.path == path || origin.path.starts_with(&format!("{path}.")))
                .map(|origin| origin.layer);
            LoadError::Settings { layer, error }
        })
    }

    /// Writes `source_cfg.json` and `cfg.json` for scripts and people to read, and says where they
    /// went when that is not where they belong.
    ///
    /// # Errors
    /// When they can be written nowhere.
    pub(crate) fn publish(&self, environment: &Environment) -> io::Result<Option<PathBuf>> {
        let source = environment
            .cfg
            .as_ref()
            .map_or(b"{}".as_slice(), |text| text.as_bytes());
        let merged = serde_json::to_vec_pretty(&self.merged)?;
        let put = |directory: &Path| {
            for (path, content) in [
                (paths::SOURCE_CFG, source),
                (paths::MERGED_CFG, merged.as_slice()),
            ] {
                let name = Path::new(path).file_name().unwrap_or_default();
                let mut content = content.to_vec();
                content.push(b'\n');
                durable::replace(&directory.join(name), &content)?;
            }
            Ok(())
        };
        let home = environment.path(paths::MERGED_CFG);
        let home = home.parent().unwrap_or(Path::new("/"));
        let fallback = environment.etc_fallback();
        let made = fs::create_dir_all(home).and_then(|()| put(home));
        let Err(first) = made else {
            // What an earlier boot left there must not be taken for this one's.
            let _ = fs::remove_dir_all(&fallback);
            return Ok(None);
        };
        fs::create_dir_all(&fallback)
            .and_then(|()| put(&fallback))
            .map_err(|_: io::Error| first)?;
        Ok(Some(fallback))
    }
}

/// Reads a file, one byte beyond the most a layer may have at most.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let most = u64::try_from(MAX_TEXT).unwrap_or(u64::MAX) + 1;
    // A pipe would be waited for, and nobody would hear a SIGTERM meanwhile.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    file.take(most).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::LogFormat;
    use serde_json::json;

    fn environment(root: &Path, cfg: Option<&str>) -> Environment {
        Environment {
            root: root.to_path_buf(),
            cfg: cfg.map(Into::into),
            cfg_file: None,
            socket: None,
            log_format: LogFormat::Text,
            #[cfg(debug_assertions)]
            test_fault: None,
            version: None,
            has_bad_version: false,
        }
    }

    #[test]
    fn layers_are_laid_over_each_other_and_written_down() {
        let tree = tempfile::tempdir().unwrap();
        let etc = tree.path().join("ww/etc");
        fs::create_dir_all(&etc).unwrap();
        fs::write(etc.join("defaults.json"), "{\"memory\": 100, \"a\": 1,}").unwrap();
        let secret = tree.path().join("secret");
        fs::write(&secret, "{\"a\": 2, \"b\": 2}").unwrap();
        let mut environment = environment(tree.path(), Some("{\"memory\":400, \"b\": null}"));
        environment.cfg_file = Some(secret);
        let loaded = Configuration::load(&environment).unwrap();
        assert_eq!(
            Value::Object(loaded.merged.clone()),
            json!({"memory": 400, "a": 2})
        );
        assert_eq!(loaded.publish(&environment).unwrap(), None);
        let written: Value =
            serde_json::from_slice(&fs::read(etc.join("cfg.json")).unwrap()).unwrap();
        assert_eq!(written, json!({"memory": 400, "a": 2}));
        let source = fs::read_to_string(etc.join("source_cfg.json")).unwrap();
        assert_eq!(source.trim(), "{\"memory\":400, \"b\": null}");
    }

    #[test]
    fn a_wrong_setting_is_told_with_its_layer() {
        let tree = tempfile::tempdir().unwrap();
        let environment = environment(tree.path(), Some("{\"ww\":{\"drain\":5}}"));
        let error = Configuration::load(&environment)
            .unwrap()
            .settings()
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("of CFG") && text.contains("ww.drain"),
            "{text}"
        );
    }

    #[test]
    fn a_file_that_must_be_there_is_missed() {
        let tree = tempfile::tempdir().unwrap();
        let mut environment = environment(tree.path(), None);
        assert!(Configuration::load(&environment).is_ok());
        environment.cfg_file = Some("/nowhere/secret".into());
        let error = Configuration::load(&environment).unwrap_err();
        assert!(error.to_string().contains("/nowhere/secret"), "{error}");
    }
}
