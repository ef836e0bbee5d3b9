//! A web application and its database in one container.

use std::process::Command;

use serde_json::Value;

use crate::debian::image;
use crate::lab::{Guest, Lab, docker, run, until, ww_ctl, ww_ctl_command};

const BASE: &str = "http://127.0.0.1:8090/app/";
/// The last words of a database that was stopped in order.
const IN_ORDER: &str = "mariadbd: Shutdown complete\n";

fn made(lab: &Lab) -> String {
    image(lab, "webapp-db", "bookworm")
}

/// Runs it until it is UP, without a network, with the data of a data container.
fn runs(lab: &Lab, tag: &str, guest: &Guest, data: &str) {
    let label = lab.label();
    let vault = lab.directory("vault").display().to_string();
    let mut command = ww_ctl_command();
    command.args(["run", tag, "--label", &label, "--name", &guest.name]);
    command.args(["--data", data, "--backup", &vault, "--network", "none"]);
    // Checked often, and a killed database stays away for long enough to be seen.
    for value in [
        "ww.monitor.interval=1s",
        "ww.monitor.failures=60",
        "ww.restart.backoff=3s",
        "port=8090",
        "memory=64m",
        "timezone=Asia/Tokyo",
    ] {
        command.args(["--set", value]);
    }
    run(command.arg("--wait")).expect(0);
    is_healthy(guest);
}

fn is_healthy(guest: &Guest) {
    let wait = ["wait", &guest.name, "--for", "healthy", "--timeout", "2m"];
    ww_ctl(wait).expect(0);
}

fn status(guest: &Guest) -> Value {
    serde_json::from_str(&guest.status()).expect("JSON")
}

/// A service as the agent has it.
fn service(guest: &Guest, name: &str) -> Value {
    let status = status(guest);
    let services = status["services"].as_array().expect("services");
    let found = services.iter().find(|one| one["service"] == name);
    found.expect("the service").clone()
}

/// Waits until the monitor has told of so many rows; all it told.
#[track_caller]
fn rows(guest: &Guest, count: u64) -> Value {
    until(&format!("{count} rows"), || {
        let told = status(guest)["monitor"]["value"].clone();
        (told["rows"] == count).then_some(told)
    })
}

/// Posts to the page as a browser would, inside the container.
#[track_caller]
fn post(guest: &Guest, form: &str) {
    let form = ["--data-urlencode", form, "--location", BASE];
    let mut command = Command::new("docker");
    command.args(["exec", &guest.name, "curl", "-sS", "--fail"]);
    run(command.args(form)).expect(0);
}

/// The page with the list.
#[track_caller]
fn page(guest: &Guest) -> String {
    let curl = ["exec", &guest.name, "curl", "-sS", "--fail", BASE];
    docker(curl).expect(0).stdout
}

/// What the database answers to its root.
#[track_caller]
fn sql(guest: &Guest, query: &str) -> String {
    let defaults = "--defaults-file=/run/app/my.cnf";
    let name = &guest.name;
    let answer = docker(["exec", name, "mariadb", defaults, "-N", "-e", query, "app"]).expect(0);
    answer.stdout.trim().to_owned()
}

