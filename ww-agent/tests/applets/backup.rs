use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use ww_archive::measure::measure;
use ww_archive::pack::PackOptions;
use ww_archive::read::{Limits, Reader};

use crate::{feed, put, ww_agent};

fn backup(arguments: &[&str], directory: &Path) -> Output {
    let mut command = ww_agent();
    command.arg("backup").args(arguments).arg(directory);
    command.stdin(Stdio::null()).output().unwrap()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn paths(archive: impl Read) -> Vec<String> {
    let mut reader = Reader::new(archive, Limits::default());
    let mut paths = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        paths.push(String::from_utf8(entry.path).unwrap());
    }
    reader.finish().unwrap();
    paths.sort();
    paths
}

#[test]
fn a_directory_is_written_as_an_archive_and_what_is_left_out_is_told() {
    let data = tempfile::tempdir().unwrap();
    put(data.path(), "db/rows", vec![7; 700_000], 0o600);
    put(data.path(), "cache/x\u{1b}[31m", "1", 0o644);
    let link = data.path().with_extension("link");
    std::os::unix::fs::symlink(data.path(), &link).unwrap();
    // The directory may be behind a link.
    for directory in [data.path(), &link] {
        let output = backup(&["--low", "--exclude", "cache/**"], directory);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(paths(&output.stdout[..]), ["", "cache", "db", "db/rows"]);
        let told = lines(&output.stderr);
        let problem = told.iter().find(|line| line["type"] == "problem").unwrap();
        assert_eq!(problem["kind"], "excluded");
        assert_eq!(problem["path"], "cache/x\u{1b}[31m");
        assert_eq!(
            told.last().unwrap(),
            &json!({"type": "packed", "entries": 4, "bytes": 700_000,
                "written": output.stdout.len(), "problems": {"excluded": 1}})
        );
        assert!(told.iter().any(|line| line["type"] == "progress"));
    }
    std::fs::remove_file(&link).unwrap();
    // What another program makes of it.
    let into = tempfile::tempdir().unwrap();
    let output = backup(&[], data.path());
    let file = into.path().join("data.tar");
    std::fs::write(&file, &output.stdout).unwrap();
    let tar = Command::new("tar")
        .args(["-C", into.path().to_str().unwrap(), "-xf"])
        .arg(&file)
        .status();
    assert!(tar.unwrap().success());
    let rows = std::fs::read(into.path().join("db/rows")).unwrap();
    assert_eq!(rows, vec![7; 700_000]);
}

#[test]
fn how_much_it_is_can_be_asked() {
    let data = tempfile::tempdir().unwrap();
    put(data.path(), "a/b", vec![7; 10_000], 0o600);
    let output = backup(&["--measure"], data.path());
    let root = std::fs::File::open(data.path()).unwrap();
    let found = measure(root.as_fd(), &PackOptions::default()).unwrap();
    assert_eq!((found.entries, found.bytes), (3, 10_000));
    assert_eq!(
        lines(&output.stdout),
        [json!({"type": "measured", "entries": 3, "bytes": 10_000})]
    );
}

#[test]
fn what_is_no_directory_is_no_archive() {
    let data = tempfile::tempdir().unwrap();
    put(data.path(), "file", "x", 0o644);
    for (name, words) in [("none", "No such file"), ("file", "no directory")] {
        let output = backup(&[], &data.path().join(name));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        let told = lines(&output.stderr);
        assert_eq!((told.len(), &told[0]["type"]), (1, &json!("failed")));
        assert!(told[0]["message"].as_str().unwrap().contains(words));
    }
    for arguments in [&["--exclude"][..], &["--exclude", "a[b"], &["a", "b"]] {
        let outcome = feed(ww_agent().arg("backup").args(arguments), b"");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
        assert!(outcome.stderr.starts_with("ww-agent backup: "));
    }
}

#[test]
fn it_ends_with_who_asked_for_it_though_nobody_reads() {
    let data = tempfile::tempdir().unwrap();
    put(data.path(), "large", vec![7; 8 << 20], 0o600);
    let mut child = ww_agent()
        .arg("backup")
        .arg(data.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It waits for room in the pipe by now, or will.
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 512]).unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    // And with who reads, though stdin goes on.
    let mut child = ww_agent()
        .arg("backup")
        .arg(data.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let _stdin = child.stdin.take().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output.stderr).last().unwrap()["type"], "failed");
}
