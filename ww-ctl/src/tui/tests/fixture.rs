//! A fabricated fleet, made of what engines and agents would say.

use std::fmt::Write as _;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{
    FromAgent, HealthReport, HealthStatus, Hello, HookResult, HookRun, MonitorReport, PreviousBoot,
    Resources, Restarts, ServiceReport, ServiceStatus, Snapshot, StopBudget, StopStage, Stopping,
    TransitionReport,
};

use crate::fleet::{
    Backed, ContainerKey, EngineEvent, EngineState, HostName, Input, Keeping, LastBackup, Listed,
    Route, Stamp,
};
use crate::tui::configuration::Setting;
use crate::tui::model::{Access, Model};
use crate::tui::msg::{Cmd, Event, Msg, Printed, Said};
use crate::tui::update::update;

/// How long the program has run when the tests begin.
const ORIGIN: u64 = 10_000_000;

/// So many milliseconds after the tests' beginning.
pub(in crate::tui) fn at(millis: i64) -> Stamp {
    let moment = Duration::from_secs(ORIGIN).saturating_add_signed_millis(millis);
    Stamp {
        moment: Moment::at(moment),
        wall: wall(millis),
    }
}

trait SignedMillis {
    fn saturating_add_signed_millis(self, millis: i64) -> Self;
}

impl SignedMillis for Duration {
    fn saturating_add_signed_millis(self, millis: i64) -> Self {
        let by = Self::from_millis(millis.unsigned_abs());
        if millis < 0 {
            self.saturating_sub(by)
        } else {
            self.saturating_add(by)
        }
    }
}

pub(in crate::tui) fn wall(millis: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-22T14:00:00Z".parse().unwrap();
    begin + SignedDuration::from_millis(millis)
}

pub(in crate::tui) fn key(name: &str) -> ContainerKey {
    let mut id = String::new();
    for byte in name.bytes() {
        let _ = write!(id, "{byte:02x}");
    }
    ContainerKey {
        host: "local".into(),
        id: format!("{id:0<64}").into(),
    }
}

pub(in crate::tui) fn listed(name: &str, engine: EngineState, started: i64) -> Listed {
    Listed {
        id: key(name).id,
        name: name.into(),
        image: format!(
            "registry.example/shop/{}:2.4.1",
            name.split('-').next().unwrap()
        ),
        has_agent: true,
        labels: vec![
            ("io.whaleware.agent".into(), "1".into()),
            ("com.example.team".into(), "shop".into()),
        ],
        engine,
        created: Some(wall(started - 1000)),
        started: Some(wall(started)),
        finished: if engine.is_running() {
            None
        } else {
            Some(wall(started + 60_000))
        },
        keeping: Keeping::default(),
    }
}

/// A life as an agent would tell it; times in milliseconds from the tests' beginning.
pub(in crate::tui) struct Life {
    now: i64,
    booted: i64,
    transitions: Vec<TransitionReport>,
    hooks: Vec<HookRun>,
    running: Option<HookRun>,
    health: HealthReport,
    monitor: Option<MonitorReport>,
    restarts: u32,
    resources: Option<Resources>,
    services: Vec<ServiceReport>,
    stopping: Option<Stopping>,
    version: Option<String>,
    previous: Option<PreviousBoot>,
}

impl Life {
    pub(in crate::tui) fn new(booted: i64) -> Self {
        Self {
            now: booted,
            booted,
            transitions: Vec::new(),
            hooks: Vec::new(),
            running: None,
            health: HealthReport::default(),
            monitor: None,
            restarts: 0,
            services: Vec::new(),
            stopping: None,
            version: None,
            previous: None,
            resources: Some(Resources {
                at: wall(0),
                cpu_usec: Some(1),
                cpu_percent: Some(3.2),
                memory_bytes: Some(134 << 20),
                memory_limit: Some(512 << 20),
                pids: Some(23),
                oom_kills: Some(0),
            }),
        }
    }

    pub(in crate::tui) fn state(mut self, state: State, cause: &str) -> Self {
        let before = self.transitions.last();
        let lasted = before.map_or(0, |before| {
            wall(self.now).duration_since(before.at).as_millis()
        });
        if state == State::Restarting {
            self.restarts += 1;
        }
        self.transitions.push(TransitionReport {
            number: self.transitions.len() as u64 + 1,
            at: wall(self.now),
            from: before.map(|before| before.state),
            state,
            cause: cause.into(),
            lasted_ms: u64::try_from(lasted).unwrap(),
            restarts: self.restarts,
        });
        self
    }

