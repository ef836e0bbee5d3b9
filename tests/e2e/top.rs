//! The dashboard on a real terminal against a real fleet.

use std::process::Command;
use std::time::Duration;

use crate::engine::{Engine, Kind};
use crate::lab::{Lab, docker, now, run, ww_ctl_command, ww_ctl_path};
use crate::pty::Terminal;

#[test]
fn one_sees_filters_restarts_and_leaves() {
    let lab = Lab::new("top");
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("svcup", "sleep 0.5")
        .script("monitor", "echo '{\"queue\":4711}'")
        .defaults(r#"{"ww":{"monitor":{"interval":"300ms"}}}"#);
    let image = lab.image(&tree);
    let (one, two) = (
        lab.start("one", &image, &[], &[]),
        lab.start("two", &image, &[], &[]),
    );
    one.reaches("UP");
    two.reaches("UP");
    let own = lab.named("");
    let shell = format!(
        "{} top; echo left with $?; stty -a | grep -o -- '-\\?icanon'",
        ww_ctl_path().display()
    );
    let mut terminal = Terminal::new(&shell, 45, 160);
    // Filter down to this test's own, then to one of them.
    terminal.shows("the dashboard", |screen| screen.contains("STATE"));
    terminal.keys(&format!("/{own}"));
    terminal.shows("both containers", |screen| {
        screen.contains(&one.name) && screen.contains(&two.name)
    });
    terminal.keys("one");
    terminal.shows("one only", |screen| {
        screen.contains(&one.name) && !screen.contains(&two.name)
    });
    terminal.keys("\r");
    terminal.shows("the monitor's number", |screen| screen.contains("4711"));
    // Restart it: asked first, then watched until UP again.
    terminal.keys("R");
    terminal.shows("the question", |screen| screen.contains("ww-ctl restart"));
    terminal.keys("y");
    terminal.shows("RESTARTING", |screen| screen.contains("RESTARTING"));
    one.wrote("-svcup", 2);
    terminal.shows("UP again", |screen| {
        screen
            .lines()
            .any(|line| line.contains(&one.name) && line.contains("UP"))
    });
    assert_eq!(
        two.log().iter().filter(|line| *line == "-svcup").count(),
        1,
        "the other is untouched"
    );
    // A change made elsewhere is seen.
    docker(["stop", "-t", "60", &one.name]).expect(0);
    // What has ended in order is hidden until asked for.
    terminal.keys("a");
    terminal.shows("its end", |screen| {
        screen
            .lines()
            .any(|line| line.contains(&one.name) && line.contains("DOCKERDOWN"))
    });
    terminal.keys("q");
    terminal.shows("the shell", |screen| {
        screen.contains("left with 0") && screen.contains("icanon")
    });
    let after = terminal.contents();
    assert!(
        !after.contains("-icanon"),
        "the terminal is still raw:\n{after}"
    );
}

#[test]
fn without_a_terminal_it_refuses_with_a_hint() {
    crate::lab::ww_ctl(["top"]).expect(2).says(&[
        "terminal",
        "top --once",
        "top --batch",
        "ww-ctl ls",
    ]);
}

#[test]
fn for_pipes_there_are_pictures() {
    let lab = Lab::new("pictures");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let one = lab.start("one", &image, &[], &[]);
    one.reaches("UP");
    let own = format!("{}*", lab.named(""));
    let row = |text: &str| {
        let mut rows = text.lines().filter(|line| line.contains(&one.name));
        rows.any(|line| line.contains("● UP"))
    };
    let picture = run(ww_ctl_command()
        .args(["top", "--once", &own])
        .env("COLUMNS", "200")
        .env("LC_ALL", "C.UTF-8"))
    .expect(0);
    assert!(row(&picture.stdout), "{}", picture.stdout);
    assert!(!picture.stdout.contains('\u{1b}'));
    assert!(
        picture
            .stdout
            .lines()
            .all(|line| line.chars().count() <= 200)
    );
    // The headings come with every picture.
    let batch = format!(
        "{} top --batch --interval 200ms '{own}' | grep -m 3 -e STATE",
        ww_ctl_path().display()
    );
    let pictures = run(&mut ww_ctl_shell(&batch)).expect(0);
    assert_eq!(pictures.stdout.lines().count(), 3, "{}", pictures.stdout);
    crate::lab::ww_ctl(["top", "--once", "nobody-has-this-name"]).expect(3);
    crate::lab::ww_ctl(["-H", "unix:///nowhere", "top", "--once"]).expect(5);
}

#[test]
fn what_is_recorded_is_seen_again_without_an_engine() {
    let lab = Lab::new("recording");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let guest = lab.start("one", &image, &[], &[]);
    guest.reaches("UP");
    let path = lab.directory("recordings").join("f.jsonl");
    let path = path.display().to_string();
    let ctl = ww_ctl_path().display().to_string();
    // Of this test's own: among all that other tests have its row may be too far down to be seen.
    let own = &guest.name;
    let shell = format!("{ctl} top --all --record {path} {own}; echo left with $?");
    let mut terminal = Terminal::new(&shell, 45, 200);
    terminal.shows("that it is recorded", |screen| {
        screen.contains("recording ") && screen.contains(&guest.name)
    });
    docker(["kill", &guest.name]).expect(0);
    let is_down = |screen: &str| {
        let mut rows = screen.lines().filter(|line| line.contains(&guest.name));
        rows.any(|line| line.contains("DOCKERDOWN"))
    };
    terminal.shows("its end", is_down);
    terminal.keys("q");
    terminal.shows("the shell", |screen| screen.contains("left with 0"));
    let nowhere = "unix:///nowhere";
    let last = || {
        let words = ["-H", nowhere, "top", "-a", "--replay", &path, "--once"];
        let mut command = ww_ctl_command();
        run(command.args(words).env("COLUMNS", "200"))
            .expect(0)
            .stdout
    };
    let picture = last();
    assert!(
        picture.contains("REPLAY 20") && is_down(&picture),
        "{picture}"
    );
    assert_eq!(last(), picture);
    // On a terminal it stays on the last picture, and nothing can be done to what is in it.
    let shell = format!("{ctl} -H {nowhere} top -a --replay {path} --speed 50 {own}");
    let mut terminal = Terminal::new(&shell, 45, 200);
    terminal.shows("the end", |screen| {
        screen.contains("its end") && screen.contains("read-only") && is_down(screen)
    });
    // It is not written over, and what is none is refused.
    let shell = format!("{ctl} top --record {path}; echo left with $?");
    let mut terminal = Terminal::new(&shell, 45, 200);
    terminal.shows("a refusal", |screen| {
        screen.contains("not written over") && screen.contains("left with 1")
    });
    crate::lab::ww_ctl(["top", "--replay", "/etc/passwd", "--once"])
        .expect(1)
        .says(&["line 1", "no recording"]);
}

#[test]
fn one_goes_through_a_recording_and_what_is_wrong_with_it_is_told() {
    let lab = Lab::new("replaying");
    let kept = include_str!("../../examples/incident.jsonl");
    let directory = lab.directory("recordings");
    // Killed while it wrote the last line, which is of second 40.
    let cut = directory.join("cut.jsonl");
    std::fs::write(&cut, &kept[..kept.len() - 5]).unwrap();
    let ctl = ww_ctl_path().display().to_string();
    let replay = |path: &std::path::Path, more: &str| {
        let path = path.display();
        let shell = format!("{ctl} -H unix:///nowhere top --replay {path} {more}; echo left $?");
        Terminal::new(&shell, 45, 160)
    };
    let mut terminal = replay(&cut, "");
    terminal.shows("the recording", |screen| {
        screen.contains(" REPLAY ") && screen.contains("/00:39 ") && screen.contains("api-1")
    });
    terminal.keys("p");
    terminal.shows("a pause", |screen| screen.contains("/00:39 paused"));
    terminal.keys("]]]]");
    terminal.shows("its end", |screen| {
        screen.contains("00:39/00:39 its end") && screen.contains("the last line is incomplete")
    });
    // Back to before the end of one that is seen to run then, and on by one event after the other.
    let dead = |screen: &str| {
        let mut rows = screen.lines().filter(|line| line.contains("search"));
        rows.any(|line| line.contains("DOCKERDOWN") || line.contains("out of memory"))
    };
    terminal.keys("[");
    terminal.shows("ten seconds before", |screen| {
        screen.contains("00:29/00:39 paused") && !dead(screen)
    });
    // The next one is of just that second.
    terminal.keys("..");
    terminal.shows("the next event", |screen| {
        screen.contains("00:30/00:39 paused") && !dead(screen)
    });
    terminal.keys(".");
    terminal.shows("the end of one", |screen| {
        screen.contains("00:30/00:39 paused") && dead(screen)
    });
    terminal.keys("}}}p");
    terminal.shows("the end again", |screen| screen.contains("its end"));
    // Left by the name of it.
    terminal.keys(":quit");
    terminal.shows("the action", |screen| {
        screen.contains(" :quit") && screen.contains("q ^C")
    });
    terminal.keys("\r");
    terminal.shows("the shell", |screen| screen.contains("left 0"));
    // What is damaged is told for as long as one looks at it.
    let damaged = directory.join("damaged.jsonl");
    let lines: Vec<&str> = kept.lines().collect();
    let text = [&lines[..40], &["{}"], &lines[41..]].concat().join("\n");
    std::fs::write(&damaged, text + "\n").unwrap();
    let mut terminal = replay(&damaged, "--speed 1000");
    terminal.shows("the damage", |screen| {
        screen.contains("line 41 is damaged") && screen.contains("line 41: it cannot be understood")
    });
    terminal.keys(&format!("{}[", "{".repeat(10)));
    terminal.shows("the damage, at another place", |screen| {
        screen.contains("line 41 is damaged") && !screen.contains("line 41: it cannot")
    });
}

fn ww_ctl_shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .env("WW_AUDIT_FILE", crate::lab::audit_file());
    command
}

