//! What comes from the original: an image that moves over, and a data-only container.

use std::process::Command;

use crate::debian::{base, plain};
use crate::lab::{Guest, Lab, docker, run, ww_ctl, ww_ctl_command};

#[test]
fn an_image_of_the_original_runs_on_another_base_with_the_data_it_had() {
    let lab = Lab::new("legacy");
    let tag = plain(&lab, "legacy", &base(&lab, "bookworm"));
    let checked = ww_ctl(["check", "--image", &tag]).expect(0);
    assert!(
        checked.stderr.contains("0 errors, 0 warnings"),
        "{checked:?}"
    );
    let guest = Guest {
        name: lab.named("app"),
        data: lab.directory("data"),
    };
    // Made by the original, as it marks it.
    std::fs::write(guest.data.join("whaleup"), "").expect("the mark");
    let (label, data) = (lab.label(), guest.data.display().to_string());
    let mut command = ww_ctl_command();
    command.args(["run", &tag, "--label", &label, "--name", &guest.name]);
    command.args(["--data", &data, "--set", "memory=400", "--wait"]);
    run(&mut command).expect(0);
    ww_ctl(["stop", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0);
    let log = guest.log().join(" ");
    assert!(log.contains("heap=400M"), "{log}");
    assert!(log.contains("LC UP") && log.ends_with("stopped"), "{log}");
    assert!(!log.contains("first"), "{log}");
}

#[test]
fn a_data_only_container_as_it_was_is_in_danger_until_it_is_adopted() {
    let lab = Lab::new("data");
    let tag = plain(&lab, "data", lab.base());
    let (name, label, root) = (lab.named("MYWBT"), lab.label(), lab.directory("kept"));
    docker(["create", "--name", &name, "--label", &label, &tag]).expect(0);
    let file = lab.directory("file").join("precious");
    std::fs::write(&file, "gold").expect("a file");
    let place = format!("{name}:/data/");
    run(Command::new("docker").arg("cp").arg(&file).arg(&place)).expect(0);
    let doctor = ["data", "doctor", &name];
    let ill = run(ww_ctl_command().args(doctor).arg("--root").arg(&root)).expect(1);
    assert!(ill.stdout.contains(&name), "{ill:?}");
    let adopt = ["data", "adopt", &name, "--root"];
    run(ww_ctl_command().args(adopt).arg(&root)).expect(0);
    run(ww_ctl_command().args(doctor).arg("--root").arg(&root)).expect(0);
    docker(["rm", "-v", &format!("{name}.before-adopt")]).expect(0);
    let read = ["run", "--rm", "--network", "none", "--volumes-from", &name];
    let read = run(Command::new("docker").args(read).args([
        "--label",
        &label,
        lab.base(),
        "cat",
        "/data/precious",
    ]));
    assert_eq!(read.expect(0).stdout, "gold");
}
