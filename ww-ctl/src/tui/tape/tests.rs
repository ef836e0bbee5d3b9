//! A story, recorded and told again.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use whaleware::lifecycle::{Moment, State};
use whaleware::protocol::{
    FromAgent, HealthReport, HealthStatus, Hello, MonitorReport, TransitionReport,
};

use super::*;
use crate::fleet::{EngineEvent, EngineState, HostName, Route};
use crate::selection::Selection;
use crate::tui::model::Access;
use crate::tui::plain::Plain;
use crate::tui::runtime::Start;
use crate::tui::settings::Settings;
use crate::tui::tests::fixture::{Life, at, key, listed, listing, up, wall};
use crate::tui::theme::{Look, Tint};

const HOST: &str = "local";

fn start() -> Start {
    Start {
        urls: BTreeMap::new(),
        selection: Selection::default(),
        access: Access::ReadOnly,
        look: Look::from_environment(Tint::Monochrome, |name| {
            (name == "LANG").then(|| "C.UTF-8".to_owned())
        }),
        fault: false,
        settings: Settings::default(),
    }
}

fn health(millis: i64, failures: u32) -> FromAgent {
    FromAgent::Health(HealthReport {
        status: if failures == 0 {
            HealthStatus::Passing
        } else {
            HealthStatus::Failing
        },
        failures,
        at: Some(wall(millis)),
        detail: (failures > 0).then(|| "monitor exited 1".into()),
    })
}

/// A small fleet in which a service fails its checks, is started anew, and is well again.
fn story() -> Vec<(Stamp, Input)> {
    let mut told = Vec::new();
    let mut tell = |millis: i64, input: Input| told.push((at(millis), input));
    let frame = |name: &str, frame: FromAgent| Input::Frame {
        key: key(name),
        frame: Box::new(frame),
    };
    let running = EngineState::Running;
    let names = ["api-1", "api-2", "billing", "mailer", "search"];
    let mut all: Vec<_> = names
        .iter()
        .map(|name| listed(name, running, -7_200_000))
        .collect();
    let ended = EngineState::Exited {
        code: Some(0),
        out_of_memory: false,
    };
    all.push(listed("report-nightly", ended, -90_000_000));
    tell(20, listing(all));
    let introduce = |name: &str, life: Life| {
        let hello = Hello {
            protocol: 1,
            agent: "0.1.0".into(),
            boot: format!("boot-{name}"),
            hostname: name.into(),
        };
        [
            Input::Reaching(key(name)),
            Input::Reached {
                key: key(name),
                route: Route::Direct,
            },
            frame(name, FromAgent::Hello(hello)),
            frame(name, life.snapshot()),
        ]
    };
    for (place, name) in (0..).zip(names) {
        for input in introduce(name, up(-7_200_000 + place)) {
            tell(40 + place, input);
        }
    }
    for second in 1..=40_i64 {
        let millis = second * 1000;
        let queue = if second < 20 { second * second } else { 3 };
        let monitor = MonitorReport {
            at: wall(millis),
            exit: i32::from(queue > 100),
            duration_ms: 12,
            value: Some(json!({"queue": queue, "workers": 4})),
            text: None,
            truncated: false,
        };
        tell(millis, frame("billing", FromAgent::Monitor(monitor)));
        let state = |state, cause: &str| {
            FromAgent::State(TransitionReport {
                number: 50 + u64::try_from(second).unwrap(),
                at: wall(millis),
                from: None,
                state,
                cause: cause.into(),
                lasted_ms: 1000,
                restarts: 1,
            })
        };
        match second {
            11..=18 => {
                let failures = u32::try_from(second - 10).unwrap();
                tell(millis + 5, frame("billing", health(millis, failures)));
            }
            19 => tell(
                millis + 5,
                frame("billing", state(State::Restarting, "watchdog")),
            ),
            22 => {
                tell(
                    millis + 5,
                    frame("billing", state(State::Up, "svcup finished")),
                );
                tell(millis + 6, frame("billing", health(millis, 0)));
            }
            30 => {
                let died = EngineEvent::Died {
                    code: 137,
                    out_of_memory: true,
                };
                let key = key("search");
                tell(millis + 5, Input::Engine { key, event: died });
            }
            _ => {}
        }
    }
    told
}

/// The recording that is kept in the repository, so that the dashboard can be looked at without Docker.
fn example() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/incident.jsonl"
    ))
}

fn record(path: &std::path::Path, story: &[(Stamp, Input)]) {
    let mut recorder = Recorder::create(path, &[HostName::from(HOST)], at(0)).unwrap();
    for (at, input) in story {
        assert_eq!(recorder.keep(*at, input), None);
    }
}

