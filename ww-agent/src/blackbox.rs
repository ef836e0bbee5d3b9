//! What has happened, kept in `/data/.ww` beyond the end of this boot.
//!
//! A line is in the page cache when the call returns, where the end of a container does not reach it.
//! It is waited for until it is on the disk only when the container leaves with a failure: the disk of
//! a container in trouble may be slow, and neither a restart nor a stop is to wait for it.

use std::collections::VecDeque;
use std::io;

use jiff::Timestamp;
use whaleware::lifecycle::State;
use whaleware::protocol::{
    HistoryAnswer, HistoryEntry, HistoryEvent, HookRun, PreviousBoot, TransitionReport,
};

use crate::clock;
use crate::log;
use crate::shelf::{Lasting, Ring, Shelf};

/// The files; a line has about 200 bytes.
const RING: Ring = Ring {
    current: "history.jsonl",
    full: "history.1.jsonl",
    most: 64 * 1024,
};
/// The most read of either.
const MOST: u64 = 2 * RING.most;
/// As much of the end is looked at to tell how the boot before ended.
const LAST: u64 = 16 * 1024;
/// So many lines are kept in memory where they cannot be written, or not yet.
const KEPT: usize = 64;
/// The most characters of a text.
const TEXT: usize = 160;

/// The history of this container, and of those it shares `/data` with.
#[derive(Debug)]
pub(crate) struct BlackBox {
    shelf: Shelf,
    boot: String,
    hostname: String,
    /// What is not written yet, oldest first; usually nothing.
    unwritten: VecDeque<Vec<u8>>,
}

impl BlackBox {
    /// That of this boot. Nothing is read or written yet.
    pub(crate) fn new(shelf: Shelf, boot: &str) -> Self {
        let hostname = nix::unistd::gethostname().unwrap_or_default();
        Self {
            shelf,
            boot: boot.into(),
            hostname: log::plain(&hostname.to_string_lossy(), 64),
            unwritten: VecDeque::new(),
        }
    }

    /// How the boot before this one ended; none where nothing is known of it.
    ///
    /// That is the last boot under this host name. Where there is none the container may have been
    /// made anew, so it is the last one that has left; one that has not may be that of another
    /// container, which shares `/data` and runs.
    pub(crate) fn previous(&self) -> Option<PreviousBoot> {
        let mut bytes = self.shelf.read_end(RING.current, LAST).ok()?;
        // Just turned: what is looked for is in the other one.
        if bytes.len() < 4096
            && let Ok(mut older) = self.shelf.read_end(RING.full, LAST)
        {
            older.append(&mut bytes);
            bytes = older;
        }
        let entries: Vec<HistoryEntry> = newest_first(&bytes)
            .filter(|entry| entry.boot != self.boot)
            .collect();
        let ours = |entry: &&HistoryEntry| entry.hostname.as_deref() == Some(&self.hostname);
        let left = |entry: &&HistoryEntry| entry.event == HistoryEvent::Exit;
        let newest = entries
            .iter()
            .find(ours)
            .or_else(|| entries.iter().find(left))?;
        let of_it = || entries.iter().filter(|entry| entry.boot == newest.boot);
        let last = of_it().find(|entry| entry.event == HistoryEvent::State);
        let exit = of_it().find(left);
        let why = exit.filter(|entry| entry.cause.is_some()).or(last);
        Some(PreviousBoot {
            boot: newest.boot.clone(),
            at: newest.at,
            state: last.and_then(|entry| entry.state).unwrap_or(State::Boot),
            cause: why
                .and_then(|entry| entry.cause.clone())
                .unwrap_or_default(),
            exit: exit.and_then(|entry| entry.exit),
        })
    }

    /// The agent begins.
    ///
    /// # Errors
    /// As of all of these: when it cannot be written. It is then kept for this boot.
    pub(crate) fn boot(&mut self, version: Option<String>) -> io::Result<()> {
        let entry = HistoryEntry {
            version,
            ..self.entry(HistoryEvent::Boot)
        };
        self.put(&entry, Lasting::Cached)
    }

    /// The state changed.
    ///
    /// # Errors
    /// See [`Self::boot`].
    pub(crate) fn state(&mut self, report: &TransitionReport) -> io::Result<()> {
        let entry = HistoryEntry {
            at: report.at,
            state: Some(report.state),
            cause: Some(log::plain(&report.cause, TEXT)),
            lasted_ms: Some(report.lasted_ms),
            ..self.entry(HistoryEvent::State)
        };
        self.put(&entry, Lasting::Cached)
    }

