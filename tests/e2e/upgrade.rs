//! `ww-ctl upgrade`: to a good image, to bad ones, and killed wherever it can be killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use crate::lab::{Guest, Lab, Ran, docker, is_soak, run, until, ww_ctl, ww_ctl_command};
use crate::proxy::{Moment, Proxy};

/// So many of the first steps are the same, whatever the new image does: up to its start.
const SAME: usize = 6;
/// So many are exchanged at once where there are many to be.
const AT_ONCE: usize = 4;

/// The images all these stories share: they are built once, and go with the last story.
struct Images {
    _lab: Lab,
    /// What runs first.
    first: String,
    good: String,
    /// Its `upgrade` fails.
    failing: String,
    /// Its check fails.
    ill: String,
}

static IMAGES: Mutex<Weak<Images>> = Mutex::new(Weak::new());

impl Images {
    fn shared() -> Arc<Self> {
        let mut slot = IMAGES
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(images) = slot.upgrade() {
            return images;
        }
        let images = Arc::new(Self::build());
        *slot = Arc::downgrade(&images);
        images
    }

    fn build() -> Self {
        let lab = Lab::new("upgraded");
        let image = |what: &str, upgrade: &str, monitor: &str| {
            let tree = lab.tree(what);
            tree.all_scripts()
                .script("firstboot", "head -c 100000 /dev/urandom > /data/precious")
                .script("upgrade", upgrade)
                .script("monitor", monitor)
                .defaults(
                    r#"{"ww":{"monitor":{"interval":"1h"},"restart":{"backoff":"10ms","max":0}}}"#,
                );
            lab.image(&tree)
        };
        Self {
            first: image("first", "", ""),
            good: image("good", "", ""),
            failing: image("failing", "echo no such column; exit 7", ""),
            ill: image("ill", "", "echo nobody listens; exit 3"),
            _lab: lab,
        }
    }
}

/// A container of the first image that is UP, and its precious data.
fn guest(lab: &Lab, images: &Images, what: &str, options: &[&str]) -> (Guest, Vec<u8>) {
    let case = format!("case={what}");
    let options = [&["--restart", "always", "--label", &case], options].concat();
    let guest = lab.start(what, &images.first, &options, &[]);
    guest.reaches("healthy");
    let data = precious(&guest);
    assert_eq!(data.len(), 100_000);
    (guest, data)
}

fn precious(guest: &Guest) -> Vec<u8> {
    std::fs::read(guest.data.join("precious")).expect("its data")
}

