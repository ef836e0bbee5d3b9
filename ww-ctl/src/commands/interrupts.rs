//! Signals that come while something is being made: it is brought to where it can be taken back.

use std::future::Future;
use std::pin::pin;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::environment;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// SIGINT, SIGTERM and SIGHUP, as they come.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    /// None under `nohup`: it goes on when its terminal is closed.
    hang_up: Option<Signal>,
    came: Option<u8>,
    output: Output,
}

impl Interrupts {
    /// From now on none of them ends the program.
    pub(super) fn hear(output: Output) -> Result<Self, Failure> {
        let hear = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot listen to signals: {error}"))
            })
        };
        let hang_up = SignalKind::hangup();
        let is_heard = !environment::ignores(hang_up.as_raw_value());
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            hang_up: is_heard.then(|| hear(hang_up)).transpose()?,
            came: None,
            output,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> u8 {
        let number = tokio::select! {
            biased;
            Some(()) = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            Some(()) = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            // It comes from the kernel and from the shell, and is nobody's impatience.
            Some(()) = heard(self.hang_up.as_mut()), if self.came.is_none() => SignalKind::hangup().as_raw_value(),
            else => std::future::pending().await,
        };
        let number = u8::try_from(number).unwrap_or(0);
        self.came = Some(number);
        number
    }

    /// Ends work that leaves nothing behind when one comes.
    ///
    /// # Errors
    /// [`Exit::Signal`] when one has come.
    pub(super) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            number = self.next() => Err(interrupted(number)),
            done = &mut work => Ok(done),
        }
    }

    /// Lets work end first that would leave something behind, unless a second one comes. Whether
    /// one has come meanwhile is told by [`Self::came`].
    ///
    /// # Errors
    /// [`Exit::Signal`] when a second one has come.
    pub(super) async fn hold<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut work = pin!(work);
        loop {
            let before = self.came;
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                number = self.next() => if before.is_some() {
                    return Err(interrupted(number)
                        .hint("`ww-ctl ls -a` shows whether something is left half-made"));
                },
            }
            self.say_held();
        }
    }

    /// Says why the program does not end yet.
    pub(super) fn say_held(&self) {
        self.output
            .say("interrupted; waiting for the Engine, to leave nothing half-made");
    }

    /// The one that has come.
    pub(super) const fn came(&self) -> Option<u8> {
        self.came
    }
}

async fn heard(signal: Option<&mut Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => None,
    }
}

/// Nothing was made, or it is taken back.
pub(super) fn interrupted(number: u8) -> Failure {
    Failure::new(Exit::Signal(number), "interrupted; nothing was started")
}
