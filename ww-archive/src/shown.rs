//! Paths in messages.

use std::fmt;

/// A path for people: nothing in it can act on a terminal, and no more of it than one wants to read.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

/// More of a path is not shown.
const MOST: usize = 512;

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("'.'");
        }
        let cut = &self.0[..self.0.len().min(MOST)];
        f.write_str("'")?;
        for character in String::from_utf8_lossy(cut).chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        f.write_str(if cut.len() < self.0.len() {
            "…'"
        } else {
            "'"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn nothing_acts_on_a_terminal() {
        assert_eq!(
            Shown(b"a\x1b[31m\xffb\n").to_string(),
            "'a\\u{1b}[31m\u{fffd}b\\n'"
        );
        assert_eq!(Shown(b"").to_string(), "'.'");
        assert_eq!(Shown(&[b'x'; 9000]).to_string().chars().count(), 515);
    }
}
