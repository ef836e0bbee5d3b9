//! `ww-agent backup`: a directory as an archive on stdout, for `ww-ctl` and for people.
//!
//! It is read from within, as the container sees it: with its owners, and whatever is mounted where. What is told
//! meanwhile goes to stderr, a JSON object a line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::SIGKILL;
use nix::sys::stat::{SFlag, fstat};
use whaleware::lifecycle::Moment;
use whaleware::paths;
use whaleware::protocol::PackLine;
use ww_archive::measure::measure;
use ww_archive::pack::{PackError, PackOptions, pack};
use ww_archive::pattern::Patterns;
use ww_archive::{Entry, Problem, Watch};

use super::usage::{Argument, Usage, read};
use super::{FAILED, help, legible, terminal};
use crate::environment::Environment;
use crate::{clock, sys};

/// How far it is, is told so often at most.
const EVERY: Duration = Duration::from_millis(500);
/// So many problems are told one by one. The totals count all of them.
const LISTED: u32 = 10_000;
/// The most bytes told of a path or a reason: a line has to fit into what readers take.
const TEXT: usize = 4096;
/// What the pipe to the reader holds where that is allowed: fewer turns for the same.
const PIPE: i32 = 1 << 20;
const KNOWN: [&str; 4] = ["--exclude", "--low", "--measure", "--help"];

#[derive(Default)]
struct Wanted {
    measure: bool,
    low: bool,
    exclude: Vec<OsString>,
    directory: Option<PathBuf>,
}

pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    let wanted = match wanted(usage, arguments) {
        Ok(wanted) => wanted,
        Err(code) => return code,
    };
    let patterns = wanted.exclude.iter().map(|pattern| pattern.as_bytes());
    let options = match Patterns::new(patterns) {
        Ok(exclude) => PackOptions { exclude },
        Err(error) => return usage.wrong(&legible::line(&error.to_string())),
    };
    let directory = wanted.directory.clone();
    let directory = directory.unwrap_or_else(|| Environment::read().path(paths::DATA));
    // The directory itself may be behind a link: nothing in here can lead out of the container.
    let root = match File::open(&directory) {
        Ok(root) => root,
        Err(error) => {
            let shown = legible::line(&directory.to_string_lossy());
            return failed(&format!("cannot open {shown}: {error}"));
        }
    };
    if wanted.low {
        sys::step_back();
    }
    leave_with_the_reader();
    if wanted.measure {
        return measured(&root, &options);
    }
    match archive(&root, &options) {
        Ok(line) => {
            tell(&line);
            0
        }
        Err(error) => failed(&error.to_string()),
    }
}

fn wanted(usage: Usage, arguments: &[OsString]) -> Result<Wanted, u8> {
    let mut wanted = Wanted::default();
    let mut words = read(arguments);
    while let Some(argument) = words.next() {
        match argument {
            Argument::Flag("-h" | "--help", None) => return Err(terminal::print(help::BACKUP)),
            Argument::Flag("--measure", None) => wanted.measure = true,
            Argument::Flag("--low", None) => wanted.low = true,
            Argument::Flag("--exclude", Some(pattern)) => wanted.exclude.push(pattern.into()),
            Argument::Flag("--exclude", None) => match words.next() {
                Some(Argument::Word(pattern)) => wanted.exclude.push(pattern.to_owned()),
                Some(Argument::Flag(..)) | None => {
                    let what = "`--exclude` takes a pattern; one that begins with `-`, after `=`";
                    return Err(usage.wrong(what));
                }
            },
            Argument::Flag(flag, _) => return Err(usage.unknown_flag(flag, &KNOWN)),
            Argument::Word(word) if wanted.directory.is_some() => {
                return Err(usage.too_many(word));
            }
            Argument::Word(word) => wanted.directory = Some(PathBuf::from(word)),
        }
    }
    Ok(wanted)
}

fn measured(root: &File, options: &PackOptions) -> u8 {
    match measure(root.as_fd(), options) {
        Ok(found) => terminal::print(&line(&PackLine::Measured {
            entries: found.entries,
            bytes: found.bytes,
        })),
        Err(error) => failed(&error.to_string()),
    }
}

