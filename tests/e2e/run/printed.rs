//! `run --print`: the line it prints makes the same container.

use std::process::Command;

use serde_json::{Map, Value};

use super::{command, free_port, image, of};
use crate::lab::{Lab, docker, run};

/// What Docker shows of a container, without what differs between any two.
fn shown(name: &str) -> Value {
    let text = docker(["inspect", name]).expect(0).stdout;
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let one = &all[0];
    let mut kept = Map::new();
    for key in ["Path", "Args", "Image", "Config", "HostConfig", "Mounts"] {
        kept.insert(key.into(), one[key].clone());
    }
    let networks = one["NetworkSettings"]["Networks"].as_object();
    let mut joined = Map::new();
    for (network, settings) in networks.into_iter().flatten() {
        let aliases = settings["Aliases"].as_array().cloned().unwrap_or_default();
        let named = aliases.into_iter().filter(|alias| !is_id(alias)).collect();
        let at =
            serde_json::json!({"aliases": Value::Array(named), "ipam": settings["IPAMConfig"]});
        joined.insert(network.clone(), at);
    }
    kept.insert("Networks".into(), Value::Object(joined));
    let mut shown = said(Value::Object(kept));
    if is_id(&shown["Config"]["Hostname"]) {
        shown["Config"]["Hostname"] = Value::Null;
    }
    // The size of the terminal, and whether anybody would see the output: nobody does.
    for (of, key) in [
        ("HostConfig", "ConsoleSize"),
        ("Config", "AttachStdout"),
        ("Config", "AttachStderr"),
    ] {
        if let Some(fields) = shown[of].as_object_mut() {
            fields.remove(key);
        }
    }
    shown
}

