//! The terminal is lent to a shell in a container, and taken again at its end.

use std::fmt;
use std::io::{self, Write};
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::term::{self, Screen};
use crate::fleet::{Container, clean};

/// The most that is kept of what the program that runs the shell says of itself, in bytes.
const WORDS: u64 = 16 << 10;

/// What runs a shell in a container.
pub(crate) struct Shell(Box<dyn Fn(&Container) -> Command>);

impl Shell {
    /// A shell is run by what this makes.
    pub(crate) fn new(command: impl Fn(&Container) -> Command + 'static) -> Self {
        Self(Box::new(command))
    }

    /// Runs one on the terminal, which is not the dashboard's meanwhile. What there is to say of it
    /// when it has ended, and whether that is bad.
    pub(super) async fn run(
        &self,
        screen: &mut Screen,
        container: &Container,
    ) -> io::Result<Result<String, String>> {
        term::give_back();
        let name = &container.name;
        let banner = format!("shell in {name}; its end (exit, ^D) comes back to the dashboard\r\n");
        io::stdout().write_all(banner.as_bytes())?;
        io::stdout().flush()?;
        let ended = talk((self.0)(container)).await;
        screen.take_again()?;
        Ok(match ended {
            Err(error) => Err(format!("cannot run a shell in {name}: {error}")),
            Ok((true, _)) => Ok(format!("the shell in {name} has ended")),
            Ok((false, words)) => {
                let last = words.lines().map(str::trim).find(|line| !line.is_empty());
                match last {
                    Some(line) => {
                        let line = line.strip_prefix("ww-ctl: ").unwrap_or(line);
                        Err(format!("shell in {name}: {}", clean(line, 256)))
                    }
                    // Its last command has failed, which is no concern of ours.
                    None => Ok(format!("the shell in {name} has ended")),
                }
            }
        })
    }
}

/// Runs a program to its end. Whether it went well, and what it has said of itself.
async fn talk(mut command: Command) -> io::Result<(bool, String)> {
    let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut words = Vec::new();
    if let Some(said) = child.stderr.take() {
        said.take(WORDS).read_to_end(&mut words).await?;
    }
    let status = child.wait().await?;
    Ok((
        status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    ))
}

impl fmt::Debug for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shell")
    }
}
