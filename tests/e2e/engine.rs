//! Engines besides the one that is there, each as if on a machine of its own.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::lab::{Ran, busybox_path, docker, run, until, until_or};

/// An Engine besides the one that is there: its own directories, socket, network, mounts and
/// processes. All that it starts ends with it.
pub(crate) struct Engine {
    /// The first of its processes.
    init: Child,
    root: PathBuf,
}

/// How an Engine is to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kind<'a> {
    /// Options of `dockerd` besides those that keep it to itself.
    pub(crate) options: &'a [&'a str],
    /// Lines of `/etc/subuid` and `/etc/subgid`.
    pub(crate) subordinate: Option<&'a str>,
}

/// Runs as the first process there and does what it is told, a word a line; ends with its stdin.
/// `/etc` is a copy, so that what is changed there is known to this Engine only.
const INIT: &str = r#"
mount --make-rprivate / && mount --bind "$ROOT/etc" /etc || exit 1
"$BUSYBOX" ip link set lo up
while read -r word rest; do
  case $word in
    start)
      dockerd --data-root "$ROOT/data" --exec-root "$ROOT/exec" --pidfile "$ROOT/pid" \
        -H "unix://$ROOT/sock" --bridge=none --iptables=false --storage-driver=vfs $rest < /dev/null >> "$ROOT/log" 2>&1 &
      daemon=$! ;;
    signal) kill "-$rest" "$daemon" ;;
    wait)
      wait "$daemon"
      # Of one that was killed nothing goes on but its containers, and its numbers are not taken for those of one that runs.
      file=$ROOT/exec/containerd/containerd.pid
      if pid=$(cat "$file" 2> /dev/null); then
        while kill -0 "$pid" 2> /dev/null && ! grep -q '^State:.Z' "/proc/$pid/status"; do sleep 0.01; done
        rm -f "$file"
      fi
      rm -f "$ROOT/pid"
      echo ended ;;
  esac
done
"#;

impl Engine {
    /// Starts one, and waits until it answers.
    pub(crate) fn start(root: PathBuf, kind: &Kind<'_>) -> Self {
        let mut engine = Self::prepare(root, kind);
        engine.begin(kind.options);
        engine.answers();
        engine
    }

    fn prepare(root: PathBuf, kind: &Kind<'_>) -> Self {
        // A mapped root has to come to its files.
        for directory in [root.parent().expect("a parent"), &root] {
            std::fs::set_permissions(directory, Permissions::from_mode(0o711)).expect("its mode");
        }
        let etc = root.join("etc");
        run(Command::new("cp").args(["-a", "/etc"]).arg(&etc)).expect(0);
        if let Some(lines) = kind.subordinate {
            for file in ["subuid", "subgid"] {
                std::fs::write(etc.join(file), lines).expect("the users");
            }
        }
        // Nor does it hear what the one that is there was told.
        let _ = std::fs::remove_file(etc.join("docker/daemon.json"));
        let log = std::fs::File::create(root.join("log")).expect("its log");
        let init = Command::new("unshare")
            .args([
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .args(["sh", "-c", INIT])
            .env("ROOT", &root)
            .env("BUSYBOX", busybox_path())
            .env_remove("DOCKER_HOST")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("`unshare` and the right to use it (root)");
        Self { init, root }
    }

    fn tell(&mut self, words: &str) {
        let stdin = self.init.stdin.as_mut().expect("its stdin");
        writeln!(stdin, "{words}").expect("an Engine that runs");
    }

    /// Starts its daemon (anew).
    pub(crate) fn begin(&mut self, options: &[&str]) {
        self.tell(&format!("start {}", options.join(" ")));
    }

    /// Waits until it answers.
    pub(crate) fn answers(&mut self) {
        let (log, url) = (self.root.join("log"), self.url());
        let log = || std::fs::read_to_string(&log).unwrap_or_default();
        until_or(
            || format!("an Engine of the test's own: {}", log()),
            || {
                if let Some(status) = self.init.try_wait().expect("its state") {
                    panic!("the Engine ended with {status}: {}", log());
                }
                let asked = run(Command::new("docker").args(["-H", &url, "version"]));
                (asked.code() == 0).then_some(())
            },
        );
    }

    /// Sends its daemon a signal.
    pub(crate) fn signal(&mut self, name: &str) {
        self.tell(&format!("signal {name}"));
    }

    /// Waits until its daemon has ended.
    pub(crate) fn ended(&mut self) {
        use std::io::Read;
        self.tell("wait");
        let mut word = [0; 6];
        let stdout = self.init.stdout.as_mut().expect("its stdout");
        stdout.read_exact(&mut word).expect("a word");
        assert_eq!(&word, b"ended\n");
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join("sock")
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Docker's own tool.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("docker");
        run(command.args(["-H", &self.url()]).args(arguments))
    }

    /// Gives it an image of the Engine that is there.
    pub(crate) fn load(&self, image: &str) {
        let archive = self.root.join("image.tar");
        let archive = archive.to_str().expect("UTF-8");
        docker(["save", "-o", archive, image]).expect(0);
        self.docker(&["load", "-q", "-i", archive]).expect(0);
        std::fs::remove_file(archive).expect("an archive");
    }

    /// A way in from outside to a port of its network: bytes and no more.
    pub(crate) fn port(&self, inside: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let network = format!("--net=/proc/{}/ns/net", self.init.id());
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let network = network.clone();
                std::thread::spawn(move || pass(&stream, &network, inside));
            }
        });
        port
    }
}

