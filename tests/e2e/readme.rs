//! What the README tells a newcomer to type does what it says.

use std::process::Command;

use crate::lab::{Guest, Lab, docker, run, ww_ctl, ww_ctl_path};

/// The first image as it stands there, with a base, names and places of this laboratory.
fn first_image(lab: &Lab, guest: &Guest) -> String {
    let readme = include_str!("../../README.md");
    let block = readme
        .split("```sh\n")
        .filter_map(|rest| rest.split_once("\n```"))
        .map(|(block, _)| block)
        .find(|block| block.contains("--tree hello"))
        .expect("the README makes an image");
    let (tag, name) = (lab.tag(), &guest.name);
    let ours = [
        ("--base busybox", format!("--base {}", lab.base())),
        ("-t hello", format!("-t {tag}")),
        (
            "run hello --name hello",
            format!("run {tag} --label {} --name {name}", lab.label()),
        ),
        (
            "--data /srv/hello",
            format!("--data {}", guest.data.display()),
        ),
        ("show hello", format!("show {name}")),
    ];
    ours.iter()
        .fold(block.to_owned(), |typed, (written, here)| {
            assert!(typed.contains(written), "no {written:?} in:\n{block}");
            typed.replace(written, here)
        })
}

#[test]
fn the_first_image_comes_up_restarts_and_stops() {
    let lab = Lab::new("readme");
    let guest = Guest {
        name: lab.named("hello"),
        data: lab.directory("data"),
    };
    let program = ww_ctl_path();
    let programs = program.parent().expect("a directory").display();
    let typed = format!("PATH={programs}:$PATH\n{}", first_image(&lab, &guest));
    let shown = run(Command::new("sh")
        .args(["-e", "-c", &typed])
        .current_dir(lab.directory("typed")))
    .expect(0)
    .stdout;
    assert!(shown.contains("● UP"), "{shown}");
    assert!(shown.contains("\"answers\": true"), "{shown}");
    let serves = || {
        let url = "http://127.0.0.1:9000/";
        let page = docker(["exec", &guest.name, "wget", "-q", "-O", "-", url]).expect(0);
        assert!(page.stdout.starts_with("hello from "), "{}", page.stdout);
    };
    serves();
    ww_ctl(["restart", &guest.name]).expect(0);
    serves();
    ww_ctl(["stop", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0);
    let output = guest.output();
    assert!(!output.contains("warning"), "{output}");
}
