//! `ww-ctl upgrade` and an Engine that is restarted in the middle.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::engine::{Engine, Kind};
use crate::lab::{Lab, Ran, run, until, ww_ctl_command};

/// An Engine of its own with a container of an image whose successor takes its time to upgrade.
struct Story {
    lab: Lab,
    engine: Engine,
    options: &'static [&'static str],
    first: String,
    slow: String,
    data: PathBuf,
}

impl Story {
    fn begin(options: &'static [&'static str]) -> Self {
        let lab = Lab::new("restarted");
        let image = |what: &str, upgrade: &str| {
            let tree = lab.tree(what);
            tree.all_scripts().script("upgrade", upgrade);
            lab.image(&tree)
        };
        let first = image("first", "");
        let slow = image("slow", "until [ -e /data/go ]; do sleep 0.1; done");
        let kind = Kind {
            options,
            ..Kind::default()
        };
        let engine = Engine::start(lab.directory("engine"), &kind);
        engine.load(&first);
        engine.load(&slow);
        let data = lab.directory("data");
        let mount = format!("{}:/data", data.display());
        let options_of = ["run", "-d", "--net=none", "--restart=always", "-v", &mount];
        engine
            .docker(&[&options_of[..], &["--name", "shop", &first]].concat())
            .expect(0);
        let story = Self {
            lab,
            engine,
            options,
            first,
            slow,
            data,
        };
        story.is_up(&story.first);
        story
    }

    /// The tool, at work on the upgrade until the new container's `upgrade` waits.
    fn until_it_upgrades(&self) -> Child {
        let tool = ww_ctl_command()
            .args([
                "-H",
                &self.engine.url(),
                "upgrade",
                "shop",
                "--image",
                &self.slow,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool");
        until("the new one's upgrade", || {
            let log = std::fs::read_to_string(self.data.join("log")).unwrap_or_default();
            (log.matches("+upgrade").count() == 2).then_some(())
        });
        tool
    }

    fn call(&self) -> Ran {
        let url = self.engine.url();
        let arguments = ["-H", &url, "upgrade", "shop", "--image", &self.slow];
        run(ww_ctl_command().args(arguments))
    }

    fn restart(&mut self) {
        self.engine.signal("TERM");
        self.engine.ended();
        self.engine.begin(self.options);
        self.engine.answers();
    }

    fn running(&self) -> Vec<String> {
        let list = self.engine.docker(&["ps", "--format", "{{.Names}}"]);
        list.expect(0).stdout.lines().map(str::to_owned).collect()
    }

    /// It is there alone, of this image, with its restart policy, and UP.
    #[track_caller]
    fn is_up(&self, image: &str) {
        let url = self.engine.url();
        let wait = ["-H", &url, "wait", "shop", "--for", "healthy"];
        run(ww_ctl_command().args(wait)).expect(0);
        let format = "{{.Names}} {{.Image}}";
        let all = self.engine.docker(&["ps", "-a", "--format", format]);
        assert_eq!(all.expect(0).stdout.trim(), format!("shop {image}"));
        let policy = [
            "inspect",
            "-f",
            "{{.HostConfig.RestartPolicy.Name}}",
            "shop",
        ];
        assert_eq!(
            self.engine.docker(&policy).expect(0).stdout.trim(),
            "always"
        );
    }

    fn go(&self) {
        std::fs::write(self.data.join("go"), "").expect("a file");
    }
}

#[test]
fn one_that_is_ended_with_the_engine_is_taken_back_by_the_tool_that_waits() {
    let mut story = Story::begin(&[]);
    let tool = story.until_it_upgrades();
    story.restart();
    let ended = tool.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("is UP again"), "{said}");
    story.is_up(&story.first);
    story.go();
    story.call().expect(0);
    story.is_up(&story.slow);
    drop(story.lab);
}

#[test]
fn the_tool_killed_and_the_engine_restarted_nothing_unproven_comes_up() {
    let mut story = Story::begin(&[]);
    let mut tool = story.until_it_upgrades();
    tool.kill().expect("its end");
    tool.wait().expect("its end");
    story.restart();
    assert_eq!(story.running(), Vec::<String>::new());
    story.call().expect(1).says(&["is UP again", "call again"]);
    story.is_up(&story.first);
}

#[test]
fn the_tool_killed_and_the_engine_restarted_under_living_containers_it_is_finished() {
    let mut story = Story::begin(&["--live-restore"]);
    let mut tool = story.until_it_upgrades();
    tool.kill().expect("its end");
    tool.wait().expect("its end");
    story.restart();
    // The old one, which is to be started always, is not, beside the one that lives.
    assert_eq!(story.running(), ["shop"]);
    story.go();
    story.call().expect(0);
    story.is_up(&story.slow);
}
