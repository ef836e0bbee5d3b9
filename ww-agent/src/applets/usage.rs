//! Reads the arguments of an applet by hand: the agent is to stay small.

use std::ffi::{OsStr, OsString};

use whaleware::spelling::nearest;

use super::{USAGE, legible, terminal};

/// How an applet was called, for its complaints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    called: &'static str,
}

/// One argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Argument<'a> {
    /// `-x` or `--long`, with what follows an equals sign.
    Flag(&'a str, Option<&'a str>),
    /// Anything else.
    Word(&'a OsStr),
}

impl Usage {
    pub(super) const fn new(called: &'static str) -> Self {
        Self { called }
    }

    /// Complains, and answers with the exit code for it.
    pub(super) fn wrong(self, what: &str) -> u8 {
        let called = self.called;
        terminal::complain(&format!("{called}: {what}\nTry: {called} --help\n"));
        USAGE
    }

    /// Says why something could not be done, and answers with this exit code.
    pub(super) fn failed(self, why: &str, code: u8) -> u8 {
        terminal::complain(&format!("{}: {why}\n", self.called));
        code
    }

    /// Complains about a flag that does not exist.
    pub(super) fn unknown_flag(self, flag: &str, known: &[&'static str]) -> u8 {
        let flag = legible::line(flag);
        let hint = nearest(&flag, known)
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        self.wrong(&format!("there is no option `{flag}`{hint}"))
    }

    /// Complains about an argument too many.
    pub(super) fn too_many(self, word: &OsStr) -> u8 {
        let word = legible::line(&word.to_string_lossy());
        self.wrong(&format!("one argument too many: `{word}`"))
    }
}

/// The arguments one by one. After `--` everything is a word; so is `-` alone, and what is not UTF-8.
pub(super) fn read(arguments: &[OsString]) -> impl Iterator<Item = Argument<'_>> {
    let mut words_only = false;
    arguments.iter().filter_map(move |argument| {
        let Some(text) = argument.to_str().filter(|_| !words_only) else {
            return Some(Argument::Word(argument));
        };
        if text == "--" {
            words_only = true;
            return None;
        }
        if text.len() < 2 || !text.starts_with('-') {
            return Some(Argument::Word(argument));
        }
        Some(match text.split_once('=') {
            Some((flag, value)) if text.starts_with("--") => Argument::Flag(flag, Some(value)),
            _ => Argument::Flag(text, None),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_flags_words_and_the_end_of_flags() {
        let given: Vec<OsString> = ["-c", "--root=/x", "-", "--", "-h"].map(Into::into).into();
        let seen: Vec<_> = read(&given).collect();
        assert_eq!(
            seen,
            [
                Argument::Flag("-c", None),
                Argument::Flag("--root", Some("/x")),
                Argument::Word(OsStr::new("-")),
                Argument::Word(OsStr::new("-h")),
            ]
        );
    }
}
