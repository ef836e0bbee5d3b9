//! Containers that would like to command the terminal of whoever looks at them.

use std::collections::BTreeMap;

use serde_json::json;

use crate::lab::{Lab, ww_ctl_path};
use crate::pty::Terminal;
use crate::simulated::Simulated;
use crate::tree::Tree;

/// In front of each text, so that it is known to be shown.
const MARK: &str = "nasty";
/// The same with nothing in it that anybody obeys.
const PLAIN: &str = "nasty-and-plain-end";

/// What the containers of a pair have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is UP and its monitor prints JSON.
    Up,
    /// It does not come up.
    Warm,
    /// Its monitor prints something else and fails.
    Sick,
}

impl Kind {
    /// Two names of one length: of the one that is nasty, and of the other.
    const fn names(self) -> [&'static str; 2] {
        match self {
            Self::Up => ["up", "ok"],
            Self::Warm => ["warm", "calm"],
            Self::Sick => ["sick", "weak"],
        }
    }

    /// What each tab shows of it in the end.
    const fn tabs(self) -> [(&'static str, &'static str); 6] {
        let health = match self {
            Self::Up | Self::Sick => MARK,
            Self::Warm => "not checked yet",
        };
        [
            ("1", MARK),
            ("2", "transitions"),
            ("3", "AAAA"),
            ("4", health),
            ("5", MARK),
            ("6", "how it came to this"),
        ]
    }
}

/// Everything at once that a terminal would obey, or that changes what is seen around it.
fn nasty() -> String {
    let mut text = MARK.to_owned();
    // The title, the clipboard, another screen, the cursor elsewhere, all erased, a question, a colour.
    text.push_str(
        "\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1b[?1049l\x1b[5;5H\x1b[2J\x1b[6n\x1b[c\x1b[31;8m",
    );
    // A string for the device, a reset, another set of characters, what is printed twice.
    text.push_str("\x1bP+q544e\x1b\\\x1bc\x1b(0\x0e\x0f\x1b[3b\x1b_x\x1b\\\x1b^y\x1b\\");
    // The same as single characters.
    text.push_str("\u{9b}2J\u{9d}0;x\u{9c}\u{90}q\u{9c}\u{85}\u{8d}");
    // Backwards, of no width, and what other characters are drawn over with.
    text.push_str(
        "\u{202e}\u{202a}\u{2066}\u{2069}\u{200e}\u{61c}\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}",
    );
    text.push_str("\u{2028}\u{2029}\u{3164}\u{115f}\u{e0041}\u{fe0f}\x08\x08\x7f\x07\x0b\x0c\r");
    text.push_str("end");
    text
}

