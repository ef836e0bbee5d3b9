//! What a script file is, and in plain words why it cannot be started.
//!
//! The kernel's own answer misleads: a missing interpreter and a Windows line ending both read as
//! "no such file" though the file is there.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::AtFlags;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, faccessat};

use crate::environment::search_path;

/// As much of a file's beginning as the kernel looks at.
const HEAD: usize = 256;
/// Where programs are looked for in an image that is not running: its own PATH is not known.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Links followed before a path is taken for a loop.
const MAX_LINKS: u32 = 40;

/// How a script is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// There is no such file, or it is empty: nothing to do.
    Missing,
    /// The kernel can start it: a program, or a script whose interpreter is there.
    Native,
    /// Text without a first line that names an interpreter: `/bin/sh` runs it.
    Plain,
}

/// Why a script cannot be started, in words for the image's author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScriptFault {
    /// It is a link to nowhere.
    #[error("it is a link to {}, which does not exist", .target.display())]
    DanglingLink {
        /// What the link says.
        target: PathBuf,
    },
    /// It is a directory.
    #[error("it is a directory, not a file")]
    Directory,
    /// It is a device, socket or pipe.
    #[error("it is not a regular file")]
    NotAFile,
    /// Nobody may run it.
    #[error("it has no run bit (mode {mode:04o}); `chmod +x` it in the image")]
    NoRunBit {
        /// Its permission bits.
        mode: u32,
    },
    /// The file system it lies on is mounted `noexec`.
    #[error("it lies on a file system that is mounted noexec")]
    NoExecMount,
    /// Somebody may run it, but not this user.
    #[error("uid {uid} may not run it (mode {mode:04o}, owner {owner})")]
    Denied {
        /// Who tried.
        uid: u32,
        /// Its permission bits.
        mode: u32,
        /// Whose it is.
        owner: u32,
    },
    /// It starts with a byte order mark, so that the kernel does not see the `#!`.
    #[error(
        "it starts with a byte order mark, which hides its first line; save it as UTF-8 without one"
    )]
    ByteOrderMark,
    /// Its first line ends in a carriage return, which becomes part of the interpreter's name.
    #[error(
        "its first line ends in a carriage return (CRLF), which becomes part of what \
         `{interpreter}` names; save it with Unix line endings"
    )]
    CarriageReturn {
        /// The interpreter that was meant.
        interpreter: String,
    },
    /// Its first line is `#!` and nothing else.
    #[error("its first line is `#!` without an interpreter")]
    NoInterpreter,
    /// The interpreter does not exist.
    #[error("its interpreter {interpreter} does not exist")]
    MissingInterpreter {
        /// The interpreter's path.
        interpreter: String,
    },
    /// `env` is there, the program it is to find is not.
    #[error(
        "its interpreter `{name}`, which {env} is to find, is in no directory of PATH ({path})"
    )]
    NotOnPath {
        /// The program that is looked for.
        name: String,
        /// The interpreter of the first line.
        env: String,
        /// Where it was looked for.
        path: String,
    },
    /// The interpreter is there but cannot be run.
    #[error("its interpreter {interpreter} cannot be run: {reason}")]
    BadInterpreter {
        /// The interpreter's path.
        interpreter: String,
        /// Why not.
        reason: &'static str,
    },
    /// A program that needs a loader that does not exist.
    #[error("it is a program that needs {loader}, which does not exist; link it statically")]
    MissingLoader {
        /// The loader's path.
        loader: String,
    },
    /// There is no such command.
    #[error("`{name}` is in no directory of PATH ({path})")]
    NoCommand {
        /// Its name.
        name: String,
        /// Where it was looked for.
        path: String,
    },
    /// There is no such file.
    #[error("{} does not exist", .path.display())]
    NoFile {
        /// Its path.
        path: PathBuf,
    },
    /// Neither text nor a program for this machine.
    #[error("it is neither a script nor a program for this machine")]
    NotAProgram,
    /// Another reason, as the system tells it.
    #[error("{0}")]
    Other(String),
}

impl ScriptFault {
    /// The exit code a shell would report: 127 when something is not found, else 126.
    pub(crate) const fn code(&self) -> i32 {
        match self {
            Self::DanglingLink { .. }
            | Self::CarriageReturn { .. }
            | Self::MissingInterpreter { .. }
            | Self::NotOnPath { .. }
            | Self::NoCommand { .. }
            | Self::NoFile { .. }
            | Self::MissingLoader { .. } => 127,
            Self::Directory
            | Self::NotAFile
            | Self::NoRunBit { .. }
            | Self::NoExecMount
            | Self::Denied { .. }
            | Self::ByteOrderMark
            | Self::NoInterpreter
            | Self::BadInterpreter { .. }
            | Self::NotAProgram
            | Self::Other(_) => 126,
        }
    }
}

