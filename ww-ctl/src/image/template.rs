//! The template of an image: what `init` writes.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use whaleware::protocol;

use super::build::SCRATCH;
use super::tree::CarriedFile;

/// A file below `examples/template/`; scripts are executable.
macro_rules! carried {
    ($($path:literal),+ $(,)?) => {
        &[$(CarriedFile {
            path: $path,
            mode: if matches!($path.as_bytes(), [b'w', b'w', b'/', b'u', b's', b'r', b'/', ..]) { 0o755 } else { 0o644 },
            text: include_str!(concat!("../../../examples/template/", $path)),
        }),+]
    };
}

/// Everything there is in it.
const FILES: &[CarriedFile] = carried!(
    ".dockerignore",
    ".gitignore",
    "Dockerfile",
    "README.md",
    "compose.yaml",
    "ww/etc/defaults.json",
    "ww/files/migrations/001-log",
    "ww/usr/backup",
    "ww/usr/boot",
    "ww/usr/firstboot",
    "ww/usr/monitor",
    "ww/usr/restore",
    "ww/usr/svc.d/app",
    "ww/usr/upgrade",
    "ww/usr/warmup",
);

/// What a base without a shell needs for scripts of one.
const SHELL: &str = "\
# Nothing is in it: the scripts of ww/usr want a shell, and busybox is one. Programs that are linked
# statically need nothing else; then this goes, and the scripts with it.
COPY --from=busybox:musl /bin/busybox /bin/busybox
RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]
";
/// The most characters of an image's name.
const MAX_NAME: usize = 128;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    /// Something is there already.
    #[error("cannot write the template to {}: {} there already, and nothing is written over", directory.display(), there(found))]
    There {
        /// Where it was to be written.
        directory: PathBuf,
        /// What is there, below it.
        found: Vec<&'static str>,
    },
    /// A file could not be written. What had been written before it was removed again.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn there(found: &[&str]) -> String {
    match found {
        [one] => format!("{one} is"),
        [one, more @ ..] => format!("{one} and {} more are", more.len()),
        [] => String::new(),
    }
}

impl TemplateError {
    /// Whether something stands where a directory or a file is to be.
    pub(crate) fn is_in_the_way(&self) -> bool {
        match self {
            Self::There { .. } => true,
            Self::Write { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
            ),
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> &'static str {
        if self.is_in_the_way() {
            "name a new directory, or move what is there (an `init` that was killed leaves a part)"
        } else {
            "name a directory you may write to, on a disk with room"
        }
    }
}

/// What is written into the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// The name of the image.
    pub(crate) name: String,
    /// The image it begins with.
    pub(crate) base: String,
}

impl Template {
    /// Writes it into a directory, which is made if it is not there, and returns the files. All of them
    /// are written, or none.
    ///
    /// # Errors
    /// When one of the files is there already, or cannot be written.
    pub(crate) fn write(&self, directory: &Path) -> Result<Vec<PathBuf>, TemplateError> {
        let found: Vec<_> = FILES
            .iter()
            .map(|file| file.path)
            .filter(|path| directory.join(path).symlink_metadata().is_ok())
            .collect();
        if !found.is_empty() {
            let directory = directory.into();
            return Err(TemplateError::There { directory, found });
        }
        let mut made = Made::default();
        let written = FILES.iter().map(|file| {
            let path = directory.join(file.path);
            made.file(&path, file.mode, &self.fill(file.text))
                .map_err(|source| TemplateError::Write {
                    path: path.clone(),
                    source,
                })?;
            Ok(path)
        });
        let written: Result<Vec<_>, _> = written.collect();
        if written.is_err() {
            made.undo();
        }
        written
    }

    fn fill(&self, text: &str) -> String {
        // With the end of its line: where there is none, there is none.
        let shell = if self.base == SCRATCH { SHELL } else { "" };
        text.replace("@SHELL@\n", shell)
            .replace("@NAME@", &self.name)
            .replace("@BASE@", &self.base)
            .replace("@PROTOCOL@", &protocol::VERSION.to_string())
    }
}

