//! Every script misbehaving in every way in every state, and a stop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::alone;
use crate::behaviour::{Behaviour, RUNNING};
use crate::cell::Cell;
use crate::row::rows;
use crate::soak;

/// Cells at once: most of them wait for a grace to pass.
const AT_ONCE: usize = 8;

/// Runs all cells, a few at a time, the longest first; answers what failed.
fn run(mut cells: Vec<Cell>) -> Vec<String> {
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.length()));
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| cell.run())) {
                        let text = panic
                            .downcast_ref::<String>()
                            .cloned()
                            .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                        let (state, script) = (cell.row.state, cell.row.script);
                        let text = format!(
                            "{state} {script} {:?}: {}",
                            cell.behaviour,
                            text.unwrap_or_default()
                        );
                        failures.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

#[test]
fn whatever_a_script_does_a_stop_ends_in_order_in_time_and_leaves_nothing() {
    let _alone = alone();
    let rows = rows();
    let behaviours: Vec<Behaviour> = RUNNING
        .into_iter()
        .chain(Behaviour::ended(soak::is_wanted()))
        .collect();
    let cells: Vec<Cell> = rows
        .iter()
        .flat_map(|row| {
            behaviours
                .iter()
                .map(move |&behaviour| Cell { row, behaviour })
        })
        .collect();
    let count = cells.len();
    let failures = run(cells);
    println!("{count} cells, {} failed", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
