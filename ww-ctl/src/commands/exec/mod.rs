//! `exec`: a program run in a container, its streams or its terminal passed on.

mod terminal;

use std::io::{self, IsTerminal};
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::terminal::{Raw, size};
use super::Context;
use crate::audit::Target;
use crate::cli::Exec;
use crate::engine::{Channel, Engine, EngineError, Pieces, Program, Standing};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, ContainerKey, EngineState};
use crate::output::Output;

/// So many bytes are read from stdin at a time.
const PIECE: usize = 32 * 1024;
/// The pause before an Engine is asked again whether a program has ended; doubled up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(10);
/// The longest such pause.
const LONGEST: Duration = Duration::from_secs(1);
/// These keys one after the other leave a program running: Ctrl-@ Ctrl-] Ctrl-^. The Engine could look
/// for them itself, but holds keys back for it, and Docker 20.10 then tells of a failure.
const LEAVE: [u8; 3] = [0x00, 0x1d, 0x1e];
/// How often a size is told to an Engine that does not take it yet.
const ATTEMPTS: u32 = 10;

pub(super) async fn run(context: &Context, arguments: &Exec) -> Result<Exit, Failure> {
    context.may_change("run a program in a container")?;
    // A signal must give the terminal back first.
    let mut signals = Signals::new()?;
    tokio::select! {
        ended = converse(context, arguments) => ended,
        number = signals.any() => Ok(Exit::Signal(number)),
    }
}

async fn converse(context: &Context, arguments: &Exec) -> Result<Exit, Failure> {
    let (fleet, key) = context.find_one(&arguments.name).await?;
    if let Some(container) = fleet.get(&key) {
        check(container)?;
    }
    let targets = fleet.get(&key).map(Target::of).into_iter().collect();
    let entry = context.audit.begin("exec", targets);
    let name = fleet.get(&key).map_or(&*arguments.name, |one| &*one.name);
    let exit = execute(context, arguments, &key, name).await?;
    // What follows the program's name may be a secret.
    let word = arguments.command.first().map_or("", String::as_str);
    entry.end(exit, &format!("ran {word}"));
    Ok(exit)
}

async fn execute(
    context: &Context,
    arguments: &Exec,
    key: &ContainerKey,
    name: &str,
) -> Result<Exit, Failure> {
    let engine = context.engine(&key.host).await?;
    let program = program(arguments);
    let exec = engine.prepare(&key.id, &program).await?;
    context.output.detail(&format!("exec {exec}"));
    let conversation = Conversation {
        engine: &engine,
        name,
        exec: &exec,
        program: &program,
        output: context.output,
    };
    conversation.hold().await
}

/// What does not run cannot run a program; the Engine's own words do not say what to do.
fn check(container: &Container) -> Result<(), Failure> {
    let name = &container.name;
    let (how, what_next) = match container.engine {
        EngineState::Running => return Ok(()),
        EngineState::Paused => ("is paused", format!("thaw it first: docker unpause {name}")),
        EngineState::Restarting => (
            "is about to be started again by Docker",
            format!("wait for it: ww-ctl wait {name} --for UP"),
        ),
        EngineState::Created | EngineState::Exited { .. } | EngineState::Dead => {
            let tool = if container.has_agent {
                "ww-ctl"
            } else {
                "docker"
            };
            (
                "does not run",
                format!("start it first: {tool} start {name}"),
            )
        }
    };
    let message = format!("cannot run a program in {name}: it {how}");
    Err(Failure::new(Exit::Failed, message).hint(what_next))
}

fn program(arguments: &Exec) -> Program {
    let stdin = !arguments.no_stdin;
    let tty = arguments.tty
        || (!arguments.no_tty && stdin && io::stdin().is_terminal() && io::stdout().is_terminal());
    let variables = arguments.env.iter().filter_map(|text| {
        if text.contains('=') {
            return Some(text.clone());
        }
        environment::variable(text).map(|value| format!("{text}={value}"))
    });
    Program {
        command: arguments.command.clone(),
        tty,
        stdin,
        user: arguments.user.clone(),
        directory: arguments.workdir.clone(),
        variables: variables.collect(),
    }
}

