//! The dashboard left open while containers come and go.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::lab::{Lab, docker, is_soak, now, run, until, ww_ctl, ww_ctl_path};
use crate::pty::Terminal;

/// How long they come and go, and after how long memory is looked at first.
const SHORT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(12));
const LONG: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(300));
/// Each of them once a second, by two that take turns: a start may take longer than a second.
const TURN: Duration = Duration::from_secs(2);
/// No more run at a time than have room on the screen, and no fewer than can be told apart.
const MOST: usize = 14;
const FEWEST: usize = 6;
/// So many of those that were stopped are kept.
const STOPPED: usize = 5;
/// What the dashboard may take more at the end than when it was warm, in KiB. What an allocator does not give
/// back at once is more than what a row takes.
const GROWTH: u64 = 2048;
/// By then the screen is what a listing is. Sooner than the dashboard lists anew of its own accord.
const SETTLED: Duration = Duration::from_secs(20);

/// What is done to them.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Start,
    Stop,
    Restart,
}

/// Containers that come and go.
struct Churn<'a> {
    lab: &'a Lab,
    image: String,
    running: Mutex<VecDeque<String>>,
    stopped: Mutex<VecDeque<String>>,
    made: AtomicU32,
    ended: AtomicU32,
    restarted: AtomicU32,
    over: AtomicBool,
}