    /// A script failed.
    ///
    /// # Errors
    /// See [`Self::boot`].
    pub(crate) fn hook(&mut self, run: &HookRun) -> io::Result<()> {
        let entry = HistoryEntry {
            state: Some(run.state),
            name: Some(run.hook.clone()),
            cause: run.detail.as_deref().map(|text| log::plain(text, TEXT)),
            exit: run.exit,
            lasted_ms: Some(run.duration_ms),
            ..self.entry(HistoryEvent::Hook)
        };
        self.put(&entry, Lasting::Cached)
    }

    /// A service ended by itself: how, in words, and the status as a shell would report it.
    ///
    /// # Errors
    /// See [`Self::boot`].
    pub(crate) fn service(
        &mut self,
        name: &str,
        state: State,
        cause: &str,
        exit: Option<i32>,
    ) -> io::Result<()> {
        let entry = HistoryEntry {
            state: Some(state),
            name: Some(log::plain(name, TEXT)),
            cause: Some(log::plain(cause, TEXT)),
            exit,
            ..self.entry(HistoryEvent::Service)
        };
        self.put(&entry, Lasting::Cached)
    }

    /// The agent leaves with this exit code, for a reason that no change of state has told.
    ///
    /// # Errors
    /// See [`Self::boot`].
    pub(crate) fn exit(&mut self, code: i32, cause: Option<&str>) -> io::Result<()> {
        let entry = HistoryEntry {
            cause: cause.map(|text| log::plain(text, TEXT)),
            exit: Some(code),
            ..self.entry(HistoryEvent::Exit)
        };
        let lasting = if code == 0 {
            Lasting::Cached
        } else {
            Lasting::Synced
        };
        self.put(&entry, lasting)
    }

    /// The newest entries that fit into `most` bytes, oldest first.
    pub(crate) fn history(&self, most: usize) -> HistoryAnswer {
        let mut entries = Vec::new();
        let mut room = most;
        let mut take = |bytes: &[u8]| {
            for entry in newest_first(bytes) {
                // With the comma between two.
                let size = serde_json::to_vec(&entry).map_or(0, |line| line.len() + 1);
                if size > room {
                    return false;
                }
                room -= size;
                entries.push(entry);
            }
            true
        };
        let unwritten: Vec<u8> = self.unwritten.iter().flatten().copied().collect();
        let mut fits = take(&unwritten);
        for name in [RING.current, RING.full] {
            // One that is not there holds nothing.
            let bytes = self.shelf.read_end(name, MOST).unwrap_or_default();
            fits = fits && take(&bytes);
        }
        entries.reverse();
        HistoryAnswer { entries }
    }

    fn entry(&self, event: HistoryEvent) -> HistoryEntry {
        HistoryEntry {
            at: clock::wall(),
            boot: self.boot.clone(),
            hostname: Some(self.hostname.clone()).filter(|name| !name.is_empty()),
            event,
            state: None,
            name: None,
            cause: None,
            exit: None,
            lasted_ms: None,
            version: None,
        }
    }

