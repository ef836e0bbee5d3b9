//! A client's line as a request, and the answers to it.

use serde::Serialize;
use serde_json::Value;
use whaleware::protocol::{
    Answer, FrameError, FromAgent, MAX_TEXT, Request, RequestId, RequestKind, WireError, encode,
};

use crate::log;

/// The longest text a request may be named by, in bytes.
const ID: usize = 64;
/// The most characters of the name of who asks.
const BY: usize = 64;

/// The code of the answer to a line that is no request.
const MALFORMED: &str = "malformed";
/// What somebody is told who may only read.
const FORBIDDEN: &str = "requests are for root of the container and the agent's own user";

/// What a client asked.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Something that is to be done.
    Request {
        /// Who is to be answered.
        client: u32,
        /// The name of the request.
        id: RequestId,
        /// Who asks, by the name they gave, fit to be shown.
        by: Option<String>,
        /// What is asked.
        kind: RequestKind,
    },
    /// Something that is answered already.
    Refused {
        /// Who is to be answered.
        client: u32,
        /// The answer, as a line.
        answer: Vec<u8>,
        /// The line was no request at all.
        malformed: bool,
    },
}

impl Asked {
    /// Whether the line was a request, be it refused.
    pub(super) const fn is_request(&self) -> bool {
        !matches!(
            self,
            Self::Refused {
                malformed: true,
                ..
            }
        )
    }

    /// Reads a line of a client.
    pub(super) fn read(client: u32, privileged: bool, line: Result<&[u8], FrameError>) -> Self {
        let refused = |id, code, message: &str| Self::Refused {
            client,
            answer: failure(id, code, message),
            malformed: code == MALFORMED,
        };
        let line = match line {
            Ok(line) => line,
            Err(error) => return refused(nameless(), MALFORMED, &error.to_string()),
        };
        let Ok(Request { id, by, kind }) = serde_json::from_slice::<Request>(line) else {
            let id = name_of(line);
            return refused(id, MALFORMED, "the line is not a request");
        };
        if matches!(&id, RequestId::Text(text) if text.len() > ID) {
            return refused(nameless(), MALFORMED, "the id is longer than 64 bytes");
        }
        if kind == RequestKind::Unknown {
            return refused(
                id,
                "unknown",
                "this agent does not know this type of request",
            );
        }
        if !privileged {
            return refused(id, "forbidden", FORBIDDEN);
        }
        let by = by
            .map(|by| log::plain(by.trim(), BY))
            .filter(|by| !by.is_empty());
        Self::Request {
            client,
            id,
            by,
            kind,
        }
    }
}

const fn nameless() -> RequestId {
    RequestId::Text(String::new())
}

/// The name of a request that cannot be read otherwise, so that its sender knows which it was.
fn name_of(line: &[u8]) -> RequestId {
    serde_json::from_slice::<Value>(line)
        .ok()
        .and_then(|value| serde_json::from_value(value.get("id")?.clone()).ok())
        .filter(|id| !matches!(id, RequestId::Text(text) if text.len() > ID))
        .unwrap_or_else(nameless)
}

/// The line that says it is being done, or was.
pub(crate) fn success(id: RequestId, result: Option<Value>) -> Vec<u8> {
    let answer = Answer {
        id: id.clone(),
        ok: true,
        result,
        error: None,
    };
    encode(&FromAgent::Answer(answer)).unwrap_or_else(|_| {
        let message = "the answer does not fit into a line; ask for less";
        failure(id, "toolarge", message)
    })
}

/// The line that says it was done, for a result that is known to fit or is to be told that it does not.
/// Nothing is built but the line itself.
pub(crate) fn answered<T: Serialize>(id: RequestId, result: &T) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a, T> {
        r#type: &'static str,
        id: &'a RequestId,
        ok: bool,
        result: &'a T,
    }
    let line = Line {
        r#type: "answer",
        id: &id,
        ok: true,
        result,
    };
    encode(&line).unwrap_or_else(|_| {
        let message = "the answer does not fit into a line";
        failure(id, "toolarge", message)
    })
}

/// The line that says why not.
pub(crate) fn failure(id: RequestId, code: &str, message: &str) -> Vec<u8> {
    let answer = Answer {
        id,
        ok: false,
        result: None,
        error: Some(WireError {
            code: code.into(),
            message: log::plain(message, MAX_TEXT),
        }),
    };
    // It is short by its making.
    encode(&FromAgent::Answer(answer)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(privileged: bool, line: &str) -> (RequestId, String) {
        let Asked::Refused { answer, .. } = Asked::read(1, privileged, Ok(line.as_bytes())) else {
            panic!("accepted: {line}")
        };
        let FromAgent::Answer(answer) = serde_json::from_slice(&answer).unwrap() else {
            panic!("not an answer")
        };
        (answer.id, answer.error.unwrap().code)
    }

    #[test]
    fn what_cannot_be_done_is_answered_with_its_name() {
        let text = |text: &str| RequestId::Text(text.into());
        for (privileged, line, id, code) in [
            (true, "nonsense", text(""), "malformed"),
            (true, "{\"id\":7}", RequestId::Number(7), "malformed"),
            (
                true,
                "{\"id\":\"a\",\"type\":\"dance\"}",
                text("a"),
                "unknown",
            ),
            (
                false,
                "{\"id\":1,\"type\":\"stop\"}",
                RequestId::Number(1),
                "forbidden",
            ),
            (true, "[1,2]", text(""), "malformed"),
        ] {
            assert_eq!(refusal(privileged, line), (id, code.into()), "{line}");
        }
    }

    #[test]
    fn what_is_said_to_others_is_what_is_documented() {
        let document = include_str!("../../../docs/protocol.md");
        let shown = format!(r#""code":"forbidden","message":"{FORBIDDEN}""#);
        assert!(document.contains(&shown), "{shown}");
    }

    #[test]
    fn a_request_of_the_right_person_is_read() {
        let line = b"{\"id\":3,\"type\":\"restart\",\"by\":\" alice@ops1\\u001b[2J\",\"later\":1}";
        let Asked::Request { id, by, kind, .. } = Asked::read(1, true, Ok(line)) else {
            panic!("refused")
        };
        assert_eq!(id, RequestId::Number(3));
        assert_eq!(by.as_deref(), Some("alice@ops1[2J"));
        assert_eq!(kind, RequestKind::Restart);
    }
}
