//! One run of an agent: a script misbehaves, a stop comes, and everything about the end is looked at.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::behaviour::Behaviour;
use crate::bound::{Bound, CAP, GRACE, SERVICE, SLACK};
use crate::harness::{Agent, Image, now, until};
use crate::row::{Row, SCRIPTS, Turn, WAY, scripts};

/// A script, and what it does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) row: &'a Row,
    pub(crate) behaviour: Behaviour,
}

impl Cell<'_> {
    /// About how long it takes: what takes longest is begun first.
    pub(crate) fn length(&self) -> Duration {
        let spare = if self.behaviour == Behaviour::Forks {
            Duration::from_millis(400)
        } else {
            Duration::ZERO
        };
        self.row.bound(self.behaviour).most() + spare
    }

    fn image(&self) -> Image {
        let Row { state, script, .. } = self.row;
        let cfg = format!(
            r#"{{"ww":{{"monitor":{{"interval":"20ms"}},
                "restart":{{"backoff":"1h","backoff_max":"1h","warmup":{warmup}}},
                "stop":{{"grace":"{grace}ms","timeout":"{cap}ms"}}{services}}}}}"#,
            services = self.settings(),
            warmup = *script == "warmup",
            grace = GRACE.as_millis(),
            cap = CAP.as_millis()
        );
        // The first time it runs in the row's state; it is harmless otherwise.
        let body = format!(
            "[ \"$WW_STATE\" = {state} ] && [ ! -e \"$ROOT/begun\" ] || exit 0\n: > \"$ROOT/begun\"\n{}",
            self.behaviour.body()
        );
        let image = Image::new().cfg(&cfg);
        if self.row.is_service() {
            let path = format!("ww/usr/{script}");
            return image
                .variable("AGENT", env!("CARGO_BIN_EXE_ww-agent"))
                .file(&path, self.service().as_bytes(), 0o755);
        }
        let image = match (*script, self.row.turn) {
            (_, Turn::Failure) => image.script(
                "warmup",
                "until [ -e \"$ROOT/go\" ]; do sleep 0.01; done; exit 1",
            ),
            ("pushstats", _) => image.script("monitor", "echo '{}'"),
            _ => image,
        };
        if matches!(*script, "lifecycle" | "pushstats") {
            // They run beside the others and have no place in their order.
            let text = format!("#!/bin/sh\n{body}\n");
            image.file(&format!("ww/usr/{script}"), text.as_bytes(), 0o755)
        } else {
            image.script(script, &body)
        }
    }

    /// Whether the service is to say when it is ready, which it then never does when it misbehaves.
    fn notifies(&self) -> bool {
        self.row.is_service() && self.row.turn != Turn::Later
    }

    fn settings(&self) -> String {
        if !self.row.is_service() {
            return String::new();
        }
        format!(
            r#","services":{{"web":{{"notify":{},"stop_timeout":"{}ms"}}}}"#,
            self.notifies(),
            SERVICE.as_millis()
        )
    }

    /// The service: it misbehaves once, and does well before and after that.
    fn service(&self) -> String {
        let (state, wait) = if self.row.turn == Turn::Later {
            ("WARMUP", "until [ -e \"$ROOT/go\" ]; do sleep 0.01; done")
        } else {
            (self.row.state, "")
        };
        let ready = if self.notifies() {
            "\"$AGENT\" notify --ready"
        } else {
            ""
        };
        format!(
            "#!/bin/sh\nif [ \"$WW_STATE\" != {state} ] || [ -e \"$ROOT/begun\" ]; then\n{ready}\n\
             exec sleep 1000\nfi\n: > \"$ROOT/begun\"\n{wait}\n{}\n",
            self.behaviour.body()
        )
    }

    /// Runs it.
    pub(crate) fn run(&self) {
        let (reading, writing) = nix::unistd::pipe().unwrap();
        let image = self.image();
        let image = if self.behaviour == Behaviour::Floods {
            image.stdout(writing)
        } else {
            image
        };
        let mut agent = image.start();
        let mut begun = now();
        match self.row.turn {
            Turn::Start => {}
            Turn::Later => {
                wait_states(&agent, &WAY);
                begun = now();
                fs::write(agent.path("go"), "").unwrap();
            }
            Turn::Restart => {
                wait_states(&agent, &WAY);
                begun = now();
                agent.signal(Signal::SIGHUP);
            }
            Turn::Stop | Turn::OneStop => {
                wait_states(&agent, &WAY);
                begun = now();
                agent.signal(Signal::SIGTERM);
            }
            Turn::Failure => {
                wait_states(&agent, &WAY[..4]);
                // Before it can end by itself.
                agent.pid();
                begun = now();
                fs::write(agent.path("go"), "").unwrap();
            }
        }
        if self.behaviour.is_running() {
            self.stop_while_it_runs(&mut agent, begun);
        } else {
            self.stop_after_it_ended(&mut agent);
        }
        let left = left(&agent.path(""));
        assert!(left.is_empty(), "left: {left:?}");
        drop(reading);
    }

    fn stop_while_it_runs(&self, agent: &mut Agent, begun: Instant) {
        wait_ready(agent);
        let (row, behaviour) = (self.row, self.behaviour);
        let mut stopped = now();
        if row.turn == Turn::OneStop {
            stopped = begun;
        } else {
            agent.signal(Signal::SIGTERM);
        }
        let (state, code) = row.last(behaviour);
        assert_eq!(agent.exit(), code, "exit code");
        let ended = now();
        let bound = row.bound(behaviour);
        within(&bound, ended - stopped, ended - begun);
        let mut log = scripts_run(agent);
        if behaviour.leaves_one_behind() {
            assert_eq!(log.pop().as_deref(), Some("told"), "{log:?}");
        }
        let states = states(&agent.stderr());
        if row.is_beside() {
            assert!(is_a_life(&states, &log), "{states:?} {log:?}");
            assert!(states.starts_with(&owned(&row.before())), "{states:?}");
        } else {
            let mut expected = row.before();
            expected.extend((expected.last() != Some(&state)).then_some(state));
            assert_eq!(states, expected);
            assert_eq!(log, scripts(row.cut), "scripts");
        }
        assert_eq!(states.last().map(String::as_str), Some(state));
    }

    fn stop_after_it_ended(&self, agent: &mut Agent) {
        let (row, behaviour) = (self.row, self.behaviour);
        let (state, code) = row.last(behaviour);
        let rests = row.after(behaviour);
        let ends_itself = matches!(rests.last(), Some(&"STOPPED" | &"ERROR"));
        let mut stopped = now();
        if !ends_itself {
            // What a service leaves behind is told to go at once, before it can say anything.
            if !(row.is_service() && behaviour == Behaviour::Daemonises) {
                wait_ready(agent);
            }
            wait_states(agent, &rests);
            if let Some(complaint) = row.complaint(behaviour) {
                agent.wait_stderr(&complaint);
            }
            stopped = now();
            agent.signal(Signal::SIGTERM);
        }
        assert_eq!(agent.exit(), code, "exit code");
        if !ends_itself {
            let took = now() - stopped;
            within(&row.bound(behaviour), took, took);
        }
        let mut expected = rests;
        expected.extend((expected.last() != Some(&state)).then_some(state));
        assert_eq!(states(&agent.stderr()), expected);
        if let Some(complaint) = row.complaint(behaviour) {
            let stderr = agent.stderr();
            assert!(stderr.contains(&complaint), "{complaint}: {stderr}");
        }
        let mut expected = scripts(row.end(behaviour).scripts);
        if behaviour.leaves_one_behind() {
            // What `svcdown` leaves in its group must be gone before the services come back.
            let place = if (row.state, row.script) == ("RESTARTING", "svcdown") {
                SCRIPTS.len() + 1
            } else if row.is_service() {
                // So is what a service leaves, and before that a stop goes on.
                expected.len() - 1
            } else {
                expected.len()
            };
            expected.insert(place, "told");
        }
        assert_eq!(scripts_run(agent), expected, "scripts");
    }
}

