//! Any bytes in any pieces: the same lines, in bounded memory, and what can be read can be written.
//!
//! An input is a byte that chooses the pieces, then the stream. In the stream 0x1F and a byte n
//! stand for 257 n letters, so that small inputs reach the cap.

use whaleware::protocol::{Decoder, FromAgent, MAX_LINE, Request, encode};

/// A line, or the word that it was too long.
type Seen = Option<Vec<u8>>;

/// Panics when a promise is broken.
pub(crate) fn check(input: &[u8]) {
    let (pieces, stream) = input
        .split_first()
        .map_or((0, input), |(one, rest)| (*one, rest));
    let stream = expanded(stream);
    let expected = lines(&stream);
    for size in [
        usize::MAX,
        usize::from(pieces) + 1,
        1 + usize::from(pieces) * 509,
    ] {
        assert_eq!(decoded(&stream, |_| size), expected, "in pieces of {size}");
    }
    // Pieces of every size, the stream itself decides.
    let uneven = |at: usize| usize::from(stream[at]) * usize::from(pieces % 7) + 1;
    assert_eq!(decoded(&stream, uneven), expected, "in uneven pieces");
    for line in expected.iter().flatten() {
        messages(line);
    }
}

fn expanded(bytes: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match (*byte, bytes.as_slice().first()) {
            (0x1f, Some(times)) if stream.len() < 3 * MAX_LINE => {
                stream.resize(stream.len() + 257 * usize::from(*times), b'x');
                bytes.next();
            }
            (other, _) => stream.push(other),
        }
    }
    stream
}

/// What the decoder must say, by the shortest words there are.
fn lines(stream: &[u8]) -> Vec<Seen> {
    let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    let unfinished = lines.pop().unwrap_or_default();
    let mut seen: Vec<Seen> = lines
        .into_iter()
        .filter(|line| line.len() >= MAX_LINE || !line.trim_ascii().is_empty())
        .map(|line| (line.len() < MAX_LINE).then(|| line.trim_ascii().to_vec()))
        .collect();
    if unfinished.len() >= MAX_LINE {
        seen.push(None);
    }
    seen
}

fn decoded(stream: &[u8], size: impl Fn(usize) -> usize) -> Vec<Seen> {
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    let mut at = 0;
    while at < stream.len() {
        let end = at.saturating_add(size(at)).min(stream.len());
        decoder.feed(&stream[at..end], |line| {
            seen.push(line.ok().map(<[u8]>::to_vec));
        });
        assert!(
            decoder.pending() < MAX_LINE,
            "{} bytes held",
            decoder.pending()
        );
        at = end;
    }
    seen
}

/// What reads as a message is the same after it was written, one line, and read again.
fn messages(line: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<FromAgent>(line) {
        again(&message);
    }
    if let Ok(request) = serde_json::from_slice::<Request>(line) {
        again(&request);
    }
}

fn again<T>(message: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    // A message of the longest line may take more when every field is written out.
    let Ok(mut bytes) = encode(message) else {
        return;
    };
    let mut seen = Vec::new();
    Decoder::new().feed(&bytes, |line| seen.push(line.ok().map(<[u8]>::to_vec)));
    assert_eq!(bytes.pop(), Some(b'\n'));
    assert_eq!(seen, [Some(bytes.clone())], "one message is one line");
    let read: T = serde_json::from_slice(&bytes).expect("what was written can be read");
    assert_eq!(&read, message);
}
