//! Each way on the real Engine: what it keeps, what is told of files that change, and that a part is
//! never taken for the whole.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use whaleware::env;
use ww_archive::read::{Limits, Reader};
use ww_archive::unpack::{UnpackOptions, unpack};
use ww_archive::{Entry, Problem, Watch};

use super::{Gauge, ReadReport, Source, SourceError, Weight, agent, below, best, engine, host};
use crate::clock::Clock;
use crate::engine::{Engine, Inspected, Placed, Wanted, resolve};

#[path = "../../../../ww-archive/tests/archive/nasty.rs"]
mod nasty;

use nasty::{assert_same, assert_same_holes, compare, differences, run};

/// A directory of the host, an image with the agent, and containers that have the directory: all is gone
/// at the end.
struct Lab {
    directory: tempfile::TempDir,
    tag: String,
    engine: Engine,
    made: Vec<String>,
}

fn docker(arguments: &[&str]) -> String {
    run(Command::new("docker").args(arguments))
}

impl Lab {
    async fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tag = format!("ww-source-{name}-{}", std::process::id());
        let variable = |name: &str| crate::environment::variable(name);
        let wanted = Wanted {
            hosts: &[],
            contexts: &[],
            config: None,
            variable: &variable,
        };
        let target = resolve(&wanted).unwrap().remove(0);
        let engine = Engine::connect(&target, Clock::start()).await.unwrap();
        let lab = Self {
            directory,
            tag,
            engine,
            made: Vec::new(),
        };
        lab.image();
        lab
    }

    /// An image with nothing but the agent.
    fn image(&self) {
        let agent = crate::environment::variable(env::WW_AGENT_BINARY)
            .expect("WW_AGENT_BINARY must name the agent that make builds");
        let root = self.directory.path().join("image");
        fs::create_dir_all(root.join("ww/bin")).unwrap();
        for name in ["ww/run", "ww/bin/ww-agent"] {
            fs::copy(&agent, root.join(name)).unwrap();
        }
        let file = self.directory.path().join("image.tar");
        let mut tar = Command::new("tar");
        run(tar.arg("-C").arg(&root).arg("-cf").arg(&file).arg("."));
        let file = file.to_str().unwrap();
        docker(&[
            "import",
            "-c",
            "LABEL io.whaleware.agent=1",
            "-c",
            "CMD [\"/ww/run\"]",
            file,
            &self.tag,
        ]);
    }

    fn data(&self) -> PathBuf {
        let data = self.directory.path().join("data");
        if !data.exists() {
            fs::create_dir(&data).unwrap();
        }
        data
    }

    fn fresh(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// One that is never started, with the directory at `/data`.
    async fn keeper(&mut self, options: &[&str]) -> Inspected {
        let mount = format!("{}:/data", self.data().display());
        let words = [&["create", "-v", &mount][..], options, &[&self.tag]].concat();
        let id = docker(&words).trim().to_owned();
        self.made.push(id.clone());
        self.engine.inspected(&id).await.unwrap().unwrap()
    }

    /// One that runs, with the directory elsewhere, and the agent.
    async fn runner(&mut self) -> Inspected {
        let mount = format!("{}:/srv/tree", self.data().display());
        let id = docker(&["run", "-d", "-v", &mount, &self.tag]);
        let id = id.trim().to_owned();
        self.made.push(id.clone());
        self.engine.inspected(&id).await.unwrap().unwrap()
    }

    async fn ways(&self, keeper: &Inspected, runner: &Inspected) -> [Source; 3] {
        let members = [runner.clone(), keeper.clone()];
        let data = placed(keeper);
        let host = host::find(&self.engine, &members, &data).await;
        let agent = agent::find(&self.engine, &members, &data).await;
        let engine = engine::find(&self.engine, &members, &data).await;
        let engine = engine.unwrap().unwrap();
        // The Engine lets nobody do anything with a container while its archive is read.
        assert_eq!(engine.id, keeper.id(), "through one that does not run");
        [
            Source::Host(host.unwrap().unwrap()),
            Source::Agent(agent.unwrap().unwrap()),
            Source::Engine(engine),
        ]
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for id in &self.made {
            let _gone = Command::new("docker").args(["rm", "-fv", id]).output();
        }
        let _gone = Command::new("docker")
            .args(["rmi", "-f", &self.tag])
            .output();
    }
}

