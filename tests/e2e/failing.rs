//! A disk that fails: what is written to it, or read from it, comes back as an error of the device.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::backup::Vault;
use crate::lab::{Guest, Lab, Ran, run};

/// The device's size while it is whole. One group of blocks, so that files lie in the order in which they were written.
const SIZE: u64 = 120 << 20;

/// So many blocks at the beginning are kept for what is made after the device has failed.
const KEPT: usize = 64;

/// A file system on a loop device.
struct Disk {
    place: PathBuf,
    image: PathBuf,
    device: String,
}

impl Disk {
    fn new(lab: &Lab) -> Self {
        let image = lab.directory("disk").join("image");
        let place = lab.directory("mounted");
        let file = fs::File::create(&image).expect("a file");
        file.set_len(SIZE).expect("its size");
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-b", "4096", "-m", "0", "-N", "1024"])
            .args(["-O", "^has_journal,^resize_inode"])
            .args(["-E", "lazy_itable_init=0"])
            .arg(&image))
        .expect(0);
        let made = run(Command::new("losetup").args(["-f", "--show"]).arg(&image)).expect(0);
        let disk = Self {
            place,
            image,
            device: made.stdout.trim().to_owned(),
        };
        run(Command::new("mount").arg(&disk.device).arg(&disk.place)).expect(0);
        // A directory is a block.
        for number in 0..KEPT {
            fs::create_dir(disk.low(number)).expect("a directory");
        }
        disk.syncs();
        disk
    }

    /// One of them, where nobody looks.
    fn low(&self, number: usize) -> PathBuf {
        self.place.join(format!("lost+found/{number}"))
    }

    fn syncs(&self) {
        run(Command::new("sync").arg("-f").arg(&self.place)).expect(0);
    }

    /// From here on there is nothing any more: the kernel says so to whoever writes or reads there. What
    /// needs one block more finds it before the end: beyond, the kernel has no buffer for it
    /// and speaks of memory, and not of the device.
    fn ends_at(&self, bytes: u64) {
        // Every other one: a single free block is what a single block is taken from.
        for number in (0..KEPT).step_by(2) {
            fs::remove_dir(self.low(number)).expect("a block again");
        }
        self.syncs();
        let image = OpenOptions::new().write(true).open(&self.image);
        image.expect("the image").set_len(bytes).expect("its size");
        run(Command::new("losetup").args(["-c", &self.device])).expect(0);
    }

    /// Nothing of a file is in memory any more.
    fn forgets(&self, file: &Path) {
        self.syncs();
        let input = format!("if={}", file.display());
        run(Command::new("dd").args([&input, "iflag=nocache", "count=0"])).expect(0);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.place));
        run(Command::new("losetup").args(["-d", &self.device]));
    }
}

/// So many megabytes that cannot be compressed.
fn noise(path: &Path, megabytes: u64) {
    let source = fs::File::open("/dev/urandom").expect("random bytes");
    let mut file = fs::File::create(path).expect("a file");
    std::io::copy(&mut source.take(megabytes << 20), &mut file).expect("what fits");
    file.sync_all().expect("a whole disk");
}

fn app(lab: &Lab, data: &Path) -> Guest {
    let tree = lab.tree("app");
    tree.all_scripts();
    let mount = format!("{}:/data", data.display());
    let mut guest = lab.start_bare("app", &lab.image(&tree), &["-v", &mount], &[]);
    data.clone_into(&mut guest.data);
    guest.reaches("UP");
    guest
}

fn backups(vault: &Vault, words: &[&str]) -> Ran {
    let mut command = vault.other(&["backups"]);
    run(command.args(words))
}

#[test]
fn a_vault_that_fails_loses_what_is_on_it_and_nothing_else() {
    let lab = Lab::new("failing");
    let disk = Disk::new(&lab);
    let vault = Vault::at(&lab, disk.place.join("vault"));
    let guest = app(&lab, &lab.directory("data"));
    let name = guest.name.as_str();
    noise(&guest.data.join("value"), 1);
    vault.backup(&[name]).expect(0);
    noise(&guest.data.join("value"), 50);
    vault.backup(&[name]).expect(0);
    let sets = vault.sets(name);
    let (good, bad) = (&sets[0], &sets[1]);
    disk.forgets(&bad.join("data.tar.zst"));
    disk.ends_at(20 << 20);

    // It cannot be written to.
    let log = guest.log();
    vault
        .backup(&[name])
        .expect(1)
        .says(&["Input/output error"]);
    guest.reaches("UP");
    assert_eq!(guest.log().len(), log.len() + 4, "down and up again");
    assert_eq!(&vault.sets(name), &sets);
    vault.is_tidy(name);

    // What is beyond the end is told, and hides nothing of what is not.
    let ran = backups(&vault, &["verify", "--all", "--full"]).expect(9);
    let words = |set: &Path| {
        let id = set.file_name().expect("a name").to_string_lossy();
        let found = ran.stdout.lines().find(|line| line.contains(&*id));
        found.unwrap_or_default().to_owned()
    };
    assert!(words(good).contains("is what it was"), "{}", ran.stdout);
    assert!(words(bad).contains("Input/output error"), "{}", ran.stdout);

    // Nothing of it is put in the place of what there is.
    let before = fs::metadata(guest.data.join("value")).expect("a file");
    let log = guest.log();
    let id = bad.file_name().expect("a name").to_string_lossy();
    let mut restore = vault.other(&["restore", &id, name, "--yes"]);
    run(&mut restore).expect(9).says(&["Input/output error"]);
    let after = fs::metadata(guest.data.join("value")).expect("a file");
    assert_eq!(before.modified().ok(), after.modified().ok());
    assert_eq!(guest.log(), log, "the services have not noticed");
}

#[test]
fn data_on_a_disk_that_fails_are_not_exchanged_for_what_could_not_be_written() {
    let lab = Lab::new("failing");
    let disk = Disk::new(&lab);
    let data = disk.place.join("data");
    fs::create_dir(&data).expect("a directory");
    let guest = app(&lab, &data);
    let name = guest.name.as_str();
    let vault = Vault::new(&lab);
    noise(&data.join("value"), 60);
    vault.backup(&[name]).expect(0);
    noise(&data.join("value"), 1);
    // Wherever it lies, it is in memory from here on.
    let value = fs::read(data.join("value")).expect("a file");
    disk.ends_at(45 << 20);

    let log = guest.log();
    let mut restore = vault.other(&["restore", name, name, "--yes"]);
    run(&mut restore).expect(1).says(&["Input/output error"]);
    assert_eq!(guest.log(), log, "the services have not noticed");
    assert!(fs::read(data.join("value")).expect("a file") == value);
    let all = fs::read_dir(&disk.place).expect("a directory");
    let names = all.map(|one| one.expect("an entry").file_name());
    let mut names: Vec<_> = names.filter(|name| name != "lost+found").collect();
    names.sort();
    assert_eq!(names, ["data"]);

    // Nor is a part of it left where it was only to be looked at.
    let place = disk.place.join("look");
    let mut look = vault.other(&["restore", name, "--into-dir"]);
    run(look.arg(&place))
        .expect(1)
        .says(&["Input/output error"]);
    let left = fs::read_dir(&place).expect("a directory").count();
    assert_eq!(left, 0);
}
