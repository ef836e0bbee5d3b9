//! Backups that somebody has made up: in order by every digest, and meant to get out of the place they are put into.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::backup::{Vault, manifest};
use crate::lab::{Guest, Lab, Ran, docker, run};

/// What stands for the digest while it is computed.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What an archive is made of.
const BLOCK: usize = 512;

/// An entry of an archive.
struct Forged<'a> {
    kind: u8,
    name: &'a str,
    link: &'a str,
    content: &'a [u8],
}

impl<'a> Forged<'a> {
    fn file(name: &'a str) -> Self {
        Self {
            kind: b'0',
            name,
            link: "",
            content: b"hostile",
        }
    }

    fn link(kind: u8, name: &'a str, link: &'a str) -> Self {
        Self {
            kind,
            name,
            link,
            content: b"",
        }
    }

    fn directory(name: &'a str) -> Self {
        Self::link(b'5', name, "")
    }

    fn bytes(&self) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        let size = format!("{:011o}", self.content.len());
        for (at, bytes) in [
            (0, self.name.as_bytes()),
            (100, b"0000777"),
            (108, b"0000000"),
            (116, b"0000000"),
            (124, size.as_bytes()),
            (136, b"00000000000"),
            (148, b"        "),
            (156, &[self.kind]),
            (157, self.link.as_bytes()),
            (257, b"ustar\x0000"),
            (329, b"0000007"),
            (337, b"0000143"),
        ] {
            block[at..at + bytes.len()].copy_from_slice(bytes);
        }
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block.extend(self.content);
        block.resize(block.len().next_multiple_of(BLOCK), 0);
        block
    }
}

fn sha256(path: &Path) -> String {
    let told = run(Command::new("sha256sum").arg(path)).expect(0);
    told.stdout.split(' ').next().unwrap_or_default().to_owned()
}

/// Writes a manifest that is in order.
fn seal(set: &Path, mut told: Value) {
    told["digest"] = NO_DIGEST.into();
    let path = set.join("manifest.json");
    let text = serde_json::to_string_pretty(&told).expect("JSON");
    fs::write(&path, &text).expect("a manifest");
    fs::write(&path, text.replace(NO_DIGEST, &sha256(&path))).expect("a manifest");
}

/// A set, and what it was when it was honest.
struct Set {
    path: PathBuf,
    archive: Vec<u8>,
    told: Value,
}

impl Set {
    fn of(path: PathBuf) -> Self {
        let told = manifest(&path);
        let raw = path.with_extension("raw");
        let payload = path.join("data.tar.zst");
        run(Command::new("zstd")
            .args(["-dqf", "-o"])
            .args([&raw, &payload]))
        .expect(0);
        let mut archive = fs::read(&raw).expect("an archive");
        fs::remove_file(&raw).expect("an archive");
        let end = archive.iter().rposition(|byte| *byte != 0).expect("more");
        archive.truncate((end + 1).next_multiple_of(BLOCK));
        Self {
            path,
            archive,
            told,
        }
    }

    /// The same, with more in its archive. Every digest is right.
    fn forge(&self, entries: &[Forged<'_>]) {
        let mut archive = self.archive.clone();
        archive.extend(entries.iter().flat_map(Forged::bytes));
        archive.resize(archive.len() + 2 * BLOCK, 0);
        let raw = self.path.with_extension("raw");
        fs::write(&raw, &archive).expect("an archive");
        let path = self.path.join("data.tar.zst");
        run(Command::new("zstd").args(["-qf", "-o"]).args([&path, &raw])).expect(0);
        fs::remove_file(&raw).expect("an archive");
        let mut told = self.told.clone();
        let payload = &mut told["parts"][0]["payload"];
        payload["raw_bytes"] = archive.len().into();
        payload["bytes"] = path.metadata().expect("a file").len().into();
        payload["sha256"] = sha256(&path).into();
        seal(&self.path, told);
    }
}

struct Story {
    lab: Lab,
    vault: Vault,
    guest: Guest,
    set: Set,
    /// Where nothing may ever come to be.
    outside: PathBuf,
}

impl Story {
    fn new() -> Self {
        let lab = Lab::new("hostile");
        let tree = lab.tree("app");
        tree.all_scripts();
        let guest = lab.start("app", &lab.image(&tree), &[], &[]);
        guest.reaches("UP");
        docker(["stop", &guest.name]).expect(0);
        let vault = Vault::new(&lab);
        vault.backup(&[&guest.name]).expect(0);
        let set = Set::of(vault.sets(&guest.name).remove(0));
        let outside = lab.directory("outside");
        fs::write(outside.join("canary"), "as it was").expect("a file");
        fs::write(guest.data.join("since"), "x").expect("a file");
        Self {
            lab,
            vault,
            guest,
            set,
            outside,
        }
    }

    fn restore(&self, words: &[&str]) -> Ran {
        let id = self.set.path.file_name().expect("a name").to_string_lossy();
        let reference = format!("{}/{id}", self.guest.name);
        let mut command = self.vault.other(&["restore", &reference]);
        run(command.args(words).arg("--yes"))
    }

