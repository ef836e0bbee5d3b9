//! Bringing back what ran before a backup.

use std::time::Duration;

use tokio::time::timeout;
use whaleware::lifecycle::State;
use whaleware::protocol::FromAgent;

use crate::agent::Reach;
use crate::backup::journal::{How, Touched};
use crate::engine::{Engine, EngineError, Inspected};
use crate::fleet::clean;

/// Between two looks at a container.
const PAUSE: Duration = Duration::from_millis(200);
/// How long an agent may take to say what is true.
const INTRODUCTION: Duration = Duration::from_secs(5);
/// An exit code from here on is that of somebody who was killed.
const KILLED: i64 = 128;
/// The most characters kept of what others say.
const TEXT: usize = 512;

/// The container that is meant: the same, or the one that has its name now.
///
/// # Errors
/// When the Engine cannot be asked.
pub(in crate::commands) async fn found(
    engine: &Engine,
    touched: &Touched,
) -> Result<Option<Inspected>, EngineError> {
    if let Some(same) = engine.inspected(&touched.id).await? {
        return Ok(Some(same));
    }
    let named = engine.inspected(&touched.name).await?;
    Ok(named.filter(|one| one.name() == touched.name))
}

/// Undoes what a backup has done to a container, as far as that is still its doing: thaws one that it has frozen,
/// and starts one that was killed meanwhile. What somebody has stopped in order since stays so. What was done, if
/// anything.
///
/// # Errors
/// When it cannot be done.
pub(in crate::commands) async fn bring_back(
    engine: &Engine,
    touched: &Touched,
) -> Result<Option<&'static str>, EngineError> {
    let Some(one) = found(engine, touched).await? else {
        return Ok(None);
    };
    if one.is_paused() && touched.how == How::Paused && one.id() == touched.id {
        return engine.unpause(one.id()).await.map(|()| Some("unpaused"));
    }
    if touched.how != How::Paused && was_killed(&one) {
        return engine.start(one.id()).await.map(|()| Some("started"));
    }
    Ok(None)
}

fn was_killed(one: &Inspected) -> bool {
    !one.is_running()
        && !one.is_restarting()
        && one.was_started()
        && one.exit_code().is_some_and(|code| code >= KILLED)
}

/// Waits until a container is UP again. One that is killed meanwhile is started, once.
///
/// # Errors
/// When it cannot come back, or not in time, with the reason in words.
pub(in crate::commands) async fn is_up(
    engine: &Engine,
    touched: &Touched,
    limit: Duration,
) -> Result<(), String> {
    let mut last = "nothing is heard of it".to_owned();
    let coming = comes(engine, touched, &mut last);
    match timeout(limit, coming).await {
        Ok(came) => came,
        Err(_) => Err(format!("not UP within {} s: {last}", limit.as_secs())),
    }
}

async fn comes(engine: &Engine, touched: &Touched, last: &mut String) -> Result<(), String> {
    let reach = Reach::new(engine.clone());
    let mut started = false;
    loop {
        match found(engine, touched).await {
            Err(error) => *last = error.to_string(),
            Ok(None) => return Err("it is gone".into()),
            Ok(Some(one)) if one.is_running() && !one.is_restarting() => {
                if touched.how == How::Paused {
                    return if one.is_paused() {
                        Err("it is paused".into())
                    } else {
                        Ok(())
                    };
                }
                match hears(&reach, one.id()).await {
                    Ok(()) => return Ok(()),
                    Err(words) => *last = words,
                }
            }
            Ok(Some(one)) if was_killed(&one) && !started => {
                started = true;
                if let Err(error) = engine.start(one.id()).await {
                    *last = error.to_string();
                }
            }
            Ok(Some(one)) if one.is_restarting() => "Docker is starting it".clone_into(last),
            Ok(Some(one)) => {
                let code = one.exit_code().unwrap_or_default();
                return Err(match code {
                    0 => "somebody has stopped it meanwhile".into(),
                    code => format!("it has ended with {code}"),
                });
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Listens to an agent until it is UP.
async fn hears(reach: &Reach, id: &str) -> Result<(), String> {
    let session = reach.connect(id).await;
    let mut session = session.map_err(|error| error.to_string())?;
    let told = timeout(INTRODUCTION, session.introduction()).await;
    let (_, snapshot) = told
        .map_err(|_| "its agent says nothing".to_owned())?
        .map_err(|error| error.to_string())?;
    if snapshot.state == State::Up && snapshot.quiesced.is_none() {
        return Ok(());
    }
    let mut words = said(snapshot.state, &snapshot.cause);
    loop {
        match session.next().await {
            Ok(FromAgent::State(report)) if report.state == State::Up => return Ok(()),
            Ok(FromAgent::State(report)) => words = said(report.state, &report.cause),
            Ok(_) => {}
            Err(_) => return Err(words),
        }
    }
}

fn said(state: State, cause: &str) -> String {
    clean(&format!("{state} ({cause})"), TEXT)
}
