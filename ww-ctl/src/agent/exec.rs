//! The long way: `ww-agent attach`, run in the container by the Engine and held open.

use bytes::Bytes;
use futures::StreamExt;
use whaleware::paths;

use super::ReachError;
use super::session::{Piece, Session};
use crate::engine::{Engine, ExecOutput};

/// Attaches to the agent of a container. The program runs as the container's own user, which is the
/// agent's too.
///
/// # Errors
/// When the Engine cannot run it.
pub(super) async fn attach(engine: &Engine, id: &str) -> Result<Session, ReachError> {
    let stream = engine
        .exec(id, &[paths::AGENT, "attach"])
        .await
        .map_err(|error| ReachError::Exec(error.to_string()))?;
    let pieces = stream.output.map(|piece| match piece {
        Ok(ExecOutput::Stdout(bytes)) => Ok(Piece::Line(bytes)),
        Ok(ExecOutput::Stderr(bytes)) => Ok(Piece::Complaint(bytes)),
        Err(error) => Ok(Piece::Complaint(Bytes::from(error.to_string()))),
    });
    Ok(Session::over_exec(Box::pin(pieces), stream.input))
}
