//! Image trees, written down in a test.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A directory whose content becomes `/ww`, or any other part of an image.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    /// A file with this mode and content.
    pub(crate) fn file(&self, path: &str, mode: u32, content: &str) -> &Self {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("its mode");
        self
    }

    pub(crate) fn link(&self, path: &str, to: &str) -> &Self {
        let path = self.root.join(path);
        if path.symlink_metadata().is_err() {
            symlink(to, path).expect("a link");
        }
        self
    }

    pub(crate) fn defaults(&self, json: &str) -> &Self {
        self.file("etc/defaults.json", 0o644, json)
    }

    /// A script that says when it begins and when it ends.
    pub(crate) fn script(&self, hook: &str, body: &str) -> &Self {
        let text = format!(
            "#!/bin/sh\necho '+{hook}' >> /data/log\n{body}\necho '-{hook}' >> /data/log\n"
        );
        self.file(&format!("usr/{hook}"), 0o755, &text)
    }

    /// Every script of the way up and down, each saying when it begins and ends.
    pub(crate) fn all_scripts(&self) -> &Self {
        for hook in ["boot", "firstboot", "upgrade", "svcup", "warmup", "svcdown"] {
            self.script(hook, "");
        }
        self
    }
}
