//! What a real bash completes, with a real fleet to complete from.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lab::{Lab, docker, now, run, ww_ctl, ww_ctl_path};
use crate::pty::Terminal;

/// A bash that has read our script, and finds the tool by its name.
fn bash() -> Terminal {
    let directory = ww_ctl_path();
    let directory = directory.parent().expect("its directory").display();
    let begin =
        format!("PATH={directory}:$PATH PS1='> ' INPUTRC=/dev/null bash --norc --noprofile -i");
    let mut terminal = Terminal::new(&begin, 50, 200);
    terminal.shows("a prompt", |screen| screen.contains("> "));
    terminal.keys("source <(ww-ctl completions bash); echo rea''dy\r");
    terminal.shows("that it has read it", |screen| {
        screen.trim_end().ends_with("ready\n>")
    });
    terminal
}

/// How many lines have been typed.
static LINES: AtomicUsize = AtomicUsize::new(0);

/// Types, asks, and waits until the line is as it is to be; then takes it back.
#[track_caller]
fn completes(terminal: &mut Terminal, typed: &str, line: &str) {
    terminal.keys(typed);
    terminal.keys("\t");
    let wanted = format!("> {line}");
    terminal.shows(&format!("{typed:?} as {line:?}"), |screen| {
        let last = screen.trim_end_matches('\n').lines().next_back();
        last.is_some_and(|last| last.trim_end() == wanted.trim_end())
    });
    // Gone, and the prompt of another line: one that is only emptied looks as it did before, and what is typed
    // before the next one is there would be shown twice.
    let line = LINES.fetch_add(1, Ordering::Relaxed);
    terminal.keys(&format!("\u{15}clear; echo after ''{line}\r"));
    let emptied = format!("after {line}\n>");
    terminal.shows("another prompt", |screen| screen.trim() == emptied);
}

#[test]
fn names_states_and_formats_are_completed_and_nothing_is_said_when_that_fails() {
    let lab = Lab::new("tab");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let running = lab.start("running", &image, &["--label", "tier=web"], &[]);
    let ended = lab.start("ended", &image, &[], &[]);
    // Without an agent.
    let plain = lab.start_bare("plain", lab.base(), &[], &["sleep", "600"]);
    running.reaches("UP");
    docker(["stop", "-t", "60", &ended.name]).expect(0);
    let own = lab.named("");
    let mut terminal = bash();
    let mut completes = |typed: &str, line: &str| completes(&mut terminal, typed, line);
    completes("ww-ctl comp", "ww-ctl completions");
    completes(
        &format!("ww-ctl stop {own}"),
        &format!("ww-ctl stop {}", running.name),
    );
    completes(
        &format!("ww-ctl start {own}"),
        &format!("ww-ctl start {}", ended.name),
    );
    completes(
        &format!("ww-ctl logs {own}p"),
        &format!("ww-ctl logs {}", plain.name),
    );
    completes(&format!("ww-ctl cfg {own}p"), &format!("ww-ctl cfg {own}p"));
    completes("ww-ctl wait x --for heal", "ww-ctl wait x --for healthy");
    completes("ww-ctl wait x --for=WAR", "ww-ctl wait x --for=WARMUP");
    completes("ww-ctl ls --filter stat", "ww-ctl ls --filter state=");
    completes(
        "ww-ctl ls --filter state!=FI",
        "ww-ctl ls --filter state!=FIRSTBOOT",
    );
    completes(
        &format!("ww-ctl ls --filter image={}", own.trim_end_matches('-')),
        &format!("ww-ctl ls --filter image={image}"),
    );
    completes("ww-ctl ls -o w", "ww-ctl ls -o wide");
    completes("ww-ctl -c defau", "ww-ctl -c default");
    // Nothing there, and nothing is said.
    completes(
        "ww-ctl -H unix:///nonexistent show x",
        "ww-ctl -H unix:///nonexistent show x",
    );
    // Two hosts: names with theirs.
    let socket = lab.directory("two").join("second.sock");
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).expect("a link");
    let hosts = format!(
        "-H unix:///var/run/docker.sock -H unix://{}",
        socket.display()
    );
    completes(
        &format!("ww-ctl {hosts} stop local/{own}"),
        &format!("ww-ctl {hosts} stop local/{}", running.name),
    );
}

#[test]
fn whoever_completes_waits_less_than_a_second_for_an_engine_that_says_nothing() {
    let lab = Lab::new("tab");
    let socket = lab.directory("silent").join("docker.sock");
    // The kernel takes the connection, nobody answers.
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let url = format!("unix://{}", socket.display());
    let begun = now();
    let ran = run(Command::new(ww_ctl_path())
        .env("WW_COMPLETE", "bash")
        .args(["--", "ww-ctl", "-H", &url, "show", ""]));
    let took = begun.elapsed();
    assert!(took < std::time::Duration::from_millis(1500), "{took:?}");
    assert_eq!(ran.stderr, "");
    assert!(!ran.stdout.contains("silent"), "{}", ran.stdout);
    // And what is no question of a shell is run as always.
    let asked = run(Command::new(ww_ctl_path())
        .env("WW_COMPLETE", "bash")
        .arg("--version"));
    assert!(asked.expect(0).stdout.starts_with("ww-ctl "));
    ww_ctl(["completions", "tcsh"]).expect(2).says(&["tcsh"]);
}
