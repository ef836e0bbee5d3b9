//! Keys to commands, news to what is done about them.

use crossterm::event::{MouseButton, MouseEventKind};
use whaleware::lifecycle::State;
use whaleware::protocol::{FromAgent, Hello, Resources};

use super::fixture::{
    self, at, becomes, empty, feed, fleet, key, listed, listing, names, point, press, reach,
    selected, started_anew, tell, up,
};
use crate::fleet::{EngineEvent, EngineState, HostName, Input};
use crate::tui::columns::{Column, Columns};
use crate::tui::configuration::{Configuration, Setting};
use crate::tui::filter::Filter;
use crate::tui::history::Gauge;
use crate::tui::lanes::{Body, Standing, Zoom};
use crate::tui::model::{Access, Flow, Focus, Mode, Model, Tab};
use crate::tui::msg::{Cmd, Event, Msg, Reply, Request, Verb};
use crate::tui::operation::{Manner, Progress, equivalent};
use crate::tui::path::Path;
use crate::tui::sort::{Direction, SortKey};
use crate::tui::update::update;

fn frame(model: &mut Model, millis: i64) -> Vec<Cmd> {
    update(
        model,
        Msg {
            at: at(millis),
            event: Event::Frame,
        },
    )
}

fn request(model: &Model, name: &str, verb: Verb) -> Cmd {
    let container = Box::new(model.fleet.get(&key(name)).unwrap().clone());
    Cmd::Act(Request { verb, container })
}

fn notice(model: &Model) -> &str {
    model
        .notice
        .as_ref()
        .map_or("", |notice| notice.text.as_str())
}

fn progress<'a>(model: &'a Model, name: &str) -> &'a Progress {
    &model.operations[&key(name)].progress
}

#[test]
fn a_restart_is_asked_about_and_sent_after_y_only() {
    let mut model = fleet();
    assert_eq!(press(&mut model, "/api-1<enter>R", 0), []);
    assert!(matches!(&model.mode, Mode::Confirming(question) if question.targets.len() == 1));
    let expected = request(&model, "api-1", Verb::Restart);
    assert_eq!(press(&mut model, "y", 0), [expected]);
    assert_eq!(model.mode, Mode::Normal);
    assert_eq!(notice(&model), "$ ww-ctl restart api-1");
    for other in ["n", "Y", "<esc>", "<enter>", "R", "q"] {
        let mut model = fleet();
        assert_eq!(press(&mut model, "/api-1<enter>R", 0), []);
        assert_eq!(press(&mut model, other, 0), [], "{other}");
        assert_eq!(model.mode, Mode::Normal);
        assert!(notice(&model).contains("cancelled"));
        assert!(model.operations.is_empty());
    }
}

#[test]
fn several_are_named_and_more_than_ten_are_counted() {
    let mut model = fleet();
    press(&mut model, "/api<enter>*S", 0);
    let expected = [
        request(&model, "api-1", Verb::Stop),
        request(&model, "api-2", Verb::Stop),
    ];
    assert_eq!(press(&mut model, "y", 0), expected);
    assert!(model.marks.is_empty());
    assert_eq!(notice(&model), "$ ww-ctl stop api-1 api-2");

    let mut model = fleet();
    press(&mut model, "a*S", 0);
    assert_eq!(press(&mut model, "12<enter>", 0), []);
    assert!(
        matches!(model.mode, Mode::Confirming(_)),
        "a wrong number is asked again"
    );
    assert_eq!(press(&mut model, "y", 0), [], "y is not enough");
    press(&mut model, "S", 0);
    assert_eq!(press(&mut model, "1<back>11<enter>", 0).len(), 11);
}

