//! What the journal tells: the two lines of each action, joined.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::file::{FileError, open_all};
use super::line::{Begun, Ended, Line, Result as TargetResult, Target};

/// An action as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// When it began.
    pub at: Timestamp,
    /// Who acted.
    pub by: String,
    /// The user's number; none where the line of its beginning is lost.
    pub uid: Option<u32>,
    /// The machine it was called on.
    pub from: String,
    /// What was done.
    pub action: String,
    /// The command line, without secrets.
    pub command: Vec<String>,
    /// What it was done to.
    pub targets: Vec<Target>,
    /// How it ended.
    pub ending: Ending,
    /// The process that acted, and when that was started.
    process: (u32, u64),
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has not, and whoever acts is still there.
    UnderWay,
    /// It has not, and nobody is there any more who could tell.
    Unknown,
    /// It has.
    Ended {
        /// The exit code.
        exit: u8,
        /// How it ended as a whole, where there is something to say.
        words: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// How it ended for each target.
        results: Vec<TargetResult>,
    },
}

/// All that the journal has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The actions, in the order they were begun.
    pub actions: Vec<Recorded>,
    /// So many lines were torn, or are none of ours.
    pub unreadable: usize,
}

/// Reads the journal at this path. One that is not there is empty.
///
/// # Errors
/// When there is one that cannot be read.
pub(crate) fn read(path: &Path, host: &str) -> Result<Kept, FileError> {
    let mut reader = Reader::default();
    for file in open_all(path)? {
        for line in BufReader::new(file).split(b'\n') {
            reader.take(&line.map_err(|source| FileError::File {
                what: "read",
                path: path.to_owned(),
                source,
            })?);
        }
    }
    let mut kept = reader.kept;
    for action in &mut kept.actions {
        let (pid, since) = action.process;
        let is_there = || action.from == host && since != 0 && started(pid) == Some(since);
        if action.ending == Ending::Unknown && is_there() {
            action.ending = Ending::UnderWay;
        }
    }
    Ok(kept)
}

/// When a process was started, in ticks since this machine was; none when there is none.
pub(super) fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name, in parentheses, may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[derive(Debug, Default)]
struct Reader {
    kept: Kept,
    /// The place of each action that has begun.
    places: HashMap<String, usize>,
}

impl Reader {
    fn take(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        match serde_json::from_slice(line) {
            Ok(Line::Begun(begun)) => {
                let place = self.kept.actions.len();
                self.places.insert(begun.entry.clone(), place);
                self.kept.actions.push(begun.into());
            }
            Ok(Line::Ended(ended)) => match self.places.remove(&ended.entry) {
                Some(place) => self.kept.actions[place].end(ended),
                // The line of its beginning is too old to be kept, or torn.
                None => self.kept.actions.push(ended.into()),
            },
            Ok(Line::Unknown) => {}
            Err(_) => self.kept.unreadable += 1,
        }
    }
}

impl Recorded {
    fn end(&mut self, ended: Ended) {
        let Ended {
            exit,
            words,
            took_ms,
            results,
            ..
        } = ended;
        self.ending = Ending::Ended {
            exit,
            words,
            took_ms,
            results,
        };
    }
}

impl From<Begun> for Recorded {
    fn from(begun: Begun) -> Self {
        Self {
            at: begun.at,
            by: begun.by,
            uid: Some(begun.uid),
            from: begun.from,
            action: begun.action,
            command: begun.command,
            targets: begun.targets,
            ending: Ending::Unknown,
            process: (begun.pid, begun.process),
        }
    }
}

impl From<Ended> for Recorded {
    fn from(mut ended: Ended) -> Self {
        let took = i64::try_from(ended.took_ms).unwrap_or(0);
        let at = ended.at.checked_sub(SignedDuration::from_millis(took));
        let mut action = Self {
            at: at.unwrap_or(ended.at),
            by: std::mem::take(&mut ended.by),
            uid: None,
            from: String::new(),
            action: std::mem::take(&mut ended.action),
            command: Vec::new(),
            targets: ended.results.iter().map(|one| one.target.clone()).collect(),
            ending: Ending::Unknown,
            process: (0, 0),
        };
        action.end(ended);
        action
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(lines: &[&str]) -> Kept {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        std::fs::write(&path, lines.join("\n")).unwrap();
        read(&path, "ops1").unwrap()
    }

    fn begun(entry: &str, pid: u32, process: u64) -> String {
        format!(
            r#"{{"type":"begun","schema":1,"entry":"{entry}","at":"2026-11-22T16:15:00Z","by":"alice@ops1","uid":1000,"from":"ops1","pid":{pid},"process":{process},"action":"restart","command":["ww-ctl","restart","shop"],"targets":[{{"host":"local","id":"aa","name":"shop"}}],"later":1}}"#
        )
    }

    const ENDED: &str = r#"{"type":"ended","schema":1,"entry":"e1","at":"2026-11-22T16:15:02Z","by":"alice@ops1","action":"restart","exit":1,"words":"","took_ms":2000,"results":[{"host":"local","id":"aa","name":"shop","ok":false,"words":"ERROR","took_ms":1900}]}"#;

    #[test]
    fn the_two_lines_of_an_action_are_one() {
        let kept = kept(&[&begun("e1", 1, 1), &begun("e2", 0, 0), ENDED]);
        assert_eq!(kept.unreadable, 0);
        let [first, second] = kept.actions.as_slice() else {
            panic!("{kept:?}");
        };
        let Ending::Ended { exit, results, .. } = &first.ending else {
            panic!("{first:?}");
        };
        assert_eq!((*exit, results[0].words.as_str()), (1, "ERROR"));
        assert_eq!(results[0].target, first.targets[0]);
        assert_eq!(second.ending, Ending::Unknown);
    }

    #[test]
    fn what_is_under_way_is_told_from_what_was_killed() {
        let own = std::process::id();
        let since = started(own).unwrap();
        let kept = kept(&[&begun("e1", own, since), &begun("e2", own, since + 1)]);
        let endings: Vec<_> = kept.actions.iter().map(|one| &one.ending).collect();
        assert_eq!(endings, [&Ending::UnderWay, &Ending::Unknown]);
    }

    #[test]
    fn torn_lines_are_counted_and_those_of_later_versions_passed_over() {
        let kept = kept(&[
            r#"{"type":"begun","ent"#,
            "\u{0}\u{0}",
            "",
            r#"{"type":"undone","schema":2,"entry":"e1"}"#,
            ENDED,
        ]);
        assert_eq!(kept.unreadable, 2);
        // Its beginning is lost; that it happened is not.
        assert_eq!(kept.actions.len(), 1);
        assert_eq!(kept.actions[0].at.to_string(), "2026-11-22T16:15:00Z");
        assert_eq!(kept.actions[0].targets[0].name, "shop");
        assert_eq!(kept.actions[0].uid, None);
    }

    #[test]
    fn no_journal_is_an_empty_one() {
        assert_eq!(
            read(Path::new("/nonexistent/audit"), "").unwrap(),
            Kept::default()
        );
    }
}
