//! Which image's version began `firstboot` or `upgrade` on this `/data`, and whether it ended.
//!
//! What is not known to have ended well did not: each beginning is on the disk before the script
//! runs, each end after it has. Whatever kills the agent in between, the next boot sees a beginning
//! without an end.
//!
//! A `firstboot` may want to find `/data` empty. So as long as `/data` has no mark, what is known of it is
//! noted on `/data` itself, where no listing shows it; the file takes its place once there is a mark.

use std::io;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use whaleware::config::MAX_VERSION;
use whaleware::env;
use whaleware::lifecycle::Hook;
use whaleware::paths;

use crate::clock;
use crate::log;
use crate::shelf::{Lasting, Shelf};

/// The file.
const NAME: &str = "journal.json";
/// What one is renamed to that cannot be used.
const BAD: &str = "journal.json.bad";
/// The most bytes read of it; one of ours has about 600.
const MOST: usize = 16 * 1024;
/// The version of its form.
const SCHEMA: u32 = 1;
/// What is set for these scripts, and only then.
const VARIABLES: [&str; 5] = [
    env::WW_FROM_VERSION,
    env::WW_TO_VERSION,
    env::WW_PREVIOUS_ATTEMPT,
    env::WW_PREVIOUS_ATTEMPT_VERSION,
    env::WW_PREVIOUS_ATTEMPT_AT,
];

/// How a script that changes `/data` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum End {
    /// It is done.
    Ok,
    /// It failed, and its policy takes that for done.
    Tolerated,
    /// It failed.
    Failed,
    /// A stop came first.
    Cut,
}

impl End {
    const fn is_done(self) -> bool {
        matches!(self, Self::Ok | Self::Tolerated)
    }
}

/// One run of a script that changes `/data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    /// The version of the image it was of.
    version: Option<String>,
    boot: String,
    begun: Timestamp,
    /// None as long as it runs, and for ever when the agent did not live to see its end.
    result: Option<End>,
    ended: Option<Timestamp>,
    exit: Option<i32>,
}

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    schema: u32,
    /// The version that last brought `/data` up to date.
    version: Option<String>,
    firstboot: Option<Attempt>,
    upgrade: Option<Attempt>,
}

impl Default for Content {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            version: None,
            firstboot: None,
            upgrade: None,
        }
    }
}

impl Content {
    const fn of(&mut self, hook: Hook) -> Option<&mut Option<Attempt>> {
        match hook {
            Hook::Firstboot => Some(&mut self.firstboot),
            Hook::Upgrade => Some(&mut self.upgrade),
            Hook::Boot
            | Hook::Svcup
            | Hook::Warmup
            | Hook::Monitor
            | Hook::Svcdown
            | Hook::Lifecycle
            | Hook::Pushstats
            | Hook::Backup
            | Hook::Restore => None,
        }
    }

    /// Whoever can write to `/data` can have written this.
    fn made_plain(mut self) -> Self {
        let plain = |text: &mut String| *text = log::plain(text, MAX_VERSION);
        self.version.iter_mut().for_each(plain);
        for attempt in [&mut self.firstboot, &mut self.upgrade]
            .into_iter()
            .flatten()
        {
            attempt.version.iter_mut().for_each(plain);
            plain(&mut attempt.boot);
        }
        self
    }
}

/// What a script is told of what was before, as variables; those without a value must not be set.
pub(crate) type Variables = Vec<(&'static str, Option<String>)>;

/// What has become of what was to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is on the disk; or there is nothing it could be about.
    Safe,
    /// `/data` is to stay empty, and nothing can be noted on it.
    Nowhere,
}

/// It could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {place}: {source}")]
pub(crate) struct NotKept {
    /// Where it was to be.
    pub(crate) place: &'static str,
    /// Why not.
    pub(crate) source: io::Error,
}

/// The journal, as it is on the disk and as it should be.
#[derive(Debug)]
pub(crate) struct Journal {
    shelf: Shelf,
    boot: String,
    own: Option<String>,
    content: Content,
    written: Content,
    /// Something may be noted on `/data` itself.
    is_noted: bool,
}

