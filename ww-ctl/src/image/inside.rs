//! The check of an image that is there already: by its own agent, and by what the Engine knows of it.

use std::time::Duration;

use whaleware::{paths, protocol};

use super::build::plain;
use super::lint::{self, Finding, Level};
use crate::engine::{Engine, EngineError, Known, Tried};
use crate::fleet::clean;

/// So long the check of an image may take.
const LIMIT: Duration = Duration::from_secs(60);
/// What findings about the image as a whole are told of.
const COMMAND: &str = "CMD";
const LABEL: &str = "LABEL";
const VOLUME: &str = "VOLUME";
const SIGNAL: &str = "STOPSIGNAL";
/// The most characters of a word of somebody else's.
const WORD: usize = 200;

/// Why an image was not checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InsideError {
    /// There is no such image.
    #[error("cannot check `{image}`: the Engine has no such image")]
    Absent {
        /// Its name, safe for a terminal.
        image: String,
    },
    /// Its agent cannot be asked.
    #[error("cannot check `{image}`: its agent cannot be asked: {said}")]
    Older {
        /// Its name, safe for a terminal.
        image: String,
        /// The first of what it said, safe for a terminal.
        said: String,
    },
    /// It takes too long.
    #[error("cannot check `{image}`: its agent has not ended within {} s", LIMIT.as_secs())]
    Slow {
        /// Its name, safe for a terminal.
        image: String,
    },
    /// The Engine did not do as asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Checks an image and returns all that was found.
///
/// # Errors
/// When it is not there or its agent cannot be asked.
pub(crate) async fn check(engine: &Engine, image: &str) -> Result<Vec<Finding>, InsideError> {
    let shown = || clean(image, WORD);
    let Some(known) = engine.image(image).await? else {
        return Err(InsideError::Absent { image: shown() });
    };
    let mut found = configured(&known);
    // By its id: the name may be given to another meanwhile.
    let words = [paths::AGENT, "check", "--json"];
    match engine.try_out(&known.id, &words, LIMIT).await? {
        Tried::Cut => return Err(InsideError::Slow { image: shown() }),
        Tried::NotStarted(said) => found.push(finding(
            Level::Error,
            paths::AGENT,
            format!("the agent cannot be started: {}", plain(&said)),
            "build the image with `ww-ctl image build`, or COPY --from=whaleware/agent /ww /ww",
        )),
        Tried::Ended {
            code: code @ (0 | 1),
            stdout,
            ..
        } => match lint::read(&stdout) {
            Ok(more) if more.iter().any(|one| one.level == Level::Error) == (code == 1) => {
                found.extend(more);
            }
            Ok(_) => {
                let said = format!("it ended with {code}, which its findings do not say");
                let image = shown();
                return Err(InsideError::Older { image, said });
            }
            Err(said) => {
                let image = shown();
                return Err(InsideError::Older { image, said });
            }
        },
        Tried::Ended { stderr, stdout, .. } => {
            let said = [stderr, stdout].concat();
            let said = String::from_utf8_lossy(&said);
            let said = said.lines().find(|line| !line.trim().is_empty());
            return Err(InsideError::Older {
                image: shown(),
                said: said.map_or_else(|| "nothing was said".into(), plain),
            });
        }
    }
    found.sort_by(|one, other| (&one.path, one.level).cmp(&(&other.path, other.level)));
    Ok(found)
}

fn finding(level: Level, path: &str, what: impl Into<String>, remedy: &str) -> Finding {
    Finding {
        level,
        path: path.into(),
        what: what.into(),
        remedy: remedy.into(),
    }
}