impl<'a> Churn<'a> {
    fn new(lab: &'a Lab) -> Self {
        let tree = lab.tree("app");
        tree.all_scripts()
            .script("monitor", "echo \"{\\\"queue\\\":$(date +%S)}\"")
            .defaults(r#"{"ww":{"monitor":{"interval":"500ms"}}}"#);
        Self {
            lab,
            image: lab.image(&tree),
            running: Mutex::default(),
            stopped: Mutex::default(),
            made: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            restarted: AtomicU32::new(0),
            over: AtomicBool::new(false),
        }
    }

    fn start(&self) {
        if lock(&self.running).len() >= MOST {
            return;
        }
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let name = self.lab.named(&format!("c{number}"));
        run(Command::new("docker")
            .args(["run", "-d", "--tmpfs", "/data", "--name", &name])
            .args(["--label", &self.lab.label(), &self.image]))
        .expect(0);
        lock(&self.running).push_back(name);
    }

    fn stop(&self) {
        let oldest = {
            let mut running = lock(&self.running);
            if running.len() <= FEWEST {
                return;
            }
            running.pop_front()
        };
        let Some(name) = oldest else { return };
        docker(["stop", "-t", "30", &name]).expect(0);
        self.ended.fetch_add(1, Ordering::SeqCst);
        let gone = {
            let mut stopped = lock(&self.stopped);
            stopped.push_back(name);
            (stopped.len() > STOPPED).then(|| stopped.pop_front())
        };
        if let Some(Some(name)) = gone {
            docker(["rm", "-fv", &name]).expect(0);
        }
    }

    /// By turns what runs in it, and all of it.
    fn restart(&self) {
        let middle = {
            let running = lock(&self.running);
            running.get(running.len() / 2).cloned()
        };
        let Some(name) = middle else { return };
        if self
            .restarted
            .fetch_add(1, Ordering::SeqCst)
            .is_multiple_of(2)
        {
            // It may just have been stopped; that is no matter here.
            docker(["kill", "-s", "HUP", &name]);
        } else {
            docker(["restart", "-t", "30", &name]);
        }
    }

    /// Does it every other second until it is over.
    fn goes_on(&self, deed: Deed, first: Duration) {
        let mut due = now() + first;
        while !self.over.load(Ordering::SeqCst) {
            let wait = due.saturating_duration_since(now());
            if !wait.is_zero() {
                std::thread::sleep(wait.min(Duration::from_millis(50)));
                continue;
            }
            match deed {
                Deed::Start => self.start(),
                Deed::Stop => self.stop(),
                Deed::Restart => self.restart(),
            }
            due = now().max(due + TURN);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no panic while held")
}

/// What a process has in memory that is its own, in KiB. How much of its program's file is there beside it
/// depends on which of its ways were taken.
fn memory(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .expect("its memory");
    let kib = line.trim().trim_end_matches(" kB");
    kib.parse().expect("a number")
}

/// Says at the end of the test, however it ends, that it is over.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Watches for as long as they come and go; memory when it was warm, and at the end.
#[expect(
    clippy::print_stdout,
    reason = "how memory went over an hour is what one wants to know"
)]
fn watched(terminal: &mut Terminal, pid: &str, length: Duration, warm: Duration) -> (u64, u64) {
    let begun = now();
    let mut at_first = None;
    let mut told = Duration::ZERO;
    // The most of the last tenth: between two frames it is now more, now less.
    let mut at_last = 0;
    loop {
        terminal.look();
        // Nobody reads what was on the screen an hour ago.
        terminal.raw.clear();
        let passed = begun.elapsed();
        if passed >= warm && at_first.is_none() {
            at_first = Some(memory(pid));
        }
        if passed >= length * 9 / 10 {
            at_last = at_last.max(memory(pid));
        }
        if passed >= told {
            println!("{:>5} s {:>6} KiB", passed.as_secs(), memory(pid));
            told += Duration::from_secs(60);
        }
        if passed >= length {
            return (at_first.expect("it is warm"), at_last);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Each container's state as a fresh listing has it.
fn listed(own: &str) -> BTreeMap<String, String> {
    let listed = ww_ctl(["ls", "-a", "-o", "json", &format!("{own}*")]).expect(0);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let containers = listed["containers"].as_array().expect("containers");
    let of = |one: &Value, key: &str| one[key].as_str().expect("text").to_owned();
    containers
        .iter()
        .map(|one| (of(one, "name"), of(one, "state")))
        .collect()
}

/// The names on the screen, and whether each stands in a line with the state it is listed with.
fn is_as_listed(screen: &str, own: &str, listed: &BTreeMap<String, String>) -> bool {
    let named: BTreeSet<&str> = screen
        .split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '-'))
        .filter(|word| word.starts_with(own) && *word != own)
        .collect();
    let is_shown = |(name, state): (&String, &String)| {
        let has = |line: &str, wanted: &str| line.split_whitespace().any(|word| word == wanted);
        screen
            .lines()
            .any(|line| has(line, name) && has(line, state))
    };
    named.len() == listed.len() && listed.iter().all(is_shown)
}

#[test]
fn the_dashboard_stays_true_while_containers_come_and_go() {
    let (length, warm) = if is_soak() { LONG } else { SHORT };
    let lab = Lab::new("churn");
    let own = lab.named("c");
    let churn = Churn::new(&lab);
    let file = lab.directory("top").join("pid");
    let shell = dashboard(&file, &own);
    for _ in 0..FEWEST {
        churn.start();
    }
    let mut terminal = Terminal::new(&shell, 60, 160);
    terminal.shows("the dashboard", |screen| screen.contains(&own));
    let pid = until("its process", || {
        let pid = std::fs::read_to_string(&file).ok()?;
        pid.ends_with('\n').then(|| pid.trim().to_owned())
    });
    let (before, after) = std::thread::scope(|scope| {
        let over = Over(&churn.over);
        for deed in [Deed::Start, Deed::Stop, Deed::Restart] {
            for first in [Duration::ZERO, TURN / 2] {
                let churn = &churn;
                scope.spawn(move || churn.goes_on(deed, first));
            }
        }
        let memory = watched(&mut terminal, &pid, length, warm);
        drop(over);
        memory
    });
    let done = |count: &AtomicU32| count.load(Ordering::SeqCst);
    println!(
        "in {} s {} were started, {} stopped, {} restarted; {before} KiB when it was warm, {after} KiB at the end",
        length.as_secs(),
        done(&churn.made),
        done(&churn.ended),
        done(&churn.restarted)
    );
    let begun = now();
    let fresh = until("all to be up or down", || {
        terminal.look();
        let fresh = listed(&own);
        let is_settled = |state: &String| state == "UP" || state == "DOCKERDOWN";
        fresh.values().all(is_settled).then_some(fresh)
    });
    terminal.shows("what a fresh listing has", |screen| {
        is_as_listed(screen, &own, &fresh)
    });
    let settled = begun.elapsed();
    println!("as listed after {} ms", settled.as_millis());
    assert!(settled < SETTLED, "{settled:?}");
    assert!(
        after < before + GROWTH,
        "{before} KiB have become {after} KiB"
    );
    terminal.keys("q");
    terminal.shows("its end", |screen| screen.contains("left with 0"));
}

/// The dashboard of these containers, whichever state they are in; its process's number goes into the file.
fn dashboard(file: &Path, own: &str) -> String {
    format!(
        "sh -c 'echo $$ > {}; exec {} top -a \"{own}*\"'; echo left with $?",
        file.display(),
        ww_ctl_path().display()
    )
}
