//! `run`: a container made as it was described, its configuration checked first; and what becomes
//! of those that cannot be.

mod interrupted;
mod printed;

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::lab::{Guest, Lab, Ran, audit_file, docker, run, ww_ctl, ww_ctl_command};

const DEFAULTS: &str = r#"{
    // in MB
    "memory": 400, "title": "shop", "db": {"host": "localhost", "port": 5432}, "works": true
}"#;

/// An image that answers its checks as `works` says, and `/data` as a place of its own.
pub(crate) fn image(lab: &Lab) -> String {
    let tree = lab.tree("app");
    tree.all_scripts().defaults(DEFAULTS).file(
        "usr/monitor",
        0o755,
        "#!/bin/sh\n[ \"$(/ww/cfg works)\" = true ] && echo '{}'\n",
    );
    lab.image(&tree)
}

/// Runs a container of this laboratory, with more words.
pub(crate) fn ran(lab: &Lab, image: &str, what: &str, words: &[&str]) -> Ran {
    run(&mut command(lab, image, what, words))
}

pub(crate) fn command(lab: &Lab, image: &str, what: &str, words: &[&str]) -> Command {
    let mut command = ww_ctl_command();
    let label = lab.label();
    command.args(["run", image, "--name", &lab.named(what), "-l", &label]);
    command.args(words);
    command
}

/// The containers there are of an image, whatever has made them.
pub(crate) fn of(image: &str) -> Vec<String> {
    let filter = format!("ancestor={image}");
    let shown = docker(["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"]).expect(0);
    shown.stdout.lines().map(str::to_owned).collect()
}

/// A port nobody listens on at present.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

#[test]
fn a_container_is_made_as_described_started_and_watched() {
    let lab = Lab::new("run");
    let image = image(&lab);
    let (data, backup) = (lab.directory("new").join("data"), lab.directory("backup"));
    let port = free_port();
    let publish = format!("127.0.0.1:{port}:80");
    let cfg = lab.directory("cfg").join("shop.json");
    std::fs::write(
        &cfg,
        "{ \"memory\": 1, /* twice */ \"db\": {\"port\": 1,}, }",
    )
    .expect("a file");
    let words = [
        "--data",
        data.to_str().expect("UTF-8"),
        "--backup",
        backup.to_str().expect("UTF-8"),
        "-p",
        &publish,
        "-m",
        "64m",
        "--cfg",
        cfg.to_str().expect("UTF-8"),
        "--set",
        "title=1234",
        "--set",
        "db.port=6000",
        "--wait",
        "-o",
        "json",
    ];
    let ran = ran(&lab, &image, "shop", &words).expect(0);
    assert!(
        ran.stderr.contains("data is new: Docker makes it"),
        "{ran:?}"
    );
    for state in ["DOCKERUP", "BOOT", "UP"] {
        assert!(ran.stderr.contains(state), "{state}: {ran:?}");
    }
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(told["results"][0]["state"], "UP", "{told}");
    assert_eq!(told["results"][0]["action"], "run", "{told}");
    let guest = Guest {
        name: lab.named("shop"),
        data,
    };
    assert!(
        guest.log().contains(&"-firstboot".to_owned()),
        "{:?}",
        guest.log()
    );
    let shown = |filter: &str| ww_ctl(["cfg", &guest.name, filter]).expect(0).stdout;
    // Text where the default is text, and what is not given stays as it is.
    assert_eq!(
        shown(". | [.memory, .title, .db.host, .db.port] | tostring"),
        "[1,\"1234\",\"localhost\",6000]\n"
    );
    let unclosed = "line 1, column 11: this `[` is never closed\n";
    ww_ctl(["cfg", &guest.name, ".memory | ["])
        .expect(2)
        .says(&[unclosed]);
    assert_eq!(
        guest.inspect("{{.HostConfig.Memory}} {{.HostConfig.Binds}}"),
        format!(
            "67108864 [{}:/data {}:/backup]",
            guest.data.display(),
            backup.display()
        )
    );
    assert_eq!(
        docker(["port", &guest.name, "80"]).expect(0).stdout,
        format!("127.0.0.1:{port}\n")
    );
    // It has been checked, whatever the interval is.
    let health = docker(["exec", &guest.name, "/ww/bin/ww-agent", "status", "--json"]).expect(0);
    assert!(
        health.stdout.contains("\"status\":\"passing\""),
        "{health:?}"
    );

    // Written down, without what may be a secret.
    let journal = std::fs::read_to_string(audit_file()).expect("the audit journal");
    let lines: Vec<&str> = journal
        .lines()
        .filter(|line| line.contains(&guest.name))
        .collect();
    assert!(lines.len() >= 2, "{lines:?}");
    for line in lines {
        assert!(line.contains("\"action\":\"run\""), "{line}");
        assert!(!line.contains("1234"), "{line}");
    }

    let taken = self::ran(&lab, &image, "shop", &[]).expect(6);
    taken.says(&["there is a container of that name", "ww-ctl upgrade"]);
    let refused = self::ran(&lab, &image, "other", &["--read-only"]).expect(6);
    refused.says(&["cannot run", "read-only"]);
    assert_eq!(of(&image), [guest.name.as_str()]);
}

