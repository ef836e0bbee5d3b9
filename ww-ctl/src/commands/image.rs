//! `image`: merged from its own branch.

use super::Context;
use crate::cli::Image;
use crate::exit::{Exit, Failure};

pub(super) async fn run(_context: &Context, _arguments: &Image) -> Result<Exit, Failure> {
    std::future::ready(Err(Failure::new(Exit::Failed, "`image` is being merged"))).await
}
