//! The first question to an Engine: which version, and what time it has.
//!
//! bollard negotiates by `/version`, which makes the Engine run other programs, and hides the
//! headers; `/_ping` costs a fraction of a millisecond and its headers say both.

use std::io;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::endpoint::Endpoint;
use super::transport::{self, Obstacle};
use crate::fleet::clean;

/// The most bytes a header may take.
const MAX_HEADER: usize = 16 * 1024;
/// What a server that speaks TLS answers to anything else.
const TLS_ALERT: &[u8] = b"\x15\x03";

/// What an Engine answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pong {
    /// The newest API version it speaks: major, minor.
    pub api: (usize, usize),
    /// Its clock, to the second.
    pub date: Option<Timestamp>,
    /// Whether it is Podman behind Docker's API.
    pub is_podman: bool,
}

/// Asks. The caller bounds the time.
///
/// # Errors
/// When nobody listens there; `InvalidData` when what answers is not an Engine.
pub(super) async fn ping(endpoint: &Endpoint) -> io::Result<Pong> {
    ask(transport::connect(endpoint).await?).await
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Pong> {
    stream
        .write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    loop {
        if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            if is_bad_request(&answer) {
                read_on(&mut stream, &mut answer).await;
                if wants_tls(&String::from_utf8_lossy(&answer)) {
                    return Err(tls_only());
                }
            }
            answer.truncate(end);
            return parse(&String::from_utf8_lossy(&answer)).map_err(no_engine);
        }
        if answer.starts_with(TLS_ALERT) {
            return Err(tls_only());
        }
        if answer.len() > MAX_HEADER {
            return Err(no_engine("it does not speak HTTP".into()));
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(if answer.is_empty() {
                closed()
            } else {
                no_engine("it does not speak HTTP".into())
            });
        }
    }
}

fn is_bad_request(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.") && answer.get(8..13) == Some(b" 400 ")
}

/// Reads what follows the headers, where the reason is.
async fn read_on(stream: &mut (impl AsyncRead + Unpin), answer: &mut Vec<u8>) {
    while answer.len() <= MAX_HEADER && matches!(stream.read_buf(answer).await, Ok(1..)) {}
}

/// A server that speaks TLS only says so to those who do not, each in its own words.
fn wants_tls(answer: &str) -> bool {
    answer.contains("HTTPS")
}

fn tls_only() -> io::Error {
    Obstacle {
        reason: "it speaks TLS only".into(),
        hint:
            "set DOCKER_TLS_VERIFY=1 (and DOCKER_CERT_PATH), give it as https://, or use a context \
               that has its certificates"
                .into(),
    }
    .into()
}

fn closed() -> io::Error {
    let text = "the connection was closed without an answer";
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

fn no_engine(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn parse(header: &str) -> Result<Pong, String> {
    let mut lines = header.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.") {
        return Err("it does not speak HTTP".into());
    }
    if status.split(' ').nth(1) != Some("200") {
        let status = clean(status, 60);
        return Err(format!("it answered `{status}`"));
    }
    let (mut api, mut date, mut is_podman) = (None, None, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("api-version") {
            api = value
                .split_once('.')
                .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        } else if name.eq_ignore_ascii_case("libpod-api-version") {
            is_podman = true;
        } else if name.eq_ignore_ascii_case("date") {
            date = jiff::fmt::rfc2822::DateTimeParser::new()
                .parse_timestamp(value)
                .ok();
        }
    }
    let api = api.ok_or("it names no API version, so it is no Docker Engine")?;
    Ok(Pong {
        api,
        date,
        is_podman,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_an_engine_are_read() {
        let header = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nDocker-Experimental: false\r\n\
                      Date: Sun, 22 Nov 2026 16:15:00 GMT\r\nContent-Length: 2";
        let pong = parse(header).unwrap();
        assert_eq!(pong.api, (1, 41));
        assert_eq!(pong.date.unwrap().to_string(), "2026-11-22T16:15:00Z");
        let odd = parse("HTTP/1.1 200 OK\r\napi-version:1.44\r\ndate: yesterday").unwrap();
        assert_eq!((odd.api, odd.date), ((1, 44), None));
        let podman = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nLibpod-Api-Version: 4.3.1";
        assert!(parse(podman).unwrap().is_podman && !pong.is_podman);
    }

    #[test]
    fn what_is_no_engine_is_told_from_one() {
        for (header, reason) in [
            ("SSH-2.0-OpenSSH_9.9", "it does not speak HTTP"),
            (
                "HTTP/1.1 404 Not Found",
                "it answered `HTTP/1.1 404 Not Found`",
            ),
            (
                "HTTP/1.1 200 OK\r\nServer: nginx\r\nApi-Version: new",
                "it names no API version, so it is no Docker Engine",
            ),
        ] {
            assert_eq!(parse(header).unwrap_err(), reason);
        }
    }
}
