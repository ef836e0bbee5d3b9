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
        // A failing check is to be told with its input.
        let input = std::fs::read(&path).unwrap();
        if std::panic::catch_unwind(|| check(&input)).is_err() {
            panic!("{} breaks a promise", path.display());
        }
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