fn placed(keeper: &Inspected) -> Placed {
    let mut placed = keeper.placed();
    placed.retain(|one| one.place == "/data");
    placed.remove(0)
}

async fn read(source: &Source, exclude: &[&str]) -> (ReadReport, File) {
    let exclude: Vec<String> = exclude.iter().map(|&one| one.to_owned()).collect();
    let mut spool = tempfile::tempfile().unwrap();
    let into = spool.try_clone().unwrap();
    let gauge = Gauge::new();
    let report = source.read(&exclude, into, gauge.clone()).await.unwrap();
    assert_eq!(report.written, spool.metadata().unwrap().len());
    assert_eq!(
        (gauge.entries(), gauge.bytes()),
        (report.entries, report.bytes)
    );
    spool.seek(SeekFrom::Start(0)).unwrap();
    (report, spool)
}

fn entries(archive: impl Read) -> Vec<Entry> {
    let mut reader = Reader::new(archive, Limits::default());
    let mut entries = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        entries.push(entry);
    }
    reader.finish().unwrap();
    entries
}

fn names(archive: impl Read) -> Vec<String> {
    let text = |entry: Entry| String::from_utf8_lossy(&entry.path).into_owned();
    let mut names: Vec<String> = entries(archive).into_iter().map(text).collect();
    names.sort();
    names
}

fn told(report: &ReadReport) -> Vec<String> {
    let listed = report.problems.listed.iter();
    let mut told: Vec<String> = listed
        .map(|noted| format!("{} {}", noted.kind, noted.path))
        .collect();
    told.sort();
    told
}

struct Silent;

impl Watch for Silent {
    fn entry(&mut self, _entry: &Entry) {}
    fn bytes(&mut self, _count: u64) {}
    fn problem(&mut self, problem: Problem) {
        panic!("{problem:?}");
    }
    fn is_over(&self) -> bool {
        false
    }
}

fn unpacked(archive: File, into: &Path) {
    let options = UnpackOptions {
        devices: true,
        only: None,
        owners: true,
    };
    let target = File::open(into).unwrap();
    let reader = Reader::new(archive, Limits::default());
    unpack(reader, target.as_fd(), &options, &mut Silent).unwrap();
}

#[tokio::test]
async fn what_each_way_can_keep_it_keeps() {
    let mut lab = Lab::new("keeps").await;
    let data = lab.data();
    nasty::nasty(&data);
    let (keeper, runner) = (lab.keeper(&[]).await, lab.runner().await);
    let [host, agent, engine] = lab.ways(&keeper, &runner).await;

    let (report, archive) = read(&host, &[]).await;
    assert_eq!(told(&report), [""; 0]);
    let measured = host.measure(&[]).await.unwrap().unwrap();
    assert_eq!(measured.entries, report.entries);
    let by_host = lab.fresh("by-host");
    unpacked(archive, &by_host);
    assert_same(&data, &by_host, true);
    assert_same_holes(&data, &by_host);

    let (report, archive) = read(&agent, &[]).await;
    assert_eq!(told(&report), [""; 0]);
    let again = agent.measure(&[]).await.unwrap().unwrap();
    assert_eq!(again.entries, measured.entries);
    let by_agent = lab.fresh("by-agent");
    unpacked(archive, &by_agent);
    assert_same_holes(&data, &by_agent);
    for (name, attribute) in [
        ("file", "own"),
        ("link", "of-a-link"),
        ("fifo", "of-a-fifo"),
    ] {
        let path = data.join("attributes").join(name);
        let attribute = format!("trusted.{attribute}");
        run(compare("setfattr").args(["-h", "-x", &attribute]).arg(path));
    }
    assert_same(&data, &by_agent, true);

    // Longer paths than the kernel takes are no paths for the Engine.
    fs::remove_dir_all(data.join("p".repeat(200))).unwrap();
    fs::remove_file(data.join("special/socket")).unwrap();
    let (report, archive) = read(&engine, &[]).await;
    assert_eq!(told(&report), [""; 0]);
    let by_engine = lab.fresh("by-engine");
    unpacked(archive, &by_engine);
    let whole_seconds = "--modify-window=1";
    assert_eq!(differences(&data, &by_engine, &[whole_seconds]), "");
    let caps = |tree: &Path| {
        let mut getcap = compare("getcap");
        run(getcap.arg("attributes/program").current_dir(tree))
    };
    assert_eq!(caps(&by_engine), caps(&data));
    assert!(!engine.loses().is_empty());
}

