//! What is done to containers from the dashboard, on a real terminal.

use crate::lab::{Guest, Lab, docker, until, ww_ctl_path};
use crate::pty::Terminal;

fn row(screen: &str, name: &str, words: &str) -> bool {
    let mut lines = screen.lines();
    lines.any(|line| line.contains(name) && line.contains(words))
}

#[test]
fn a_shell_is_opened_and_left_and_the_dashboard_goes_on() {
    let lab = Lab::new("shell");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let guest = lab.start("one", &image, &[], &[]);
    guest.reaches("UP");
    let shell = format!(
        "{} top '{}'; echo left with $?",
        ww_ctl_path().display(),
        guest.name
    );
    let mut terminal = Terminal::new(&shell, 30, 120);
    terminal.shows("the row", |screen| row(screen, &guest.name, "● UP"));
    for round in 0..2 {
        terminal.keys("X");
        terminal.shows("what comes back", |screen| {
            screen.contains("comes back to the dashboard")
        });
        assert!(!terminal.is_taken());
        // Every key is the shell's, `q` among them.
        terminal.keys(&format!("echo q$((40 + 2)) round {round}; hostname\r"));
        terminal.shows("the shell", |screen| {
            screen.contains(&format!("q42 round {round}"))
        });
        terminal.keys("exit 3\r");
        terminal.shows("the dashboard", |screen| {
            row(screen, &guest.name, "● UP") && screen.contains("has ended")
        });
        assert!(terminal.is_taken());
    }
    // Who has no shell is told, and the dashboard goes on.
    let bare = docker([
        "exec",
        &guest.name,
        "sh",
        "-c",
        "rm -f /bin/sh /bin/bash /bin/ash",
    ]);
    bare.expect(0);
    terminal.keys("X");
    // Not that the one before has ended: what is typed too early is the shell's.
    let why = format!("shell in {}: ", guest.name);
    terminal.shows("why not", |screen| {
        screen.contains(&why) && row(screen, &guest.name, "● UP")
    });
    terminal.keys("q");
    terminal.shows("the end", |screen| screen.contains("left with 0"));
    terminal.is_given_back();
}

#[test]
fn backed_up_killed_and_started_again() {
    let lab = Lab::new("acts");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let vault = lab.directory("vault");
    let mount = format!("{}:/backup", vault.display());
    let guest = lab.start("one", &image, &["-v", &mount], &[]);
    guest.reaches("UP");
    let top = format!("{} top '{}'", ww_ctl_path().display(), guest.name);
    let mut terminal = Terminal::new(&top, 30, 160);
    terminal.shows("the row", |screen| row(screen, &guest.name, "● UP"));
    terminal.keys("B");
    terminal.shows("the question", |screen| screen.contains("ww-ctl backup"));
    terminal.keys("y");
    terminal.shows("that it is made", |screen| {
        row(screen, &guest.name, "backup → made")
    });
    terminal.shows("which set", |screen| row(screen, "backed up", &guest.name));
    let sets = std::fs::read_dir(vault.join(&guest.name))
        .expect("sets")
        .count();
    assert!(sets >= 1, "{sets}");
    terminal.keys("K");
    terminal.shows("the question", |screen| screen.contains("docker kill"));
    terminal.keys("y\r");
    terminal.shows("it asks on", |screen| screen.contains("docker kill"));
    terminal.keys(&format!("{}\r", guest.name));
    terminal.shows("its end", |screen| {
        row(screen, &guest.name, "kill → DOCKERDOWN")
    });
    until("its end", || {
        (guest.inspect("{{.State.Running}}") == "false").then_some(())
    });
    terminal.keys("U");
    terminal.shows("the question", |screen| screen.contains("ww-ctl start"));
    terminal.keys("y");
    terminal.shows("UP again", |screen| row(screen, &guest.name, "start → UP"));
    terminal.keys("q");
}

#[test]
fn several_are_restarted_one_after_the_other() {
    let lab = Lab::new("turns");
    let tree = lab.tree("app");
    tree.all_scripts()
        .script("svcup", "sleep 0.3")
        .script("monitor", "exit 0")
        .defaults(r#"{"ww":{"monitor":{"interval":"300ms"}}}"#);
    let image = lab.image(&tree);
    let guests = ["a1", "a2"].map(|what| lab.start(what, &image, &[], &[]));
    for guest in &guests {
        guest.reaches("UP");
    }
    let top = format!("{} top '{}*'", ww_ctl_path().display(), lab.named(""));
    let mut terminal = Terminal::new(&top, 30, 160);
    terminal.shows("two", |screen| {
        guests
            .iter()
            .all(|guest| row(screen, &guest.name, "passing"))
    });
    terminal.keys("*Ro");
    terminal.shows("the command", |screen| screen.contains("restart --rolling"));
    terminal.keys("y");
    terminal.shows("both UP again", |screen| {
        guests
            .iter()
            .all(|guest| row(screen, &guest.name, "restart → UP"))
    });
    let [one, other] = &guests;
    // When it was last said to be in a state, by the container's clock.
    let last = |guest: &Guest, state: &str| {
        let log = docker(["logs", "-t", &guest.name]).expect(0).stderr;
        let line = log.lines().rfind(|line| line.contains(state));
        let time = line.and_then(|line| line.split_once(' '));
        time.map(|(time, _)| time.to_owned())
    };
    let (first_up, second_down) = (last(one, "UP"), last(other, "RESTARTING"));
    let (second_up, first_down) = (last(other, "UP"), last(one, "RESTARTING"));
    assert!(first_down.is_some() && second_down.is_some());
    assert!(
        first_up < second_down || second_up < first_down,
        "never both at once: {first_up:?} {second_down:?} {second_up:?} {first_down:?}"
    );
    terminal.keys("q");
}