fn pass(stream: &TcpStream, network: &str, port: u16) {
    let end = || OwnedFd::from(stream.try_clone().expect("a stream"));
    let _ended = Command::new("nsenter")
        .arg(network)
        .arg(busybox_path())
        .args(["nc", "127.0.0.1", &port.to_string()])
        .stdin(end())
        .stdout(end())
        .stderr(Stdio::null())
        .status();
    let _gone = stream.shutdown(std::net::Shutdown::Both);
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The end of the first of its processes is the end of all of them, and of their mounts.
        drop(self.init.stdin.take());
        let _ = self.init.kill();
        let _ = self.init.wait();
    }
}

/// An authority, and what it has signed: `ca.pem`, `server-…`, and `cert.pem` with `key.pem`, as
/// Docker names them.
pub(crate) struct Authority {
    pub(crate) dir: PathBuf,
}

impl Authority {
    pub(crate) fn new(dir: PathBuf) -> Self {
        let authority = Self { dir };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=authority of a test",
            "-keyout",
            "ca-key.pem",
            "-out",
            "ca.pem",
        ]);
        authority
    }

    pub(crate) fn path(&self) -> &str {
        self.dir.to_str().expect("UTF-8")
    }

    fn openssl(&self, arguments: &[&str]) {
        run(Command::new("openssl")
            .args(arguments)
            .current_dir(&self.dir))
        .expect(0);
    }

    /// Signs a certificate for a name, for `serverAuth` or `clientAuth`.
    pub(crate) fn sign(&self, files: (&str, &str), use_: &str, name: &str, days: &str) {
        let (cert, key) = files;
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=of a test",
            "-keyout",
            key,
            "-out",
            "request",
        ]);
        let extensions = format!("extendedKeyUsage={use_}\nsubjectAltName={name}\n");
        std::fs::write(self.dir.join("extensions"), extensions).expect("a file");
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            "request",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca-key.pem",
            "-CAcreateserial",
            "-days",
            days,
            "-extfile",
            "extensions",
            "-out",
            cert,
        ]);
    }
}

/// Somebody who speaks TLS and is no Engine.
pub(crate) struct Impostor {
    server: Child,
    pub(crate) port: u16,
}

