//! How a container is made again with another image: a pure function from what an Engine tells of it.
//!
//! It works on JSON as the Engine wrote it, not on types: a field that this program has never heard
//! of is carried over too. Only what was *said* when the container was made is carried over, not what
//! came from its image: the new image's own defaults are to count.

use serde_json::{Map, Value, json};

use super::policy::Policy;

/// How many characters of an id Docker takes for a host name and an alias.
const SHORT: usize = 12;
/// From this API on an address of a network card belongs to the network.
const MAC_IN_NETWORK: (usize, usize) = (1, 44);

/// How a container is made again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recipe {
    /// What it is created with.
    pub(super) body: Value,
    /// The networks it is connected to after that, and how.
    pub(super) connect: Vec<(String, Value)>,
    /// The network it is taken from after that: it would be in it by default.
    pub(super) disconnect: Option<String>,
}

/// What a recipe is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ingredients<'a> {
    /// The container.
    pub old: &'a Value,
    /// Its image.
    pub old_image: &'a Value,
    /// What is mounted in the containers it has `--volumes-from`.
    pub lent: &'a [Value],
    /// The image to come.
    pub image: &'a str,
    /// Docker's restart policy to come.
    pub policy: Policy,
    /// The version the Engine is talked to in.
    pub api: (usize, usize),
}

/// Makes the recipe.
pub(super) fn recipe(from: Ingredients<'_>) -> Recipe {
    let networks = networks(from.old, from.api);
    let mut body = config(&from);
    if let Some((name, endpoint)) = networks.first {
        let endpoints = Map::from_iter([(name, endpoint)]);
        body.insert(
            "NetworkingConfig".into(),
            json!({"EndpointsConfig": endpoints}),
        );
    }
    body.insert("HostConfig".into(), host_config(&from));
    Recipe {
        body: Value::Object(body),
        connect: networks.more,
        disconnect: networks.not,
    }
}

/// What two containers' settings of the host differ in, a line each, apart from `explained` and
/// from different ways to say nothing.
pub(super) fn differences(old: &Value, new: &Value, explained: &[&str]) -> Vec<String> {
    let empty = Map::new();
    let old = old["HostConfig"].as_object().unwrap_or(&empty);
    let new = new["HostConfig"].as_object().unwrap_or(&empty);
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&&String| {
        let of = |all: &Map<String, Value>| all.get(**name).cloned().unwrap_or_default();
        let (old, new) = (of(old), of(new));
        old != new && !(is_nothing(&old) && is_nothing(&new))
    };
    let value = |all: &Map<String, Value>, name: &String| {
        all.get(name)
            .map_or_else(|| "nothing".to_owned(), Value::to_string)
    };
    names
        .iter()
        .filter(|name| !explained.contains(&name.as_str()))
        .filter(differs)
        .map(|name| format!("{name} is {}, was {}", value(new, name), value(old, name)))
        .collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
    }
}

/// The settings of the container itself, without what came from its image.
fn config(from: &Ingredients<'_>) -> Map<String, Value> {
    let old = &from.old["Config"];
    let image = &from.old_image["Config"];
    let mut config = old.as_object().cloned().unwrap_or_default();
    for name in [
        "User",
        "WorkingDir",
        "StopSignal",
        "Shell",
        "OnBuild",
        "Healthcheck",
        "ArgsEscaped",
    ] {
        if config.get(name) == image.get(name) {
            config.remove(name);
        }
    }
    if let Some(Value::Array(environment)) = config.get_mut("Env") {
        let given = image["Env"].as_array();
        environment.retain(|one| !given.is_some_and(|given| given.contains(one)));
    }
    without(&mut config, "Labels", &image["Labels"], |_, _| false);
    without(&mut config, "Volumes", &image["Volumes"], |_, _| false);
    // A port is published only where it is exposed, by whichever image.
    let bound = &from.old["HostConfig"]["PortBindings"];
    without(
        &mut config,
        "ExposedPorts",
        &image["ExposedPorts"],
        |port, _| !bound[port].is_null(),
    );
    command(&mut config, old, image);
    host_name(&mut config, from.old);
    if from.api >= MAC_IN_NETWORK {
        config.remove("MacAddress");
    }
    config.insert("Image".into(), json!(from.image));
    config
}

/// Leaves out of a map what is the same in the image's, unless it is `needed`.
fn without(
    config: &mut Map<String, Value>,
    name: &str,
    given: &Value,
    needed: impl Fn(&str, &Value) -> bool,
) {
    if let Some(Value::Object(all)) = config.get_mut(name) {
        all.retain(|key, value| given.get(key) != Some(&*value) || needed(key, value));
    }
}

/// The program and its words. An entry point that was said keeps the image's words from being added,
/// so both are said again then; one that was taken away is said as `[""]`.
fn command(config: &mut Map<String, Value>, old: &Value, image: &Value) {
    let words = |of: &Value, name: &str| of[name].as_array().cloned().unwrap_or_default();
    let entry = (words(old, "Entrypoint"), words(image, "Entrypoint"));
    let command = (words(old, "Cmd"), words(image, "Cmd"));
    let said = entry.0 != entry.1 || (command.0.is_empty() && !command.1.is_empty());
    if said {
        if entry.0.is_empty() {
            config.insert("Entrypoint".into(), json!([""]));
        }
        return;
    }
    config.remove("Entrypoint");
    if command.0 == command.1 {
        config.remove("Cmd");
    }
}

