//! Requests whose answer is a stream of bytes, as it comes.
//!
//! bollard can make them too, but reads what comes back as frames whatever it is: a terminal's bytes
//! that happen to begin like a frame would be lost or waited for for ever, and a line without an end
//! is kept whole. And it has no way to say "no more input" that leaves the other direction open on
//! every transport.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::reading::read_some;
use super::transport;

/// The most bytes a header may take.
const MAX_HEADER: usize = 16 * 1024;
/// The most bytes the line before a chunk may take.
const MAX_SIZE: usize = 256;
/// The most bytes read of an answer that is none of ours.
const MAX_ANSWER: usize = 64 * 1024;
/// How long an Engine may take to begin its answer.
const BEGIN: Duration = Duration::from_secs(60);
/// How long the rest of a refusal may take.
const REST: Duration = Duration::from_secs(5);

/// What became of a request.
pub(super) enum Answered<T> {
    /// It is done.
    Accepted(T),
    /// The Engine said no.
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
}

/// A connection that is a stream now.
pub(super) struct Hijacked {
    /// What has come already.
    pub early: Bytes,
    /// What comes, and what goes.
    pub stream: Box<dyn transport::Bytes>,
}

/// Sends a JSON body to a path of the Engine's API, and keeps the connection.
///
/// # Errors
/// When nobody listens there, or what answers does not speak HTTP.
pub(super) async fn hijack(
    endpoint: &Endpoint,
    path: &str,
    body: &Value,
) -> io::Result<Answered<Hijacked>> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{body}",
        body.len()
    );
    let answered =
        begin(async { ask(transport::connect(endpoint).await?, &request).await }).await?;
    Ok(match answered {
        Answered::Accepted((_, early, stream)) => Answered::Accepted(Hijacked {
            early: early.freeze(),
            stream,
        }),
        Answered::Refused { status, message } => Answered::Refused { status, message },
    })
}

/// Asks for a path of the Engine's API, whose answer may never end.
///
/// # Errors
/// When nobody listens there, or what answers does not speak HTTP.
pub(super) async fn get(endpoint: &Endpoint, path: &str) -> io::Result<Answered<Body>> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    let answered =
        begin(async { ask(transport::connect(endpoint).await?, &request).await }).await?;
    Ok(match answered {
        Answered::Accepted((header, early, stream)) => {
            Answered::Accepted(Body::new(&header, early, stream))
        }
        Answered::Refused { status, message } => Answered::Refused { status, message },
    })
}

/// The next line of an answer, its end included; none at the end of it. Nothing is lost when the call
/// is given up.
///
/// # Errors
/// When the connection breaks, or a line is longer than `most` bytes.
pub(super) async fn line(
    body: &mut Body,
    buffer: &mut BytesMut,
    most: usize,
) -> io::Result<Option<BytesMut>> {
    loop {
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            return Ok(Some(buffer.split_to(end + 1)));
        }
        if buffer.len() > most {
            return Err(odd("a line of its answer has no end"));
        }
        match body.next().await? {
            Some(bytes) => buffer.extend_from_slice(&bytes),
            None => return Ok(None),
        }
    }
}

async fn begin<T>(asked: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(BEGIN, asked).await.unwrap_or_else(|_| {
        let words = format!("no answer within {} s", BEGIN.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, words))
    })
}

/// The header of the answer, what came right after it, and the connection.
type Begun = (String, BytesMut, Box<dyn transport::Bytes>);

async fn ask(mut stream: Box<dyn transport::Bytes>, request: &str) -> io::Result<Answered<Begun>> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = BytesMut::new();
    let end = loop {
        if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if answer.len() > MAX_HEADER || read_some(&mut stream, &mut answer).await? == 0 {
            return Err(odd("its answer is no HTTP"));
        }
    };
    let header = answer.split_to(end + 4);
    let header = String::from_utf8_lossy(&header).into_owned();
    let status = status(&header)?;
    if matches!(status, 101 | 200) {
        return Ok(Answered::Accepted((header, answer, stream)));
    }
    let wanted = match length(&header) {
        Some(length) => usize::try_from(length).unwrap_or(MAX_ANSWER),
        None => MAX_ANSWER,
    };
    // Where it takes too long, what has come is enough.
    let _late = timeout(REST, async {
        while answer.len() < wanted.min(MAX_ANSWER) {
            if read_some(&mut stream, &mut answer).await.unwrap_or(0) == 0 {
                break;
            }
        }
    })
    .await;
    let message = words(&answer);
    Ok(Answered::Refused { status, message })
}

