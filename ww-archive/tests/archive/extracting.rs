//! What is made of an archive, and what archives that mean harm cannot do.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use ww_archive::read::{Limits, Reader};
use ww_archive::unpack::{UnpackError, UnpackOptions, Unpacked, unpack};

use crate::lab::{Log, Raw, Scratch, Tar, whole};

/// As root does it.
pub(crate) fn everything() -> UnpackOptions {
    UnpackOptions {
        devices: true,
        only: None,
        owners: true,
    }
}

pub(crate) fn extracted(
    archive: &[u8],
    target: &Path,
    options: &UnpackOptions,
    log: &mut Log<'_>,
) -> Result<Unpacked, UnpackError> {
    let target = File::open(target).unwrap();
    let unpacked = unpack(
        Reader::new(archive, Limits::default()),
        target.as_fd(),
        options,
        log,
    )?;
    assert_eq!(unpacked.entries, log.entries.len() as u64);
    assert_eq!(unpacked.problems, log.problems.len() as u64);
    assert_eq!(unpacked.bytes, log.bytes);
    Ok(unpacked)
}

/// Extracts what must be refused, beside a canary, and gives the words.
fn refused(archive: &[u8]) -> String {
    let scratch = Scratch::new();
    let target = scratch.directory("target");
    let outside = scratch.directory("outside");
    fs::write(outside.join("canary"), "alive").unwrap();
    let error = extracted(archive, &target, &everything(), &mut Log::default()).unwrap_err();
    let names: Vec<_> = fs::read_dir(&outside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["canary"], "{error}");
    assert_eq!(
        fs::read_to_string(outside.join("canary")).unwrap(),
        "alive",
        "{error}"
    );
    assert_eq!(
        fs::metadata(outside.join("canary")).unwrap().nlink(),
        1,
        "{error}"
    );
    assert_eq!(
        fs::read_dir(scratch.path("")).unwrap().count(),
        2,
        "{error}"
    );
    error.to_string()
}

#[test]
fn nothing_is_made_outside() {
    for path in [
        &b"../outside/new"[..],
        b"./../outside/new",
        b"a/../../outside/new",
    ] {
        let root = || Tar::default().root().raw(&Raw::new(b'5', b"a/"));
        refused(&root().file(path, b"x").end());
        refused(&root().raw(&Raw::new(b'5', path)).end());
        refused(&root().raw(&Raw::link(b'1', b"a/link", path)).end());
    }
    refused(
        &Tar::default()
            .root()
            .file(b"/tmp/whaleware-escaped", b"x")
            .end(),
    );
    assert!(!Path::new("/tmp/whaleware-escaped").exists());
}

#[test]
fn links_are_never_followed() {
    let planted = || {
        Tar::default()
            .root()
            .raw(&Raw::link(b'2', b"way", b"../outside"))
    };
    // A file, a directory, a link through it; and in its place.
    let error = refused(&planted().file(b"way/canary", b"dead").end());
    assert!(
        error.contains("'way/canary': it is in a directory that the archive does not have"),
        "{error}"
    );
    refused(&planted().raw(&Raw::new(b'5', b"way/new/")).end());
    refused(&planted().raw(&Raw::link(b'2', b"way/new", b"x")).end());
    let error = refused(
        &planted()
            .raw(&Raw::link(b'1', b"mine", b"way/canary"))
            .end(),
    );
    assert!(
        error.contains("another name of something that is not before it"),
        "{error}"
    );
    let error = refused(&planted().raw(&Raw::new(b'5', b"way/")).end());
    assert!(
        error.contains("'way': it is in the archive twice"),
        "{error}"
    );
    let error = refused(&planted().file(b"way", b"dead").end());
    assert!(error.contains("twice"), "{error}");

    let canary = || {
        Tar::default()
            .root()
            .raw(&Raw::link(b'2', b"file", b"../outside/canary"))
    };
    refused(&canary().file(b"file", b"dead").end());
    // The other name of a link is a link, too, and what is written to neither goes through it.
    refused(
        &canary()
            .raw(&Raw::link(b'1', b"again", b"file"))
            .file(b"again", b"dead")
            .end(),
    );
    // A directory that is replaced by a link.
    let replaced = Tar::default()
        .root()
        .raw(&Raw::new(b'5', b"way/"))
        .raw(&Raw::link(b'2', b"way", b"../outside"))
        .file(b"way/canary", b"dead");
    refused(&replaced.end());
}

#[test]
fn what_does_not_go_together_is_refused() {
    let tar = || {
        Tar::default()
            .root()
            .raw(&Raw::new(b'5', b"a/"))
            .raw(&Raw::new(b'5', b"b/"))
    };
    for (archive, words) in [
        (
            tar().file(b"a/late", b"x"),
            "a directory that the archive does not have before it, or had left",
        ),
        (
            tar().file(b"c/d", b"x"),
            "a directory that the archive does not have before it",
        ),
        (
            tar().raw(&Raw::new(b'5', b"b/")),
            "'b': it is in the archive twice",
        ),
        (tar().root(), "'.': it is in the archive twice"),
        (
            tar().raw(&Raw::link(b'1', b"c", b"a")),
            "another name of a directory",
        ),
        (
            tar().raw(&Raw::link(b'1', b"c", b"d")),
            "not before it in the archive",
        ),
        (
            tar().file(b"b/f", b"").file(b"b/f/g", b""),
            "a directory that the archive does not have",
        ),
    ] {
        let error = refused(&archive.end());
        assert!(error.contains(words), "{error}");
    }
    let cut = tar().file(b"b/f", &[1; 3000]).end();
    let error = refused(&cut[..cut.len() - 3000]);
    assert!(error.contains("the archive is cut"), "{error}");
    let error = refused(&cut[..cut.len() - 1024]);
    assert!(
        error.contains("after 'b/f', without its trailer"),
        "{error}"
    );
    let error = refused(&[&cut[..], b"more"].concat());
    assert!(error.contains("something follows its end"), "{error}");
}

