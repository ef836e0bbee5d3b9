//! Databases that are written to all the time: each backup is consistent by the database's own check, and what was
//! counted never goes backward.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::lab::{Lab, Ran, is_soak, part, run, until, ww_ctl_command};

/// How many backups of each with `make test`, and with `make soak-databases`.
const SHORT: u64 = 2;
const LONG: u64 = 50;

/// A database, by what its scripts do.
struct Kind {
    name: &'static str,
    make: &'static str,
    start: &'static str,
    stop: &'static str,
    write: &'static str,
    check: &'static str,
    count: &'static str,
}

const POSTGRES: Kind = Kind {
    name: "postgres",
    make: "mkdir -p /data/pg && chown db:db /data/pg && chmod 700 /data/pg && \
        su db -c 'initdb -D /data/pg -A trust --no-locale -E UTF8' > /tmp/initdb 2>&1 || { cat /tmp/initdb; exit 1; }\n\
        su db -c \"pg_ctl -D /data/pg -w -l /tmp/pg.log -o '-k /tmp -c listen_addresses= -c jit=off' start\" > /dev/null\n\
        psql -q -h /tmp -U db -d postgres -c 'create table counter (n bigint); insert into counter values (0)' \
        -c 'create table more as select i, md5(i::text) as t from generate_series(1, 20000) i' \
        -c 'create index on more (t)'\n\
        su db -c 'pg_ctl -D /data/pg -m fast -w stop' > /dev/null",
    start: "su db -c \"pg_ctl -D /data/pg -w -l /tmp/pg.log -o '-k /tmp -c listen_addresses= -c shared_buffers=16MB -c jit=off' start\" > /dev/null || { cat /tmp/pg.log; exit 1; }",
    stop: "su db -c 'pg_ctl -D /data/pg -m fast -w stop' > /dev/null",
    write: "yes 'update counter set n = n + 1; insert into more select n, md5(n::text) from counter;' | exec psql -q -h /tmp -U db -d postgres",
    check: "pg_amcheck -h /tmp -U db --install-missing --heapallindexed -d postgres",
    count: "psql -h /tmp -U db -d postgres -Atc \"select '{\\\"n\\\":' || n || '}' from counter\"",
};

const MARIADB: Kind = Kind {
    name: "mariadb",
    make: "mkdir -p /data/my && chown db:db /data/my && mariadb-install-db --no-defaults --user=db --datadir=/data/my \
        --auth-root-authentication-method=normal --skip-test-db > /tmp/install 2>&1 || { cat /tmp/install; exit 1; }\n\
        mariadbd --no-defaults --user=db --datadir=/data/my --socket=/tmp/my.sock --skip-networking > /tmp/my.log 2>&1 &\n\
        until mariadb-admin --no-defaults -S /tmp/my.sock -u root ping > /dev/null 2>&1; do sleep 0.2; done\n\
        mariadb --no-defaults -S /tmp/my.sock -u root -e 'create database c; create table c.t (n bigint) engine=innodb; \
        insert into c.t values (0); create table c.more (i bigint, t char(32), key (t)) engine=innodb'\n\
        mariadb-admin --no-defaults -S /tmp/my.sock -u root shutdown; wait",
    start: "mariadbd --no-defaults --user=db --datadir=/data/my --pid-file=/tmp/my.pid --socket=/tmp/my.sock --skip-networking > /tmp/my.log 2>&1 &\n\
        n=0; until mariadb-admin --no-defaults -S /tmp/my.sock -u root ping > /dev/null 2>&1; do n=$((n+1)); \
        [ $n -lt 300 ] || { cat /tmp/my.log; exit 1; }; sleep 0.2; done",
    stop: "pid=$(cat /tmp/my.pid); mariadb-admin --no-defaults -S /tmp/my.sock -u root shutdown\n\
        while kill -0 $pid 2> /dev/null; do sleep 0.1; done",
    write: "yes 'update c.t set n = n + 1; insert into c.more select n, md5(n) from c.t;' | exec mariadb --no-defaults -S /tmp/my.sock -u root",
    check: "mariadb-check --no-defaults -S /tmp/my.sock -u root --extended c | tee /tmp/check; ! grep -v -q 'OK$' /tmp/check",
    count: "mariadb --no-defaults -S /tmp/my.sock -u root -N -B -e 'select concat(\"{\\\"n\\\":\", n, \"}\") from c.t'",
};