#[test]
fn nothing_is_done_when_the_container_lives_another_life_by_then() {
    let mut model = fleet();
    press(&mut model, "/api-1<enter>R", 0);
    started_anew(&mut model, "api-1", 50);
    let after = frame(&mut model, 60);
    assert_eq!(after, [Cmd::Draw]);
    assert!(
        notice(&model).contains("nothing was done: api-1"),
        "{}",
        notice(&model)
    );

    let mut model = fleet();
    press(&mut model, "/api<enter>*S", 0);
    let event = EngineEvent::Removed;
    feed(
        &mut model,
        Input::Engine {
            key: key("api-2"),
            event,
        },
        50,
    );
    assert_eq!(frame(&mut model, 60), [Cmd::Draw], "not even to the others");
    assert!(model.operations.is_empty());

    // The start became known only after the question: that is not another life.
    let mut model = empty((120, 30));
    let mut bare = listed("api-1", EngineState::Running, -5000);
    bare.started = None;
    feed(&mut model, listing(vec![bare]), 0);
    press(&mut model, "S", 0);
    feed(
        &mut model,
        listing(vec![listed("api-1", EngineState::Running, -5000)]),
        10,
    );
    assert_eq!(press(&mut model, "y", 20).len(), 1);
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let mut model = fleet();
    model.access = Access::ReadOnly;
    press(&mut model, "R", 0);
    assert!(notice(&model).contains("read-only"));
    press(&mut model, "S", 0);
    assert_eq!(model.mode, Mode::Normal);

    let mut model = fleet();
    press(&mut model, "a/redis<enter>R", 0);
    assert_eq!(
        notice(&model),
        "cannot restart redis-cache: it has no agent"
    );
    press(&mut model, "<esc>/importer<enter>S", 0);
    assert_eq!(notice(&model), "cannot stop importer: it does not run");
    press(&mut model, "<esc>/api-1<enter>RyR", 0);
    assert_eq!(
        notice(&model),
        "cannot restart api-1: something is under way already"
    );

    feed(
        &mut model,
        Input::HostLost {
            host: "local".into(),
            since: None,
            reason: "gone".into(),
        },
        0,
    );
    press(&mut model, "<esc>/api-2<enter>R", 0);
    assert_eq!(
        notice(&model),
        "cannot restart api-2: its host does not answer"
    );

    let mut model = fleet();
    update(
        &mut model,
        Msg {
            at: at(0),
            event: Event::Resize(19, 20),
        },
    );
    press(&mut model, "R", 0);
    assert_eq!(model.mode, Mode::Normal, "what cannot be read is not asked");
}

#[test]
fn a_restart_is_followed_until_it_is_true() {
    let mut model = fleet();
    press(&mut model, "/api-1<enter>Ry", 0);
    assert_eq!(*progress(&model, "api-1"), Progress::Sending);
    let reply = Reply {
        key: key("api-1"),
        verb: Verb::Restart,
        result: Ok(String::new()),
    };
    update(
        &mut model,
        Msg {
            at: at(5),
            event: Event::Reply(reply),
        },
    );
    assert_eq!(*progress(&model, "api-1"), Progress::Sent);
    becomes(&mut model, "api-1", State::Restarting, "operator", 10);
    assert!(matches!(
        progress(&model, "api-1"),
        Progress::Seen {
            state: State::Restarting,
            ..
        }
    ));
    becomes(&mut model, "api-1", State::Up, "restarted", 2000);
    assert!(matches!(progress(&model, "api-1"), Progress::Done { .. }));
    frame(&mut model, 60_000);
    assert!(
        model.operations.is_empty(),
        "what is done is not shown for ever"
    );

    for (state, reason) in [(State::Error, "ERROR"), (State::Stopped, "STOPPED")] {
        let mut model = fleet();
        press(&mut model, "/api-1<enter>Ry", 0);
        becomes(&mut model, "api-1", State::Restarting, "operator", 10);
        becomes(&mut model, "api-1", state, "svcup exited 1", 20);
        let failed = format!("{reason}: svcup exited 1");
        assert!(
            matches!(progress(&model, "api-1"), Progress::Failed { reason, .. } if *reason == failed)
        );
    }

    let mut model = fleet();
    press(&mut model, "/api-1<enter>Ry", 0);
    let result = Err("permission denied".into());
    let reply = Reply {
        key: key("api-1"),
        verb: Verb::Restart,
        result,
    };
    update(
        &mut model,
        Msg {
            at: at(5),
            event: Event::Reply(reply),
        },
    );
    assert!(matches!(progress(&model, "api-1"), Progress::Failed { .. }));
    assert_eq!(notice(&model), "cannot restart api-1: permission denied");
}

#[test]
fn a_restart_that_was_missed_is_known_by_the_snapshot_after_it() {
    let mut model = fleet();
    press(&mut model, "/api-1<enter>Ry", 0);
    reach(&mut model, "api-1", up(-7_200_000));
    assert_eq!(
        *progress(&model, "api-1"),
        Progress::Sending,
        "UP as before is no restart"
    );
    let again = up(-7_200_000)
        .state(State::Restarting, "operator")
        .state(State::Up, "restarted");
    reach(&mut model, "api-1", again);
    assert!(matches!(progress(&model, "api-1"), Progress::Done { .. }));
}

