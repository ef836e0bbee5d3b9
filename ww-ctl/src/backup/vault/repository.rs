//! A deduplicating repository that keeps the content of backups, by the program `restic`.
//!
//! It is given the same archive that would lie in the vault otherwise, uncompressed, as it compresses and encrypts by
//! itself; the list of files and the manifest stay in the vault. So whatever reads a backup reads one of these, too, and
//! proves it by the same digest. What a manifest says of where it is is not believed: whoever can write to a vault could have
//! this machine connect anywhere. Who reads says it, by `RESTIC_REPOSITORY`. Passwords are `restic`'s own affair.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use whaleware::env::RESTIC_REPOSITORY;

use super::hex;
use super::manifest::Repository;
use super::set::Set;
use crate::backup::source::Gauge;
use crate::environment::variable;
use crate::fleet::clean;

/// The program.
const PROGRAM: &str = "restic";
/// The most bytes of what it says that are kept.
const SAID: u64 = 64 * 1024;
/// The most characters of a line of it.
const TEXT: usize = 500;
/// How often is looked whether it has ended, once it has everything.
const LOOK: Duration = Duration::from_millis(10);
/// How often is looked whether it is to be stopped while it takes nothing, in milliseconds.
const TICK: u16 = 100;
/// How often, and after how long, is looked whether it has ended on request.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restic {
    location: String,
}

/// What it says when it has kept something.
#[derive(Deserialize)]
struct Summary {
    message_type: String,
    #[serde(default)]
    snapshot_id: String,
}

/// A snapshot as it lists it.
#[derive(Deserialize)]
struct Snapshot {
    id: String,
}

impl Restic {
    /// The one at this place, as `restic -r` has it.
    pub(crate) fn at(location: &str) -> Self {
        Self {
            location: location.to_owned(),
        }
    }

    /// The one that keeps the content of a backup; none where the vault has it itself.
    ///
    /// # Errors
    /// When it is not the one that is meant at present, in words.
    pub(crate) fn of(set: &Set) -> Result<Option<Self>, String> {
        let Some(repository) = &set.manifest.repository else {
            return Ok(None);
        };
        let place = clean(&repository.location, TEXT);
        if repository.program != PROGRAM {
            let program = clean(&repository.program, TEXT);
            return Err(format!(
                "its content is kept by {program}, which is not known here"
            ));
        }
        let given = variable(RESTIC_REPOSITORY).map(|location| Self::at(&location));
        match given {
            Some(own) if own.shown() == repository.location => Ok(Some(own)),
            Some(own) => Err(format!(
                "restic keeps its content in {place}, and {RESTIC_REPOSITORY} is {}",
                clean(&own.shown(), TEXT)
            )),
            None => Err(format!(
                "restic keeps its content: set {RESTIC_REPOSITORY} to {place} if that is right"
            )),
        }
    }

    /// As it is written down, without a password.
    pub(crate) fn shown(&self) -> String {
        match self.location.split_once("://") {
            Some((scheme, rest)) => {
                let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let host = match host.rsplit_once('@') {
                    Some((user, host)) => {
                        let user = user.split(':').next().unwrap_or_default();
                        format!("{user}@{host}")
                    }
                    None => host.to_owned(),
                };
                format!("{scheme}://{host}{path}")
            }
            None => self.location.clone(),
        }
    }

    /// For a manifest.
    pub(crate) fn told(&self, snapshot: &str) -> Repository {
        Repository {
            program: PROGRAM.to_owned(),
            location: self.shown(),
            snapshot: snapshot.to_owned(),
        }
    }

    /// What runs it. Nothing secret is on its command line; it asks no terminal for a password.
    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .env(RESTIC_REPOSITORY, &self.location)
            .env_remove("RESTIC_REPOSITORY_FILE")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> io::Result<Vec<u8>> {
        let ended = self.command().args(arguments).output().map_err(unstarted)?;
        if ended.status.success() {
            return Ok(ended.stdout);
        }
        let said = said(&ended.stderr);
        Err(io::Error::other(format!("restic {}: {said}", arguments[0])))
    }

    /// Whether it is there and can be opened.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.run(&["--quiet", "cat", "config"]).map(drop)
    }

    /// Whether it has a snapshot.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(super) fn has(&self, snapshot: &str) -> io::Result<bool> {
        let listed = self.run(&["snapshots", "--json", snapshot])?;
        Ok(snapshots(&listed)?.iter().any(|one| one.id == snapshot))
    }

    /// Lets go of the content of a backup. What that frees is freed by `restic prune`.
    ///
    /// # Errors
    /// When it cannot.
    pub(crate) fn forget(&self, set: &Set) -> io::Result<()> {
        let parts = set.manifest.parts.iter();
        for snapshot in parts.filter_map(|part| part.payload.snapshot.as_deref()) {
            // Forgotten already by a call that was cut short.
            if self.has(snapshot)? {
                self.run(&["forget", snapshot])?;
            }
        }
        Ok(())
    }

    /// Begins to keep what is written to it, under this name.
    pub(super) fn keep<'g>(
        &self,
        name: &str,
        tag: &str,
        gauge: &'g Gauge,
    ) -> io::Result<Keeping<'g>> {
        let mut child = self
            .command()
            .args([
                "backup",
                "--json",
                "--quiet",
                "--stdin",
                "--stdin-filename",
                name,
            ])
            .args(["--tag", "whaleware", "--tag", tag])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(unstarted)?;
        let mut keeping = Keeping {
            restic: self.clone(),
            stdin: child.stdin.take(),
            child,
            gauge,
        };
        keeping.never_wait()?;
        Ok(keeping)
    }

    /// What was kept.
    pub(super) fn give(&self, snapshot: &str, name: &str) -> io::Result<Giving> {
        let mut child = self
            .command()
            .args(["--quiet", "dump", snapshot, name])
            .spawn()
            .map_err(unstarted)?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| io::Error::other("restic has no output"))?;
        Ok(Giving {
            child,
            stdout,
            ended: false,
        })
    }
}

