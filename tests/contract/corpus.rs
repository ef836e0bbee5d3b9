//! What the fuzz targets have found worth keeping, through the same checks.

use std::path::Path;

#[path = "../../fuzz/checks/config.rs"]
mod config;
#[path = "../../fuzz/checks/frame.rs"]
mod frame;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(corpus.join(target)).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let held = std::panic::catch_unwind(|| check(&input)).is_ok();
        assert!(held, "{} breaks a promise", path.display());
        count += 1;
    }
    assert!(count >= 10, "only {count} inputs");
}

#[test]
fn the_corpus_of_frames_is_decoded() {
    replay("frame", frame::check);
}

#[test]
fn the_corpus_of_configurations_is_merged() {
    replay("config", config::check);
}