#[test]
fn a_stop_is_followed_until_the_container_is_down_and_its_row_stays_so_long() {
    let mut model = fleet();
    press(&mut model, "/api-1<enter>Sy", 0);
    becomes(&mut model, "api-1", State::Stopped, "operator", 10);
    assert!(matches!(
        progress(&model, "api-1"),
        Progress::Seen {
            state: State::Stopped,
            ..
        }
    ));
    let event = EngineEvent::Died {
        code: 0,
        out_of_memory: false,
    };
    feed(
        &mut model,
        Input::Engine {
            key: key("api-1"),
            event,
        },
        3000,
    );
    assert!(matches!(progress(&model, "api-1"), Progress::Done { .. }));
    frame(&mut model, 4000);
    assert_eq!(names(&model), ["api-1"]);
    frame(&mut model, 30_000);
    assert_eq!(names(&model), [""; 0], "down, and was meant to be");
}

#[test]
fn the_cursor_stays_on_its_container() {
    let mut model = fleet();
    press(&mut model, "jjj", 0);
    assert_eq!(selected(&model), "ledger-db");
    let place = model.place();
    becomes(&mut model, "ledger-db", State::Up, "restarted", 10);
    frame(&mut model, 20);
    assert_eq!(selected(&model), "ledger-db");
    assert_ne!(model.place(), place, "the row moved, the cursor with it");
    let place = model.place().unwrap();
    let event = EngineEvent::Known(Box::new(listed("aaa", EngineState::Dead, 0)));
    feed(
        &mut model,
        Input::Engine {
            key: key("aaa"),
            event,
        },
        30,
    );
    frame(&mut model, 40);
    assert_eq!(
        (selected(&model), model.place()),
        ("ledger-db", Some(place + 1))
    );
    let next = names(&model)[place + 2].to_owned();
    let event = EngineEvent::Removed;
    feed(
        &mut model,
        Input::Engine {
            key: key("ledger-db"),
            event,
        },
        50,
    );
    frame(&mut model, 60);
    assert_eq!(
        selected(&model),
        next,
        "where it is gone, what took its place"
    );
}

#[test]
fn by_backups_those_that_have_none_come_first_and_those_of_which_nothing_is_known_last() {
    let mut model = fleet();
    press(&mut model, "ssssss", 0);
    assert_eq!(model.sort.name(), "oldest backup");
    let first: Vec<&str> = model
        .rows()
        .iter()
        .take(5)
        .filter_map(|key| Some(model.shown().get(key)?.name.as_str()))
        .collect();
    let expected = [
        "legacy-erp",
        "frontend-eu-central-1a",
        "api-1",
        "billing",
        "api-2",
    ];
    assert_eq!(first, expected);
}

#[test]
fn a_cursor_nobody_moved_shows_the_worst() {
    let mut model = fleet();
    assert_eq!(selected(&model), "legacy-erp");
    let event = EngineEvent::Known(Box::new(listed("aaa", EngineState::Dead, 0)));
    feed(
        &mut model,
        Input::Engine {
            key: key("aaa"),
            event,
        },
        0,
    );
    frame(&mut model, 0);
    assert_eq!(selected(&model), "aaa");
}

#[test]
fn movement_stops_at_the_ends_and_scrolls() {
    let mut model = fleet();
    update(
        &mut model,
        Msg {
            at: at(0),
            event: Event::Resize(40, 10),
        },
    );
    press(&mut model, "G", 0);
    assert_eq!(selected(&model), "mailer");
    assert_eq!(model.offset(), model.rows().len() - 10);
    press(&mut model, "jjj<pgdn>", 0);
    assert_eq!(selected(&model), "mailer");
    press(&mut model, "<pgup>", 0);
    assert_eq!(model.place(), Some(model.rows().len() - 10));
    press(&mut model, "gk", 0);
    assert_eq!((model.place(), model.offset()), (Some(0), 0));
}

