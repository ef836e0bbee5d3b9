//! Docker's own health check, by the agent alone: there is no shell in these images.

use crate::lab::{Lab, docker, until, ww_ctl};

#[test]
fn an_image_of_nothing_but_the_agent_becomes_healthy_for_docker() {
    let lab = Lab::new("health");
    let tree = lab.tree("bare");
    tree.defaults("{}");
    let tag = lab.named("bare");
    ww_ctl([
        "image",
        "build",
        "--base",
        "scratch",
        "--tree",
        tree.path().to_str().expect("UTF-8"),
        "-t",
        &tag,
        "--healthcheck",
    ])
    .expect(0);
    // Only how often is another than in the image: what is run is the image's own.
    let guest = lab.start("bare", &tag, &["--health-interval", "200ms"], &[]);
    until("Docker to call it healthy", || {
        (guest.inspect("{{.State.Health.Status}}") == "healthy").then_some(())
    });
    let check = guest.inspect("{{json .Config.Healthcheck.Test}}");
    docker(["rm", "-f", &guest.name]);
    docker(["rmi", "-f", &tag]);
    assert_eq!(check, r#"["CMD","/ww/bin/ww-agent","health"]"#);
}

#[test]
fn one_that_fails_its_checks_is_unhealthy_for_docker_too() {
    let lab = Lab::new("health");
    let tree = lab.tree("sick");
    tree.all_scripts()
        .script("monitor", "exit 1")
        .defaults(r#"{"ww":{"monitor":{"interval":"100ms","failures":1000}}}"#);
    let tag = lab.named("sick");
    ww_ctl([
        "image",
        "build",
        "--base",
        lab.base(),
        "--tree",
        tree.path().to_str().expect("UTF-8"),
        "-t",
        &tag,
        "--healthcheck",
    ])
    .expect(0);
    let options = ["--health-interval", "200ms", "--health-retries", "1"];
    let guest = lab.start("sick", &tag, &options, &[]);
    guest.reaches("UP");
    until("Docker to call it unhealthy", || {
        (guest.inspect("{{.State.Health.Status}}") == "unhealthy").then_some(())
    });
    docker(["rm", "-f", &guest.name]);
    docker(["rmi", "-f", &tag]);
}
