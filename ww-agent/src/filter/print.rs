//! Values as text, the way jq writes them.

use std::io::{self, Write};

use jaq_json::write::{Pp, write};
use jaq_json::{Num, Val};

/// How strings are printed when they are the whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strings {
    /// As they are, like `jq -r`.
    Raw,
    /// As JSON.
    Json,
}

/// How arrays and objects are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A line for each element, indented by two spaces.
    Pretty,
    /// On one line.
    Compact,
}

/// How values are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) strings: Strings,
    pub(crate) layout: Layout,
}

/// The value as text, or none when that takes more than `limit` bytes.
pub(super) fn print(value: Val, style: Style, limit: usize) -> Option<Vec<u8>> {
    let value = plain(value);
    if let (Val::TStr(text), Strings::Raw) = (&value, style.strings) {
        return (text.len() <= limit).then(|| text.to_vec());
    }
    let (indent, sep_space) = match style.layout {
        Layout::Pretty => (Some("  ".into()), true),
        Layout::Compact => (None, false),
    };
    let pretty = Pp {
        indent,
        sep_space,
        ..Pp::default()
    };
    let mut out = Bounded {
        bytes: Vec::new(),
        limit,
    };
    write(&mut out, &pretty, 0, &value).ok()?;
    Some(out.bytes)
}

/// The value as compact JSON, for the filters that make text of values.
pub(super) fn json(value: Val) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to a vector cannot fail.
    let _ = write(&mut out, &Pp::default(), 0, &plain(value));
    out
}

struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The library computes with more kinds of values than JSON has, and says `200.0` where jq says
/// `200`, which would not do in `$($WCFG 'memory / 2')M`.
fn plain(value: Val) -> Val {
    match value {
        Val::Num(Num::Float(number)) => plain_number(number),
        Val::BStr(bytes) => Val::TStr(bytes),
        Val::Arr(array) => array.iter().cloned().map(plain).collect(),
        Val::Obj(object) => Val::obj(
            object
                .iter()
                .map(|(key, value)| (key.clone(), plain(value.clone())))
                .collect(),
        ),
        other @ (Val::Null | Val::Bool(_) | Val::Num(_) | Val::TStr(_)) => other,
    }
}

fn plain_number(number: f64) -> Val {
    /// Up to here every whole number that a float holds is an `isize` too.
    const WHOLE: f64 = 1e18;
    if number.is_nan() {
        Val::Null
    } else if number.is_infinite() {
        Val::from(f64::MAX.copysign(number))
    } else if number.fract() == 0.0 && number.abs() < WHOLE {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within range")]
        Val::from(number as isize)
    } else {
        Val::from(number)
    }
}
