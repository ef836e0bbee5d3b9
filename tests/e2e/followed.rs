//! The dashboard follows what containers print, while somebody looks.

use std::collections::BTreeSet;

use crate::engine::{Engine, Kind};
use crate::lab::{Guest, Lab, docker, until, ww_ctl_path};
use crate::proxy::{Moment, Proxy};
use crate::pty::Terminal;

/// Counts on and on, each time it is started under another name.
const COUNTS: &str = "boot=$(cut -c1-8 /proc/sys/kernel/random/uuid); n=0; \
    while :; do n=$((n+1)); echo \"tick $boot $n\"; sleep 0.2; done";

/// A line of the container: who, where it is said; which start; which number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Tick {
    owner: String,
    boot: String,
    number: u64,
}

/// The lines that are seen, from above.
fn ticks(screen: &str) -> Vec<Tick> {
    let lines = screen.lines().filter_map(|line| {
        let (before, tick) = line.split_once("tick ")?;
        let mut words = tick.split_whitespace();
        let boot = words.next()?.to_owned();
        let number = words.next()?.parse().ok()?;
        let owner = before.trim_end_matches(" | ").trim();
        let owner = owner.split_whitespace().last().unwrap_or_default();
        Some(Tick {
            owner: owner.to_owned(),
            boot,
            number,
        })
    });
    lines.collect()
}

fn last(screen: &str) -> u64 {
    ticks(screen).last().map_or(0, |tick| tick.number)
}