fn picture(story: impl IntoIterator<Item = (Stamp, Input)>, end: Stamp) -> String {
    let mut plain = Plain::new([HostName::from(HOST)], start(), 120, at(0));
    for (at, input) in story {
        plain.take(input, at);
    }
    plain.draw(end)
}

fn all(mut replay: Replay) -> Result<Vec<(Stamp, Input)>, ReplayError> {
    let mut told = Vec::new();
    while let Some(one) = replay.tell()? {
        told.push(one);
    }
    Ok(told)
}

fn open(text: &[u8]) -> Result<Replay, ReplayError> {
    Replay::read(Box::new(Cursor::new(text.to_vec())), Speed::default())
}

fn refused(text: &[u8]) -> String {
    open(text).and_then(all).unwrap_err().to_string()
}

#[test]
fn what_is_recorded_gives_the_same_pictures_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.jsonl");
    let story = story();
    record(&path, &story);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let replayed = all(Replay::open(&path, Speed::default()).unwrap()).unwrap();
    assert_eq!(replayed.len(), story.len());
    for end in [1, 8, 40, 60, story.len()] {
        let stamp = story[end - 1].0;
        assert_eq!(replayed[end - 1].0, stamp);
        let was = picture(story[..end].to_vec(), stamp);
        assert_eq!(picture(replayed[..end].to_vec(), stamp), was);
    }
    insta::assert_snapshot!("end", picture(replayed, story.last().unwrap().0));
    let again = Recorder::create(&path, &[], at(0)).unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
}

#[test]
fn how_far_a_clock_was_ahead_is_told_to_the_nanosecond() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.jsonl");
    let ahead = [-3_600_000_000_001, 0, 1, 2_500_000_007];
    let story = ahead.map(|nanos| {
        let listing = Input::Listing {
            host: HOST.into(),
            skew: SignedDuration::from_nanos(nanos),
            containers: Vec::new(),
        };
        (at(20), listing)
    });
    record(&path, &story);
    let told = all(Replay::open(&path, Speed::default()).unwrap()).unwrap();
    let skews = told.into_iter().map(|(_, input)| {
        let Input::Listing { skew, .. } = input else {
            panic!("{input:?} is no listing");
        };
        skew.as_nanos()
    });
    assert_eq!(skews.collect::<Vec<_>>(), ahead.map(i128::from));
}

/// `INSTA_UPDATE=always` writes it anew, as it does snapshots.
#[test]
fn the_example_is_of_this_format() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.jsonl");
    record(&path, &story());
    let now = std::fs::read_to_string(&path).unwrap();
    #[expect(clippy::disallowed_methods, reason = "insta's own variable")]
    let update = std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always");
    if update {
        std::fs::write(example(), &now).unwrap();
    }
    let kept = std::fs::read_to_string(example()).unwrap();
    // The first line tells of the program's version, which is another with each release.
    assert!(
        now.lines().skip(1).eq(kept.lines().skip(1)),
        "examples/incident.jsonl is not what is written now"
    );
}

#[test]
fn what_is_no_recording_or_damaged_is_refused_by_its_line() {
    let kept = std::fs::read(example()).unwrap();
    let lines: Vec<&[u8]> = kept.split_inclusive(|byte| *byte == b'\n').collect();
    for foreign in [
        &b""[..],
        b"\n",
        b"{}\n",
        b"{\"whaleware\":\"audit\",\"version\":1}\n",
        b"\x7fELF\x02\n",
        b"[1,2]\n",
        lines[3],
    ] {
        assert!(refused(foreign).contains("no recording"));
    }
    let newer = b"{\"whaleware\":\"recording\",\"version\":2,\"tapes\":[]}\n";
    assert!(refused(newer).contains("version 2"));
    let mut damaged = lines[..7].concat();
    damaged.extend(b"{\"at\":7}\n");
    damaged.extend(lines[8]);
    assert!(refused(&damaged).starts_with("line 8: it cannot be understood"));
    let mut backwards = lines[..30].concat();
    backwards.extend(lines[2]);
    assert!(refused(&backwards).starts_with("line 31: it is of a time before"));
    let mut long = lines[0].to_vec();
    long.resize(long.len() + LONGEST + 10, b' ');
    assert!(refused(&long).contains("line 2: it is longer than 32 MiB"));
}