/// An image of the base of both, with this one's scripts.
fn image(lab: &Lab, kind: &Kind, base: &str) -> String {
    let tree = lab.tree(kind.name);
    let script = |name: &str, body: &str| {
        tree.file(
            &format!("usr/{name}"),
            0o755,
            &format!("#!/bin/sh\n{body}\n"),
        );
    };
    script("firstboot", kind.make);
    // Before the writer goes on with it.
    let least = format!(
        "{}\n[ -z \"$LEAST\" ] || {{ n=$({} | tr -dc 0-9); [ \"$n\" -ge \"$LEAST\" ] || \
         {{ echo \"$n after $LEAST\"; exit 1; }}; }}",
        kind.start, kind.count
    );
    script("svcup", &least);
    script("svcdown", kind.stop);
    // What was restored proves itself before it is UP.
    script("warmup", kind.check);
    script("monitor", kind.count);
    script("svc.d/writer", kind.write);
    tree.defaults(r#"{"ww":{"monitor":{"interval":"1s"}}}"#);
    let tag = lab.tag();
    let path = tree.path().to_str().expect("UTF-8");
    let words = ["image", "build", "--base", base, "--tree", path, "-t", &tag];
    run(ww_ctl_command().args(words)).expect(0);
    tag
}

/// Debian's packages and busybox, as an image.
fn base(lab: &Lab) -> String {
    let tag = lab.tag();
    let line = format!(
        "tar -c -C '{}' . | docker import \
         --change 'ENV PATH=/usr/bin:/usr/sbin:/usr/lib/postgresql/15/bin' --change 'WORKDIR /' - {tag}",
        part("WW_DATABASES").display(),
    );
    run(Command::new("sh").args(["-ec", &line])).expect(0);
    tag
}

/// What its monitor last counted; none where it has not yet.
fn counted(name: &str) -> Option<u64> {
    let shown = run(ww_ctl_command().args(["show", name, "-o", "json"]));
    find(&serde_json::from_str(&shown.stdout).ok()?)
}

fn find(value: &Value) -> Option<u64> {
    match value {
        Value::Object(all) => {
            let count = all.get("n").and_then(Value::as_u64);
            count.or_else(|| all.values().find_map(find))
        }
        Value::Array(all) => all.iter().find_map(find),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn backed_up(name: &str, vault: &Path) -> (PathBuf, u64) {
    let to = vault.to_str().expect("UTF-8");
    let made = run(ww_ctl_command().args(["backup", name, "--to", to, "-o", "json"])).expect(0);
    let made: Value = serde_json::from_str(&made.stdout).expect("JSON");
    let one = &made["results"][0];
    assert_eq!(one["consistency"], "svcdown", "{made}");
    let path = one["path"].as_str().expect("a path");
    (path.into(), one["outage_ms"].as_u64().expect("an outage"))
}

/// A drill of the backup: its image comes up with it only after the database's own check, and only where it has counted
/// so far at least.
fn drilled(set: &Path, scratch: &Path, least: u64) -> Ran {
    let id = set.file_name().and_then(|id| id.to_str()).expect("an id");
    let vault = set.ancestors().nth(2).expect("a vault");
    let least = format!("LEAST={least}");
    run(ww_ctl_command()
        .args(["backups", "drill", id, "--env", &least, "--from"])
        .arg(vault)
        .arg("--scratch")
        .arg(scratch))
}

#[expect(
    clippy::print_stdout,
    reason = "how long each backup stopped it is what one wants to know"
)]
fn rounds(kind: &Kind) {
    let rounds = if is_soak() { LONG } else { SHORT };
    let lab = Lab::new("databases");
    let image = image(&lab, kind, &base(&lab));
    let guest = lab.start(kind.name, &image, &["--network=none"], &[]);
    guest.reaches("UP");
    let (vault, scratch) = (lab.directory("vault"), lab.directory("scratch"));
    let mut last = 0;
    for round in 1..=rounds {
        // What was seen before a backup is in it.
        let before = until("a writer that goes on", || {
            counted(&guest.name).filter(|count| *count > last)
        });
        let (set, outage) = backed_up(&guest.name, &vault);
        guest.reaches("UP");
        drilled(&set, &scratch, before).expect(0);
        if round == 1 {
            // It is no drill that passes whatever there is.
            drilled(&set, &scratch, u64::from(u32::MAX))
                .expect(9)
                .says(&["after"]);
        }
        last = before;
        println!(
            "{}: backup {round} of {rounds}: down for {outage} ms, at least the {before} counted before it are in it",
            kind.name
        );
        std::fs::remove_dir_all(&set).expect("a set");
    }
}

#[test]
fn postgresql_is_backed_up_while_it_is_written_to() {
    rounds(&POSTGRES);
}

#[test]
fn mariadb_is_backed_up_while_it_is_written_to() {
    rounds(&MARIADB);
}