/// What stands for a container: its name and those that an upgrade gives.
fn places(guest: &Guest) -> Vec<String> {
    let filter = format!("name=^/{}", guest.name);
    let list = docker(["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).expect(0);
    list.stdout.lines().map(str::to_owned).collect()
}

/// It is there alone, of this image, UP, passing, with its data and its restart policy.
#[track_caller]
fn is_whole(guest: &Guest, image: &str, data: &[u8]) {
    guest.reaches("healthy");
    assert_eq!(places(guest), [guest.name.as_str()]);
    let policy = "{{.Config.Image}} {{.HostConfig.RestartPolicy.Name}}";
    assert_eq!(guest.inspect(policy), format!("{image} always"));
    assert!(precious(guest) == data, "the data have changed");
}

fn upgrade(guest: &Guest, image: &str) -> Ran {
    ww_ctl(["upgrade", &guest.name, "--image", image, "--timeout", "30s"])
}

/// What the Engine tells of the containers of a laboratory while it lives.
struct Events {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    lab: String,
}

impl Events {
    fn of(lab: &Lab) -> Self {
        let filter = format!("label={}", lab.label());
        let format = "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.case}}";
        let mut child = Command::new("docker")
            .args(["events", "--filter", &filter, "--format", format])
            .stdout(Stdio::piped())
            .spawn()
            .expect("docker events");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stdout, own) = (child.stdout.take().expect("its stdout"), lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                own.lock().expect("no panic while held").push(line);
            }
        });
        let events = Self {
            child,
            lines,
            lab: lab.named("marker"),
        };
        events.are_heard(lab);
        events
    }

    /// Waits until what was told so far has arrived: a container is made until it is told of.
    fn are_heard(&self, lab: &Lab) {
        let label = lab.label();
        let mut made = Vec::new();
        until("the events", || {
            let name = format!("{}-{}", self.lab, made.len());
            let options = [
                "create",
                "--name",
                &name,
                "--label",
                &label,
                lab.base(),
                "x",
            ];
            let id = docker(options).expect(0).stdout.trim().to_owned();
            made.push(name);
            let seen = self.lines.lock().expect("no panic while held");
            seen.iter().any(|line| line.contains(&id)).then_some(())
        });
        for name in made {
            docker(["rm", &name]).expect(0);
        }
    }

    /// Fails unless at each moment at most one container of each case ran. How often one began to.
    #[track_caller]
    fn never_overlap(&self, lab: &Lab) -> usize {
        self.are_heard(lab);
        let lines = self.lines.lock().expect("no panic while held");
        let mut running: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut starts = 0;
        for line in lines.iter() {
            let words: Vec<&str> = line.split(' ').collect();
            let [action, id, case] = words[..] else {
                continue;
            };
            let here = running.entry(case).or_default();
            match action {
                "start" => {
                    starts += 1;
                    here.push(id);
                    assert!(here.len() <= 1, "two of {case} run at once: {lines:#?}");
                }
                "die" => here.retain(|one| *one != id),
                _ => {}
            }
        }
        starts
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A network or a volume that goes with the story.
struct Made {
    kind: &'static str,
    name: String,
}

impl Made {
    fn create(lab: &Lab, kind: &'static str, what: &str) -> Self {
        let name = lab.named(what);
        docker([kind, "create", "--label", &lab.label(), &name]).expect(0);
        Self { kind, name }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // It goes only when nobody has it any more.
        let filter = format!("{}={}", self.kind, self.name);
        for id in docker(["ps", "-aq", "--filter", &filter]).stdout.lines() {
            docker(["rm", "-f", id]);
        }
        docker([self.kind, "rm", &self.name]);
    }
}

/// All that has to be the same before and after.
fn settings(guest: &Guest) -> String {
    let shown = guest.inspect(
        "{{json .HostConfig}} {{json .Config.Env}} {{json .Config.Labels}} {{.Config.Hostname}} \
         {{json .Config.Cmd}} {{range $name, $net := .NetworkSettings.Networks}}\
         {{$name}} {{json $net.Aliases}} {{end}}\
         {{range .Mounts}}{{.Type}} {{.Name}} {{.Source}} {{.Destination}} {{.RW}} {{end}}",
    );
    // Its own id is another one afterwards, also as an alias.
    let id = guest.inspect("{{.Id}}");
    let shown = shown.replace(&id[..12], "ITS-ID");
    // Docker adds names of its own to aliases, at either end.
    let mut parts: Vec<&str> = shown.split([',', ' ', '[', ']']).collect();
    parts.sort_unstable();
    parts.join("\n")
}

#[test]
fn only_the_image_is_another_when_it_is_done() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let front = Made::create(&lab, "network", "front");
    let back = Made::create(&lab, "network", "back");
    let volume = Made::create(&lab, "volume", "volume");
    let mount = format!("type=volume,src={},dst=/srv,readonly", volume.name);
    let (guest, data) = guest(
        &lab,
        &images,
        "shop",
        &[
            "--network",
            &front.name,
            "--network-alias",
            "shop",
            "-p",
            "127.0.0.1::8080",
            "-m",
            "64m",
            "--cpus",
            "0.5",
            "-e",
            r#"CFG={"a":1}"#,
            "--mount",
            &mount,
            "--cap-add",
            "NET_ADMIN",
            "--hostname",
            "shop",
            "--tmpfs",
            "/scratch",
            "--stop-timeout",
            "33",
            "--pids-limit",
            "99",
        ],
    );
    docker([
        "network",
        "connect",
        "--alias",
        "till",
        &back.name,
        &guest.name,
    ])
    .expect(0);
    let before = settings(&guest);
    assert!(
        before.contains("till") && before.contains("ITS-ID"),
        "{before}"
    );
    let ran = upgrade(&guest, &images.good).expect(0);
    assert!(ran.stdout.contains("upgraded from"), "{ran:?}");
    assert_eq!(settings(&guest), before, "{ran:?}");
    is_whole(&guest, &images.good, &data);
    let again = upgrade(&guest, &images.good).expect(0);
    assert!(again.stdout.contains("already"), "{again:?}");
}

