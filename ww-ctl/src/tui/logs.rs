//! What the container under the cursor printed last.

use std::time::Duration;

use whaleware::lifecycle::Moment;

use super::model::Model;
use super::msg::Cmd;
use super::view;
use crate::fleet::{ContainerKey, clean};

/// The longest line that is shown, in characters.
const LINE: usize = 1000;
/// How long lines are shown before they are read again.
pub(super) const AGE: Duration = Duration::from_secs(2);

/// What a container printed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Logs {
    /// Nobody wanted to know.
    Unread,
    /// It is being asked for the first time.
    Asked {
        /// The container.
        key: ContainerKey,
    },
    /// It is known.
    Known {
        /// The container.
        key: ContainerKey,
        /// The lines, clean, oldest first; or why there are none.
        lines: Result<Vec<String>, String>,
        /// When it was asked for last.
        asked: Moment,
    },
}

/// What is to be asked for so that the tab of the logs has something to show.
pub(super) fn wanted(model: &mut Model) -> Option<Cmd> {
    if !model.tab.has_output() || view::details_rows(model) == 0 {
        return None;
    }
    let now = model.now.moment;
    let wanted = model.selected()?.key.clone();
    match &mut model.logs {
        Logs::Asked { key } if *key == wanted => return None,
        Logs::Known { key, asked, .. } if *key == wanted => {
            if now - *asked < AGE {
                return None;
            }
            *asked = now;
        }
        Logs::Unread | Logs::Asked { .. } | Logs::Known { .. } => {
            model.logs = Logs::Asked {
                key: wanted.clone(),
            };
        }
    }
    Some(Cmd::ReadLogs(wanted))
}

/// Takes lines in, if they are still of the container that is looked at.
pub(super) fn read(model: &mut Model, of: ContainerKey, lines: Result<Vec<String>, String>) {
    match &model.logs {
        Logs::Asked { key } | Logs::Known { key, .. } if *key == of => {}
        // The cursor has moved on.
        Logs::Unread | Logs::Asked { .. } | Logs::Known { .. } => return,
    }
    let fit = |line: &String| clean(line, LINE);
    model.logs = Logs::Known {
        key: of,
        lines: lines
            .map(|lines| lines.iter().map(fit).collect())
            .map_err(|reason| clean(&reason, 256)),
        asked: model.now.moment,
    };
}
