//! `top`: merged from its own branch.

use super::Context;
use crate::cli::Top;
use crate::exit::{Exit, Failure};

pub(super) async fn run(_context: &Context, _arguments: &Top) -> Result<Exit, Failure> {
    std::future::ready(Err(Failure::new(Exit::Failed, "`top` is being merged"))).await
}