impl From<io::Error> for ScriptFault {
    fn from(error: io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// Says why a command, by its name or its path, cannot be started from a directory.
///
/// # Errors
/// That.
pub(crate) fn diagnose_command(command: &OsStr, directory: &Path) -> Result<(), ScriptFault> {
    let root = Path::new("/");
    if command.as_bytes().contains(&b'/') {
        let path = directory.join(command);
        return match diagnose(&path, root)? {
            Form::Missing if !path.exists() => Err(ScriptFault::NoFile { path }),
            Form::Missing | Form::Native | Form::Plain => Ok(()),
        };
    }
    let path = search_path();
    let name = command.to_string_lossy().into_owned();
    if is_found(root, &name, &path) {
        Ok(())
    } else {
        Err(ScriptFault::NoCommand { name, path })
    }
}

/// Says how the script at `path` is started, interpreters being looked for below `root` (`/` in a
/// running container, the directory of an unpacked image elsewhere).
///
/// # Errors
/// Why it cannot be started at all.
pub(crate) fn diagnose(path: &Path, root: &Path) -> Result<Form, ScriptFault> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return fs::read_link(path).map_or(Ok(Form::Missing), |target| {
                Err(ScriptFault::DanglingLink { target })
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Form::Missing),
        Err(error) => return Err(error.into()),
    };
    if metadata.is_dir() {
        return Err(ScriptFault::Directory);
    }
    if !metadata.is_file() {
        return Err(ScriptFault::NotAFile);
    }
    if metadata.len() == 0 {
        return Ok(Form::Missing);
    }
    may_run(path, &metadata)?;
    let mut head = [0; HEAD];
    // What may be run but not read is the kernel's to judge.
    let Ok(file) = File::open(path) else {
        return Ok(Form::Native);
    };
    let length = file.read_at(&mut head, 0)?;
    judge(&file, &head[..length], root)
}

fn may_run(path: &Path, metadata: &fs::Metadata) -> Result<(), ScriptFault> {
    let mode = metadata.mode() & 0o7777;
    if mode & 0o111 == 0 {
        return Err(ScriptFault::NoRunBit { mode });
    }
    let allowed = faccessat(
        nix::fcntl::AT_FDCWD,
        path,
        AccessFlags::X_OK,
        AtFlags::AT_EACCESS,
    );
    if allowed.is_ok() {
        return Ok(());
    }
    if statvfs(path).is_ok_and(|system| system.flags().contains(FsFlags::ST_NOEXEC)) {
        return Err(ScriptFault::NoExecMount);
    }
    Err(ScriptFault::Denied {
        uid: nix::unistd::geteuid().as_raw(),
        mode,
        owner: metadata.uid(),
    })
}

fn judge(file: &File, head: &[u8], root: &Path) -> Result<Form, ScriptFault> {
    if head.starts_with(b"\x7fELF") {
        return program(file, head, root);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let Some(line) = text.strip_prefix(b"#!") else {
        // Shells look for a NUL in the first line to tell a program of another kind from text.
        let first = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
        return if first.contains(&0) {
            Err(ScriptFault::NotAProgram)
        } else {
            Ok(Form::Plain)
        };
    };
    if text.len() < head.len() {
        return Err(ScriptFault::ByteOrderMark);
    }
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or(line);
    let (line, carriage_return) = line
        .strip_suffix(b"\r")
        .map_or((line, false), |line| (line, true));
    let line = line.trim_ascii();
    let length = line
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | 0))
        .unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(length);
    let interpreter = String::from_utf8_lossy(interpreter).into_owned();
    if interpreter.is_empty() {
        return Err(ScriptFault::NoInterpreter);
    }
    if carriage_return {
        return Err(ScriptFault::CarriageReturn { interpreter });
    }
    let Some(metadata) = look_up(root, Path::new(&interpreter)) else {
        return Err(ScriptFault::MissingInterpreter { interpreter });
    };
    let reason = if metadata.is_dir() {
        "it is a directory"
    } else if metadata.mode() & 0o111 == 0 {
        "it has no run bit"
    } else if let Some(name) = wanted_of_env(&interpreter, argument) {
        let path = if root == Path::new("/") {
            search_path()
        } else {
            USUAL_PATH.to_owned()
        };
        return if is_found(root, &name, &path) {
            Ok(Form::Native)
        } else {
            Err(ScriptFault::NotOnPath {
                name,
                env: interpreter,
                path,
            })
        };
    } else {
        return Ok(Form::Native);
    };
    Err(ScriptFault::BadInterpreter {
        interpreter,
        reason,
    })
}

