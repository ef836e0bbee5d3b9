//! `top`: the dashboard.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use whaleware::env;

use super::measures::Measures;
use super::outputs::Outputs;
use super::own::Tool;
use super::{Context, cfg, pictures, restart, start, stop};
use crate::audit::{self, Journal};
use crate::cli::Top;
use crate::engine::{Scope, Target, chain};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::fleet::HostName;
use crate::selection::Selection;
use crate::tui::{
    self, Access, Answer, Ended, Errand, Frames, Look, Printed, Recorder, Replay, ReplayError,
    Reply, Request, Said, Settings, Shell, Start, Tape, Tint, TuiError, Verb,
};
use crate::watch::{Feed, FeedHandle};

/// What the Engine is called that is meant where nothing is said.
const LOCAL: &str = "local";
/// So many requests may wait to be sent.
const REQUESTS: usize = 1024;
/// So much output waits to be taken in, each what was gathered of a container.
const OUTPUTS: usize = 2;
/// The largest file of settings, in bytes.
const SETTINGS: u64 = 256 << 10;
/// How long what was confirmed just before leaving may take to be sent.
const LAST: Duration = Duration::from_secs(2);

pub(super) async fn run(context: &Context, arguments: &Top) -> Result<Exit, Failure> {
    open_more();
    let mut settings = settings()?;
    settings.mouse &= !arguments.no_mouse;
    let tint = if context.output.has_colour() {
        Tint::Sixteen
    } else {
        Tint::Monochrome
    };
    let start = Start {
        urls: context.targets.iter().filter_map(url).collect(),
        selection: Selection {
            names: arguments.names.clone(),
            all: arguments.all,
            filters: arguments.filters.filters.clone(),
        },
        access: context.access(),
        look: Look::from_environment(tint, environment::variable)
            .chosen(settings.palette, settings.ascii),
        fault: cfg!(debug_assertions)
            && environment::variable(env::WW_TEST_FAULT).is_some_and(|fault| fault == "top"),
        settings,
    };
    if let Some(path) = &arguments.replay {
        return replayed(context, path, arguments, start).await;
    }
    if arguments.once {
        return pictures::once(context, start).await;
    }
    let recorder = match &arguments.record {
        Some(path) if arguments.batch || tui::is_terminal() => Some(record(context, path)?),
        Some(_) | None => None,
    };
    if arguments.batch {
        return pictures::batch(context, arguments, start, recorder).await;
    }
    live(context, start, recorder).await
}

/// Begins a recording.
fn record(context: &Context, path: &Path) -> Result<Recorder, Failure> {
    let hosts: Vec<HostName> = context
        .targets
        .iter()
        .map(|target| target.name.clone())
        .collect();
    Recorder::create(path, &hosts, context.clock.now()).map_err(|error| {
        let text = format!("cannot record into {}: {error}", path.display());
        let failure = Failure::new(Exit::Failed, text);
        if error.kind() == io::ErrorKind::AlreadyExists {
            return failure.hint("a recording is not written over: name a file that is not there");
        }
        failure
    })
}

/// Shows a recording. Nothing can be done to what is in it.
async fn replayed(
    context: &Context,
    path: &Path,
    arguments: &Top,
    mut start: Start,
) -> Result<Exit, Failure> {
    let refuse = |error: &ReplayError| {
        let text = format!("cannot replay {}: {}", path.display(), chain(error));
        Failure::new(Exit::Failed, text)
    };
    let replay = Replay::open(path, arguments.speed).map_err(|error| refuse(&error))?;
    start.access = Access::ReadOnly;
    if arguments.once {
        return pictures::last(context, start, replay);
    }
    let (_never, mut inputs) = mpsc::channel(1);
    let (errands, asked) = mpsc::channel(REQUESTS);
    let (told, mut answers) = mpsc::channel(REQUESTS);
    let (prints, mut printed) = mpsc::channel(OUTPUTS);
    let acts = TaskTracker::new();
    acts.spawn(refuse_all(asked, told, prints));
    let dashboard = tui::Feed {
        hosts: replay.hosts().to_vec(),
        inputs: &mut inputs,
        errands,
        answers: &mut answers,
        printed: &mut printed,
        tape: Tape::Replay(replay),
        shell: None,
    };
    let clock = context.clock;
    let mut frames = Frames::default();
    let ended = tui::run(dashboard, start, || clock.now(), &mut frames).await;
    context.output.detail(&frames.to_string());
    how(ended)
}