    fn run(&mut self, hook: &str, result: HookResult, millis: i64, exit: Option<i32>) -> HookRun {
        let run = HookRun {
            run: self.hooks.len() as u64 + 1,
            hook: hook.into(),
            state: self.transitions.last().unwrap().state,
            at: wall(self.now),
            result,
            duration_ms: u64::try_from(millis).unwrap(),
            exit,
            detail: None,
            status: None,
            progress: None,
        };
        self.now += millis;
        run
    }

    pub(in crate::tui) fn ran(mut self, hook: &str, millis: i64) -> Self {
        let run = self.run(hook, HookResult::Ok, millis, Some(0));
        self.hooks.push(run);
        self
    }

    pub(in crate::tui) fn missing(mut self, hook: &str) -> Self {
        let run = self.run(hook, HookResult::Missing, 0, None);
        self.hooks.push(run);
        self
    }

    pub(in crate::tui) fn failed(mut self, hook: &str, millis: i64, exit: i32) -> Self {
        let mut run = self.run(hook, HookResult::Failed, millis, Some(exit));
        run.detail = Some(format!("exited {exit}"));
        self.hooks.push(run);
        self
    }

    pub(in crate::tui) fn runs(mut self, hook: &str, millis: i64) -> Self {
        self.running = Some(self.run(hook, HookResult::Running, millis, None));
        self
    }

    /// What the script that runs says of itself.
    pub(in crate::tui) fn says(mut self, status: &str, progress: u8) -> Self {
        if let Some(run) = &mut self.running {
            run.status = Some(status.into());
            run.progress = Some(progress);
        }
        self
    }

    /// A service that has stood like that for so many milliseconds.
    pub(in crate::tui) fn serves(mut self, name: &str, status: ServiceStatus, millis: i64) -> Self {
        self.services.push(ServiceReport {
            service: name.into(),
            status,
            since: wall(-millis),
            pid: (status == ServiceStatus::Up).then_some(31),
            restarts: 0,
            exit: None,
            detail: None,
            text: None,
            progress: None,
        });
        self
    }

    /// How the last service fell, and what it says.
    pub(in crate::tui) fn fell(mut self, detail: &str, restarts: u32, text: &str) -> Self {
        if let Some(service) = self.services.last_mut() {
            service.detail = Some(detail.into());
            service.restarts = restarts;
            service.text = Some(text.into());
        }
        self
    }

    /// A stop has been in a stage for so many milliseconds.
    pub(in crate::tui) fn in_stage(
        mut self,
        stage: StopStage,
        millis: i64,
        limit: Option<u64>,
    ) -> Self {
        self.stopping = Some(Stopping {
            stage,
            at: wall(-millis),
            limit_ms: limit,
        });
        self
    }

    /// Its image's version, and how the boot before ended so many milliseconds ago.
    pub(in crate::tui) fn after(mut self, version: &str, millis: i64, exit: Option<i32>) -> Self {
        self.version = Some(version.into());
        self.previous = Some(PreviousBoot {
            boot: "b0".into(),
            at: wall(-millis),
            state: if exit.is_some() {
                State::Error
            } else {
                State::Up
            },
            cause: "svcup exited 3".into(),
            exit,
        });
        self
    }

    pub(in crate::tui) fn later(mut self, millis: i64) -> Self {
        self.now += millis;
        self
    }

    pub(in crate::tui) fn uses(mut self, cpu: f64, megabytes: u64) -> Self {
        if let Some(resources) = &mut self.resources {
            resources.cpu_percent = Some(cpu);
            resources.memory_bytes = Some(megabytes << 20);
        }
        self
    }

    pub(in crate::tui) fn passing(mut self, value: Value) -> Self {
        self.health.status = HealthStatus::Passing;
        self.monitor = Some(MonitorReport {
            at: wall(-9000),
            exit: 0,
            duration_ms: 41,
            value: Some(value),
            text: None,
            truncated: false,
        });
        self
    }

    pub(in crate::tui) fn failing(mut self, failures: u32, detail: &str, value: Value) -> Self {
        self = self.passing(value);
        self.health.status = HealthStatus::Failing;
        self.health.failures = failures;
        self.health.detail = Some(detail.into());
        if let Some(monitor) = &mut self.monitor {
            monitor.exit = 1;
        }
        self
    }