/// The program that `env` is asked to find by its name, as far as that can be told for sure.
fn wanted_of_env(interpreter: &str, argument: &[u8]) -> Option<String> {
    if Path::new(interpreter).file_name()? != "env" {
        return None;
    }
    // The kernel hands on the rest of the line as one word; `-S` takes it apart.
    let argument = std::str::from_utf8(argument).ok()?.trim();
    let name = match argument.strip_prefix("-S") {
        Some(rest) => rest
            .split_ascii_whitespace()
            .find(|word| !word.contains('='))?,
        None => argument,
    };
    let is_plain = !name.is_empty() && !name.starts_with('-') && !name.contains(['/', '=', '"']);
    is_plain.then(|| name.to_owned())
}

fn is_found(root: &Path, name: &str, path: &str) -> bool {
    path.split(':').any(|directory| {
        look_up(root, &Path::new("/").join(directory).join(name))
            .is_some_and(|found| found.is_file() && found.mode() & 0o111 != 0)
    })
}

/// A program in the kernel's own format: is it for this machine, and is its loader there?
fn program(file: &File, head: &[u8], root: &Path) -> Result<Form, ScriptFault> {
    const PT_INTERP: u32 = 3;
    let word = |bytes: &[u8], at: usize| {
        let word = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(word))
    };
    let half = |bytes: &[u8], at: usize| {
        let half = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(u16::from_le_bytes(half))
    };
    // Only what can be told for sure is told: 64 bits, little endian.
    if head.get(4..6) != Some(&[2, 1]) {
        return Ok(Form::Native);
    }
    let machine = if cfg!(target_arch = "x86_64") {
        62
    } else if cfg!(target_arch = "aarch64") {
        183
    } else {
        return Ok(Form::Native);
    };
    if half(head, 18).is_some_and(|found| found != machine) {
        return Err(ScriptFault::NotAProgram);
    }
    let (Some(table), Some(size), Some(count)) = (word(head, 32), half(head, 54), half(head, 56))
    else {
        return Err(ScriptFault::NotAProgram);
    };
    for index in 0..u64::from(count.min(64)) {
        let mut entry = [0; 56];
        let at = table.saturating_add(index * u64::from(size));
        if file.read_at(&mut entry, at)? < entry.len() {
            break;
        }
        if entry[..4] != PT_INTERP.to_le_bytes() {
            continue;
        }
        let mut name = [0; HEAD];
        let length = file.read_at(&mut name, word(&entry, 8).unwrap_or(0))?;
        let name = name[..length]
            .split(|&byte| byte == 0)
            .next()
            .unwrap_or_default();
        let loader = String::from_utf8_lossy(name).into_owned();
        if look_up(root, Path::new(&loader)).is_none() {
            return Err(ScriptFault::MissingLoader { loader });
        }
    }
    Ok(Form::Native)
}

