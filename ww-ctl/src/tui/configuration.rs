//! The configuration of the container under the cursor: each value, and which layer it comes from.

use std::time::Duration;

use jiff::Timestamp;
use whaleware::lifecycle::Moment;

use super::model::{Model, Tab};
use super::msg::Cmd;
use super::view;
use crate::fleet::{ContainerKey, clean};

/// How long values are shown before they are read again: they change with a restart only.
pub(super) const AGE: Duration = Duration::from_secs(30);
/// The most values kept of one container.
const VALUES: usize = 2000;
/// The most characters kept of a path and of a layer.
const PATH: usize = 256;
/// The most characters kept of a value.
const VALUE: usize = 1000;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Where it stands: `.db.host`.
    pub path: String,
    /// What it is, as JSON; a text without its quotes.
    pub value: String,
    /// Which layer says so.
    pub layer: String,
}

/// A container's configuration as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Configuration {
    /// Nobody wanted to know.
    Unread,
    /// It is being asked for the first time.
    Asked {
        /// The life that was asked.
        life: Life,
    },
    /// It is known.
    Known {
        /// The life that has it.
        life: Life,
        /// The values, or why there are none.
        settings: Result<Vec<Setting>, String>,
        /// When it was asked for last.
        asked: Moment,
    },
}

/// A life of a container; the next one may be configured otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Life {
    /// The container.
    pub key: ContainerKey,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// How often its services were started again since: a restart merges the layers anew.
    pub restarts: u32,
}

impl Life {
    /// The life of the container under the cursor, where it has an agent that can be asked.
    pub(super) fn selected(model: &Model) -> Option<Self> {
        let container = model.selected()?;
        let agent = container.agent.as_ref()?;
        container.engine.is_running().then(|| Self {
            key: container.key.clone(),
            started: container.started,
            restarts: agent.restarts.total,
        })
    }
}

/// What is to be asked for so that the tab has something to show.
pub(super) fn wanted(model: &mut Model) -> Option<Cmd> {
    if model.tab != Tab::Configuration || view::details_rows(model) == 0 {
        return None;
    }
    let now = model.now.moment;
    let wanted = Life::selected(model)?;
    let key = wanted.key.clone();
    match &mut model.configuration {
        Configuration::Asked { life } if *life == wanted => return None,
        Configuration::Known { life, asked, .. } if *life == wanted => {
            if now - *asked < AGE {
                return None;
            }
            *asked = now;
        }
        Configuration::Unread | Configuration::Asked { .. } | Configuration::Known { .. } => {
            model.configuration = Configuration::Asked { life: wanted };
        }
    }
    Some(Cmd::ReadConfiguration(key))
}

/// When it is to be asked for again; none while the tab is not looked at.
pub(super) fn due(model: &Model) -> Option<Duration> {
    match &model.configuration {
        Configuration::Known { asked, .. } if model.tab == Tab::Configuration => {
            Some(AGE.saturating_sub(model.now.moment - *asked))
        }
        Configuration::Unread | Configuration::Asked { .. } | Configuration::Known { .. } => None,
    }
}

/// Takes values in, if they are still of the container that is looked at.
pub(super) fn read(model: &mut Model, of: &ContainerKey, settings: Result<Vec<Setting>, String>) {
    let life = match &model.configuration {
        Configuration::Asked { life } | Configuration::Known { life, .. } if life.key == *of => {
            life.clone()
        }
        // The cursor has moved on.
        Configuration::Unread | Configuration::Asked { .. } | Configuration::Known { .. } => return,
    };
    let fit = |setting: Setting| Setting {
        path: clean(&setting.path, PATH),
        value: clean(&setting.value, VALUE),
        layer: clean(&setting.layer, PATH),
    };
    model.configuration = Configuration::Known {
        life,
        settings: settings
            .map(|settings| settings.into_iter().take(VALUES).map(fit).collect())
            .map_err(|reason| clean(&reason, PATH)),
        asked: model.now.moment,
    };
}
