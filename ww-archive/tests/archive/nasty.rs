//! A tree with everything that somebody could lose, and what says that another one is the same. The tests of `ww-ctl`
//! have it, too.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, XattrFlags, lsetxattr, makedev,
    mkdirat, mknodat, openat, utimensat,
};

/// Runs a program that must succeed, and gives what it prints.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}: {said}",
        output.status
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The directory of rsync, getfattr and the others: see `scripts/compare.sh`.
pub(crate) fn compare(program: &str) -> Command {
    let place = PathBuf::from(
        std::env::vars_os()
            .find(|(name, _)| name == "WW_COMPARE")
            .expect("WW_COMPARE must name the directory that scripts/compare.sh prints")
            .1,
    );
    let mut command = Command::new(place.join("bin").join(program));
    command.env("LD_LIBRARY_PATH", place.join("lib"));
    command
}

/// How large the tree is where the size is what is tested: all of it takes minutes.
fn many(few: usize, all: usize) -> usize {
    let soak = std::env::vars_os().any(|(name, _)| name == "WW_SOAK");
    if soak { all } else { few }
}

/// Everything a file system has that somebody could lose.
pub(crate) fn nasty(tree: &Path) {
    fs::set_permissions(tree, PermissionsExt::from_mode(0o1771)).unwrap();
    files(tree);
    attributes(tree);
    special(tree);
    links(tree);
    holes(&tree.join("holes"));
    crowd(&tree.join("crowd"));
    deep(tree, 4000 / 200);
    owners(tree);
    times(tree);
}

fn files(tree: &Path) {
    fs::create_dir_all(tree.join("files/empty-dir")).unwrap();
    for size in [
        0, 1, 511, 512, 513, 1024, 10_240, 262_144, 262_145, 1_000_000,
    ] {
        let content: Vec<u8> = (0..size)
            .map(|at: usize| (at * 7 + at / 251).to_le_bytes()[0])
            .collect();
        fs::write(tree.join(format!("files/{size}")), content).unwrap();
    }
    let odd: [&[u8]; 9] = [
        b"not \xff UTF-8 \xc3",
        b"new\nline",
        b"tab\tand \x1b[31m",
        "gr\u{fc}n \u{1f40b}".as_bytes(),
        b" blank ",
        b"-rf",
        b"back\\slash",
        b"...",
        b"~",
    ];
    for name in odd {
        fs::write(
            tree.join("files").join(std::ffi::OsStr::from_bytes(name)),
            name,
        )
        .unwrap();
    }
    for length in [88, 92, 93, 94, 95, 99, 100, 101, 255] {
        fs::write(tree.join("files").join("l".repeat(length)), "x").unwrap();
        fs::create_dir(tree.join("files/empty-dir").join("d".repeat(length))).unwrap();
    }
    for (name, mode) in [
        ("setuid", 0o4755),
        ("setgid", 0o2711),
        ("sticky", 0o1644),
        ("closed", 0),
    ] {
        let path = tree.join(name);
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let path = tree.join(format!("{name}-dir"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "x").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode | 0o100)).unwrap();
    }
}