#[test]
fn a_configuration_is_compared_with_the_defaults_of_the_image() {
    let lab = Lab::new("run");
    let image = image(&lab);
    for (words, expected) in [
        (
            &["--set", "memory=hunter2", "--set", "db=7"][..],
            &[
                "`memory` is a string, but a number",
                "`db` is a number, but an object",
                "--force",
            ][..],
        ),
        (
            &["--set", "ww.drian=hunter2", "--force"],
            &["unknown setting `ww.drian`", "did you mean `drain`"],
        ),
        (
            &["-e", r#"CFG={"ww":{"drain":7}}"#],
            &["setting `ww.drain` must be a duration"],
        ),
        (
            &["-e", "CFG={\n \"p\": hunter2}"],
            &["CFG", "line 2, column 7"],
        ),
        (&["--cfg", "/nonexistent"], &["/nonexistent: No such file"]),
    ] {
        let ran = ran(&lab, &image, "shop", words).expect(1).says(expected);
        assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
    }
    let twice = ["--set", "a=1", "-e", "CFG={}"];
    ran(&lab, &image, "shop", &twice)
        .expect(2)
        .says(&["CFG is given twice"]);
    assert_eq!(of(&image), [""; 0], "nothing is left of what was refused");

    // From stdin, where an odd key is no more than a warning.
    let mut child = command(&lab, &image, "shop", &["--cfg", "-", "--wait"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool starts");
    let mut stdin = child.stdin.take().expect("its stdin");
    stdin
        .write_all(b"// all of it\n{\"memry\": 3}")
        .expect("a reader");
    drop(stdin);
    let ended = child.wait_with_output().expect("its end");
    let talk = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{talk}");
    assert!(
        talk.contains("warning: `memry` is not among the image's defaults; did you mean `memory`?"),
        "{talk}"
    );
    assert_eq!(
        of(&image),
        [lab.named("shop")],
        "nothing is left of looking into the image"
    );

    // Forced, and without defaults.
    let forced = ran(&lab, &image, "forced", &["--set", "memory=lots", "--force"]).expect(0);
    forced.says(&["warning: `memory` is a string"]);
    let bare = lab.tree("bare");
    bare.all_scripts();
    let bare = lab.image(&bare);
    let ran = ran(&lab, &bare, "bare", &["--set", "whatever=1", "--verbose"]).expect(0);
    ran.says(&["the image has no defaults"]);
}

#[test]
fn what_is_made_to_look_into_an_image_is_no_part_of_a_fleet() {
    let lab = Lab::new("run");
    let (name, label) = (lab.named("probe"), lab.label());
    docker([
        "create",
        "--name",
        &name,
        "--label",
        &label,
        "--label",
        "io.whaleware.probe=/ww/etc/defaults.json",
        lab.base(),
        "never",
    ])
    .expect(0);
    let listed = ww_ctl(["ls", "-a", "-o", "name"]).expect(0);
    assert!(!listed.stdout.contains(&name), "{listed:?}");
    // One that may be in use is left alone.
    let image = image(&lab);
    ran(&lab, &image, "shop", &["--set", "memory=8", "--print"]).expect(0);
    docker(["inspect", &name]).expect(0);
}

#[test]
fn an_image_that_is_not_there_or_has_no_agent_is_told() {
    let lab = Lab::new("run");
    let image = image(&lab);
    let other = image.replace(":0", ":7");
    let absent = ran(&lab, &other, "shop", &[]).expect(1);
    absent.says(&[
        "there is no image",
        &format!("did you mean `{image}`"),
        "docker pull",
    ]);
    ran(&lab, lab.base(), "shop", &[])
        .expect(1)
        .says(&["has no agent", "docker run"]);
}

#[test]
fn what_cannot_be_started_is_removed_and_what_ends_in_error_stays() {
    let lab = Lab::new("run");
    let image = image(&lab);
    let holder = lab.start_bare("holder", &image, &["-p", "127.0.0.1::80"], &[]);
    let held = docker(["port", &holder.name, "80"]).expect(0).stdout;
    let publish = format!("{}:80", held.trim());
    for (words, expected) in [
        (
            &["-p", &publish][..],
            &["port is already allocated", "removed again"][..],
        ),
        (&["--", "/nonexistent"], &["/nonexistent", "removed again"]),
        (
            &["--mount", "type=bind,src=/nonexistent/dir,dst=/x"],
            &["does not exist"],
        ),
        (
            &["--network", "no-such-network-anywhere"],
            &["no-such-network-anywhere"],
        ),
        (
            &[
                "--network",
                "bridge",
                "--network",
                "no-such-network-anywhere",
            ],
            &["no-such-network-anywhere"],
        ),
    ] {
        ran(&lab, &image, "shop", words).expect(1).says(expected);
        assert_eq!(of(&image), [holder.name.as_str()], "{words:?}");
    }
    let words = [
        "--wait",
        "--set",
        "works=false",
        "--set",
        "ww.restart={\"max\":1,\"backoff\":\"10ms\"}",
        "--set",
        "ww.monitor.interval=50ms",
    ];
    let ran = ran(&lab, &image, "shop", &words).expect(1);
    let name = lab.named("shop");
    ran.says(&[
        "ERROR",
        "monitor exited 1",
        "it stays as it is",
        &format!("docker rm -f {name}"),
    ]);
    assert!(of(&image).contains(&name));
}

#[test]
fn data_come_from_where_they_are_and_not_to_two_unasked() {
    let lab = Lab::new("run");
    let image = image(&lab);
    let (data, label) = (lab.directory("data"), lab.label());
    let (mount, source) = (format!("{}:/data", data.display()), lab.named("data"));
    let none = lab.named("none");
    for (name, mounts) in [(&source, &["-v", mount.as_str()][..]), (&none, &[])] {
        let mut command = Command::new("docker");
        command.args(["create", "--name", name, "--label", &label]);
        run(command.args(mounts).args([lab.base(), "never"])).expect(0);
    }
    let near = format!("{source}s");
    ran(&lab, &image, "shop", &["--data", &near])
        .expect(3)
        .says(&["there is no container", &format!("did you mean `{source}`")]);
    ran(&lab, &image, "shop", &["--data", &none])
        .expect(1)
        .says(&["exports no /data"]);
    ran(&lab, &image, "shop", &["--data", &source, "--wait"]).expect(0);
    let guest = Guest {
        name: lab.named("shop"),
        data: data.clone(),
    };
    assert!(
        guest.log().contains(&"-firstboot".to_owned()),
        "{:?}",
        guest.log()
    );
    assert_eq!(
        guest.inspect("{{.HostConfig.VolumesFrom}}"),
        format!("[{source}]")
    );

    // By the container, by the directory, however it is written, by a link to it, by what it is in
    // and what is in it: it is in use.
    let directory = format!("{}/./", data.display());
    let volume = format!("{directory}:/data/");
    let link = lab.directory("links").join("data");
    std::os::unix::fs::symlink(&data, &link).expect("a link");
    let link = link.to_str().expect("UTF-8");
    let above = data.parent().and_then(Path::to_str).expect("UTF-8");
    let below = format!("{directory}db");
    for words in [
        &["--data", source.as_str()][..],
        &["--data", &directory],
        &["-v", &volume],
        &["--data", link],
        &["--data", above],
        &["--data", &below],
    ] {
        ran(&lab, &image, "second", words).expect(6).says(&[
            &guest.name,
            "runs on the same data",
            "--yes",
        ]);
    }
    let read_only = format!("{}:/data:ro", data.display());
    ran(&lab, &image, "reader", &["-v", &read_only]).expect(0);
    ran(&lab, &image, "second", &["--data", &source, "--yes"]).expect(0);
}

#[test]
fn the_beginning_of_another_ones_id_is_a_name_like_any_other() {
    let lab = Lab::new("run");
    let image = image(&lab);
    let other = lab.start_bare("other", &image, &[], &[]);
    let id = other.inspect("{{.Id}}");
    let name = &id[..20];
    let words = ["run", &image, "--name", name, "--label", &lab.label()];
    ww_ctl(words).expect(0);
    assert_eq!(other.inspect("{{.Id}}"), id);
    // The name comes before the id, and now it is one.
    ww_ctl(words).expect(6).says(&["of that name"]);
}

#[test]
fn where_two_configurations_differ() {
    let lab = Lab::new("run");
    let image = image(&lab);
    for (what, words) in [
        (
            "one",
            &["--set", "memory=800", "--set", "list=[1,2]", "--wait"][..],
        ),
        ("two", &["--set", "title=sh\u{1b}]0;x\u{7}op", "--wait"]),
    ] {
        ran(&lab, &image, what, words).expect(0);
    }
    let (one, two) = (lab.named("one"), lab.named("two"));
    let shown = ww_ctl(["cfg", "--diff", &one, &two, "--origin"]).expect(1);
    let rows: Vec<Vec<&str>> = shown
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows,
        [
            vec!["PATH", &one, "FROM", &two, "FROM"],
            vec![".list", "[1,2]", "CFG", "–"],
            vec![".memory", "800", "CFG", "400", "/ww/etc/defaults.json"],
            vec![
                ".title",
                "\"shop\"",
                "/ww/etc/defaults.json",
                "\"sh\\u001b]0;x\\u0007op\"",
                "CFG"
            ],
        ]
    );
    let json = ww_ctl(["cfg", "--diff", &two, &one, "memory", "-o", "json"])
        .expect(1)
        .stdout;
    let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(told["a"]["name"], two.as_str());
    assert_eq!(
        told["differences"],
        serde_json::json!([{
            "path": ".memory",
            "a": {"value": 400, "layer": "/ww/etc/defaults.json"},
            "b": {"value": 800, "layer": "CFG"}
        }])
    );
    let same = ww_ctl(["cfg", "--diff", &one, &two, ".db"]).expect(0);
    assert_eq!(same.stdout, "");
    same.says(&["have the same configuration at .db"]);
}