/// What the Engine makes of the image.
fn configured(known: &Known) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(command(known));
    match known.labels.get(paths::LABEL_AGENT) {
        None => found.push(finding(
            Level::Error,
            LABEL,
            format!("there is no {}: ww-ctl does not see its containers", paths::LABEL_AGENT),
            "build the image with `ww-ctl image build`, or set it to the number of the agent's protocol",
        )),
        Some(version) if *version != protocol::VERSION.to_string() => found.push(finding(
            Level::Warning,
            LABEL,
            format!(
                "{} is {}, and this ww-ctl speaks {}",
                paths::LABEL_AGENT,
                clean(version, WORD),
                protocol::VERSION
            ),
            "",
        )),
        Some(_) => {}
    }
    for place in &known.volumes {
        let data = place == paths::DATA || place.starts_with(&format!("{}/", paths::DATA));
        if data {
            found.push(finding(
                Level::Warning,
                VOLUME,
                format!(
                    "{} is one: each container gets one without a name, gone with `docker rm -v`",
                    clean(place, WORD)
                ),
                "leave it out, and mount a directory there",
            ));
        }
    }
    if let Some(signal) = &known.stop_signal {
        let name = signal.strip_prefix("SIG").unwrap_or(signal);
        let (level, what) = match name {
            "TERM" | "INT" | "QUIT" | "15" | "2" | "3" => return found,
            "HUP" | "1" => (Level::Error, "is a restart for the agent, not a stop"),
            _ => (
                Level::Error,
                "is no stop for the agent: Docker kills it after the grace",
            ),
        };
        let what = format!("{} {what}", clean(signal, WORD));
        found.push(finding(
            level,
            SIGNAL,
            what,
            "leave it out: SIGTERM is right",
        ));
    }
    found
}

/// Whether the agent is what is run.
fn command(known: &Known) -> Option<Finding> {
    let words: Vec<&str> = known
        .entry_point
        .iter()
        .chain(&known.command)
        .map(String::as_str)
        .collect();
    let runs = matches!(
        words.as_slice(),
        // Alone, or around a command of the image's own.
        [paths::RUN]
            | [paths::RUN, "--", ..]
            | [paths::AGENT, "run"]
            | [paths::AGENT, "run", "--", ..]
    );
    if runs {
        return None;
    }
    let remedy = "CMD [\"/ww/run\"], in brackets, and ENTRYPOINT []";
    let shown = clean(&words.join(" "), WORD);
    Some(match words.as_slice() {
        [] => finding(Level::Error, COMMAND, "there is none", remedy),
        [shell, "-c", line, ..] if shell.ends_with("sh") && line.contains(paths::RUN) => finding(
            Level::Error,
            COMMAND,
            format!("`{shown}`: a shell is the first process, and does not pass signals on"),
            remedy,
        ),
        _ => finding(
            Level::Error,
            COMMAND,
            format!("`{shown}` is not the agent"),
            remedy,
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn good() -> Known {
        Known {
            command: vec![paths::RUN.into()],
            labels: HashMap::from([(paths::LABEL_AGENT.into(), protocol::VERSION.to_string())]),
            ..Known::default()
        }
    }

    fn told(known: &Known) -> Vec<String> {
        configured(known).iter().map(ToString::to_string).collect()
    }

    fn words(all: &[&str]) -> Vec<String> {
        all.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn an_image_as_it_is_built_here_is_good() {
        assert_eq!(told(&good()), Vec::<String>::new());
        let around = Known {
            entry_point: words(&[paths::AGENT, "run", "--"]),
            command: words(&["nginx"]),
            stop_signal: Some("SIGQUIT".into()),
            volumes: words(&["/var/cache", "/database"]),
            ..good()
        };
        assert_eq!(told(&around), Vec::<String>::new());
    }

    #[test]
    fn what_makes_of_it_something_else_is_told() {
        for (entry_point, command, expected) in [
            (&[][..], &[][..], "CMD: there is none"),
            (
                &[],
                &["/bin/sh", "-c", "/ww/run"],
                "a shell is the first process",
            ),
            (&["/docker-entrypoint.sh"], &["/ww/run"], "is not the agent"),
            (&[], &["nginx\x1b[2J"], "`nginx` is not the agent"),
        ] {
            let known = Known {
                entry_point: words(entry_point),
                command: words(command),
                ..good()
            };
            let told = told(&known).join("\n");
            assert!(
                told.starts_with("error: CMD") && told.contains(expected),
                "{told}"
            );
        }
        let known = Known {
            labels: HashMap::new(),
            volumes: words(&["/data"]),
            stop_signal: Some("SIGHUP".into()),
            ..good()
        };
        let found = told(&known).join("\n");
        for expected in [
            "error: LABEL",
            "warning: VOLUME: /data",
            "SIGHUP is a restart",
        ] {
            assert!(found.contains(expected), "{expected}: {found}");
        }
        let mut known = good();
        known.stop_signal = Some("SIGKILL".into());
        known.labels.insert(paths::LABEL_AGENT.into(), "99".into());
        let found = told(&known).join("\n");
        assert!(
            found.contains("SIGKILL is no stop") && found.contains("is 99"),
            "{found}"
        );
    }
}