/// A tree whose every text is this one, with lines of a megabyte and sequences that do not end.
fn fill(tree: &Tree, text: &str, kind: Kind) {
    let line = format!("{text}{}", "A".repeat(1_000_000));
    let open = if text == PLAIN {
        ""
    } else {
        "\x1b]0;without an end\n\x1b[\n\x1bP\n"
    };
    let lines = format!("{line}\n{text}{open}{text}\n");
    let told = json!({ "queue": 7, text: text, "list": [text, { text: "x".repeat(3000) }], "status": text });
    let print = "cat /ww/usr/lines; cat /ww/usr/lines >&2";
    let tell = "/ww/bin/ww-agent notify --progress 40 --status \"$(cat /ww/usr/text)\"";
    let rest = if kind == Kind::Warm {
        "; sleep 3600"
    } else {
        ""
    };
    let script = |body: &str| format!("#!/bin/sh\n{body}\n");
    let monitor = if kind == Kind::Up {
        "cat /ww/usr/told"
    } else {
        "cat /ww/usr/text /ww/usr/lines; exit 1"
    };
    tree.all_scripts()
        .file("usr/text", 0o644, text)
        .file("usr/lines", 0o644, &lines)
        .file("usr/told", 0o644, &told.to_string())
        .script("svcup", &format!("{print}; {tell}"))
        .script("warmup", &format!("{print}; {tell}{rest}"))
        .file(
            "usr/lifecycle",
            0o755,
            &script(&format!("{print}; cat /ww/usr/text; echo $1")),
        )
        .file("usr/monitor", 0o755, &script(monitor))
        .defaults(r#"{"ww":{"monitor":{"interval":"500ms"}}}"#);
}

/// What a terminal was told, sorted out.
#[derive(Debug, Default)]
struct Told {
    /// Commands that the dashboard gives, and how often.
    known: BTreeMap<String, usize>,
    /// All others.
    strange: BTreeMap<String, usize>,
}

impl Told {
    fn of(bytes: &[u8]) -> Self {
        let mut told = Self::default();
        vte::Parser::new().advance(&mut told, bytes);
        told
    }

    fn count(&mut self, is_known: bool, what: String) {
        let of = if is_known {
            &mut self.known
        } else {
            &mut self.strange
        };
        *of.entry(what).or_default() += 1;
    }
}

impl vte::Perform for Told {
    fn print(&mut self, c: char) {
        // Control characters, marks of direction, what has no width, and what cannot be seen.
        let is_strange = c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}');
        if is_strange {
            self.count(false, format!("{c:?}"));
        }
    }

    fn execute(&mut self, byte: u8) {
        self.count(false, format!("byte {byte:#x}"));
    }

    fn csi_dispatch(&mut self, params: &vte::Params, between: &[u8], ignore: bool, c: char) {
        let numbers: Vec<u16> = params.iter().flatten().copied().collect();
        let is_known = !ignore
            && match (between, c) {
                (b"", 'H') => true,
                // Never what cannot be seen.
                (b"", 'm') => !numbers.contains(&8) || numbers.contains(&5),
                (b"?", 'h' | 'l') => [25, 1000, 1006, 1049, 2004, 2026].contains(&numbers[0]),
                _ => false,
            };
        let what = String::from_utf8_lossy(between);
        let numbers = if c == 'H' || c == 'm' {
            String::new()
        } else {
            format!("{numbers:?}")
        };
        self.count(is_known, format!("CSI {what}{numbers}{c}"));
    }

    fn esc_dispatch(&mut self, between: &[u8], _ignore: bool, byte: u8) {
        self.count(false, format!("ESC {between:?} {byte:#x}"));
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _bell: bool) {
        self.count(false, format!("OSC {params:?}"));
    }

    fn hook(&mut self, _params: &vte::Params, between: &[u8], _ignore: bool, c: char) {
        self.count(false, format!("DCS {between:?} {c}"));
    }
}

/// What does not depend on the texts: the headings, where the row's last column begins, the tabs and the keys,
/// each with its line.
fn skeleton(screen: &str, name: &str, own: &str) -> Vec<(usize, String)> {
    let lines = screen.lines().enumerate();
    let mut kept = Vec::new();
    for (at, line) in lines {
        if line.contains(" NAME ") || line.contains("1 Summary") || line.contains(" q quit") {
            kept.push((at, line.replace(name, "NAME").trim_end().to_owned()));
        } else if line.starts_with('▸') {
            let image = line.rfind(own).map(|byte| line[..byte].chars().count());
            kept.push((at, format!("{image:?}")));
        }
    }
    kept
}

/// The dashboard was left: fails unless the terminal is as before, and was told nothing but what a
/// dashboard tells it.
fn is_untouched(terminal: &Terminal, what: &str) {
    terminal.is_given_back();
    let find = |wanted: &[u8]| {
        terminal
            .raw
            .windows(wanted.len())
            .position(|bytes| bytes == wanted)
    };
    let begun = find(b"\x1b[?1049h").expect("the beginning");
    let ended = find(b"left with 0").expect("the end");
    let told = Told::of(&terminal.raw[begun..ended]);
    assert!(told.strange.is_empty(), "{what}: {told:?}");
    for once in ["CSI ?[1049]h", "CSI ?[1049]l"] {
        assert_eq!(told.known.get(once), Some(&1), "{what}: {told:?}");
    }
}

