//! Encryption, by the program `age`.
//!
//! Only the recipient's public key is on the machine that makes backups: who gets hold of the vault and of that
//! machine still cannot read them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// What is written to it is in a file, encrypted.
pub(super) struct Encrypting<W> {
    child: Running,
    stdin: Option<ChildStdin>,
    copy: Option<JoinHandle<io::Result<W>>>,
}

/// A program that does not outlive its use.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is only waited for.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Running {
    fn start(arguments: &[&str], why: &'static str) -> io::Result<Self> {
        let started = Command::new("age")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        started.map(Self).map_err(|error| {
            let hint = if error.kind() == io::ErrorKind::NotFound {
                "; install it (on Debian: apt-get install age)"
            } else {
                ""
            };
            io::Error::new(
                error.kind(),
                format!("cannot run `age`, which is needed to {why}: {error}{hint}"),
            )
        })
    }

    /// Waits for its end; what it complained of if it failed.
    fn end(&mut self) -> io::Result<()> {
        let mut said = String::new();
        if let Some(stderr) = self.0.stderr.take() {
            let _text = stderr.take(4096).read_to_string(&mut said);
        }
        let status = self.0.wait()?;
        if status.success() {
            return Ok(());
        }
        let said = crate::fleet::clean(said.lines().next().unwrap_or_default(), 512);
        Err(io::Error::other(format!(
            "`age` ended with {status}: {said}"
        )))
    }
}

impl<W: Write + Send + 'static> Encrypting<W> {
    /// To these recipients.
    pub(super) fn new(recipients: &[String], mut out: W) -> io::Result<Self> {
        let mut arguments = Vec::new();
        for recipient in recipients {
            arguments.extend(["-r", recipient.as_str()]);
        }
        let mut child = Running::start(&arguments, "encrypt")?;
        let stdin = child.0.stdin.take();
        let stdout = child.0.stdout.take();
        let copy = std::thread::spawn(move || {
            if let Some(mut stdout) = stdout {
                io::copy(&mut stdout, &mut out)?;
            }
            Ok(out)
        });
        Ok(Self {
            child,
            stdin,
            copy: Some(copy),
        })
    }

    /// All was written: what it was written to.
    pub(super) fn end(mut self) -> io::Result<W> {
        drop(self.stdin.take());
        let copied = self.copy.take().map(JoinHandle::join);
        self.child.end()?;
        match copied {
            Some(Ok(copied)) => copied,
            _ => Err(io::Error::other("what `age` wrote was not taken")),
        }
    }
}

impl<W> Write for Encrypting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(stdin) = &mut self.stdin else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        match stdin.write(bytes) {
            // It ended before its time, and knows why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.child.end()?;
                Err(error)
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is read from it is the content of a file, decrypted.
pub(super) struct Decrypting {
    child: Running,
    stdout: ChildStdout,
    /// Feeds the program.
    feed: Option<JoinHandle<io::Result<()>>>,
    ended: bool,
}

impl Decrypting {
    /// With the keys in a file.
    pub(super) fn new<R: Read + Send + 'static>(identity: &Path, mut from: R) -> io::Result<Self> {
        // Looked at first: `age` would ask the terminal for a passphrase where this is no such file.
        File::open(identity).map_err(|error| {
            let path = identity.display();
            io::Error::new(
                error.kind(),
                format!("cannot open the identity {path}: {error}"),
            )
        })?;
        let identity = identity.to_string_lossy();
        let mut child = Running::start(&["-d", "-i", identity.as_ref()], "decrypt")?;
        let stdin = child.0.stdin.take();
        let Some(stdout) = child.0.stdout.take() else {
            return Err(io::Error::other("`age` has no output"));
        };
        let feed = std::thread::spawn(move || {
            let Some(mut stdin) = stdin else {
                return Ok(());
            };
            match io::copy(&mut from, &mut stdin) {
                // It ended before its time; it is asked why.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                _ => Ok(()),
            }
        });
        Ok(Self {
            child,
            stdout,
            feed: Some(feed),
            ended: false,
        })
    }
}

impl Read for Decrypting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.stdout.read(buffer)?;
        if taken == 0 && !buffer.is_empty() && !self.ended {
            self.ended = true;
            if let Some(feed) = self.feed.take() {
                match feed.join() {
                    Ok(fed) => fed?,
                    Err(_) => return Err(io::Error::other("`age` was not fed to the end")),
                }
            }
            self.child.end()?;
        }
        Ok(taken)
    }
}
