//! A conversation with an agent, whatever it runs over.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use whaleware::protocol::{
    Answer, Decoder, FrameError, FromAgent, Hello, Request, RequestId, RequestKind, Snapshot,
    encode,
};

use crate::engine::read_some;
use crate::fleet::{Route, clean};

/// So many lines in a row that make no sense, and it is no agent.
const PATIENCE: u32 = 16;
/// The most bytes kept of what the program in the container complains.
const COMPLAINT: usize = 512;
/// How long writing a request may take: an agent that does not read is not alive.
const WRITE: Duration = Duration::from_secs(2);

/// Why a conversation ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The agent closed it; what the program in between said, if anything.
    #[error("it closed the connection{}", said(.0))]
    Closed(String),
    /// It does not speak as an agent does.
    #[error("it does not speak the agent's language: {0}")]
    Garbage(String),
    /// It says nothing.
    #[error("it said nothing for {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// It could not be written to, or read from.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// What was to be asked does not fit into a line.
    #[error("cannot ask that: {0}")]
    Request(#[from] FrameError),
}

fn said(complaint: &str) -> String {
    if complaint.is_empty() {
        String::new()
    } else {
        format!(": {complaint}")
    }
}

/// What arrives.
pub(super) enum Piece {
    /// Some of the agent's lines.
    Line(Bytes),
    /// What the program in between says itself.
    Complaint(Bytes),
}

pub(super) type Pieces = Pin<Box<dyn Stream<Item = io::Result<Piece>> + Send>>;

/// A conversation with an agent.
pub(crate) struct Session {
    route: Route,
    pieces: Pieces,
    output: Pin<Box<dyn AsyncWrite + Send>>,
    decoder: Decoder,
    waiting: VecDeque<Result<FromAgent, String>>,
    nonsense: u32,
    complaint: String,
    requests: u64,
}

impl Session {
    pub(super) fn over_socket(stream: UnixStream, route: Route) -> Self {
        // Not `into_split`: its halves end the connection in two steps, and wake the agent for each.
        let (reader, writer) = tokio::io::split(stream);
        let pieces = futures::stream::try_unfold(reader, |mut reader| async move {
            let mut buffer = BytesMut::new();
            if read_some(&mut reader, &mut buffer).await? == 0 {
                Ok(None)
            } else {
                Ok(Some((Piece::Line(buffer.freeze()), reader)))
            }
        });
        Self::new(route, Box::pin(pieces), Box::pin(writer))
    }

    pub(super) fn over_exec(pieces: Pieces, output: Pin<Box<dyn AsyncWrite + Send>>) -> Self {
        Self::new(Route::Exec, pieces, output)
    }

    fn new(route: Route, pieces: Pieces, output: Pin<Box<dyn AsyncWrite + Send>>) -> Self {
        Self {
            route,
            pieces,
            output,
            decoder: Decoder::new(),
            waiting: VecDeque::new(),
            nonsense: 0,
            complaint: String::new(),
            requests: 0,
        }
    }

    /// How the agent is reached.
    pub(crate) const fn route(&self) -> Route {
        self.route
    }

    /// What the agent calls this run of itself; none once its hello was read.
    pub(crate) fn boot(&self) -> Option<&str> {
        match self.waiting.front() {
            Some(Ok(FromAgent::Hello(hello))) => Some(&hello.boot),
            Some(_) | None => None,
        }
    }

    /// Waits for the hello and leaves it to be read. The caller bounds the time.
    pub(super) async fn greet(&mut self) -> Result<(), SessionError> {
        match self.next().await? {
            hello @ FromAgent::Hello(_) => {
                self.waiting.push_front(Ok(hello));
                Ok(())
            }
            FromAgent::Snapshot(_)
            | FromAgent::State(_)
            | FromAgent::Hook(_)
            | FromAgent::Service(_)
            | FromAgent::Stopping(_)
            | FromAgent::Quiesced(_)
            | FromAgent::Health(_)
            | FromAgent::Monitor(_)
            | FromAgent::Resources(_)
            | FromAgent::Answer(_)
            | FromAgent::Note(_)
            | FromAgent::Unknown => Err(SessionError::Garbage("its first line is no hello".into())),
        }
    }

    /// The next line. Nothing is lost when the call is given up.
    ///
    /// # Errors
    /// When the conversation is over. A line that makes no sense is passed over, many are an error.
    pub(crate) async fn next(&mut self) -> Result<FromAgent, SessionError> {
        loop {
            while let Some(line) = self.waiting.pop_front() {
                match line {
                    Ok(frame) => {
                        self.nonsense = 0;
                        return Ok(frame);
                    }
                    Err(reason) => {
                        self.nonsense += 1;
                        if self.nonsense >= PATIENCE {
                            return Err(SessionError::Garbage(reason));
                        }
                    }
                }
            }
            match self.pieces.next().await {
                Some(Ok(Piece::Line(bytes))) => self.decode(&bytes),
                Some(Ok(Piece::Complaint(bytes))) => self.complain(&bytes),
                Some(Err(error)) => return Err(error.into()),
                None => {
                    let complaint = clean(self.complaint.trim(), COMPLAINT);
                    return Err(SessionError::Closed(complaint));
                }
            }
        }
    }