impl Impostor {
    pub(crate) fn start(authority: &Authority, cert: &str, key: &str) -> Self {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let server = Command::new("openssl")
            .args([
                "s_server", "-quiet", "-accept", &address, "-cert", cert, "-key", key,
            ])
            .current_dir(&authority.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        until("openssl", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { server, port }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Free a moment ago; whoever is to listen there says so if it is not any more.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

/// A server of OpenSSH of the test's own, for root and one key; `/var/run/docker.sock` there is a
/// socket of the test's choice.
pub(crate) struct Sshd {
    server: Option<Child>,
    root: PathBuf,
    /// Where it listens.
    pub(crate) port: u16,
}

const SSHD: &str = r#"
mount --make-rprivate / && mount --bind "$ROOT/etc" /etc || exit 1
mkdir -p "$ROOT/run" && mount --rbind /run "$ROOT/run" && mount -t tmpfs none /run && mkdir /run/sshd || exit 1
ln -s "$SOCKET" /run/docker.sock
exec "$SSHD/sbin/sshd" -D -e -f "$ROOT/sshd_config"
"#;

impl Sshd {
    /// Starts one. The socket is that of the Engine that is there where none is named.
    pub(crate) fn start(root: PathBuf, socket: Option<&Path>) -> Self {
        let port = free_port();
        let etc = root.join("etc");
        run(Command::new("cp").args(["-a", "/etc"]).arg(&etc)).expect(0);
        let append = |file: &str, line: &str| {
            let path = etc.join(file);
            let text = std::fs::read_to_string(&path).expect("a file of /etc");
            let name = line.split(':').next();
            let others = text.lines().filter(|known| known.split(':').next() != name);
            let lines: Vec<&str> = others.chain([line, ""]).collect();
            std::fs::write(path, lines.join("\n")).expect("a file");
        };
        append("passwd", "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin");
        // An account that is locked may not log in, not even with a key.
        append("shadow", "root:*:19000:0:99999:7:::");
        for key in ["host_key", "key"] {
            let path = root.join(key);
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path))
            .expect(0);
        }
        let dir = root.display();
        let sshd = sshd_path();
        let mut config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {dir}/host_key\nAuthorizedKeysFile {dir}/key.pub\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxSessions 1\nUseDNS no\n"
        );
        for (option, program) in [
            ("SshdSessionPath", "sshd-session"),
            ("SshdAuthPath", "sshd-auth"),
        ] {
            let program = sshd.join("libexec").join(program);
            if program.exists() {
                writeln!(config, "{option} {}", program.display()).expect("text");
            }
        }
        std::fs::write(root.join("sshd_config"), config).expect("its configuration");
        let key = std::fs::read_to_string(root.join("host_key.pub")).expect("its key");
        std::fs::write(
            root.join("known_hosts"),
            format!("[127.0.0.1]:{port} {key}"),
        )
        .expect("a file");
        let client = format!(
            "IdentityFile {dir}/key\nIdentitiesOnly yes\nIdentityAgent none\n\
             UserKnownHostsFile {dir}/known_hosts\nGlobalKnownHostsFile /dev/null\n"
        );
        std::fs::write(root.join("ssh_config"), client).expect("a file");
        std::fs::create_dir(root.join("bin")).expect("a directory");
        let program = root.join("bin/ssh");
        let script = format!(
            "#!/bin/sh\necho run >> {dir}/ssh.log\nexec /usr/bin/ssh -F {dir}/ssh_config \"$@\"\n"
        );
        std::fs::write(&program, script).expect("a script");
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("its mode");
        let usual = root.join("run/docker.sock");
        let socket = socket.unwrap_or(&usual);
        std::os::unix::fs::symlink(socket, root.join("socket")).expect("a link");
        let mut sshd = Self {
            server: None,
            root,
            port,
        };
        sshd.begin();
        sshd
    }

    /// Starts the server (anew).
    pub(crate) fn begin(&mut self) {
        let log = std::fs::File::create(self.root.join("log")).expect("its log");
        let server = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", SSHD])
            .env("ROOT", &self.root)
            .env("SOCKET", self.root.join("socket"))
            .env("SSHD", sshd_path())
            .env("LD_LIBRARY_PATH", sshd_path().join("lib"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("`unshare` and the right to use it (root)");
        let server = self.server.insert(server);
        until("sshd", || {
            if let Some(status) = server.try_wait().expect("its state") {
                let log = std::fs::read_to_string(self.root.join("log"));
                panic!("sshd ended with {status}: {}", log.unwrap_or_default());
            }
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Starts it anew with one more line of configuration.
    pub(crate) fn set(&mut self, line: &str) {
        self.kill();
        let path = self.root.join("sshd_config");
        let config = std::fs::read_to_string(&path).expect("its configuration");
        std::fs::write(&path, format!("{config}{line}\n")).expect("its configuration");
        self.begin();
    }

    /// Kills the server and every connection it has.
    pub(crate) fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
            // The others end a moment after the first of them.
            until("the end of sshd", || {
                TcpStream::connect(("127.0.0.1", self.port)).err()
            });
        }
    }

    /// How it is reached.
    pub(crate) fn url(&self) -> String {
        format!("ssh://root@127.0.0.1:{}", self.port)
    }

    /// A PATH in which `ssh` knows this server and the key.
    pub(crate) fn path(&self) -> String {
        format!(
            "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            self.root.join("bin").display()
        )
    }

    /// Where its files are.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// How often ssh was run.
    pub(crate) fn logins(&self) -> usize {
        let log = std::fs::read_to_string(self.root.join("ssh.log")).unwrap_or_default();
        log.lines().count()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn sshd_path() -> PathBuf {
    crate::lab::part("WW_SSHD")
}
