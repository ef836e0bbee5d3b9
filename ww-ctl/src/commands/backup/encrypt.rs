//! Whether what is to be encrypted can be: found out before anything is stopped.

use std::process::Stdio;

use tokio::process::Command;

use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// Has `age` encrypt nothing to all of them.
///
/// # Errors
/// When it is not there, or a recipient is none.
pub(super) async fn check(recipients: &[String]) -> Result<(), Failure> {
    if recipients.is_empty() {
        return Ok(());
    }
    let mut age = Command::new("age");
    for recipient in recipients {
        age.args(["-r", recipient]);
    }
    let age = age.stdin(Stdio::null()).kill_on_drop(true);
    let ended = age.output().await.map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("cannot run `age` to encrypt: {error}"),
        )
        .hint("install it (on Debian: apt-get install age); nothing was stopped")
    })?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let said = clean(said.lines().next().unwrap_or_default(), 500);
    Err(
        Failure::new(Exit::Usage, format!("cannot encrypt to that: {said}"))
            .hint("a recipient begins with age1 or ssh-; nothing was stopped"),
    )
}