#[test]
fn filters() {
    let mut model = fleet();
    for (filter, expected) in [
        ("api", vec!["api-1", "api-2"]),
        ("API-1", vec!["api-1"]),
        ("state=up health=failing", vec!["billing"]),
        (
            "!state=up",
            vec!["legacy-erp", "ledger-db", "catalogue", "reports", "search"],
        ),
        (
            "state=U",
            vec![
                "billing",
                "sessions",
                "api-1",
                "api-2",
                "frontend-eu-central-1a",
                "mailer",
            ],
        ),
        ("image=shop/ledger", vec!["ledger-db"]),
        ("label=com.example.team=shop mail", vec!["mailer"]),
        ("label=nosuch", vec![]),
        ("host=local !label=com.example.team", vec![]),
        ("state=", names(&fleet())),
        ("~^api-[0-9]$", vec!["api-1", "api-2"]),
        ("name~^(API|mail) !image~api", vec!["mailer"]),
        (
            "label~team=sh state~^up$ health~pass name~1",
            vec!["api-1", "frontend-eu-central-1a"],
        ),
        (".queue.depth>=4182", vec!["billing"]),
        (".replication=FALSE", vec!["billing"]),
        (
            ".connections.active>27 !.connections.active=31.0",
            vec!["api-2", "frontend-eu-central-1a"],
        ),
        (".versions[1]=2.4.0 api-1", vec!["api-1"]),
        (".nosuch", vec![]),
        (".queue.depth>", names(&fleet())),
    ] {
        press(&mut model, "/<^u>", 0);
        assert_eq!(press(&mut model, filter, 0), []);
        assert_eq!(names(&model), expected, "{filter}, while typing");
        press(&mut model, "<enter>", 0);
        assert_eq!(names(&model), expected, "{filter}");
    }
    press(&mut model, "/api", 0);
    press(&mut model, "<esc>", 0);
    assert_eq!(names(&model).len(), 11);
    for (filter, doubt) in [
        (".a..b", "no place"),
        (".a>b", "no number"),
        ("x~a", "no key `x`"),
        ("name~(", "no regular expression"),
        ("~(a{1000}){1000}", "no regular expression"),
    ] {
        let filter = Filter::parse(filter);
        assert!(filter.doubt().unwrap().contains(doubt), "{filter:?}");
    }
    assert!(!Filter::parse(".queue.depth<4182").matches(model.fleet.get(&key("billing")).unwrap()));
    press(&mut model, "/x=1", 0);
    assert!(model.filter.doubt().unwrap().contains("no key `x`"));
    press(&mut model, "q?R", 0);
    assert_eq!(model.filter.text(), "x=1q?R", "keys are text while typing");
    update(
        &mut model,
        Msg {
            at: at(0),
            event: Event::Paste("\u{1b}[31mpa\nste".into()),
        },
    );
    assert_eq!(model.filter.text(), "x=1q?Rpa ste");
}

#[test]
fn pasted_text_is_no_command() {
    let mut model = fleet();
    let commands = update(
        &mut model,
        Msg {
            at: at(0),
            event: Event::Paste("Ry\nq".into()),
        },
    );
    assert_eq!(commands, [Cmd::Draw]);
    assert!(model.operations.is_empty());
}

#[test]
fn marks() {
    let mut model = fleet();
    press(&mut model, "  ", 0);
    assert_eq!(model.marks.len(), 2);
    assert_eq!(model.place(), Some(2));
    press(&mut model, "k ", 0);
    assert_eq!(model.marks.len(), 1);
    press(&mut model, "/api<enter>*", 0);
    assert_eq!(model.marks.len(), 3);
    press(&mut model, "*", 0);
    assert_eq!(model.marks.len(), 1);
    press(&mut model, "<esc><esc>", 0);
    assert!(model.filter.is_empty() && model.marks.is_empty());
    press(&mut model, " ", 0);
    let gone = model.marks.first().unwrap().clone();
    feed(
        &mut model,
        Input::Engine {
            key: gone,
            event: EngineEvent::Removed,
        },
        0,
    );
    frame(&mut model, 0);
    assert!(model.marks.is_empty());
}

#[test]
fn what_is_marked_but_hidden_is_never_acted_on() {
    let asked = |model: &Model| match &model.mode {
        Mode::Confirming(confirmation) => confirmation
            .targets
            .iter()
            .map(|target| target.name.clone())
            .collect::<Vec<_>>(),
        Mode::Normal
        | Mode::Searching { .. }
        | Mode::Filtering { .. }
        | Mode::Help { .. }
        | Mode::Calling(_)
        | Mode::Choosing { .. } => Vec::new(),
    };
    let mut model = fleet();
    press(&mut model, "/api-1<enter> ", 0);
    press(&mut model, "/<^u>api-2<enter>S", 0);
    assert_eq!(asked(&model), ["api-2"], "the row under the cursor");
    assert_eq!(model.hidden_marks(), 1);
    press(&mut model, "n S", 0);
    assert_eq!(asked(&model), ["api-2"], "the marked row that is seen");
    press(&mut model, "y", 0);
    let marked: Vec<_> = model.marks.iter().cloned().collect();
    assert_eq!(marked, [key("api-1")], "it was not asked about");
}

