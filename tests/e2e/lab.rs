//! A laboratory on the Engine: a base image, images of trees, containers, and their removal.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::tree::Tree;

/// Everything made here has this label, with the run's name as its value.
const LABEL: &str = "io.whaleware.test";

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The base image all tests share: busybox and bash, statically linked, from nothing.
struct Base {
    tag: String,
}

static BASE: Mutex<Weak<Base>> = Mutex::new(Weak::new());
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A finished command, its output as text.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    shown: String,
}

impl Ran {
    /// The exit code; 128+n for a signal.
    pub(crate) fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status
            .code()
            .or_else(|| self.status.signal().map(|signal| 128 + signal))
            .expect("an exit code")
    }

    /// Fails the test unless the command ended with this exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            code,
            "{}\nstdout: {}\nstderr: {}",
            self.shown,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails the test unless stderr has all of these.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{} does not say {word:?}\nstdout: {}\nstderr: {}",
                self.shown,
                self.stdout,
                self.stderr
            );
        }
        self
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let shown = format!("{command:?}");
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
    Ran {
        status,
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        shown,
    }
}

/// Docker's own tool, to look at things from another side.
pub(crate) fn docker<const N: usize>(arguments: [&str; N]) -> Ran {
    run(Command::new("docker").args(arguments))
}

/// The operator's tool under test.
pub(crate) fn ww_ctl_command() -> Command {
    let mut command = Command::new(ww_ctl_path());
    command.env_remove("NO_COLOR");
    command.env("WW_AUDIT_FILE", audit_file());
    // What it remembers is no business of whoever runs the tests.
    command.env("XDG_STATE_HOME", target().join("state"));
    command
}

/// The operator's tool under test, run to its end.
pub(crate) fn ww_ctl<const N: usize>(arguments: [&str; N]) -> Ran {
    run(ww_ctl_command().args(arguments))
}

/// Where cargo has put what it built for this run.
fn target() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test");
    own.ancestors().nth(2).expect("target/PROFILE").to_owned()
}

/// The journal of what the tests do, which is not the tester's own.
pub(crate) fn audit_file() -> PathBuf {
    target().join("e2e-audit.jsonl")
}

pub(crate) fn ww_ctl_path() -> PathBuf {
    let path = target().join("ww-ctl");
    assert!(
        path.exists(),
        "{} is not built: run `make test`",
        path.display()
    );
    path
}

/// Something of the tests that is found by a variable.
pub(crate) fn part(variable: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' own seam to their environment"
    )]
    let path = std::env::var_os(variable);
    let path = path.unwrap_or_else(|| panic!("{variable} is not set: run `make test`"));
    PathBuf::from(path)
}

/// A statically linked busybox.
pub(crate) fn busybox_path() -> PathBuf {
    part("WW_BUSYBOX")
}

/// The balancer.
pub(crate) fn haproxy_path() -> PathBuf {
    part("WW_HAPROXY")
}

/// The agent as it is shipped.
pub(crate) fn agent_path() -> PathBuf {
    part("WW_AGENT_BINARY")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' own seam to the clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Whether there is time for what takes long.
pub(crate) fn is_soak() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' own seam to their environment"
    )]
    let soak = std::env::var_os("WW_SOAK");
    soak.is_some()
}

/// Looks again and again until there is something to see. Fails the test after [`PATIENCE`].
#[track_caller]
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_or(|| what.to_owned(), look)
}

