//! `/ww/cfg FILTER`: prints a value of the current configuration.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Map, Value};
use whaleware::{config, paths};

use super::usage::{Argument, Usage, read};
use super::{FAILED, FILTER_FAILED, USAGE, help, legible, terminal};
use crate::environment::Environment;
use crate::filter::{self, Ended, FilterError, Layout, STACK, Strings, Style};

/// What a filter may need, its stack included, in bytes. A script's `repeat(.)` must not take the
/// container's memory away from the services.
const MEMORY: u64 = STACK as u64 + 256 * 1024 * 1024;
/// How much CPU time a filter may need, in seconds.
const CPU_SECONDS: u64 = 30;

struct Options {
    filter: String,
    style: Style,
}

pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    let options = match parse(usage, arguments) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let configuration = match configuration() {
        Ok(configuration) => configuration,
        Err(why) => return usage.failed(&why, FAILED),
    };
    limit();
    match print(&options, &configuration) {
        Ok(Ended::Finished) => 0,
        #[expect(
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            reason = "what the kernel keeps of an exit code"
        )]
        Ok(Ended::Halted(code)) => code as u8,
        Err(error) => {
            let code = match &error {
                FilterError::TooLong(_) | FilterError::Misfit(_) => USAGE,
                FilterError::Failed(_) | FilterError::TooMuch => FILTER_FAILED,
                FilterError::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe => {
                    return 0;
                }
                FilterError::Output(cause) => {
                    return usage.failed(&format!("{error}: {cause}"), FAILED);
                }
            };
            usage.failed(&error.to_string(), code)
        }
    }
}

fn parse(usage: Usage, arguments: &[OsString]) -> Result<Options, u8> {
    let mut filter = None;
    let mut style = Style {
        strings: Strings::Raw,
        layout: Layout::Pretty,
    };
    for argument in read(arguments) {
        match argument {
            Argument::Flag("-h" | "--help", None) => return Err(terminal::print(help::CFG)),
            Argument::Flag("-c" | "--compact-output", None) => style.layout = Layout::Compact,
            Argument::Flag("-r" | "--raw-output", None) => style.strings = Strings::Raw,
            Argument::Flag("-j" | "--json", None) => style.strings = Strings::Json,
            Argument::Flag(flag, _) => {
                return Err(usage.unknown_flag(flag, &["-c", "-r", "-j", "--json", "--help"]));
            }
            Argument::Word(word) if filter.is_none() => {
                filter = Some(
                    word.to_str()
                        .ok_or_else(|| usage.wrong("the filter is not UTF-8"))?,
                );
            }
            Argument::Word(word) => {
                let word = legible::line(&word.to_string_lossy());
                return Err(usage.wrong(&format!(
                    "one argument too many: `{word}`; a filter with spaces needs quotes: 'memory // 400'"
                )));
            }
        }
    }
    let filter = filter.unwrap_or("").to_owned();
    Ok(Options { filter, style })
}

/// The merged configuration as the agent left it at boot, or what to tell a person instead.
fn configuration() -> Result<Map<String, Value>, String> {
    let environment = Environment::read();
    let usual = environment.path(paths::MERGED_CFG);
    let fallback = environment.etc_fallback().join("cfg.json");
    let (path, file) = match File::open(&fallback) {
        Ok(file) => (fallback, file),
        Err(_) => match File::open(&usual) {
            Ok(file) => (usual, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!(
                    "there is no configuration yet: {} does not exist; `ww-agent run` writes it when the container boots",
                    shown(&usual)
                ));
            }
            Err(error) => return Err(format!("cannot read {}: {error}", shown(&usual))),
        },
    };
    let mut text = Vec::new();
    file.take(config::MAX_TEXT as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|error| format!("cannot read {}: {error}", shown(&path)))?;
    config::parse(&shown(&path), &text)
        .map(|layer| layer.object)
        .map_err(|error| format!("{error}; restart the container to have it written anew"))
}

fn shown(path: &Path) -> String {
    legible::line(&path.to_string_lossy())
}

/// A filter is a program and may run wild; a core would hold the configuration.
fn limit() {
    // The hook would print what a panic says, which may be a value.
    std::panic::set_hook(Box::new(|_| {}));
    let bounds = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_AS, MEMORY),
        (Resource::RLIMIT_CPU, CPU_SECONDS),
    ];
    for (resource, most) in bounds {
        // Refused only where the limit is lower already.
        let _ = setrlimit(resource, most, most);
    }
    // A deeply nested filter needs more stack than is usual. The first thread's grows while it runs,
    // so that no other thread is needed, which a full container could not start.
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_STACK) {
        let _ = setrlimit(Resource::RLIMIT_STACK, (STACK as u64).min(hard), hard);
    }
}

fn print(options: &Options, configuration: &Map<String, Value>) -> Result<Ended, FilterError> {
    let mut stdout = terminal::stdout();
    let ended = filter::apply(&options.filter, configuration, options.style, |answer| {
        stdout.write_all(answer)?;
        stdout.write_all(b"\n")
    });
    let flushed = stdout.flush().map_err(FilterError::Output);
    ended.and_then(|ended| flushed.map(|()| ended))
}
