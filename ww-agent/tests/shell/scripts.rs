//! Scripts that cannot be started are told with the real cause; those that can are.

use crate::harness::Image;

fn refused(content: &[u8], mode: u32) -> String {
    let mut agent = Image::new().file("ww/usr/upgrade", content, mode).start();
    assert_eq!(agent.exit(), 1);
    assert_eq!(agent.log(), ["boot", "firstboot"]);
    agent.stderr()
}

#[test]
fn the_real_cause_is_told() {
    for (content, mode, words) in [
        (&b"#!/bin/sh\r\necho\r\n"[..], 0o755, "carriage return"),
        (b"#!/bin/sh\n", 0o644, "no run bit (mode 0644)"),
        (
            b"#!/opt/nosuch/python\n",
            0o755,
            "its interpreter /opt/nosuch/python does not exist",
        ),
        (
            b"#!/usr/bin/env nosuch-python\n",
            0o755,
            "its interpreter `nosuch-python`, which /usr/bin/env is to find, is in no directory of PATH",
        ),
        (b"\xef\xbb\xbf#!/bin/sh\n", 0o755, "byte order mark"),
    ] {
        let stderr = refused(content, mode);
        assert!(stderr.contains(words), "{words}: {stderr}");
        assert!(stderr.contains("upgrade cannot be started"), "{stderr}");
    }
}

#[test]
fn one_without_a_first_line_runs_through_the_shell() {
    let agent = Image::new()
        .file("ww/usr/upgrade", b"echo plain >> \"$LOG\"\n", 0o755)
        .start();
    agent.wait_state("UP");
    agent.wait_log("plain", 1);
}

#[test]
fn missing_and_empty_ones_are_nothing_to_do() {
    let mut agent = Image::bare().file("ww/usr/boot", b"", 0o644).start();
    agent.wait_state("UP");
    let snapshot = agent.listen().line("snapshot");
    assert_eq!(snapshot["hooks"][0]["result"], "missing");
    assert!(agent.is_marked());
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn one_that_is_still_being_written_is_tried_again() {
    let image = Image::new();
    let path = image.path("ww/usr/upgrade");
    std::fs::copy("/bin/true", &path).unwrap();
    let busy = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    let agent = image.start();
    agent.wait_log("firstboot", 1);
    drop(busy);
    agent.wait_state("UP");
}

#[test]
fn one_on_a_file_system_that_runs_nothing() {
    let mount = "mount --bind $ROOT/ww/usr $ROOT/ww/usr && \
                 mount -o remount,noexec,bind $ROOT/ww/usr && exec \"$@\"";
    let mut agent = Image::new().around(&["sh", "-c", mount, "sh"]).start();
    assert_eq!(agent.exit(), 1);
    let stderr = agent.stderr();
    assert!(
        stderr.contains("boot cannot be started: it lies on a file system that is mounted noexec"),
        "{stderr}"
    );
}