    #[track_caller]
    fn is_untouched(&self) {
        let canary = fs::read_to_string(self.outside.join("canary")).expect("a file");
        assert_eq!(canary, "as it was");
        let found = fs::metadata(self.outside.join("canary")).expect("a file");
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&found), 1);
        let all = fs::read_dir(&self.outside).expect("a directory");
        assert_eq!(all.count(), 1);
        assert!(self.guest.data.join("since").exists());
        let above = self.guest.data.parent().expect("a parent");
        let mut beside = fs::read_dir(above).expect("a directory");
        let left = beside.find(|one| {
            let name = one.as_ref().expect("an entry").file_name();
            name.to_string_lossy().starts_with(".ww-restore")
        });
        assert!(left.is_none(), "{left:?}");
    }
}

#[test]
fn an_archive_that_leads_out_is_refused_and_nothing_is_where_it_leads_to() {
    let story = Story::new();
    let outside = story.outside.to_str().expect("UTF-8");
    let canary = format!("{outside}/canary");
    // As many steps up as there can be, and then there.
    let up = format!("{}{}", "../".repeat(12), &outside[1..]);
    let (over, new) = (format!("{up}/canary"), format!("{up}/new"));
    let absolute = format!("{outside}/new");
    let name = story.guest.name.as_str();
    let hostile: [(&str, Vec<Forged<'_>>); 11] = [
        ("above", vec![Forged::file(&new)]),
        ("above, over", vec![Forged::file(&over)]),
        ("beside", vec![Forged::file("./../new")]),
        ("absolute", vec![Forged::file(&absolute)]),
        (
            "over a link",
            vec![Forged::link(b'2', "way", outside), Forged::file("way/new")],
        ),
        (
            "over a link that was a directory",
            vec![
                Forged::directory("way"),
                Forged::link(b'2', "way", outside),
                Forged::file("way/new"),
            ],
        ),
        (
            "in place of a link",
            vec![Forged::link(b'2', "way", &canary), Forged::file("way")],
        ),
        (
            "another name of what is above",
            vec![Forged::link(b'1', "name", &over)],
        ),
        (
            "another name of what is elsewhere",
            vec![Forged::link(b'1', "name", &canary)],
        ),
        (
            "another name, over a link",
            vec![
                Forged::link(b'2', "way", outside),
                Forged::link(b'1', "name", "way/canary"),
            ],
        ),
        ("not listed", vec![Forged::file("more")]),
    ];
    for (number, (what, entries)) in hostile.iter().enumerate() {
        story.set.forge(entries);
        let ran = story.restore(&[name]);
        assert_eq!(ran.code(), 9, "{what}: {ran:?}");
        ran.says(&["refused to restore", "nothing was touched"]);
        story.is_untouched();
        let into = story.lab.directory("into").join(number.to_string());
        let into = into.to_str().expect("UTF-8");
        let ran = story.restore(&["--into-dir", into]);
        assert_eq!(ran.code(), 9, "{what}: {ran:?}");
        story.is_untouched();
    }
    // A device is not made unless that is asked for, and no link leads anywhere before it is used.
    story.set.forge(&[Forged::link(b'4', "disk", "")]);
    story.restore(&[name]).expect(0).says(&["device"]);
    assert!(!story.guest.data.join("disk").exists());
    assert!(!story.guest.data.join("since").exists());
}

#[test]
fn what_is_planted_in_a_vault_leads_nowhere() {
    let story = Story::new();
    let name = story.guest.name.as_str();
    let set = &story.set.path;
    let refused = |what: &str| {
        let ran = story.restore(&[name]);
        assert!([3, 9].contains(&ran.code()), "{what}: {ran:?}");
        story.is_untouched();
        ran
    };
    // The payload, the list, the set, all of its name: each elsewhere, behind a link.
    let elsewhere = story.lab.directory("elsewhere");
    let all = set.parent().expect("a parent");
    for path in [
        &set.join("data.tar.zst"),
        &set.join("files.jsonl.zst"),
        set,
        all,
    ] {
        let moved = elsewhere.join("moved");
        fs::rename(path, &moved).expect("elsewhere");
        symlink(&moved, path).expect("a link");
        refused("a link");
        fs::remove_file(path).expect("a link");
        fs::rename(&moved, path).expect("back");
    }
    // A pipe that nobody writes to holds nobody up.
    let payload = set.join("data.tar.zst");
    let moved = elsewhere.join("moved");
    fs::rename(&payload, &moved).expect("elsewhere");
    run(Command::new("mkfifo").arg(&payload)).expect(0);
    refused("a pipe");
    fs::remove_file(&payload).expect("a pipe");
    fs::rename(&moved, &payload).expect("back");
    // A manifest in order that names a file elsewhere.
    let canary = story.outside.join("canary");
    for file in ["../../../outside/canary", &canary.to_string_lossy(), ".."] {
        let mut told = story.set.told.clone();
        told["parts"][0]["payload"]["file"] = file.into();
        seal(set, told);
        refused(file).says(&["a name that none has"]);
    }
    seal(set, story.set.told.clone());
    story.restore(&[name]).expect(0);
    assert!(!story.guest.data.join("since").exists());
}