/// Goes through all tabs; how each was laid out.
fn look_through(lab: &Lab, what: &str, kind: Kind, text: &str) -> Vec<Vec<(usize, String)>> {
    let tree = lab.tree(what);
    fill(&tree, text, kind);
    let layer = json!({ "deceptive": { text: text, "long": "x".repeat(20_000) } });
    let (label, key) = (format!("deceptive={text}"), format!("{text}=x"));
    let cfg = format!("CFG={layer}");
    let options = ["--label", &label, "--label", &key, "-e", &cfg];
    let guest = lab.start(what, &lab.image(&tree), &options, &[]);
    guest.reaches(if kind == Kind::Warm { "WARMUP" } else { "UP" });
    let top = format!(
        "{} top {}; echo left with $?",
        ww_ctl_path().display(),
        guest.name
    );
    let mut terminal = Terminal::new(&top, 45, 160);
    terminal.shows("the container", |screen| screen.contains(&guest.name));
    let mut laid_out = Vec::new();
    for (tab, shown) in kind.tabs() {
        terminal.keys(tab);
        let screen = terminal.shows(&format!("{shown} in tab {tab} of {what}"), |screen| {
            let details = screen.find("1 Summary").map(|at| &screen[at..]);
            details.is_some_and(|details| details.contains(shown))
        });
        laid_out.push(skeleton(&screen, &guest.name, &lab.named("")));
    }
    // On the whole screen, too.
    terminal.keys("3\r");
    terminal.shows("its lines alone", |screen| {
        screen.contains("AAAA") && !screen.contains(" NAME ")
    });
    terminal.keys("q");
    terminal.shows("its end", |screen| screen.contains("left with 0"));
    is_untouched(&terminal, what);
    laid_out
}

#[test]
fn no_byte_of_a_container_commands_the_terminal_and_nothing_is_moved() {
    // That it would be noticed.
    let own = Told::of(nasty().as_bytes());
    assert!(own.strange.len() > 30, "{own:?}");
    let lab = Lab::new("dec");
    for kind in [Kind::Up, Kind::Warm, Kind::Sick] {
        let [nasty, plain] = kind.names();
        let moved = look_through(&lab, nasty, kind, &self::nasty());
        let still = look_through(&lab, plain, kind, PLAIN);
        assert_eq!(moved, still, "{kind:?}");
        assert!(still.iter().all(|lines| lines.len() == 4), "{still:?}");
    }
}

/// Looks at a container with a name that no Engine would give it; where its details begin, and the headings.
fn look_at_name(called: fn(usize, usize) -> String) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let fleet = Simulated::called(directory.path(), 1, 1, 0, called);
    let top = format!(
        "{} -H {} top; echo left with $?",
        ww_ctl_path().display(),
        fleet.urls()[0]
    );
    let mut terminal = Terminal::new(&top, 45, 160);
    let mut laid_out = Vec::new();
    for (tab, shown) in [
        ("1", MARK),
        ("2", "transitions"),
        ("6", "how it came to this"),
    ] {
        terminal.keys(tab);
        let screen = terminal.shows(shown, |screen| {
            screen.contains(MARK) && screen.contains(" UP ") && screen.contains(shown)
        });
        for line in screen.lines() {
            if line.contains(" NAME ") {
                laid_out.push(line.trim_end().to_owned());
            } else if let Some(at) = line.find("1 Summary") {
                laid_out.push(line[..at].chars().count().to_string());
            }
        }
    }
    // The name is asked for, and the question has it.
    terminal.keys("K");
    terminal.shows("the question", |screen| {
        screen.contains("kill") && screen.contains(MARK)
    });
    terminal.keys("\x1b");
    terminal.shows("no question", |screen| screen.contains(" q quit"));
    terminal.keys("q");
    terminal.shows("its end", |screen| screen.contains("left with 0"));
    is_untouched(&terminal, "a name");
    laid_out
}

#[test]
fn a_name_that_docker_would_refuse_commands_nothing_either() {
    let moved = look_at_name(|_, _| format!("{}{}", nasty(), "A".repeat(1_000_000)));
    let still = look_at_name(|_, _| format!("{PLAIN}{}", "A".repeat(1_000_000)));
    assert_eq!(moved, still);
    assert_eq!(still.len(), 6, "{still:?}");
}
