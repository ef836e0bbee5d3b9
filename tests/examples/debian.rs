//! Images of the examples: their own Dockerfiles on a Debian that is made here.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::lab::{Lab, Ran, run, ww_ctl};

/// One at a time: two tests of one example would make the same.
static MAKING: Mutex<()> = Mutex::new(());

/// The project's directory.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where what takes long to make is kept between runs.
fn cache() -> PathBuf {
    let target = std::env::current_exe().expect("this program");
    // target/debug/deps/examples-…
    let target = target.ancestors().nth(3).expect("the target directory");
    target.join("roots")
}

/// An image of a small Debian.
pub(crate) fn base(lab: &Lab, suite: &str) -> String {
    let script = project().join("scripts/debian.sh");
    let made = run(Command::new(script)
        .arg(suite)
        .arg(cache().parent().expect("the target directory")))
    .expect(0);
    let base = lab.tag();
    run(Command::new("docker").args(["import", made.stdout.trim(), &base])).expect(0);
    base
}

/// An image with nothing but the agent.
fn agent(lab: &Lab) -> String {
    let agent = lab.tag();
    ww_ctl(["image", "build", "--base", "scratch", "-t", &agent]).expect(0);
    agent
}

/// An image of an example whose Dockerfile installs nothing, on any base.
pub(crate) fn plain(lab: &Lab, example: &str, base: &str) -> String {
    let tag = lab.tag();
    let directory = copy(lab, example);
    let path = directory.join("Dockerfile");
    let recipe = std::fs::read_to_string(&path).expect("its Dockerfile");
    let recipe = recipe.replace(
        "FROM whaleware/agent AS",
        &format!("FROM {} AS", agent(lab)),
    );
    std::fs::write(&path, recipe).expect("its Dockerfile");
    let base = format!("BASE={base}");
    build(&directory, &tag, &["--build-arg", &base]).expect(0);
    tag
}

/// An example, where it can be changed.
fn copy(lab: &Lab, example: &str) -> PathBuf {
    let directory = lab.directory(&format!("recipe-{example}"));
    let source = project().join("examples").join(example);
    run(Command::new("cp").arg("-aT").arg(source).arg(&directory)).expect(0);
    directory
}

/// An image with the packages of an example: the first stage of its Dockerfile, called `packages`.
/// Built once for each suite and content of the Dockerfile; a layer of its own, so that the rest is quick.
fn packages(lab: &Lab, example: &str, suite: &str) -> String {
    // What one has made before it failed is whole.
    let _turn = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = project().join("examples").join(example);
    let recipe = std::fs::read_to_string(directory.join("Dockerfile")).expect("its Dockerfile");
    let stage = recipe.split("\n# The image").next().expect("a first part");
    let mut hasher = DefaultHasher::new();
    (stage, suite).hash(&mut hasher);
    let name = format!("{example}-{suite}-{:016x}.tar", hasher.finish());
    let (place, tag) = (cache().join(name), lab.tag());
    if place.exists() {
        run(Command::new("docker").arg("import").arg(&place).arg(&tag)).expect(0);
        return tag;
    }
    let base = base(lab, suite);
    let base = format!("BASE={base}");
    let words = ["--target", "packages", "--build-arg", &base];
    build(&directory, &tag, &words).expect(0);
    // Flat, as what a base image is.
    let holder = lab.named("holder");
    let label = lab.label();
    let create = ["create", "--name", &holder, "--label", &label, &tag, "true"];
    run(Command::new("docker").args(create)).expect(0);
    let new = place.with_extension("new");
    let export = run(Command::new("docker")
        .args(["export", "-o"])
        .arg(&new)
        .arg(&holder));
    run(Command::new("docker").args(["rm", &holder])).expect(0);
    export.expect(0);
    std::fs::rename(new, place).expect("its name");
    tag
}

fn build(directory: &Path, tag: &str, words: &[&str]) -> Ran {
    let mut command = Command::new("docker");
    command
        .env("DOCKER_BUILDKIT", "0")
        .args(["build", "-q", "-t", tag]);
    run(command.args(words).arg(directory))
}

/// An image of an example, built from its Dockerfile with the packages of a suite of Debian.
pub(crate) fn image(lab: &Lab, example: &str, suite: &str) -> String {
    let tag = lab.tag();
    let packages = packages(lab, example, suite);
    let directory = copy(lab, example);
    let path = directory.join("Dockerfile");
    let recipe = std::fs::read_to_string(&path).expect("its Dockerfile");
    let (_, rest) = recipe.split_once("\n# The image").expect("two parts");
    let recipe = format!("FROM {packages} AS packages\n# The image{rest}");
    // By names of this laboratory's own.
    let recipe = recipe.replace("--from=whaleware/agent", &format!("--from={}", agent(lab)));
    std::fs::write(&path, recipe).expect("its Dockerfile");
    build(&directory, &tag, &[]).expect(0);
    tag
}