#[test]
fn data_in_a_volume_without_a_name_go_with_it_and_undo_goes_back() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let guest = lab.start_bare("shop", &images.first, &["-v", "/data"], &[]);
    guest.reaches("healthy");
    let sum = || {
        let sum = docker(["exec", &guest.name, "sha256sum", "/data/precious"]).expect(0);
        sum.stdout
    };
    let (data, before) = (sum(), guest.inspect("{{.Id}}"));
    let json = ww_ctl([
        "-o",
        "jsonl",
        "upgrade",
        &guest.name,
        "--image",
        &images.good,
        "--keep",
    ])
    .expect(0)
    .stdout;
    let after = guest.inspect("{{.Id}}");
    for part in [
        r#""action":"upgrade""#.to_owned(),
        format!(r#""old_id":"{before}""#),
        format!(r#""new_id":"{after}""#),
    ] {
        assert!(json.contains(&part), "{part}: {json}");
    }
    assert_eq!(sum(), data);
    let kept = format!("{}.ww-kept", guest.name);
    let state = docker(["inspect", "-f", "{{.State.Status}}", &kept]).expect(0);
    assert_eq!(state.stdout.trim(), "exited");
    // It has the same data, and is not to run beside the one in use.
    for action in ["start", "restart"] {
        ww_ctl([action, &kept])
            .expect(6)
            .says(&["same data", "--undo"]);
    }
    // What is over is gone back to only when that is confirmed.
    ww_ctl(["upgrade", &guest.name, "--undo"])
        .expect(6)
        .says(&["--yes"]);
    let back = ww_ctl(["--yes", "upgrade", &guest.name, "--undo"]).expect(0);
    let words = format!("put back, {} is UP again", images.first);
    assert!(back.stdout.contains(&words), "{back:?}");
    assert_eq!(guest.inspect("{{.Id}}"), before);
    guest.reaches("healthy");
    assert_eq!(sum(), data);
    assert_eq!(places(&guest), [guest.name.as_str()]);
    let nothing = ww_ctl(["upgrade", &guest.name, "--undo"]).expect(0);
    assert!(nothing.stdout.contains("nothing to undo"), "{nothing:?}");
}

#[test]
fn the_old_one_is_back_when_the_new_one_fails_or_is_never_well_and_the_rest_is_not_touched() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let events = Events::of(&lab);
    let (guest, data) = guest(&lab, &images, "a", &[]);
    let (other, untouched) = self::guest(&lab, &images, "b", &[]);
    let id = guest.inspect("{{.Id}}");
    let starts = other.inspect("{{.Id}} {{.State.StartedAt}}");
    let both = [
        "--yes",
        "upgrade",
        &guest.name,
        &other.name,
        "--image",
        &images.failing,
        "--timeout",
        "30s",
    ];
    ww_ctl(both).expect(1).says(&[
        "no such column",
        // In words of its agent, or in what it has printed where it was faster than whoever asked it.
        "upgrade exited 7",
        "is UP again",
        &format!("{}: not touched", other.name),
    ]);
    is_whole(&guest, &images.first, &data);
    is_whole(&other, &images.first, &untouched);
    assert_eq!(other.inspect("{{.Id}} {{.State.StartedAt}}"), starts);
    // Its `upgrade` has run once, though Docker is told to start it again whenever it ends.
    let ups = guest
        .log()
        .iter()
        .filter(|line| *line == "+upgrade")
        .count();
    assert_eq!(ups, 3, "{:?}", guest.log());

    let ill = [
        "upgrade",
        &guest.name,
        "--image",
        &images.ill,
        "--timeout",
        "3s",
    ];
    ww_ctl(ill)
        .expect(4)
        .says(&["monitor exited 3", "after 3s", "is UP again"]);
    is_whole(&guest, &images.first, &data);
    assert_eq!(guest.inspect("{{.Id}}"), id);
    assert_eq!(events.never_overlap(&lab), 6);
}

