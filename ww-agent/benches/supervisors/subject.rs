//! Who is measured, and how each is asked to run the same thing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// The agent that lives a life cycle.
pub(crate) const LIFE_CYCLE: &str = "ww-agent run";
/// The agent around one command.
pub(crate) const WRAP: &str = "ww-agent run --";
/// The peers that targets are set by.
pub(crate) const TINI: &str = "tini";
/// The shell, as what it was before.
pub(crate) const BASH: &str = "bash";
/// No supervisor at all.
pub(crate) const NOTHING: &str = "nothing";

/// The idle child's argument, by which it is told from its supervisor.
pub(crate) const IDLE: &str = "100000";

/// One of those who are measured, with a directory of its own.
pub(crate) struct Subject {
    name: &'static str,
    directory: TempDir,
    arguments: Vec<String>,
    /// Its libraries may not be the system's. The others are not to be sent looking for theirs.
    has_libraries: bool,
    /// What it prints when it has come to rest, where the idle child is not all there is to it.
    pub(crate) at_rest: Option<&'static str>,
}

impl Subject {
    /// All that can be measured here, with "nothing" as the first.
    pub(crate) fn all() -> Vec<Self> {
        show_peers();
        let agent = part("WW_AGENT_BINARY").display().to_string();
        let mut all = vec![
            Self::around(NOTHING, &[]),
            Self::life_cycle(&agent),
            Self::around(TINI, &[&peer("tini"), "--"]),
            Self::around("dumb-init", &[&peer("dumb-init"), "--"]),
            Self::s6(),
            Self::bash(),
        ];
        if wraps(&agent) {
            all.insert(2, Self::around(WRAP, &[&agent, "run", "--"]));
        }
        all
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it does anything but being there.
    pub(crate) fn is_supervisor(&self) -> bool {
        self.name != NOTHING
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The command that is PID 1, in a name space of its own.
    pub(crate) fn command(&self, place: &Path, stdout: Stdio, stderr: Stdio) -> Command {
        let peers = part("WW_PEERS");
        let path = format!("{}/bin:/usr/bin:/bin", peers.display());
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"])
            .args(&self.arguments)
            .env_clear()
            .env("PATH", path)
            .env("WW_ROOT", self.directory.path())
            .env("WW_SOCKET", place.join("socket"))
            .env("BEGUN", place.join("begun"))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        if self.has_libraries {
            command.env("LD_LIBRARY_PATH", peers.join("lib"));
        }
        command
    }

    fn new(name: &'static str) -> Self {
        Self {
            name,
            directory: tempfile::tempdir().expect("a directory"),
            arguments: Vec::new(),
            has_libraries: false,
            at_rest: None,
        }
    }

    /// One that is given a command: it tells that it has begun, and is idle.
    fn around(name: &'static str, before: &[&str]) -> Self {
        let mut subject = Self::new(name);
        let command = subject.script("command", &format!("{BEGUN}\nexec {} {IDLE}", sleep()));
        subject.arguments = before.iter().map(ToString::to_string).collect();
        subject.arguments.push(command);
        subject
    }

    /// The agent with a tree of scripts: `boot` tells that it has begun, `svcup` leaves the idle
    /// child.
    fn life_cycle(agent: &str) -> Self {
        let mut subject = Self::new(LIFE_CYCLE);
        subject.life();
        subject.arguments = vec![agent.into(), "run".into()];
        subject.at_rest = Some("LIFECYCLE: UP");
        subject
    }

    fn s6() -> Self {
        let mut subject = Self::new("s6");
        subject.script("scan/one/run", &format!("{BEGUN}\nexec {} {IDLE}", sleep()));
        let scan = subject.path("scan").display().to_string();
        subject.arguments = vec![peer("s6-svscan"), scan];
        subject.has_libraries = true;
        subject
    }

    /// What the life cycle was before there was an agent: a shell that runs the same scripts, waits
    /// and checks, and ends what there is when it is told to.
    fn bash() -> Self {
        let mut subject = Self::new(BASH);
        subject.life();
        let text = format!(
            "#!{}\nlives=1\ntrap 'lives=' TERM INT\nusr=\"$WW_ROOT/ww/usr\"\n\"$usr/boot\"\n\"$usr/svcup\"\n\
             echo at rest\nwhile [ \"$lives\" ]; do\n  sleep 30 &\n  wait $!\n  [ \"$lives\" ] && \"$usr/monitor\"\ndone\n\
             kill -TERM -1\nwait\nexit 0\n",
            peer("bash")
        );
        let run = subject.file("run", &text);
        subject.arguments = vec![run];
        subject.at_rest = Some("at rest");
        subject
    }

    /// The scripts of a life.
    fn life(&self) {
        self.script("ww/usr/boot", BEGUN);
        self.script("ww/usr/svcup", &format!("{} {IDLE} &", sleep()));
        self.script("ww/usr/monitor", "true");
        fs::create_dir_all(self.path("data")).expect("a directory");
    }

    fn script(&self, name: &str, body: &str) -> String {
        let shell = part("WW_BUSYBOX");
        self.file(name, &format!("#!{} sh\n{body}\n", shell.display()))
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a run bit");
        path.display().to_string()
    }
}

/// Debian's s6 starts its parts by their full paths. Lets this process, and what it starts, see
/// those that are not installed in `/usr/bin` all the same; nobody else does.
fn show_peers() {
    const BIN: &str = "/usr/bin";
    if Path::new(BIN).join("s6-supervise").exists() {
        return;
    }
    let none = None::<&str>;
    let layers = format!("lowerdir={BIN}:{}/bin", part("WW_PEERS").display());
    unshare(CloneFlags::CLONE_NEWNS).expect("the right to have mounts of its own (root)");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).expect("mounts of its own");
    let overlay = Some("overlay");
    mount(
        overlay,
        BIN,
        overlay,
        MsFlags::MS_RDONLY,
        Some(layers.as_str()),
    )
    .expect("overlayfs, or s6 installed");
}

/// A byte for the benchmark: this has begun.
const BEGUN: &str = "echo > \"$BEGUN\"";

fn sleep() -> String {
    format!("{} sleep", part("WW_BUSYBOX").display())
}

fn peer(program: &str) -> String {
    part("WW_PEERS")
        .join("bin")
        .join(program)
        .display()
        .to_string()
}

/// Whether the agent can be put around a command. It is asked only: an agent that does not know of
/// it would live a life cycle.
fn wraps(agent: &str) -> bool {
    let asked = Command::new(agent).args(["run", "--help"]).output();
    let text = asked.expect("the agent").stdout;
    String::from_utf8_lossy(&text).contains("run -- ")
}

fn part(variable: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "the benchmark's seam to its environment"
    )]
    let path = std::env::var_os(variable);
    let path = path.unwrap_or_else(|| panic!("{variable} is not set: run `make bench`"));
    PathBuf::from(path)
}