impl Journal {
    /// Reads it, and says what is wrong with it if something is: it is put aside then, and nothing is
    /// known of what was before.
    pub(crate) fn open(
        shelf: Shelf,
        boot: &str,
        version: Option<String>,
        initialised: bool,
    ) -> (Self, Option<String>) {
        let (written, is_noted, complaint) = load(&shelf);
        let mut content = written.clone();
        // The mark is the last thing a firstboot does. There was no time to write that down here.
        if let Some(attempt) = &mut content.firstboot
            && initialised
            && attempt.result.is_none()
        {
            attempt.result = Some(End::Ok);
            content.version.clone_from(&attempt.version);
        }
        let journal = Self {
            shelf,
            boot: boot.into(),
            own: version,
            content,
            written,
            is_noted,
        };
        (journal, complaint)
    }

    /// The script is about to be started. What it is to be told, and whether that was written down.
    pub(crate) fn begin(&mut self, hook: Hook) -> (Variables, Result<Kept, NotKept>) {
        let variables = self.variables(hook);
        let attempt = Attempt {
            version: self.own.clone(),
            boot: self.boot.clone(),
            begun: clock::wall(),
            result: None,
            ended: None,
            exit: None,
        };
        if let Some(place) = self.content.of(hook) {
            *place = Some(attempt);
        }
        (variables, self.save())
    }

    /// What a script is told.
    fn variables(&mut self, hook: Hook) -> Variables {
        let from = self.content.version.clone().unwrap_or_default();
        let to = self.own.clone().unwrap_or_default();
        let unfinished = self
            .content
            .of(hook)
            .and_then(|attempt| attempt.clone())
            .and_then(|attempt| Some((previous(attempt.result)?, attempt)));
        VARIABLES
            .into_iter()
            .map(|name| {
                let value = match (name, &unfinished) {
                    (env::WW_TO_VERSION, _) => Some(to.clone()),
                    (env::WW_FROM_VERSION, _) => (hook == Hook::Upgrade).then(|| from.clone()),
                    (env::WW_PREVIOUS_ATTEMPT, Some((word, _))) => Some((*word).into()),
                    (env::WW_PREVIOUS_ATTEMPT_VERSION, Some((_, attempt))) => {
                        Some(attempt.version.clone().unwrap_or_default())
                    }
                    (env::WW_PREVIOUS_ATTEMPT_AT, Some((_, attempt))) => {
                        Some(attempt.begun.to_string())
                    }
                    (_, _) => None,
                };
                (name, value)
            })
            .collect()
    }

    /// The script has ended; `exit` is what a shell would report. One that is missing is done, too.
    ///
    /// # Errors
    /// When it cannot be written down. The next boot then takes it for interrupted.
    pub(crate) fn end(&mut self, hook: Hook, end: End, exit: Option<i32>) -> Result<Kept, NotKept> {
        let own = self.own.clone();
        let Some(place) = self.content.of(hook) else {
            return Ok(Kept::Safe);
        };
        if exit.is_none() && end.is_done() {
            // There is no such script, so whatever was unfinished needs nothing more.
            *place = None;
        } else if let Some(attempt) = place {
            attempt.result = Some(end);
            attempt.ended = Some(clock::wall());
            attempt.exit = exit;
        }
        if end.is_done() {
            self.content.version = own;
        }
        self.save()
    }