#[test]
fn what_cannot_be_upgraded_is_said_before_anything_is_touched() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let (guest, data) = guest(&lab, &images, "shop", &[]);
    let name = &guest.name;
    let near = images.good.replace(":1", ":77");
    upgrade(&guest, &near)
        .expect(1)
        .says(&["there is no image", &images.good]);
    upgrade(&guest, lab.base())
        .expect(6)
        .says(&["has no agent", "image build"]);
    let network = format!("container:{name}");
    let lodger = lab.start_bare("lodger", &images.first, &["--network", &network], &[]);
    upgrade(&guest, &images.good)
        .expect(6)
        .says(&[&lodger.name, "network", "--yes"]);
    docker(["rm", "-f", &lodger.name]).expect(0);
    docker(["pause", name]).expect(0);
    upgrade(&guest, &images.good).expect(6).says(&["paused"]);
    docker(["unpause", name]).expect(0);
    let careless = lab.start_bare("careless", &images.first, &[], &[]);
    upgrade(&careless, &images.good)
        .expect(6)
        .says(&["has its /data in itself", "--yes"]);
    assert_eq!(places(&careless), [careless.name.as_str()]);
    let brief = lab.start_bare("brief", &images.first, &["--rm"], &[]);
    upgrade(&brief, &images.good).expect(6).says(&["--rm"]);
    is_whole(&guest, &images.first, &data);

    docker(["stop", name]).expect(0);
    upgrade(&guest, &images.good)
        .expect(6)
        .says(&["does not run", "--start"]);
    // Put back as it was is stopped, where it was stopped.
    let failing = ["upgrade", name, "--start", "--image", &images.failing];
    ww_ctl(failing).expect(1).says(&["left stopped"]);
    assert_eq!(
        guest.inspect("{{.State.Status}} {{.Config.Image}}"),
        format!("exited {}", images.first)
    );
    ww_ctl(["upgrade", name, "--start", "--image", &images.good]).expect(0);
    is_whole(&guest, &images.good, &data);
}

#[test]
fn one_that_cannot_even_be_made_is_said_to_leave_the_old_one_running() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let (source, label) = (lab.named("data"), lab.label());
    docker([
        "create",
        "--name",
        &source,
        "--label",
        &label,
        "-v",
        "/more",
        lab.base(),
        "x",
    ])
    .expect(0);
    let (guest, data) = guest(&lab, &images, "shop", &["--volumes-from", &source]);
    let life = guest.inspect("{{.Id}} {{.State.StartedAt}}");
    docker(["rm", "-v", &source]).expect(0);
    let ran = upgrade(&guest, &images.good).expect(1);
    ran.says(&[
        &format!("{}: cannot create the container", images.good),
        &source,
        &format!("nothing was done to {}, which runs on", images.first),
    ]);
    is_whole(&guest, &images.first, &data);
    assert_eq!(guest.inspect("{{.Id}} {{.State.StartedAt}}"), life);
}

#[test]
fn however_little_time_the_new_one_is_given_the_old_one_has_enough_to_be_back() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let events = Events::of(&lab);
    let (guest, data) = guest(&lab, &images, "shop", &[]);
    let id = guest.inspect("{{.Id}}");
    for limit in ["0s", "1ms"] {
        let words = [
            "upgrade",
            &guest.name,
            "--image",
            &images.good,
            "--timeout",
            limit,
        ];
        ww_ctl(words).expect(4).says(&["is UP again"]);
        is_whole(&guest, &images.first, &data);
        assert_eq!(guest.inspect("{{.Id}}"), id);
    }
    // The new one was started each time, stopped, and only then was the old one started.
    assert_eq!(events.never_overlap(&lab), 5);
}

#[test]
fn one_that_is_renamed_meanwhile_is_left_to_a_person() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let (guest, data) = guest(&lab, &images, "shop", &[]);
    let (name, old) = (&guest.name, format!("{}.ww-old-always", guest.name));
    let id = guest.inspect("{{.Id}}");
    let tool = ww_ctl_command()
        .args(["upgrade", name, "--image", &images.ill, "--timeout", "3s"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool");
    until("the new one to run", || {
        let now = docker(["inspect", "-f", "{{.Id}} {{.State.Running}}", name]).stdout;
        (now.contains("true") && !now.contains(&id)).then_some(())
    });
    let elsewhere = lab.named("elsewhere");
    docker(["rename", name, &elsewhere]).expect(0);
    let ran = tool.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("removed or renamed"), "{said}");
    assert!(said.contains("(docker rename)"), "{said}");
    assert!(!said.contains("finishes or undoes"), "it does not: {said}");
    // What is said to be done helps.
    docker(["rm", "-f", &elsewhere]).expect(0);
    docker(["rename", &old, name]).expect(0);
    docker(["update", "--restart", "always", name]).expect(0);
    ww_ctl(["start", name]).expect(0);
    is_whole(&guest, &images.first, &data);
}

