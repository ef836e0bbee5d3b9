//! The agent's archive: `ww-agent backup`, run in a container by the Engine.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use whaleware::paths::{self, LABEL_AGENT};
use whaleware::protocol::{Decoder, PackLine};
use ww_archive::ProblemKind;

use super::spool::{UNDER_WAY, keep};
use super::{Gauge, Measured, Outlet, Problems, ReadReport, SourceError, place_in};
use crate::engine::{Channel, Engine, Inspected, Placed, Program, Standing, Streams};
use crate::fleet::clean;

/// How long a program may say nothing at all before it is taken for dead.
const SILENCE: Duration = Duration::from_secs(10 * 60);
/// How long a program may take that has nothing to do.
const PROBE: Duration = Duration::from_secs(20);
/// The most characters kept of what is said.
const TEXT: usize = 512;

/// A container that runs, and what is mounted there.
#[derive(Clone)]
pub(crate) struct Within {
    engine: Engine,
    id: String,
    place: String,
}

/// Finds a container whose agent can do it, or says why there is none.
///
/// # Errors
/// When the Engine cannot be asked.
pub(super) async fn find(
    engine: &Engine,
    members: &[Inspected],
    data: &Placed,
) -> Result<Result<Within, String>, SourceError> {
    let mut reason = "none runs here".to_owned();
    for member in members {
        let is_able =
            member.is_running() && !member.is_paused() && member.label(LABEL_AGENT).is_some();
        let Some(place) = place_in(member, data).filter(|_| is_able) else {
            continue;
        };
        let within = Within {
            engine: engine.clone(),
            id: member.id().to_owned(),
            place,
        };
        match tokio::time::timeout(PROBE, within.knows_how()).await {
            Ok(Ok(())) => return Ok(Ok(within)),
            Ok(Err(why)) => reason = format!("that of {}: {why}", clean(member.name(), TEXT)),
            Err(_) => reason = format!("that of {}: no answer", clean(member.name(), TEXT)),
        }
    }
    Ok(Err(reason))
}

/// What came of a program: all lines it told, where it wrote something else, and its bytes.
#[derive(Default)]
struct Heard {
    problems: Problems,
    packed: Option<ReadReport>,
    measured: Option<Measured>,
    failed: Option<String>,
    /// Of what makes no sense the first.
    complaint: String,
}

impl Within {
    pub(super) fn new(engine: &Engine, id: &str, place: &str) -> Self {
        Self {
            engine: engine.clone(),
            id: id.to_owned(),
            place: place.to_owned(),
        }
    }

    /// An older agent has no such applet.
    async fn knows_how(&self) -> Result<(), String> {
        let program = program(vec!["help".into(), "backup".into()]);
        let words = |error: crate::engine::EngineError| crate::engine::chain(&error);
        let exec = self.engine.prepare(&self.id, &program).await;
        let exec = exec.map_err(words)?;
        let streams = self.engine.launch(&exec, &program, None).await;
        let mut streams = streams.map_err(words)?;
        while let Ok(Some(_)) = streams.output.next().await {}
        match self.ended(&exec).await {
            Some(0) => Ok(()),
            Some(_) | None => Err("it is too old for this".into()),
        }
    }

    pub(super) async fn measure(&self, exclude: &[String]) -> Result<Measured, SourceError> {
        let (exec, mut streams) = self.start(exclude, Some("--measure")).await?;
        let mut heard = Heard::default();
        let (mut out, mut err) = (Decoder::new(), Decoder::new());
        let gauge = Gauge::default();
        while let Some((channel, piece)) = next(&mut streams).await? {
            let lines = match channel {
                Channel::Stdout => &mut out,
                Channel::Stderr => &mut err,
            };
            heard.feed(lines, &piece, &gauge);
        }
        match heard.measured {
            Some(measured) => Ok(measured),
            None => Err(self.why(heard, &exec).await),
        }
    }

    pub(super) async fn read(
        &self,
        exclude: &[String],
        into: Outlet,
        gauge: &Gauge,
    ) -> Result<ReadReport, SourceError> {
        let (exec, mut streams) = self.start(exclude, None).await?;
        let (send, receive) = mpsc::channel::<Bytes>(UNDER_WAY);
        let keeping = tokio::task::spawn_blocking(move || keep(receive, into));
        let mut heard = Heard::default();
        let mut lines = Decoder::new();
        let carry = async {
            while let Some((channel, piece)) = next(&mut streams).await? {
                match channel {
                    Channel::Stdout => {
                        // Who keeps it says why it takes no more.
                        if send.send(piece).await.is_err() {
                            break;
                        }
                    }
                    Channel::Stderr => heard.feed(&mut lines, &piece, gauge),
                }
            }
            Ok::<(), SourceError>(())
        };
        tokio::select! {
            carried = carry => carried?,
            () = gauge.stopped() => return Err(SourceError::Stopped),
        }
        drop((send, streams));
        let kept = keeping.await.map_err(|_| SourceError::Stopped)?;
        let (kept, into) = kept.map_err(SourceError::Output)?;
        let Some(mut report) = heard.packed.take() else {
            return Err(self.why(heard, &exec).await);
        };
        if report.written != kept.written || !kept.has_end() {
            return Err(SourceError::Cut(format!(
                "it had {} bytes, and {} arrived",
                report.written, kept.written
            )));
        }
        let ended = tokio::task::spawn_blocking(move || into.end()).await;
        let ended = ended.map_err(|_| SourceError::Stopped)?;
        ended.map_err(SourceError::Output)?;
        report.problems.listed = heard.problems.listed;
        gauge.set(report.entries, report.bytes);
        Ok(report)
    }

