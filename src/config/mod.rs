//! How layers of JSON become one configuration, and the agent's own settings within it.
//!
//! [`parse`] reads one [`Layer`]'s text, [`merge()`] lays the layers over each other, [`Settings`]
//! reads the key `ww` of the result. [`origins`] says which layer each value came from.

mod error;
mod layer;
mod merge;
mod settings;

pub use error::{ConfigError, SettingsError};
pub use layer::{Layer, MAX_TEXT, kind, parse};
pub use merge::{Origin, merge, origins};
pub use settings::{BackupMode, MAX_VERSION, Settings, is_version};