#[tokio::test]
async fn what_is_not_wanted_or_mounted_below_is_left_out_and_told() {
    let mut lab = Lab::new("below").await;
    let data = lab.data();
    for directory in ["cache", "db", "memory", "own"] {
        fs::create_dir(data.join(directory)).unwrap();
        fs::write(data.join(directory).join("inside"), "x").unwrap();
    }
    fs::hard_link(data.join("cache/inside"), data.join("own/again")).unwrap();
    let other = lab.fresh("other");
    fs::write(other.join("row"), "x").unwrap();
    let mount = format!("{}:/data/db", other.display());
    let options = ["-v", &mount, "--tmpfs", "/data/memory"];
    let (keeper, runner) = (lab.keeper(&options).await, lab.runner().await);
    let found = below(std::slice::from_ref(&keeper), "/data");
    assert_eq!(found.mounts.len(), 1);
    assert_eq!(found.mounts[0].place, "/data/db");
    assert_eq!(found.memory, ["/data/memory"]);

    let [host, agent, engine] = lab.ways(&keeper, &runner).await;
    // On the host, and in a container that has not the rest mounted, there are other files below.
    for source in [&host, &agent] {
        let (report, archive) = read(source, &["cache/**"]).await;
        assert_eq!(told(&report), ["excluded cache/inside"]);
        let names = names(archive);
        assert!(names.contains(&"own/again".to_owned()));
        assert!(names.contains(&"db/inside".to_owned()));
    }
    let (report, archive) = read(&engine, &["cache/**"]).await;
    let all = names(archive);
    assert_eq!(
        told(&report),
        [
            "excluded cache/inside",
            "missing own/again",
            "mount-point db"
        ]
    );
    // What a container that does not run has in memory is what lies below it.
    let expected = [
        "",
        "cache",
        "db",
        "memory",
        "memory/inside",
        "own",
        "own/inside",
    ];
    assert_eq!(all, expected);
    assert!(report.problems.is_incomplete());
    assert_eq!(report.problems.count(Weight::LeftOut), 2);
}

#[tokio::test]
async fn the_best_way_is_taken_and_where_there_is_none_it_is_said_why() {
    let mut lab = Lab::new("best").await;
    fs::write(lab.data().join("x"), "x").unwrap();
    let (keeper, runner) = (lab.keeper(&[]).await, lab.runner().await);
    let data = placed(&keeper);
    let members = [keeper.clone(), runner];
    let found = best(&lab.engine, &members, &data).await.unwrap();
    assert_eq!(found.name(), "host");
    // What the path leads to now is not what the containers have.
    let path = lab.data();
    fs::rename(&path, path.with_extension("away")).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("secret"), "x").unwrap();
    let found = best(&lab.engine, &members, &data).await.unwrap();
    assert_eq!(found.name(), "agent");
    let (_, archive) = read(&found, &[]).await;
    assert_eq!(names(archive), ["", "x"]);
    fs::remove_dir_all(&path).unwrap();
    symlink("/etc", &path).unwrap();
    let found = best(&lab.engine, &members, &data).await.unwrap();
    assert_eq!(found.name(), "agent");
    let none = best(&lab.engine, &[], &data).await;
    let Err(SourceError::NoWay { reason, .. }) = none else {
        panic!("a way without a container");
    };
    assert!(reason.contains("not by an agent"), "{reason}");
}

