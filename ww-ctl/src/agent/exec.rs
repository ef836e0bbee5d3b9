//! The long way: `ww-agent attach`, run in the container by the Engine and held open.

use bytes::Bytes;
use whaleware::paths;

use super::ReachError;
use super::session::{Piece, Session};
use crate::engine::{Channel, Engine, EngineError, Pieces, Program, Streams};

/// Attaches to the agent of a container. The program runs as the container's own user, which is the
/// agent's too.
///
/// # Errors
/// When the Engine cannot run it.
pub(super) async fn attach(engine: &Engine, id: &str) -> Result<Session, ReachError> {
    let streams = run(engine, id).await;
    let Streams { output, input } = streams.map_err(|error| ReachError::Exec(error.to_string()))?;
    let pieces = futures::stream::unfold(Some(output), |output| async move {
        let mut output: Pieces = output?;
        match output.next().await {
            Ok(Some((Channel::Stdout, bytes))) => Some((Ok(Piece::Line(bytes)), Some(output))),
            Ok(Some((Channel::Stderr, bytes))) => Some((Ok(Piece::Complaint(bytes)), Some(output))),
            Ok(None) => None,
            Err(error) => Some((Ok(Piece::Complaint(Bytes::from(error.to_string()))), None)),
        }
    });
    Ok(Session::over_exec(Box::pin(pieces), input))
}

async fn run(engine: &Engine, id: &str) -> Result<Streams, EngineError> {
    let program = Program {
        command: [paths::AGENT, "attach"].map(str::to_owned).into(),
        tty: false,
        stdin: true,
        user: None,
        directory: None,
        variables: Vec::new(),
    };
    let prepared = engine.prepare(id, &program).await?;
    engine.launch(&prepared, &program, None).await
}
