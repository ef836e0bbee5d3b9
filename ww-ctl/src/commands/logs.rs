//! `logs`: what containers have printed.

use futures::StreamExt;
use futures::stream::SelectAll;
use jiff::Timestamp;

use super::Context;
use crate::cli::{Format, Logs};
use crate::engine::{LogLine, LogQuery, LogSource};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::Tone;
use crate::units::parse_duration;

/// The longest line shown on a terminal, in characters.
const LINE: usize = 16 * 1024;

pub(super) async fn run(context: &Context, arguments: &Logs) -> Result<Exit, Failure> {
    if matches!(context.format, Format::Json | Format::Jsonl | Format::Name) {
        return Err(Failure::new(
            Exit::Usage,
            "cannot print logs in another form than the containers wrote them",
        )
        .hint("leave out -o; `ww-ctl events -o jsonl` tells what happens as JSON"));
    }
    let query = LogQuery {
        follow: arguments.follow,
        tail: arguments.tail,
        since: arguments
            .since
            .as_deref()
            .map_or(Ok(0), |text| since(text, context.clock.now().wall))?,
        timestamps: arguments.timestamps,
    };
    let (fleet, keys) = context.find(&arguments.names.selection()).await?;
    let several = keys.len() > 1;
    let mut lines = SelectAll::new();
    for container in keys.iter().filter_map(|key| fleet.get(key)) {
        let engine = context.engine(&container.key.host).await?;
        let tty = engine.details(&container.key.id).await?.tty;
        let prefix = if several {
            format!("{} | ", container.name)
        } else {
            String::new()
        };
        let stream = engine
            .logs(&container.key.id, tty, &query)
            .map(move |line| (prefix.clone(), line));
        lines.push(Box::pin(stream));
    }
    let mut printer = Printer::default();
    while let Some((prefix, line)) = lines.next().await {
        let line = line?;
        let bytes = if context.output.is_terminal() {
            shown(&context.output.paint(&prefix, Tone::Dim), &line)
        } else {
            printer.raw(&prefix, &line)
        };
        context.output.bytes(&bytes)?;
    }
    Ok(Exit::Done)
}

/// For a terminal: without anything it would obey.
fn shown(prefix: &str, line: &LogLine) -> Vec<u8> {
    let text = clean(&line.to_text(), LINE);
    format!("{prefix}{text}\n").into_bytes()
}

/// Prints to a file or a pipe: every byte as it was written. A long line comes in pieces.
#[derive(Default)]
struct Printer {
    /// Whose line has begun and not ended.
    open: Option<(String, LogSource)>,
}

impl Printer {
    fn raw(&mut self, prefix: &str, line: &LogLine) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(prefix.len() + line.text.len() + 2);
        let goes_on = self
            .open
            .take()
            .map(|(whose, source)| whose == prefix && source == line.source);
        // Two lines are never mixed.
        if goes_on == Some(false) {
            bytes.push(b'\n');
        }
        if goes_on != Some(true) {
            bytes.extend_from_slice(prefix.as_bytes());
        }
        bytes.extend_from_slice(&line.text);
        if line.is_whole {
            bytes.push(b'\n');
        } else {
            self.open = Some((prefix.to_owned(), line.source));
        }
        bytes
    }
}

fn since(text: &str, now: Timestamp) -> Result<i32, Failure> {
    let time = match text.parse::<Timestamp>() {
        Ok(time) => Some(time),
        Err(_) => parse_duration(text)
            .ok()
            .and_then(|ago| now.checked_sub(ago).ok()),
    };
    time.and_then(|time| i32::try_from(time.as_second()).ok())
        .ok_or_else(|| {
            Failure::new(Exit::Usage, format!("cannot use `{text}` as a time"))
                .hint("give a time such as 2026-11-22T16:15:00Z, or how long ago such as 10m")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: LogSource, text: &'static [u8], is_whole: bool) -> LogLine {
        LogLine {
            source,
            text: bytes::Bytes::from_static(text),
            is_whole,
        }
    }

    #[test]
    fn what_goes_to_a_file_is_what_was_written() {
        let mut printer = Printer::default();
        let mut file = Vec::new();
        for line in [
            line(LogSource::Stdout, b"\x1b[31mred\xff\r", true),
            line(LogSource::Stdout, b"long, ", false),
            line(LogSource::Stdout, b"longer", true),
            line(LogSource::Stdout, b"cut off", false),
            line(LogSource::Stderr, b"no end", false),
        ] {
            file.extend(printer.raw("", &line));
        }
        assert_eq!(file, b"\x1b[31mred\xff\r\nlong, longer\ncut off\nno end");
        let red = line(LogSource::Stdout, b"\x1b[31mred\r", true);
        assert_eq!(shown("a | ", &red), b"a | red\n");
    }

    #[test]
    fn a_time_is_a_time_or_how_long_ago() {
        let now: Timestamp = "2026-11-22T16:15:00Z".parse().unwrap();
        let at = i32::try_from(now.as_second()).unwrap();
        assert_eq!(since("2026-11-22T16:15:00Z", now), Ok(at));
        assert_eq!(since("10m", now), Ok(at - 600));
        assert_eq!(since("yesterday", now).unwrap_err().exit, Exit::Usage);
    }
}
