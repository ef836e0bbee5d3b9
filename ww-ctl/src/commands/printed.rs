//! What a container has printed last: often that is where the reason is.

use futures::StreamExt;

use crate::engine::{Engine, LogQuery};
use crate::fleet::clean;
use crate::output::Output;

/// So many of the last lines are shown.
const TAIL: u32 = 10;
/// The longest of them, in characters.
const LINE: usize = 400;

/// Shows the last lines of a container. `tty` says whether it has a terminal. What cannot be read is not shown.
pub(super) async fn show_last(output: Output, engine: &Engine, id: &str, tty: bool, name: &str) {
    let query = LogQuery {
        tail: Some(TAIL),
        ..LogQuery::default()
    };
    let lines: Vec<_> = engine.logs(id, tty, &query).collect().await;
    if lines.iter().any(Result::is_ok) {
        output.say(&format!("{name}: the last it has printed:"));
    }
    for line in lines.into_iter().flatten() {
        output.say(&format!("  | {}", clean(&line.to_text(), LINE)));
    }
}