/// The same, where what there is to say is known only when it was in vain.
#[track_caller]
pub(crate) fn until_or<T>(what: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "waited {PATIENCE:?} in vain for {}",
            what()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Base {
    fn shared() -> Arc<Self> {
        let mut slot = BASE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(base) = slot.upgrade() {
            return base;
        }
        let base = Arc::new(Self::build());
        *slot = Arc::downgrade(&base);
        base
    }

    fn build() -> Self {
        // Each with a name of its own: the one before may be on its way out.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{}-{number}-base", run_name());
        let root = TempDir::new().expect("a directory");
        let tree = Tree::at(root.path());
        let copy = |from: &Path, to: &str| {
            let to = root.path().join(to);
            std::fs::create_dir_all(to.parent().expect("a parent")).expect("a directory");
            std::fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        };
        copy(&part("WW_BUSYBOX"), "bin/busybox");
        copy(&part("WW_BASH"), "bin/bash");
        let list = run(Command::new(root.path().join("bin/busybox")).arg("--list")).expect(0);
        for applet in list.stdout.lines().filter(|applet| *applet != "bash") {
            tree.link(&format!("bin/{applet}"), "busybox");
        }
        tree.file(
            "etc/passwd",
            0o644,
            "root:x:0:0:root:/:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n",
        );
        tree.file("etc/group", 0o644, "root:x:0:\nguest:x:1000:\n");
        tree.file("tmp/.keep", 0o644, "");
        let packed = TempDir::new().expect("a directory");
        let archive = packed.path().join("base.tar");
        run(Command::new("tar")
            .arg("-C")
            .arg(root.path())
            .arg("-cf")
            .arg(&archive)
            .arg("."))
        .expect(0);
        let label = format!("LABEL {LABEL}={}", run_name());
        run(Command::new("docker")
            .args(["import", "--change", "ENV PATH=/bin", "--change", &label])
            .arg(&archive)
            .arg(&tag))
        .expect(0);
        Self { tag }
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        docker(["rmi", "-f", &self.tag]);
    }
}

/// Names this run of the tests; nobody else uses it.
pub(crate) fn run_name() -> String {
    format!("wwtest-{}", std::process::id())
}

/// One test's part of the Engine.
pub(crate) struct Lab {
    base: Arc<Base>,
    name: String,
    images: Mutex<Vec<String>>,
    scratch: TempDir,
}

impl Lab {
    /// A laboratory with a name of its own.
    pub(crate) fn new(story: &str) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            base: Base::shared(),
            name: format!("{}-{number}-{story}", run_name()),
            images: Mutex::default(),
            scratch: TempDir::new().expect("a directory"),
        }
    }

    /// A name nobody else uses.
    pub(crate) fn named(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    /// What marks a container of this laboratory, which goes with it: `NAME=VALUE`.
    pub(crate) fn label(&self) -> String {
        format!("{LABEL}={}", self.name)
    }

    /// The base image: busybox, bash, no agent.
    pub(crate) fn base(&self) -> &str {
        &self.base.tag
    }

    /// A directory of this laboratory on the host.
    pub(crate) fn directory(&self, what: &str) -> PathBuf {
        let path = self.scratch.path().join(what);
        std::fs::create_dir_all(&path).expect("a directory");
        path
    }

    /// An empty tree to be filled.
    pub(crate) fn tree(&self, what: &str) -> Tree {
        Tree::at(&self.directory(&format!("tree-{what}")))
    }

    /// A name for an image that a test makes itself. It goes after the laboratory's containers.
    pub(crate) fn tag(&self) -> String {
        let mut images = self.images.lock().expect("no panic while held");
        let tag = format!("{}:{}", self.name, images.len());
        images.push(tag.clone());
        tag
    }

    /// An image of a tree on the base, made by `ww-ctl image build`.
    pub(crate) fn image(&self, tree: &Tree) -> String {
        let tag = self.tag();
        let directory = tree.path().to_str().expect("UTF-8");
        ww_ctl([
            "image",
            "build",
            "--base",
            self.base(),
            "--tree",
            directory,
            "-t",
            &tag,
        ])
        .expect(0);
        tag
    }

    /// Starts a container. The words are Docker's own, before the image and after it.
    pub(crate) fn start(
        &self,
        what: &str,
        image: &str,
        options: &[&str],
        command: &[&str],
    ) -> Guest {
        let name = self.named(what);
        let data = self.directory(&format!("data-{what}"));
        let mount = format!("{}:/data", data.display());
        self.start_bare(what, image, &[&["-v", &mount], options].concat(), command);
        Guest { name, data }
    }

    /// Starts a container that has no `/data` but what the options give it.
    pub(crate) fn start_bare(
        &self,
        what: &str,
        image: &str,
        options: &[&str],
        command: &[&str],
    ) -> Guest {
        let name = self.named(what);
        let data = self.directory(&format!("data-{what}"));
        let label = self.label();
        let started = run(Command::new("docker")
            .args(["run", "-d", "--name", &name, "--label", &label])
            .args(options)
            .arg(image)
            .args(command));
        started.expect(0);
        Guest { name, data }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let label = format!("label={}", self.label());
        let list = docker(["ps", "-aq", "--filter", &label]);
        // All at once: Docker's own tool does it side by side.
        let ids: Vec<&str> = list.stdout.lines().collect();
        if !ids.is_empty() {
            run(Command::new("docker").args(["rm", "-fv"]).args(ids));
        }
        let list = docker(["volume", "ls", "-q", "--filter", &label]);
        for volume in list.stdout.lines() {
            docker(["volume", "rm", "-f", volume]);
        }
        for image in self.images.lock().iter().flat_map(|images| images.iter()) {
            docker(["rmi", "-f", image]);
        }
    }
}

/// A container of a test.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    /// Its name.
    pub(crate) name: String,
    /// Its `/data` on the host.
    pub(crate) data: PathBuf,
}

impl Guest {
    /// What its scripts wrote to `/data/log`, a word a line.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.data.join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until its scripts have written this line for the `count`th time.
    #[track_caller]
    pub(crate) fn wrote(&self, line: &str, count: usize) {
        until(
            &format!("{line:?} in the log of {}: {:?}", self.name, self.log()),
            || {
                let seen = self.log().iter().filter(|seen| *seen == line).count();
                (seen >= count).then_some(())
            },
        );
    }

    /// Waits for a state through `ww-ctl wait`.
    #[track_caller]
    pub(crate) fn reaches(&self, state: &str) {
        ww_ctl(["wait", &self.name, "--for", state, "--timeout", "60s"]).expect(0);
    }

    /// A value of `docker inspect`.
    pub(crate) fn inspect(&self, template: &str) -> String {
        let shown = docker(["inspect", "-f", template, &self.name]).expect(0);
        shown.stdout.trim().to_owned()
    }

    /// Waits until it has exited; its exit code.
    pub(crate) fn exit_code(&self) -> i32 {
        until(&format!("{} to exit", self.name), || {
            let shown = self.inspect("{{.State.Status}} {{.State.ExitCode}}");
            shown
                .strip_prefix("exited ")
                .and_then(|code| code.parse().ok())
        })
    }

    /// Everything it has printed.
    pub(crate) fn output(&self) -> String {
        let ran = docker(["logs", &self.name]).expect(0);
        ran.stdout + &ran.stderr
    }

    /// Its snapshot, asked for inside.
    pub(crate) fn status(&self) -> String {
        docker(["exec", &self.name, "/ww/bin/ww-agent", "status", "--json"])
            .expect(0)
            .stdout
    }
}
