//! The services of a container, a line each.

use std::time::Duration;

use whaleware::protocol::ServiceReport;

use super::page::Page;
use crate::commands::ls::service_tone;
use crate::fleet::{service_end, service_word};
use crate::table::{Cell, Column};
use crate::units::age;

/// A section with these, each with how long it has stood as it does.
pub(super) fn show(page: &mut Page, all: impl Iterator<Item = (ServiceReport, Duration)>) {
    page.heading("Services");
    let columns = [
        Column::elastic("NAME", 8),
        Column::fixed("STATUS"),
        Column::number("FOR"),
        Column::number("PID"),
        Column::number("RESTARTS"),
        Column::elastic("LAST END", 8),
        Column::elastic("SAYS", 8),
    ];
    let rows: Vec<Vec<Cell>> = all.map(|(report, lasted)| row(&report, lasted)).collect();
    page.table(&columns, &rows);
}

fn row(report: &ServiceReport, lasted: Duration) -> Vec<Cell> {
    let none = || "–".to_owned();
    let percent = report.progress.map(|percent| format!("{percent}%"));
    let says: Vec<String> = percent.into_iter().chain(report.text.clone()).collect();
    vec![
        Cell::plain(&report.service),
        Cell::new(service_word(report.status), service_tone(report.status)),
        Cell::plain(age(lasted)),
        Cell::plain(report.pid.map_or_else(none, |pid| pid.to_string())),
        Cell::plain(report.restarts.to_string()),
        Cell::plain(service_end(report).unwrap_or_else(none)),
        Cell::plain(says.join(" ")),
    ]
}
