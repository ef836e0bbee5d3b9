//! What is read of archives of others, and what is refused.

use std::io::{self, Read};

use ww_archive::read::{Limits, ReadError};
use ww_archive::{Kind, Segment, Time, Xattr};

use crate::lab::{Raw, Tar, read, read_with};

fn refused(archive: impl AsRef<[u8]>) -> String {
    read(archive.as_ref())
        .expect_err("it must not be read")
        .to_string()
}

#[test]
fn posix_gnu_and_old_headers_are_read() {
    let mut gnu = Raw::new(b'0', b"file");
    gnu.magic = b"ustar  \0";
    // Where POSIX has the beginning of a name, GNU has a time.
    gnu.prefix = b"14712345670".to_vec();
    gnu.uid = vec![0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe];
    gnu.mtime = vec![0xff; 12];
    let mut prefixed = Raw::new(b'0', b"name");
    prefixed.prefix = b"a/prefix".to_vec();
    let mut old = Raw::new(0, b"old/");
    old.magic = b"";
    let long = [b"long/".as_slice(), &[b'x'; 200]].concat();
    let archive = Tar::default()
        .root()
        .raw(&gnu)
        .with(prefixed, b"content")
        .raw(&old)
        .with(
            Raw::new(b'L', b"././@LongLink"),
            &[&long[..], b"\0"].concat(),
        )
        .with(
            Raw::new(b'K', b"././@LongLink"),
            &[&[b't'; 300][..], b"\0"].concat(),
        )
        .raw(&Raw::link(b'2', b"cut", b"cut"))
        .raw(&Raw::new(b'3', b"device"))
        .end();
    let all = read(&archive[..]).unwrap();
    let entry = |path: &[u8]| {
        all.iter()
            .find(|(entry, _)| entry.path == path)
            .expect("it is there")
    };
    let (file, _) = entry(b"file");
    assert_eq!(
        (file.uid, file.mtime),
        (
            4_294_967_294,
            Time {
                seconds: -1,
                nanos: 0
            }
        )
    );
    assert_eq!(entry(b"a/prefix/name").1, b"content");
    assert_eq!(entry(b"old").0.kind, Kind::Directory);
    assert_eq!(
        entry(&long).0.kind,
        Kind::Symlink {
            target: vec![b't'; 300]
        }
    );
    assert_eq!(
        entry(b"device").0.kind,
        Kind::CharacterDevice { major: 1, minor: 3 }
    );
}

#[test]
fn records_come_before_headers() {
    let archive = Tar::default()
        .root()
        .records(b'g', &[("comment", b"for all"), ("uid", b"7")])
        .records(
            b'x',
            &[
                ("path", b"./other"),
                ("mtime", b"-1.5"),
                ("gid", b"4294967294"),
                ("SCHILY.xattr.user.a%3Db", b"\0\n\xff="),
                ("SCHILY.xattr.user.empty", b""),
                ("LIBARCHIVE.creationtime", b"1"),
            ],
        )
        .file(b"./name", b"content")
        .end();
    let all = read(&archive[..]).unwrap();
    let (entry, content) = &all[1];
    assert_eq!(
        (&entry.path[..], &content[..]),
        (&b"other"[..], &b"content"[..])
    );
    assert_eq!((entry.uid, entry.gid), (7, 4_294_967_294));
    assert_eq!(
        entry.mtime,
        Time {
            seconds: -2,
            nanos: 500_000_000
        }
    );
    let xattr = |name: &[u8], value: &[u8]| Xattr {
        name: name.to_vec(),
        value: value.to_vec(),
    };
    assert_eq!(
        entry.xattrs,
        [xattr(b"user.a=b", b"\0\n\xff="), xattr(b"user.empty", b"")]
    );
}

