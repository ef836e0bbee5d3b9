use super::*;

const ID: &str = "0123456789abcdef0123";

fn image() -> Value {
    json!({"Config": {
        "User": "app",
        "Env": ["PATH=/bin", "MODE=fast"],
        "Cmd": ["/ww/run"],
        "Entrypoint": null,
        "WorkingDir": "/srv",
        "Labels": {"io.whaleware.agent": "1", "vendor": "us"},
        "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
        "Volumes": {"/data": {}},
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["CMD", "/ww/bin/ww-agent", "health"]},
    }})
}

/// A container of that image about which nothing was said.
fn plain() -> Value {
    json!({
        "Id": ID,
        "Config": {
            "Hostname": "0123456789ab",
            "Domainname": "",
            "Image": "shop:1",
            "User": "app",
            "Env": ["PATH=/bin", "MODE=fast"],
            "Cmd": ["/ww/run"],
            "Entrypoint": null,
            "WorkingDir": "/srv",
            "Labels": {"io.whaleware.agent": "1", "vendor": "us"},
            "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
            "Volumes": {"/data": {}},
            "StopSignal": "SIGTERM",
            "Healthcheck": {"Test": ["CMD", "/ww/bin/ww-agent", "health"]},
        },
        "HostConfig": {"NetworkMode": "default", "RestartPolicy": {"Name": "no"}},
        "Mounts": [],
        "NetworkSettings": {"Networks": {"bridge": {"IPAMConfig": null, "IPAddress": "10.0.0.2"}}},
    })
}

fn made_with(old: &Value, api: (usize, usize), lent: &[Value]) -> Recipe {
    recipe(Ingredients {
        old,
        old_image: &image(),
        lent,
        image: "shop:2",
        policy: Policy::Always,
        api,
    })
}

fn made(old: &Value) -> Recipe {
    made_with(old, (1, 41), &[])
}

#[test]
fn what_came_from_the_image_is_left_to_the_new_one() {
    let recipe = made(&plain());
    assert_eq!(
        recipe.body,
        json!({
            "Image": "shop:2",
            "Domainname": "",
            "Env": [],
            "Labels": {},
            "ExposedPorts": {},
            "Volumes": {},
            "HostConfig": {
                "NetworkMode": "default",
                "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
            },
            "NetworkingConfig": {"EndpointsConfig": {"bridge": {}}},
        })
    );
    assert_eq!((recipe.connect, recipe.disconnect), (vec![], None));
}

#[test]
fn what_was_said_is_said_again() {
    let mut old = plain();
    for (name, value) in [
        ("User", json!("root")),
        ("Env", json!(["PATH=/bin", "MODE=slow", "CFG={}"])),
        (
            "Labels",
            json!({"io.whaleware.agent": "1", "vendor": "them", "tier": "web"}),
        ),
        ("Hostname", json!("shop")),
        ("StopTimeout", json!(30)),
        ("Tty", json!(true)),
        ("Cmd", json!(["/ww/run", "run"])),
        ("OfTheFuture", json!({"a": 1})),
    ] {
        old["Config"][name] = value;
    }
    for (name, value) in [
        ("Memory", json!(64_000_000)),
        (
            "PortBindings",
            json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}),
        ),
        ("CapAdd", json!(["NET_ADMIN"])),
        ("OfTheFuture", json!([1])),
    ] {
        old["HostConfig"][name] = value;
    }
    let body = made(&old).body;
    for (name, value) in [
        ("User", json!("root")),
        ("Env", json!(["MODE=slow", "CFG={}"])),
        ("Labels", json!({"vendor": "them", "tier": "web"})),
        ("Hostname", json!("shop")),
        ("StopTimeout", json!(30)),
        ("Tty", json!(true)),
        ("Cmd", json!(["/ww/run", "run"])),
        ("OfTheFuture", json!({"a": 1})),
        // The new image need not expose it: who published it wants it published.
        ("ExposedPorts", json!({"80/tcp": {}})),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
    for name in ["Memory", "PortBindings", "CapAdd", "OfTheFuture"] {
        assert_eq!(body["HostConfig"][name], old["HostConfig"][name], "{name}");
    }
    assert!(body.get("WorkingDir").is_none(), "{body}");
}

#[test]
fn an_entry_point_is_said_together_with_its_words() {
    let with = |image_entry: Value, entry: Value, command: Value| {
        let (mut old, mut image) = (plain(), image());
        image["Config"]["Entrypoint"] = image_entry;
        old["Config"]["Entrypoint"] = entry;
        old["Config"]["Cmd"] = command;
        let body = recipe(Ingredients {
            old: &old,
            old_image: &image,
            lent: &[],
            image: "shop:2",
            policy: Policy::No,
            api: (1, 41),
        })
        .body;
        (body.get("Entrypoint").cloned(), body.get("Cmd").cloned())
    };
    let (run, other) = (json!(["/ww/run"]), json!(["/other"]));
    assert_eq!(
        with(json!(["/e"]), json!(["/e"]), run.clone()),
        (None, None)
    );
    assert_eq!(
        with(json!(["/e"]), json!(["/e"]), other.clone()),
        (None, Some(other.clone()))
    );
    assert_eq!(
        with(json!(["/e"]), other.clone(), run.clone()),
        (Some(other.clone()), Some(run.clone()))
    );
    // Said without words: the image's are not to come back.
    assert_eq!(
        with(json!(["/e"]), json!(["/e"]), Value::Null),
        (Some(json!(["/e"])), Some(Value::Null))
    );
    // Taken away by `--entrypoint ""`.
    assert_eq!(
        with(json!(["/e"]), Value::Null, run.clone()),
        (Some(json!([""])), Some(run))
    );
}