#[test]
fn two_that_are_marked_are_restarted_once_each_and_seen_up_again() {
    let lab = Lab::new("marked");
    let tree = lab.tree("app");
    tree.all_scripts().script("svcup", "sleep 0.5");
    let image = lab.image(&tree);
    let guests = ["one", "two", "three"].map(|what| lab.start(what, &image, &[], &[]));
    for guest in &guests {
        guest.reaches("UP");
    }
    let [one, two, other] = &guests;
    let mut terminal = Terminal::new(&format!("{} top", ww_ctl_path().display()), 45, 160);
    terminal.shows("the dashboard", |screen| screen.contains("STATE"));
    terminal.keys(&format!("/{}\r", lab.named("")));
    terminal.shows("the three", |screen| screen.contains("3 of"));
    // By name: one, three, two.
    terminal.keys("sg j ");
    terminal.shows("the marks", |screen| screen.contains("2 marked"));
    terminal.keys("R");
    let question = terminal.shows("the question", |screen| screen.contains("2 containers"));
    let command = question
        .lines()
        .find(|line| line.contains("ww-ctl restart"));
    let command = command.unwrap_or_else(|| panic!("{question}"));
    assert!(
        command.contains(&one.name) && command.contains(&two.name),
        "{command}"
    );
    assert!(!command.contains(&other.name), "{command}");
    terminal.keys("y");
    let row = |screen: &str, name: &str, words: &str| {
        let mut lines = screen.lines();
        lines.any(|line| line.contains(name) && line.contains(words))
    };
    terminal.shows("both on their way", |screen| {
        [one, two]
            .iter()
            .all(|guest| row(screen, &guest.name, "RESTARTING"))
    });
    terminal.shows("both UP again", |screen| {
        [one, two]
            .iter()
            .all(|guest| row(screen, &guest.name, "restart → UP after"))
    });
    for (guest, count) in [(one, 2), (two, 2), (other, 1)] {
        let started = guest.log().iter().filter(|line| *line == "-svcup").count();
        assert_eq!(started, count, "{}", guest.name);
    }
    terminal.keys("q");
}