/// All that is left of it, and how it is told then.
fn rest(replay: &mut Replay) -> (Vec<Stamp>, Telling) {
    let mut told = Vec::new();
    while !replay.is_over() {
        match replay.tell() {
            Ok(one) => told.extend(one.map(|(at, _)| at)),
            Err(ReplayError::Damaged { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    (told, replay.telling())
}

#[test]
fn what_is_wrong_with_its_end_is_told() {
    let kept = std::fs::read(example()).unwrap();
    let lines: Vec<&[u8]> = kept.split_inclusive(|byte| *byte == b'\n').collect();
    let (told, telling) = rest(&mut open(&kept).unwrap());
    assert_eq!(
        (told.len(), telling.end),
        (lines.len() - 1, Some(End::Whole))
    );
    let length = Duration::from_secs(40);
    assert_eq!(telling.length, Some(length));
    // One that was killed while it wrote has told all that is whole.
    for missing in [1, 5, lines.last().unwrap().len() - 1] {
        let cut = &kept[..kept.len() - missing];
        let (told, telling) = rest(&mut open(cut).unwrap());
        assert_eq!((told.len(), telling.end), (lines.len() - 2, Some(End::Cut)));
        assert_eq!(telling.length, Some(Duration::from_secs(39)));
    }
    // What is damaged stays told when one goes back from there.
    let mut damaged = lines[..7].concat();
    damaged.extend(b"{\"at\":7}\n");
    damaged.extend(lines[8..].concat());
    let mut replay = open(&damaged).unwrap();
    assert_eq!(replay.telling().harm, None);
    let (told, telling) = rest(&mut replay);
    assert_eq!(told.len(), 6);
    assert_eq!(telling.harm.as_deref(), Some("line 8 is damaged"));
    assert!(matches!(telling.end, Some(End::Harmed(reason)) if reason.starts_with("line 8: ")));
    assert_eq!(telling.length, Some(length));
    assert_eq!(replay.wind(Wind::Back, Moment::default()), Ok(true));
    let telling = replay.telling();
    assert_eq!(
        (telling.harm.as_deref(), telling.end),
        (Some("line 8 is damaged"), None)
    );
}

#[test]
fn one_goes_through_it_as_one_likes() {
    let kept = std::fs::read(example()).unwrap();
    let speed: Speed = "10".parse().unwrap();
    let mut replay = Replay::read(Box::new(Cursor::new(kept)), speed).unwrap();
    let now = |millis: u64| Moment::at(Duration::from_millis(500_000 + millis));
    let catch_up = |replay: &mut Replay, millis: u64| {
        let mut told = 0;
        while replay.wait(now(millis)) == Some(Duration::ZERO) {
            told += usize::from(replay.tell().unwrap().is_some());
        }
        (told, replay.at(now(millis)))
    };
    replay.begin(now(0));
    let (told, seen) = catch_up(&mut replay, 550);
    assert_eq!((told, seen), (26, at(5500)));
    // Paused, no time goes by, and nothing is told.
    assert_eq!(replay.wind(Wind::Pause, now(550)), Ok(false));
    assert!(replay.telling().paused);
    assert_eq!(replay.wait(now(90_000)), None);
    assert_eq!(catch_up(&mut replay, 90_000), (0, at(5500)));
    // One event further each time.
    for millis in [6000, 7000, 8000, 9000, 10_000, 11_000, 11_005] {
        replay.wind(Wind::Step, now(90_000)).unwrap();
        assert_eq!(catch_up(&mut replay, 90_000), (1, at(millis)));
    }
    // Ten seconds on, and paused still.
    replay.wind(Wind::Forward, now(91_000)).unwrap();
    let (told, seen) = catch_up(&mut replay, 91_000);
    assert_eq!((told, seen), (18, at(21_005)));
    // And back, from the beginning up to there.
    assert_eq!(replay.wind(Wind::Back, now(92_000)), Ok(true));
    let (told, seen) = catch_up(&mut replay, 92_000);
    assert_eq!((told, seen), (32, at(11_005)));
    // Twice as fast, a second is twenty.
    replay.wind(Wind::Faster, now(93_000)).unwrap();
    replay.wind(Wind::Pause, now(93_000)).unwrap();
    assert_eq!(catch_up(&mut replay, 93_100).1, at(13_005));
    replay.wind(Wind::Slower, now(93_100)).unwrap();
    replay.wind(Wind::Slower, now(93_100)).unwrap();
    assert_eq!(replay.telling().speed.to_string(), "x5");
    assert_eq!(catch_up(&mut replay, 93_200).1, at(13_505));
    // From before the beginning it is told from the beginning.
    for _ in 0..2 {
        assert_eq!(replay.wind(Wind::Back, now(94_000)), Ok(true));
    }
    assert_eq!(catch_up(&mut replay, 94_000), (0, at(0)));
    // At its end there is only a way back.
    for _ in 0..9 {
        let _at_its_end = replay.wind(Wind::Forward, now(94_000));
        catch_up(&mut replay, 94_000);
    }
    assert!(replay.is_over());
    for wind in [Wind::Pause, Wind::Step, Wind::Forward] {
        assert!(replay.wind(wind, now(95_000)).is_err());
    }
    assert_eq!(replay.wind(Wind::Back, now(999_000)), Ok(true));
    assert_eq!(catch_up(&mut replay, 999_000).1, at(30_000));
    assert!(!replay.is_over());
}

#[test]
fn speeds_have_limits_that_are_told() {
    let mut replay = open(&std::fs::read(example()).unwrap()).unwrap();
    let mut refused = |wind| {
        let wound = (0..40).map(|_| replay.wind(wind, Moment::default()));
        wound.filter_map(Result::err).last()
    };
    let fastest = refused(Wind::Faster);
    assert_eq!(fastest.as_deref(), Some("x8192 is as far as it goes"));
    let slowest = refused(Wind::Slower);
    assert_eq!(slowest.as_deref(), Some("x0.015625 is as far as it goes"));
}

#[test]
fn how_long_it_is_is_known_however_long_its_last_line_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.jsonl");
    for count in [0, 1, 200, 2000] {
        let names = (0..count).map(|number| format!("many-{number}"));
        let listed = names.map(|name| listed(&name, EngineState::Running, 0));
        let story = [
            (at(20), listing(Vec::new())),
            (at(7000), listing(listed.collect())),
        ];
        record(&path, &story);
        let replay = Replay::open(&path, Speed::default()).unwrap();
        let length = Some(Duration::from_secs(7));
        assert_eq!(replay.telling().length, length, "{count}");
        std::fs::remove_file(&path).unwrap();
    }
    // One that has just been begun.
    record(&path, &[]);
    let telling = Replay::open(&path, Speed::default()).unwrap().telling();
    assert_eq!(
        (telling.length, telling.end),
        (Some(Duration::ZERO), Some(End::Whole))
    );
}

/// What is read once, as from a pipe.
struct Pipe(Cursor<Vec<u8>>);

impl std::io::Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl std::io::BufRead for Pipe {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

impl std::io::Seek for Pipe {
    fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
        Err(std::io::ErrorKind::NotSeekable.into())
    }
}

#[test]
fn what_comes_through_a_pipe_has_no_length_and_no_way_back() {
    let kept = std::fs::read(example()).unwrap();
    let lines = String::from_utf8_lossy(&kept).lines().count();
    let pipe = Box::new(Pipe(Cursor::new(kept)));
    let mut replay = Replay::read(pipe, Speed::default()).unwrap();
    assert_eq!(replay.telling().length, None);
    let refused = replay.wind(Wind::Back, Moment::default()).unwrap_err();
    assert!(refused.contains("no way back"), "{refused}");
    let (told, telling) = rest(&mut replay);
    assert_eq!((told.len(), telling.end), (lines - 1, Some(End::Whole)));
}

#[test]
fn time_goes_by_as_fast_as_is_asked_and_never_past_what_is_not_told() {
    let kept = std::fs::read(example()).unwrap();
    let speed: Speed = "10".parse().unwrap();
    let mut replay = Replay::read(Box::new(Cursor::new(kept)), speed).unwrap();
    let now = |millis: u64| Moment::at(Duration::from_millis(500_000 + millis));
    replay.begin(now(0));
    assert_eq!(replay.at(now(0)), at(0));
    assert_eq!(replay.wait(now(0)), Some(Duration::from_millis(2)));
    assert_eq!(replay.at(now(1)), at(10));
    assert_eq!(replay.at(now(5000)), at(20));
    assert_eq!(replay.wait(now(5000)), Some(Duration::ZERO));
    let mut last = at(0);
    while let Some((stamp, _)) = replay.tell().unwrap() {
        assert!(stamp.moment >= last.moment);
        last = stamp;
    }
    assert_eq!(replay.at(now(999_999)), last);
    assert_eq!(replay.wait(now(999_999)), None);
    for wrong in ["0", "-1", "NaN", "inf", "fast", "1e9"] {
        assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_recording_and_is_told() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut recorder = Recorder::begin(full).unwrap();
    let stopped = recorder.stopped().unwrap();
    let (stamp, input) = story().remove(0);
    assert_eq!(recorder.keep(stamp, &input), None);
    assert!(stopped.await.unwrap().contains("No space left"));
    // Nor does it hurt to go on.
    assert_eq!(recorder.keep(stamp, &input), None);
}