/// Kills the tool at the request of this number, and returns what had changed something by then.
fn killed(lab: &Lab, guest: &Guest, image: &str, at: usize, moment: Moment) -> Vec<String> {
    let socket: PathBuf = lab.directory(&format!("proxy-{}", guest.name)).join("s");
    let proxy = Proxy::listen(&socket, at, moment);
    let mut tool = ww_ctl_command()
        .args(["-H", &proxy.url(), "upgrade", &guest.name, "--image", image])
        .args(["--timeout", "30s"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the tool");
    proxy.is_for(tool.id());
    tool.wait().expect("its end");
    proxy.changes()
}

/// Kills an upgrade at each of its steps; the second call does the rest.
fn kill_at_every_step(image: fn(&Images) -> &str, code: i32, stays: bool) {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let to = image(&images);
    let events = Events::of(&lab);
    let (whole, data) = guest(&lab, &images, "whole", &[]);
    let steps = killed(&lab, &whole, to, 0, Moment::After);
    assert!(steps.len() >= 8, "{steps:?}");
    let end = if stays { to } else { &images.first };
    is_whole(&whole, end, &data);

    let moments = [Moment::Before, Moment::After, Moment::Amid];
    let mut cases = Vec::new();
    for at in 1..=steps.len() + 1 {
        for (number, moment) in moments.into_iter().enumerate() {
            if is_soak() || (number < 2 && at % 2 == number) {
                cases.push((at, moment));
            }
        }
    }
    let next = Mutex::new(cases.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let case = next.lock().expect("no panic while held").next();
                    let Some((at, moment)) = case else { return };
                    let what = format!("{moment:?}-{at}").to_lowercase();
                    let (guest, data) = guest(&lab, &images, &what, &[]);
                    let before = killed(&lab, &guest, to, at, moment);
                    // Whether one that fails has ended before it can be stopped is a matter of luck.
                    assert!(before.len() <= at, "{what}: {before:?}");
                    assert_eq!(before[..at.min(SAME)], steps[..at.min(SAME)], "{what}");
                    let ran = upgrade(&guest, to).expect(code);
                    assert!(!ran.stderr.contains("warning"), "{what}: {ran:?}");
                    is_whole(&guest, end, &data);
                    docker(["rm", "-f", &guest.name]).expect(0);
                }
            });
        }
    });
    assert!(events.never_overlap(&lab) > steps.len());
}

#[test]
fn killed_at_each_step_to_a_good_image_a_second_call_finishes() {
    kill_at_every_step(|images| &images.good, 0, true);
}

#[test]
fn killed_at_each_step_to_a_failing_image_a_second_call_puts_everything_back() {
    kill_at_every_step(|images| &images.failing, 1, false);
}

#[test]
fn what_is_pending_can_be_undone_or_given_another_image() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let events = Events::of(&lab);
    let (guest, data) = guest(&lab, &images, "shop", &[]);
    // The old one has lost its name, the new one has not got it yet.
    let steps = killed(&lab, &guest, &images.good, 4, Moment::After);
    assert_eq!(steps.last().map(String::as_str), Some("POST update"));
    assert_eq!(places(&guest).len(), 2);
    ww_ctl(["upgrade", &guest.name, "--undo"]).expect(0);
    is_whole(&guest, &images.first, &data);
    // The new one was started.
    let steps = killed(&lab, &guest, &images.ill, 6, Moment::After);
    assert_eq!(steps.last().map(String::as_str), Some("POST start"));
    upgrade(&guest, &images.good)
        .expect(0)
        .says(&["interrupted"]);
    is_whole(&guest, &images.good, &data);
    events.never_overlap(&lab);
}

#[test]
fn two_at_once_do_not_meet_and_ctrl_c_says_how_to_go_on() {
    let images = Images::shared();
    let lab = Lab::new("upgrade");
    let (guest, data) = guest(&lab, &images, "shop", &[]);
    let mut first = ww_ctl_command()
        .args([
            "upgrade",
            &guest.name,
            "--image",
            &images.ill,
            "--timeout",
            "60s",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool");
    until("the first to be at it", || {
        (places(&guest).len() == 2).then_some(())
    });
    upgrade(&guest, &images.good)
        .expect(10)
        .says(&["another ww-ctl"]);
    run(Command::new("kill").args(["-INT", &first.id().to_string()])).expect(0);
    let mut said = String::new();
    let mut stderr = first.stderr.take().expect("its stderr");
    std::io::Read::read_to_string(&mut stderr, &mut said).expect("text");
    assert_eq!(first.wait().expect("its end").code(), Some(130), "{said}");
    assert!(said.contains("--undo` undoes it"), "{said}");
    ww_ctl(["upgrade", &guest.name, "--undo"]).expect(0);
    is_whole(&guest, &images.first, &data);
}