    /// Where there is no `/data` there is nothing that an interrupted script could have spoiled.
    fn save(&mut self) -> Result<Kept, NotKept> {
        if self.content == self.written {
            return Ok(Kept::Safe);
        }
        let (place, kept) = match self.shelf.is_open() {
            Ok(true) => (paths::OWN_DATA, self.write()),
            Ok(false) => (paths::DATA, self.write_unseen()),
            Err(error) => (paths::DATA, Err(error)),
        };
        match kept {
            Ok(Kept::Safe) => self.written = self.content.clone(),
            Ok(Kept::Nowhere) => {}
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Kept::Safe),
            Err(source) => return Err(NotKept { place, source }),
        }
        Ok(kept.unwrap_or(Kept::Safe))
    }

    /// Into the file. What is noted on `/data` is taken away after: of the two the file is believed.
    fn write(&mut self) -> io::Result<Kept> {
        let mut text = serde_json::to_vec_pretty(&self.content)?;
        text.push(b'\n');
        self.shelf.replace(NAME, &text, Lasting::Synced)?;
        if self.is_noted {
            self.is_noted = self.shelf.remove_note().is_err();
        }
        Ok(Kept::Safe)
    }

    /// Without anything that would be seen in a `/data` that is empty.
    fn write_unseen(&mut self) -> io::Result<Kept> {
        // Only a firstboot is before the mark.
        let text = serde_json::to_vec(&Content {
            firstboot: self.content.firstboot.clone(),
            ..Content::default()
        })?;
        match self.shelf.put_note(&text) {
            Ok(()) => {
                self.is_noted = true;
                Ok(Kept::Safe)
            }
            Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
            Err(_) if self.shelf.is_data_empty()? => Ok(Kept::Nowhere),
            Err(_) => {
                self.shelf.open_early()?;
                self.write()
            }
        }
    }
}

/// What an end is called for the run after it; none when it was a good one.
const fn previous(result: Option<End>) -> Option<&'static str> {
    match result {
        None => Some("interrupted"),
        Some(End::Failed) => Some("failed"),
        Some(End::Cut) => Some("cut"),
        Some(End::Ok | End::Tolerated) => None,
    }
}

/// What is known from before, whether something may be noted on `/data` itself, and what is wrong.
fn load(shelf: &Shelf) -> (Content, bool, Option<String>) {
    let found = match shelf.read(NAME, MOST) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return load_note(shelf),
        found => found,
    };
    // Whoever wrote the file had no time to take the note away.
    let absent =
        |found: io::Result<_>| found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let is_noted = !absent(shelf.note()) && shelf.remove_note().is_err();
    match parsed(found) {
        Ok(content) => (content, is_noted, None),
        Err(reason) => {
            let kept = match shelf.rename(NAME, BAD) {
                Ok(()) => format!("it is kept as {BAD}"),
                Err(error) => format!("and cannot be put aside: {error}"),
            };
            let text = format!(
                "cannot use /data/.ww/{NAME}: {reason}; {kept}, and it is not known which version \
                 /data is of"
            );
            (Content::default(), is_noted, Some(text))
        }
    }
}

fn load_note(shelf: &Shelf) -> (Content, bool, Option<String>) {
    let found = match shelf.note() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return (Content::default(), false, None);
        }
        found => found,
    };
    match parsed(found) {
        Ok(content) => {
            let content = Content {
                firstboot: content.firstboot,
                ..Content::default()
            };
            (content, true, None)
        }
        Err(reason) => {
            let text = format!(
                "cannot use what is noted on /data itself (user.ww.journal): {reason}; whether a \
                 firstboot was begun before is not known"
            );
            let is_noted = shelf.remove_note().is_err();
            (Content::default(), is_noted, Some(text))
        }
    }
}

