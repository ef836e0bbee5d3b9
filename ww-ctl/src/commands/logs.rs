//! `logs`: what containers have printed.

use futures::StreamExt;
use futures::stream::SelectAll;
use jiff::Timestamp;

use super::Context;
use crate::cli::Logs;
use crate::engine::{LogLine, LogQuery};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::output::Tone;
use crate::units::parse_duration;

/// The longest line shown on a terminal, in characters.
const LINE: usize = 16 * 1024;

pub(super) async fn run(context: &Context, arguments: &Logs) -> Result<Exit, Failure> {
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
    while let Some((prefix, line)) = lines.next().await {
        print(context, &prefix, &line?)?;
    }
    Ok(Exit::Done)
}

/// As it is to a file or a pipe; without anything a terminal would obey to a terminal.
fn print(context: &Context, prefix: &str, line: &LogLine) -> Result<(), Failure> {
    let mut bytes = context.output.paint(prefix, Tone::Dim).into_bytes();
    bytes.extend_from_slice(clean(&String::from_utf8_lossy(&line.text), LINE).as_bytes());
    bytes.push(b'\n');
    context.output.bytes(&bytes)
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

    #[test]
    fn a_time_is_a_time_or_how_long_ago() {
        let now: Timestamp = "2026-11-22T16:15:00Z".parse().unwrap();
        let at = i32::try_from(now.as_second()).unwrap();
        assert_eq!(since("2026-11-22T16:15:00Z", now), Ok(at));
        assert_eq!(since("10m", now), Ok(at - 600));
        assert_eq!(since("yesterday", now).unwrap_err().exit, Exit::Usage);
    }
}
