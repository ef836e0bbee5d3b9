//! Text built line by line.

use std::time::Duration;

use jiff::Timestamp;
use whaleware::protocol::{MonitorReport, Resources};

use crate::fleet::clean;
use crate::output::{Output, Tone};
use crate::table::{self, Cell, Column};
use crate::units::{duration, size};

/// The longest line of something a container has printed, in characters.
pub(super) const LINE: usize = 400;
/// So many lines of what a check has printed are shown.
const MONITOR: usize = 60;
/// Before every line of a section.
const INDENT: &str = "  ";

/// Text built line by line.
pub(super) struct Page {
    text: String,
    pub output: Output,
}

impl Page {
    pub(super) const fn new(output: Output) -> Self {
        Self {
            text: String::new(),
            output,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&self.output.paint(text, Tone::Strong));
        self.text.push('\n');
    }

    pub(super) fn field(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let name = self.output.paint(&format!("{name:<10}"), Tone::Dim);
            self.line(&format!("{name}  {value}"));
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    /// A line of a section.
    pub(super) fn item(&mut self, text: &str) {
        self.line(&format!("{INDENT}{text}"));
    }

    pub(super) fn table(&mut self, columns: &[Column], rows: &[Vec<Cell>]) {
        let width = self.output.width();
        let width = width.map(|columns| columns.saturating_sub(INDENT.len()));
        for line in table::lines(columns, rows, width, self.output).lines() {
            self.item(line);
        }
    }

    /// What a check has printed.
    pub(super) fn checked(&mut self, monitor: &MonitorReport) {
        self.heading("Last check");
        let took = duration(Duration::from_millis(monitor.duration_ms));
        self.item(&format!(
            "{:.0}, exit {}, took {took}",
            monitor.at, monitor.exit
        ));
        let text = match (&monitor.value, &monitor.text) {
            (Some(value), _) => format!("{value:#}"),
            (None, Some(text)) => text.clone(),
            (None, None) => "it printed nothing".into(),
        };
        for line in text.lines().take(MONITOR) {
            self.item(&clean(line, LINE));
        }
        if monitor.truncated {
            self.item("… (cut)");
        }
    }
}

/// `CPU 3.2%, memory 46 MiB of 256 MiB, 12 processes, 1 killed for want of memory`.
pub(super) fn uses(used: &Resources) -> String {
    let cpu = used
        .cpu_percent
        .map_or_else(|| "–".into(), |cpu| format!("{cpu:.1}%"));
    let memory = used.memory_bytes.map_or_else(|| "–".into(), size);
    let limit = used
        .memory_limit
        .map_or_else(String::new, |limit| format!(" of {}", size(limit)));
    let pids = used
        .pids
        .map_or_else(String::new, |pids| format!(", {pids} processes"));
    let killed = match used.oom_kills {
        Some(0) | None => String::new(),
        Some(count) => format!(", {count} killed for want of memory"),
    };
    format!("CPU {cpu}, memory {memory}{limit}{pids}{killed}")
}

/// `2026-11-22 03:02:11`, UTC.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
