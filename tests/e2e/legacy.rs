//! A tree of the original's shapes runs unchanged.

use crate::lab::{Lab, docker, ww_ctl};

#[test]
fn a_tree_of_the_originals_shapes_runs_unchanged() {
    let lab = Lab::new("legacy");
    let tree = lab.tree("app");
    tree.defaults("{\n  \"memory\": 100,\n  \"db\": { \"host\": \"localhost\", },\n}\n")
        .file(
            "usr/boot",
            0o755,
            "#! /bin/bash\nWCFG=/ww/cfg\necho \"memory is $($WCFG memory)M, db on $($WCFG db.host)\" >> /data/log\n\
             sed -e \"s/##MEM##/$($WCFG memory)M/g\" /ww/files/app.conf > /tmp/app.conf\ncat /tmp/app.conf >> /data/log\n",
        )
        .file("files/app.conf", 0o644, "heap=##MEM##\n")
        .file("usr/firstboot", 0o755, "#! /bin/bash\nmkdir -p /data/db\necho first >> /data/log\n")
        .file("usr/upgrade", 0o755, "")
        .file(
            "usr/svcup",
            0o755,
            "#! /bin/bash\n/ww/files/service start\n",
        )
        // As init scripts of old did it: fork, setsid, leave, and keep the caller's output open.
        .file(
            "files/service",
            0o755,
            "#!/bin/bash\ncase $1 in\nstart) setsid bash -c 'echo $$ > /tmp/app.pid; trap \"exit 0\" TERM; while true; do sleep 1; done' &\n  echo started >> /data/log ;;\n\
             stop) kill $(cat /tmp/app.pid); while kill -0 $(cat /tmp/app.pid) 2>/dev/null; do sleep 0.05; done; echo stopped >> /data/log ;;\nesac\n",
        )
        .file("usr/svcdown", 0o755, "#! /bin/bash\n/ww/files/service stop\n")
        .file("usr/warmup", 0o755, "#! /bin/bash\nsleep 0.1\n")
        .file("usr/monitor", 0o755, "#! /bin/bash\nexit 0\n")
        .file("usr/lifecycle", 0o755, "#! /bin/bash\necho \"LC $1\" >> /data/log\n")
        .file("usr/pushstats", 0o755, "");
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
