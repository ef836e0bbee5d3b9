//! What the agent's binary does besides being PID 1: small programs that end.
//!
//! Each takes its arguments and answers with an exit code. What they print goes through
//! [`terminal`].

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;
use whaleware::spelling::nearest;

mod attach;
mod backup;
mod cfg;
mod check;
mod client;
mod health;
mod help;
mod hookdir;
mod legible;
mod notify;
mod status;
mod terminal;
mod usage;
mod version;

use usage::Usage;

/// It could not be done, or what was asked about is not well.
const FAILED: u8 = 1;
/// The arguments cannot be used; for `cfg` the filter too.
const USAGE: u8 = 2;
/// The filter of `cfg` failed while it ran; jq's own number.
const FILTER_FAILED: u8 = 5;

/// What the program is called for.
pub(crate) enum Wanted {
    /// An applet, which has done its work.
    Done(ExitCode),
    /// The life cycle, which is no applet; for one command alone where one is given.
    LifeCycle(Option<Vec<OsString>>),
}

/// Does what the program's name or the first argument asks for.
///
/// `program` is the name the binary was called by, `arguments` what follows it. `/ww/run` and
/// `ww-agent run` want the life cycle.
#[must_use]
pub(crate) fn dispatch(program: &OsStr, arguments: &[OsString]) -> Wanted {
    let name = Path::new(program).file_name().unwrap_or(program);
    if name == "cfg" {
        return Wanted::Done(ExitCode::from(cfg::main(Usage::new("cfg"), arguments)));
    }
    if name == "run" {
        return life_cycle(Usage::new("run"), arguments);
    }
    let Some((applet, arguments)) = arguments.split_first() else {
        terminal::complain(help::PROGRAM);
        return Wanted::Done(ExitCode::from(USAGE));
    };
    let code = match applet.to_string_lossy().as_ref() {
        "run" => return life_cycle(Usage::new("ww-agent run"), arguments),
        "cfg" => cfg::main(Usage::new("ww-agent cfg"), arguments),
        "status" => status::main(Usage::new("ww-agent status"), arguments),
        "attach" => attach::main(Usage::new("ww-agent attach"), arguments),
        "health" => health::main(Usage::new("ww-agent health"), arguments),
        "notify" => notify::main(Usage::new("ww-agent notify"), arguments),
        "backup" => backup::main(Usage::new("ww-agent backup"), arguments),
        "check" => check::main(Usage::new("ww-agent check"), arguments),
        // The agent's own: nobody else has a use for it.
        "hook-directory" => hookdir::main(Usage::new("ww-agent hook-directory"), arguments),
        "version" => version::main(Usage::new("ww-agent version"), arguments),
        "-V" | "--version" => version::main(Usage::new("ww-agent version"), &[]),
        "help" | "-h" | "--help" => help::main(arguments),
        other => unknown(other),
    };
    Wanted::Done(ExitCode::from(code))
}

/// The life cycle has no options but the one for help; after `--` comes a command.
fn life_cycle(usage: Usage, arguments: &[OsString]) -> Wanted {
    let mut words = arguments.iter();
    match words.next() {
        None => Wanted::LifeCycle(None),
        Some(first) if first == "-h" || first == "--help" => {
            Wanted::Done(ExitCode::from(terminal::print(help::RUN)))
        }
        Some(first) if first == "--" => {
            let command: Vec<OsString> = words.cloned().collect();
            if command.is_empty() {
                return Wanted::Done(ExitCode::from(usage.wrong("a command must follow `--`")));
            }
            Wanted::LifeCycle(Some(command))
        }
        Some(first) => {
            let first = legible::line(&first.to_string_lossy());
            let what = format!(
                "there is no argument `{first}`; a command to run comes after `--`: run -- {first}"
            );
            Wanted::Done(ExitCode::from(usage.wrong(&what)))
        }
    }
}

fn unknown(word: &str) -> u8 {
    let word = legible::line(word);
    let hint = nearest(&word, &help::APPLETS)
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    terminal::complain(&format!(
        "ww-agent: there is no applet `{word}`{hint}\nTry: ww-agent --help\n"
    ));
    USAGE
}
