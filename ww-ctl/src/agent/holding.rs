//! The steps of a backup, as an agent is asked for them, and services that are held down meanwhile.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use whaleware::protocol::{
    Answer, BackupPlan, BackupStep, FromAgent, HookAnswer, LEASE_MOST_S, QuiesceStage, Quiesced,
    RequestKind, WireError,
};

use super::session::{Session, SessionError};
use crate::fleet::clean;

/// How long an answer may take that needs nothing to be done first.
const AT_ONCE: Duration = Duration::from_secs(10);
/// How long a directory may take to be gone: the agent gives it half an hour itself.
const CLEANING: Duration = Duration::from_secs(31 * 60);
/// The most characters kept of what an agent says.
const TEXT: usize = 1024;

/// Who is told what else the agent says meanwhile.
pub(crate) type Told<'a> = &'a mut (dyn FnMut(&FromAgent) + Send);

/// Why a step of a backup was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// Another backup is in the way.
    #[error("another backup is in the way: {0}")]
    Busy(String),
    /// It cannot be done now, or not at all.
    #[error("its agent refuses: {0}")]
    Refused(String),
    /// What had been asked for was over before.
    #[error("it did not last: {0}")]
    Lapsed(String),
    /// The script was ended because something else came first.
    #[error("it was cut short: {0}")]
    Cut(String),
    /// Who asks may not.
    #[error("its agent does not let this be asked: {0}")]
    Forbidden(String),
    /// The agent is too old to know of this.
    #[error("its agent knows nothing of backups: it is too old")]
    Unknown,
    /// Something that this version knows no better word for.
    #[error("its agent did not do it: {message} ({code})")]
    Other {
        /// The agent's word.
        code: String,
        /// The same in words.
        message: String,
    },
    /// It did not answer in time. The agent lets go of what it was at when the session is dropped.
    #[error("its agent did not answer within {} s", .0.as_secs())]
    Overdue(Duration),
    /// The conversation ended.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// What is asked for when services are to be held down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease<'a> {
    /// How long it lasts at most, from the request on.
    pub most: Duration,
    /// How long is waited until nothing runs.
    pub patience: Duration,
    /// Who asks.
    pub by: &'a str,
}

impl Session {
    /// How this container wants to be backed up.
    ///
    /// # Errors
    /// When the agent does not say.
    pub(crate) async fn plan(&mut self, by: &str) -> Result<BackupPlan, StepError> {
        result(
            self.step(BackupStep::Plan, by, AT_ONCE, &mut |_| {})
                .await?,
        )
    }

    /// Stops the services and holds them down; returns when nothing runs any more. The lease is the
    /// session's: where this fails or is given up, the services come back.
    ///
    /// # Errors
    /// When it comes to nothing.
    pub(crate) async fn quiesce(
        mut self,
        lease: Lease<'_>,
        told: Told<'_>,
    ) -> Result<Quiet, StepError> {
        let seconds = u32::try_from(lease.most.as_secs()).unwrap_or(u32::MAX);
        let step = BackupStep::Quiesce {
            most_s: seconds.clamp(1, LEASE_MOST_S),
        };
        let answer = self.step(step, lease.by, lease.patience, told).await?;
        let report: Quiesced = result(answer)?;
        if report.stage != QuiesceStage::Held {
            let reason = "it says that services are held, and that they are not".to_owned();
            return Err(SessionError::Garbage(reason).into());
        }
        Ok(Quiet::new(self, report, lease.by.to_owned()))
    }

    /// Runs the `backup` script. An exit of [`HookAnswer::NOTHING_TO_DO`] is an answer like any other.
    ///
    /// # Errors
    /// When it could not be run, or was ended before its time.
    pub(crate) async fn hook(
        &mut self,
        patience: Duration,
        by: &str,
        told: Told<'_>,
    ) -> Result<HookAnswer, StepError> {
        result(self.step(BackupStep::Hook, by, patience, told).await?)
    }

    /// Runs the `restore` script on a directory, as the container sees it.
    ///
    /// # Errors
    /// When it could not be run, or was ended before its time.
    pub(crate) async fn restore(
        &mut self,
        directory: &str,
        patience: Duration,
        by: &str,
        told: Told<'_>,
    ) -> Result<HookAnswer, StepError> {
        let directory = directory.to_owned();
        let step = BackupStep::Restore { directory };
        result(self.step(step, by, patience, told).await?)
    }

    /// Removes the directory of a `backup` script; returns when it is gone.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) async fn clean(&mut self, directory: &str, by: &str) -> Result<(), StepError> {
        let directory = directory.to_owned();
        let step = BackupStep::Clean { directory };
        self.step(step, by, CLEANING, &mut |_| {}).await.map(drop)
    }

    async fn step(
        &mut self,
        step: BackupStep,
        by: &str,
        limit: Duration,
        told: Told<'_>,
    ) -> Result<Answer, StepError> {
        let answer = async {
            let id = self.ask(RequestKind::Backup(step), by).await?;
            loop {
                let line = self.next().await?;
                if let FromAgent::Answer(answer) = &line
                    && answer.id == id
                {
                    return Ok(answer.clone());
                }
                told(&line);
            }
        };
        let answered = tokio::time::timeout(limit, answer).await;
        let answer: Result<Answer, SessionError> =
            answered.map_err(|_| StepError::Overdue(limit))?;
        let answer = answer?;
        if answer.ok {
            Ok(answer)
        } else {
            Err(refusal(answer.error))
        }
    }
}