/// What is not in a recording cannot be found out.
async fn refuse_all(
    mut asked: mpsc::Receiver<Errand>,
    told: mpsc::Sender<Answer>,
    prints: mpsc::Sender<Printed>,
) {
    while let Some(errand) = asked.recv().await {
        let reason = "it is not in the recording".to_owned();
        let answer = match errand {
            Errand::Act(request) => Answer::Acted(Reply {
                key: request.container.key.clone(),
                verb: request.verb,
                result: Err(reason),
            }),
            // A recording is read-only: nothing was asked.
            Errand::Roll(_) | Errand::Measure(_) => continue,
            Errand::Follow(keys) => {
                for key in keys {
                    let lines = vec![(None, Said::Failed(reason.clone()))];
                    let printed = Printed {
                        key,
                        is_anew: true,
                        lines,
                    };
                    let _left = prints.send(printed).await;
                }
                continue;
            }
            Errand::ReadConfiguration(key) => Answer::Configuration(key, Err(reason)),
        };
        let _left = told.send(answer).await;
    }
}

async fn live(
    context: &Context,
    start: Start,
    recorder: Option<Recorder>,
) -> Result<Exit, Failure> {
    let clock = context.clock;
    // Everything, because one key shows what has no agent; it costs no more than a line each.
    let mut feed = Feed::open(
        context.targets.clone(),
        Scope::Everything,
        &context.backups(),
        &context.by,
        clock,
    );
    let (errands, asked) = mpsc::channel(REQUESTS);
    let (told, mut answers) = mpsc::channel(REQUESTS);
    let (prints, mut printed) = mpsc::channel(OUTPUTS);
    let acts = TaskTracker::new();
    // The terminal is the dashboard's until it ends.
    context.audit.hold();
    let does = Does {
        handle: feed.handle.clone(),
        audit: context.audit.clone(),
        tool: Tool {
            engines: context.engines.clone(),
        },
    };
    let tool = does.tool.clone();
    let outputs = Outputs::new(feed.handle.clone(), acts.clone(), prints);
    acts.spawn(serve(does, acts.clone(), asked, told, outputs));
    let dashboard = tui::Feed {
        hosts: context
            .targets
            .iter()
            .map(|target| target.name.clone())
            .collect(),
        inputs: &mut feed.inputs,
        errands,
        answers: &mut answers,
        printed: &mut printed,
        tape: recorder.map_or(Tape::None, Tape::Record),
        shell: Some(Shell::new(move |container| tool.shell(container))),
    };
    let mut frames = Frames::default();
    let ended = tui::run(dashboard, start, || clock.now(), &mut frames).await;
    context.output.detail(&frames.to_string());
    acts.close();
    // What takes longer goes on in the Engine.
    let _goes_on = tokio::time::timeout(LAST, acts.wait()).await;
    feed.close().await;
    how(ended)
}

fn how(ended: Result<Ended, TuiError>) -> Result<Exit, Failure> {
    match ended {
        Ok(Ended::Quit) => Ok(Exit::Done),
        Ok(Ended::Signal(number)) => Ok(Exit::Signal(u8::try_from(number).unwrap_or(0))),
        Err(error @ TuiError::NotATerminal) => Err(Failure::new(Exit::Usage, error.to_string())
            .hint(
                "`ww-ctl top --once` prints one picture, `ww-ctl top --batch` one after the other, \
                 `ww-ctl ls -o json` the same for programs",
            )),
        Err(TuiError::Terminal(error)) => Err(Failure::new(
            Exit::Failed,
            format!("cannot use the terminal: {error}"),
        )
        .hint("`ww-ctl ls` prints the fleet without taking the terminal over")),
    }
}