fn odd(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn status(header: &str) -> io::Result<u16> {
    header
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .and_then(|word| word.get(..3)?.parse().ok())
        .ok_or_else(|| odd("its answer is no HTTP"))
}

fn field<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    header.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then_some(value.trim())
    })
}

fn length(header: &str) -> Option<u64> {
    field(header, "content-length")?.parse().ok()
}

/// An Engine's refusal is an object with a message, in pieces perhaps, or just words.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let object = text
        .find('{')
        .zip(text.rfind('}'))
        .and_then(|(begin, end)| serde_json::from_str::<Value>(text.get(begin..=end)?).ok());
    match object
        .as_ref()
        .and_then(|object| object["message"].as_str())
    {
        Some(message) => message.to_owned(),
        None => text.trim().to_owned(),
    }
}

/// A text as a value in an address.
pub(super) fn in_address(text: &str) -> String {
    let mut escaped = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            escaped.push(char::from(byte));
        } else {
            let _never = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// An answer as it comes.
pub(super) struct Body {
    stream: Box<dyn transport::Bytes>,
    buffer: BytesMut,
    rest: Rest,
}

/// What is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// So many bytes.
    Bytes(u64),
    /// Everything until the connection ends.
    Everything,
    /// So many bytes of a chunk and its end.
    Chunk(u64),
    /// The size of the next chunk.
    Size,
}

impl Body {
    fn new(header: &str, buffer: BytesMut, stream: Box<dyn transport::Bytes>) -> Self {
        let is_chunked = field(header, "transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let rest = match length(header) {
            _ if is_chunked => Rest::Size,
            Some(length) => Rest::Bytes(length),
            None => Rest::Everything,
        };
        Self {
            stream,
            buffer,
            rest,
        }
    }

