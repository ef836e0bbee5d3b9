//! The dashboard on a real terminal against a real fleet.

use std::process::Command;

use crate::lab::{Lab, docker, run, until, ww_ctl_command, ww_ctl_path};
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
fn the_terminal_is_restored_when_it_is_killed() {
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)] {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pid");
        let shell = format!(
            "B=$(stty -g); sh -c 'echo $$ > {}; exec {} top'; C=$?; A=$(stty -g); [ \"$A\" = \"$B\" ] && echo same modes; echo left with $C",
            file.display(),
            ww_ctl_path().display()
        );
        let mut terminal = Terminal::new(&shell, 24, 80);
        terminal.shows("the dashboard", |screen| {
            screen.contains("ww-ctl") || screen.contains("NAME")
        });
        let pid = until("its process", || {
            let pid = std::fs::read_to_string(&file).ok()?;
            pid.ends_with('\n').then(|| pid.trim().to_owned())
        });
        run(Command::new("kill").args([&format!("-{signal}"), &pid])).expect(0);
        terminal.shows(&format!("exit {code} after {signal}"), |screen| {
            screen.contains(&format!("left with {code}"))
        });
        let after = terminal.contents();
        assert!(after.contains("same modes"), "{signal}:\n{after}");
        assert!(
            terminal.raw.windows(8).any(|bytes| bytes == b"\x1b[?1049l"),
            "{signal}: alternate screen left"
        );
    }
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

fn ww_ctl_shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .env("WW_AUDIT_FILE", crate::lab::audit_file());
    command
}
