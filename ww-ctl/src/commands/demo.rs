//! `demo`: merged from its own branch.

use super::Context;
use crate::cli::Demo;
use crate::exit::{Exit, Failure};

pub(super) async fn run(_context: &Context, _arguments: &Demo) -> Result<Exit, Failure> {
    std::future::ready(Err(Failure::new(Exit::Failed, "`demo` is being merged"))).await
}
