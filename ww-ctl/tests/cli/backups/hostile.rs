//! A container may write in its vault: what it plants there is not followed, holds nobody up, and leads nowhere outside.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

use super::kept::{Kept, write_manifest};
use super::{FOUR, ONE, THREE, TWO};

/// All that is below a directory: which it is, and how much.
fn below(directory: &Path) -> BTreeMap<PathBuf, (u64, u64)> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for one in fs::read_dir(next).expect("a directory") {
            let one = one.expect("an entry");
            let found = one.metadata().expect("what it is");
            if found.is_dir() {
                waiting.push(one.path());
            }
            all.insert(one.path(), (found.ino(), found.size()));
        }
    }
    all
}

fn fifo(path: &Path) {
    mkfifo(path, Mode::S_IRWXU).expect("a fifo");
}

/// A vault in which everything that can be planted is.
fn planted() -> Kept {
    let kept = Kept::new();
    let outside = kept.outside();
    for id in [ONE, TWO, THREE, FOUR] {
        kept.make("shop", id, 10_000);
    }
    // A whole backup outside, and links to it.
    fs::rename(kept.set("shop", ONE), outside.join(ONE)).expect("moved");
    symlink(outside.join(ONE), kept.set("shop", ONE)).expect("a link");
    symlink(&outside, kept.path().join("linked")).expect("a link");
    fs::write(outside.join("precious"), "precious").expect("a file");
    let shop = kept.path().join("shop");
    symlink(&outside, shop.join(".removing-a")).expect("a link");
    symlink(&outside, shop.join(format!(".removing-{TWO}"))).expect("a link");
    fs::create_dir(shop.join(".incoming-b")).expect("a directory");
    symlink(&outside, shop.join(".incoming-b/link")).expect("a link");
    fifo(&shop.join(".incoming-b/fifo"));
    // A set whose files are something else, and where what was found is to be written.
    let two = kept.set("shop", TWO);
    symlink(outside.join("precious"), two.join("verified.json")).expect("a link");
    symlink(outside.join("precious"), two.join(".new-verified.json")).expect("a link");
    // Manifests that are no files, too long, deep, or name files elsewhere.
    let odd = |id: &str| {
        let at = kept.set("odd", id);
        fs::create_dir_all(&at).expect("a directory");
        at
    };
    fifo(&odd(ONE).join("manifest.json"));
    let huge = File::create(odd(TWO).join("manifest.json")).expect("a file");
    huge.set_len(1 << 40).expect("a hole");
    symlink("/dev/zero", odd(THREE).join("manifest.json")).expect("a link");
    fs::write(odd(FOUR).join("manifest.json"), "[".repeat(1 << 20)).expect("a file");
    kept.make_as("names", ONE, 10, |manifest| {
        manifest["parts"][0]["payload"]["file"] = json!("../../../outside/precious");
    });
    kept.make_as("names", TWO, 10, |manifest| {
        manifest["name"] = json!("shop");
    });
    fs::create_dir(kept.path().join("names/not an id")).expect("a directory");
    fs::create_dir(kept.path().join("\u{1b}[2Jodd")).expect("a directory");
    // A decompressed list of files without an end of line, and one that never ends.
    let bomb = kept.make("bomb", ONE, 10);
    let zeros = zstd::encode_all(&vec![0; 64 << 20][..], 3).expect("compressed");
    fs::write(bomb.join("files.jsonl.zst"), &zeros).expect("a list");
    let text = fs::read_to_string(bomb.join("manifest.json")).expect("a manifest");
    let mut manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let files = &mut manifest["parts"][0]["files"];
    files["bytes"] = json!(zeros.len());
    files["sha256"] = json!(super::kept::sha256(&zeros));
    write_manifest(&bomb, manifest);
    // Locks.
    for name in ["lock-link", "lock-fifo", "lock-directory"] {
        for id in [ONE, TWO] {
            kept.make(name, id, 10);
        }
    }
    symlink(outside.join("made"), kept.path().join("lock-link/.lock")).expect("a link");
    fifo(&kept.path().join("lock-fifo/.lock"));
    fs::create_dir(kept.path().join("lock-directory/.lock")).expect("a directory");
    kept
}

#[test]
fn what_is_planted_in_a_vault_leads_nowhere_and_holds_nobody_up() {
    let kept = planted();
    let outside = below(&kept.outside());
    let listed = kept.ends(&["ls"], 0).stdout;
    assert!(
        !listed.contains('\u{1b}') && !listed.contains("linked"),
        "{listed:?}"
    );
    assert_eq!(listed.matches("broken: ").count(), 7, "{listed}");
    kept.ends(&["ls", "-o", "json"], 0);
    kept.ends(&["show", "linked"], 3);
    kept.ends(&["show", "../outside"], 3);
    for reference in ["odd", "names"] {
        kept.ends(&["show", reference], 3);
    }
    let ran = kept.ends(&["verify", "--all", "--full"], 9);
    assert!(
        ran.stdout.contains("its list of files cannot be decoded"),
        "{ran:?}"
    );
    assert!(kept.outside().join("precious").exists());
    // What was found is written in place of the links.
    let verified = kept.set("shop", TWO).join("verified.json");
    assert!(fs::symlink_metadata(verified).expect("a file").is_file());
    assert_eq!(below(&kept.outside()), outside);

    for name in ["lock-link", "lock-fifo", "lock-directory"] {
        let ran = kept.ends(&["prune", name, "--keep-last", "1", "--yes"], 1);
        assert!(ran.stderr.contains(".lock"), "{ran:?}");
        assert_eq!(kept.ids(name).len(), 2);
    }
    kept.ends(&["prune", "shop", "--keep-last", "1", "--yes"], 0);
    assert_eq!(kept.ids("shop"), [ONE, FOUR]);
    let shop = fs::read_dir(kept.path().join("shop")).expect("its backups");
    assert_eq!(shop.count(), 3, "the lock is left, too");
    assert_eq!(below(&kept.outside()), outside);
}
