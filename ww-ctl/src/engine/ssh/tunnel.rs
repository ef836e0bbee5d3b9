//! One ssh process: logged in, forwarding the socket, with somebody on the other side to ask.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::task::TaskTracker;

use super::super::transport::Obstacle;
use super::home::Home;
use super::{Ssh, words};

/// How long logging in may take, all in all.
pub(in super::super) const LOGIN: Duration = Duration::from_secs(15);
/// How long the other side may take to say a word once it is there.
const WORD: Duration = Duration::from_secs(3);
/// How long ssh's own words may lag behind what it did.
const LAG: Duration = Duration::from_millis(300);
/// What the other side says when it is there.
const READY: &str = "ww-ctl-ready";
/// So many lines and bytes a line are kept of what ssh says.
const LINES: usize = 40;
const LINE: u64 = 1024;
/// So many bytes may come before the other side says that it is there: greetings of its shell.
const GREETING: u64 = 64 * 1024;

/// How the socket is, there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    /// It is there and this user may write to it.
    Open,
    /// It is there and this user may not.
    Denied,
    /// It is not there.
    Missing,
}

/// One ssh process. It ends with this.
pub(super) struct Tunnel {
    ssh: Mutex<Child>,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    said: Said,
    home: Home,
    _reader: TaskTracker,
}

impl Tunnel {
    /// Logs in.
    ///
    /// # Errors
    /// When ssh cannot, or takes too long.
    pub(super) async fn start(address: &Ssh) -> io::Result<Self> {
        let started = tokio::time::timeout(LOGIN, Self::log_in(address)).await;
        started.unwrap_or_else(|_| {
            Err(Obstacle {
                reason: format!("ssh did not log in within {} s", LOGIN.as_secs()),
                hint: "is the machine up, and the network between?".into(),
            }
            .into())
        })
    }

    async fn log_in(address: &Ssh) -> io::Result<Self> {
        let home = Home::new().map_err(|error| Obstacle {
            reason: format!("cannot make a directory for its socket: {error}"),
            hint: "XDG_RUNTIME_DIR or /tmp must be writable".into(),
        })?;
        let mut ssh = command(address, &home).spawn().map_err(|error| Obstacle {
            reason: format!("cannot run ssh: {error}"),
            hint: "install OpenSSH's client (apt-get install openssh-client)".into(),
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let said = Said::default();
        let reader = TaskTracker::new();
        reader.spawn(listen(stderr, said.clone()));
        let mut stdout = BufReader::new(stdout);
        let mut greeting = (&mut stdout).take(GREETING).lines();
        loop {
            match greeting.next_line().await {
                Ok(Some(line)) if line.trim_end() == READY => break,
                // A greeting, or the reason why there is no shell.
                Ok(Some(line)) => said.add(line),
                Ok(None) | Err(_) => return Err(why(&mut ssh, &said).await.into()),
            }
        }
        drop(greeting);
        Ok(Self {
            ssh: Mutex::new(ssh),
            stdin,
            stdout,
            said,
            home,
            _reader: reader,
        })
    }

    /// Whether ssh still runs.
    pub(super) fn is_alive(&self) -> bool {
        let mut ssh = self.ssh.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(ssh.try_wait(), Ok(None))
    }

    /// Where the socket is, here.
    pub(super) fn entrance(&self) -> PathBuf {
        self.home.entrance()
    }

    /// Asks the other side how the socket is.
    ///
    /// # Errors
    /// When it does not answer; an [`Obstacle`] when ssh has ended.
    pub(super) async fn look(&mut self) -> io::Result<There> {
        match tokio::time::timeout(WORD, self.ask()).await {
            Ok(Ok(there)) => Ok(there),
            Ok(Err(_)) => {
                let ssh = self.ssh.get_mut().unwrap_or_else(PoisonError::into_inner);
                Err(why(ssh, &self.said).await.into())
            }
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn ask(&mut self) -> io::Result<There> {
        self.stdin.write_all(b"?\n").await?;
        self.stdin.flush().await?;
        let mut line = String::new();
        (&mut self.stdout).take(LINE).read_line(&mut line).await?;
        match line.trim() {
            "open" => Ok(There::Open),
            "denied" => Ok(There::Denied),
            "missing" => Ok(There::Missing),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// What ssh said last, once it has had the time to say it.
    pub(super) async fn complaint(&self) -> Vec<String> {
        tokio::time::sleep(LAG).await;
        self.said.take()
    }
}

/// Why ssh has ended, or is about to.
async fn why(ssh: &mut Child, said: &Said) -> Obstacle {
    let status = match tokio::time::timeout(WORD, ssh.wait()).await {
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(_)) | Err(_) => "no exit status".into(),
    };
    // Its last words are in the pipe by now, and read at once.
    tokio::time::sleep(Duration::from_millis(10)).await;
    words::ended(&said.take(), &status)
}

fn command(address: &Ssh, home: &Home) -> Command {
    let mut ssh = Command::new("ssh");
    // Ours and nobody else's: no master that outlives us, none of the forwardings of the user's own
    // that may be in use, nothing that asks.
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "ControlMaster=no",
        "ControlPath=none",
        "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "RequestTTY=no",
        "ExitOnForwardFailure=no",
        "StreamLocalBindUnlink=yes",
        "StreamLocalBindMask=0177",
        "EscapeChar=none",
    ] {
        ssh.args(["-o", option]);
    }
    if let Some(port) = address.port {
        ssh.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &address.user {
        ssh.args(["-l", user]);
    }
    let socket = &address.socket;
    let entrance = home.entrance();
    ssh.arg("-L")
        .arg(format!("{}:{socket}", entrance.display()));
    ssh.args(["--", &address.host]);
    // Whatever shell the user has there, a plain one reads this. It ends with its stdin, and so does
    // ssh, even when this program was killed.
    ssh.arg(format!(
        "exec sh -c 'echo {READY}; while read -r line; do \
         if test -w {socket}; then echo open; \
         elif test -e {socket}; then echo denied; else echo missing; fi; done'"
    ));
    ssh.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for this program, which may have something to finish over this connection.
        .process_group(0)
        .kill_on_drop(true);
    ssh
}

/// What ssh has said last.
#[derive(Debug, Clone, Default)]
struct Said {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Said {
    fn add(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// What is said once is told once.
    fn take(&self) -> Vec<String> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.drain(..).collect()
    }
}

/// Reads all that ssh says, so that it can go on saying.
async fn listen(stderr: impl AsyncRead + Unpin, said: Said) {
    let mut stderr = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        let read = (&mut stderr).take(LINE).read_until(b'\n', &mut line).await;
        match read {
            Ok(1..) => said.add(String::from_utf8_lossy(&line).into_owned()),
            Ok(0) | Err(_) => return,
        }
    }
}
