//! What must not be overlooked, as it makes all the rest another thing than it looks like.

use ratatui::text::Span;

use std::time::Duration;

use super::super::model::{Access, FeedStatus, Flow, Keeping, Model};
use super::super::tape::{End, Telling};
use super::super::theme::{Look, Role};
use super::text::{age, span};
use crate::units::day_and_time;

/// From so many columns on there is room for the day.
const DAY: usize = 100;
/// From so many columns on there is room for more than a word.
const ROOM: usize = 40;

/// Whether there is something that has its place on the smallest screen.
pub(super) const fn must_be_seen(model: &Model) -> bool {
    matches!(model.keeping, Keeping::Stopped | Keeping::Replayed(_))
        || matches!(model.feed, FeedStatus::Ended(_))
        || matches!(model.flow, Flow::Frozen(_))
}

/// All of it, for a screen of so many columns.
pub(super) fn spans(model: &Model, columns: usize, look: Look) -> Vec<Span<'static>> {
    let mut told = Vec::new();
    let now = model.now.moment;
    let mut recorded = false;
    match &model.keeping {
        Keeping::Not => {}
        Keeping::Recorded => recorded = true,
        Keeping::Stopped => told.push("NOT RECORDED".to_owned()),
        Keeping::Replayed(telling) => told.push(replay(model, telling, columns)),
    }
    if let FeedStatus::Ended(since) = model.feed {
        told.push(if columns >= ROOM {
            format!("NO NEWS for {}", age(now - since))
        } else {
            "NO NEWS".into()
        });
    }
    if let Flow::Frozen(still) = &model.flow {
        told.push(if columns >= ROOM {
            let since = age(now - still.at.moment);
            format!("FROZEN for {since}, z goes on")
        } else {
            "FROZEN".into()
        });
    }
    let mut spans = Vec::new();
    if recorded {
        spans.push(span("recording ", Role::Strong, look));
    }
    for text in told {
        spans.push(span(format!(" {text} "), Role::Banner, look));
        spans.push(Span::raw(" "));
    }
    if model.access == Access::ReadOnly {
        spans.push(span("read-only ", Role::Strong, look));
    }
    spans
}

/// That it is no fleet of now, and where in the recording one is.
fn replay(model: &Model, telling: &Telling, columns: usize) -> String {
    let at = model.clock();
    let mut words = vec!["REPLAY".to_owned()];
    if columns >= DAY {
        words.push(day_and_time(at.wall));
    }
    if columns >= ROOM {
        if telling.end.is_none() {
            words.push(telling.speed.to_string());
        }
        let place = at.moment - telling.first;
        let length = telling.length.map(|length| length.max(place));
        let length = length.map_or_else(String::new, |length| format!("/{}", hands(length)));
        words.push(format!("{}{length}", hands(place)));
    }
    match (&telling.end, telling.paused) {
        (Some(End::Whole | End::Cut), _) => words.push("its end".into()),
        (None, true) => words.push("paused".into()),
        (Some(End::Harmed(_)), _) | (None, false) => {}
    }
    match &telling.harm {
        Some(harm) if columns >= ROOM => words.push(harm.clone()),
        Some(_) => words.push("damaged".into()),
        None => {}
    }
    words.join(" ")
}

/// As a stopwatch shows it: `02:14`, `1:02:14`.
fn hands(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopwatch_shows_hours_where_there_are_some() {
        for (seconds, shown) in [
            (0, "00:00"),
            (134, "02:14"),
            (3599, "59:59"),
            (3734, "1:02:14"),
            (360_000, "100:00:00"),
        ] {
            assert_eq!(hands(Duration::from_secs(seconds)), shown);
        }
    }
}