fn within(bound: &Bound, took: Duration, since_begun: Duration) {
    let (least, most) = (bound.least(), bound.most() + SLACK);
    assert!(
        took >= least && took <= most && since_begun >= bound.least_since_begin(),
        "took {took:?}, {since_begun:?} in all, for {bound}: {least:?} to {most:?}"
    );
}

/// The scripts that have run, in order.
fn scripts_run(agent: &Agent) -> Vec<String> {
    let mut log = agent.log();
    // A check comes again and again.
    log.dedup();
    log
}

fn wait_ready(agent: &Agent) {
    let path = agent.path("ready");
    until("the script to misbehave", || path.exists().then_some(()));
}

fn wait_states(agent: &Agent, expected: &[&str]) {
    until(&format!("{expected:?}"), || {
        (states(&agent.stderr()) == expected).then_some(())
    });
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// The states the agent has told of in its log.
fn states(stderr: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for line in stderr.split_inclusive('\n') {
        let Some(text) = line
            .strip_prefix("ww-agent: ")
            .filter(|_| line.ends_with('\n'))
        else {
            continue;
        };
        let text = text.strip_prefix("error: ").unwrap_or(text);
        if let Some((state, _)) = text.split_once(": container started") {
            seen.push(state.to_owned());
        } else if let Some((_, rest)) = text.split_once(" -> ")
            && let Some((state, _)) = rest.split_once(" after ")
        {
            seen.push(state.to_owned());
        }
    }
    seen
}

/// Whether these scripts are those of these states, cut short anywhere.
fn is_a_life(states: &[String], log: &[String]) -> bool {
    let whole = log.len() >= SCRIPTS.len();
    let (way, rest) = log.split_at(log.len().min(SCRIPTS.len()));
    let begun = log.iter().any(|script| script == "svcup");
    let rest = rest.join(" ");
    if states.iter().any(|state| state == "RESTARTING") {
        return whole && way == SCRIPTS && ["svcdown", "svcdown svcup svcdown"].contains(&&*rest);
    }
    let way: Vec<_> = way.iter().filter(|script| *script != "svcdown").collect();
    let downs = log.iter().filter(|script| *script == "svcdown").count();
    way == SCRIPTS[..way.len()].iter().collect::<Vec<_>>()
        && downs == usize::from(begun)
        && (downs == 0 || log.last().is_some_and(|last| last == "svcdown"))
}

/// Processes that were started by this image's agent or its scripts: they carry its place in their
/// environment. Looked for from outside.
fn left(root: &Path) -> Vec<String> {
    let mark = format!("ROOT={}", root.display());
    let mark = mark.trim_end_matches('/');
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark.as_bytes())
        })
        .map(|entry| {
            let status = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            status.chars().take(60).collect()
        })
        .collect()
}