/// How many lines are new, by the tab's title.
fn news(screen: &str) -> Option<u64> {
    let (_, rest) = screen.split_once("3 Logs +")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Whether each line is there once, and those of each start one after the other.
fn is_in_order(ticks: &[Tick]) -> bool {
    ticks.iter().enumerate().all(|(index, tick)| {
        let of = |one: &&Tick| (&one.owner, &one.boot) == (&tick.owner, &tick.boot);
        let next = ticks[index + 1..].iter().find(of);
        next.is_none_or(|next| next.number == tick.number + 1)
    })
}

struct Story {
    lab: Lab,
    proxy: Proxy,
    terminal: Terminal,
}

impl Story {
    fn begin(name: &str, script: &str, guests: &[&str]) -> (Self, Vec<Guest>) {
        let lab = Lab::new(name);
        let start = |what: &&str| lab.start_bare(what, lab.base(), &[], &["sh", "-c", script]);
        let guests: Vec<Guest> = guests.iter().map(start).collect();
        let proxy = Proxy::listen(&lab.directory("proxy").join("s"), 0, Moment::Before);
        let shell = format!(
            "{} -H {} top --all '{}*'; echo left with $?",
            ww_ctl_path().display(),
            proxy.url(),
            lab.named("")
        );
        let mut terminal = Terminal::new(&shell, 40, 160);
        for guest in &guests {
            terminal.shows("its row", |screen| screen.contains(&guest.name));
        }
        let story = Self {
            lab,
            proxy,
            terminal,
        };
        (story, guests)
    }

    /// Waits until there are these streams and no others.
    #[track_caller]
    fn follows(&self, guests: &[&Guest]) {
        let mut wanted: Vec<String> = guests.iter().map(|one| one.inspect("{{.Id}}")).collect();
        wanted.sort();
        until(&format!("streams of {wanted:?}"), || {
            (self.proxy.followed() == wanted).then_some(())
        });
    }

    /// What is seen now, stays; and each line of it is there once.
    #[track_caller]
    fn stands_still(&mut self) {
        self.keys("k");
        // A frame may have come in part: that of the next news has not changed the lines.
        let screen = self.shows("that it stands still", |screen| news(screen) > Some(1));
        assert!(is_in_order(&ticks(&screen)), "{screen}");
    }

    fn keys(&mut self, keys: &str) {
        self.terminal.keys(keys);
    }

    #[track_caller]
    fn shows(&mut self, what: &str, wanted: impl FnMut(&str) -> bool) -> String {
        self.terminal.shows(what, wanted)
    }
}

#[test]
fn what_is_printed_is_seen_without_a_key_and_stands_still_for_who_reads() {
    let (mut story, guests) = Story::begin("followed", COUNTS, &["one", "two"]);
    let [one, two] = &guests[..] else {
        panic!("two were started");
    };
    story.follows(&[]);
    story.keys(&format!("/{}\r3", one.name));
    story.follows(&[one]);
    let seen = last(&story.shows("its lines", |screen| last(screen) > 0));
    story.shows("more of them", |screen| last(screen) > seen + 2);
    // One stream is enough for it.
    story.follows(&[one]);
    // One up: what is seen stays, and the title counts what is not.
    story.keys("\r");
    story.shows("them alone", |screen| {
        // More than fit.
        let first = ticks(screen).first().map_or(0, |tick| tick.number);
        !screen.contains(" NAME ") && first > 2
    });
    story.keys("k");
    let still = story.shows("that it stands still", |screen| news(screen) > Some(1));
    let known = news(&still).unwrap_or(0);
    let later = story.shows("that there are new ones", |screen| {
        news(screen) > Some(known + 4)
    });
    assert_eq!(ticks(&still), ticks(&later));
    assert!(is_in_order(&ticks(&later)), "{later}");
    story.keys("f");
    let seen = last(&later);
    story.shows("the end, and on", |screen| {
        news(screen).is_none() && last(screen) > seen + 4
    });
    // What is searched for is gone to, by n and N as well; the fleet is not filtered by it.
    story.keys("/TICK [0-9a-f]+ [37]$");
    let found = |number| {
        move |screen: &str| {
            let current = screen.lines().find(|line| line.starts_with('▸'));
            current.is_some_and(|line| ticks(line).iter().any(|tick| tick.number == number))
        }
    };
    story.shows("the last that has it", found(7));
    story.keys("\rN");
    story.shows("the one before", found(3));
    story.keys("N");
    story.shows("the last one, around the end", found(7));
    story.keys("\u{1b}");
    story.shows("no search", |screen| !screen.contains("/TICK"));
    story.keys("f");
    story.shows("the end again", |screen| news(screen).is_none());
    // Started anew it goes on, and nothing is told twice.
    docker(["restart", "-t", "0", &one.name]).expect(0);
    story.shows(
        "the end of one start and the beginning of the next",
        |screen| {
            let seen = ticks(screen);
            let boots: BTreeSet<_> = seen.iter().map(|tick| &tick.boot).collect();
            boots.len() == 2 && seen.last().is_some_and(|tick| tick.number > 3)
        },
    );
    story.stands_still();
    story.keys("f");
    story.follows(&[one]);
    // Both in one, as they are marked.
    story.keys("\u{1b}");
    story.shows("the table", |screen| screen.contains(" NAME "));
    story.keys("\u{1b}");
    story.shows("both rows", |screen| screen.contains(&two.name));
    story.keys("*");
    story.follows(&[one, two]);
    story.keys("\r");
    story.shows("lines of both", |screen| {
        let seen = ticks(screen);
        let of = |guest: &Guest| seen.iter().filter(|tick| tick.owner == guest.name).count();
        of(one) > 5 && of(two) > 5 && !screen.contains(" NAME ")
    });
    story.stands_still();
    story.keys("t");
    story.shows("that they stand in the order of their times", |screen| {
        let lines = screen.lines().filter(|line| line.contains("tick "));
        let times = lines.filter_map(|line| line.split_whitespace().next());
        let times: Vec<&str> = times.collect();
        times.len() > 10 && times.is_sorted() && times.iter().all(|time| time.ends_with('Z'))
    });
    // Nobody looks any more.
    story.keys("1");
    story.follows(&[]);
    story.keys("6");
    story.follows(&[one]);
    story.keys("q");
    story.shows("its end", |screen| screen.contains("left with 0"));
    story.follows(&[]);
}

#[test]
fn one_that_prints_without_end_holds_up_nobody() {
    let prints = "until [ -e /go ]; do sleep 0.1; done; yes flood | head -n 300000; \
        echo and over; sleep 600";
    let (mut story, guests) = Story::begin("flood", prints, &["one"]);
    let [one] = &guests[..] else {
        panic!("one was started");
    };
    story.keys("3");
    story.follows(&[one]);
    docker(["exec", &one.name, "touch", "/go"]).expect(0);
    story.shows("its lines", |screen| screen.contains(" flood"));
    story.keys("?");
    story.shows("the help", |screen| screen.contains("a page down"));
    story.keys("\u{1b}");
    story.shows("the table", |screen| screen.contains(" NAME "));
    story.keys("\r");
    story.shows("the last line of all", |screen| {
        screen.contains(" and over") && !screen.contains(" NAME ")
    });
    // What is kept ends where it is bounded, and something was left out before.
    story.keys("/flood\r");
    let screen = story.shows("how many are kept", |screen| {
        screen.contains("/flood 1") || screen.contains("/flood 2")
    });
    assert!(!screen.contains("/flood 300000"), "{screen}");
    story.keys("q");
    story.shows("its end", |screen| screen.contains("left with 0"));
    drop(story.lab);
}

#[test]
fn an_engine_that_comes_back_goes_on_where_it_was() {
    let lab = Lab::new("back");
    // What it ran goes on without it.
    let keeps = ["--live-restore"];
    let kind = Kind {
        options: &keeps,
        subordinate: None,
    };
    let mut engine = Engine::start(lab.directory("far/engine"), &kind);
    engine.load(lab.base());
    let words = ["run", "-d", "--network=none", "--name", "one", lab.base()];
    let words = [&words[..], &["sh", "-c", COUNTS]].concat();
    engine.docker(&words).expect(0);
    let shell = format!(
        "{} -H {} top --all; echo left with $?",
        ww_ctl_path().display(),
        engine.url()
    );
    let mut terminal = Terminal::new(&shell, 40, 160);
    terminal.shows("its row", |screen| screen.contains(" one "));
    terminal.keys("3\r");
    terminal.shows("its lines", |screen| last(screen) > 3);
    engine.signal("KILL");
    engine.ended();
    terminal.shows("why nothing comes", |screen| {
        screen.contains("going on when its Engine answers again")
    });
    engine.begin(&keeps);
    engine.answers();
    let known = last(&terminal.contents());
    terminal.shows("that it goes on", |screen| {
        screen.contains("its Engine answers again") && last(screen) > known + 3
    });
    terminal.keys("k");
    let screen = terminal.shows("that it stands still", |screen| news(screen) > Some(1));
    let numbers: Vec<u64> = ticks(&screen).iter().map(|tick| tick.number).collect();
    let is_once = numbers.is_sorted_by(|one, other| one < other);
    assert!(is_once, "{screen}");
    terminal.keys("q");
    terminal.shows("its end", |screen| screen.contains("left with 0"));
}
