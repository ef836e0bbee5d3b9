//! Every behaviour that `docs/supervision.md` promises names tests that there are.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers with it"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The names between backquotes in the last column of the tables.
fn names() -> Vec<&'static str> {
    include_str!("../../docs/supervision.md")
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| behaviour"))
        .flat_map(|line| {
            let column = line.trim_end_matches(" |").rsplit(" | ").next();
            let names: Vec<_> = column.unwrap().split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "no test is named: {line}");
            names
        })
        .collect()
}

/// The tests of a file: functions behind `#[test]`.
fn tests(text: &str) -> Vec<&str> {
    text.split("#[test]")
        .skip(1)
        .filter_map(|after| after.split_once("fn ")?.1.split('(').next())
        .collect()
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "tests", "ww-agent/src", "ww-agent/tests"] {
        walk(&root.join(directory), &mut files);
    }
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        let of_module = known.entry(module).or_default();
        of_module.extend(tests(&text).into_iter().map(str::to_owned));
    }
    let names = names();
    assert!(
        names.len() > 60,
        "the tables were not read: {}",
        names.len()
    );
    for name in names {
        let (module, function) = name.split_once("::").unwrap();
        let exists = known
            .get(module)
            .is_some_and(|tests| tests.iter().any(|test| test == function));
        assert!(exists, "there is no test {name}");
    }
}
