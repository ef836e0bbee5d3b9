//! One of them at work, from its start to its end.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Child;
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;

use crate::cost::{Cost, Process};
use crate::now;
use crate::subject::{IDLE, Subject};

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at what no event tells.
const LOOK: Duration = Duration::from_millis(1);
/// One that has done nothing for so long has come to rest.
const REST: Duration = Duration::from_millis(15);

/// A supervisor that runs. It is ended when it goes out of scope.
pub(crate) struct Running<'a> {
    subject: &'a Subject,
    place: TempDir,
    child: Child,
    ended: bool,
}

impl<'a> Running<'a> {
    /// Starts it, and answers how long it took until the first thing it runs had begun.
    pub(crate) fn start(subject: &'a Subject) -> (Self, Duration) {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("begun");
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe with a name");
        // Open for both: it is never at its end, and whoever writes does not wait.
        let mut begun = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(O_NONBLOCK)
            .open(&path)
            .expect("the pipe");
        let file = |name: &str| File::create(place.path().join(name)).expect("a file");
        let mut command =
            subject.command(place.path(), file("stdout").into(), file("stderr").into());
        let since = now();
        let child = command
            .spawn()
            .expect("`unshare`, and the right to use it (root)");
        let mut wanted = [PollFd::new(begun.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(PATIENCE).expect("a timeout");
        let ready = poll(&mut wanted, timeout).expect("to wait");
        let took = since.elapsed();
        let running = Self {
            subject,
            place,
            child,
            ended: false,
        };
        assert!(ready == 1, "{}", running.told("has not begun"));
        let _ = begun.read(&mut [0; 8]);
        (running, took)
    }

    /// Starts it and waits until it has come to rest.
    pub(crate) fn settled(subject: &'a Subject) -> Self {
        let (running, _) = Self::start(subject);
        running.wait_idle();
        running
    }

    pub(crate) fn name(&self) -> &'static str {
        self.subject.name()
    }

    fn told(&self, what: &str) -> String {
        let text = |name| fs::read_to_string(self.place.path().join(name)).unwrap_or_default();
        let (stdout, stderr) = (text("stdout"), text("stderr"));
        format!("{} {what}\nstdout: {stdout}\nstderr: {stderr}", self.name())
    }

    /// PID 1 of the name space, by its number outside.
    pub(crate) fn process(&self) -> Process {
        let unshare = Process(i32::try_from(self.child.id()).expect("a number"));
        let children = unshare.children();
        assert!(children.len() == 1, "{}", self.told("has ended"));
        children[0]
    }

    /// Waits until the idle child is there and the supervisor does nothing more.
    pub(crate) fn wait_idle(&self) {
        let deadline = now() + PATIENCE;
        let waited = |what| assert!(now() < deadline, "{}", self.told(what));
        let first = self.process();
        let is_idle = |process: &Process| process.command_line().contains(IDLE);
        while !(is_idle(&first) || first.descendants().iter().any(is_idle)) {
            waited("has no idle child");
            std::thread::sleep(LOOK);
        }
        let stdout = self.place.path().join("stdout");
        let said = |text| fs::read_to_string(&stdout).is_ok_and(|said| said.contains(text));
        while !self.subject.at_rest.is_none_or(said) {
            waited("has not said that it is at rest");
            std::thread::sleep(LOOK);
        }
        let mut before = Cost::of(self).switches;
        loop {
            std::thread::sleep(REST);
            let again = Cost::of(self).switches;
            if again == before {
                return;
            }
            before = again;
            waited("does not come to rest");
        }
    }

    /// Asks for the end, and answers how long it took until all of it was gone.
    pub(crate) fn stop(mut self) -> Duration {
        // PID 1 hears of no signal that it does not handle, but of this one.
        let signal = if self.subject.is_supervisor() {
            Signal::SIGTERM
        } else {
            Signal::SIGKILL
        };
        let first = Pid::from_raw(self.process().0);
        let since = now();
        kill(first, signal).expect("PID 1");
        self.child.wait().expect("the end");
        self.ended = true;
        since.elapsed()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // `--kill-child` takes PID 1 with it, and that all others.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
