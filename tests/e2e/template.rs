//! What `init` writes runs as it is, whichever way it is built, and `check` sees what is wrong.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::lab::{Guest, Lab, docker, run, until, ww_ctl, ww_ctl_command};

/// A template on the base of this laboratory.
fn init(lab: &Lab, what: &str) -> String {
    let directory = lab.directory("templates").join(what);
    let directory = directory.to_str().expect("UTF-8").to_owned();
    let words = ["init", &directory, "--base", lab.base(), "--name", "shop"];
    let written = ww_ctl(words).expect(0);
    assert!(
        written.stderr.contains("ww-ctl image build"),
        "{}",
        written.stderr
    );
    assert!(
        written.stdout.contains("ww/usr/svc.d/app"),
        "{}",
        written.stdout
    );
    directory
}

fn runs(lab: &Lab, tag: &str, what: &str) -> Guest {
    let guest = Guest {
        name: lab.named(what),
        data: lab.directory(&format!("data-{what}")),
    };
    let (label, data) = (lab.label(), guest.data.display().to_string());
    let vault = lab.directory("vault").display().to_string();
    ww_ctl([
        "run",
        tag,
        "--label",
        &label,
        "--name",
        &guest.name,
        "--data",
        &data,
        "--backup",
        &vault,
        "--wait",
    ])
    .expect(0);
    ww_ctl(["wait", &guest.name, "--for", "healthy"]).expect(0);
    guest
}

/// What the monitor printed last.
fn monitor(guest: &Guest) -> Option<Value> {
    let status: Value = serde_json::from_str(&guest.status()).expect("JSON");
    let told = &status["monitor"]["value"];
    told.is_object().then(|| told.clone())
}

