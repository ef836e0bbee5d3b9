//! `show NAME --evidence`: what was seen when the watchdog struck.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use whaleware::protocol::{Evidence, EvidenceAnswer, Pressure, ProcessReport};

use super::kept::{Keeper, Reports, Source};
use super::page::{LINE, Page, date, uses};
use super::services;
use crate::cli::Format;
use crate::commands::record;
use crate::exit::{Exit, Failure};
use crate::fleet::{Container, clean, clean_service};
use crate::output::{Output, Tone};
use crate::table::{Cell, Column};
use crate::units::{age, duration, size};

/// The most characters of a text.
const TEXT: usize = 256;
/// The deepest indentation of the process tree.
const DEEPEST: usize = 12;

pub(super) async fn run(keeper: &Keeper<'_>, index: u32) -> Result<Exit, Failure> {
    let Reports {
        answer,
        source,
        odd,
    } = keeper.evidence(index).await?;
    let EvidenceAnswer { kept, report } = answer;
    let Some(report) = report else {
        return Err(keeper.failed("evidence", &why_none(kept, odd)));
    };
    let Keeper {
        context,
        container,
        engine,
    } = keeper;
    let found = Found {
        container,
        report: &report,
        index,
        kept,
        source,
    };
    let text = match context.format {
        Format::Name => super::name_line(context, container),
        Format::Json => record::document(found.json()),
        Format::Jsonl => record::line(found.json()),
        Format::Table | Format::Wide => found.page(engine.time(), context.output),
    };
    context.output.data(&text)?;
    Ok(Exit::Done)
}

/// Why there is no such report.
fn why_none(kept: u32, odd: u32) -> String {
    match (kept, odd) {
        (0, 0) => "none is kept: its watchdog has not struck".to_owned(),
        (0, 1) => "the only report that is kept makes no sense".to_owned(),
        (0, _) => "none of those that are kept makes sense".to_owned(),
        (1, _) => "only one report is kept, which is 0".to_owned(),
        (several, _) => format!("{several} reports are kept, from 0 to {}", several - 1),
    }
}

/// A report, and where it stands among the others.
struct Found<'a> {
    container: &'a Container,
    report: &'a Evidence,
    index: u32,
    kept: u32,
    source: Source,
}

impl Found<'_> {
    fn json(&self) -> Map<String, Value> {
        let key = &self.container.key;
        Map::from_iter([
            ("host".to_owned(), json!(*key.host)),
            ("id".to_owned(), json!(*key.id)),
            ("name".to_owned(), json!(self.container.name)),
            ("from".to_owned(), json!(self.source.word())),
            ("kept".to_owned(), json!(self.kept)),
            ("index".to_owned(), json!(self.index)),
            ("report".to_owned(), json!(self.report)),
        ])
    }

    fn page(&self, now: Timestamp, output: Output) -> String {
        let report = self.report;
        let mut page = Page::new(output);
        let name = output.paint(&self.container.name, Tone::Strong);
        let cause = output.paint(&clean(&report.cause, TEXT), Tone::Bad);
        page.line(&format!("{name}  the watchdog struck: {cause}"));
        let ago = Duration::try_from(now.duration_since(report.at)).unwrap_or_default();
        page.field(
            "seen",
            &format!("{} UTC, {} ago", date(report.at), age(ago)),
        );
        page.field("boot", &clean(&report.boot, TEXT));
        let place = match (self.index, self.kept) {
            (_, 1) => "the only one kept".to_owned(),
            (0, several) => format!("the newest of {several} kept; --evidence=1 is the one before"),
            (index, several) => format!("{index} of 0 (newest) to {}", several.saturating_sub(1)),
        };
        page.field("report", &place);
        if let Some(used) = &report.resources {
            page.field("uses", &uses(used));
        }
        if let Some(pressure) = &report.pressure {
            page.field("waits", &waits(pressure));
        }
        if let Some(monitor) = &report.monitor {
            page.checked(monitor);
        }
        if !report.services.is_empty() {
            let all = report.services.iter().map(|service| {
                let lasted = Duration::try_from(report.at.duration_since(service.since));
                (clean_service(service.clone()), lasted.unwrap_or_default())
            });
            services::show(&mut page, all);
        }
        processes(&mut page, report);
        if !report.log.is_empty() {
            page.heading("Last output before it");
            for line in &report.log {
                page.item(&clean(line, LINE));
            }
        }
        page.into_text()
    }
}

