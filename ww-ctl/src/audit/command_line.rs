//! The command line as it is written down: without anything that may be a secret.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// The options and operands whose values may be known. Of any other only that it was given is
/// written down: one that is new is taken for a secret until somebody has thought about it.
const KNOWN: [&str; 48] = [
    "all",
    "backup",
    "base",
    "container",
    "contexts",
    "cpus",
    "data",
    "diff",
    "filters",
    "format",
    "from",
    "goal",
    "hostname",
    "hosts",
    "image",
    "interval",
    "ip",
    "keep",
    "lines",
    "max_unavailable",
    "memory",
    "mode",
    "name",
    "names",
    "network_alias",
    "networks",
    "owner",
    "publish",
    "record",
    "replay",
    "restart",
    "root",
    "scratch",
    "seed",
    "since",
    "size",
    "speed",
    "tag",
    "tail",
    "timeout",
    "to",
    "tree",
    "user",
    "version",
    "volume",
    "volumes",
    "volumes_from",
    "workdir",
];
/// What stands for a value that is not told.
const WITHHELD: &str = "…";

/// The words of the command line, options by their long names.
pub(crate) fn spoken(command: &Command, matches: &ArgMatches) -> Vec<String> {
    let mut words = vec![command.get_name().to_owned()];
    let (mut command, mut matches) = (command, matches);
    while let Some((name, inner)) = matches.subcommand() {
        words.push(name.to_owned());
        let Some(found) = command.find_subcommand(name) else {
            return words;
        };
        (command, matches) = (found, inner);
    }
    // Operands come last, whatever the order was.
    let (operands, options): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().partition(|one| one.is_positional());
    for one in options.into_iter().chain(operands) {
        say(one, matches, &mut words);
    }
    words
}

fn say(one: &Arg, matches: &ArgMatches, words: &mut Vec<String>) {
    let id = one.get_id().as_str();
    // What every command has is not there for those that take no arguments at all.
    if !matches!(matches.try_contains_id(id), Ok(true))
        || matches.value_source(id) != Some(ValueSource::CommandLine)
    {
        return;
    }
    let name = match (one.get_long(), one.get_short()) {
        (Some(long), _) => Some(format!("--{long}")),
        (None, Some(short)) => Some(format!("-{short}")),
        (None, None) => None,
    };
    if !one.get_action().takes_values() {
        words.extend(name);
        return;
    }
    let values = matches.get_raw(id).into_iter().flatten();
    for value in values {
        let value = if KNOWN.contains(&id) {
            without_password(&value.to_string_lossy())
        } else {
            WITHHELD.to_owned()
        };
        words.extend(name.clone());
        words.push(value);
    }
}

/// A URL may have one in it.
fn without_password(value: &str) -> String {
    let hidden = value.split_once("://").and_then(|(scheme, rest)| {
        let (user, host) = rest.rsplit_once('@')?;
        let (user, _) = user.split_once(':')?;
        Some(format!("{scheme}://{user}:{WITHHELD}@{host}"))
    });
    hidden.unwrap_or_else(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction, CommandFactory};

    use super::*;
    use crate::cli::Cli;

    fn words(arguments: &[&str]) -> String {
        let mut command = Cli::command();
        let matches = command.try_get_matches_from_mut(arguments).unwrap();
        spoken(&command, &matches).join(" ")
    }

    #[test]
    fn a_command_line_is_told_by_the_names_of_its_options() {
        assert_eq!(
            words(&[
                "/usr/bin/ww-ctl",
                "-y",
                "restart",
                "shop",
                "db",
                "-o",
                "json",
                "--timeout=2m",
                "-H",
                "ssh://al:geheim@ops2",
                "--filter",
                "label=tier=web",
            ]),
            "ww-ctl restart --filter label=tier=web --timeout 2m --host ssh://al:…@ops2 \
             --output json --yes shop db"
        );
        assert_eq!(words(&["ww-ctl", "demo", "up"]), "ww-ctl demo up");
    }

    #[test]
    fn what_is_not_known_to_be_harmless_is_withheld() {
        let command = || {
            Command::new("ww-ctl").subcommand(
                Command::new("run")
                    .arg(Arg::new("set").long("set").action(ArgAction::Append))
                    .arg(Arg::new("env").short('e').action(ArgAction::Append))
                    .arg(Arg::new("image"))
                    .arg(Arg::new("command").num_args(0..).last(true)),
            )
        };
        let mut built = command();
        let arguments = [
            "ww-ctl",
            "run",
            "--set",
            "db.password=geheim",
            "-eTOKEN=geheim",
            "--set=a=geheim",
            "shop:1",
            "--",
            "mysql",
            "-pgeheim",
        ];
        let matches = built.try_get_matches_from_mut(arguments).unwrap();
        assert_eq!(
            spoken(&built, &matches).join(" "),
            "ww-ctl run --set … --set … -e … shop:1 … …"
        );
    }
}
