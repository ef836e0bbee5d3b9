//! The dashboard's terminal is given back whatever happens.

use std::process::Command;

use crate::lab::{Lab, run, until, ww_ctl_path};
use crate::pty::Terminal;

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
        terminal.is_given_back();
    }
}

#[test]
fn a_fault_of_its_own_gives_the_terminal_back_and_is_told() {
    let shell = format!(
        "B=$(stty -g); RUST_BACKTRACE=0 WW_TEST_FAULT=top {} top nobody-is-called-so; C=$?; A=$(stty -g); [ \"$A\" = \"$B\" ] && echo same modes; echo left with $C",
        ww_ctl_path().display()
    );
    // F12, and F11: in the loop, and in a task.
    for key in ["\x1b[24~", "\x1b[23~"] {
        let mut terminal = Terminal::new(&shell, 24, 80);
        terminal.shows("the dashboard", |screen| screen.contains("q quit"));
        assert!(terminal.is_taken());
        terminal.keys(key);
        let after = terminal.shows("its end", |screen| screen.contains("left with"));
        assert!(after.contains("same modes"), "{after}");
        assert!(after.contains("a fault on purpose"), "{after}");
        assert!(!after.contains("left with 0"), "{after}");
        terminal.is_given_back();
    }
}

#[test]
fn suspended_continued_and_resized_it_goes_on_where_it_was() {
    let lab = Lab::new("sus");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let guests = ["a1", "a2", "a3"].map(|what| lab.start(what, &image, &[], &[]));
    for guest in &guests {
        guest.reaches("UP");
    }
    // A shell with job control, as an operator has it.
    let mut terminal = Terminal::new("PS1='ready> ' exec bash --norc --noprofile -i", 24, 100);
    terminal.shows("the shell", |screen| screen.contains("ready>"));
    // Its line editor has the terminal mark what is pasted, too.
    terminal
        .keys("bind 'set enable-bracketed-paste off'; tty; stty -a | grep -o -- '-\\?icanon'\n");
    let screen = terminal.shows("its terminal", |screen| screen.contains("\nicanon"));
    let device = screen.lines().find(|line| line.starts_with("/dev/pts/"));
    let device = device.expect("a terminal").trim().to_owned();
    terminal.keys(&format!("clear; {} top\n", ww_ctl_path().display()));
    terminal.shows("the dashboard", |screen| screen.contains("NAME"));
    terminal.keys(&format!("/{}\r", lab.named("")));
    terminal.shows("the three", |screen| screen.contains("3 of"));
    terminal.keys("j");
    // Names are cut where there is little room; the second row is the second one's.
    let under = |screen: &str| {
        let mut rows = screen.lines().filter(|line| line.contains("● UP"));
        rows.position(|row| row.starts_with('▸'))
    };
    let second = |screen: &str| under(screen) == Some(1);
    terminal.shows("the second row", second);
    for round in 0..2 {
        // ^Z
        terminal.keys("\x1a");
        terminal.shows("the shell", |screen| screen.contains("Stopped"));
        terminal.is_given_back();
        terminal.keys(&format!(
            "stty -a | grep -o -- '-\\?icanon'; echo round {round}\n"
        ));
        let shell = terminal.shows("its modes", |screen| {
            screen.contains(&format!("\nround {round}"))
        });
        assert!(!shell.contains("-icanon"), "{shell}");
        terminal.keys("clear; fg\n");
        terminal.shows("the same row", second);
        assert!(terminal.is_taken());
    }
    for (rows, columns) in [(45, 160), (12, 40), (30, 100)] {
        terminal.resize(&device, rows, columns);
        terminal.shows(&format!("the same row at {columns}x{rows}"), |screen| {
            let lines: Vec<&str> = screen.lines().collect();
            let wide = lines.iter().map(|line| line.chars().count()).max();
            // The rule above the details, or on a small screen the rows, reach its right edge.
            second(screen) && (wide == Some(usize::from(columns)) || columns < 50)
        });
    }
    terminal.keys("q");
    terminal.shows("the shell", |screen| screen.contains("ready>"));
    terminal.is_given_back();
    terminal.keys("exit\n");
}