/// Whoever can write to `/data` can have written this.
fn parsed(text: io::Result<Vec<u8>>) -> Result<Content, String> {
    let text = text.map_err(|error| error.to_string())?;
    let content: Content =
        serde_json::from_slice(&text).map_err(|_| "it is not one of this agent's".to_owned())?;
    if content.schema != SCHEMA {
        return Err(format!("it is of form {}, not {SCHEMA}", content.schema));
    }
    Ok(content.made_plain())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, LogFormat};
    use std::fs;
    use std::path::Path;

    fn open(root: &Path, version: &str, initialised: bool) -> (Journal, Option<String>) {
        let environment = Environment {
            root: root.to_path_buf(),
            cfg: None,
            cfg_file: None,
            socket: None,
            log_format: LogFormat::Text,
            has_bad_version: false,
            version: None,
            #[cfg(debug_assertions)]
            test_fault: None,
        };
        fs::create_dir_all(root.join("data")).unwrap();
        if initialised {
            fs::write(root.join("data/whaleup"), "").unwrap();
        }
        let shelf = Shelf::of(&environment);
        let version = (!version.is_empty()).then(|| version.to_owned());
        Journal::open(shelf, "b007", version, initialised)
    }

    fn journal(root: &Path, version: &str, initialised: bool) -> Journal {
        let (journal, complaint) = open(root, version, initialised);
        assert_eq!(complaint, None);
        journal
    }

    /// From, to, previous attempt, its version.
    fn told(journal: &mut Journal, hook: Hook) -> [Option<String>; 4] {
        let (variables, written) = journal.begin(hook);
        written.unwrap();
        let value = |name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.unwrap().1.clone()
        };
        [
            value(env::WW_FROM_VERSION),
            value(env::WW_TO_VERSION),
            value(env::WW_PREVIOUS_ATTEMPT),
            value(env::WW_PREVIOUS_ATTEMPT_VERSION),
        ]
    }

    fn words(words: [&str; 4]) -> [Option<String>; 4] {
        words.map(|word| (word != "-").then(|| word.to_owned()))
    }

    #[test]
    fn each_end_is_told_to_the_next_run_and_only_a_good_one_changes_the_version() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        let mut first = journal(root, "1", false);
        assert_eq!(
            told(&mut first, Hook::Firstboot),
            words(["-", "1", "-", "-"])
        );
        // Killed.
        let mut second = journal(root, "1", false);
        let seen = told(&mut second, Hook::Firstboot);
        assert_eq!(seen, words(["-", "1", "interrupted", "1"]));
        fs::write(root.join("data/whaleup"), "").unwrap();
        second.end(Hook::Firstboot, End::Ok, Some(0)).unwrap();
        let mut third = journal(root, "2", true);
        assert_eq!(told(&mut third, Hook::Upgrade), words(["1", "2", "-", "-"]));
        for (end, word) in [
            (None, "interrupted"),
            (Some(End::Failed), "failed"),
            (Some(End::Cut), "cut"),
        ] {
            let mut before = journal(root, "2", true);
            before.begin(Hook::Upgrade).1.unwrap();
            if let Some(end) = end {
                before.end(Hook::Upgrade, end, Some(3)).unwrap();
            }
            let mut after = journal(root, "", true);
            assert_eq!(
                told(&mut after, Hook::Upgrade),
                words(["1", "", word, "2"]),
                "{end:?}"
            );
        }
        let mut last = journal(root, "3", true);
        last.begin(Hook::Upgrade).1.unwrap();
        last.end(Hook::Upgrade, End::Tolerated, Some(9)).unwrap();
        let mut back = journal(root, "2", true);
        assert_eq!(told(&mut back, Hook::Upgrade), words(["3", "2", "-", "-"]));
    }

    #[test]
    fn the_mark_is_the_end_of_firstboot_and_nothing_else_is() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        journal(root, "1", false).begin(Hook::Firstboot).1.unwrap();
        // Killed between the mark and the journal.
        let mut marked = journal(root, "2", true);
        assert_eq!(
            told(&mut marked, Hook::Upgrade),
            words(["1", "2", "-", "-"])
        );
        // Killed before the mark.
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        journal(root, "1", false).begin(Hook::Firstboot).1.unwrap();
        let mut unmarked = journal(root, "2", false);
        let seen = told(&mut unmarked, Hook::Firstboot);
        assert_eq!(seen, words(["-", "2", "interrupted", "1"]));
    }

    #[test]
    fn before_the_mark_it_is_noted_on_data_itself_and_the_file_takes_its_place() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        let data = root.join("data");
        // As long as a version can be, in bytes and in JSON.
        for version in ["\u{10ffff}".repeat(MAX_VERSION), "\"".repeat(MAX_VERSION)] {
            let mut failing = journal(root, &version, false);
            told(&mut failing, Hook::Firstboot);
            let kept = failing.end(Hook::Firstboot, End::Failed, Some(255));
            assert_eq!(kept.unwrap(), Kept::Safe);
            assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
            let seen = told(&mut journal(root, "2", false), Hook::Firstboot);
            assert_eq!(seen, words(["-", "2", "failed", &version]));
        }
        let mut last = journal(root, "3", false);
        told(&mut last, Hook::Firstboot);
        let noted = last.shelf.note().unwrap();
        fs::write(data.join("whaleup"), "").unwrap();
        last.end(Hook::Firstboot, End::Ok, Some(0)).unwrap();
        let gone = last.shelf.note().unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        // Killed before it was taken away: the file is believed, and it is taken away then.
        last.shelf.put_note(&noted).unwrap();
        let mut after = journal(root, "4", true);
        assert_eq!(told(&mut after, Hook::Upgrade), words(["3", "4", "-", "-"]));
        assert!(after.shelf.note().is_err());
    }

    #[test]
    fn a_note_that_cannot_be_used_is_taken_away() {
        let deep = "[".repeat(1000);
        for content in [
            "",
            "{",
            "{\"schema\":2}",
            "\u{1b}[2J",
            &deep,
            "{\"schema\":1,\"firstboot\":7}",
        ] {
            let tree = tempfile::tempdir().unwrap();
            let (journal, _) = open(tree.path(), "1", false);
            journal.shelf.put_note(content.as_bytes()).unwrap();
            let (mut journal, complaint) = open(tree.path(), "1", false);
            let complaint = complaint.unwrap();
            assert!(complaint.contains("user.ww.journal"), "{complaint}");
            assert!(journal.shelf.note().is_err());
            let seen = told(&mut journal, Hook::Firstboot);
            assert_eq!(seen, words(["-", "1", "-", "-"]));
        }
        // Of one that can be used, the firstboot alone is believed.
        let tree = tempfile::tempdir().unwrap();
        let (journal, _) = open(tree.path(), "1", true);
        let text = "{\"schema\":1,\"version\":\"9\",\"firstboot\":{\"version\":\"a\\u0000\\nb\",\
                    \"boot\":\"x\",\"begun\":\"2026-11-22T16:15:30Z\",\"result\":\"failed\"},\
                    \"upgrade\":null}";
        journal.shelf.put_note(text.as_bytes()).unwrap();
        let (mut journal, _) = open(tree.path(), "2", true);
        let seen = told(&mut journal, Hook::Firstboot);
        assert_eq!(seen, words(["-", "2", "failed", "ab"]));
        let seen = told(&mut journal, Hook::Upgrade);
        assert_eq!(seen, words(["", "2", "-", "-"]));
    }

    #[test]
    fn an_image_without_scripts_or_version_writes_nothing() {
        let tree = tempfile::tempdir().unwrap();
        let mut journal = journal(tree.path(), "", false);
        journal.end(Hook::Firstboot, End::Ok, None).unwrap();
        journal.end(Hook::Upgrade, End::Ok, None).unwrap();
        assert!(!tree.path().join("data/.ww").exists());
    }

    #[test]
    fn one_that_cannot_be_used_is_put_aside() {
        let deep = "[".repeat(16_000);
        let long = "9".repeat(10 << 20);
        for content in [
            "",
            "{",
            "{}",
            "{\"schema\":2,\"version\":null,\"firstboot\":null,\"upgrade\":null}",
            &deep,
            &long,
        ] {
            let tree = tempfile::tempdir().unwrap();
            let own = tree.path().join("data/.ww");
            fs::create_dir_all(&own).unwrap();
            fs::write(own.join(NAME), content).unwrap();
            let (mut journal, complaint) = open(tree.path(), "2", true);
            assert!(complaint.unwrap().contains("kept as journal.json.bad"));
            assert_eq!(fs::read(own.join(BAD)).unwrap(), content.as_bytes());
            assert_eq!(
                told(&mut journal, Hook::Upgrade),
                words(["", "2", "-", "-"])
            );
        }
    }

    #[test]
    fn what_it_says_can_be_put_into_an_environment() {
        let tree = tempfile::tempdir().unwrap();
        let own = tree.path().join("data/.ww");
        fs::create_dir_all(&own).unwrap();
        let text =
            "{\"schema\":1,\"version\":\"a\\u0000\\nb\",\"firstboot\":null,\"upgrade\":null}";
        fs::write(own.join(NAME), text).unwrap();
        let mut journal = journal(tree.path(), "2", true);
        assert_eq!(
            told(&mut journal, Hook::Upgrade),
            words(["ab", "2", "-", "-"])
        );
    }
}
