//! `ww-ctl ls`, `show` and `wait`, each with what agents say live, against `docker ps` and
//! `docker inspect`; by each of the two ways to an agent.

use std::process::Command;
use std::time::Duration;

use crate::lab::{Guest, Lab, now, run, ww_ctl_command, ww_ctl_path};
use crate::{median, millis};

/// So many pairs are measured of each.
const ROUNDS: usize = 21;
/// So many at least, whatever the time.
const LEAST: usize = 3;
/// No more are begun after this long.
const LONG: Duration = Duration::from_secs(12);
/// So many containers are started at a time.
const AT_ONCE: usize = 4;

/// How agents are reached.
#[derive(Clone, Copy)]
enum Route {
    /// As root: through their sockets.
    Direct,
    /// As a user of the group `docker`, who may not look into a container from the host.
    Exec,
}

impl Route {
    const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Exec => "exec",
        }
    }

    /// The operator's tool, by this way.
    fn tool(self) -> Command {
        match self {
            Self::Direct => ww_ctl_command(),
            Self::Exec => {
                let group = run(Command::new("stat").args(["-c", "%g", "/var/run/docker.sock"]));
                let group = group.expect(0).stdout.trim().to_owned();
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=12345", "--regid=12345", "--inh-caps=-all"])
                    .args(["--groups", &group])
                    .arg(ww_ctl_path())
                    .env("HOME", "/")
                    .env_remove("NO_COLOR");
                command
            }
        }
    }
}

/// Prints a table for fleets of these sizes.
pub(crate) fn measure(sizes: &[usize]) {
    let lab = Lab::new("bench-ls");
    let tree = lab.tree("app");
    tree.all_scripts().script("monitor", "echo '{\"queue\":1}'");
    let image = lab.image(&tree);
    let mut guests: Vec<Guest> = Vec::new();
    println!(
        "{:>10}  {:<6}  {:<30}  {:>10}  {:>10}  {:>6}  {:>5}",
        "containers", "route", "ww-ctl, docker", "ww-ctl ms", "docker ms", "ratio", "pairs"
    );
    for &size in sizes {
        grow(&lab, &image, &mut guests, size);
        for route in [Route::Direct, Route::Exec] {
            // What the route is, by the tool's own word.
            let listed = run(route.tool().args(["ls", &guests[0].name, "-o", "json"])).expect(0);
            let word = format!("\"agent\": \"{}\"", route.name());
            assert!(listed.stdout.contains(&word), "{}", listed.stdout);
            let names: Vec<&str> = guests.iter().map(|guest| guest.name.as_str()).collect();
            let pairs: [(&str, Vec<&str>, Vec<&str>); 3] = [
                ("ls, ps", vec!["ls"], vec!["ps"]),
                (
                    "show NAME, inspect NAME",
                    vec!["show", names[0]],
                    vec!["inspect", names[0]],
                ),
                (
                    "wait NAME…, inspect NAME…",
                    [&["wait", "--for", "UP"][..], &names].concat(),
                    [&["inspect"][..], &names].concat(),
                ),
            ];
            for (what, ours, theirs) in pairs {
                let pair = compare(route, size, &ours, &theirs);
                println!("{size:>10}  {:<6}  {what:<30}  {pair}", route.name());
            }
        }
    }
}

/// Starts more of them, until so many are UP.
pub(crate) fn grow(lab: &Lab, image: &str, guests: &mut Vec<Guest>, size: usize) {
    let numbers: Vec<usize> = (guests.len()..size).collect();
    let share = numbers.len().div_ceil(AT_ONCE).max(1);
    let started = std::thread::scope(|scope| {
        let starters: Vec<_> = numbers
            .chunks(share)
            .map(|numbers| {
                scope.spawn(|| {
                    let start = |number| lab.start(&format!("c{number}"), image, &[], &[]);
                    numbers.iter().map(start).collect::<Vec<_>>()
                })
            })
            .collect();
        let all = starters.into_iter().map(|one| one.join().expect("started"));
        all.flatten().collect::<Vec<_>>()
    });
    guests.extend(started);
    let names = guests.iter().map(|guest| guest.name.as_str());
    run(ww_ctl_command()
        .args(["wait", "--for", "UP", "--timeout", "2m"])
        .args(names))
    .expect(0);
}

/// The medians of both and of their ratio.
fn compare(route: Route, size: usize, ours: &[&str], theirs: &[&str]) -> String {
    let (mut our, mut their, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let begun = now();
    for round in 0..=ROUNDS {
        let (took, said) = timed(route.tool().args(ours));
        let up = said.lines().filter(|line| line.contains("UP")).count();
        let least = if ours[0] == "show" { 1 } else { size };
        assert!(up >= least, "{up} of {size} UP:\n{said}");
        let (peer, _) = timed(Command::new("docker").args(theirs));
        // The first round warms up.
        if round > 0 {
            our.push(millis(took));
            their.push(millis(peer));
            ratios.push(millis(took) / millis(peer));
        }
        if round >= LEAST && begun.elapsed() > LONG {
            break;
        }
    }
    format!(
        "{:>10.1}  {:>10.1}  {:>6.2}  {:>5}",
        median(our.clone()),
        median(their),
        median(ratios),
        our.len()
    )
}

fn timed(command: &mut Command) -> (Duration, String) {
    let begun = now();
    let ran = run(command);
    let took = begun.elapsed();
    (took, ran.expect(0).stdout)
}