/// What was made so far, in order.
#[derive(Default)]
struct Made {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Made {
    fn file(&mut self, path: &Path, mode: u32, text: &str) -> io::Result<()> {
        let missing: Vec<_> = path
            .ancestors()
            .skip(1)
            .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
            .collect();
        for directory in missing.into_iter().rev() {
            DirBuilder::new().mode(0o755).create(directory)?;
            self.directories.push(directory.into());
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        self.files.push(path.into());
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// What somebody else has put there meanwhile stays.
    fn undo(self) {
        for file in &self.files {
            let _gone = fs::remove_file(file);
        }
        for directory in self.directories.iter().rev() {
            let _in_use = fs::remove_dir(directory);
        }
    }
}

/// The name of an image and a container that goes by a directory; none where what is left of it cannot be
/// one.
pub(crate) fn name_after(directory: &str) -> Option<String> {
    let mut name = String::new();
    for c in directory.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.chars().take(MAX_NAME).collect();
    let name = name.trim_end_matches('-');
    // A container's name has two characters; what looks like an id is taken for one.
    let is_id = name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit());
    (name.len() > 1 && name != SCRATCH && !is_id).then(|| name.to_owned())
}

/// Whether the files of the template may be given this as the name of the image: it also names the
/// container, and the service of compose.
pub(crate) fn is_name(name: &str) -> bool {
    name_after(name).is_some_and(|same| same == name)
}

/// Whether it can stand in a file where an image is named.
pub(crate) fn is_image(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    name.len() <= 256
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn template(base: &str) -> Template {
        Template {
            name: "shop".into(),
            base: base.into(),
        }
    }

    fn all(directory: &Path) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut left = vec![directory.to_owned()];
        while let Some(next) = left.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    let below = path.strip_prefix(directory).unwrap();
                    found.insert(below.display().to_string());
                }
            }
        }
        found
    }

    #[test]
    fn every_file_of_the_template_is_carried_and_its_mode() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/template");
        let carried: BTreeSet<_> = FILES.iter().map(|file| file.path.to_owned()).collect();
        assert_eq!(carried, all(&source));
        for file in FILES {
            let mode = fs::metadata(source.join(file.path)).unwrap().permissions();
            let runs = mode.mode() & 0o111 != 0;
            assert_eq!(file.mode == 0o755, runs, "{}", file.path);
        }
    }

    #[test]
    fn it_is_filled_in_and_nothing_is_left_open() {
        let place = tempfile::tempdir().unwrap();
        for (base, has_shell) in [("debian:12", false), ("scratch", true)] {
            let directory = place.path().join(base).join("shop");
            let written = template(base).write(&directory).unwrap();
            assert_eq!(written.len(), FILES.len());
            for path in &written {
                let text = fs::read_to_string(path).unwrap();
                assert!(
                    !text.contains('@') || path.ends_with("ww"),
                    "{path:?}: {text}"
                );
            }
            let recipe = fs::read_to_string(directory.join("Dockerfile")).unwrap();
            assert!(recipe.contains(&format!("\nFROM {base}\n")), "{recipe}");
            assert_eq!(recipe.contains("busybox"), has_shell, "{recipe}");
            let label = format!("LABEL io.whaleware.agent=\"{}\"", protocol::VERSION);
            assert!(recipe.contains(&label), "{recipe}");
        }
    }

    #[test]
    fn nothing_is_written_over_and_all_of_it_is_written_or_none() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("shop");
        fs::create_dir_all(directory.join("ww/usr")).unwrap();
        fs::write(directory.join("notes"), "mine").unwrap();
        fs::write(directory.join("ww/usr/boot"), "mine").unwrap();
        let error = template("x").write(&directory).unwrap_err().to_string();
        assert!(error.contains("ww/usr/boot is there already"), "{error}");
        let mine = BTreeSet::from(["notes".to_owned(), "ww/usr/boot".to_owned()]);
        assert_eq!(all(&directory), mine);
        // Where something in the middle cannot be written, what was before it goes again.
        fs::remove_file(directory.join("ww/usr/boot")).unwrap();
        fs::write(directory.join("ww/files"), "in the way").unwrap();
        let error = template("x").write(&directory).unwrap_err();
        assert!(matches!(error, TemplateError::Write { .. }), "{error}");
        let mine = BTreeSet::from(["notes".to_owned(), "ww/files".to_owned()]);
        assert_eq!(all(&directory), mine);
        assert!(!directory.join("ww/etc").exists() && directory.join("ww/usr").exists());
        // A link that leads nowhere is something.
        fs::remove_file(directory.join("ww/files")).unwrap();
        std::os::unix::fs::symlink("nowhere", directory.join("Dockerfile")).unwrap();
        let error = template("x").write(&directory).unwrap_err();
        assert!(matches!(error, TemplateError::There { .. }), "{error}");
        fs::remove_file(directory.join("Dockerfile")).unwrap();
        template("x").write(&directory).unwrap();
        assert_eq!(fs::read_to_string(directory.join("notes")).unwrap(), "mine");
    }

    #[test]
    fn names_are_those_of_images() {
        for (directory, name) in [
            ("shop", Some("shop")),
            ("My Shop_2", Some("my-shop-2")),
            (".hidden.", Some("hidden")),
            ("ÄÖ", None),
            ("--", None),
            ("a", None),
            ("scratch", None),
            ("", None),
        ] {
            assert_eq!(name_after(directory).as_deref(), name, "{directory}");
        }
        assert!(is_name("my-shop") && !is_name("my--shop") && !is_name("My") && !is_name("a\nb"));
        assert!(is_image("ghcr.io/a/b:1@sha256:00") && is_image("scratch"));
        assert!(!is_image("") && !is_image("a b") && !is_image("-x") && !is_image("a\nRUN x"));
    }
}