/// A program that runs, and this program's own streams.
struct Conversation<'a> {
    engine: &'a Engine,
    name: &'a str,
    exec: &'a str,
    program: &'a Program,
    output: Output,
}

impl Conversation<'_> {
    async fn hold(&self) -> Result<Exit, Failure> {
        let cannot = |error: io::Error| {
            Failure::new(Exit::Failed, format!("cannot use the terminal: {error}"))
                .hint("-T runs the program without one")
        };
        let own = self.program.tty && io::stdout().is_terminal();
        let launched = self
            .engine
            .launch(self.exec, self.program, size().filter(|_| own))
            .await;
        let streams = match launched {
            Ok(streams) => streams,
            Err(error) => return self.not_launched(error).await,
        };
        let raw = (self.program.tty && self.program.stdin && io::stdin().is_terminal())
            .then(Raw::take)
            .transpose()
            .map_err(cannot)?;
        {
            let mut drain = pin!(self.drain(streams.output));
            let mut feed = pin!(feed(streams.input, self.program.stdin, raw.is_some()));
            let mut sizes = pin!(self.follow_size(own));
            let mut again = pin!(take_again(raw.is_some()));
            let mut feeding = true;
            loop {
                tokio::select! {
                    drained = &mut drain => break drained?,
                    end = &mut feed, if feeding => match end {
                        Fed::All => feeding = false,
                        Fed::Left => {
                            drop(raw);
                            self.output.say("\nleft; the program goes on in the container");
                            return Ok(Exit::Done);
                        }
                    },
                    never = &mut sizes => match never? {},
                    never = &mut again => match never? {},
                }
            }
        }
        let exit = self.end().await;
        drop(raw);
        exit
    }

    /// Passes on what the program writes, until there is no more.
    async fn drain(&self, mut pieces: Pieces) -> Result<(), Failure> {
        loop {
            let piece = pieces.next().await.map_err(|error| {
                let message = format!("lost the program's output: {error}");
                Failure::new(Exit::Engine, message).hint("it may go on in the container")
            })?;
            let Some((channel, bytes)) = piece else {
                return Ok(());
            };
            self.output.pass(bytes, channel == Channel::Stderr).await?;
        }
    }

    /// Gives the program's terminal the size of this one, now and whenever that changes.
    async fn follow_size(&self, own: bool) -> Result<std::convert::Infallible, Failure> {
        if !own {
            return std::future::pending().await;
        }
        let mut changed =
            signal(SignalKind::window_change()).map_err(|error| cannot_listen(&error))?;
        loop {
            for _ in 0..ATTEMPTS {
                let Some(size) = size() else { break };
                // A program that has ended takes none; that is no news.
                if self.engine.resize(self.exec, size).await.is_ok() {
                    break;
                }
                tokio::time::sleep(FIRST).await;
            }
            if changed.recv().await.is_none() {
                return std::future::pending().await;
            }
        }
    }

    /// How the program has ended, once its output has.
    async fn end(&self) -> Result<Exit, Failure> {
        let mut pause = FIRST;
        loop {
            match self.engine.standing(self.exec).await? {
                Standing::Ended(code) => return Ok(Exit::Program(exit_code(code))),
                Standing::NotStarted(code) => {
                    let program = self.program.command.first().map_or("", String::as_str);
                    let message = format!("cannot start `{program}` in {}", self.name);
                    let failure = Failure::new(Exit::Failed, message)
                        .hint("it is not there, or is no program; the Engine's own words are in the output");
                    self.output.failure(&failure);
                    return Ok(Exit::Program(exit_code(code)));
                }
                Standing::Running => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// An Engine that does not start a program may still know which code that is.
    async fn not_launched(&self, error: EngineError) -> Result<Exit, Failure> {
        if error.is_engine_down() {
            return Err(error.into());
        }
        match self.engine.standing(self.exec).await {
            Ok(Standing::NotStarted(code) | Standing::Ended(code @ (126 | 127))) => {
                self.output.failure(&error.into());
                Ok(Exit::Program(exit_code(code)))
            }
            Ok(Standing::Ended(_) | Standing::Running) | Err(_) => Err(error.into()),
        }
    }
}

fn exit_code(code: i64) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// How passing stdin on came to its end.
enum Fed {
    /// There is no more, or nobody reads it.
    All,
    /// The operator wants to leave the program running.
    Left,
}

/// Passes stdin on up to its end, which becomes the end of the program's input. That the program
/// does not read any more is its own affair.
async fn feed(mut input: Pin<Box<dyn AsyncWrite + Send>>, stdin: bool, keys: bool) -> Fed {
    let mut own = tokio::io::stdin();
    let mut buffer = BytesMut::new();
    let mut typed = Typed::default();
    if !stdin {
        let _ended = input.shutdown().await;
        return Fed::All;
    }
    loop {
        buffer.reserve(PIECE);
        match own.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) if keys && typed.want_to_leave(&buffer) => return Fed::Left,
            Ok(_) => {}
        }
        if input.write_all_buf(&mut buffer).await.is_err() || input.flush().await.is_err() {
            return Fed::All;
        }
    }
    let _ended = input.shutdown().await;
    Fed::All
}

