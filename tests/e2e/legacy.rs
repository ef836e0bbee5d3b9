//! A tree of the original's shapes runs unchanged.

use std::process::Command;

use crate::lab::{Lab, docker, run, ww_ctl};

#[test]
fn a_tree_of_the_originals_shapes_runs_unchanged() {
    let lab = Lab::new("legacy");
    let tree = lab.tree("app");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legacy/ww/.");
    run(Command::new("cp").args(["-a", example]).arg(tree.path())).expect(0);
    let image = lab.image(&tree);
    let guest = lab.start("app", &image, &["-e", r#"CFG={"memory":400}"#], &[]);
    guest.reaches("UP");
    docker(["exec", &guest.name, "/ww/cfg", "memory"]).expect(0);
    assert_eq!(
        docker(["exec", &guest.name, "/ww/cfg", "memory"]).stdout,
        "400\n"
    );
    assert_eq!(
        docker(["exec", &guest.name, "/ww/cfg", "db.host"]).stdout,
        "localhost\n"
    );
    assert_eq!(
        docker(["exec", &guest.name, "/ww/cfg", "nothing"]).stdout,
        "null\n"
    );
    assert_eq!(
        ww_ctl(["cfg", &guest.name, "memory"]).expect(0).stdout,
        "400\n"
    );

    docker(["kill", "-s", "HUP", &guest.name]).expect(0);
    guest.wrote("started", 2);
    guest.reaches("UP");
    docker(["stop", "-t", "60", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0);
    assert_eq!(
        guest.log(),
        [
            "LC BOOT",
            "memory is 400M, db on localhost",
            "heap=400M",
            "LC FIRSTBOOT",
            "first",
            "LC UPGRADING",
            "LC WARMUP",
            "started",
            "LC UP",
            "LC RESTARTING",
            "stopped",
            "started",
            "LC UP",
            "LC STOPPED",
            "stopped",
        ]
    );
    assert!(guest.data.join("whaleup").exists());
}
