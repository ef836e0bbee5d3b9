//! Going through a recording.

use super::history::History;
use super::model::{FeedStatus, Keeping, Model, Tone};
use super::msg::Cmd;
use super::tape::{End, Telling, Wind};
use crate::fleet::{Fleet, HostName};

/// Goes through the recording that is shown; where there is none it says so.
pub(super) fn wind(model: &mut Model, wind: Wind) -> Vec<Cmd> {
    if matches!(model.keeping, Keeping::Replayed(_)) {
        return vec![Cmd::Wind(wind)];
    }
    let text = "this is no recording but what happens now: see `ww-ctl top --replay`";
    model.say(Tone::Calm, text);
    Vec::new()
}

/// Takes in how the recording is told, and says how it has ended.
pub(super) fn told(model: &mut Model, telling: Telling) {
    let was = model.feed;
    model.feed = match &telling.end {
        None => FeedStatus::Open,
        Some(_) => FeedStatus::Told,
    };
    let end = telling.end.clone();
    model.keeping = Keeping::Replayed(telling);
    if was == FeedStatus::Told {
        return;
    }
    match end {
        None | Some(End::Whole) => {}
        Some(End::Cut) => model.say(Tone::Wrong, "the last line is incomplete: left out"),
        Some(End::Harmed(reason)) => {
            model.say(Tone::Wrong, format!("the recording ends here: {reason}"));
        }
    }
}

/// Forgets what was told, as it is told again. What was chosen to be looked at stays.
pub(super) fn rewound(model: &mut Model) {
    let hosts: Vec<HostName> = model.fleet.hosts().map(|host| host.name.clone()).collect();
    model.fleet = Fleet::new(hosts);
    model.history = History::default();
    model.feed = FeedStatus::Open;
    model.notice = None;
}