    async fn start(
        &self,
        exclude: &[String],
        option: Option<&str>,
    ) -> Result<(String, Streams), SourceError> {
        let mut words = vec!["backup".to_owned()];
        words.extend(option.map(str::to_owned));
        words.extend(exclude.iter().map(|one| format!("--exclude={one}")));
        words.extend(["--".to_owned(), self.place.clone()]);
        let program = program(words);
        let exec = self.engine.prepare(&self.id, &program).await?;
        let streams = self.engine.launch(&exec, &program, None).await?;
        Ok((exec, streams))
    }

    /// Why a program did not do its work.
    async fn why(&self, heard: Heard, exec: &str) -> SourceError {
        if let Some(message) = heard.failed {
            return SourceError::Cut(message);
        }
        let complaint = clean(heard.complaint.trim(), TEXT);
        let ended = self.ended(exec).await;
        SourceError::Cut(match (ended, complaint.is_empty()) {
            (Some(code), true) => format!("the program in the container ended with {code}"),
            (Some(code), false) => {
                format!("the program in the container ended with {code}: {complaint}")
            }
            (None, true) => "the program in the container is gone".to_owned(),
            (None, false) => format!("the program in the container is gone: {complaint}"),
        })
    }

    /// How a program has ended; its output may end some moments before it does.
    async fn ended(&self, exec: &str) -> Option<i64> {
        for pause in [0, 10, 50, 200, 1000] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if let Ok(Standing::Ended(code)) = self.engine.standing(exec).await {
                return Some(code);
            }
        }
        None
    }
}

/// As the container's root: whoever the application runs as may not read all of its data.
fn program(words: Vec<String>) -> Program {
    let mut command = vec![paths::AGENT.to_owned()];
    command.extend(words);
    Program {
        command,
        tty: false,
        // It ends with this end of it.
        stdin: true,
        user: Some("0:0".into()),
        directory: None,
        variables: Vec::new(),
    }
}

async fn next(streams: &mut Streams) -> Result<Option<(Channel, Bytes)>, SourceError> {
    match tokio::time::timeout(SILENCE, streams.output.next()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(SourceError::Cut(error.to_string())),
        Err(_) => Err(SourceError::Cut(format!(
            "the program in the container said nothing for {} min",
            SILENCE.as_secs() / 60
        ))),
    }
}

impl Heard {
    fn feed(&mut self, lines: &mut Decoder, piece: &[u8], gauge: &Gauge) {
        lines.feed(piece, |line| match line {
            Ok(line) => match serde_json::from_slice(line) {
                Ok(told) => self.take(told, gauge),
                Err(_) => self.complain(&String::from_utf8_lossy(line)),
            },
            Err(error) => self.complain(&error.to_string()),
        });
    }

    fn complain(&mut self, words: &str) {
        if self.complaint.len() < TEXT {
            self.complaint.push_str(words);
            self.complaint.push(' ');
        }
    }

    fn take(&mut self, told: PackLine, gauge: &Gauge) {
        match told {
            PackLine::Progress { entries, bytes } => gauge.set(entries, bytes),
            PackLine::Problem { kind, path, text } => {
                self.problems.note(kind_of(&kind), &path, &text);
            }
            PackLine::Packed {
                entries,
                bytes,
                written,
                problems,
            } => {
                let mut report = ReadReport {
                    entries,
                    bytes,
                    written,
                    problems: Problems::default(),
                };
                for (kind, count) in problems {
                    let total = report.problems.totals.entry(kind_of(&kind)).or_default();
                    *total = total.saturating_add(count);
                }
                self.packed = Some(report);
            }
            PackLine::Measured { entries, bytes } => {
                self.measured = Some(Measured { bytes, entries });
            }
            PackLine::Failed { message } => self.failed = Some(clean(&message, TEXT)),
            PackLine::Unknown => {}
        }
    }
}

/// One that a later agent knows counts as something that is missing.
fn kind_of(name: &str) -> ProblemKind {
    ProblemKind::named(name).unwrap_or(ProblemKind::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::source::Weight;

    #[test]
    fn lines_are_believed_as_far_as_they_make_sense() {
        let mut heard = Heard::default();
        let gauge = Gauge::default();
        let text = concat!(
            "{\"type\":\"progress\",\"entries\":2,\"bytes\":30}\n",
            "OCI runtime exec failed\n",
            "{\"type\":\"problem\",\"kind\":\"shrank\",\"path\":\"a\",\"text\":\"b\"}\n",
            "{\"type\":\"later\"}\n",
            "{\"type\":\"packed\",\"entries\":3,\"bytes\":40,\"written\":5,",
            "\"problems\":{\"shrank\":1,\"eaten\":2}}\n",
        );
        let mut lines = Decoder::new();
        for piece in text.as_bytes().chunks(7) {
            heard.feed(&mut lines, piece, &gauge);
        }
        assert_eq!((gauge.entries(), gauge.bytes()), (2, 30));
        assert_eq!(heard.complaint, "OCI runtime exec failed ");
        assert_eq!(heard.problems.listed.len(), 1);
        let report = heard.packed.unwrap();
        assert_eq!((report.entries, report.written), (3, 5));
        assert_eq!(report.problems.count(Weight::Changed), 1);
        assert_eq!(report.problems.count(Weight::Lost), 2);
    }
}