#[test]
fn an_engine_that_is_killed_and_comes_back_keeps_its_rows_and_the_cursor() {
    let lab = Lab::new("gone");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    // What it ran goes on without it.
    let keeps = ["--live-restore"];
    let kind = Kind {
        options: &keeps,
        subordinate: None,
    };
    let mut engine = Engine::start(lab.directory("far/engine"), &kind);
    engine.load(&image);
    for name in ["a1", "a2", "a3"] {
        let network = ["run", "-d", "--network=none", "--name", name, &image];
        engine.docker(&network).expect(0);
    }
    let top = format!("{} -H {} top", ww_ctl_path().display(), engine.url());
    let mut terminal = Terminal::new(&top, 45, 160);
    let rows = |screen: &str, sign: &str| {
        let row = |line: &&str| line.trim_start_matches(['▸', ' ']).starts_with(sign);
        screen.lines().filter(row).count()
    };
    let up = |screen: &str| rows(screen, "● UP");
    terminal.shows("three that are UP", |screen| up(screen) == 3);
    terminal.keys("sj");
    let under = |screen: &str, name: &str| {
        let row = screen.lines().find(|line| line.starts_with('▸'));
        row.is_some_and(|row| row.split_whitespace().any(|word| word == name))
    };
    terminal.shows("the second row", |screen| under(screen, "a2"));
    engine.signal("KILL");
    engine.ended();
    let lost = terminal.shows("that it is gone", |screen| screen.contains("lost for"));
    assert!(under(&lost, "a2"), "the cursor stays:\n{lost}");
    assert_eq!(up(&lost), 0, "nothing is said to be UP:\n{lost}");
    assert_eq!(rows(&lost, "? UP"), 3, "the rows stay:\n{lost}");
    // How long it has been gone goes on.
    terminal.shows("its age", |screen| screen.contains("host lost 2s"));
    engine.begin(&keeps);
    engine.answers();
    let back = now();
    let live = terminal.shows("three that are UP again", |screen| up(screen) == 3);
    let took = back.elapsed();
    assert!(took < Duration::from_secs(2), "live again after {took:?}");
    assert!(under(&live, "a2"), "the cursor stays:\n{live}");
    assert!(!live.contains("lost"), "{live}");
    terminal.keys("q");
}