/// `for CPU 1.2%, memory 40.1%, disk 3.0% of the 10 s before (the container's own)`.
fn waits(pressure: &Pressure) -> String {
    let known: Vec<String> = [
        ("CPU", pressure.cpu),
        ("memory", pressure.memory),
        ("disk", pressure.io),
    ]
    .into_iter()
    .filter_map(|(what, share)| share.map(|share| format!("{what} {share:.1}%")))
    .collect();
    if known.is_empty() {
        return String::new();
    }
    let whose = if pressure.own {
        "the container's own"
    } else {
        "of the whole machine"
    };
    format!("for {} of the 10 s before ({whose})", known.join(", "))
}

fn processes(page: &mut Page, report: &Evidence) {
    if report.processes.is_empty() {
        return;
    }
    page.heading("Processes");
    let columns = [
        Column::number("PID"),
        Column::fixed("S"),
        Column::number("THREADS"),
        Column::number("FILES"),
        Column::number("MEM"),
        Column::number("CPU"),
        Column::elastic("COMMAND", 16),
    ];
    let mut depths: BTreeMap<i32, usize> = BTreeMap::new();
    let rows: Vec<Vec<Cell>> = report
        .processes
        .iter()
        .map(|process| {
            // A parent comes before its children; who comes without one is a root.
            let depth = depths.get(&process.parent).map_or(0, |depth| depth + 1);
            depths.insert(process.pid, depth);
            row(process, depth)
        })
        .collect();
    page.table(&columns, &rows);
    if report.omitted > 0 {
        page.item(&format!("… and {} more", report.omitted));
    }
    for (letter, meaning) in [
        (
            'D',
            "waits in the kernel, usually for a disk, and cannot be interrupted",
        ),
        ('T', "is stopped"),
        ('Z', "has ended, and its parent has not taken note of it"),
    ] {
        if report.processes.iter().any(|one| one.state == letter) {
            let note = format!("{letter}: {meaning}");
            page.item(&page.output.paint(&note, Tone::Dim));
        }
    }
}

