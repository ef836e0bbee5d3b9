//! `man`.

use std::path::PathBuf;

use clap::Args;

/// `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The directory the pages are written to; those of another version are replaced
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}
