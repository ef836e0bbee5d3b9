//! Exchanges on real files, cut short wherever they can be.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::area::Recovered;
use super::record::{Direction, Phase};
use super::*;

struct Lab {
    directory: tempfile::TempDir,
}

impl Lab {
    /// A tree in use.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lab = Self { directory };
        fs::create_dir_all(lab.used().join("kept/sub")).unwrap();
        fs::write(lab.used().join("file"), "old").unwrap();
        fs::write(lab.used().join("kept/sub/own"), "old").unwrap();
        lab
    }

    fn used(&self) -> PathBuf {
        self.directory.path().join("shop")
    }

    fn beside(&self) -> PathBuf {
        self.directory.path().join(".ww-restore-shop")
    }

    fn area(&self) -> Area {
        Area::beside(&self.used()).unwrap()
    }

    /// Puts the successor together.
    fn staged(&self, area: &Area, only: &[&str]) -> Record {
        let only: Vec<Vec<u8>> = only.iter().map(|path| path.as_bytes().to_vec()).collect();
        let at = "2026-11-22T16:15:00Z".parse().unwrap();
        let record = Record::new("shop/1", at, "alice", &only);
        area.begin(&record).unwrap();
        let tree = self.beside().join("incoming/tree");
        fs::create_dir_all(tree.join("kept/sub")).unwrap();
        fs::create_dir_all(tree.join("new/deep")).unwrap();
        fs::write(tree.join("file"), "new").unwrap();
        fs::write(tree.join("kept/sub/own"), "new").unwrap();
        fs::write(tree.join("new/deep/file"), "new").unwrap();
        record
    }

    fn restore(&self, only: &[&str]) {
        let area = self.area();
        let mut record = self.staged(&area, only);
        area.exchange(&mut record).unwrap();
        area.keep().unwrap();
        area.tidy().unwrap();
    }

    fn undo(&self) {
        let area = self.area();
        let kept = area.kept().unwrap().unwrap();
        let mut record = kept.undo(kept.at, "bob");
        area.begin_undo(&record).unwrap();
        area.exchange(&mut record).unwrap();
        area.keep().unwrap();
        area.tidy().unwrap();
    }

    /// All files in use with their content, and nothing is left half done beside.
    fn files(&self) -> Vec<String> {
        for left in ["incoming", "removing-0"] {
            assert!(!self.beside().join(left).exists(), "{left}");
        }
        files(&self.used())
    }
}

fn files(tree: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let root = File::open(tree).unwrap();
    ww_archive::look::paths(root.as_fd(), &mut |path| {
        let name = String::from_utf8(path.to_vec()).unwrap();
        if let Ok(content) = fs::read_to_string(tree.join(&name)) {
            found.push(format!("{name}={content}"));
        }
        true
    })
    .unwrap();
    found.sort();
    found
}

const OLD: [&str; 2] = ["file=old", "kept/sub/own=old"];
const NEW: [&str; 3] = ["file=new", "kept/sub/own=new", "new/deep/file=new"];

#[test]
fn a_tree_is_exchanged_and_exchanged_back_and_again() {
    let lab = Lab::new();
    lab.restore(&[]);
    assert_eq!(lab.files(), NEW);
    assert_eq!(files(&lab.beside().join("undo/tree")), OLD);
    fs::write(lab.used().join("since"), "kept").unwrap();
    lab.undo();
    assert_eq!(lab.files(), OLD);
    let kept = lab.area().kept().unwrap().unwrap();
    assert_eq!((kept.direction, kept.by.as_str()), (Direction::Undo, "bob"));
    lab.undo();
    assert_eq!(lab.files().len(), NEW.len() + 1, "and what was made since");
    lab.restore(&[]);
    assert_eq!(files(&lab.beside().join("undo/tree")).len(), NEW.len() + 1);
}

#[test]
fn some_paths_come_into_place_beside_what_stays() {
    let lab = Lab::new();
    lab.restore(&["kept/sub", "new/deep/file"]);
    let some = ["file=old", "kept/sub/own=new", "new/deep/file=new"];
    assert_eq!(lab.files(), some);
    lab.undo();
    assert_eq!(lab.files(), OLD);
    lab.undo();
    assert_eq!(lab.files(), some);
}

