//! Wrong uses: their code, nothing on stdout, and words that help.

use crate::{all, ctl, said};

/// So many of each command at least.
const EACH: usize = 3;

/// The command line, the exit code, and what must be said.
type Wrong = (&'static str, i32, &'static str);

/// Nobody answers here.
const GONE: &str = "-H unix:///nonexistent/docker.sock";

const WRONG: &[Wrong] = &[
    ("ls --colour", 2, "--colour"),
    ("ls --filter state=LATER", 2, "`LATER` is not a state"),
    ("ls --filter state!=LATER", 2, "`LATER` is not a state"),
    (
        "ls --filter colour=red",
        2,
        "name, label, state, health, image, project, host",
    ),
    ("ls --filter helth=passing", 2, "did you mean `health`?"),
    ("ls -o yaml", 2, "jsonl"),
    ("ls GONE", 5, "is Docker running?"),
    ("top --filter state=LATER", 2, "`LATER` is not a state"),
    ("top -o json", 2, "`ww-ctl top` does not print `json`"),
    ("top", 2, "not a terminal"),
    ("show", 2, "<NAME>"),
    ("show shop --evidence=last", 2, "invalid value 'last'"),
    (
        "show shop --evidence --history",
        2,
        "cannot be used with '--history'",
    ),
    ("show shop -n 5", 2, "--history"),
    ("show shop --history -n few", 2, "'few'"),
    // What comes after it is no number but the name.
    ("show GONE --evidence shop", 5, "is Docker running?"),
    ("wait shop", 2, "--for"),
    ("wait shop --for LATER", 2, "`LATER` is not a state"),
    ("wait shop --for upp", 2, "did you mean `UP`?"),
    ("wait shop --for helthy", 2, "did you mean `healthy`?"),
    ("top --batch --interval 0s", 2, "expected 0.1s or more"),
    ("top --batch --interval 99ms", 2, "expected 0.1s or more"),
    ("wait shop --for UP --timeout soon", 2, "30s, 2m"),
    ("wait --for UP", 2, "no container is named"),
    ("start --all shop", 2, "--all"),
    ("start shop --no-wait --timeout 1m", 2, "--no-wait"),
    ("start shop GONE", 5, "is Docker running?"),
    ("start --read-only shop", 6, "read-only"),
    ("stop --all shop", 2, "--all"),
    ("stop shop --timeout soon", 2, "30s, 2m"),
    ("stop shop --no-wait --timeout 1m", 2, "--no-wait"),
    ("stop", 2, "no container is named"),
    ("restart shop --no-wait --timeout 1m", 2, "--no-wait"),
    ("restart shop --timeout soon", 2, "30s, 2m"),
    ("restart", 2, "no container is named"),
    ("restart shop --rolling --no-wait", 2, "--no-wait"),
    ("restart shop --max-unavailable 2", 2, "--rolling"),
    ("restart shop --rolling --max-unavailable 0", 2, "from 1 on"),
    ("restart --read-only shop", 6, "read-only"),
    ("upgrade shop", 2, "--image"),
    ("upgrade shop --image shop:2 --undo", 2, "--undo"),
    ("upgrade shop --undo --keep", 2, "--keep"),
    ("upgrade shop --image shop:2 --timeout soon", 2, "30s, 2m"),
    ("logs", 2, "no container is named"),
    ("logs shop --tail few", 2, "few"),
    ("logs shop --since yesterday", 2, "how long ago"),
    ("exec shop", 2, "<NAME> -- <CMD>..."),
    ("exec shop sh", 2, "<NAME> -- <CMD>..."),
    ("exec -t -T shop -- sh", 2, "--no-tty"),
    ("exec --read-only shop -- sh", 6, "read-only"),
    ("events --until now", 2, "--since"),
    ("events --filter state=LATER", 2, "`LATER` is not a state"),
    ("events --no-such", 2, "--no-such"),
    ("events GONE", 5, "is Docker running?"),
    ("cfg", 2, "<NAME>"),
    ("cfg shop .memory|keys --origin", 2, "plain path"),
    ("cfg shop -o name", 2, "table, wide, json, jsonl"),
    ("cfg --diff shop", 2, "2 values required"),
    ("cfg --diff shop db .x[0]", 2, "plain path"),
    ("cfg --diff shop db .a .b", 2, "more than one path"),
    ("data create", 2, "<NAME>"),
    ("data create shop-data --read-only", 6, "read-only"),
    ("data create s", 2, "from 2 to 128"),
    ("data create shop.ww-old", 2, "an upgrade gives"),
    ("data create ops2/shop-data", 2, "local/shop-data"),
    (
        "data create shop-data --owner www-data",
        2,
        "UID:GID in numbers",
    ),
    ("data create shop-data --mode u+x", 2, "octal"),
    ("data create shop-data --volume --root /srv", 2, "--root"),
    ("data create shop-data GONE", 5, "is Docker running?"),
    ("data ls --filter state=UP", 2, "--filter"),
    ("data ls -o yaml", 2, "jsonl"),
    ("data ls GONE", 5, "is Docker running?"),
    ("data show", 2, "<NAME>"),
    ("data show a-data b-data", 2, "b-data"),
    ("data show GONE x-data", 5, "is Docker running?"),
    ("backup --all shop", 2, "--all"),
    ("backup --read-only shop", 6, "read-only"),
    ("backup shop --max-down soon", 2, "30s, 2m"),
    ("backup shop --print", 2, "--install-timer"),
    ("backup --install-timer --dry-run", 2, "--dry-run"),
    (
        "backup --install-timer --all -o json",
        2,
        "does not print `json`",
    ),
    (
        "backup --install-timer --all --destdir /nonexistent",
        6,
        "systemd is not used here",
    ),
    ("restore", 2, "BACKUP"),
    ("restore shop/latest", 2, "NAME"),
    ("restore --undo shop shop/latest", 2, "--undo"),
    ("restore shop shop --into new", 2, "--into"),
    (
        "restore shop shop --path /etc",
        2,
        "not relative to the data",
    ),
    ("restore shop shop --read-only", 6, "read-only"),
    ("restore shop --into-dir here", 2, "--from DIR"),
    ("restore shop shop GONE", 5, "is Docker running?"),
    ("backup GONE", 5, "is Docker running?"),
    ("data adopt", 2, "<NAME>"),
    ("data adopt --read-only shop-data", 6, "read-only"),
    ("data adopt GONE shop-data", 5, "is Docker running?"),
    ("data clone a-data", 2, "<NEW>"),
    ("data clone --read-only a-data b-data", 6, "read-only"),
    ("data clone GONE a-data b-data", 5, "is Docker running?"),
    ("data rm", 2, "<NAME>"),
    ("data rm --read-only a-data", 6, "read-only"),
    ("data rm GONE a-data", 5, "is Docker running?"),
    ("data doctor --owner 0:0", 2, "--owner"),
    ("data doctor -o yaml", 2, "jsonl"),
    ("data doctor GONE", 5, "is Docker running?"),
    ("backups ls", 2, "--from DIR"),
    (
        "backups ls --from /nonexistent",
        1,
        "is the directory the right one",
    ),
    ("backups ls --from /dev/null", 1, "cannot open /dev/null"),
    ("backups ls -o yaml", 2, "jsonl"),
    ("backups show", 2, "<BACKUP>"),
    ("backups show x", 2, "WW_VAULT"),
    (
        "backups show shop --from /proc",
        3,
        "there is no backup shop in /proc",
    ),
    ("backups verify", 2, "<BACKUP>"),
    ("backups verify shop --all", 2, "--all"),
    ("backups verify shop --identity key", 2, "--full"),
    ("backups drill", 2, "<BACKUP>"),
    ("backups drill shop --env PASSWORD", 2, "NAME=VALUE"),
    ("backups drill shop", 2, "--from DIR"),
    ("backups drill shop --read-only", 6, "read-only"),
    ("backups prune", 2, "--keep-last 3"),
    ("backups prune --keep-last few", 2, "few"),
    ("backups prune --keep-last 1", 2, "--from DIR"),
    ("backups prune --keep-last 1 --read-only", 6, "read-only"),
    ("audit --since yesterday", 2, "how long ago"),
    ("audit --filter state=UP", 2, "name, action, by, host"),
    ("audit -n few", 2, "'few'"),
    ("run", 2, "<IMAGE>"),
    ("run shop:1", 2, "--name <NAME>"),
    ("run shop:1 --name shop sh", 2, "'sh'"),
    ("run shop:1 --name shop --read-only", 6, "read-only"),
    ("init", 2, "<DIR>"),
    ("init shop --name My_Shop", 2, "small letters and digits"),
    ("init shop --base two;words", 2, "such as debian:12"),
    ("init /", 2, "--name"),
    ("init shop --read-only", 6, "read-only"),
    ("check", 2, "<DIR|--image <IMAGE>>"),
    ("check shop --image shop", 2, "cannot be used with"),
    ("check --image shop --root /", 2, "--root"),
    ("check --image shop GONE", 5, "is Docker running?"),
    ("image build", 2, "--base"),
    ("image build --base scratch", 2, "--tag"),
    (
        "image build --read-only --base scratch -t x",
        6,
        "read-only",
    ),
    ("demo up --no-such", 2, "--no-such"),
    ("demo up now", 2, "'now'"),
    ("demo up --read-only", 6, "read-only"),
    ("demo down --read-only", 6, "read-only"),
    ("demo down -o name", 2, "does not print `name`"),
    ("demo down GONE", 5, "is Docker running?"),
    ("completions", 2, "<SHELL>"),
    ("completions tcsh", 2, "bash, zsh, fish"),
    ("completions bash -o json", 2, "leave out -o"),
    ("man", 2, "<DIR>"),
    ("man /nonexistent/man1", 1, "mkdir -p"),
    ("man --read-only /tmp", 6, "read-only"),
    ("man /dev/null", 1, "cannot write the manual to /dev/null"),
    // Of the whole.
    ("lss", 2, "ls"),
    ("-q -v ls", 2, "--verbose"),
    ("-H ops2 ls", 2, "unix:///path/to/docker.sock"),
    (
        "-H ssh://alice:secret@ops2 ls",
        2,
        "a password cannot be given; ssh takes keys",
    ),
    (
        "-H ssh://-oProxyCommand=reboot ls",
        2,
        "its host begins with a dash",
    ),
    ("-H https:// ls", 2, "there is no host in it"),
    (
        "-H npipe:////./pipe/docker_engine ls",
        2,
        "unix, tcp, http, https and ssh are understood",
    ),
    ("-c nowhere ls", 2, "there is no Docker context `nowhere`"),
];