    /// As it would be written on the socket at the tests' beginning.
    pub(in crate::tui) fn snapshot(self) -> FromAgent {
        let last = self.transitions.last().unwrap();
        let restart = self
            .transitions
            .iter()
            .rev()
            .find(|t| t.state == State::Restarting);
        FromAgent::Snapshot(Box::new(Snapshot {
            at: wall(0),
            booted: wall(self.booted),
            state: last.state,
            since: last.at,
            since_ms: u64::try_from(wall(0).duration_since(last.at).as_millis()).unwrap(),
            cause: last.cause.clone(),
            health: self.health,
            monitor: self.monitor,
            restarts: Restarts {
                total: self.restarts,
                in_a_row: self.restarts.min(2),
                max: 5,
                last: restart.map(|t| t.at),
                cause: restart.map(|t| t.cause.clone()),
            },
            running: self.running,
            stop: StopBudget {
                drain_ms: 0,
                svcdown_ms: None,
                services_ms: Some(0),
                grace_ms: 5000,
            },
            stopping: self.stopping,
            quiesced: None,
            services: self.services,
            version: self.version,
            previous: self.previous,
            transitions: self.transitions.clone(),
            hooks: self.hooks,
            omitted: 0,
            resources: self.resources,
            degraded: Vec::new(),
        }))
    }
}

/// A boot that went well.
pub(in crate::tui) fn up(booted: i64) -> Life {
    Life::new(booted)
        .state(State::Boot, "container started")
        .ran("boot", 420)
        .state(State::Upgrading, "data present")
        .missing("upgrade")
        .state(State::Warmup, "upgrade done")
        .ran("svcup", 2100)
        .ran("warmup", 8400)
        .state(State::Up, "warmup done")
}

fn health(connections: u32) -> Value {
    json!({
        "status": "ok",
        "connections": {"active": connections, "idle": 12, "max": 200},
        "queue": {"depth": 0, "oldest": null},
        "disk_free": "41 GB",
        "replication": true,
        "versions": ["2.4.1", "2.4.0"],
    })
}

/// Feeds a line of an agent.
pub(in crate::tui) fn tell(
    model: &mut Model,
    name: &str,
    frame: FromAgent,
    millis: i64,
) -> Vec<Cmd> {
    let input = Input::Frame {
        key: key(name),
        frame: Box::new(frame),
    };
    feed(model, input, millis)
}

pub(in crate::tui) fn feed(model: &mut Model, input: Input, millis: i64) -> Vec<Cmd> {
    update(
        model,
        Msg {
            at: at(millis),
            event: Event::Input(Box::new(input)),
        },
    )
}

/// An agent is reached and tells of its life.
pub(in crate::tui) fn reach(model: &mut Model, name: &str, life: Life) {
    feed(
        model,
        Input::Reached {
            key: key(name),
            route: Route::Direct,
        },
        0,
    );
    let hello = Hello {
        protocol: 1,
        agent: "0.1.0".into(),
        boot: format!("boot-{name}"),
        hostname: name.into(),
    };
    tell(model, name, FromAgent::Hello(hello), 0);
    tell(model, name, life.snapshot(), 0);
}

/// The state changes.
pub(in crate::tui) fn becomes(
    model: &mut Model,
    name: &str,
    state: State,
    cause: &str,
    millis: i64,
) {
    let restarts = model
        .fleet
        .get(&key(name))
        .unwrap()
        .agent
        .as_ref()
        .unwrap()
        .restarts
        .total;
    let report = TransitionReport {
        number: 100,
        at: wall(millis),
        from: None,
        state,
        cause: cause.into(),
        lasted_ms: 1000,
        restarts: restarts + u32::from(state == State::Restarting),
    };
    tell(model, name, FromAgent::State(report), millis);
}

pub(in crate::tui) fn empty(size: (u16, u16)) -> Model {
    Model::new([HostName::from("local")], Access::ReadWrite, size, at(0))
}

pub(in crate::tui) fn listing(containers: Vec<Listed>) -> Input {
    Input::Listing {
        host: "local".into(),
        skew: SignedDuration::ZERO,
        containers,
    }
}