#[test]
fn it_is_healthy_as_it_is_and_is_restarted_backed_up_restored_and_stopped_in_order() {
    let lab = Lab::new("template");
    let directory = init(&lab, "shop");
    let checked = ww_ctl(["check", &directory]).expect(0);
    assert!(
        checked.stderr.contains("0 errors, 0 warnings"),
        "{checked:?}"
    );
    let tag = lab.tag();
    let build = ["--base", lab.base(), "--tree", &directory, "-t", &tag];
    let made = run(ww_ctl_command().args(["image", "build"]).args(build)).expect(0);
    assert!(made.stderr.contains("the tree is the ww in"), "{made:?}");
    let checked = ww_ctl(["check", "--image", &tag]).expect(0);
    assert!(
        checked.stderr.contains("0 errors, 0 warnings, 0 notes"),
        "{checked:?}"
    );
    let guest = runs(&lab, &tag, "app");
    let told = until("a check", || monitor(&guest));
    assert!(told["beats"].as_u64() > Some(0), "{told}");
    assert_eq!(told["schema"], 1, "{told}");
    assert!(
        guest.data.join("app/log").is_dir(),
        "the migration was applied"
    );
    is_kept_and_brought_back(&guest);
    // The service alone is started again when it is killed.
    let pid = "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' < $p/cmdline) in *svc?d/ap[p]*) echo ${p#/proc/}; esac; done";
    let killed = format!("kill -9 $({pid})");
    docker(["exec", &guest.name, "sh", "-c", &killed]).expect(0);
    until("that it is seen", || {
        let status: Value = serde_json::from_str(&guest.status()).expect("JSON");
        let service = &status["services"][0];
        (service["restarts"] == 1 && service["status"] == "up").then_some(())
    });
    ww_ctl(["wait", &guest.name, "--for", "healthy"]).expect(0);
    ww_ctl(["restart", &guest.name]).expect(0);
    ww_ctl(["stop", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0);
    assert!(guest.output().contains("app: stopped in order"));
    // What there was is there again, and nothing is applied twice.
    ww_ctl(["start", &guest.name]).expect(0);
    let printed = guest.output();
    assert_eq!(printed.matches("migration 001-log").count(), 1, "{printed}");
}

fn is_kept_and_brought_back(guest: &Guest) {
    ww_ctl(["backup", &guest.name]).expect(0);
    let beats = || -> u64 {
        let text = std::fs::read_to_string(guest.data.join("app/beats"));
        text.expect("the beats").trim().parse().expect("a number")
    };
    let lost = 1_000_000;
    std::fs::write(guest.data.join("app/beats.new"), format!("{lost}\n")).expect("a file");
    std::fs::rename(
        guest.data.join("app/beats.new"),
        guest.data.join("app/beats"),
    )
    .expect("it");
    until("a beat of the lost count", || {
        (beats() > lost).then_some(())
    });
    ww_ctl(["restore", "latest", &guest.name, "--yes"]).expect(0);
    assert!(beats() < lost, "{}", beats());
}

#[test]
fn dockers_own_builder_makes_the_same_of_it() {
    let lab = Lab::new("template");
    let directory = init(&lab, "shop");
    let agent = lab.tag();
    ww_ctl(["image", "build", "--base", "scratch", "-t", &agent]).expect(0);
    let recipe = Path::new(&directory).join("Dockerfile");
    let text = std::fs::read_to_string(&recipe).expect("the recipe");
    assert!(text.contains("FROM whaleware/agent AS agent"), "{text}");
    // By a name of this laboratory's own.
    let text = text.replace("FROM whaleware/agent AS", &format!("FROM {agent} AS"));
    std::fs::write(&recipe, text).expect("the recipe");
    let tag = lab.tag();
    docker(["build", "-t", &tag, &directory]).expect(0);
    let checked = ww_ctl(["check", "--image", &tag]).expect(0);
    assert!(
        checked.stderr.contains("0 errors, 0 warnings, 0 notes"),
        "{checked:?}"
    );
    let guest = runs(&lab, &tag, "app");
    until("Docker's own health", || {
        (guest.inspect("{{.State.Health.Status}}") == "healthy").then_some(())
    });
    ww_ctl(["stop", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0);
}

#[test]
fn nothing_is_written_over() {
    let lab = Lab::new("template");
    let directory = init(&lab, "shop");
    let defaults = Path::new(&directory).join("ww/etc/defaults.json");
    std::fs::write(&defaults, "{}").expect("a file");
    ww_ctl(["init", &directory]).expect(6).says(&[
        "there already",
        "14 more",
        "name a new directory",
    ]);
    assert_eq!(std::fs::read_to_string(&defaults).expect("it"), "{}");
    let file = format!("{directory}/Dockerfile");
    ww_ctl(["init", &file])
        .expect(6)
        .says(&["cannot write", "move what is there"]);
    let missing = format!("{directory}/none");
    ww_ctl(["check", &missing])
        .expect(2)
        .says(&["cannot check", "No such file", "ww-ctl init"]);
}

#[test]
fn what_is_wrong_with_an_image_is_told() {
    let lab = Lab::new("template");
    let missing = lab.tag();
    ww_ctl(["check", "--image", &missing])
        .expect(1)
        .says(&["no such image", "docker pull"]);
    // Without an agent there is nothing to ask, which is a finding.
    let bare = ww_ctl(["check", "--image", lab.base()]).expect(1);
    for expected in ["error: CMD:", "error: LABEL:", "error: /ww/bin/ww-agent:"] {
        assert!(bare.stdout.contains(expected), "{expected}: {bare:?}");
    }
    let tree = lab.tree("app");
    tree.all_scripts()
        .file("usr/svcupp", 0o755, "#!/bin/sh\n")
        .file("usr/monitor", 0o755, "#!/usr/bin/python9\n")
        .file("etc/defaults.json", 0o644, "{\"ww\":{\"monitro\":{}}}");
    let tag = lab.tag();
    let path = tree.path().display().to_string();
    let build = ["--base", lab.base(), "--tree", &path, "-t", &tag];
    let build = run(ww_ctl_command()
        .args(["image", "build", "--no-check"])
        .args(build));
    build.expect(0);
    let found = ww_ctl(["check", "--image", &tag]).expect(1);
    for expected in ["usr/svcupp", "/usr/bin/python9", "monitro"] {
        assert!(found.stdout.contains(expected), "{expected}: {found:?}");
    }
    // What a recipe makes of it.
    let place = lab.directory("recipe");
    let recipe = format!("FROM {tag}\nVOLUME /data\nSTOPSIGNAL SIGHUP\nCMD exec /ww/run\n");
    std::fs::write(place.join("Dockerfile"), recipe).expect("a recipe");
    let spoilt = lab.tag();
    docker(["build", "-t", &spoilt, &place.display().to_string()]).expect(0);
    let found = ww_ctl(["check", "--image", &spoilt, "-o", "json"]).expect(1);
    let found: Value = serde_json::from_str(&found.stdout).expect("JSON");
    let paths = found["findings"].as_array().expect("findings");
    for expected in ["CMD", "VOLUME", "STOPSIGNAL"] {
        assert!(
            paths.iter().any(|one| one["path"] == expected),
            "{expected}: {found:#}"
        );
    }
    // Nothing of it is left, and it was in nobody's list.
    let label = "label=io.whaleware.probe";
    until("that nothing is left", || {
        let left = docker(["ps", "-aq", "--filter", label]).expect(0);
        left.stdout.is_empty().then_some(())
    });
}

#[test]
fn a_program_that_says_it_is_an_agent_cannot_hold_it_up_or_draw_on_the_terminal() {
    let lab = Lab::new("template");
    let place = lab.directory("liar");
    let recipe = format!("FROM {}\nCOPY ww-agent /ww/bin/ww-agent\n", lab.base());
    std::fs::write(place.join("Dockerfile"), recipe).expect("a recipe");
    for (says, code, expected) in [
        (
            "printf '\\033[2Jold' >&2; exit 2",
            1,
            "cannot be asked: old",
        ),
        ("echo '{}'", 1, "cannot be asked"),
        ("yes | head -c 9000000", 1, "cannot be asked"),
        (
            "printf '{\"schema\":1,\"errors\":1,\"findings\":[{\"level\":\"error\",\"path\":\"\\\\u001b[2Jx\",\"what\":\"y\"}]}'; touch /made 2> /dev/null && echo written",
            1,
            "3 errors",
        ),
    ] {
        let program = place.join("ww-agent");
        std::fs::write(&program, format!("#!/bin/sh\n{says}\n")).expect("a program");
        run(Command::new("chmod").arg("755").arg(&program)).expect(0);
        let tag = lab.tag();
        docker(["build", "-t", &tag, &place.display().to_string()]).expect(0);
        let told = ww_ctl(["check", "--image", &tag]).expect(code);
        assert!(told.stderr.contains(expected), "{says}: {told:?}");
        assert!(!told.stderr.contains('\u{1b}') && !told.stdout.contains('\u{1b}'));
    }
}