    /// The next bytes; none at the end. Nothing is lost when the call is given up.
    ///
    /// # Errors
    /// When the connection breaks before the end, or what comes makes no sense.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match self.rest {
                Rest::Bytes(0) => return Ok(None),
                Rest::Everything if !self.buffer.is_empty() => {
                    return Ok(Some(self.buffer.split().freeze()));
                }
                Rest::Bytes(left) if !self.buffer.is_empty() => {
                    let (bytes, left) = self.part(left);
                    self.rest = Rest::Bytes(left);
                    return Ok(Some(bytes));
                }
                Rest::Chunk(0) if self.buffer.len() >= 2 => {
                    if &self.buffer.split_to(2)[..] != b"\r\n" {
                        return Err(odd("a chunk of the answer has no end"));
                    }
                    self.rest = Rest::Size;
                    continue;
                }
                Rest::Chunk(left @ 1..) if !self.buffer.is_empty() => {
                    let (bytes, left) = self.part(left);
                    self.rest = Rest::Chunk(left);
                    return Ok(Some(bytes));
                }
                Rest::Size => {
                    if let Some(size) = self.size()? {
                        // What may follow the last chunk is of no interest.
                        self.rest = match size {
                            0 => Rest::Bytes(0),
                            size => Rest::Chunk(size),
                        };
                        continue;
                    }
                }
                Rest::Bytes(_) | Rest::Everything | Rest::Chunk(_) => {}
            }
            if read_some(&mut self.stream, &mut self.buffer).await? == 0 {
                if self.rest == Rest::Everything {
                    return Ok(None);
                }
                let reason = "it was closed before the answer was complete";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
            }
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// The same, and when it is longer than `most`.
    pub(super) async fn all(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > most {
                return Err(odd("its answer is too long"));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    fn part(&mut self, left: u64) -> (Bytes, u64) {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let bytes = self.buffer.split_to(most.min(self.buffer.len())).freeze();
        let taken = u64::try_from(bytes.len()).unwrap_or(left);
        (bytes, left - taken)
    }

    /// The line with the size of the next chunk, once it is there.
    fn size(&mut self) -> io::Result<Option<u64>> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
            if self.buffer.len() > MAX_SIZE {
                return Err(odd("the answer is in no chunks"));
            }
            return Ok(None);
        };
        let line = self.buffer.split_to(end + 1);
        std::str::from_utf8(&line)
            .ok()
            .and_then(|line| u64::from_str_radix(line.split(';').next()?.trim(), 16).ok())
            .map(Some)
            .ok_or_else(|| odd("the answer is in no chunks"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, duplex};

    async fn answered(answer: &'static [u8]) -> (String, io::Result<Answered<Begun>>) {
        let (ours, mut theirs) = duplex(1 << 16);
        let server = async {
            let mut request = vec![0; 4096];
            let length = theirs.read(&mut request).await.unwrap();
            theirs.write_all(answer).await.unwrap();
            drop(theirs);
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        tokio::join!(server, ask(Box::new(ours), "GET / HTTP/1.1\r\n\r\n"))
    }

    #[tokio::test]
    async fn what_comes_with_the_header_is_not_lost() {
        for line in ["101 UPGRADED", "200 OK"] {
            let answer = format!("HTTP/1.1 {line}\r\nConnection: Upgrade\r\n\r\n\x01\x02early");
            let (request, hijacked) = answered(answer.leak().as_bytes()).await;
            assert_eq!(request, "GET / HTTP/1.1\r\n\r\n");
            let Ok(Answered::Accepted((_, early, _))) = hijacked else {
                panic!("{line}");
            };
            assert_eq!(&early[..], b"\x01\x02early");
        }
    }

    #[tokio::test]
    async fn a_refusal_has_its_words() {
        for (answer, expected) in [
            (
                &b"HTTP/1.1 409 Conflict\r\nContent-Length: 23\r\n\r\n{\"message\":\"is paused\"}\n"[..],
                "is paused",
            ),
            (
                b"HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n{\"message\":\"is paused\"}\r\n0\r\n\r\n",
                "is paused",
            ),
            (b"HTTP/1.1 409 Conflict\r\n\r\nis paused\n", "is paused"),
        ] {
            let (_, hijacked) = answered(answer).await;
            let Ok(Answered::Refused { status, message }) = hijacked else {
                panic!("{answer:?}");
            };
            assert_eq!((status, message.as_str()), (409, expected));
        }
    }

    #[tokio::test]
    async fn what_is_no_http_is_told() {
        for answer in [&b"SSH-2.0-OpenSSH_9.9\r\n\r\n"[..], b"HTTP/1.1", b""] {
            let (_, hijacked) = answered(answer).await;
            assert!(matches!(hijacked, Err(error) if error.kind() == io::ErrorKind::InvalidData));
        }
    }

    async fn body(header: &str, bytes: &[u8], chunk: usize) -> io::Result<Vec<u8>> {
        let (ours, mut theirs) = duplex(chunk);
        let mut body = Body::new(header, BytesMut::new(), Box::new(ours));
        let write = async {
            // A reader that has enough does not wait for the rest.
            drop(theirs.write_all(bytes).await);
            drop(theirs);
        };
        let read = async {
            let mut all = Vec::new();
            while let Some(bytes) = body.next().await? {
                assert!(!bytes.is_empty());
                all.extend_from_slice(&bytes);
            }
            drop(body);
            Ok(all)
        };
        tokio::join!(write, read).1
    }

    #[tokio::test]
    async fn an_answer_is_read_whatever_its_form_and_its_pieces() {
        const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        const LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
        const CLOSED: &str = "HTTP/1.0 200 OK\r\n\r\n";
        let chunks = b"5\r\none\r\n\r\n4;x=y\r\ntwo\n\r\n0\r\n\r\n";
        for chunk in [1, 2, 3, 1000] {
            for (header, bytes) in [
                (CHUNKED, &chunks[..]),
                (LENGTH, b"one\r\ntwo\nmore"),
                (CLOSED, b"one\r\ntwo\n"),
            ] {
                let read = body(header, bytes, chunk).await.unwrap();
                assert_eq!(read, b"one\r\ntwo\n", "{header} {chunk}");
            }
        }
        for cut in 0..chunks.len() - 4 {
            let cut_short = body(CHUNKED, &chunks[..cut], 1000).await;
            assert!(cut_short.is_err(), "{cut}");
        }
        for odd in [&b"zz\r\n"[..], b"3\r\noneXX", &[b'1'; 400]] {
            let error = body(CHUNKED, odd, 1000).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        assert!(body(LENGTH, b"one", 1000).await.is_err());
    }
}