/// Twelve containers that live different lives, and one that has no agent.
pub(in crate::tui) fn fleet() -> Model {
    let mut model = empty((160, 45));
    let running = EngineState::Running;
    let exited = |code| EngineState::Exited {
        code: Some(code),
        out_of_memory: false,
    };
    let mut plain = listed("redis-cache", running, -86_400_000);
    plain.has_agent = false;
    feed(
        &mut model,
        listing(vec![
            listed("api-1", running, -7_200_000),
            listed("api-2", running, -7_200_000),
            listed("billing", running, -700_000),
            listed("catalogue", running, -9_000),
            listed("frontend-eu-central-1a", running, -260_000_000),
            listed("importer", exited(0), -500_000),
            listed("ledger-db", running, -80_000),
            listed("legacy-erp", running, -300_000),
            listed("mailer", running, -90_000_000),
            listed("reports", running, -2_000),
            listed("search", running, -5_000_000),
            listed("sessions", running, -4_000_000),
            plain,
        ]),
        0,
    );
    lives(&mut model);
    backups(&mut model);
    update(
        &mut model,
        Msg {
            at: at(0),
            event: Event::Frame,
        },
    );
    model
}

fn backups(model: &mut Model) {
    let last = |name: &str, millis, verified| {
        let last = LastBackup {
            name: name.to_owned(),
            id: "20261122T131000Z-7f3a".into(),
            vault: "/srv/backup".into(),
            begun: wall(millis),
            consistency: "svcdown".into(),
            verified,
        };
        (key(name).id, Backed::Last(Box::new(last)))
    };
    let vault = "/srv/backup".to_owned();
    let found = vec![
        last("api-1", -11_100_000, true),
        last("billing", -750_000, false),
        last("frontend-eu-central-1a", -1_000_000_000, true),
        (key("legacy-erp").id, Backed::Never { vault }),
    ];
    let host = "local".into();
    feed(model, Input::Backups { host, found }, 0);
}

fn lives(model: &mut Model) {
    reach(model, "api-1", up(-7_200_000).passing(health(31)));
    reach(
        model,
        "api-2",
        up(-7_200_000).passing(health(28)).uses(12.4, 151),
    );
    reach(
        model,
        "billing",
        up(-700_000)
            .later(200_000)
            .state(State::Restarting, "monitor exited 1: queue stuck")
            .ran("svcdown", 3100)
            .ran("svcup", 2000)
            .state(State::Up, "restarted")
            .failing(2, "monitor exited 1", json!({"status": "degraded", "queue": {"depth": 4182, "oldest": "11m"}, "replication": false})),
    );
    reach(
        model,
        "catalogue",
        Life::new(-9000)
            .state(State::Boot, "container started")
            .ran("boot", 380)
            .state(State::Firstboot, "no /data/whaleup")
            .runs("firstboot", 8620)
            .uses(98.7, 212),
    );
    reach(
        model,
        "frontend-eu-central-1a",
        up(-260_000_000).passing(health(140)).uses(41.0, 1430),
    );
    reach(
        model,
        "ledger-db",
        up(-80_000)
            .later(40_000)
            .state(State::Restarting, "operator alice@ops1")
            .ran("svcdown", 6200)
            .runs("svcup", 4200),
    );
    reach(
        model,
        "mailer",
        up(-90_000_000)
            .passing(json!("all 3 queues drained"))
            .uses(0.1, 38),
    );
    reach(
        model,
        "legacy-erp",
        Life::new(-300_000)
            .state(State::Boot, "container started")
            .ran("boot", 900)
            .state(State::Firstboot, "no /data/whaleup")
            .failed("firstboot", 58_000, 3)
            .state(State::Error, "firstboot exited 3"),
    );
    let event = EngineEvent::Died {
        code: 1,
        out_of_memory: false,
    };
    let erp = key("legacy-erp");
    feed(model, Input::Engine { key: erp, event }, -240_000);
    feed(model, Input::Reaching(key("reports")), 0);
    reach(
        model,
        "search",
        up(-5_000_000)
            .later(4_900_000)
            .state(State::Stopped, "SIGTERM")
            .runs("svcdown", 9000),
    );
    reach(model, "sessions", up(-4_000_000).passing(health(9)));
    feed(
        model,
        Input::AgentLost {
            key: key("sessions"),
            reason: "connection closed".into(),
        },
        -42_000,
    );
}

/// Checks and samples of some minutes, so that there is a past to show.
pub(in crate::tui) fn lived(model: &mut Model, name: &str) {
    for turn in 0..40_i64 {
        let millis = turn * 6000;
        let monitor = MonitorReport {
            at: wall(millis),
            exit: 0,
            duration_ms: 30,
            value: Some(json!({
                "status": if turn == 39 { "slow" } else { "ok" },
                "queue": {"depth": (turn * 7) % 11, "oldest": null},
                "replication": true,
            })),
            text: None,
            truncated: false,
        };
        tell(model, name, FromAgent::Monitor(monitor), millis);
        let resources = Resources {
            at: wall(millis),
            cpu_usec: Some(1),
            cpu_percent: Some(f64::from(u8::try_from((turn * 13) % 80).unwrap())),
            memory_bytes: Some(u64::try_from(100 + turn).unwrap() << 20),
            memory_limit: Some(512 << 20),
            pids: Some(23),
            oom_kills: Some(0),
        };
        tell(model, name, FromAgent::Resources(resources), millis);
    }
    update(
        model,
        Msg {
            at: at(240_000),
            event: Event::Frame,
        },
    );
}