#[test]
fn frozen_the_screen_stands_still_and_acts_on_what_is() {
    let mut model = fleet();
    press(&mut model, "z", 0);
    let before = names(&model)
        .iter()
        .map(|&name| name.to_owned())
        .collect::<Vec<_>>();
    becomes(&mut model, "api-1", State::Error, "svcup exited 1", 10);
    feed(
        &mut model,
        Input::Engine {
            key: key("mailer"),
            event: EngineEvent::Removed,
        },
        20,
    );
    frame(&mut model, 1000);
    assert_eq!(names(&model), before);
    assert_eq!(model.clock(), at(0));
    press(&mut model, "/mailer<enter>R", 1000);
    assert_eq!(
        model.mode,
        Mode::Normal,
        "there is nothing to restart any more"
    );
    press(&mut model, "<esc>z", 2000);
    assert!(matches!(model.flow, Flow::Live));
    assert_eq!(names(&model)[0], "api-1");
}

#[test]
fn places() {
    let mut model = fleet();
    press(&mut model, "2", 0);
    assert_eq!(model.tab, Tab::Timeline);
    press(&mut model, "<right><right><right><right><right>", 0);
    assert_eq!(model.tab, Tab::Summary);
    press(&mut model, "<left>", 0);
    assert_eq!(model.tab, Tab::Why);
    press(&mut model, "<left>", 0);
    assert_eq!(model.tab, Tab::Configuration);
    press(&mut model, "4", 0);
    assert_eq!(model.tab, Tab::Health);
    press(&mut model, "l", 0);
    assert_eq!(model.tab, Tab::Logs);
    press(&mut model, "<tab>", 0);
    assert!(matches!(model.focus, Focus::Pane { .. }));
    press(&mut model, "<enter>", 0);
    assert!(matches!(model.focus, Focus::Full { .. }));
    press(&mut model, "jjjjjjjjjjjjjjjjjjjj", 0);
    assert_eq!(
        model.focus,
        Focus::Full { scroll: 0 },
        "there is nothing below to scroll to"
    );
    press(&mut model, "?", 0);
    assert!(matches!(model.mode, Mode::Help { .. }));
    press(&mut model, "<esc>", 0);
    assert!(matches!(model.focus, Focus::Full { .. }));
    press(&mut model, "<esc>", 0);
    assert_eq!(model.focus, Focus::Table);
}

#[test]
fn leaving() {
    for keys in ["q", "<^c>", "?q", "<enter>q", "/x<^c>", "/api<enter>R<^c>"] {
        assert_eq!(press(&mut fleet(), keys, 0), [Cmd::Quit], "{keys}");
    }
    assert_eq!(press(&mut fleet(), "<^z>", 0), [Cmd::Suspend]);
}

#[test]
fn what_changes_nothing_is_not_drawn() {
    let mut model = fleet();
    let reaching = Input::Reaching(key("reports"));
    assert_eq!(feed(&mut model, reaching.clone(), 0), []);
    assert_eq!(feed(&mut model, reaching, 100), [Cmd::Draw]);
    assert_eq!(
        super::fixture::tell(&mut model, "api-1", FromAgent::Unknown, 0),
        []
    );
    let figures = FromAgent::Resources(whaleware::protocol::Resources {
        at: super::fixture::wall(0),
        cpu_usec: None,
        cpu_percent: Some(7.0),
        memory_bytes: None,
        memory_limit: None,
        pids: None,
        oom_kills: None,
    });
    let commands = super::fixture::tell(&mut model, "api-1", figures, 0);
    assert_eq!(
        commands,
        [Cmd::Refresh],
        "figures alone are not worth a frame of their own"
    );
}

#[test]
fn the_equivalent_command_is_one_a_shell_takes() {
    let mut model = fleet();
    let mut odd = listed("x", EngineState::Running, 0);
    odd.name = "it's $HOME".into();
    let event = EngineEvent::Known(Box::new(odd));
    feed(
        &mut model,
        Input::Engine {
            key: key("x"),
            event,
        },
        0,
    );
    let mut far = key("y");
    far.host = "prod".into();
    let event = EngineEvent::Known(Box::new(listed("y", EngineState::Running, 0)));
    feed(
        &mut model,
        Input::Engine {
            key: far.clone(),
            event,
        },
        0,
    );
    let urls = [("prod".into(), "tcp://prod:2375".to_owned())].into();
    let containers = [&key("x"), &far].map(|key| model.fleet.get(key).unwrap());
    assert_eq!(
        equivalent(Verb::Stop, Manner::AtOnce, containers, &urls),
        r"ww-ctl -H tcp://prod:2375 stop 'it'\''s $HOME' y"
    );
}

