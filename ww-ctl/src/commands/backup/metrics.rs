//! How the last backups went, for the textfile collector of Prometheus' node exporter.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::done::Done;
use crate::exit::{Exit, Failure};

/// The most bytes of a file that is there already.
const LARGEST: u64 = 1 << 20;
/// What is told of each: name and help. All are gauges.
const METRICS: [(&str, &str); 7] = [
    (
        "ww_backup_last_run_timestamp_seconds",
        "When a backup was last tried.",
    ),
    (
        "ww_backup_last_success_timestamp_seconds",
        "When a backup last was whole, or its script had nothing to do.",
    ),
    (
        "ww_backup_exit_code",
        "How the last one ended, as ww-ctl would for it alone.",
    ),
    ("ww_backup_duration_seconds", "How long the last one took."),
    (
        "ww_backup_outage_seconds",
        "How long services were not UP for the last set.",
    ),
    ("ww_backup_read_bytes", "Bytes of the data in the last set."),
    ("ww_backup_kept_bytes", "Bytes the last set takes."),
];

/// Values by metric and labels.
type Values = BTreeMap<(usize, String), String>;

/// Writes how these went into a file, in one step. What it knows of others, and of better days, stays.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(path: &Path, all: &[Done], now: Timestamp) -> Result<(), Failure> {
    let written = (|| {
        let mut values = parse(&read(path)?);
        for done in all {
            put(&mut values, done, now);
        }
        replace(path, &text(&values))
    })();
    written.map_err(|error: io::Error| {
        let path = path.display();
        let message = format!("cannot write the metrics to {path}: {error}");
        Failure::new(Exit::Failed, message).hint("the backups themselves are not concerned")
    })
}

fn read(path: &Path) -> io::Result<String> {
    match File::open(path) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(LARGEST).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// The values this program has written before; everything else is passed over.
fn parse(text: &str) -> Values {
    let value = |line: &str| {
        let (name, rest) = line.split_once('{')?;
        let (labels, value) = rest.rsplit_once("} ")?;
        let metric = METRICS.iter().position(|(known, _)| *known == name)?;
        let is_number = value.parse::<f64>().is_ok();
        is_number.then(|| ((metric, labels.to_owned()), value.to_owned()))
    };
    text.lines().filter_map(value).collect()
}

fn put(values: &mut Values, done: &Done, now: Timestamp) {
    let labels = format!(
        "host=\"{}\",name=\"{}\"",
        label(done.host()),
        label(&done.name)
    );
    let mut set = |metric: usize, value: String| {
        values.insert((metric, labels.clone()), value);
    };
    let seconds = |length: Duration| format!("{:.3}", length.as_secs_f64());
    set(0, now.as_second().to_string());
    if matches!(done.exit, Exit::Done | Exit::Down) {
        set(1, now.as_second().to_string());
    }
    set(2, done.exit.code().to_string());
    set(3, seconds(done.took));
    if let Some(made) = &done.made {
        set(4, seconds(done.outage.unwrap_or_default()));
        set(5, made.bytes.to_string());
        set(6, made.kept.to_string());
    }
}

/// As the format wants it.
fn label(word: &str) -> String {
    word.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn text(values: &Values) -> String {
    let mut text = String::new();
    for (number, (name, help)) in METRICS.iter().enumerate() {
        let of_it = values.iter().filter(|((metric, _), _)| *metric == number);
        let lines: Vec<String> = of_it
            .map(|((_, labels), value)| format!("{name}{{{labels}}} {value}\n"))
            .collect();
        if !lines.is_empty() {
            let _never = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
            text.extend(lines);
        }
    }
    text
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A name the collector passes over.
    let fresh = directory.join(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = File::options().write(true).create_new(true).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        // Its reader is usually somebody else.
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    })();
    if written.is_err() {
        let _left = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_others_and_of_better_days_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ww.prom");
        let at = |second| Timestamp::from_second(second).unwrap();
        let good = Done::sample("shop", Exit::Done, true);
        write(
            &path,
            &[good, Done::sample("db\"", Exit::Done, true)],
            at(100),
        )
        .unwrap();
        write(&path, &[Done::sample("shop", Exit::Failed, false)], at(200)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        for line in [
            "ww_backup_last_run_timestamp_seconds{host=\"local\",name=\"shop\"} 200",
            "ww_backup_last_success_timestamp_seconds{host=\"local\",name=\"shop\"} 100",
            "ww_backup_exit_code{host=\"local\",name=\"shop\"} 1",
            "ww_backup_kept_bytes{host=\"local\",name=\"shop\"} 50",
            "ww_backup_exit_code{host=\"local\",name=\"db\\\"\"} 0",
            "# TYPE ww_backup_exit_code gauge",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        // Each metric has its lines together, and its help once.
        assert_eq!(text.matches("# HELP").count(), METRICS.len());
    }
}