    /// Without `/data` there is nothing to outlive this boot, and nothing is wrong with that. What
    /// happens before it has its mark waits for that.
    fn put(&mut self, entry: &HistoryEntry, lasting: Lasting) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        if self.unwritten.len() >= KEPT {
            self.unwritten.pop_front();
        }
        self.unwritten.push_back(line);
        let lines: Vec<u8> = self.unwritten.iter().flatten().copied().collect();
        match self.shelf.append(RING, &lines, lasting) {
            Ok(()) => {
                self.unwritten = VecDeque::new();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The lines that are entries, the newest first. Others, such as a torn one, are passed over.
fn newest_first(bytes: &[u8]) -> impl Iterator<Item = HistoryEntry> + '_ {
    bytes
        .rsplit(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<HistoryEntry>(line).ok())
        .map(made_plain)
}

/// Whoever can write to `/data` can have written this.
fn made_plain(mut entry: HistoryEntry) -> HistoryEntry {
    let plain = |text: &mut String| *text = log::plain(text, TEXT);
    plain(&mut entry.boot);
    [
        &mut entry.name,
        &mut entry.cause,
        &mut entry.version,
        &mut entry.hostname,
    ]
    .into_iter()
    .flatten()
    .for_each(plain);
    entry
}

/// A line for the log on how the boot before ended; none when it ended well.
pub(crate) fn told(previous: &PreviousBoot) -> Option<String> {
    let PreviousBoot {
        at, state, cause, ..
    } = previous;
    let seen = |at: &Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    match previous.exit {
        Some(0) => None,
        Some(code) => Some(format!(
            "the boot before left with exit code {code} at {}, in {state}: {cause}",
            seen(at)
        )),
        None => Some(format!(
            "the boot before ended without a word in {state} (killed, or the host went down), last seen {}",
            seen(at)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, LogFormat};
    use std::fs;
    use std::path::Path;
    use whaleware::protocol::MAX_LINE;

    fn black_box(root: &Path, boot: &str, hostname: &str) -> BlackBox {
        let environment = Environment {
            root: root.to_path_buf(),
            cfg: None,
            cfg_file: None,
            socket: None,
            log_format: LogFormat::Text,
            version: None,
            has_bad_version: false,
            #[cfg(debug_assertions)]
            test_fault: None,
        };
        fs::create_dir_all(root.join("data")).unwrap();
        fs::write(root.join("data/whaleup"), "").unwrap();
        BlackBox {
            hostname: hostname.into(),
            ..BlackBox::new(Shelf::of(&environment), boot)
        }
    }

    fn transition(state: State, cause: &str) -> TransitionReport {
        TransitionReport {
            number: 1,
            at: clock::wall(),
            from: None,
            state,
            cause: cause.into(),
            lasted_ms: 7,
            restarts: 0,
        }
    }

    #[test]
    fn the_boot_before_is_that_of_this_container() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        assert_eq!(black_box(root, "1", "web").previous(), None);
        let mut first = black_box(root, "1", "web");
        first.boot(Some("2.0".into())).unwrap();
        first
            .state(&transition(State::Up, "warmup finished"))
            .unwrap();
        // Another container on the same data, which runs.
        let mut other = black_box(root, "2", "db");
        other.boot(None).unwrap();
        other
            .state(&transition(State::Error, "svcup exited 1"))
            .unwrap();
        let previous = black_box(root, "3", "web").previous().unwrap();
        assert_eq!(
            (&*previous.boot, previous.state, previous.exit),
            ("1", State::Up, None)
        );
        assert!(told(&previous).unwrap().contains("without a word in UP"));
        // A container made anew: nobody of its name is known, and nobody has left.
        assert_eq!(black_box(root, "3", "new").previous(), None);
        other.exit(1, None).unwrap();
        let previous = black_box(root, "3", "new").previous().unwrap();
        assert_eq!((&*previous.boot, previous.exit), ("2", Some(1)));
        let text = told(&previous).unwrap();
        assert!(text.ends_with("in ERROR: svcup exited 1"), "{text}");
    }

    #[test]
    fn it_stays_small_and_answers_with_the_newest_that_fit() {
        let tree = tempfile::tempdir().unwrap();
        let mut black_box = black_box(tree.path(), "1", "web");
        for number in 0..2000 {
            let cause = format!("{number} {}", "\"".repeat(400));
            black_box.state(&transition(State::Up, &cause)).unwrap();
            black_box
                .service("api", State::Up, "exited 3", Some(3))
                .unwrap();
        }
        for name in [RING.current, RING.full] {
            let path = tree.path().join("data/.ww").join(name);
            assert!(fs::metadata(path).unwrap().len() <= RING.most);
        }
        let answer = black_box.history(MAX_LINE);
        let line = serde_json::to_vec(&answer.entries).unwrap();
        assert!(line.len() <= MAX_LINE + 2 && line.len() > MAX_LINE / 2);
        let last = answer.entries.last().unwrap();
        assert_eq!((last.event, last.exit), (HistoryEvent::Service, Some(3)));
        assert!(answer.entries.len() > 50);
    }

    #[test]
    fn lines_that_are_no_entries_are_passed_over() {
        let tree = tempfile::tempdir().unwrap();
        let mut black_box = black_box(tree.path(), "1", "web");
        black_box.boot(None).unwrap();
        let path = tree.path().join("data/.ww").join(RING.current);
        let mut text = fs::read(&path).unwrap();
        text.extend(b"\n\xff\n[]\n{\"at\":\"2026-11-22T16:15:30Z\",\"boot\":\"x\\u001b\",\"event\":\"later\"}\n{\"at\":\"20");
        fs::write(&path, text).unwrap();
        black_box.exit(0, None).unwrap();
        let entries = black_box.history(MAX_LINE).entries;
        let events: Vec<_> = entries.iter().map(|entry| entry.event).collect();
        assert_eq!(
            events,
            [
                HistoryEvent::Boot,
                HistoryEvent::Unknown,
                HistoryEvent::Exit
            ]
        );
        assert_eq!(entries[1].boot, "x");
    }

    #[test]
    fn without_data_or_its_mark_it_is_kept_for_this_boot() {
        let tree = tempfile::tempdir().unwrap();
        let mut black_box = black_box(tree.path(), "1", "web");
        let data = tree.path().join("data");
        fs::remove_dir_all(&data).unwrap();
        black_box.boot(None).unwrap();
        fs::create_dir(&data).unwrap();
        black_box.state(&transition(State::Up, "x")).unwrap();
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
        assert_eq!(black_box.history(MAX_LINE).entries.len(), 2);
        fs::write(data.join("whaleup"), "").unwrap();
        black_box.exit(0, None).unwrap();
        assert!(black_box.unwritten.is_empty());
        assert_eq!(black_box.history(MAX_LINE).entries.len(), 3);
    }
}
