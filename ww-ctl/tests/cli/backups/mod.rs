//! What a vault has, is proven, and loses: on a vault made by hand.

mod hostile;
mod kept;

use std::fs::{self, File};

use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};

use crate::shape::Shapes;
use kept::Kept;

const ONE: &str = "20261119T161500Z-0001";
const TWO: &str = "20261120T161500Z-0002";
const THREE: &str = "20261121T161500Z-0003";
const FOUR: &str = "20261122T161500Z-0004";

/// Whose backups are a shop's, of four days.
fn shop() -> Kept {
    let kept = Kept::new();
    for id in [ONE, TWO, THREE, FOUR] {
        kept.make("shop", id, 10_000);
    }
    kept
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn what_there_is_is_listed_and_shown_in_every_form() {
    let kept = shop();
    kept.make_as("blog", ONE, 5, |manifest| {
        manifest["complete"] = json!(false);
    });
    fs::write(kept.set("shop", TWO).join("manifest.json"), "{}").expect("a file");
    let shapes = Shapes::new();
    let listed = kept.ends(&["ls", "-o", "json"], 0).stdout;
    shapes.document("backups", &listed);
    let states: Vec<Value> = json_of(&listed)["backups"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| json!([one["name"], one["state"]]))
        .collect();
    let expected = json!([
        ["blog", "incomplete"],
        ["shop", "complete"],
        ["shop", "broken"],
        ["shop", "complete"],
        ["shop", "complete"],
    ]);
    assert_eq!(json!(states), expected);
    shapes.lines(
        "backupsLine",
        &kept.ends(&["ls", "sh*", "-o", "jsonl"], 0).stdout,
    );
    let names = kept.ends(&["ls", "-o", "name", "blog"], 0).stdout;
    assert_eq!(names, format!("blog/{ONE}\n"));
    for format in ["table", "wide"] {
        let table = kept.ends(&["ls", "-o", format], 0).stdout;
        for words in ["incomplete", "broken: its manifest", "svcdown", FOUR] {
            assert!(table.contains(words), "{words}: {table}");
        }
    }
    kept.ends(&["ls", "other"], 3);
    for reference in ["shop", "shop/latest", FOUR, "0004", "shop/0004"] {
        let shown = kept.ends(&["show", reference, "-o", "json"], 0).stdout;
        shapes.document("backupsShow", &shown);
        assert_eq!(json_of(&shown)["id"], FOUR, "{reference}");
    }
    let page = kept.ends(&["show", "shop"], 0).stdout;
    assert!(
        page.contains("/data: 2 entries, 9.7 KiB of content in data.tar.zst"),
        "{page}"
    );
    kept.ends(&["show", "0001"], 2);
    let broken = kept.ends(&["show", "0002"], 9).stderr;
    assert!(broken.contains("its manifest"), "{broken}");
}

#[test]
fn what_was_verified_is_written_down_and_what_changed_is_nine() {
    let kept = shop();
    let shapes = Shapes::new();
    let verified = || {
        let listed = kept.ends(&["ls", "shop", "-o", "json"], 0).stdout;
        json_of(&listed)["backups"][3]["verified"].clone()
    };
    let read_only = kept.ends(&["verify", "shop", "--full", "--read-only"], 0);
    assert!(
        read_only.stdout.contains("is what it was (full"),
        "{read_only:?}"
    );
    assert_eq!(verified(), Value::Null);
    let ran = kept.ends(&["verify", "shop", "-o", "json"], 0);
    shapes.document("backupsVerify", &ran.stdout);
    assert_eq!(verified()["how"], "quick");
    let ran = kept.ends(&["verify", "shop", "0001", "--full", "-o", "jsonl"], 0);
    shapes.lines("backupsVerifyLine", &ran.stdout);
    assert_eq!(
        (&verified()["how"], &verified()["ok"]),
        (&json!("full"), &json!(true))
    );
    let payload = kept.set("shop", FOUR).join("data.tar.zst");
    let mut bytes = fs::read(&payload).expect("a payload");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&payload, &bytes).expect("a payload");
    let ran = kept.ends(&["verify", "--all"], 9);
    assert!(ran.stdout.contains("another SHA-256"), "{ran:?}");
    assert_eq!(ran.stdout.matches("is what it was").count(), 3, "{ran:?}");
    assert_eq!(verified()["ok"], false);
    let listed = kept.ends(&["ls"], 0).stdout;
    assert!(listed.contains("FAILED (quick"), "{listed}");
    let name = kept.ends(&["verify", "--all", "-o", "name"], 9).stdout;
    assert_eq!(name.lines().count(), 3);
    let audit = fs::read_to_string(kept.path().join("../audit.jsonl")).expect("a journal");
    assert!(audit.contains(r#""action":"backups verify""#), "{audit}");
}

#[test]
fn what_is_not_to_be_kept_goes_and_nothing_else() {
    let kept = shop();
    let shapes = Shapes::new();
    kept.ends(&["verify", "0001"], 0);
    let dry = ["prune", "--keep-last", "2", "--dry-run", "--read-only"];
    let ran = kept.ends(&[&dry[..], &["-o", "json"]].concat(), 0);
    shapes.document("backupsPrune", &ran.stdout);
    let ran = kept.ends(&[&dry[..], &["-o", "jsonl"]].concat(), 0);
    shapes.lines("backupsPruneLine", &ran.stdout);
    let name = kept.ends(&[&dry[..], &["-o", "name"]].concat(), 0).stdout;
    assert_eq!(name, format!("shop/{TWO}\n"));
    let refused = kept.ends(&["prune", "--keep-last", "2"], 6).stderr;
    assert!(refused.contains("remove 1 backup of shop"), "{refused}");
    assert_eq!(kept.ids("shop").len(), 4);
    // Somebody is at work on them.
    let lock = File::create(kept.path().join("shop/.lock")).expect("a lock");
    let lock = Flock::lock(lock, FlockArg::LockExclusive).expect("the lock");
    kept.ends(&["prune", "--keep-last", "2", "--yes"], 10);
    assert_eq!(kept.ids("shop").len(), 4);
    drop(lock);
    fs::create_dir(kept.path().join("shop/.removing-x")).expect("a directory");
    let ran = kept.ends(&["prune", "--keep-last", "2", "--yes"], 0);
    assert!(ran.stdout.contains("newest-verified"), "{ran:?}");
    assert_eq!(kept.ids("shop"), [ONE, THREE, FOUR]);
    assert!(!kept.path().join("shop/.removing-x").exists());
    let again = kept.ends(&["prune", "--keep-last", "2"], 0);
    assert!(!again.stdout.contains("removed"), "{again:?}");
    let audit = fs::read_to_string(kept.path().join("../audit.jsonl")).expect("a journal");
    assert!(audit.contains(&format!("shop/{TWO}")), "{audit}");
}

#[test]
fn where_the_newest_has_shrunk_nothing_goes_unless_that_is_said_to_be_right() {
    let kept = shop();
    kept.make("shop", "20261122T171500Z-0005", 100);
    for id in [ONE, TWO] {
        kept.make("blog", id, 100);
    }
    let prune = ["prune", "--keep-last", "1", "--yes"];
    let ran = kept.ends(&prune, 6);
    assert!(ran.stderr.contains("has less than half of"), "{ran:?}");
    assert!(ran.stderr.contains("--force-shrunk"), "{ran:?}");
    assert_eq!(kept.ids("shop").len(), 5);
    assert_eq!(kept.ids("blog"), [TWO], "others are not held up");
    kept.ends(&[&prune[..], &["--force-shrunk"]].concat(), 0);
    assert_eq!(kept.ids("shop").len(), 1);
}

#[test]
fn what_is_broken_or_incomplete_does_not_count() {
    let kept = shop();
    kept.make_as("shop", "20261122T171500Z-0005", 10_000, |manifest| {
        manifest["complete"] = json!(false);
    });
    fs::write(kept.set("shop", ONE).join("manifest.json"), "{}").expect("a file");
    kept.ends(&["prune", "--keep-last", "1", "--yes"], 0);
    assert_eq!(kept.ids("shop"), [ONE, FOUR, "20261122T171500Z-0005"]);
}

#[test]
fn a_shell_is_told_which_ones_there_are() {
    let kept = shop();
    let mut command = crate::tool();
    command.env("WW_COMPLETE", "fish");
    command.args(["--", "ww-ctl", "backups", "show", "--from"]);
    command.arg(kept.path()).arg("shop/20261122");
    let ran = crate::run(&mut command);
    assert_eq!(ran.stdout, format!("shop/{FOUR}\tsvcdown\n"), "{ran:?}");
}