#[test]
fn it_lives_its_life_and_loses_nothing() {
    let lab = Lab::new("webapp-db");
    let tag = made(&lab);
    let checked = ww_ctl(["check", "--image", &tag]).expect(0);
    assert!(
        checked.stderr.contains("0 errors, 0 warnings"),
        "{checked:?}"
    );
    let (keeper, root) = (lab.named("data"), lab.directory("kept"));
    let create = ["data", "create", &keeper, "--label", &lab.label(), "--root"];
    run(ww_ctl_command().args(create).arg(&root)).expect(0);
    let guest = Guest {
        name: lab.named("app"),
        data: root.join(&keeper),
    };
    runs(&lab, &tag, &guest, &keeper);
    figures_are_real(&guest);
    a_database_that_is_killed_comes_back(&guest);
    let before = service(&guest, "10-db")["pid"].clone();
    ww_ctl(["restart", &guest.name]).expect(0);
    is_healthy(&guest);
    assert_ne!(service(&guest, "10-db")["pid"], before);
    let printed = guest.output();
    assert_eq!(printed.matches(IN_ORDER).count(), 1, "{printed}");
    is_kept_and_brought_back(&guest);
    let migrations = sql(&guest, "SELECT * FROM migrations ORDER BY name");
    ww_ctl(["stop", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0);
    let printed = guest.output();
    assert_eq!(printed.matches(IN_ORDER).count(), 2, "{printed}");
    assert_eq!(
        printed.matches("Stopping service [Catalina]").count(),
        2,
        "{printed}"
    );
    for name in ["001-notes", "002-time"] {
        assert!(migrations.contains(name), "{migrations}");
        let told = format!("migration {name}");
        assert_eq!(printed.matches(&told).count(), 1, "{printed}");
    }
    // Another container on the same data container.
    docker(["rm", "-v", &guest.name]).expect(0);
    let next = Guest {
        name: lab.named("next"),
        data: guest.data,
    };
    runs(&lab, &tag, &next, &keeper);
    rows(&next, 2);
    assert!(page(&next).contains("second &lt;b&gt;"), "{}", page(&next));
    let printed = next.output();
    assert!(!printed.contains("migration "), "{printed}");
    let seen = sql(&next, "SELECT * FROM migrations ORDER BY name");
    assert_eq!(seen, migrations);
    ww_ctl(["stop", &next.name]).expect(0);
    assert_eq!(next.exit_code(), 0);
}

fn figures_are_real(guest: &Guest) {
    rows(guest, 0);
    post(guest, "text=first");
    let told = rows(guest, 1);
    post(guest, "text=second <b>");
    let later = rows(guest, 2);
    for name in ["db_queries", "requests"] {
        assert!(later[name].as_u64() > told[name].as_u64(), "{told} {later}");
    }
    assert!(told["db_threads"].as_u64() > Some(0), "{told}");
    let (heap, most) = (told["heap_mb"].as_u64(), told["heap_max_mb"].as_u64());
    assert!(heap > Some(0) && heap < most, "{told}");
    // Of the 64 MB that it was given; the collector keeps a little for itself.
    assert!(most > Some(50) && most <= Some(64), "{told}");
    // Both have the same time, and it is the one that was asked for.
    assert_eq!(sql(guest, "SELECT @@system_time_zone"), "JST");
    let written = sql(guest, "SELECT written FROM notes WHERE id = 1");
    assert!(page(guest).contains(&written), "{}", page(guest));
    // What nobody but the application may read, and the image has not.
    let password = guest.data.join("app/password");
    let password = std::fs::read_to_string(password).expect("the password");
    assert_eq!(password.len(), 48);
    assert!(!guest.output().contains(&password));
}

fn a_database_that_is_killed_comes_back(guest: &Guest) {
    let before = service(guest, "10-db");
    assert!(before["restarts"].is_null(), "{before}");
    // While it is away there is no good answer.
    let script = "kill -9 $(cat /run/app/mysql/pid) && ! /ww/usr/monitor";
    docker(["exec", &guest.name, "sh", "-c", script]).expect(0);
    until("that it is started again", || {
        let service = service(guest, "10-db");
        (service["restarts"] == 1 && service["status"] == "up").then_some(())
    });
    is_healthy(guest);
    assert!(service(guest, "20-web")["restarts"].is_null(), "it alone");
    let page = until("the page", || {
        let curl = ["exec", &guest.name, "curl", "-sS", "--fail", BASE];
        let page = docker(curl);
        (page.code() == 0).then_some(page.stdout)
    });
    assert!(page.contains("first"), "{page}");
    rows(guest, 2);
    assert_ne!(service(guest, "10-db")["pid"], before["pid"]);
}

fn is_kept_and_brought_back(guest: &Guest) {
    ww_ctl(["backup", &guest.name]).expect(0);
    let database = service(guest, "10-db")["pid"].clone();
    post(guest, "remove=1");
    post(guest, "text=third");
    post(guest, "remove=2");
    rows(guest, 1);
    assert!(!page(guest).contains("first"));
    ww_ctl(["restore", "latest", &guest.name, "--yes"]).expect(0);
    rows(guest, 2);
    let page = page(guest);
    assert!(page.contains("first") && !page.contains("third"), "{page}");
    // All the while the services ran.
    assert_eq!(service(guest, "10-db")["pid"], database);
}

#[test]
fn a_first_start_that_was_cut_short_is_made_good() {
    let lab = Lab::new("webapp-db-cut");
    let tag = made(&lab);
    let guest = Guest {
        name: lab.named("app"),
        data: lab.directory("data"),
    };
    let (label, data) = (lab.label(), format!("{}:/data", guest.data.display()));
    let name = &guest.name;
    docker([
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        name,
        "--label",
        &label,
        "-v",
        &data,
        &tag,
    ])
    .expect(0);
    until("a database in the making", || {
        guest.data.join("mysql.new/ibdata1").exists().then_some(())
    });
    docker(["kill", name]).expect(0);
    assert!(!guest.data.join("whaleup").exists(), "it was cut short");
    assert!(!guest.data.join("mysql").exists(), "nothing half made");
    ww_ctl(["start", name]).expect(0);
    is_healthy(&guest);
    rows(&guest, 0);
    // An application that is not there is told, and no container that only seems to be UP.
    ww_ctl(["stop", name]).expect(0);
    docker(["rm", name]).expect(0);
    let nothing = lab.directory("nothing");
    let nothing = format!("{}:/ww/files/webapp", nothing.display());
    docker([
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        name,
        "--label",
        &label,
        "-v",
        &data,
        "-v",
        &nothing,
        "-e",
        "CFG={\"patience\":1}",
        &tag,
    ])
    .expect(0);
    assert_eq!(guest.exit_code(), 1);
    let printed = guest.output();
    assert!(printed.contains("no good answer from http"), "{printed}");
}