/// What an agent says it is configured with.
pub(in crate::tui) fn settings() -> Vec<Setting> {
    [
        (".db.host", "db1", "/ww/etc/50-db.json"),
        (".db.pool", "20", "WW_CONFIG"),
        (
            ".features",
            "[\"search\",\"export\"]",
            "/ww/etc/10-image.json",
        ),
        (".ww.monitor.interval", "10s", "default"),
    ]
    .map(|(path, value, layer)| Setting {
        path: path.into(),
        value: value.into(),
        layer: layer.into(),
    })
    .to_vec()
}

/// Presses keys: a character is itself, anything longer in angle brackets.
pub(in crate::tui) fn press(model: &mut Model, keys: &str, millis: i64) -> Vec<Cmd> {
    let mut commands = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let name = rest
            .strip_prefix('<')
            .and_then(|inner| inner.split_once('>'));
        let event = if let Some((name, after)) = name {
            rest = after;
            named(name)
        } else {
            rest = &rest[c.len_utf8()..];
            KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
        };
        commands.extend(update(
            model,
            Msg {
                at: at(millis),
                event: Event::Key(event),
            },
        ));
    }
    commands.retain(|command| *command != Cmd::Draw);
    commands
}

fn named(name: &str) -> KeyEvent {
    let (code, modifiers) = match name {
        "enter" => (KeyCode::Enter, KeyModifiers::NONE),
        "esc" => (KeyCode::Esc, KeyModifiers::NONE),
        "tab" => (KeyCode::Tab, KeyModifiers::NONE),
        "back" => (KeyCode::Backspace, KeyModifiers::NONE),
        "down" => (KeyCode::Down, KeyModifiers::NONE),
        "up" => (KeyCode::Up, KeyModifiers::NONE),
        "pgdn" => (KeyCode::PageDown, KeyModifiers::NONE),
        "pgup" => (KeyCode::PageUp, KeyModifiers::NONE),
        "left" => (KeyCode::Left, KeyModifiers::NONE),
        "right" => (KeyCode::Right, KeyModifiers::NONE),
        "^c" => (KeyCode::Char('c'), KeyModifiers::CONTROL),
        "^z" => (KeyCode::Char('z'), KeyModifiers::CONTROL),
        "^u" => (KeyCode::Char('u'), KeyModifiers::CONTROL),
        other => panic!("no key {other}"),
    };
    KeyEvent::new(code, modifiers)
}

/// A container has printed lines, each at so many milliseconds.
pub(in crate::tui) fn printed(
    key: &ContainerKey,
    lines: impl Iterator<Item = (i64, Said)>,
) -> Event {
    Event::Printed(Printed {
        key: key.clone(),
        is_anew: false,
        lines: lines.map(|(at, said)| (Some(wall(at)), said)).collect(),
    })
}

/// Uses the mouse at a place of the screen.
pub(in crate::tui) fn point(
    model: &mut Model,
    kind: MouseEventKind,
    (column, row): (u16, u16),
) -> Vec<Cmd> {
    let mouse = MouseEvent {
        kind,
        column,
        row,
        modifiers: KeyModifiers::NONE,
    };
    update(
        model,
        Msg {
            at: at(0),
            event: Event::Mouse(mouse),
        },
    )
}

/// The name of the row under the cursor.
pub(in crate::tui) fn selected(model: &Model) -> &str {
    model
        .selected()
        .map_or("", |container| container.name.as_str())
}

/// The names of all rows.
pub(in crate::tui) fn names(model: &Model) -> Vec<&str> {
    model
        .rows()
        .iter()
        .map(|key| model.shown().get(key).unwrap().name.as_str())
        .collect()
}

/// The Engine says that a container has another life.
pub(in crate::tui) fn started_anew(model: &mut Model, name: &str, millis: i64) {
    let event = EngineEvent::Started;
    feed(
        model,
        Input::Engine {
            key: key(name),
            event,
        },
        millis,
    );
}
