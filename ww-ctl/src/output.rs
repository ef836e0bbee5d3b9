//! The one place that writes: data to stdout, talk to stderr.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use bytes::Bytes;
use crossterm::style::Stylize;
use whaleware::env;

use crate::environment::variable;
use crate::exit::{Exit, Failure};
use crate::table::cut;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// What happens.
    Normal,
    /// How it is done as well.
    Verbose,
}

/// What a piece of text means, for those who see colours. The words say the same without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// On its way.
    Busy,
    /// Wants a look.
    Bad,
    /// Of lesser interest.
    Dim,
    /// A heading.
    Strong,
}

/// One text of several lines, each with its end.
pub(crate) fn lines(all: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in all {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Writes to both streams.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says what one of the two streams can do"
)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    verbosity: Verbosity,
    colour: bool,
    terminal: bool,
    /// Whether talk is coloured.
    lively: bool,
    /// Whether talk can be taken back and written anew.
    rewrites: bool,
    /// Whether data may be wider than the terminal.
    uncut: bool,
}

impl Output {
    /// For this program's own streams. Colour only on a terminal, and only if nobody objects.
    pub(crate) fn new(verbosity: Verbosity, no_colour: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let dumb = variable("TERM").is_some_and(|terminal| terminal == "dumb");
        let objected = no_colour || variable(env::NO_COLOR).is_some() || dumb;
        let talks = io::stderr().is_terminal();
        Self {
            verbosity,
            colour: terminal && !objected,
            terminal,
            lively: talks && !objected,
            rewrites: talks && !dumb && verbosity >= Verbosity::Normal,
            uncut: false,
        }
    }

    /// The same, with nothing of the data cut where the terminal is too narrow for it.
    pub(crate) const fn uncut(mut self) -> Self {
        self.uncut = true;
        self
    }

    /// Whether data goes to a terminal, which must see nothing it would obey.
    pub(crate) const fn is_terminal(self) -> bool {
        self.terminal
    }

    /// Whether colours are seen and nobody objects to them.
    pub(crate) const fn has_colour(self) -> bool {
        self.colour
    }

    /// Whether somebody is there to answer questions.
    pub(crate) fn can_ask() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// The columns data may take; none where there is no terminal, or nothing is to be cut.
    pub(crate) fn width(self) -> Option<usize> {
        if !self.terminal || self.uncut {
            return None;
        }
        crossterm::terminal::size()
            .ok()
            .map(|(columns, _)| usize::from(columns))
            .filter(|columns| *columns > 0)
    }

    /// A text in its colour, where colours are seen.
    pub(crate) fn paint(self, text: &str, tone: Tone) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => text.green().to_string(),
            Tone::Busy => text.yellow().to_string(),
            Tone::Bad => text.red().bold().to_string(),
            Tone::Dim => text.dark_grey().to_string(),
            Tone::Strong => text.bold().to_string(),
        }
    }

    /// A name in a colour of its own, where colours are seen, so that it is told from its neighbours.
    pub(crate) fn paint_apart(self, name: &str, number: usize) -> String {
        if !self.colour || name.is_empty() {
            return name.to_owned();
        }
        match number % 6 {
            0 => name.cyan(),
            1 => name.magenta(),
            2 => name.green(),
            3 => name.yellow(),
            4 => name.blue(),
            _ => name.dark_cyan(),
        }
        .to_string()
    }

    /// Writes lines of data at once.
    ///
    /// # Errors
    /// When they cannot be written; [`Failure::unread`] when nobody reads them.
    pub(crate) fn data(self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes data as it is.
    ///
    /// # Errors
    /// When it cannot be written; [`Failure::unread`] when nobody reads it.
    #[expect(clippy::unused_self, reason = "data goes to this output and no other")]
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        write_now(&mut io::stdout().lock(), bytes)
    }

    /// Passes on what another program wrote, to the same of the two streams. Whoever waits for it may
    /// stop waiting at any time, however slow the reader is.
    ///
    /// # Errors
    /// When it cannot be written; [`Failure::unread`] when nobody reads it.
    pub(crate) async fn pass(self, bytes: Bytes, as_talk: bool) -> Result<(), Failure> {
        let written = tokio::task::spawn_blocking(move || {
            if as_talk {
                write_now(&mut io::stderr().lock(), &bytes)
            } else {
                write_now(&mut io::stdout().lock(), &bytes)
            }
        });
        written.await.unwrap_or_else(|_| Err(Failure::unread()))
    }

    /// Whether only what went wrong is said.
    pub(crate) const fn is_quiet(self) -> bool {
        matches!(self.verbosity, Verbosity::Quiet)
    }

    /// Says what happens.
    pub(crate) fn say(self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            talk(text);
        }
    }

    /// Says how something is done, to those who asked for it.
    pub(crate) fn detail(self, text: &str) {
        if self.verbosity >= Verbosity::Verbose {
            talk(text);
        }
    }

    /// Says something that must not be missed.
    pub(crate) fn warn(self, text: &str) {
        let warning = if self.lively {
            "warning:".yellow().to_string()
        } else {
            "warning:".to_owned()
        };
        talk(&format!("ww-ctl: {warning} {text}"));
    }

    /// Says why the program ends.
    pub(crate) fn failure(self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        let name = if self.lively {
            "ww-ctl:".red().to_string()
        } else {
            "ww-ctl:".to_owned()
        };
        talk(&format!("{name} {}", failure.message));
        if let Some(hint) = &failure.hint {
            talk(&format!("  {hint}"));
        }
    }

    /// Whether lines of talk can be replaced by others, as what goes on changes.
    pub(crate) const fn rewrites(self) -> bool {
        self.rewrites
    }

    /// Replaces the last `before` lines of talk by these, none longer than the terminal is wide and
    /// no more than it is high. How many there are now.
    pub(crate) fn rewrite(self, before: usize, all: &[String]) -> usize {
        if !self.rewrites || (before == 0 && all.is_empty()) {
            return 0;
        }
        let (columns, rows) = crossterm::terminal::size().unwrap_or((80, 24));
        let shown = all.len().min(usize::from(rows.saturating_sub(1)));
        let mut text = String::new();
        if before > 0 {
            // Up to the first of them, and everything below away.
            let _never = write!(text, "\x1b[{before}A\r\x1b[J");
        }
        for line in &all[..shown] {
            text.push_str(&cut(line, usize::from(columns).saturating_sub(1)));
            text.push('\n');
        }
        let _gone = io::stderr().lock().write_all(text.as_bytes());
        shown
    }

    /// Asks a question that is answered by yes or no; no unless the answer is yes. Somebody who
    /// waits for the answer may stop waiting at any time.
    pub(crate) async fn confirm(question: String) -> bool {
        // Reading a terminal blocks; signals must end the program all the same.
        let asked = tokio::task::spawn_blocking(move || ask(&question));
        asked.await.unwrap_or(false)
    }
}

fn write_now(to: &mut impl Write, bytes: &[u8]) -> Result<(), Failure> {
    let written = to.write_all(bytes).and_then(|()| to.flush());
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::unread()
        } else {
            Failure::new(Exit::Failed, format!("cannot write the output: {error}"))
                .hint("is the disk full, or the terminal gone?")
        }
    })
}

fn ask(question: &str) -> bool {
    let mut stderr = io::stderr().lock();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    drop(stderr);
    if asked.is_err() {
        return false;
    }
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if !answer.ends_with('\n') {
        // Ctrl-D leaves the cursor behind the question.
        talk("");
    }
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// stderr may be gone; there is nobody left to tell.
fn talk(text: &str) {
    let _gone = writeln!(io::stderr().lock(), "{text}");
}