/// The metadata of `path` as one who has `root` for his root directory would see it: links lead
/// to places below it.
fn look_up(root: &Path, path: &Path) -> Option<fs::Metadata> {
    if root == Path::new("/") {
        return fs::metadata(root.join(path)).ok();
    }
    let mut links = 0;
    let mut ahead: Vec<PathBuf> = vec![path.to_path_buf()];
    let mut at = root.to_path_buf();
    while let Some(next) = ahead.pop() {
        let mut components = next.components();
        let Some(first) = components.next() else {
            continue;
        };
        let rest = components.as_path().to_path_buf();
        if !rest.as_os_str().is_empty() {
            ahead.push(rest);
        }
        match first {
            Component::RootDir | Component::Prefix(_) => at = root.to_path_buf(),
            Component::CurDir => {}
            Component::ParentDir => {
                if at != root {
                    at.pop();
                }
            }
            Component::Normal(name) => {
                let step = at.join(name);
                match fs::read_link(&step) {
                    Ok(target) => {
                        links += 1;
                        if links > MAX_LINKS {
                            return None;
                        }
                        ahead.push(target);
                    }
                    Err(_) => at = step,
                }
            }
        }
    }
    fs::symlink_metadata(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn script(content: &[u8], mode: u32) -> Result<Form, ScriptFault> {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("boot");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        diagnose(&path, Path::new("/"))
    }

    fn fault(content: &[u8]) -> (i32, String) {
        let fault = script(content, 0o755).unwrap_err();
        (fault.code(), fault.to_string())
    }

    #[test]
    fn what_can_be_started_is_told_from_what_is_not_there() {
        assert_eq!(script(b"", 0o644), Ok(Form::Missing));
        assert_eq!(script(b"#!/bin/sh\n", 0o755), Ok(Form::Native));
        assert_eq!(script(b"#! /bin/sh -e\necho", 0o755), Ok(Form::Native));
        assert_eq!(script(b"echo hello\n", 0o755), Ok(Form::Plain));
        assert_eq!(
            diagnose(Path::new("/nowhere/boot"), Path::new("/")),
            Ok(Form::Missing)
        );
        assert_eq!(
            diagnose(&std::env::current_exe().unwrap(), Path::new("/")),
            Ok(Form::Native)
        );
    }

    #[test]
    fn the_real_cause_is_told() {
        let (code, text) = fault(b"#!/bin/sh\r\necho\r\n");
        assert_eq!(code, 127);
        assert!(text.contains("carriage return"), "{text}");
        let (code, text) = fault(b"#!/usr/bin/nosuch -x\n");
        assert_eq!(
            (code, text.as_str()),
            (127, "its interpreter /usr/bin/nosuch does not exist")
        );
        let (code, text) = fault(b"#!/usr/bin/env nosuch-python\n");
        assert_eq!(code, 127);
        assert!(
            text.starts_with("its interpreter `nosuch-python`, which /usr/bin/env is to find"),
            "{text}"
        );
        assert_eq!(fault(b"\xef\xbb\xbf#!/bin/sh\n").0, 126);
        assert_eq!(fault(b"#!\n").0, 126);
        assert!(fault(b"#!/tmp\n").1.contains("is a directory"));
        assert_eq!(fault(b"\x00\x01\x02").0, 126);
        assert_eq!(
            script(b"#!/bin/sh\n", 0o644),
            Err(ScriptFault::NoRunBit { mode: 0o644 })
        );
        assert_eq!(
            diagnose(Path::new("/tmp"), Path::new("/")),
            Err(ScriptFault::Directory)
        );
    }

    #[test]
    fn what_env_is_to_find_is_looked_for_only_where_that_is_sure() {
        for found in ["env sh", "env  sh ", "env -S sh -e", "env -S A=b sh"] {
            let text = format!("#!/usr/bin/{found}\n");
            assert_eq!(script(text.as_bytes(), 0o755), Ok(Form::Native), "{found}");
        }
        for unsure in ["env -i nosuch", "env", "env A=b", "env ./nosuch"] {
            let text = format!("#!/usr/bin/{unsure}\n");
            assert_eq!(script(text.as_bytes(), 0o755), Ok(Form::Native), "{unsure}");
        }
        // `env` takes all of this for one name.
        for missing in ["env sh -e", "env -S nosuch sh"] {
            let text = format!("#!/usr/bin/{missing}\n");
            assert!(
                matches!(
                    script(text.as_bytes(), 0o755),
                    Err(ScriptFault::NotOnPath { .. })
                ),
                "{missing}"
            );
        }
    }

    #[test]
    fn a_program_for_another_machine_or_without_its_loader_is_told() {
        let exe = fs::read(std::env::current_exe().unwrap()).unwrap();
        let mut other = exe.clone();
        other[18] = 8;
        assert_eq!(script(&other, 0o755), Err(ScriptFault::NotAProgram));
        let empty = tempfile::tempdir().unwrap();
        let found = diagnose(&std::env::current_exe().unwrap(), empty.path());
        assert!(
            matches!(found, Err(ScriptFault::MissingLoader { .. })),
            "{found:?}"
        );
    }

    #[test]
    fn links_of_an_unpacked_image_stay_in_it() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("usr/bin");
        fs::create_dir_all(&bin).unwrap();
        symlink("/usr/bin", root.path().join("bin")).unwrap();
        symlink("../../usr/bin/busybox", bin.join("sh")).unwrap();
        symlink("/usr/bin/loop", bin.join("loop")).unwrap();
        fs::write(bin.join("busybox"), "x").unwrap();
        fs::set_permissions(bin.join("busybox"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = root.path().join("boot");
        let judged = |line: &str| {
            fs::write(&path, line).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            diagnose(&path, root.path())
        };
        assert_eq!(judged("#!/bin/sh\n"), Ok(Form::Native));
        for missing in ["#!/bin/bash\n", "#!/bin/loop\n", "#!/../../bin/cat\n"] {
            assert!(
                matches!(judged(missing), Err(ScriptFault::MissingInterpreter { .. })),
                "{missing}"
            );
        }
        symlink("/nowhere", root.path().join("dangling")).unwrap();
        assert!(matches!(
            diagnose(&root.path().join("dangling"), root.path()),
            Err(ScriptFault::DanglingLink { .. })
        ));
    }
}