#[test]
fn a_configuration_is_asked_for_where_it_is_seen_and_again_in_another_life() {
    let mut model = fleet();
    let ask = |name| vec![Cmd::ReadConfiguration(key(name))];
    let settings = |value: &str| {
        Ok(vec![Setting {
            path: ".db.host".into(),
            value: value.into(),
            layer: "/ww/etc/50-db.json".into(),
        }])
    };
    let answer = |model: &mut Model, name, settings, millis| {
        let event = Event::Configuration(key(name), settings);
        let at = at(millis);
        update(model, Msg { at, event })
    };
    assert_eq!(press(&mut model, "/api-1<enter>5", 0), ask("api-1"));
    assert_eq!(frame(&mut model, 20), [Cmd::Draw], "it is asked once");
    answer(&mut model, "api-1", settings("db1\u{1b}[2J"), 30);
    let Configuration::Known {
        settings: known, ..
    } = &model.configuration
    else {
        panic!("{:?}", model.configuration);
    };
    let known = known.as_ref().unwrap();
    assert!(!known[0].value.contains('\u{1b}'), "{known:?}");
    assert_eq!(
        frame(&mut model, 20_000),
        [Cmd::Draw],
        "it is not stale yet"
    );
    let commands = frame(&mut model, 31_000);
    assert_eq!(commands[..1], ask("api-1"), "it may have changed");
    becomes(&mut model, "api-1", State::Restarting, "operator", 31_500);
    let commands = frame(&mut model, 31_600);
    assert_eq!(commands[..1], ask("api-1"), "a restart merges anew");
    // An answer for where the cursor was changes nothing.
    assert_eq!(
        press(&mut model, "<esc>/api-2<enter>", 32_000),
        ask("api-2")
    );
    answer(&mut model, "api-1", settings("late"), 32_100);
    assert!(matches!(model.configuration, Configuration::Asked { .. }));
    // Who cannot answer is not asked.
    assert_eq!(press(&mut model, "<esc>/legacy<enter>", 33_000), []);
}

#[test]
fn why_is_one_key_away_and_reads_what_was_printed() {
    let mut model = fleet();
    let commands = press(&mut model, "/legacy<enter>w", 0);
    assert_eq!(model.tab, Tab::Why);
    assert!(matches!(model.focus, Focus::Full { .. }));
    assert_eq!(commands, [Cmd::Follow(vec![key("legacy-erp")])]);
}

#[test]
fn a_value_of_a_monitor_becomes_a_column_an_order_and_a_filter() {
    let mut model = fleet();
    press(&mut model, "/health=passing<enter>4<enter>", 0);
    // `connections`, which is an object, and its first value, which is a number.
    press(&mut model, "=", 0);
    assert!(
        model
            .notice
            .as_ref()
            .unwrap()
            .text
            .contains("no single value")
    );
    press(&mut model, "jc", 0);
    let path = Path::parse(".connections.active").unwrap();
    assert_eq!(model.columns.values().collect::<Vec<_>>(), [&path]);
    press(&mut model, "s<esc>", 0);
    assert_eq!(model.sort, SortKey::Value(path.clone()));
    assert_eq!(
        names(&model),
        [
            "frontend-eu-central-1a",
            "api-1",
            "api-2",
            "sessions",
            "mailer"
        ],
        "140, 31, 28, 9, none"
    );
    press(&mut model, "<enter>s<esc>", 0);
    assert_eq!(names(&model)[0], "mailer", "the other way round");
    press(&mut model, "s", 0);
    assert_eq!(model.sort, SortKey::Severity, "outside the tree s goes on");
    press(&mut model, "/<^u>api-1<enter><enter>=<esc>", 0);
    assert_eq!(model.filter.text(), "api-1 .connections.active=31");
    assert_eq!(names(&model), ["api-1"]);
    press(&mut model, "<enter>c", 0);
    assert_eq!(model.columns, Columns::default(), "c again takes it away");
    // The cursor of the tree stays within it.
    press(&mut model, "G", 0);
    let last = model.leaf;
    press(&mut model, "jj", 0);
    assert_eq!(model.leaf, last);
    press(&mut model, "<esc>/<^u>mailer<enter><enter>c", 0);
    assert_eq!(model.leaf, 0);
    assert!(
        model
            .notice
            .as_ref()
            .unwrap()
            .text
            .contains("no value here")
    );
}