/// A host name that Docker made up is made up anew; one that comes from elsewhere cannot be given.
fn host_name(config: &mut Map<String, Value>, old: &Value) {
    let name = config.get("Hostname").and_then(Value::as_str);
    let made_up = name.is_some_and(|name| name == short(old));
    let host = &old["HostConfig"];
    let lent = mode(host).starts_with("container:") || host["UTSMode"] == "host";
    if made_up || lent {
        config.remove("Hostname");
    }
    if lent {
        config.remove("Domainname");
    }
}

fn short(old: &Value) -> String {
    let id = old["Id"].as_str().unwrap_or_default();
    id.chars().take(SHORT).collect()
}

fn mode(host: &Value) -> &str {
    host["NetworkMode"].as_str().unwrap_or_default()
}

/// All that the host gives it, as it was given.
fn host_config(from: &Ingredients<'_>) -> Value {
    let mut host = from.old["HostConfig"].clone();
    host["RestartPolicy"] = from.policy.json();
    if let Some(links) = host["Links"].as_array() {
        host["Links"] = links.iter().map(link).collect();
    }
    let mounts = mounts(&host, from);
    if !mounts.is_empty() {
        host["Mounts"] = Value::Array(mounts);
    }
    host
}

/// A link is told as `/db:/shop/alias` and said as `db:alias`.
fn link(told: &Value) -> Value {
    let said = told.as_str().and_then(|told| {
        let (target, alias) = told.split_once(':')?;
        let alias = alias.rsplit('/').next()?;
        Some(format!("{}:{alias}", target.trim_start_matches('/')))
    });
    said.map_or_else(|| told.clone(), Value::String)
}

/// What was mounted by `--mount`, and every volume that nobody named: it is named now, or the new
/// container would get an empty one of its own.
fn mounts(host: &Value, from: &Ingredients<'_>) -> Vec<Value> {
    let path = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        text.trim_end_matches('/').to_owned()
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut mounts = list(&host["Mounts"]);
    let bound: Vec<String> = list(&host["Binds"])
        .iter()
        .filter_map(|bind| bind.as_str()?.split(':').nth(1).map(str::to_owned))
        .map(|target| target.trim_end_matches('/').to_owned())
        .collect();
    for volume in list(&from.old["Mounts"]) {
        let target = path(&volume["Destination"]);
        if volume["Type"] != "volume" || bound.contains(&target) {
            continue;
        }
        let is_lent =
            |lent: &Value| path(&lent["Destination"]) == target && lent["Name"] == volume["Name"];
        if let Some(known) = mounts.iter_mut().find(|one| path(&one["Target"]) == target) {
            if known["Source"].as_str().is_none_or(str::is_empty) {
                known["Source"] = volume["Name"].clone();
            }
        } else if !from.lent.iter().any(is_lent) {
            mounts.push(json!({
                "Type": "volume",
                "Source": volume["Name"],
                "Target": volume["Destination"],
                "ReadOnly": volume["RW"] == false,
                // Nothing of the new image is written into it while the old container still runs.
                "VolumeOptions": {"NoCopy": true},
            }));
        }
    }
    mounts
}

/// The networks of a container.
#[derive(Debug, Default)]
struct Networks {
    /// The one it is created in, where there is anything to be said.
    first: Option<(String, Value)>,
    more: Vec<(String, Value)>,
    not: Option<String>,
}

/// Older Engines take one network when a container is made, so the others are connected after that.
fn networks(old: &Value, api: (usize, usize)) -> Networks {
    let mode = mode(&old["HostConfig"]);
    let empty = Map::new();
    let all = old["NetworkSettings"]["Networks"]
        .as_object()
        .unwrap_or(&empty);
    if matches!(mode, "host" | "none") || mode.starts_with("container:") {
        return Networks::default();
    }
    let own = match mode {
        "" | "default" => "bridge",
        named => named,
    };
    let is_own = |name: &str, settings: &Value| {
        name == own || settings["NetworkID"].as_str().is_some_and(|id| id == own)
    };
    let mut networks = Networks::default();
    for (name, settings) in all {
        let mut endpoint = endpoint(settings, old);
        if is_own(name, settings) {
            let mac = &old["Config"]["MacAddress"];
            if api >= MAC_IN_NETWORK && !is_nothing(mac) {
                endpoint.insert("MacAddress".into(), mac.clone());
            }
            networks.first = Some((name.clone(), Value::Object(endpoint)));
        } else {
            networks.more.push((name.clone(), Value::Object(endpoint)));
        }
    }
    if networks.first.is_none() {
        networks.not = Some(own.to_owned());
    }
    networks
}

/// How it was connected to a network, without what the Engine has made of it.
fn endpoint(settings: &Value, old: &Value) -> Map<String, Value> {
    let mut said = Map::new();
    for name in ["IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority"] {
        let mut value = settings[name].clone();
        if let (Value::Array(aliases), "Aliases") = (&mut value, name) {
            let made_up = short(old);
            aliases.retain(|alias| alias.as_str() != Some(&made_up));
        }
        if !is_nothing(&value) {
            said.insert(name.into(), value);
        }
    }
    said
}

#[cfg(test)]
mod tests;