/// Files in one directory, the first of which in the order they are read is large.
fn files(data: &Path, count: usize, large: u64) -> (PathBuf, Vec<PathBuf>) {
    let mut all: Vec<PathBuf> = (0..count).map(|at| data.join(at.to_string())).collect();
    for path in &all {
        fs::write(path, "content").unwrap();
    }
    all.sort_by_key(|path| fs::metadata(path).unwrap().ino());
    let first = all.remove(0);
    let file = OpenOptions::new().write(true).open(&first).unwrap();
    for at in 0..large >> 20 {
        file.write_all_at(&vec![7; 1 << 20], at << 20).unwrap();
    }
    (first, all)
}

/// Reads into a pipe nobody takes from until something was done: then all but the beginning of the
/// first file is still to be read.
async fn meanwhile(
    source: &Source,
    change: impl FnOnce(),
) -> (Result<ReadReport, SourceError>, Vec<u8>) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let into = File::from(std::os::fd::OwnedFd::from(writer));
    let reading = source.read(&[], into, Gauge::new());
    let taking = async {
        let begun = tokio::task::spawn_blocking(move || {
            let mut head = vec![0; 4096];
            reader.read_exact(&mut head).unwrap();
            (reader, head)
        });
        let (mut reader, mut all) = begun.await.unwrap();
        change();
        let rest = tokio::task::spawn_blocking(move || {
            reader.read_to_end(&mut all).unwrap();
            all
        });
        rest.await.unwrap()
    };
    tokio::join!(reading, taking)
}

#[tokio::test]
async fn what_changes_while_it_is_read_is_told_and_ends_nothing() {
    const LARGE: u64 = 48 << 20;
    let mut lab = Lab::new("changes").await;
    let (keeper, runner) = (lab.keeper(&[]).await, lab.runner().await);
    let [host, agent, _] = lab.ways(&keeper, &runner).await;
    for source in [&host, &agent] {
        let data = lab.data();
        let (first, others) = files(&data, 6, LARGE);
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let (report, archive) = meanwhile(source, || {
            File::options()
                .write(true)
                .open(&first)
                .unwrap()
                .set_len(LARGE / 2)
                .unwrap();
            fs::remove_file(&others[0]).unwrap();
            fs::remove_file(&others[1]).unwrap();
            symlink("/etc/passwd", &others[1]).unwrap();
            fs::remove_file(&others[2]).unwrap();
            fs::create_dir(&others[2]).unwrap();
        })
        .await;
        let report = report.unwrap();
        let mut expected = [
            format!("shrank {}", name(&first)),
            format!("vanished {}", name(&others[0])),
            format!("replaced {}", name(&others[1])),
            format!("replaced {}", name(&others[2])),
        ];
        expected.sort();
        assert_eq!(told(&report), expected, "{}", source.name());
        assert_eq!(report.problems.count(Weight::Changed), 2);
        assert_eq!(report.problems.count(Weight::Lost), 2);
        let mut expected = vec![String::new(), name(&first)];
        expected.extend(others[3..].iter().map(|path| name(path)));
        expected.sort();
        assert_eq!(names(&archive[..]), expected);
        for path in others.iter().chain([&first]) {
            let _gone = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }

        let (first, others) = files(&data, 2, LARGE);
        let (report, archive) = meanwhile(source, || {
            let mut file = OpenOptions::new().append(true).open(&first).unwrap();
            file.write_all(b"more").unwrap();
        })
        .await;
        assert_eq!(told(&report.unwrap()), [format!("grew {}", name(&first))]);
        let large = entries(&archive[..]).into_iter().find(|one| one.size > 7);
        assert_eq!(large.unwrap().size, LARGE);
        for path in others.iter().chain([&first]) {
            fs::remove_file(path).unwrap();
        }
    }
}

