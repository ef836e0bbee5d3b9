//! SHA-256 of what is read and written.

use std::io::{self, Read, Write};

use ring::digest::{Context, SHA256};

/// SHA-256 of what was given so far.
#[derive(Clone)]
pub(crate) struct Sha256(Context);

impl Sha256 {
    /// Of nothing.
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Takes in more.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In hexadecimal digits.
    pub(crate) fn end(self) -> String {
        hex::text(self.0.finish().as_ref())
    }
}

/// Of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut sha256 = Sha256::new();
    sha256.add(bytes);
    sha256.end()
}

/// Puts the digest of a text in the place that was kept free for it, the last one.
pub(super) fn seal(text: &mut String, free: &str) {
    let digest = sha256(text.as_bytes());
    if let Some(at) = text.rfind(free) {
        text.replace_range(at..at + free.len(), &digest);
    }
}

/// Whether the digest in a text is its own.
pub(super) fn holds(text: &str, digest: &str) -> bool {
    let Some(at) = text.rfind(digest).filter(|_| hex::is_sha256(digest)) else {
        return false;
    };
    let mut without = text.to_owned();
    without.replace_range(at..at + digest.len(), &"0".repeat(digest.len()));
    sha256(without.as_bytes()) == digest
}

/// Digests what passes through, and counts it.
pub(crate) struct Digesting<T> {
    inner: T,
    sha256: Sha256,
    bytes: u64,
}

impl<T> Digesting<T> {
    /// Of what passes from here on.
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            sha256: Sha256::new(),
            bytes: 0,
        }
    }

    /// How many bytes have passed.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What it went through, how many bytes it were, and their SHA-256.
    pub(crate) fn end(self) -> (T, u64, String) {
        (self.inner, self.bytes, self.sha256.end())
    }
}

impl<T: Read> Read for Digesting<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = self.inner.read(buffer)?;
        self.sha256.add(&buffer[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }
}

impl<T: Write> Write for Digesting<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.sha256.add(&bytes[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes as digits.
pub(crate) mod hex {
    use std::fmt::Write;

    /// Two lower-case digits a byte.
    pub(crate) fn text(bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            let _always = write!(text, "{byte:02x}");
        }
        text
    }

    /// The bytes of such a text.
    pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        if !text.len().is_multiple_of(2) {
            return None;
        }
        let pairs = text.as_bytes().chunks_exact(2);
        pairs
            .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
            .collect()
    }

    /// Whether this is a SHA-256.
    pub(crate) fn is_sha256(text: &str) -> bool {
        text.len() == 64
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_known_one() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(hex::bytes("00ff7F"), Some(vec![0, 255, 127]));
        assert_eq!(hex::bytes("0"), None);
        assert_eq!(hex::bytes("0g"), None);
    }
}