#[test]
fn a_path_is_never_followed_out_of_the_tree() {
    let lab = Lab::new();
    let outside = lab.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir_all(lab.used().join("kept")).unwrap();
    symlink(&outside, lab.used().join("kept")).unwrap();
    let area = lab.area();
    let mut record = lab.staged(&area, &["kept/sub/own"]);
    assert!(area.exchange(&mut record).is_err());
    area.take_back(&record).unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!lab.beside().join("incoming").exists());
}

#[test]
fn wherever_it_is_cut_short_it_is_taken_back_or_finished() {
    for only in [&[][..], &["file", "kept/sub/own", "new/deep/file"]] {
        for kept in [false, true] {
            for phase in [Phase::Staged, Phase::Moving, Phase::Moved] {
                for decided in [None, Some(false), Some(true)] {
                    cut_short(only, kept, phase, decided);
                }
            }
        }
    }
}

fn cut_short(only: &[&str], undoes: bool, phase: Phase, decided: Option<bool>) {
    let lab = Lab::new();
    let (before, after) = if undoes {
        lab.restore(only);
        (NEW.to_vec(), OLD.to_vec())
    } else {
        (OLD.to_vec(), NEW.to_vec())
    };
    let area = lab.area();
    let mut record = if undoes {
        let kept = area.kept().unwrap().unwrap();
        let record = kept.undo(kept.at, "bob");
        area.begin_undo(&record).unwrap();
        record
    } else {
        lab.staged(&area, only)
    };
    if phase != Phase::Staged {
        area.exchange(&mut record).unwrap();
        if phase == Phase::Moving {
            // As if the last of it had not been done.
            let last = record.moves.pop().unwrap();
            area.cut_short(&mut record, &last);
        }
    }
    drop(area);
    let recovered = lab.area().settle(decided).unwrap();
    let forward = phase != Phase::Staged && decided.unwrap_or(phase == Phase::Moved);
    let (files, expected) = if forward {
        (Recovered::Finished, after)
    } else {
        (Recovered::TakenBack, before)
    };
    let case = format!("{only:?} {undoes} {phase:?} {decided:?}");
    assert_eq!(recovered, files, "{case}");
    assert_eq!(lab.files(), expected, "{case}");
    let keeps = undoes || forward;
    assert_eq!(lab.area().kept().unwrap().is_some(), keeps, "{case}");
    assert_eq!(lab.area().settle(None).unwrap(), Recovered::Nothing);
}

#[test]
fn what_was_never_written_down_is_removed() {
    let lab = Lab::new();
    let area = lab.area();
    fs::create_dir_all(lab.beside().join("incoming/tree/x")).unwrap();
    fs::create_dir_all(lab.beside().join("removing-0/tree/x")).unwrap();
    assert_eq!(area.settle(None).unwrap(), Recovered::TakenBack);
    assert!(area.is_empty().unwrap());
    area.leave();
    assert!(!lab.beside().exists());
    assert_eq!(lab.files(), OLD);
}

#[test]
fn one_at_a_time() {
    let lab = Lab::new();
    let area = lab.area();
    let second = Area::beside(&lab.used());
    assert!(matches!(second, Err(AreaError::Locked(_))));
    drop(area);
    lab.area();
}

#[test]
fn what_others_have_put_beside_is_not_used() {
    let lab = Lab::new();
    symlink(lab.directory.path(), lab.beside()).unwrap();
    assert!(Area::beside(&lab.used()).is_err());
    fs::remove_file(lab.beside()).unwrap();
    fs::create_dir(lab.beside()).unwrap();
    let mode = fs::metadata(lab.beside()).unwrap().mode();
    assert_eq!(mode & 0o077, 0o055);
    assert!(matches!(
        Area::beside(&lab.used()),
        Err(AreaError::Unfit { .. })
    ));
}

#[test]
fn what_is_reached_over_a_link_is_not_exchanged() {
    let lab = Lab::new();
    let link = lab.directory.path().join("link");
    symlink(lab.used(), &link).unwrap();
    assert!(Area::beside(&link).is_err());
}