/// How many of the keys that leave a program have been typed, one right after the other.
#[derive(Debug, Default)]
struct Typed(usize);

impl Typed {
    fn want_to_leave(&mut self, keys: &[u8]) -> bool {
        keys.iter().any(|key| {
            self.0 = if *key == LEAVE[self.0] {
                self.0 + 1
            } else {
                usize::from(*key == LEAVE[0])
            };
            let all = self.0 == LEAVE.len();
            self.0 %= LEAVE.len();
            all
        })
    }
}

/// Keeps the terminal when this program goes on after it was stopped.
async fn take_again(raw: bool) -> Result<std::convert::Infallible, Failure> {
    if !raw {
        return std::future::pending().await;
    }
    let goes_on = SignalKind::from_raw(nix::libc::SIGCONT);
    let mut goes_on = signal(goes_on).map_err(|error| cannot_listen(&error))?;
    while goes_on.recv().await.is_some() {
        // A terminal that is gone ends this program by another way.
        let _gone = terminal::take_again();
    }
    std::future::pending().await
}

fn cannot_listen(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot listen for signals: {error}"))
        .hint("are file descriptors left (ulimit -n)?")
}

/// What ends this program, so that it can give the terminal back.
struct Signals([Signal; 4]);

impl Signals {
    const KINDS: [fn() -> SignalKind; 4] = [
        SignalKind::interrupt,
        SignalKind::terminate,
        SignalKind::hangup,
        SignalKind::quit,
    ];

    fn new() -> Result<Self, Failure> {
        let [interrupt, terminate, hangup, quit] =
            Self::KINDS.map(|kind| signal(kind()).map_err(|error| cannot_listen(&error)));
        Ok(Self([interrupt?, terminate?, hangup?, quit?]))
    }

    /// The number of the first that comes.
    async fn any(&mut self) -> u8 {
        let waits = self.0.iter_mut().zip(Self::KINDS).map(|(signal, kind)| {
            let number = u8::try_from(kind().as_raw_value()).unwrap_or(0);
            Box::pin(async move {
                while signal.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
                number
            })
        });
        futures::future::select_all(waits).await.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_sequence_leaves() {
        let leaves = |pieces: &[&[u8]]| {
            let mut typed = Typed::default();
            pieces.iter().any(|piece| typed.want_to_leave(piece))
        };
        for pieces in [
            &[&b"\x00\x1d\x1e"[..]][..],
            &[b"ls\r\x00", b"\x1d", b"\x1ex"],
            &[b"\x00\x00\x1d\x1e"],
            &[b"\x00\x1d\x00\x1d\x1e"],
        ] {
            assert!(leaves(pieces), "{pieces:?}");
        }
        for pieces in [
            &[&b"\x00\x1d"[..], b"x\x1e"][..],
            &[b"\x1e"],
            &[b"\x1d\x1e\x10\x11"],
        ] {
            assert!(!leaves(pieces), "{pieces:?}");
        }
    }
}