/// What is written to it is kept, once it has ended well. Dropped before, nothing is.
pub(super) struct Keeping<'g> {
    restic: Restic,
    stdin: Option<ChildStdin>,
    child: Child,
    gauge: &'g Gauge,
}

impl Keeping<'_> {
    /// A repository that does not answer must keep nobody from ending this.
    fn never_wait(&mut self) -> io::Result<()> {
        if let Some(stdin) = &self.stdin {
            fcntl(stdin, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(())
    }

    /// All was written: what it is called, in full.
    pub(super) fn end(mut self) -> io::Result<String> {
        drop(self.stdin.take());
        while self.child.try_wait()?.is_none() {
            if self.gauge.is_stopped() {
                return Err(stopped());
            }
            std::thread::sleep(LOOK);
        }
        let mut told = Vec::new();
        if let Some(stdout) = self.child.stdout.take() {
            stdout.take(SAID).read_to_end(&mut told)?;
        }
        self.ended()?;
        let mut lines = told.split(|byte| *byte == b'\n').rev();
        let summary = lines.find_map(|line| {
            let summary: Summary = serde_json::from_slice(line).ok()?;
            (summary.message_type == "summary").then_some(summary.snapshot_id)
        });
        let short =
            summary.filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit()));
        let short =
            short.ok_or_else(|| io::Error::other("restic does not say what it has kept"))?;
        let listed = self.restic.run(&["snapshots", "--json", &short])?;
        match snapshots(&listed)?.as_slice() {
            [one] if hex::is_sha256(&one.id) => Ok(one.id.clone()),
            _ => Err(io::Error::other(format!(
                "restic does not find {short}, which it has made"
            ))),
        }
    }

    fn ended(&mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        let why = complaint(&mut self.child);
        let how = status
            .signal()
            .map_or_else(String::new, |signal| format!(" by signal {signal}"));
        Err(io::Error::other(format!(
            "restic backup failed{how}: {why}"
        )))
    }
}

impl Write for Keeping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(stdin) = &mut self.stdin else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        loop {
            match stdin.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It ended before its time, and knows why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.ended()?;
                    return Err(io::Error::other("restic has ended before its time"));
                }
                written => return written,
            }
            if self.gauge.is_stopped() {
                return Err(stopped());
            }
            let mut room = [PollFd::new(stdin.as_fd(), PollFlags::POLLOUT)];
            let _ready = poll(&mut room, TICK);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        end(&mut self.child);
        // Only now: the end of its input would be the end of what it keeps.
        drop(self.stdin.take());
    }
}

/// What was kept, from its beginning.
pub(super) struct Giving {
    child: Child,
    stdout: ChildStdout,
    ended: bool,
}

impl Read for Giving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.stdout.read(buffer)?;
        if taken == 0 && !buffer.is_empty() && !self.ended {
            self.ended = true;
            if !self.child.wait()?.success() {
                let why = complaint(&mut self.child);
                return Err(io::Error::other(format!("restic dump failed: {why}")));
            }
        }
        Ok(taken)
    }
}

impl Drop for Giving {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends it so that it lets go of its lock on the repository; at once where it does not listen.
fn end(child: &mut Child) {
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    if let Ok(pid) = i32::try_from(child.id()) {
        let _gone = kill(Pid::from_raw(pid), Signal::SIGINT);
    }
    for _ in 0..LOOKS {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    let _gone = child.kill();
    let _status = child.wait();
}

fn stopped() -> io::Error {
    io::Error::other("it was stopped")
}

fn complaint(child: &mut Child) -> String {
    let mut text = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let _text = stderr.take(SAID).read_to_end(&mut text);
    }
    said(&text)
}

/// What went wrong, of all it has said.
fn said(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let fatal = lines.clone().find(|line| line.starts_with("Fatal: "));
    let line = fatal
        .or_else(|| lines.next())
        .unwrap_or("it does not say why");
    clean(line.trim_start_matches("Fatal: "), TEXT)
}

fn snapshots(text: &[u8]) -> io::Result<Vec<Snapshot>> {
    let listed: Option<Vec<Snapshot>> = serde_json::from_slice(text).map_err(|error| {
        io::Error::other(format!("restic lists what is not understood: {error}"))
    })?;
    Ok(listed.unwrap_or_default())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what errors are mapped by"
)]
fn unstarted(error: io::Error) -> io::Error {
    let hint = if error.kind() == io::ErrorKind::NotFound {
        "; install it (on Debian: apt-get install restic)"
    } else {
        ""
    };
    io::Error::new(error.kind(), format!("cannot run `restic`: {error}{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_written_down() {
        for (given, shown) in [
            ("/srv/restic", "/srv/restic"),
            ("sftp:ops@vault:/srv/restic", "sftp:ops@vault:/srv/restic"),
            (
                "rest:https://ops:s3cret@vault:8000/x@y",
                "rest:https://ops@vault:8000/x@y",
            ),
            (
                "s3:https://s3.example/bucket",
                "s3:https://s3.example/bucket",
            ),
        ] {
            assert_eq!(Restic::at(given).shown(), shown);
        }
    }

    #[test]
    fn what_was_wrong_is_told_in_a_line() {
        let text = b"\nrepository is locked\nFatal: wrong password or no key found\nmore\n";
        assert_eq!(said(text), "wrong password or no key found");
        assert_eq!(said(b"odd\x1b[31m\n"), "odd");
        assert_eq!(said(b""), "it does not say why");
    }
}
