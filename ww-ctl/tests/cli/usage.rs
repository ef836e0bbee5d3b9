//! Wrong uses: code 2, nothing on stdout, and words that help.

use crate::{ctl, said};

#[test]
fn wrong_uses_are_two_and_say_what_is_wrong() {
    for (arguments, words) in [
        (&["ls", "--colour"][..], "--colour"),
        (&["lss"], "ls"),
        (&["show"], "<NAME>"),
        (&["wait", "shop"], "--for"),
        (
            &["wait", "shop", "--for", "LATER"],
            "`LATER` is not a state",
        ),
        (
            &["wait", "shop", "--for", "UP", "--timeout", "soon"],
            "30s, 2m",
        ),
        (&["ls", "--filter", "state=LATER"], "`LATER` is not a state"),
        (
            &["ls", "--filter", "colour=red"],
            "name, label, state, health, image, project",
        ),
        (&["ls", "-o", "yaml"], "jsonl"),
        (&["stop", "--all", "shop"], "--all"),
        (&["-q", "-v", "ls"], "--verbose"),
        (&["-H", "ops2", "ls"], "unix:///path/to/docker.sock"),
        (&["-H", "ssh://ops2", "ls"], "ssh is not supported yet"),
        (
            &["-H", "https://ops2:2376", "ls"],
            "TLS is not supported yet",
        ),
        (
            &["-c", "nowhere", "ls"],
            "there is no Docker context `nowhere`",
        ),
        (&["cfg", "shop", ".memory | keys", "--origin"], "plain path"),
        (&["show", "shop", "--evidence=last"], "invalid value 'last'"),
        (
            &["show", "shop", "--evidence", "--history"],
            "cannot be used with '--history'",
        ),
        (&["show", "shop", "-n", "5"], "--history"),
        (&["show", "shop", "--history", "-n", "few"], "'few'"),
        (&["stop", "shop", "--timeout", "soon"], "30s, 2m"),
        (
            &["stop", "shop", "--no-wait", "--timeout", "1m"],
            "--no-wait",
        ),
        (
            &["restart", "shop", "--no-wait", "--timeout", "1m"],
            "--no-wait",
        ),
        // What comes after it is no number but the name.
        (
            &["-H", "ssh://ops2", "show", "--evidence", "shop"],
            "ssh is not supported yet",
        ),
        (
            &["events", "--filter", "state=LATER"],
            "`LATER` is not a state",
        ),
    ] {
        let ran = ctl(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn what_would_change_something_is_refused_before_any_engine_is_asked() {
    for action in ["start", "stop", "restart"] {
        let ran = ctl(&[
            "-H",
            "unix:///nonexistent.sock",
            "--read-only",
            action,
            "shop",
        ]);
        insta::allow_duplicates! {
            let words = said(&ran).replace(action, "ACT");
            insta::assert_snapshot!(words, @r"
            exit 6
            ww-ctl: cannot ACT: read-only
              leave out --read-only to act
            ");
        }
    }
}