#[test]
fn paths_that_lead_out_are_refused() {
    for path in [&b"../a"[..], b"/a", b"a/../../b", b"a//b", b"./a/./b"] {
        let error = refused(Tar::default().root().file(path, b"x").end());
        assert!(
            error.contains("a path at byte 512 that is refused"),
            "{error}"
        );
        let error = refused(
            Tar::default()
                .root()
                .records(b'x', &[("path", path)])
                .file(b"b", b"")
                .end(),
        );
        assert!(error.contains("that is refused"), "{error}");
        let error = refused(
            Tar::default()
                .root()
                .raw(&Raw::link(b'1', b"b", path))
                .end(),
        );
        assert!(error.contains("that is refused"), "{error}");
    }
    let error = refused(
        Tar::default()
            .root()
            .records(b'x', &[("path", b"a\0b")])
            .file(b"b", b"")
            .end(),
    );
    assert!(error.contains("NUL"), "{error}");
    // Where a symbolic link points is its own matter, as long as nobody goes there.
    let link = Tar::default()
        .root()
        .raw(&Raw::link(b'2', b"b", b"/etc/../x"))
        .end();
    assert_eq!(read(&link[..]).unwrap().len(), 2);
}

#[test]
fn the_name_an_engine_puts_in_front_is_left_out() {
    let limits = Limits {
        strip_first: true,
        ..Limits::default()
    };
    let archive = Tar::default()
        .raw(&Raw::new(b'5', b"data/"))
        .file(b"data/a", b"x")
        .raw(&Raw::link(b'1', b"data/b", b"data/a"));
    let all = read_with(&archive.clone().end()[..], limits).unwrap();
    assert_eq!(
        all.iter()
            .map(|(entry, _)| &entry.path[..])
            .collect::<Vec<_>>(),
        [&b""[..], b"a", b"b"]
    );
    assert_eq!(
        all[2].0.kind,
        Kind::HardLink {
            target: b"a".to_vec()
        }
    );
    let other = archive.file(b"date/a", b"x").end();
    assert!(read_with(&other[..], limits).is_err());
}

#[test]
fn what_is_not_understood_is_refused() {
    let mut odd = Raw::new(b'1', b"b");
    odd.link = b"a".to_vec();
    for (archive, words) in [
        (
            Tar::default().root().raw(&Raw::new(b'S', b"a")),
            "an old way of GNU tar",
        ),
        (
            Tar::default().root().raw(&Raw::new(b'V', b"a")),
            "its type 'V' is not known",
        ),
        (
            Tar::default().root().with(odd, b"content"),
            "it has content, and is no file",
        ),
        (
            Tar::default().raw(&Raw::new(b'0', b"./")),
            "a directory by its name",
        ),
        (
            Tar::default().raw(&Raw::link(b'2', b"./", b"x")),
            "the root of an archive must be a directory",
        ),
        (
            Tar::default()
                .root()
                .records(b'x', &[("GNU.sparse.map", b"0,1")])
                .file(b"a", b"x"),
            "its holes are written in a way that is not known",
        ),
        (
            Tar::default().root().records(b'g', &[("path", b"a")]),
            "path is set for several entries",
        ),
        (
            Tar::default()
                .root()
                .records(b'x', &[])
                .records(b'x', &[])
                .file(b"a", b""),
            "two extended headers for one entry",
        ),
        (
            Tar::default()
                .root()
                .records(b'x', &[("uid", b"4294967296")]),
            "uid of an extended header",
        ),
    ] {
        let error = refused(archive.end());
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_is_cut_is_told_with_its_place() {
    let whole = Tar::default().root().file(b"a", &[1; 700]).end();
    assert!(read(&whole[..]).is_ok());
    for end in 0..whole.len() {
        let error = read(&whole[..end]).expect_err("it is cut");
        let ReadError::Truncated { at, within } = error else {
            panic!("{end}: {error}")
        };
        assert_eq!(at, end as u64);
        match end {
            0..512 => assert_eq!(within, "after '.', without its trailer"),
            1024..2048 => assert_eq!(within, "within the content of 'a'"),
            2048.. => assert_eq!(within, "after 'a', without its trailer"),
            _ => {}
        }
    }
    let more = [&whole[..], &[0; 5000]].concat();
    assert!(read(&more[..]).is_ok(), "zeros may follow");
    let more = [&more[..], b"x"].concat();
    assert!(refused(more).contains("something follows its end"));
}

#[test]
fn sizes_that_are_lies_take_no_memory() {
    let mut huge = Raw::new(b'x', b"./PaxHeaders/");
    huge.size = b"77777777777".to_vec();
    assert!(refused(Tar::default().root().raw(&huge).end()).contains("longer than 1048576 bytes"));
    huge = Raw {
        size: huge.size,
        ..Raw::new(b'0', b"a")
    };
    let error = refused(Tar::default().root().raw(&huge).end());
    assert!(error.contains("the archive is cut"), "{error}");
    huge.size = vec![0xff; 12];
    assert!(refused(Tar::default().root().raw(&huge).end()).contains("the size of"));
    let size = u64::MAX.to_string();
    let archive = Tar::default()
        .root()
        .records(b'x', &[("size", size.as_bytes())])
        .file(b"a", b"")
        .end();
    assert!(refused(archive).contains("the size of"));
    // A map of a billion pieces.
    let archive = sparse(&[&b"1000000000\n"[..], &[0; 501]].concat(), 10);
    assert!(refused(archive).contains("more than 1048576 pieces"));
}

fn sparse(content: &[u8], size: u64) -> Vec<u8> {
    let size = size.to_string();
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"./holes"),
        ("GNU.sparse.realsize", size.as_bytes()),
    ];
    Tar::default()
        .root()
        .records(b'x', &records)
        .file(b"GNUSparseFile.0/holes", content)
        .end()
}