#[test]
fn data_in_a_volume_without_a_name_is_not_left_behind() {
    let mut old = plain();
    old["Mounts"] = json!([
        {"Type": "volume", "Name": "f00", "Destination": "/data", "RW": true},
        {"Type": "volume", "Name": "named", "Destination": "/srv", "RW": true},
        {"Type": "volume", "Name": "b4r", "Destination": "/cache", "RW": true},
        {"Type": "volume", "Name": "lent", "Destination": "/lent", "RW": true},
        {"Type": "volume", "Name": "own", "Destination": "/mine", "RW": false},
        {"Type": "bind", "Source": "/x", "Destination": "/x", "RW": true},
    ]);
    old["HostConfig"]["Binds"] = json!(["named:/srv/:rw", "/x:/x"]);
    old["HostConfig"]["Mounts"] = json!([{"Type": "volume", "Target": "/cache"}]);
    old["HostConfig"]["VolumesFrom"] = json!(["data"]);
    let lent = [
        json!({"Type": "volume", "Name": "lent", "Destination": "/lent"}),
        json!({"Type": "volume", "Name": "another", "Destination": "/mine"}),
    ];
    let host = made_with(&old, (1, 41), &lent).body["HostConfig"].clone();
    assert_eq!(host["VolumesFrom"], json!(["data"]));
    assert_eq!(host["Binds"], old["HostConfig"]["Binds"]);
    let options = json!({"NoCopy": true});
    assert_eq!(
        host["Mounts"],
        json!([
            {"Type": "volume", "Target": "/cache", "Source": "b4r"},
            {"Type": "volume", "Target": "/data", "Source": "f00", "ReadOnly": false, "VolumeOptions": options},
            {"Type": "volume", "Target": "/mine", "Source": "own", "ReadOnly": true, "VolumeOptions": options},
        ])
    );
}

#[test]
fn every_network_is_joined_as_it_was() {
    let mut old = plain();
    old["HostConfig"]["NetworkMode"] = json!("front");
    old["Config"]["MacAddress"] = json!("02:42:ac:11:00:09");
    old["NetworkSettings"]["Networks"] = json!({
        "front": {
            "IPAMConfig": {"IPv4Address": "10.1.0.9"},
            "Aliases": ["shop", "0123456789ab"],
            "Links": ["db:database"],
            "MacAddress": "02:42:ac:11:00:09",
            "IPAddress": "10.1.0.9",
            "NetworkID": "aa",
        },
        "back": {"IPAMConfig": {}, "Aliases": ["0123456789ab"], "DriverOpts": {"a": "b"}, "NetworkID": "bb"},
    });
    let front = json!({
        "IPAMConfig": {"IPv4Address": "10.1.0.9"}, "Aliases": ["shop"], "Links": ["db:database"],
    });
    let recipe = made(&old);
    assert_eq!(
        recipe.body["NetworkingConfig"]["EndpointsConfig"],
        json!({"front": front})
    );
    assert_eq!(recipe.body["MacAddress"], "02:42:ac:11:00:09");
    let back = json!({"DriverOpts": {"a": "b"}});
    assert_eq!(recipe.connect, [("back".to_owned(), back)]);
    assert_eq!(recipe.disconnect, None);

    // Newer Engines know the address by its network.
    let newer = made_with(&old, (1, 44), &[]).body;
    assert!(newer.get("MacAddress").is_none(), "{newer}");
    let endpoint = &newer["NetworkingConfig"]["EndpointsConfig"]["front"];
    assert_eq!(endpoint["MacAddress"], "02:42:ac:11:00:09");

    // By the network's id, and taken from the network it was made in.
    old["HostConfig"]["NetworkMode"] = json!("bb");
    assert_eq!(made(&old).connect, [("front".to_owned(), front)]);
    old["HostConfig"]["NetworkMode"] = json!("default");
    let recipe = made(&old);
    assert_eq!(recipe.body.get("NetworkingConfig"), None);
    assert_eq!(recipe.connect.len(), 2);
    assert_eq!(recipe.disconnect.as_deref(), Some("bridge"));
}

#[test]
fn what_another_container_or_the_host_lends_cannot_be_said() {
    let mut old = plain();
    old["Config"]["Hostname"] = json!("db");
    for (name, value) in [("NetworkMode", "container:abc"), ("UTSMode", "host")] {
        let mut old = old.clone();
        old["HostConfig"][name] = json!(value);
        let body = made(&old).body;
        for lent in ["Hostname", "Domainname"] {
            assert!(body.get(lent).is_none(), "{name}: {body}");
        }
    }
    old["HostConfig"]["NetworkMode"] = json!("host");
    let recipe = made(&old);
    assert_eq!(recipe.body["Hostname"], "db");
    assert!(recipe.body.get("NetworkingConfig").is_none());
    assert_eq!((recipe.connect, recipe.disconnect), (vec![], None));
}

#[test]
fn a_link_is_said_as_it_is_written_on_a_command_line() {
    let mut old = plain();
    old["HostConfig"]["Links"] = json!(["/db:/shop/database"]);
    assert_eq!(
        made(&old).body["HostConfig"]["Links"],
        json!(["db:database"])
    );
}

#[test]
fn a_difference_that_nobody_meant_is_found() {
    let old = json!({"HostConfig": {
        "Memory": 5, "Binds": null, "Init": false, "RestartPolicy": {"Name": "no"}, "Gone": 7,
    }});
    let new = json!({"HostConfig": {
        "Memory": 6, "Binds": [], "RestartPolicy": {"Name": "always"}, "Fresh": "",
    }});
    assert_eq!(
        differences(&old, &new, &["RestartPolicy"]),
        ["Gone is nothing, was 7", "Memory is 6, was 5"]
    );
}
