use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::{Outcome, outcome, put, sealed, ww_agent};

/// A container's root with this merged configuration, and `/ww/cfg` in it.
struct Container(tempfile::TempDir);

impl Container {
    fn new(configuration: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "ww/etc/cfg.json", configuration, 0o644);
        symlink(env!("CARGO_BIN_EXE_ww-agent"), root.path().join("ww/cfg")).unwrap();
        Self(root)
    }

    fn command(&self) -> Command {
        let mut command = sealed(self.0.path().join("ww/cfg"));
        command.env("WW_ROOT", self.0.path());
        command
    }

    fn cfg(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command().args(arguments))
    }
}

#[test]
fn the_shapes_of_the_original_scripts_work() {
    let container = Container::new(r#"{"memory":400,"name":"shop","a":{"b":[1,"x"]}}"#);
    container.cfg(&["memory"]).is(0, "400\n");
    container.cfg(&["name"]).is(0, "shop\n");
    container.cfg(&["missing"]).is(0, "null\n");
    container.cfg(&["a.b[]"]).is(0, "1\nx\n");
    let script = "WCFG=$WW_ROOT/ww/cfg; echo \"-Xmx$($WCFG memory)M\"";
    let mut shell = sealed("/bin/sh");
    let path = std::env::join_paths(["/bin", "/usr/bin"]).unwrap();
    shell
        .args(["-c", script])
        .env("WW_ROOT", container.0.path())
        .env("PATH", path);
    outcome(&mut shell).is(0, "-Xmx400M\n");
    let by_applet = outcome(
        ww_agent()
            .args(["cfg", "memory"])
            .env("WW_ROOT", container.0.path()),
    );
    by_applet.is(0, "400\n");
}

#[test]
fn everything_is_printed_readably_without_a_filter() {
    let container = Container::new(r#"{"b":[],"a":{"x":1,"y":"z"}}"#);
    let all = "{\n  \"a\": {\n    \"x\": 1,\n    \"y\": \"z\"\n  },\n  \"b\": []\n}\n";
    container.cfg(&[]).is(0, all);
    container.cfg(&[""]).is(0, all);
    container
        .cfg(&["-c", "."])
        .is(0, "{\"a\":{\"x\":1,\"y\":\"z\"},\"b\":[]}\n");
    container.cfg(&["-j", "a.y"]).is(0, "\"z\"\n");
    container.cfg(&["-r", "a.y"]).is(0, "z\n");
    container.cfg(&["--", "a.y"]).is(0, "z\n");
    container.cfg(&["$ENV.WW_ROOT | type"]).is(0, "string\n");
}

#[test]
fn a_filter_that_fails_is_told_by_its_exit_code() {
    let container = Container::new(r#"{"memory":400,"password":"hunter2"}"#);
    container.cfg(&["memory |"]).fails(
        2,
        "cfg: cannot read the filter: line 1, column 9: ends too early, expected a value or a filter\n  memory |\n          ^\n",
    );
    container
        .cfg(&["password.x"])
        .fails(5, "cfg: cannot apply the filter: a string has no `x`\n");
    let partly = container.cfg(&[".memory, error(.password)"]);
    assert_eq!((partly.code, partly.stdout.as_str()), (Some(5), "400\n"));
    assert!(!partly.stderr.contains("hunter2"), "{partly:?}");
    assert_eq!(container.cfg(&[". | halt_error"]).code, Some(5));
    assert_eq!(container.cfg(&["memory", "//", "5"]).code, Some(2));
    assert!(
        container
            .cfg(&["memory", "//", "5"])
            .stderr
            .contains("needs quotes")
    );
    assert_eq!(container.cfg(&["--raw"]).code, Some(2));
}

#[test]
fn a_deeply_nested_filter_has_the_stack_it_needs() {
    let container = Container::new(r#"{"memory":400}"#);
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("if 1 then ", " else 0 end"),
        ("try ", ""),
    ] {
        let times = 4000 / (open.len() + close.len());
        let filter = format!(".|{}.memory{}", open.repeat(times), close.repeat(times));
        let answer = container.cfg(&["-c", &filter]);
        assert_eq!(answer.code, Some(0), "{open}: {answer:?}");
        assert!(answer.stdout.contains("400"), "{open}");
    }
}

#[test]
fn a_filter_that_runs_wild_ends() {
    let container = Container::new("{}");
    let endless = container.cfg(&[".|repeat(1)"]);
    assert_eq!(endless.code, Some(5));
    assert!(endless.stderr.contains("cannot show all"), "{endless:?}");
    for filter in [
        ".|\"x\" * 1000000000000",
        ".|[limit(1000000000; repeat(1))]",
        ".|def f: 1 + f; f",
    ] {
        let wild = container.cfg(&[filter]);
        assert_ne!(wild.code, Some(0), "{filter}");
        assert_eq!(wild.stdout, "", "{filter}");
    }
}

#[test]
fn without_a_readable_configuration_it_says_why() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().join("ww/etc/cfg.json");
    outcome(ww_agent().args(["cfg", "memory"]).env("WW_ROOT", empty.path())).fails(
        1,
        &format!(
            "ww-agent cfg: there is no configuration yet: {} does not exist; `ww-agent run` writes it when the container boots\n",
            path.display()
        ),
    );
    // Where /ww/etc cannot be written, what this boot wrote elsewhere stands against a file that an
    // earlier container left in the image.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let place = format!(
        "dev/shm/ww/etc/host-{}/cfg.json",
        host.trim().replace(['/', '.'], "_")
    );
    put(empty.path(), "ww/etc/cfg.json", r#"{"memory":1}"#, 0o644);
    put(empty.path(), &place, r#"{"memory":7}"#, 0o644);
    outcome(
        ww_agent()
            .args(["cfg", "memory"])
            .env("WW_ROOT", empty.path()),
    )
    .is(0, "7\n");
    let broken = Container::new("{\"password\": hunter2}").cfg(&["memory"]);
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(1), ""));
    assert!(broken.stderr.contains("line 1, column 14"), "{broken:?}");
    assert!(!broken.stderr.contains("hunter2"), "{broken:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let container = Container::new("{}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = container
        .command()
        .arg(". | range(100000)")
        .stdout(Stdio::from(writer))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn numbers_are_printed_as_jq_does() {
    let printed = Container::new(r#"{"a":1e3,"b":[1.0,1.50,100],"c":-2.0}"#);
    printed.cfg(&["a"]).is(0, "1000\n");
    printed.cfg(&["-c", "b"]).is(0, "[1,1.5,100]\n");
    printed.cfg(&["c"]).is(0, "-2\n");
}