fn refusal(error: Option<WireError>) -> StepError {
    let Some(WireError { code, message }) = error else {
        return SessionError::Garbage("it refuses and does not say why".into()).into();
    };
    let message = clean(&message, TEXT);
    match code.as_str() {
        "busy" => StepError::Busy(message),
        "refused" => StepError::Refused(message),
        "lapsed" => StepError::Lapsed(message),
        "cut" => StepError::Cut(message),
        "forbidden" => StepError::Forbidden(message),
        "unknown" => StepError::Unknown,
        other => StepError::Other {
            code: clean(other, TEXT),
            message,
        },
    }
}

fn result<T: DeserializeOwned>(answer: Answer) -> Result<T, StepError> {
    let result = serde_json::from_value(answer.result.unwrap_or_default());
    result.map_err(|error| SessionError::Garbage(error.to_string()).into())
}

/// Services that are held down. They come back when it is given back, and when it is dropped.
///
/// A task of its own goes on listening: an agent ends the connection of who does not, and the lease
/// with it.
pub(crate) struct Quiet {
    report: Quiesced,
    ended: watch::Receiver<Option<String>>,
    give_back: oneshot::Sender<()>,
    listening: JoinHandle<Result<Session, StepError>>,
}

impl Quiet {
    fn new(session: Session, report: Quiesced, by: String) -> Self {
        let (tell, ended) = watch::channel(None);
        let (give_back, asked) = oneshot::channel();
        // It ends by itself when nobody can give back any more.
        let listening = TaskTracker::new().spawn(listen(session, by, asked, tell));
        Self {
            report,
            ended,
            give_back,
            listening,
        }
    }

    /// Since when, and until when at most.
    pub(crate) const fn report(&self) -> &Quiesced {
        &self.report
    }

    /// Waits until it is over before it was given back, and says why: what is read from then on is no
    /// longer still. Nothing is lost when the call is given up.
    pub(crate) async fn ended(&mut self) -> String {
        match self.ended.wait_for(Option::is_some).await {
            Ok(words) => words.clone().unwrap_or_default(),
            Err(_) => "nobody listens to its agent any more".to_owned(),
        }
    }

    /// Lets the services up again. That it is well says that they were down until now; the session can
    /// then be used to watch them come.
    ///
    /// # Errors
    /// [`StepError::Lapsed`] when they were not down all the time. They are let up in any case.
    pub(crate) async fn resume(self) -> Result<Session, StepError> {
        // Where it is not heard, the task has ended, and says why.
        let _heard = self.give_back.send(());
        match self.listening.await {
            Ok(done) => done,
            Err(_) => Err(StepError::Lapsed("nobody listened to its agent".into())),
        }
    }
}

async fn listen(
    mut session: Session,
    by: String,
    mut asked: oneshot::Receiver<()>,
    tell: watch::Sender<Option<String>>,
) -> Result<Session, StepError> {
    loop {
        tokio::select! {
            biased;
            asked = &mut asked => {
                if asked.is_ok() {
                    session
                        .step(BackupStep::Resume, &by, AT_ONCE, &mut |_| {})
                        .await
                        .map_err(lost)?;
                }
                return Ok(session);
            }
            line = session.next() => match line {
                Ok(FromAgent::Quiesced(report)) if report.stage == QuiesceStage::Ended => {
                    let words = report.detail.unwrap_or_else(|| "its agent says so".into());
                    tell.send_replace(Some(clean(&words, TEXT)));
                }
                Ok(_) => {}
                Err(error) => {
                    let error = lost(error.into());
                    tell.send_replace(Some(error.to_string()));
                    return Err(error);
                }
            },
        }
    }
}