#[test]
fn a_directory_that_is_not_empty_is_refused() {
    let scratch = Scratch::new();
    let target = scratch.directory("target");
    fs::write(target.join("precious"), "x").unwrap();
    let archive = Tar::default().root().end();
    let failed = extracted(&archive, &target, &everything(), &mut Log::default());
    assert!(matches!(failed, Err(UnpackError::NotEmpty)), "{failed:?}");
}

#[test]
fn devices_are_made_only_if_asked_for() {
    let scratch = Scratch::new();
    let archive = Tar::default()
        .root()
        .raw(&Raw::new(b'3', b"null"))
        .raw(&Raw::new(b'4', b"disk"))
        .raw(&Raw::new(b'6', b"fifo"))
        .raw(&Raw::link(b'1', b"null-too", b"null"))
        .end();
    let target = scratch.directory("without");
    let mut log = Log::default();
    extracted(
        &archive,
        &target,
        &UnpackOptions {
            devices: false,
            ..everything()
        },
        &mut log,
    )
    .unwrap();
    assert_eq!(
        log.told(),
        [
            "device-skipped disk",
            "device-skipped null",
            "missing null-too"
        ]
    );
    assert_eq!(fs::read_dir(&target).unwrap().count(), 1);

    let target = scratch.directory("with");
    let mut log = Log::default();
    extracted(&archive, &target, &everything(), &mut log).unwrap();
    assert_eq!(log.told(), [""; 0]);
    let found = fs::metadata(target.join("null")).unwrap();
    assert!(found.file_type().is_char_device());
    assert_eq!(
        (found.rdev(), found.nlink()),
        (rustix::fs::makedev(1, 3), 2)
    );
}

#[test]
fn only_what_is_wanted_is_extracted() {
    let scratch = Scratch::new();
    let tree = scratch.directory("tree");
    fs::create_dir_all(tree.join("a/b/c")).unwrap();
    fs::create_dir_all(tree.join("ab")).unwrap();
    for name in ["a/1", "a/b/2", "a/b/c/3", "ab/4", "5"] {
        fs::write(tree.join(name), name).unwrap();
    }
    fs::hard_link(tree.join("5"), tree.join("a/b/c/6")).unwrap();
    fs::set_permissions(tree.join("a"), PermissionsExt::from_mode(0o2750)).unwrap();
    let (archive, _) = whole(&tree);
    let target = scratch.directory("target");
    let mut log = Log::default();
    let only = [&b"a/b"[..], b"nowhere", b"ab/4"]
        .map(<[u8]>::to_vec)
        .to_vec();
    let options = UnpackOptions {
        only: Some(only),
        ..everything()
    };
    extracted(&archive, &target, &options, &mut log).unwrap();
    assert_eq!(log.told(), ["missing a/b/c/6", "missing nowhere"]);
    let mut paths: Vec<_> = log
        .entries
        .iter()
        .map(|entry| entry.path.escape_ascii().to_string())
        .collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "", "a", "a/b", "a/b/2", "a/b/c", "a/b/c/3", "a/b/c/6", "ab", "ab/4"
        ]
    );
    assert_eq!(
        fs::read_to_string(target.join("a/b/c/3")).unwrap(),
        "a/b/c/3"
    );
    assert_eq!(
        fs::metadata(target.join("a")).unwrap().mode() & 0o7777,
        0o2750
    );
    assert!(!target.join("5").exists());
}

#[test]
fn set_user_id_is_for_the_owner_it_was_given_by() {
    let scratch = Scratch::new();
    let mut raw = Raw::new(b'0', b"program");
    raw.uid = b"1750".to_vec();
    raw.mode = b"0006755";
    let mut nobody = Raw::new(b'0', b"nobody");
    nobody.mode = b"0006755";
    let archive = Tar::default()
        .root()
        .raw(&raw)
        .records(b'x', &[("uid", b"4294967295")])
        .raw(&nobody)
        .end();
    let target = scratch.directory("with");
    let mut log = Log::default();
    extracted(&archive, &target, &everything(), &mut log).unwrap();
    assert_eq!(log.told(), ["owner-not-set nobody"]);
    let found = fs::metadata(target.join("program")).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o7777), (1000, 0o6755));
    assert_eq!(
        fs::metadata(target.join("nobody")).unwrap().mode() & 0o7777,
        0o755
    );

    let target = scratch.directory("without");
    let options = UnpackOptions {
        owners: false,
        ..everything()
    };
    extracted(&archive, &target, &options, &mut Log::default()).unwrap();
    let found = fs::metadata(target.join("program")).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o7777), (0, 0o755));
}

#[test]
fn a_root_the_archive_does_not_have_stays_as_it_was() {
    let scratch = Scratch::new();
    let target = scratch.directory("target");
    fs::set_permissions(&target, PermissionsExt::from_mode(0o751)).unwrap();
    let archive = Tar::default().file(b"a", b"x").end();
    extracted(&archive, &target, &everything(), &mut Log::default()).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o751);
}

#[test]
fn stopping_is_an_error() {
    let scratch = Scratch::new();
    let target = scratch.directory("target");
    let archive = Tar::default()
        .root()
        .file(b"a", &vec![1; 1_000_000])
        .file(b"b", b"")
        .end();
    let mut log = Log {
        stop_after: Some(2),
        ..Log::default()
    };
    let failed = extracted(&archive, &target, &everything(), &mut log);
    assert!(matches!(failed, Err(UnpackError::Stopped)), "{failed:?}");
    assert!(log.bytes < 1_000_000);
}