#[tokio::test]
async fn an_agent_that_dies_leaves_no_archive() {
    let mut lab = Lab::new("dies").await;
    let (keeper, runner) = (lab.keeper(&[]).await, lab.runner().await);
    files(&lab.data(), 2, 48 << 20);
    let [_, agent, _] = lab.ways(&keeper, &runner).await;
    let (report, _) = meanwhile(&agent, || {
        docker(&["kill", runner.id()]);
    })
    .await;
    assert!(matches!(report, Err(SourceError::Cut(_))), "{report:?}");
    let members = [keeper.clone(), runner.clone()];
    let gone = agent.measure(&[]).await;
    assert!(gone.is_err());
    // And no archive is found there any more.
    let dead = lab.engine.inspected(runner.id()).await.unwrap().unwrap();
    let found = agent::find(&lab.engine, &[dead], &placed(&members[0])).await;
    assert!(found.unwrap().is_err());
}

#[tokio::test]
async fn a_reading_that_is_stopped_leaves_nothing_running() {
    let mut lab = Lab::new("stopped").await;
    let (keeper, runner) = (lab.keeper(&[]).await, lab.runner().await);
    files(&lab.data(), 2, 48 << 20);
    let [_, agent, _] = lab.ways(&keeper, &runner).await;
    let (mut reader, writer) = std::io::pipe().unwrap();
    let into = File::from(std::os::fd::OwnedFd::from(writer));
    let gauge = Gauge::new();
    let reading = agent.read(&[], into, gauge.clone());
    let stopping = async {
        // Nobody takes more than this, so that everything waits.
        let begun = tokio::task::spawn_blocking(move || {
            reader.read_exact(&mut [0; 512]).unwrap();
            reader
        });
        let reader = begun.await.unwrap();
        assert!(docker(&["top", runner.id()]).contains("ww-agent backup"));
        gauge.stop();
        reader
    };
    let (read, _reader) = tokio::join!(reading, stopping);
    assert!(matches!(read, Err(SourceError::Stopped)), "{read:?}");
    let is_gone = async {
        while docker(&["top", runner.id()]).contains("ww-agent backup") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(30), is_gone).await;
    gone.expect("the program in the container to end");
}

#[tokio::test]
async fn an_engines_archive_without_an_end_is_read_again() {
    const LARGE: u64 = 256 << 20;
    let mut lab = Lab::new("shrinks").await;
    let (keeper, runner) = (lab.keeper(&[]).await, lab.runner().await);
    let [host, _, engine] = lab.ways(&keeper, &runner).await;
    let data = lab.data();
    // The Engine goes by names.
    let large = File::create(data.join("a")).unwrap();
    large.set_len(LARGE).unwrap();
    for at in 0..50 {
        fs::write(data.join(format!("b{at}")), "x").unwrap();
    }
    let spool = tempfile::tempfile().unwrap();
    let gauge = Gauge::new();
    let reading = engine.read(&[], spool.try_clone().unwrap(), gauge.clone());
    let shrinking = async {
        while gauge.bytes() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        large.set_len(1 << 20).unwrap();
    };
    let (report, ()) = tokio::join!(reading, shrinking);
    let report = report.unwrap();
    assert_eq!((report.entries, report.bytes), (52, (1 << 20) + 50));
    assert_eq!(spool.metadata().unwrap().len(), report.written);

    // Stopped, none of them goes on.
    large.set_len(LARGE).unwrap();
    for source in [&host, &engine] {
        let gauge: Arc<Gauge> = Gauge::new();
        gauge.stop();
        let into = tempfile::tempfile().unwrap();
        let read = source.read(&[], into, gauge).await;
        assert!(matches!(read, Err(SourceError::Stopped)));
    }
}
