//! The output of one container, over its restarts and its Engine's.

use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::engine::{Engine, EngineError, LogLine, LogQuery, Logs, Scope, Target};
use crate::exit::Failure;
use crate::fleet::{ContainerKey, EngineEvent};

/// The first pause before an Engine is tried again; doubled up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(250);
/// The longest such pause.
const LONGEST: Duration = Duration::from_secs(10);
/// The pause before output that has ended is read again of a container that runs.
const AGAIN: Duration = Duration::from_millis(100);
/// Events can stall in silence: a container that has ended is looked at this often.
const LOOK: Duration = Duration::from_secs(10);

/// What there is to say.
pub(in crate::commands) enum News {
    /// It can be read: lines come, if there are any.
    Opened,
    /// A line, or a piece of one.
    Line(LogLine),
    /// Something about the reading itself.
    Word(String),
    /// It cannot be read, and that is the end of it.
    Failed(Failure),
}

/// The output of one container.
#[derive(Clone)]
pub(in crate::commands) struct Reader {
    pub target: Target,
    pub clock: Clock,
    pub key: ContainerKey,
    pub query: LogQuery,
    /// Whether an Engine that does not answer is waited for although nothing was ever read.
    pub is_patient: bool,
}

/// Where the reading is.
enum Place {
    /// It is to be opened.
    Closed,
    /// It is being read.
    Open(Box<Logs>),
    /// The container has ended; it may be started again.
    Ended,
    /// The Engine does not answer; it is tried again after this.
    Lost(Duration),
    /// There is no more.
    Over,
}

struct Reading {
    reader: Reader,
    place: Place,
    engine: Option<Engine>,
    /// When it was opened first, by the Engine's clock, and for the last time.
    first_opened: Option<Timestamp>,
    opened: Timestamp,
    /// The time of the last line, and how many lines had it: Podman tells whole seconds.
    last: Option<(Timestamp, usize)>,
    /// So many lines of this time were told before.
    known: Option<(Timestamp, usize)>,
    /// Whether its end was told.
    told_end: bool,
}

impl Reader {
    /// All of it.
    pub(in crate::commands) fn news(self) -> impl Stream<Item = News> {
        let reading = Reading {
            reader: self,
            place: Place::Closed,
            engine: None,
            first_opened: None,
            opened: Timestamp::UNIX_EPOCH,
            last: None,
            known: None,
            told_end: false,
        };
        futures::stream::unfold(reading, |mut reading| async move {
            reading.next().await.map(|news| (news, reading))
        })
    }
}

impl Reading {
    async fn next(&mut self) -> Option<News> {
        loop {
            let step = match &mut self.place {
                Place::Over => return None,
                Place::Open(logs) => logs.next().await.map(|line| self.read(line)),
                Place::Closed => self.open().await.map(|()| Some(News::Opened)),
                Place::Ended => self.ended().await.map(|word| word.map(News::Word)),
                Place::Lost(pause) => {
                    tokio::time::sleep(*pause).await;
                    let again = (*pause * 2).min(LONGEST);
                    match self.open().await {
                        Err(error) if error.is_engine_down() => {
                            self.place = Place::Lost(again);
                            continue;
                        }
                        opened => {
                            opened.map(|()| Some(News::Word("its Engine answers again".into())))
                        }
                    }
                }
            };
            let news = step.unwrap_or_else(|error| Some(self.failed(error)));
            if news.is_some() {
                return news;
            }
        }
    }

    fn read(&mut self, line: Option<LogLine>) -> Option<News> {
        let Some(line) = line else {
            self.place = if self.reader.query.follow {
                Place::Ended
            } else {
                Place::Over
            };
            return None;
        };
        let Some(at) = line.at else {
            return Some(News::Line(line));
        };
        if let Some((time, left @ 1..)) = self.known
            && time == at
        {
            self.known = Some((time, left - 1));
            return None;
        }
        self.last = match self.last {
            Some((time, count)) if time == at => Some((time, count + 1)),
            Some((time, count)) if time > at => Some((time, count)),
            Some(_) | None => Some((at, 1)),
        };
        Some(News::Line(line))
    }

    /// What an error means depends on whether it was ever read, and is to be read on.
    fn failed(&mut self, error: EngineError) -> News {
        let is_known = self.first_opened.is_some() || self.reader.is_patient;
        let goes_on = self.reader.query.follow && is_known;
        if goes_on && matches!(error, EngineError::Absent { .. }) {
            self.place = Place::Over;
            return News::Word("was removed".into());
        }
        if goes_on && error.is_engine_down() {
            self.engine = None;
            self.place = Place::Lost(FIRST);
            return News::Word(format!("going on when its Engine answers again: {error}"));
        }
        self.place = Place::Over;
        News::Failed(Failure::from(error))
    }

    /// Opens it, where it was left.
    async fn open(&mut self) -> Result<(), EngineError> {
        let engine = self.engine().await?;
        let id = self.reader.key.id.clone();
        let tty = engine.details(&id).await?.tty;
        self.opened = engine.time();
        let mut query = self.reader.query.clone();
        let nothing_yet = self.first_opened.filter(|_| query.tail.is_some());
        self.known = self.last;
        if let Some(since) = self.last.map(|(at, _)| at).or(nothing_yet) {
            query.since = Some(since);
            query.tail = None;
        }
        let logs = engine.read_logs(&id, tty, &query).await?;
        self.first_opened.get_or_insert(self.opened);
        self.place = Place::Open(Box::new(logs));
        Ok(())
    }

    /// Waits until the container is started again, or is gone for good; what is to be said meanwhile.
    async fn ended(&mut self) -> Result<Option<String>, EngineError> {
        let engine = self.engine().await?;
        let id = self.reader.key.id.clone();
        let mut events = Box::pin(engine.events(Scope::Everything, self.opened));
        loop {
            if engine.details(&id).await?.pid.is_some() {
                // It was started again, or has not quite ended yet.
                tokio::time::sleep(AGAIN).await;
                self.place = Place::Closed;
                return Ok(None);
            }
            if !self.told_end {
                self.told_end = true;
                let word = "has ended; going on when it is started again";
                return Ok(Some(word.to_owned()));
            }
            while let Ok(told) = timeout(LOOK, events.next()).await {
                let told = told.ok_or_else(|| self.closed())??;
                if told.id != id {
                    continue;
                }
                match told.event {
                    EngineEvent::Started => {
                        self.told_end = false;
                        self.place = Place::Closed;
                        return Ok(None);
                    }
                    // Looked at again, it is not there.
                    EngineEvent::Removed => break,
                    EngineEvent::Known(_)
                    | EngineEvent::Died { .. }
                    | EngineEvent::Paused
                    | EngineEvent::Unpaused
                    | EngineEvent::Renamed(_) => {}
                }
            }
        }
    }

    fn closed(&self) -> EngineError {
        EngineError::Broken {
            at: self.reader.key.host.to_string(),
            what: "follow its events",
            reason: "it closed the connection".into(),
        }
    }

    async fn engine(&mut self) -> Result<Engine, EngineError> {
        if let Some(engine) = &self.engine {
            return Ok(engine.clone());
        }
        let engine = Engine::connect(&self.reader.target, self.reader.clock).await?;
        self.engine = Some(engine.clone());
        Ok(engine)
    }
}