fn row(process: &ProcessReport, depth: usize) -> Vec<Cell> {
    let state = clean(&process.state.to_string(), 1);
    let tone = match process.state {
        'D' | 'T' | 'Z' => Tone::Bad,
        'R' => Tone::Good,
        _ => Tone::Plain,
    };
    let files = process
        .descriptors
        .map_or_else(|| "–".to_owned(), |count| count.to_string());
    let indent = "  ".repeat(depth.min(DEEPEST));
    vec![
        Cell::plain(process.pid.to_string()),
        Cell::new(state, tone),
        Cell::plain(process.threads.to_string()),
        Cell::plain(files),
        Cell::plain(size(process.memory_bytes)),
        Cell::plain(duration(Duration::from_millis(process.cpu_ms))),
        Cell::plain(format!("{indent}{}", clean(&process.command, TEXT))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::EngineState;
    use crate::fleet::scene::{one, unheard, wall};
    use crate::output::Verbosity;

    const REPORT: &str = r#"{
        "at":"2026-11-22T09:15:00Z","boot":"6f1c2a9be07d4d1f","cause":"monitor exited 1\u001b[2J",
        "monitor":{"at":"2026-11-22T09:14:59Z","exit":1,"duration_ms":52,"text":"cannot connect to port 8080\nrefused"},
        "processes":[
            {"pid":1,"parent":0,"command":"/ww/run","state":"S","threads":1,"descriptors":12,"memory_bytes":1400000,"cpu_ms":120},
            {"pid":31,"parent":1,"command":"java -jar shop.jar","state":"D","threads":214,"descriptors":1024,"memory_bytes":234881024,"cpu_ms":7260000},
            {"pid":44,"parent":31,"command":"[sh]","state":"Z","threads":1,"memory_bytes":0,"cpu_ms":0},
            {"pid":50,"parent":999,"command":"stray\u202e","state":"R","threads":2,"descriptors":3,"memory_bytes":4096,"cpu_ms":999}],
        "omitted":3,
        "services":[{"service":"web","status":"up","since":"2026-11-22T09:05:00Z","pid":31,"restarts":2,"exit":139,"detail":"was ended by SIGSEGV","text":"serving"},
            {"service":"queue","status":"waiting","since":"2026-11-22T09:14:58Z","exit":1}],
        "resources":{"at":"2026-11-22T09:15:00Z","cpu_percent":99.5,"memory_bytes":250000000,"memory_limit":268435456,"pids":217,"oom_kills":1},
        "pressure":{"own":true,"cpu":1.25,"memory":40.1,"io":3.0},
        "log":["GET /\u001b[31m 500","out of memory"]}"#;

    fn shown(report: &str, index: u32, kept: u32) -> String {
        let fleet = unheard(EngineState::Running);
        let report = serde_json::from_str(report).unwrap();
        let found = Found {
            container: one(&fleet),
            report: &report,
            index,
            kept,
            source: Source::Agent,
        };
        found.page(wall(), Output::new(Verbosity::Normal, true))
    }

    #[test]
    fn a_report_says_what_struck_first_and_nothing_in_it_is_obeyed() {
        insta::assert_snapshot!(shown(REPORT, 0, 3), @r"
        name-a  the watchdog struck: monitor exited 1
        seen        2026-11-22 09:15:00 UTC, 7h ago
        boot        6f1c2a9be07d4d1f
        report      the newest of 3 kept; --evidence=1 is the one before
        uses        CPU 99.5%, memory 238 MiB of 256 MiB, 217 processes, 1 killed for want of memory
        waits       for CPU 1.2%, memory 40.1%, disk 3.0% of the 10 s before (the container's own)

        Last check
          2026-11-22T09:14:59Z, exit 1, took 52ms
          cannot connect to port 8080
          refused

        Services
          NAME   STATUS   FOR  PID  RESTARTS  LAST END              SAYS
          web    up       10m   31         2  was ended by SIGSEGV  serving
          queue  waiting   2s    –         0  exited 1

        Processes
          PID  S  THREADS  FILES      MEM    CPU  COMMAND
            1  S        1     12  1.3 MiB  120ms  /ww/run
           31  D      214   1024  224 MiB  2h 1m    java -jar shop.jar
           44  Z        1      –      0 B    0ms      [sh]
           50  R        2      3  4.0 KiB  999ms  stray
          … and 3 more
          D: waits in the kernel, usually for a disk, and cannot be interrupted
          Z: has ended, and its parent has not taken note of it

        Last output before it
          GET / 500
          out of memory
        ");
    }

    #[test]
    fn what_could_not_be_seen_is_left_out() {
        let least = r#"{"at":"2026-11-22T09:15:00Z","boot":"b","cause":"monitor exited 1"}"#;
        insta::assert_snapshot!(shown(least, 0, 1), @r"
        name-a  the watchdog struck: monitor exited 1
        seen        2026-11-22 09:15:00 UTC, 7h ago
        boot        b
        report      the only one kept
        ");
    }

    #[test]
    fn a_report_that_makes_no_sense_is_told_from_none() {
        assert!(why_none(0, 0).contains("has not struck"));
        for odd in [1, 2] {
            assert!(!why_none(0, odd).contains("has not struck"), "{odd}");
        }
    }

    #[test]
    fn no_chain_of_parents_leaves_the_screen() {
        let chain: Vec<_> = (1..200)
            .map(|pid| json!({"pid": pid, "parent": pid - 1, "command": "sh", "state": "S", "threads": 1}))
            .collect();
        let report =
            json!({"at": "2026-11-22T09:15:00Z", "boot": "b", "cause": "c", "processes": chain});
        let page = shown(&report.to_string(), 0, 1);
        assert!(
            page.lines().all(|line| line.chars().count() < 100),
            "{page}"
        );
    }
}