/// With the conversation the lease is over, too.
fn lost(error: StepError) -> StepError {
    if let StepError::Session(error) = error {
        StepError::Lapsed(format!(
            "the conversation with its agent has ended: {error}"
        ))
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Route;
    use serde_json::{Value, json};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::UnixStream;

    type Peer = BufReader<UnixStream>;

    fn pair() -> (Session, Peer) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let session = Session::over_socket(ours, Route::Direct);
        (session, BufReader::new(theirs))
    }

    async fn heard(peer: &mut Peer) -> Value {
        let mut line = String::new();
        peer.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn say(peer: &mut Peer, line: Value) {
        let line = format!("{line}\n");
        peer.get_mut().write_all(line.as_bytes()).await.unwrap();
    }

    fn quiesced(stage: &str) -> Value {
        json!({"stage": stage, "by": "alice", "since": "2026-11-22T16:15:00Z",
            "until": "2026-11-22T16:30:00Z"})
    }

    async fn held() -> (Quiet, Peer) {
        let (session, mut peer) = pair();
        let lease = Lease {
            most: Duration::from_secs(60),
            patience: Duration::from_secs(30),
            by: "alice",
        };
        let mut lines = 0;
        let mut count = |_: &FromAgent| lines += 1;
        let agent = async {
            let asked = heard(&mut peer).await;
            assert_eq!(
                asked,
                json!({"id": 1, "by": "alice", "type": "backup", "step": "quiesce", "most_s": 60})
            );
            say(
                &mut peer,
                json!({"type": "note", "at": "2026-11-22T16:15:00Z", "text": "x"}),
            )
            .await;
            say(
                &mut peer,
                json!({"type": "answer", "id": 1, "ok": true, "result": quiesced("held")}),
            )
            .await;
        };
        let (quiet, ()) = tokio::join!(session.quiesce(lease, &mut count), agent);
        assert_eq!(lines, 1, "the rest is told");
        (quiet.unwrap(), peer)
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        for (code, words) in [
            ("busy", "Busy"),
            ("refused", "Refused"),
            ("lapsed", "Lapsed"),
            ("cut", "Cut"),
            ("forbidden", "Forbidden"),
            ("unknown", "Unknown"),
            ("later", "Other"),
        ] {
            let (mut session, mut peer) = pair();
            let agent = async {
                heard(&mut peer).await;
                let error = json!({"code": code, "message": "no\u{1b}[31m"});
                say(
                    &mut peer,
                    json!({"type": "answer", "id": 1, "ok": false, "error": error}),
                )
                .await;
            };
            let (plan, ()) = tokio::join!(session.plan("alice"), agent);
            let error = plan.unwrap_err();
            assert!(format!("{error:?}").starts_with(words), "{error:?}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }

    #[tokio::test]
    async fn an_agent_that_does_not_answer_is_not_waited_for() {
        let (mut session, _peer) = pair();
        let answer = session
            .hook(Duration::from_millis(10), "alice", &mut |_| {})
            .await;
        assert!(matches!(answer, Err(StepError::Overdue(_))));
    }

    #[tokio::test]
    async fn a_script_that_has_ended_is_an_answer_however_it_did() {
        let (mut session, mut peer) = pair();
        let agent = async {
            let asked = heard(&mut peer).await;
            assert_eq!(asked["directory"], "/backup/x");
            let result = json!({"exit": 3, "detail": "exited 3"});
            say(
                &mut peer,
                json!({"type": "answer", "id": 1, "ok": true, "result": result}),
            )
            .await;
        };
        let mut told = |_: &FromAgent| {};
        let restore = session.restore("/backup/x", Duration::from_secs(30), "alice", &mut told);
        let (answer, ()) = tokio::join!(restore, agent);
        assert_eq!(answer.unwrap().exit, Some(3));
        let agent = async {
            assert_eq!(heard(&mut peer).await["step"], "clean");
            say(&mut peer, json!({"type": "answer", "id": 2, "ok": true})).await;
        };
        let (cleaned, ()) = tokio::join!(session.clean("/backup/x", "alice"), agent);
        cleaned.unwrap();
    }

    #[tokio::test]
    async fn what_is_held_is_given_back_on_the_same_connection() {
        let (mut quiet, mut peer) = held().await;
        assert_eq!(quiet.report().stage, QuiesceStage::Held);
        // However much is said meanwhile is read.
        let sample =
            json!({"type": "note", "at": "2026-11-22T16:15:00Z", "text": "x".repeat(4096)});
        for _ in 0..1000 {
            say(&mut peer, sample.clone()).await;
        }
        let still = tokio::time::timeout(Duration::from_millis(1), quiet.ended());
        assert!(still.await.is_err());
        let agent = async {
            assert_eq!(heard(&mut peer).await["step"], "resume");
            say(&mut peer, json!({"type": "answer", "id": 2, "ok": true})).await;
        };
        let (resumed, ()) = tokio::join!(quiet.resume(), agent);
        assert!(resumed.is_ok());
    }

    #[tokio::test]
    async fn what_is_dropped_ends_the_connection() {
        let (quiet, mut peer) = held().await;
        drop(quiet);
        let mut line = String::new();
        assert_eq!(peer.read_line(&mut line).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_is_over_before_is_told_and_was_not_held() {
        let (mut quiet, mut peer) = held().await;
        let mut over = quiesced("ended");
        over["type"] = "quiesced".into();
        over["detail"] = "its time is over".into();
        say(&mut peer, over).await;
        assert_eq!(quiet.ended().await, "its time is over");
        let agent = async {
            heard(&mut peer).await;
            let error = json!({"code": "lapsed", "message": "not all the time"});
            say(
                &mut peer,
                json!({"type": "answer", "id": 2, "ok": false, "error": error}),
            )
            .await;
        };
        let (resumed, ()) = tokio::join!(quiet.resume(), agent);
        assert!(matches!(resumed, Err(StepError::Lapsed(_))));

        let (mut quiet, peer) = held().await;
        drop(peer);
        assert!(quiet.ended().await.contains("closed"));
        assert!(matches!(quiet.resume().await, Err(StepError::Lapsed(_))));
    }
}