fn is_id(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Without what is empty in one way or another, lists in one order, and without the names of
/// anonymous volumes.
fn said(value: Value) -> Value {
    let is_said = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Bool(true) => true,
    };
    match value {
        Value::Object(fields) => {
            let is_anonymous = fields.get("Name").is_some_and(is_id);
            let fields = fields
                .into_iter()
                .filter(|(key, _)| !(is_anonymous && (key == "Name" || key == "Source")))
                .map(|(key, value)| {
                    let value = if key == "Args" || key == "Cmd" {
                        value
                    } else {
                        said(value)
                    };
                    (key, value)
                })
                .filter(|(_, value)| is_said(value));
            Value::Object(fields.collect())
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list.into_iter().map(said).collect();
            list.sort_by_key(ToString::to_string);
            Value::Array(list)
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

/// A network of this test, which goes with it.
struct Network(String);

impl Network {
    fn new(lab: &Lab, what: &str) -> Self {
        let (name, label) = (lab.named(what), lab.label());
        docker(["network", "create", "--label", &label, &name]).expect(0);
        Self(name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        docker(["network", "rm", &self.0]);
    }
}

/// Volumes of this test, which go with it.
struct Volumes([String; 2]);

impl Drop for Volumes {
    fn drop(&mut self) {
        for name in &self.0 {
            docker(["volume", "rm", "-f", name]);
        }
    }
}

/// The line that is printed, and nothing made by printing it.
#[track_caller]
fn printed(lab: &Lab, image: &str, words: &[&str]) -> String {
    let before = of(image);
    let ran = run(command(lab, image, "shop", &["--print"]).args(words)).expect(0);
    assert_eq!(of(image), before, "{words:?}");
    ran.stdout
}

/// `plain` has no spaces in its words; `words` may, and come last.
#[track_caller]
fn is_the_same(lab: &Lab, image: &str, plain: &str, words: &[&str]) {
    let words: Vec<&str> = plain
        .split_whitespace()
        .chain(words.iter().copied())
        .collect();
    let name = lab.named("shop");
    let line = printed(lab, image, &words);
    run(command(lab, image, "shop", &[]).args(&words)).expect(0);
    let ours = shown(&name);
    docker(["rm", "-fv", &name]).expect(0);
    run(Command::new("sh").arg("-c").arg(&line)).expect(0);
    let dockers = shown(&name);
    docker(["rm", "-fv", &name]).expect(0);
    assert_eq!(
        serde_json::to_string_pretty(&ours).expect("JSON"),
        serde_json::to_string_pretty(&dockers).expect("JSON"),
        "{line}"
    );
}

#[test]
fn the_printed_line_mounts_the_same() {
    let lab = Lab::new("printed");
    let image = image(&lab);
    let directory = |what: &str| lab.directory(what).display().to_string();
    let (data, more) = (directory("it's data"), directory("more"));
    let volumes = Volumes(["cache", "kept"].map(|what| lab.named(what)));
    let [cache, kept] = &volumes.0;
    let plain = format!(
        "--backup {more}/new -v {more}:/more:ro -v {cache}:/cache -v /anonymous \
         --mount type=bind,src={more},dst=/bound,readonly,bind-propagation=rprivate \
         --mount source={kept},target=/kept,volume-nocopy,volume-label=a=b \
         --mount type=tmpfs,target=/t,tmpfs-size=64k,tmpfs-mode=1770 --tmpfs /tt:size=1m \
         --device /dev/null:/dev/nil:r --read-only-root"
    );
    is_the_same(&lab, &image, &plain, &["--data", &data]);
}

#[test]
fn the_printed_line_runs_the_same() {
    let lab = Lab::new("printed");
    let image = image(&lab);
    let file = lab.directory("files").join("env");
    std::fs::write(&file, "# a comment\nA=1\nB=x \"y\" $z\n").expect("a file");
    let plain = format!(
        "--set memory=7 -e HOME -e NO_SUCH_VARIABLE --env-file {} -l word --restart on-failure:3 \
         -u 1000:1000 --group-add 5 -w /tmp --init --stop-timeout 33 --stop-signal QUIT \
         --log-driver json-file --log-opt max-size=1m --log-opt max-file=2",
        file.display()
    );
    let title = "title=it's $HOME `x` \\ \"y\"";
    let command = ["--", "/bin/sh", "-c", "sleep 5; echo \"$HOME\""];
    let words = [&["--set", title, "-e", "TOKEN=a b=c"][..], &command].concat();
    is_the_same(&lab, &image, &plain, &words);
    let plain = "--entrypoint /bin/sh --network none -- -c";
    is_the_same(&lab, &image, plain, &["exit 0"]);
}

#[test]
fn the_printed_line_allows_the_same() {
    let lab = Lab::new("printed");
    let image = image(&lab);
    let profile = lab.directory("files").join("seccomp.json");
    std::fs::write(&profile, "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }\n").expect("a file");
    let plain = format!(
        "-p 127.0.0.1:{}:80 -p 127.0.0.1::53/udp -p 127.0.0.1::90-91 --hostname web \
         --add-host db:10.0.0.7 --dns 10.0.0.1 --dns-search example.org --restart unless-stopped \
         -m 64m --memory-swap -1 --memory-reservation 0.03125g --cpus 1.5 --cpu-shares 512 \
         --cpuset-cpus 0 --shm-size 32m --pids-limit 200 --oom-score-adj 100 \
         --ulimit nofile=1024:2048 --ulimit core=-1 --cap-add net_admin --cap-drop CAP_MKNOD \
         --security-opt no-new-privileges --security-opt seccomp={} --sysctl net.core.somaxconn=99",
        free_port(),
        profile.display()
    );
    is_the_same(&lab, &image, &plain, &[]);
    let plain = "--network host --security-opt systempaths=unconfined";
    is_the_same(&lab, &image, plain, &[]);
}

#[test]
fn the_printed_line_joins_the_same_networks() {
    let lab = Lab::new("printed");
    let image = image(&lab);
    let networks = [Network::new(&lab, "front"), Network::new(&lab, "back")];
    let [front, back] = &networks;
    let (front, back) = (&front.0, &back.0);
    let one = format!("--network {front} --network-alias web");
    is_the_same(&lab, &image, &one, &[]);
    let two = format!("{one} --network name={back},alias=db,alias=store");
    is_the_same(&lab, &image, &two, &[]);
}

#[test]
fn a_line_may_be_printed_where_nothing_may_be_changed() {
    let lab = Lab::new("printed");
    let image = image(&lab);
    // Not even a name that is taken or data in use keep it from being told.
    let ran = run(command(
        &lab,
        &image,
        "shop",
        &["--print", "--read-only", "--set", "memory=9"],
    )
    .args(["-o", "json"]));
    let ran = ran
        .expect(0)
        .says(&["read-only", "defaults are not looked at"]);
    let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let words: Vec<&str> = told["commands"][0]
        .as_array()
        .expect("words")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(words[..3], ["docker", "run", "-d"]);
    assert!(words.contains(&"CFG={\"memory\":9}"), "{words:?}");
    assert_eq!(of(&image), [""; 0]);
}
