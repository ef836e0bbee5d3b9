//! The way out when the agent itself fails.

use std::time::Duration;

use super::{LAST_WORDS, LOOK_MAX, Runtime};
use crate::clock;
use crate::log::Level;
use crate::reaper;

impl Runtime {
    /// The loop itself met a fault: ends everything as well as can be, without the machine.
    pub(crate) fn emergency(&mut self, fault: &str, code: i32) {
        let text = format!("the agent itself met a fault {fault}; ending all processes");
        self.output.log(Level::Error, &text);
        self.reach.terminate();
        if !self.wait_for_all(self.settings.policy.stop_grace) {
            self.reach.kill();
            self.wait_for_all(Duration::from_secs(1));
        }
        self.remember_exit(code, Some(&format!("the agent met a fault {fault}")));
        self.output.settle(LAST_WORDS);
    }

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