#[test]
fn the_past_is_learnt_and_forgotten_with_its_container() {
    let mut model = fleet();
    fixture::lived(&mut model, "api-1");
    let depth = Path::parse(".queue.depth").unwrap();
    let past = model.past(&key("api-1")).unwrap();
    assert_eq!(past.values(&depth).unwrap().len(), 32);
    assert_eq!(past.before().unwrap()["status"], "ok");
    let spans = past.spans(Gauge::Cpu, at(234_000).moment, 60);
    assert!(spans.iter().flatten().count() > 30, "{spans:?}");
    press(&mut model, "z", 240_000);
    // Another boot has another past.
    fixture::started_anew(&mut model, "api-1", 241_000);
    fixture::reach(&mut model, "api-1", fixture::up(-60_000));
    let hello = Hello {
        protocol: 1,
        agent: "0.1.0".into(),
        boot: "another".into(),
        hostname: "api-1".into(),
    };
    tell(&mut model, "api-1", FromAgent::Hello(hello), 242_000);
    tell(
        &mut model,
        "api-1",
        fixture::up(-60_000).snapshot(),
        242_000,
    );
    assert_eq!(model.history.past(&key("api-1")).unwrap().before(), None);
    let frozen = model.past(&key("api-1")).unwrap();
    assert!(frozen.before().is_some(), "what is frozen keeps its past");
    let key = key("api-1");
    let event = EngineEvent::Removed;
    feed(
        &mut model,
        Input::Engine {
            key: key.clone(),
            event,
        },
        243_000,
    );
    assert!(model.history.past(&key).is_none());
}

#[test]
fn lanes_know_what_happened_before_and_while_nobody_was_heard() {
    let mut model = fleet();
    let look = |model: &Model, name: &str, now: i64| -> String {
        let lane = model.lane(&key(name)).unwrap();
        let spans = lane.spans(at(now).moment, Zoom::default().reach(), 15);
        let letter = |standing: Option<Standing>| match standing {
            None => ' ',
            Some(Standing::Unheard) => '?',
            Some(Standing::As(severity)) => format!("{severity:?}").chars().next().unwrap(),
        };
        spans.into_iter().map(letter).collect()
    };
    // Restarted 8 minutes ago, failing since it was first heard; all told by its snapshot.
    assert_eq!(look(&model, "billing", 0), "   SGGRGGGGGGGS");
    assert_eq!(look(&model, "sessions", 0), "GGGGGGGGGGGGGG?");
    let reason = "connection refused".to_owned();
    let host = HostName::from("local");
    let since = None;
    feed(
        &mut model,
        Input::HostLost {
            host,
            since,
            reason,
        },
        60_000,
    );
    assert_eq!(look(&model, "billing", 180_000), "SGGRGGGGGGGSS??");
    // What happened meanwhile is told by the snapshot that follows.
    feed(
        &mut model,
        listing(vec![listed("billing", EngineState::Running, -700_000)]),
        240_000,
    );
    let life = up(-700_000)
        .later(200_000)
        .state(State::Restarting, "monitor exited 1")
        .state(State::Up, "restarted");
    reach(&mut model, "billing", life);
    assert!(!look(&model, "billing", 0).contains('?'));
    press(&mut model, "t", 250_000);
    assert_eq!(model.body, Body::Lanes);
    press(&mut model, "+", 250_000);
    assert_eq!(model.zoom.reach().as_secs(), 300);
    press(&mut model, "-----------", 250_000);
    assert_eq!(model.zoom.reach().as_secs(), 7 * 86_400);
    press(&mut model, "t", 250_000);
    assert_eq!(model.body, Body::Table);
}

#[test]
fn columns_are_chosen_and_the_cursor_goes_with_them() {
    let mut model = fleet();
    press(&mut model, "cjjj ", 0);
    assert!(!model.columns.has(&Column::Health));
    press(&mut model, " ", 0);
    assert_eq!(model.columns, Columns::default(), "the same key undoes it");
    press(&mut model, "g>", 0);
    assert_eq!(model.columns.shown()[..2], [Column::Name, Column::State]);
    press(&mut model, "k ", 0);
    assert!(model.notice.as_ref().unwrap().text.contains("always there"));
    press(&mut model, "0", 0);
    assert_eq!(model.columns, Columns::default());
    press(&mut model, "c", 0);
    assert_eq!(model.mode, Mode::Normal);
    press(&mut model, "c<esc>", 0);
    assert_eq!(model.mode, Mode::Normal);
}