    /// Asks and waits for the answer; what else the agent says meanwhile is passed over. The caller
    /// bounds the time.
    ///
    /// # Errors
    /// When the conversation ends first.
    pub(crate) async fn request(
        &mut self,
        kind: RequestKind,
        by: &str,
    ) -> Result<Answer, SessionError> {
        let id = self.ask(kind, by).await?;
        loop {
            if let FromAgent::Answer(answer) = self.next().await?
                && answer.id == id
            {
                return Ok(answer);
            }
        }
    }

    fn decode(&mut self, bytes: &[u8]) {
        let waiting = &mut self.waiting;
        self.decoder.feed(bytes, |line| {
            waiting.push_back(match line {
                Ok(line) => serde_json::from_slice(line).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            });
        });
    }

    fn complain(&mut self, bytes: &[u8]) {
        let room = COMPLAINT.saturating_sub(self.complaint.len());
        let kept = &bytes[..bytes.len().min(room)];
        self.complaint.push_str(&String::from_utf8_lossy(kept));
    }

    /// Asks something; the answer comes among the lines, with the id that is returned.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn ask(
        &mut self,
        kind: RequestKind,
        by: &str,
    ) -> Result<RequestId, SessionError> {
        self.requests += 1;
        let id = RequestId::Number(self.requests);
        let line = encode(&Request {
            id: id.clone(),
            by: Some(by.to_owned()),
            kind,
        })?;
        let write = async {
            self.output.write_all(&line).await?;
            self.output.flush().await
        };
        match tokio::time::timeout(WRITE, write).await {
            Ok(result) => result?,
            Err(_) => return Err(SessionError::Silent(WRITE)),
        }
        Ok(id)
    }

    /// Reads hello and snapshot: everything that is true now. The caller bounds the time.
    ///
    /// # Errors
    /// When the conversation ends before.
    pub(crate) async fn introduction(&mut self) -> Result<(Hello, Box<Snapshot>), SessionError> {
        let mut hello = None;
        loop {
            match self.next().await? {
                FromAgent::Hello(told) => hello = Some(told),
                FromAgent::Snapshot(snapshot) => {
                    let hello = hello
                        .ok_or_else(|| SessionError::Garbage("a snapshot before hello".into()))?;
                    return Ok((hello, snapshot));
                }
                FromAgent::State(_)
                | FromAgent::Hook(_)
                | FromAgent::Service(_)
                | FromAgent::Stopping(_)
                | FromAgent::Quiesced(_)
                | FromAgent::Health(_)
                | FromAgent::Monitor(_)
                | FromAgent::Resources(_)
                | FromAgent::Answer(_)
                | FromAgent::Note(_)
                | FromAgent::Unknown => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn session() -> (Session, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Session::over_socket(ours, Route::Direct), theirs)
    }

    const HELLO: &[u8] =
        b"{\"type\":\"hello\",\"protocol\":1,\"agent\":\"0.1.0\",\"boot\":\"b\"}\n";

    #[tokio::test]
    async fn a_hello_is_waited_for_and_still_read_afterwards() {
        let (mut session, mut peer) = session();
        peer.write_all(HELLO).await.unwrap();
        session.greet().await.unwrap();
        assert!(matches!(session.next().await, Ok(FromAgent::Hello(_))));
    }

    #[tokio::test]
    async fn what_is_no_agent_is_found_out() {
        let (mut one, mut peer) = session();
        peer.write_all(b"220 smtp ready\r\n".repeat(20).as_slice())
            .await
            .unwrap();
        assert!(matches!(one.greet().await, Err(SessionError::Garbage(_))));

        let (mut other, mut peer) = session();
        peer.write_all(b"{\"type\":\"note\",\"at\":\"2026-11-22T16:15:00Z\",\"text\":\"x\"}\n")
            .await
            .unwrap();
        assert!(matches!(other.greet().await, Err(SessionError::Garbage(_))));

        let (mut closed, peer) = session();
        drop(peer);
        assert!(matches!(closed.greet().await, Err(SessionError::Closed(_))));
    }

    #[tokio::test]
    async fn a_line_without_an_end_takes_no_memory_and_what_follows_is_read() {
        let (mut session, mut peer) = session();
        let writer = async {
            peer.write_all(HELLO).await.unwrap();
            for _ in 0..64 {
                peer.write_all(&[b'x'; 4096]).await.unwrap();
            }
            peer.write_all(b"\n{\"type\":\"later\"}\n").await.unwrap();
        };
        let reader = async {
            session.greet().await.unwrap();
            assert!(matches!(session.next().await, Ok(FromAgent::Hello(_))));
            assert!(matches!(session.next().await, Ok(FromAgent::Unknown)));
        };
        tokio::join!(writer, reader);
    }

    #[tokio::test]
    async fn a_request_is_one_line_with_who_asks() {
        let (mut session, mut peer) = session();
        let id = session.ask(RequestKind::Check, "alice@ops1").await.unwrap();
        assert_eq!(id, RequestId::Number(1));
        let mut line = vec![0; 256];
        let length = peer.read(&mut line).await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&line[..length]),
            "{\"id\":1,\"by\":\"alice@ops1\",\"type\":\"check\"}\n"
        );
    }
}