#[test]
fn wrong_uses_have_their_code_and_say_what_is_wrong() {
    for (line, code, words) in WRONG {
        let line = line.replace("GONE", GONE);
        let arguments: Vec<&str> = line.split(' ').collect();
        let ran = ctl(&arguments);
        assert_eq!(ran.code, Some(*code), "{line}: {ran:?}");
        assert_eq!(ran.stdout, "", "{line}");
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
    }
}

#[test]
fn every_command_is_used_wrongly() {
    for command in all() {
        let begins = format!("{command} ");
        let count = WRONG
            .iter()
            .filter(|(line, ..)| format!("{line} ").starts_with(&begins))
            .count();
        assert!(
            count >= EACH,
            "`ww-ctl {command}` has {count} wrong uses here, not {EACH}"
        );
    }
}

#[test]
fn wrong_uses_of_run_are_two_and_say_what_is_expected() {
    for (arguments, words) in [
        (&["--name", "shop"][..], "<IMAGE>"),
        (&["shop:1"], "--name <NAME>"),
        (
            &["shop:1", "--name", "a shop"],
            "letters, digits, _ . and -",
        ),
        (
            &["shop:1", "--name", "ops2/shop"],
            "there is no host `ops2`",
        ),
        (&["shop:1", "--name", "shop", "sh"], "'sh'"),
        (
            &["shop:1", "--name", "shop", "-p", "http:80"],
            "`http` is no port; expected [IP:][HOST_PORT:]CONTAINER_PORT",
        ),
        (
            &["shop:1", "--name", "shop", "-v", "srv/shop:/data"],
            "write ./srv/shop for a directory here",
        ),
        (
            &["shop:1", "--name", "shop", "-v", "/srv/shop:data"],
            "`data` is no place in the container: it must begin with /",
        ),
        (
            &["shop:1", "--name", "shop", "-m", "lots"],
            "expected a size such as 512m",
        ),
        (
            &["shop:1", "--name", "shop", "--cpus", "half"],
            "expected a number of processors",
        ),
        (
            &["shop:1", "--name", "shop", "--restart", "sometimes"],
            "expected no, always, unless-stopped, on-failure",
        ),
        (
            &["shop:1", "--name", "shop", "--ulimit", "files=1"],
            "`files` is not one of core",
        ),
        (
            &["shop:1", "--name", "shop", "--mount", "type=bind,dst=/a"],
            "a bind needs source=/DIR",
        ),
        (
            &["shop:1", "--name", "shop", "--network", "alias=web"],
            "no network is named",
        ),
        (
            &["shop:1", "--name", "shop", "--network-alias", "web"],
            "need a --network",
        ),
        (
            &["shop:1", "--name", "shop", "--add-host", "db"],
            "expected NAME:ADDRESS",
        ),
        (
            &["shop:1", "--name", "shop", "--device", "fuse"],
            "expected /dev/NAME",
        ),
        (&["shop:1", "--name", "shop", "--rm"], "--rm"),
        (&["shop:1", "--name", "shop", "--timeout", "1m"], "--wait"),
        (
            &["shop:1", "--name", "shop", "--print", "--wait"],
            "cannot be used with",
        ),
        (
            &["shop:1", "--name", "shop", "--data", "/a", "-v", "/b:/data"],
            "/data is mounted twice",
        ),
        (
            &["shop:1", "--name", "shop", "--set", "hunter2"],
            "cannot use a --set: there is no = in it",
        ),
        (
            &["shop:1", "--name", "shop", "--set", "a..b=hunter2"],
            "its path has an empty key",
        ),
        (
            &["shop:1", "--name", "shop", "-e", "=hunter2"],
            "cannot use --env: expected NAME=VALUE",
        ),
    ] {
        let mut all = vec!["run"];
        all.extend(arguments);
        let ran = ctl(&all);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("hunter2"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn wrong_uses_of_what_looks_and_runs_inside_are_two_too() {
    for (arguments, words) in [
        (
            &["logs", "shop", "--since", "yesterday"][..],
            "how long ago such as 10m",
        ),
        (&["logs", "shop", "-f", "--until", "now"], "--follow"),
        (&["logs", "shop", "--tail", "few"], "--tail"),
        (&["logs", "-o", "json", "shop"], "table, wide, jsonl"),
        (&["exec", "shop"], "<NAME> -- <CMD>..."),
        (&["exec", "shop", "sh"], "<NAME> -- <CMD>..."),
        (&["exec", "-t", "-T", "shop", "--", "sh"], "--no-tty"),
        (&["exec", "-i", "-n", "shop", "--", "sh"], "--no-stdin"),
        (&["exec", "-e", "=C", "shop", "--", "sh"], "has a name"),
        (
            &["exec", "-o", "json", "shop", "--", "sh"],
            "does not print `json`",
        ),
        (
            &["events", "--since", "yesterday"],
            "how long ago such as 10m",
        ),
        (&["events", "--until", "now"], "--since"),
        (
            &["events", "--since", "1m", "--until", "2m"],
            "is --until before --since?",
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
    let engine = ["-H", "unix:///nonexistent.sock", "--read-only"];
    let ran = ctl(&[&engine[..], &["exec", "shop", "--", "sh"]].concat());
    assert_eq!(ran.code, Some(6), "{ran:?}");
    assert!(ran.stderr.contains("read-only"), "{}", ran.stderr);
    for action in ["start", "stop", "restart", "upgrade"] {
        let more: &[&str] = match action {
            "upgrade" => &["--image", "shop:2"],
            _ => &[],
        };
        let ran = ctl(&[&engine[..], &[action, "shop"], more].concat());
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