/// Every agent is a connection; as many as the system allows may be open.
fn open_more() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // With fewer some agents are told as not reached, and why.
    let _better = setrlimit(Resource::Nofile, most);
}

/// What the user has chosen; as usual where nothing is.
fn settings() -> Result<Settings, Failure> {
    let Some(path) = environment::settings_file() else {
        return Ok(Settings::default());
    };
    let refuse = |reason: String| {
        Failure::new(
            Exit::Usage,
            format!("cannot use {}: {reason}", path.display()),
        )
        .hint("what can stand in it is told in docs/dashboard.md; without the file all is as usual")
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => return Err(refuse(error.to_string())),
    };
    let mut text = String::new();
    let read = file.take(SETTINGS + 1).read_to_string(&mut text);
    read.map_err(|error| refuse(error.to_string()))?;
    if text.len() as u64 > SETTINGS {
        return Err(refuse(format!("it is larger than {} KiB", SETTINGS >> 10)));
    }
    Settings::parse(&text).map_err(refuse)
}

/// How to name a host on the command line; none where it need not be named.
fn url(target: &Target) -> Option<(HostName, String)> {
    if *target.name == *LOCAL {
        return None;
    }
    let url = target.endpoint.url();
    Some((target.name.clone(), url))
}

/// What acting takes.
#[derive(Clone)]
struct Does {
    handle: FeedHandle,
    audit: Journal,
    tool: Tool,
}

/// Does what the dashboard asks for, all at once; each answer goes back when it is there.
async fn serve(
    does: Does,
    acts: TaskTracker,
    mut asked: mpsc::Receiver<Errand>,
    told: mpsc::Sender<Answer>,
    mut outputs: Outputs,
) {
    let mut measures = Measures::new(does.handle.clone(), acts.clone(), told.clone());
    while let Some(errand) = asked.recv().await {
        let errand = match errand {
            // One after the other: the last word counts.
            Errand::Measure(keys) => {
                measures.only(keys);
                continue;
            }
            Errand::Follow(keys) => {
                outputs.only(keys);
                continue;
            }
            Errand::Act(_) | Errand::Roll(_) | Errand::ReadConfiguration(_) => errand,
        };
        let (does, told) = (does.clone(), told.clone());
        acts.spawn(async move {
            let answer = match errand {
                Errand::Act(request) => Answer::Acted(act(&does, request).await),
                Errand::Roll(containers) => {
                    for reply in does.tool.roll(&containers).await {
                        let _left = told.send(Answer::Acted(reply)).await;
                    }
                    return;
                }
                Errand::ReadConfiguration(key) => {
                    let settings = cfg::settings(&does.handle, &key).await;
                    Answer::Configuration(key, settings)
                }
                Errand::Measure(_) | Errand::Follow(_) => return,
            };
            // Nobody to tell means that the dashboard was left.
            let _left = told.send(answer).await;
        });
    }
}

/// What the dashboard watches until it is true is written down as asked for.
async fn act(does: &Does, request: Request) -> Reply {
    let Does {
        handle,
        audit,
        tool,
    } = does;
    let Request { verb, container } = request;
    let act = match verb {
        Verb::Restart => restart::hang_up(handle, &container),
        Verb::Stop => stop::stop(handle, &container),
        Verb::Start => start::start(handle, &container),
        Verb::Kill => stop::kill(handle, &container),
        // A whole command, which keeps the journal itself.
        Verb::Backup => return tool.backup(&container).await,
    };
    let entry = audit.begin(verb.name(), vec![audit::Target::of(&container)]);
    let result = act.await;
    match &result {
        Ok(_) => entry.end(Exit::Done, "asked for"),
        Err(failure) => entry.end(failure.exit, &failure.message),
    }
    let result = result.map_err(|failure| failure.message);
    let key = container.key.clone();
    // Where the answer was lost the row is watched on all the same.
    let result = result.map(|_sent| String::new());
    Reply { key, verb, result }
}