fn archive(root: &File, options: &PackOptions) -> Result<PackLine, PackError> {
    let stdout = sys::standard(1).and_then(|stdout| stdout.try_clone_to_owned());
    let mut out = File::from(stdout.map_err(PackError::Output)?);
    let _larger = fcntl(&out, FcntlArg::F_SETPIPE_SZ(PIPE));
    let mut teller = Teller {
        entries: 0,
        bytes: 0,
        due: clock::now(),
        problems: BTreeMap::new(),
        listed: 0,
    };
    let packed = pack(root.as_fd(), options, &mut out, &mut teller)?;
    Ok(PackLine::Packed {
        entries: packed.entries,
        bytes: packed.bytes,
        written: packed.written,
        problems: teller.problems,
    })
}

/// Tells how it goes, on stderr.
struct Teller {
    entries: u64,
    bytes: u64,
    due: Moment,
    problems: BTreeMap<String, u64>,
    listed: u32,
}

impl Teller {
    fn progress(&mut self) {
        let now = clock::now();
        if now >= self.due {
            self.due = now + EVERY;
            tell(&PackLine::Progress {
                entries: self.entries,
                bytes: self.bytes,
            });
        }
    }
}

impl Watch for Teller {
    fn entry(&mut self, _entry: &Entry) {
        self.entries += 1;
        self.progress();
    }

    fn bytes(&mut self, count: u64) {
        self.bytes += count;
        self.progress();
    }

    fn problem(&mut self, problem: Problem) {
        let kind = problem.kind.name();
        *self.problems.entry(kind.to_owned()).or_default() += 1;
        if self.listed < LISTED {
            self.listed += 1;
            tell(&PackLine::Problem {
                kind: kind.to_owned(),
                path: shown(&problem.path),
                text: shown(problem.text.as_bytes()),
            });
        }
    }

    fn is_over(&self) -> bool {
        false
    }
}

/// As text that fits into a line, the end of it left out if need be.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT)]).into_owned()
}

fn failed(why: &str) -> u8 {
    tell(&PackLine::Failed {
        message: shown(why.as_bytes()),
    });
    FAILED
}

fn tell(told: &PackLine) {
    terminal::complain(&line(told));
}

fn line(told: &PackLine) -> String {
    let mut line = serde_json::to_string(told).unwrap_or_default();
    line.push('\n');
    line
}

/// Ends this process when its stdin, a pipe or a socket, does.
///
/// Docker ends the stdin of an exec whose client is gone but never the exec itself; it would wait for ever for
/// somebody to take the rest. There is nothing to be put in order, and a thread that waits to write could not do it.
fn leave_with_the_reader() {
    let is_held_open = fstat(io::stdin()).is_ok_and(|found| {
        let kind = found.st_mode & SFlag::S_IFMT.bits();
        kind == SFlag::S_IFIFO.bits() || kind == SFlag::S_IFSOCK.bits()
    });
    if !is_held_open {
        return;
    }
    // Without it everything is done all the same.
    let _waits = std::thread::Builder::new().stack_size(64 * 1024).spawn(|| {
        let mut buffer = [0; 512];
        while nix::unistd::read(io::stdin(), &mut buffer).is_ok_and(|count| count > 0) {}
        let own = nix::unistd::getpid();
        sys::send(own.as_raw(), SIGKILL);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn a_pattern_may_stand_apart_or_after_an_equals_sign() {
        let words = ["--exclude", "a", "--exclude=-b", "--low", "/x"].map(OsString::from);
        let wanted = wanted(Usage::new("x"), &words).ok().unwrap();
        assert_eq!(wanted.exclude, [OsStr::new("a"), OsStr::new("-b")]);
        assert!(wanted.low && !wanted.measure);
        assert_eq!(wanted.directory, Some(PathBuf::from("/x")));
    }

    #[test]
    fn what_is_told_fits_into_a_line() {
        let line = line(&PackLine::Problem {
            kind: "shrank".into(),
            path: shown(&vec![0x01; 1 << 20]),
            text: shown(&vec![0xff; 1 << 20]),
        });
        assert!(line.len() < whaleware::protocol::MAX_LINE);
        assert_eq!(line.matches('\n').count(), 1);
    }
}
