//! The way out when the agent itself fails.

use std::time::Duration;

use whaleware::lifecycle::State;

use super::{LAST_WORDS, LOOK_MAX, Runtime};
use crate::clock;
use crate::epitaph;
use crate::hooks::Cut;
use crate::log::Level;
use crate::reaper;

/// How long the services may take to stop in order after a fault.
const IN_ORDER: Duration = Duration::from_secs(60);

impl Runtime {
    /// The loop itself met a fault: stops in order, as after any other error, if the machine still
    /// can, and leaves with `code`. Answers whether it could.
    pub(crate) fn stop_after_fault(&mut self, fault: &str, code: i32) -> bool {
        let text = format!("the agent itself met a fault {fault}");
        self.output.log(Level::Error, &text);
        epitaph::leave(&self.environment, &text);
        let now = clock::now();
        let until = now + IN_ORDER;
        let effects = self.machine.fault(text, now);
        self.perform(effects, Cut::Superseded);
        // What was lost with the fault may be what the machine waits for.
        while clock::now() < until {
            if self.turn(Some(until)).is_some() {
                self.remember_exit(code, None);
                return true;
            }
        }
        false
    }

    /// Nor can it be stopped in order: ends everything as well as can be, without the machine.
    pub(crate) fn emergency(&mut self, code: i32) {
        let text = "cannot stop in order after the fault; ending all processes";
        self.output.log(Level::Error, text);
        self.reach.terminate();
        if !self.wait_for_all(self.settings.policy.stop_grace) {
            self.reach.kill();
            self.wait_for_all(Duration::from_secs(1));
        }
        self.remember_exit(code, Some(text));
        self.output.settle(LAST_WORDS);
    }

    /// Meets a fault where a test wants one. What is shipped has none of this.
    #[cfg(debug_assertions)]
    pub(super) fn fault_if_asked(&self, state: State) {
        let wanted = self.environment.test_fault.as_deref();
        assert!(
            wanted.is_none_or(|wanted| wanted != state.name()),
            "a secret that must not be told"
        );
    }

    /// Nothing.
    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_self, reason = "its other form needs it")]
    pub(super) const fn fault_if_asked(&self, _state: State) {}

    fn wait_for_all(&self, patience: Duration) -> bool {
        let until = clock::now() + patience;
        loop {
            let harvest = reaper::reap();
            if harvest.childless && self.reach.is_alone() {
                return true;
            }
            if clock::now() >= until {
                return false;
            }
            if !harvest.more {
                std::thread::sleep(LOOK_MAX);
            }
        }
    }
}