#[test]
fn maps_of_holes_make_sense_or_are_refused() {
    let with = |map: &str, data: &[u8]| {
        let mut content = map.as_bytes().to_vec();
        content.resize(content.len().next_multiple_of(512), 0);
        content.extend_from_slice(data);
        content
    };
    let good = sparse(&with("3\n10\n2\n20\n3\n30\n0\n", b"abcde"), 30);
    let all = read(&good[..]).unwrap();
    let (entry, content) = &all[1];
    assert_eq!(
        (&entry.path[..], entry.size, &content[..]),
        (&b"holes"[..], 30, &b"abcde"[..])
    );
    let expected = [
        Segment {
            offset: 10,
            length: 2,
        },
        Segment {
            offset: 20,
            length: 3,
        },
    ];
    assert_eq!(entry.segments.as_deref(), Some(&expected[..]));
    for (map, data) in [
        ("2\n20\n3\n10\n2\n", &b"abcde"[..]),
        ("2\n10\n11\n20\n1\n", b"abcdefghijkl"),
        ("1\n28\n5\n", b"abcde"),
        ("1\n10\n5\n", b"abcd"),
        ("1\n10\n5\n", b"abcdef"),
        ("x\n", b""),
        ("1\n-1\n5\n", b"abcde"),
        ("99999999999999999999999999\n", b""),
        ("1\n18446744073709551615\n5\n", b"abcde"),
        ("40\n", b""),
        ("", b""),
    ] {
        refused(sparse(&with(map, data), 30));
    }
}

/// Gives pieces of a size.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1.min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

#[test]
fn any_pieces_are_the_same_archive() {
    let archive = Tar::default()
        .root()
        .records(b'x', &[("path", &[b'p'; 150])])
        .file(b"a", &[1; 1500])
        .file(b"b", b"x")
        .end();
    let expected = read(&archive[..]).unwrap();
    for size in [1, 7, 511, 512, 513, 4096] {
        assert_eq!(
            read(Pieces(&archive, size)).unwrap(),
            expected,
            "in pieces of {size}"
        );
    }
}