#[test]
fn the_mouse_chooses_rows_orders_and_tabs() {
    let mut model = fleet();
    let left = MouseEventKind::Down(MouseButton::Left);
    // Rows begin in the fourth line.
    assert_eq!(point(&mut model, left, (20, 6)), [Cmd::Draw]);
    assert_eq!(selected(&model), names(&model)[3]);
    assert_eq!(model.focus, Focus::Table);
    point(&mut model, MouseEventKind::ScrollDown, (20, 6));
    assert_eq!(selected(&model), names(&model)[6]);
    point(&mut model, left, (20, 9));
    assert!(
        matches!(model.focus, Focus::Full { .. }),
        "a second click opens it"
    );
    press(&mut model, "<esc>", 0);
    // The headings are in the third line; the name's is in column 17.
    point(&mut model, left, (18, 2));
    assert_eq!(model.sort, SortKey::Name);
    point(&mut model, left, (18, 2));
    assert_eq!(model.direction, Direction::Reversed);
    let seen = super::view::draw(&model, super::UNICODE);
    let (x, y) = (0..seen.area.height)
        .find_map(|y| {
            let line: String = (0..seen.area.width)
                .map(|x| seen[(x, y)].symbol())
                .collect();
            let x = line.find(" 4 Health ")?;
            Some((u16::try_from(line[..x].chars().count()).unwrap(), y))
        })
        .unwrap();
    point(&mut model, left, (x + 1, y));
    assert_eq!(model.tab, Tab::Health);
    point(&mut model, left, (x, y + 3));
    assert!(matches!(model.focus, Focus::Pane { .. }));
    assert_eq!(
        point(&mut model, left, (20, 0)),
        [],
        "the header means nothing"
    );
    assert_eq!(point(&mut model, MouseEventKind::Moved, (20, 6)), []);
    // A question is answered by keys only.
    press(&mut model, "<esc>/<^u>api-1<enter>R", 0);
    let mode = model.mode.clone();
    assert_eq!(point(&mut model, left, (20, 4)), []);
    assert_eq!(model.mode, mode);
    press(&mut model, "<esc>", 0);
    assert_eq!(press(&mut model, "m", 0), [Cmd::Mouse(false)]);
    assert_eq!(point(&mut model, left, (20, 4)), []);
    assert_eq!(press(&mut model, "m", 0), [Cmd::Mouse(true)]);
}

#[test]
fn the_engine_counts_what_has_no_agent_while_its_row_is_seen() {
    let mut model = fleet();
    let none = [Cmd::Draw];
    let only = |names: &[&str]| {
        let keys = names.iter().map(|name| key(name)).collect();
        [Cmd::Measure(keys), Cmd::Draw]
    };
    assert_eq!(frame(&mut model, 0), none, "it is hidden");
    press(&mut model, "a", 10);
    assert_eq!(frame(&mut model, 20), only(&["redis-cache"]));
    assert_eq!(frame(&mut model, 30), none, "it is asked once");
    let used = Resources {
        at: at(40).wall,
        cpu_usec: None,
        cpu_percent: Some(12.0),
        memory_bytes: Some(5 << 20),
        memory_limit: None,
        pids: None,
        oom_kills: None,
    };
    let input = Input::Used {
        key: key("redis-cache"),
        used: Some(used.clone()),
    };
    feed(&mut model, input, 40);
    let known = |model: &Model| {
        let container = model.fleet.get(&key("redis-cache")).unwrap();
        container.resources().cloned()
    };
    assert_eq!(known(&model), Some(used));
    press(&mut model, "<enter>", 50);
    assert_eq!(frame(&mut model, 60), only(&[]), "its row is not seen");
    assert_eq!(known(&model), None, "a figure nobody keeps up to date");
    press(&mut model, "<esc>", 70);
    assert_eq!(frame(&mut model, 80), only(&["redis-cache"]));
    press(&mut model, "z", 90);
    assert_eq!(frame(&mut model, 100), only(&[]), "a picture stands still");
    press(&mut model, "z/api<enter>", 110);
    assert_eq!(frame(&mut model, 120), none);
}
