//! One way to connect: a stream of bytes to an Engine, whatever lies between, and HTTP over it.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bollard::errors::Error;
use bollard::{BollardRequest, ClientVersion, Docker};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Method, Response, Uri};
use hyper_util::rt::TokioIo;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Sleep, sleep};
use tokio_util::task::TaskTracker;

use super::endpoint::Endpoint;

/// How long making a connection may take, besides what ssh takes for itself.
const CONNECT: Duration = Duration::from_secs(5);
/// After so many seconds of silence a connection is asked whether it is still there.
const IDLE: u32 = 30;
/// The longest answer of an Engine that is read as a whole, in bytes: as much as is listed of some ten
/// thousand containers.
const LONGEST: usize = 64 * 1024 * 1024;
/// How long such an answer may take to arrive. The client's own limit ends with its header.
const ARRIVAL: Duration = Duration::from_secs(60);
/// What the Engine is called in requests; it does not matter.
const ANY_HOST: &str = "docker";

/// Why there is no way to an Engine, and what to do next.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Obstacle {
    pub reason: String,
    pub hint: String,
}

impl From<Obstacle> for io::Error {
    fn from(obstacle: Obstacle) -> Self {
        Self::other(obstacle)
    }
}

/// Bytes both ways.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Connects; each request has a connection of its own.
///
/// # Errors
/// When nobody listens there, or does not want us; an [`Obstacle`] inside where more can be said.
pub(super) async fn connect(endpoint: &Endpoint) -> io::Result<Box<dyn Bytes>> {
    match endpoint {
        Endpoint::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Endpoint::Tcp(address) => Ok(Box::new(in_time(tcp(address)).await?)),
        Endpoint::Tls(tls) => {
            let stream = in_time(async { tls.over(tcp(&tls.address).await?).await }).await;
            match stream {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(tls.obstacle(&error).map_or(error, io::Error::from)),
            }
        }
        Endpoint::Ssh(ssh) => Ok(Box::new(ssh.connect().await?)),
    }
}

async fn in_time<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || {
        let text = format!("no answer within {} s", CONNECT.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, text)
    };
    let connected = tokio::time::timeout(CONNECT, connecting).await;
    connected.unwrap_or_else(|_| Err(late()))
}

async fn tcp(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // Without it a stream that only listens never learns that the other side is gone. A system
    // that cannot do it is no worse off.
    let _better = setsockopt(&stream, sockopt::KeepAlive, &true);
    let _better = setsockopt(&stream, sockopt::TcpKeepIdle, &IDLE);
    Ok(stream)
}

/// The Engine's API over such connections; a request may take `seconds`.
///
/// # Errors
/// Never, as it is today.
pub(super) fn client(
    endpoint: &Endpoint,
    seconds: u64,
    version: &ClientVersion,
) -> Result<Docker, Error> {
    // Each conversation ends with its connection.
    let (endpoint, conversations) = (endpoint.clone(), TaskTracker::new());
    let transport = move |request: BollardRequest| {
        let (endpoint, conversations) = (endpoint.clone(), conversations.clone());
        async move { send(&endpoint, &conversations, request).await }
    };
    let base = format!("http://{ANY_HOST}");
    Docker::connect_with_custom_transport(transport, Some(base), seconds, version)
}

async fn send(
    endpoint: &Endpoint,
    conversations: &TaskTracker,
    request: BollardRequest,
) -> Result<Response<Incoming>, Error> {
    let stream = connect(endpoint).await?;
    let stream: Box<dyn Bytes> = if is_kept_whole(&request) {
        let late = (request.method() == Method::GET).then_some(ARRIVAL);
        Box::new(Bounded::new(stream, LONGEST, late))
    } else {
        stream
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It goes on as a stream of another kind where the Engine agrees (exec).
    conversations.spawn(connection.with_upgrades());
    Ok(sender.send_request(in_origin_form(request)?).await?)
}

/// Whether the client keeps an answer until all of it is there. What is read piece by piece ends when
/// its reader has enough.
fn is_kept_whole(request: &BollardRequest) -> bool {
    let path = request.uri().path();
    let is_exec = path.contains("/exec/") && path.ends_with("/start");
    !(is_exec || path.ends_with("/archive") || path.ends_with("/build"))
}

/// A connection from which only so much comes, in only so much time. An answer without an end would
/// fill the memory else, and one that never gets there hold up whoever waits for it.
struct Bounded {
    stream: Box<dyn Bytes>,
    left: usize,
    late: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl Bounded {
    fn new(stream: Box<dyn Bytes>, left: usize, limit: Option<Duration>) -> Self {
        let late = limit.map(|limit| (limit, Box::pin(sleep(limit))));
        Self { stream, left, late }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some((limit, late)) = &mut self.late
            && late.as_mut().poll(cx).is_ready()
        {
            let words = format!("its answer is not complete after {} s", limit.as_secs());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, words)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        let Some(left) = self.left.checked_sub(read) else {
            let words = "its answer is too long";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, words)));
        };
        self.left = left;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A request as a server expects it: its path only, and who is meant in a header.
fn in_origin_form(mut request: BollardRequest) -> Result<BollardRequest, Error> {
    let path = request.uri().path_and_query();
    let uri: Uri = path.map_or("/", |path| path.as_str()).parse()?;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static(ANY_HOST));
    Ok(request)
}
