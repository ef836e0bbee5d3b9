//! `upgrade`.

use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::Names;
use crate::units::parse_duration;

/// `upgrade`.
#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    #[command(flatten)]
    pub names: Names,
    /// The image to come; it must be on the host
    #[arg(
        long,
        value_name = "IMAGE",
        value_parser = NonEmptyStringValueParser::new(),
        required_unless_present = "undo",
        conflicts_with = "undo"
    )]
    pub image: Option<String>,
    /// Go back when the new one is not UP and passing after this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub timeout: Duration,
    /// Upgrade also what does not run: the new one is started
    #[arg(long, conflicts_with = "undo")]
    pub start: bool,
    /// Keep the old one, stopped, as NAME.ww-kept, until the next upgrade: --undo goes back to it
    #[arg(long, conflicts_with = "undo")]
    pub keep: bool,
    /// Take back an upgrade that was interrupted, or one that was done with --keep
    #[arg(long)]
    pub undo: bool,
}
