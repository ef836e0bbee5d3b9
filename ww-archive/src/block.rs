//! Headers of 512 bytes, as POSIX and GNU have them.

/// Everything in an archive comes in pieces of this size.
pub(crate) const BLOCK: usize = 512;
/// The same, for lengths of content.
pub(crate) const BLOCK_LENGTH: u64 = 512;

/// How much is between the end of content and the next header.
pub(crate) fn padding(length: u64) -> u64 {
    length.next_multiple_of(BLOCK_LENGTH) - length
}

/// Where a field is.
pub(crate) type Field = std::ops::Range<usize>;

pub(crate) const NAME: Field = 0..100;
pub(crate) const MODE: Field = 100..108;
pub(crate) const UID: Field = 108..116;
pub(crate) const GID: Field = 116..124;
pub(crate) const SIZE: Field = 124..136;
pub(crate) const MTIME: Field = 136..148;
pub(crate) const CHECKSUM: Field = 148..156;
pub(crate) const KIND: usize = 156;
pub(crate) const LINK: Field = 157..257;
pub(crate) const MAGIC: Field = 257..263;
pub(crate) const VERSION: Field = 263..265;
pub(crate) const MAJOR: Field = 329..337;
pub(crate) const MINOR: Field = 337..345;
pub(crate) const PREFIX: Field = 345..500;

/// A header that is being written.
pub(crate) struct Block([u8; BLOCK]);

impl Block {
    /// One of a kind, with everything else empty.
    pub(crate) fn new(kind: u8) -> Self {
        let mut bytes = [0; BLOCK];
        bytes[KIND] = kind;
        bytes[MAGIC].copy_from_slice(b"ustar\0");
        bytes[VERSION].copy_from_slice(b"00");
        Self(bytes)
    }

    /// Writes as much of a text as the field holds, and says whether that is all.
    pub(crate) fn text(&mut self, field: Field, text: &[u8]) -> bool {
        let length = text.len().min(field.len());
        self.0[field][..length].copy_from_slice(&text[..length]);
        length == text.len()
    }

    /// Writes a number, or 0 and `false` if the field is too short for it.
    pub(crate) fn number(&mut self, field: Field, value: u64) -> bool {
        let field = &mut self.0[field];
        let digits = field.len() - 1;
        let fits = value >> (3 * digits) == 0;
        let mut rest = if fits { value } else { 0 };
        for digit in field[..digits].iter_mut().rev() {
            *digit = b'0' + (rest & 7).to_le_bytes()[0];
            rest >>= 3;
        }
        fits
    }

    /// Complete, with its checksum.
    pub(crate) fn finish(mut self) -> [u8; BLOCK] {
        let sum = sums(&self.0).0;
        self.number(CHECKSUM.start..CHECKSUM.end - 1, sum);
        self.0[CHECKSUM.end - 1] = b' ';
        self.0
    }
}

/// What the checksum of a header ought to be, and what some old programs took it for, which had signed characters.
pub(crate) fn sums(header: &[u8; BLOCK]) -> (u64, i64) {
    let (mut unsigned, mut signed) = (0, 0);
    for (at, byte) in header.iter().enumerate() {
        let byte = if CHECKSUM.contains(&at) { b' ' } else { *byte };
        unsigned += u64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    (unsigned, signed)
}

/// What is in a field of text: up to its first NUL.
pub(crate) fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// What number is in a field: octal digits, or bits where the first one is set.
pub(crate) fn number(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        // Two's complement, whose sign is the next bit.
        let start: i64 = if first & 0x40 == 0 {
            i64::from(first & 0x3f)
        } else {
            i64::from(*first | 0xc0) - 256
        };
        return rest.iter().try_fold(start, |value, byte| {
            value.checked_mul(256)?.checked_add(i64::from(*byte))
        });
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Block, SIZE, UID, number};

    #[test]
    fn numbers_are_octal_or_bits() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"0000648\0"), None);
        assert_eq!(number(b"-000001\0"), None);
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(
            number(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]),
            Some(0xffff_ffff)
        );
        assert_eq!(number(&[0xbf; 12]), None);
    }

    #[test]
    fn a_number_that_does_not_fit_is_told() {
        let mut block = Block::new(b'0');
        assert!(block.number(UID, 0o7_777_777));
        assert!(!block.number(UID, 0o10_000_000));
        assert!(block.number(SIZE, 0o77_777_777_777));
        assert!(!block.number(SIZE, 1 << 33));
    }
}
