//! Trees and archives held against rsync, getfattr, getfacl and GNU tar, none of which is ours.

use std::fs;

use crate::extracting::{everything, extracted};
use crate::lab::{Log, Scratch, whole};
use crate::nasty::{assert_same, assert_same_holes, compare, deep, nasty, run};

#[test]
fn nothing_of_a_tree_is_lost() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    nasty(&tree);
    let (archive, _) = whole(&tree);

    let target = scratch.directory("target");
    let mut log = Log::default();
    extracted(&archive, &target, &everything(), &mut log).unwrap();
    assert_eq!(log.told(), [""; 0]);
    assert_same(&tree, &target, true);
    assert_same_holes(&tree, &target);

    // And once more: what was extracted makes the same archive, but for the order within a directory.
    let (again, entries) = whole(&target);
    assert_eq!(again.len(), archive.len());
    assert_eq!(entries.len(), log.entries.len());

    let file = scratch.path("archive.tar");
    fs::write(&file, &archive).unwrap();
    // GNU tar finds no difference, and has no complaint but about the key it does not know.
    run(compare("tar")
        .args(["--compare", "--warning=no-unknown-keyword", "-f"])
        .arg(&file)
        .arg("-C")
        .arg(&target)
        .arg("--exclude=./special/socket"));
    let theirs = scratch.directory("theirs");
    run(compare("tar")
        .args([
            "--extract",
            "--numeric-owner",
            "--same-permissions",
            "--same-owner",
        ])
        .args([
            "--xattrs",
            "--xattrs-include=*",
            "--warning=no-unknown-keyword",
            "-f",
        ])
        .arg(&file)
        .arg("-C")
        .arg(&theirs));
    assert_same(&tree, &theirs, false);
    assert_same_holes(&tree, &theirs);
}

#[test]
fn archives_of_gnu_tar_are_extracted() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    nasty(&tree);
    // GNU tar does not archive sockets, nor the names of a fifo as those of one.
    fs::remove_file(tree.join("special/socket")).unwrap();
    fs::remove_file(tree.join("special/fifo-again")).unwrap();
    let file = scratch.path("archive.tar");
    run(compare("tar")
        .args(["--create", "--format=posix", "--sparse", "--numeric-owner"])
        .args(["--xattrs", "--xattrs-include=*", "-f"])
        .arg(&file)
        .args(["-C"])
        .arg(&tree)
        .arg("."));
    let target = scratch.directory("target");
    let mut log = Log::default();
    extracted(&fs::read(&file).unwrap(), &target, &everything(), &mut log).unwrap();
    assert_eq!(log.told(), [""; 0]);
    assert_same(&tree, &target, true);

    // In its own format the names and numbers are written otherwise, and less is kept.
    let file = scratch.path("gnu.tar");
    run(compare("tar")
        .args([
            "--create",
            "--format=gnu",
            "--numeric-owner",
            "--exclude=./holes",
            "-f",
        ])
        .arg(&file)
        .arg("-C")
        .arg(&tree)
        .arg("."));
    let target = scratch.directory("gnu");
    let mut log = Log::default();
    extracted(&fs::read(&file).unwrap(), &target, &everything(), &mut log).unwrap();
    assert_eq!(log.told(), [""; 0]);
    let mut rsync = compare("rsync");
    rsync.args([
        "-n",
        "-aHc",
        "--delete",
        "--numeric-ids",
        "--itemize-changes",
        "--exclude=/holes",
    ]);
    // Times are whole seconds in it.
    rsync.arg("--modify-window=1");
    let told = run(rsync.arg(tree.join("")).arg(target.join("")));
    assert_eq!(told, "");
}

#[test]
fn deeper_than_any_path_and_back() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    deep(&tree, 100);
    let (archive, entries) = whole(&tree);
    let target = scratch.directory("target");
    let mut log = Log::default();
    extracted(&archive, &target, &everything(), &mut log).unwrap();
    assert_eq!(log.told(), [""; 0]);
    let (again, found) = whole(&target);
    assert_eq!(found.len(), entries.len());
    assert_eq!(again.len(), archive.len());
    let sorted = |mut entries: Vec<ww_archive::Entry>| {
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        entries
    };
    assert_eq!(sorted(found), sorted(entries));
}
