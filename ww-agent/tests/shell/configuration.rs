//! A configuration that cannot be used is told with its place, and nothing is started.

use crate::harness::Image;

fn refused(image: Image) -> String {
    let mut agent = image.start();
    assert_eq!(agent.exit(), 78);
    assert_eq!(agent.log(), Vec::<String>::new());
    agent.stderr()
}

#[test]
fn malformed_cfg() {
    let stderr = refused(Image::new().cfg("{\"memory\": 400,\n \"password\": hunter2}"));
    assert!(
        stderr.contains("cannot read CFG as JSON: line 2, column 14"),
        "{stderr}"
    );
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn malformed_defaults() {
    let stderr = refused(Image::new().file("ww/etc/defaults.json", b"{\n\n  oops\n}", 0o644));
    assert!(
        stderr.contains("defaults.json as JSON: line 3, column 3"),
        "{stderr}"
    );
}

#[test]
fn a_file_that_is_not_there() {
    let stderr = refused(Image::new().variable("CFG_FILE", "/nowhere/secret"));
    assert!(stderr.contains("cannot read /nowhere/secret"), "{stderr}");
}

#[test]
fn an_unknown_setting() {
    let stderr = refused(Image::new().cfg(r#"{"ww":{"monitor":{"intervall":"1s"}}}"#));
    assert!(stderr.contains("ww.monitor.intervall"), "{stderr}");
    assert!(stderr.contains("did you mean `interval`"), "{stderr}");
    assert!(stderr.contains("CFG"), "{stderr}");
}

#[test]
fn what_images_in_the_wild_have_is_merged_and_written() {
    let agent = Image::new()
        .file(
            "ww/etc/defaults.json",
            b"{\"memory\": 100, \"port\": 80,}",
            0o644,
        )
        .cfg("{\"memory\":400}")
        .start();
    agent.wait_state("UP");
    let merged = std::fs::read(agent.path("ww/etc/cfg.json")).unwrap();
    let merged: serde_json::Value = serde_json::from_slice(&merged).unwrap();
    assert_eq!(merged, serde_json::json!({"memory": 400, "port": 80}));
}
