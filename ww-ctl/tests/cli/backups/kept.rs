//! A vault made by hand, from what is written of it: whoever reads one must not need the program that wrote it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use ww_archive::pack::{PackOptions, pack};
use ww_archive::{Entry, Kind, Problem, Watch};

use crate::{Ran, run, tool};

const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Nothing here takes as long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// A directory with a vault in it, and room for what is outside of it.
pub(crate) struct Kept {
    directory: TempDir,
}

impl Kept {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        fs::create_dir(directory.path().join("vault")).expect("a vault");
        fs::create_dir(directory.path().join("outside")).expect("a directory");
        Self { directory }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("vault")
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    pub(crate) fn set(&self, name: &str, id: &str) -> PathBuf {
        self.path().join(name).join(id)
    }

    /// Makes a backup of a file with so many bytes.
    pub(crate) fn make(&self, name: &str, id: &str, bytes: usize) -> PathBuf {
        self.make_as(name, id, bytes, |_| {})
    }

    /// The same with another manifest.
    pub(crate) fn make_as(
        &self,
        name: &str,
        id: &str,
        bytes: usize,
        change: impl FnOnce(&mut Value),
    ) -> PathBuf {
        let tree = TempDir::new().expect("a directory");
        fs::write(tree.path().join("file"), vec![b'x'; bytes]).expect("a file");
        let mut lines = Lines(tree.path().to_owned(), Vec::new(), 0);
        let mut raw = Vec::new();
        let root = File::open(tree.path()).expect("the tree");
        pack(root.as_fd(), &PackOptions::default(), &mut raw, &mut lines).expect("an archive");
        let at = self.set(name, id);
        fs::create_dir_all(&at).expect("its directory");
        let payload = |file: &str, raw: &[u8]| {
            let packed = zstd::encode_all(raw, 3).expect("compressed");
            fs::write(at.join(file), &packed).expect("a payload");
            json!({
                "file": file,
                "bytes": packed.len(),
                "sha256": sha256(&packed),
                "raw_bytes": raw.len(),
            })
        };
        let mut manifest = json!({
            "schema": 1, "id": id, "name": name, "version": "0.1.0",
            "begun": time(id), "ended": time(id),
            "consistency": "svcdown", "outage_ms": 120, "complete": true, "host": "ops1",
            "engine": {"id": "E", "version": "20.10", "endpoint": "unix:///var/run/docker.sock"},
            "containers": [],
            "parts": [{
                "kind": "data", "place": "/data",
                "backing": {"kind": "directory", "source": "/srv/shop"}, "source": "host",
                "payload": payload("data.tar.zst", &raw),
                "files": payload("files.jsonl.zst", &lines.1),
                "counts": {
                    "entries": lines.2, "bytes": bytes, "files": 1, "directories": 1, "symlinks": 0,
                    "hard_links": 0, "fifos": 0, "sockets": 0, "devices": 0,
                },
                "problems": {"counts": {}, "listed": [], "more": 0},
            }],
            "later": "what this version does not know",
        });
        change(&mut manifest);
        write_manifest(&at, manifest);
        at
    }

    /// The tool on this vault.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = tool();
        command.args(["backups"]).args(words);
        command.env("WW_VAULT", self.path());
        command.env("WW_AUDIT_FILE", self.directory.path().join("audit.jsonl"));
        command
    }

    /// Runs it; it must not hang.
    pub(crate) fn ran(&self, words: &[&str]) -> Ran {
        let mut command = self.command(words);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || tell.send(run(&mut command)));
        let ran = told.recv_timeout(DEADLINE);
        ran.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// What is on stdout of one that ends with this code.
    #[track_caller]
    pub(crate) fn ends(&self, words: &[&str], code: i32) -> Ran {
        let ran = self.ran(words);
        assert_eq!(ran.code, Some(code), "{words:?}: {ran:?}");
        ran
    }

    /// The ids of a name.
    pub(crate) fn ids(&self, name: &str) -> Vec<String> {
        let all = fs::read_dir(self.path().join(name)).expect("its backups");
        let names = all.map(|one| one.expect("an entry").file_name());
        let names = names.map(|name| name.into_string().expect("UTF-8"));
        let mut ids: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        ids.sort();
        ids
    }
}

/// Writes a manifest with the digest of its text, in which zeros have the place of the digest.
pub(crate) fn write_manifest(at: &Path, mut manifest: Value) {
    manifest["digest"] = json!(NO_DIGEST);
    let text = manifest.to_string();
    let digest = sha256(text.as_bytes());
    let place = text.rfind(NO_DIGEST).expect("its place");
    let text = format!("{}{digest}{}", &text[..place], &text[place + 64..]);
    fs::write(at.join("manifest.json"), text).expect("a manifest");
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _always = write!(text, "{byte:02x}");
            text
        })
}

/// `2026-11-22T16:15:00Z` of `20261122T161500Z-7f3a`.
fn time(id: &str) -> String {
    let part = |from: usize, to: usize| &id[from..to];
    let day = [part(0, 4), part(4, 6), part(6, 8)].join("-");
    let clock = [part(9, 11), part(11, 13), part(13, 15)].join(":");
    format!("{day}T{clock}Z")
}

/// The list of files, as it is described.
struct Lines(PathBuf, Vec<u8>, u64);

impl Watch for Lines {
    fn entry(&mut self, entry: &Entry) {
        let path = String::from_utf8(entry.path.clone()).expect("UTF-8");
        let mtime = format!("{}.{:09}", entry.mtime.seconds, entry.mtime.nanos);
        let mut line = json!({
            "path": path, "kind": "directory", "mode": format!("{:04o}", entry.mode),
            "uid": entry.uid, "gid": entry.gid, "mtime": mtime,
        });
        if entry.kind == Kind::File {
            let content = fs::read(self.0.join(&path)).expect("a file");
            line["kind"] = json!("file");
            line["size"] = json!(content.len());
            line["sha256"] = json!(sha256(&content));
        }
        self.1.extend_from_slice(format!("{line}\n").as_bytes());
        self.2 += 1;
    }

    fn bytes(&mut self, _: u64) {}

    fn problem(&mut self, problem: Problem) {
        panic!("{problem:?}");
    }

    fn is_over(&self) -> bool {
        false
    }
}
