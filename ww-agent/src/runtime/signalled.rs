//! Signals from outside, and what they ask for.

use nix::libc::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,
};
use whaleware::lifecycle::{Ask, Cause, Event, Heard};

use super::Runtime;
use crate::clock;
use crate::hooks::Cut;
use crate::log::Level;
use crate::signals;

impl Runtime {
    pub(super) fn on_signals(&mut self) {
        while let Some(number) = self.signals.next() {
            match number {
                SIGCHLD => {
                    self.reap();
                    self.follow_suspension();
                }
                _ if self.command.is_some() => self.on_forwarded(number),
                SIGTERM => self.on_stop_signal(SIGTERM, "SIGTERM"),
                SIGINT => self.on_stop_signal(SIGINT, "SIGINT"),
                SIGQUIT => self.on_stop_signal(SIGQUIT, "SIGQUIT"),
                SIGHUP => {
                    let cause = self.cause(SIGHUP, "SIGHUP");
                    if let Some(Heard::Refused(reason)) = self.ask(Ask::Restart(cause)) {
                        let text = format!("SIGHUP is not followed: {reason}");
                        self.output.log(Level::Warning, &text);
                    }
                }
                SIGTTIN | SIGTTOU | SIGTSTP | SIGCONT | SIGURG | SIGPIPE => {}
                other => {
                    if self.ignored.insert(other) {
                        let text = format!("{} is ignored", signals::name(other));
                        self.output.log(Level::Info, &text);
                    }
                }
            }
            self.settle();
        }
    }

    /// A container that is there for one command: signals are the command's. TERM is a stop besides,
    /// and so is a HUP that was announced a restart.
    fn on_forwarded(&mut self, number: i32) {
        match number {
            SIGTERM => {
                let cause = self.cause(SIGTERM, "SIGTERM");
                // The first is sent by the stop itself.
                if self.ask(Ask::Stop(cause)) == Some(Heard::Joined) {
                    self.forward(SIGTERM);
                }
            }
            SIGHUP if self.is_announced(SIGHUP) => {
                let cause = self.cause(SIGHUP, "SIGHUP");
                self.ask(Ask::Restart(cause));
            }
            SIGTSTP | SIGTTIN | SIGTTOU => self.forward_stop(number),
            SIGCONT => self.resume(),
            other => self.forward(other),
        }
    }

    fn on_stop_signal(&mut self, number: i32, name: &'static str) {
        let cause = self.cause(number, name);
        if self.ask(Ask::Stop(cause)) == Some(Heard::Joined) {
            let text = format!("{name} again: no longer waiting than must be");
            self.output.log(Level::Info, &text);
        }
    }

    /// Whether an operator has said lately that this signal is his.
    fn is_announced(&self, number: i32) -> bool {
        let named = self.named.as_ref();
        named.is_some_and(|named| named.signal == number && clock::now() <= named.until)
    }

    /// The signal itself, or who was said to send it.
    fn cause(&mut self, number: i32, name: &'static str) -> Cause {
        let announced = self.is_announced(number);
        match self.named.take_if(|_| announced) {
            Some(named) => Cause::Operator(named.by),
            None => Cause::Signal(name),
        }
    }

    /// Asks the machine; what it made of it.
    pub(super) fn ask(&mut self, ask: Ask) -> Option<Heard> {
        let effects = self.machine.handle(Event::Asked(ask), clock::now());
        self.heard = None;
        self.perform(effects, Cut::Superseded);
        self.heard.take()
    }
}
