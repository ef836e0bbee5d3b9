//! `ww-agent status`: how this container stands.

use std::ffi::OsString;
use std::fmt::{self, Write as _};

use serde::Serialize;
use whaleware::lifecycle::Health;
use whaleware::protocol::{
    Hello, HookResult, HookRun, MonitorReport, Quiesced, ServiceReport, ServiceStatus, Snapshot,
};

use super::client::Client;
use super::usage::{Argument, Usage, read};
use super::{FAILED, help, legible, terminal};

/// The form of `--json`; grows, never changes.
const SCHEMA: u32 = 1;

enum Form {
    Page,
    Json,
}

pub(super) fn main(usage: Usage, arguments: &[OsString]) -> u8 {
    let mut form = Form::Page;
    for argument in read(arguments) {
        match argument {
            Argument::Flag("-h" | "--help", None) => return terminal::print(help::STATUS),
            Argument::Flag("-j" | "--json", None) => form = Form::Json,
            Argument::Flag(flag, _) => return usage.unknown_flag(flag, &["--json", "--help"]),
            Argument::Word(word) => return usage.too_many(word),
        }
    }
    let (hello, snapshot) = match Client::connect().and_then(|mut client| client.greeting()) {
        Ok(greeting) => greeting,
        Err(error) => return usage.failed(&error.to_string(), FAILED),
    };
    let text = match form {
        Form::Page => page(&hello, &snapshot),
        Form::Json => json(&hello, &snapshot),
    };
    match text {
        Ok(text) => terminal::print(&text),
        Err(error) => usage.failed(&format!("cannot show the status: {error}"), FAILED),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    #[serde(flatten)]
    hello: &'a Hello,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

fn json(hello: &Hello, snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let report = Report {
        schema: SCHEMA,
        hello,
        snapshot,
    };
    // JSON escapes the control sequences that could come with a text, but for those of C1.
    serde_json::to_string(&report)
        .map(|json| json + "\n")
        .map_err(|_| fmt::Error)
}

fn page(hello: &Hello, snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let mut page = String::new();
    let text = legible::line;
    writeln!(
        page,
        "state     {} for {} (since {:.0})",
        snapshot.state,
        legible::duration(snapshot.since_ms),
        snapshot.since
    )?;
    writeln!(page, "cause     {}", text(&snapshot.cause))?;
    writeln!(page, "health    {}", health(snapshot))?;
    writeln!(page, "restarts  {}", restarts(snapshot)?)?;
    if let Some(resources) = &snapshot.resources {
        let memory = resources.memory_bytes.map(|bytes| bytes / 1024 / 1024);
        let memory = memory.map_or_else(String::new, |mib| format!("{mib} MiB of memory"));
        let pids = resources.pids;
        let pids = pids.map_or_else(String::new, |pids| format!(", {pids} processes"));
        writeln!(page, "uses      {memory}{pids}")?;
    }
    for lack in &snapshot.degraded {
        writeln!(page, "degraded  {}", text(lack))?;
    }
    let hostname = text(&hello.hostname);
    if let Some(quiesced) = &snapshot.quiesced {
        let by = text(&quiesced.by);
        let Quiesced { since, until, .. } = quiesced;
        writeln!(
            page,
            "quiesced  for a backup by {by} since {since:.0}, until {until:.0} at most"
        )?;
    }
    writeln!(
        page,
        "agent     {} (protocol {}){}{hostname}",
        text(&hello.agent),
        hello.protocol,
        if hostname.is_empty() { "" } else { " on " },
    )?;
    write_services(&mut page, snapshot)?;
    if let Some(monitor) = &snapshot.monitor {
        write_monitor(&mut page, monitor)?;
    }
    write_timeline(&mut page, snapshot)?;
    Ok(page)
}

fn health(snapshot: &Snapshot) -> String {
    let health = snapshot.health.health();
    match (&snapshot.health.detail, health) {
        (Some(detail), Health::Failing(_)) => format!("{health}: {}", legible::line(detail)),
        (None, Health::Failing(_)) => match not_up(snapshot) {
            names if names.is_empty() => health.to_string(),
            names => format!("{health}: not up: {names}"),
        },
        (_, Health::Passing | Health::Unknown) => health.to_string(),
    }
}

/// The names of the services that should be up and are not.
fn not_up(snapshot: &Snapshot) -> String {
    let down = snapshot.services.iter().filter(|service| {
        matches!(
            service.status,
            ServiceStatus::Waiting | ServiceStatus::Starting | ServiceStatus::Stopping
        )
    });
    let names: Vec<String> = down.map(|one| legible::line(&one.service)).collect();
    names.join(", ")
}

fn restarts(snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let restarts = &snapshot.restarts;
    if restarts.total == 0 {
        return Ok("none".into());
    }
    let mut line = restarts.total.to_string();
    if restarts.in_a_row > 0 {
        let most = match restarts.max {
            0 => String::new(),
            max => format!(" of {max}"),
        };
        write!(line, ", {}{most} in a row", restarts.in_a_row)?;
    }
    if let (Some(last), Some(cause)) = (&restarts.last, &restarts.cause) {
        write!(line, "; last {last:.0}: {}", legible::line(cause))?;
    }
    Ok(line)
}

fn write_services(page: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let services = &snapshot.services;
    if services.is_empty() {
        return Ok(());
    }
    writeln!(page, "\nservices")?;
    let name = |one: &ServiceReport| legible::line(&one.service);
    let width = services.iter().map(|one| name(one).chars().count()).max();
    let width = width.unwrap_or(0);
    for one in services {
        let pid = one.pid.map_or_else(String::new, |pid| format!("pid {pid}"));
        let (name, status, how) = (name(one), status(one.status), service(one));
        let line = format!("  {name:<width$}  {status:<8}  {pid:<10}  {how}");
        writeln!(page, "{}", line.trim_end())?;
    }
    Ok(())
}

const fn status(status: ServiceStatus) -> &'static str {
    match status {
        ServiceStatus::Down => "down",
        ServiceStatus::Starting => "starting",
        ServiceStatus::Up => "up",
        ServiceStatus::Waiting => "waiting",
        ServiceStatus::Stopping => "stopping",
        ServiceStatus::Unknown => "?",
    }
}

/// How often it was started again, how it last ended, and what it says of itself.
fn service(one: &ServiceReport) -> String {
    let mut parts = Vec::new();
    match one.restarts {
        0 => {}
        1 => parts.push("1 restart".to_owned()),
        many => parts.push(format!("{many} restarts")),
    }
    match (&one.detail, one.exit) {
        (Some(detail), _) => parts.push(format!("last {}", legible::line(detail))),
        (None, Some(exit)) => parts.push(format!("last exited {exit}")),
        (None, None) => {}
    }
    parts.extend(one.progress.map(|percent| format!("{percent} %")));
    let text = one.text.as_deref().map(legible::line);
    parts.extend(text.map(|text| format!("says: {text}")));
    parts.join(", ")
}

fn write_monitor(page: &mut String, monitor: &MonitorReport) -> fmt::Result {
    writeln!(
        page,
        "\nlast check {:.0}, exit {}, {}",
        monitor.at,
        monitor.exit,
        legible::duration(monitor.duration_ms)
    )?;
    let said = match (&monitor.value, &monitor.text) {
        (Some(value), _) => serde_json::to_string_pretty(value).map_err(|_| fmt::Error)?,
        (None, Some(text)) => text.clone(),
        (None, None) => String::new(),
    };
    for line in legible::lines(&said).lines() {
        writeln!(page, "  {line}")?;
    }
    if monitor.truncated {
        writeln!(page, "  (more was printed)")?;
    }
    Ok(())
}

fn write_timeline(page: &mut String, snapshot: &Snapshot) -> fmt::Result {
    // A script that the image does not have is no event of its life.
    let runs = || {
        let all = snapshot.hooks.iter().chain(&snapshot.running);
        all.filter(|run| run.result != HookResult::Missing)
    };
    if runs().next().is_none() {
        return Ok(());
    }
    writeln!(page, "\nscripts of this boot, begun {:.0}", snapshot.booted)?;
    let name = |run: &HookRun| legible::line(&run.hook);
    let width = runs().map(|run| name(run).chars().count()).max();
    let width = width.unwrap_or(0);
    for run in runs() {
        let after = run.at.duration_since(snapshot.booted).as_millis();
        let after = legible::duration(u64::try_from(after).unwrap_or(0));
        let took = legible::duration(run.duration_ms);
        let (name, how) = (name(run), how(run));
        writeln!(
            page,
            "  +{after:<8} {:<10} {name:<width$}  {took:>8}  {how}",
            run.state
        )?;
    }
    if snapshot.omitted > 0 {
        writeln!(page, "  ({} entries left out)", snapshot.omitted)?;
    }
    Ok(())
}

/// With what it says of itself.
fn running(run: &HookRun) -> String {
    let progress = run.progress;
    let progress = progress.map_or_else(String::new, |percent| format!(", {percent} %"));
    let status = run.status.as_deref().map(legible::line);
    let status = status.map_or_else(String::new, |status| format!(": {status}"));
    format!("running{progress}{status}")
}

fn how(run: &HookRun) -> String {
    let word = match run.result {
        HookResult::Running => return running(run),
        HookResult::Ok => "ok",
        HookResult::Failed => "FAILED",
        HookResult::Tolerated => "failed, went on",
        HookResult::Cut => "cut short",
        HookResult::Missing => "no such script",
        HookResult::Unknown => "?",
    };
    match (&run.detail, run.exit) {
        (Some(detail), _) => format!("{word}: {}", legible::line(detail)),
        (None, Some(exit)) if exit != 0 => format!("{word}: exit {exit}"),
        (None, _) => word.into(),
    }
}