fn attributes(tree: &Path) {
    let directory = tree.join("attributes");
    fs::create_dir(&directory).unwrap();
    let set = |path: &Path, name: &str, value: &[u8]| {
        lsetxattr(path, name, value, XattrFlags::empty())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    let file = directory.join("file");
    fs::write(&file, "x").unwrap();
    set(&file, "user.text", b"text");
    set(&file, "user.binary", b"\0\x01\n= %3D\xff\0");
    set(&file, "user.empty", b"");
    set(&file, "user.with=sign%3D", b"a=b\n12 c=d\n");
    set(&file, "trusted.own", b"root's");
    set(&directory, "user.of-a-directory", b"yes");
    let long = directory.join("long");
    fs::write(&long, "x").unwrap();
    set(&long, "user.long", &[b'v'; 3000]);
    symlink("file", directory.join("link")).unwrap();
    set(&directory.join("link"), "trusted.of-a-link", b"\0");
    mknodat(
        CWD,
        directory.join("fifo"),
        FileType::Fifo,
        Mode::from(0o644),
        0,
    )
    .unwrap();
    set(&directory.join("fifo"), "trusted.of-a-fifo", b"\0");

    let program = directory.join("program");
    fs::write(&program, "x").unwrap();
    chown(&program, Some(1), Some(1)).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    run(compare("setcap")
        .arg("cap_net_bind_service,cap_net_raw=ep")
        .arg(&program));

    let acl = directory.join("acl");
    fs::create_dir(&acl).unwrap();
    fs::write(acl.join("file"), "x").unwrap();
    run(compare("setfacl")
        .args(["-m", "u:1234:rwx,g:4321:r-x,m::r-x"])
        .arg(acl.join("file")));
    // What is in a directory must not have what it would have inherited.
    run(compare("setfacl")
        .args(["-m", "u:1234:rwx,d:u:99:rwx,d:g::---,d:m::rwx"])
        .arg(&acl));
    fs::create_dir(acl.join("inherits")).unwrap();
    fs::write(acl.join("inherits/too"), "x").unwrap();
    fs::create_dir(acl.join("does-not")).unwrap();
    run(compare("setfacl").arg("-b").arg(acl.join("does-not")));
}

fn special(tree: &Path) {
    let directory = tree.join("special");
    fs::create_dir(&directory).unwrap();
    for (name, kind, mode, device) in [
        ("fifo", FileType::Fifo, 0o622, 0),
        ("socket", FileType::Socket, 0o755, 0),
        ("null", FileType::CharacterDevice, 0o666, makedev(1, 3)),
        (
            "high",
            FileType::CharacterDevice,
            0o600,
            makedev(4095, 1_048_575),
        ),
        ("disk", FileType::BlockDevice, 0o660, makedev(259, 70_000)),
    ] {
        let path = directory.join(name);
        mknodat(CWD, &path, kind, Mode::RUSR, device).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
    fs::hard_link(directory.join("fifo"), directory.join("fifo-again")).unwrap();
}

fn links(tree: &Path) {
    let directory = tree.join("links");
    fs::create_dir_all(directory.join("a/b")).unwrap();
    fs::create_dir(directory.join("z")).unwrap();
    fs::write(directory.join("a/b/first"), "content").unwrap();
    for name in ["a/second", "third", "z/fourth"] {
        fs::hard_link(directory.join("a/b/first"), directory.join(name)).unwrap();
    }
    fs::hard_link(directory.join("a/b/first"), directory.join("n".repeat(200))).unwrap();
    symlink("a/b/first", directory.join("link")).unwrap();
    fs::hard_link(directory.join("link"), directory.join("z/link-again")).unwrap();
    symlink("/nowhere/at/all", directory.join("dangling")).unwrap();
    symlink("..", directory.join("up")).unwrap();
    symlink("loop", directory.join("loop")).unwrap();
    for length in [99, 100, 101, 4000] {
        symlink("t".repeat(length), directory.join(format!("to-{length}"))).unwrap();
    }
}

fn holes(directory: &Path) {
    fs::create_dir(directory).unwrap();
    let made = |name: &str, size: u64, pieces: &[(u64, usize)]| {
        let file = File::create(directory.join(name)).unwrap();
        file.set_len(size).unwrap();
        for (offset, length) in pieces {
            file.write_all_at(&vec![b'd'; *length], *offset).unwrap();
        }
    };
    made("start", 1 << 20, &[((1 << 20) - 100, 100)]);
    made("middle", 1 << 20, &[(0, 100), ((1 << 20) - 4096, 4096)]);
    made("end", 1 << 20, &[(0, 5000)]);
    made("all", 123_457, &[]);
    made("none", 8192, &[(0, 8192)]);
    made(
        "odd",
        1_000_001,
        &[(65_536, 1), (500_000, 3), (1_000_000, 1)],
    );
    let pieces: Vec<(u64, usize)> = (0..300).map(|at| (at * 16_384, 4096)).collect();
    made("many", 300 * 16_384, &pieces);
    let huge = many(96 << 20, 6 << 30) as u64;
    made("huge", huge, &[(1, 10), (huge / 2, 4096)]);
    let long = directory.join("h".repeat(200));
    fs::create_dir(&long).unwrap();
    fs::rename(directory.join("odd"), long.join("o".repeat(200))).unwrap();
}

fn crowd(directory: &Path) {
    fs::create_dir(directory).unwrap();
    for at in 0..many(9_000, 100_000) {
        let made = mknodat(
            CWD,
            directory.join(at.to_string()),
            FileType::RegularFile,
            Mode::RUSR,
            0,
        );
        made.unwrap();
    }
}

/// A path of some thousand bytes.
pub(crate) fn deep(tree: &Path, levels: usize) {
    let mut at = File::open(tree).unwrap();
    for _ in 0..levels {
        let name = "p".repeat(200);
        mkdirat(&at, &name, Mode::RWXU).unwrap();
        let open = openat(&at, &name, OFlags::DIRECTORY, Mode::empty());
        at = File::from(open.unwrap());
        mknodat(&at, "file", FileType::RegularFile, Mode::RUSR, 0).unwrap();
        mkdirat(&at, "z", Mode::RWXU).unwrap();
    }
}

fn owners(tree: &Path) {
    let directory = tree.join("owners");
    fs::create_dir(&directory).unwrap();
    for id in [1, 2_097_151, 2_097_152, 1 << 31, 4_294_967_294] {
        let path = directory.join(id.to_string());
        fs::write(&path, "x").unwrap();
        chown(&path, Some(id), Some(id - 1)).unwrap();
    }
    symlink("x", directory.join("link")).unwrap();
    std::os::unix::fs::lchown(directory.join("link"), Some(70_000), Some(5)).unwrap();
    chown(&directory, Some(12), Some(34)).unwrap();
}

fn times(tree: &Path) {
    let directory = tree.join("times");
    fs::create_dir(&directory).unwrap();
    symlink("x", directory.join("link")).unwrap();
    fs::create_dir(directory.join("dir")).unwrap();
    fs::write(directory.join("dir/inside"), "x").unwrap();
    for (name, tv_sec, tv_nsec) in [
        ("ns", 1_700_000_000, 123_456_789),
        ("zero", 0, 0),
        ("one", 0, 1),
        ("before", -1, 999_999_999),
        ("long-before", -1_000_000_000, 500),
        ("after-2038", 1 << 32, 7),
        ("far", 15_032_385_535, 999_999_999),
        ("link", 1_000_000_000, 1),
        ("dir", 1_000_000_001, 2),
    ] {
        let path = directory.join(name);
        if !path.is_dir() && !path.is_symlink() {
            fs::write(&path, name).unwrap();
        }
        let time = Timespec { tv_sec, tv_nsec };
        let both = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, &path, &both, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

/// Two trees are the same for rsync, getfattr and getfacl.
pub(crate) fn assert_same(one: &Path, other: &Path, sockets: bool) {
    let options: &[&str] = if sockets {
        &["-AXS"]
    } else {
        &["-AXS", "--exclude", "/special/socket"]
    };
    assert_eq!(
        differences(one, other, options),
        "",
        "{} and {}",
        one.display(),
        other.display()
    );
    for (program, options) in [
        (
            "getfattr",
            &["-R", "-h", "-d", "-m", "-", "-e", "hex", "."][..],
        ),
        ("getfacl", &["-R", "-P", "-n", "-p", "."][..]),
    ] {
        let told = |tree: &Path| blocks(&run(compare(program).args(options).current_dir(tree)));
        let (one, other) = (told(one), told(other));
        for (left, right) in one.iter().zip(&other) {
            assert_eq!(left, right, "{program}");
        }
        assert_eq!(one.len(), other.len(), "{program}");
    }
}

/// What rsync would do to make the second tree as the first, with these options besides.
pub(crate) fn differences(one: &Path, other: &Path, options: &[&str]) -> String {
    let mut rsync = compare("rsync");
    rsync
        .args(["-n", "-aHc", "--delete", "--numeric-ids"])
        .args(["--modify-window=-1", "--itemize-changes"])
        .args(options)
        .arg(one.join(""))
        .arg(other.join(""));
    run(&mut rsync)
}

/// What is told of each file, in one order: directories are not listed in the same.
fn blocks(told: &str) -> Vec<String> {
    let mut blocks: Vec<String> = told.split("\n\n").map(str::to_owned).collect();
    blocks.sort();
    blocks
}

/// Both trees have holes where the other has. How many blocks a file takes is not told exactly before it is written.
pub(crate) fn assert_same_holes(one: &Path, other: &Path) {
    for ((name, one), (same, other)) in allocated(one).into_iter().zip(allocated(other)) {
        assert!(
            name == same && one.abs_diff(other) <= 64,
            "{name}: {one}, {same}: {other}"
        );
    }
}

/// How many blocks of 512 bytes each file with holes takes.
fn allocated(tree: &Path) -> Vec<(String, u64)> {
    use std::os::unix::fs::MetadataExt;
    let mut found: Vec<_> = fs::read_dir(tree.join("holes"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.metadata().unwrap(),
            )
        })
        .filter(|(_, found)| found.is_file())
        .map(|(name, found)| (name, found.blocks()))
        .collect();
    found.sort();
    found
}
