//! jq filters over the configuration, for `cfg` and for the socket's request of that name.
//!
//! The language is complete but for what reads further input or files (`input`, `import`). A filter
//! is a program: it can loop for ever, ask for more memory than there is and recurse until the stack
//! ends. [`apply`] bounds what comes out, not what happens inside, so a process that must not die
//! lets another one do it: `cfg` sets limits on itself first.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jaq_core::{Ctx, Vars, data};
use jaq_json::Val;
use serde_json::{Map, Value};

mod place;
mod print;
mod program;
#[cfg(test)]
mod tests;

pub(crate) use place::Misfit;
pub(crate) use print::{Layout, Strings, Style};

/// The longest filter that is read, in bytes.
pub(crate) const MAX_FILTER: usize = 4 * 1024;

/// The most bytes of output; what would go beyond them is an error.
pub(crate) const MAX_OUTPUT: usize = 4 * 1024 * 1024;

/// The most values of output.
pub(crate) const MAX_VALUES: usize = 100_000;

/// The stack that the longest filter needs to be read, in bytes, with room to run it.
pub(crate) const STACK: usize = 64 * 1024 * 1024;

/// Why a filter gave no, or not all, answers. No message holds a value of the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// It is longer than [`MAX_FILTER`].
    #[error("cannot use a filter of {0} bytes, the most is {MAX_FILTER}")]
    TooLong(usize),
    /// It is not jq, or uses what does not exist.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// It does not fit the values it met.
    #[error("cannot apply the filter: {0}")]
    Failed(String),
    /// It said more than [`MAX_OUTPUT`] or [`MAX_VALUES`] allows.
    #[error(
        "cannot show all: the filter gives more than {MAX_VALUES} values or {} MiB",
        MAX_OUTPUT / 1024 / 1024
    )]
    TooMuch,
    /// What it says cannot be passed on.
    #[error("cannot write the answer")]
    Output(#[source] io::Error),
}

/// How a filter ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With its last value.
    Finished,
    /// With `halt` and this exit code.
    Halted(i32),
}

/// Applies the filter to the configuration and calls `emit` with every value, printed in this style,
/// without a newline.
///
/// The filter is understood as the original did, who asked `jq -r ".$1"`: `memory` is `.memory`.
/// Only where that is no filter is the text taken as it stands, so that `{a: .b}` works too.
///
/// # Errors
/// See [`FilterError`]. Values that came before an error have been emitted.
pub(crate) fn apply(
    filter: &str,
    configuration: &Map<String, Value>,
    style: Style,
    mut emit: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Ended, FilterError> {
    if filter.len() > MAX_FILTER {
        return Err(FilterError::TooLong(filter.len()));
    }
    let run = || run(filter, configuration, style, &mut emit);
    // The library asserts in places; no input is to bring a whole process down with it.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(FilterError::Failed(
            "the filter met a defect of the jq library; write it in another way".into(),
        ))
    })
}

/// The value with numbers such as `1e3` and `2.0` as jq prints them: 1000, 2.
fn whole(value: &Value) -> Value {
    /// Up to here every whole number is one of its own as a floating point number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => match number.as_f64() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it is whole and small enough"
            )]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT => {
                Value::from(float as i64)
            }
            Some(_) | None => value.clone(),
        },
        Value::Array(list) => list.iter().map(whole).collect(),
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(key, value)| (key.clone(), whole(value)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

fn run(
    filter: &str,
    configuration: &Map<String, Value>,
    style: Style,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<Ended, FilterError> {
    let program = program::compile_as_the_original(filter)?;
    let configuration: Map<_, _> = configuration
        .iter()
        .map(|(key, value)| (key.clone(), whole(value)))
        .collect();
    let text = serde_json::to_vec(&configuration)
        .map_err(|error| FilterError::Output(io::Error::other(error)))?;
    let input = jaq_json::read::parse_single(&text).map_err(|_| {
        FilterError::Failed("the configuration holds what the jq library cannot read".into())
    })?;
    let variables = Vars::new([environment()]);
    let context = Ctx::<data::JustLut<Val>>::new(&program.lut, variables);
    let (mut bytes, mut values) = (0_usize, 0_usize);
    for answer in program.id.run((context, input)) {
        let value = match answer {
            Ok(value) => value,
            Err(exception) => {
                return match exception.get_err() {
                    Ok(error) => Err(FilterError::Failed(place::without_values(
                        &error.to_string(),
                        filter,
                    ))),
                    Err(other) => other.get_halt().map_or_else(
                        |_| Err(FilterError::Failed("`break` without its label".into())),
                        |code| Ok(Ended::Halted(code)),
                    ),
                };
            }
        };
        let printed = print::print(value, style, MAX_OUTPUT - bytes).ok_or(FilterError::TooMuch)?;
        bytes += printed.len();
        values += 1;
        if values > MAX_VALUES {
            return Err(FilterError::TooMuch);
        }
        emit(&printed).map_err(FilterError::Output)?;
    }
    Ok(Ended::Finished)
}

/// `$ENV`. Names and values that are not UTF-8 are shown as well as they can be.
fn environment() -> Val {
    let text = |word: std::ffi::OsString| Val::from(word.to_string_lossy().into_owned());
    Val::obj(
        std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .collect(),
    )
}
