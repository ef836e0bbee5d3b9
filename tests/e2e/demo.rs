//! The demonstration comes up and leaves nothing behind.

use crate::lab::{docker, until, ww_ctl};
use crate::shape::Shapes;

/// What is used here as it is meant to be, beside the commands of [`crate::uses`].
pub(crate) const USED: [&str; 2] = ["demo up", "demo down"];

/// Takes the fleet down also when the test fails.
struct Down;

impl Drop for Down {
    fn drop(&mut self) {
        ww_ctl(["demo", "down"]);
    }
}

#[test]
fn the_fleet_comes_up_lives_and_leaves_nothing() {
    let images = || {
        docker(["images", "-q", "--filter", "label=io.whaleware.demo"])
            .expect(0)
            .stdout
    };
    let containers = || {
        docker(["ps", "-aq", "--filter", "label=io.whaleware.demo"])
            .expect(0)
            .stdout
    };
    assert_eq!(
        containers(),
        "",
        "somebody's demonstration is running: `ww-ctl demo down` first"
    );
    let down = Down;
    let shapes = Shapes::new();
    let up = ww_ctl(["demo", "up", "-o", "json"]).expect(0);
    shapes.document("demoUp", &up.stdout);
    until("the web server UP", || {
        ww_ctl(["ls", "-o", "jsonl", "--filter", "label=io.whaleware.demo"])
            .stdout
            .lines()
            .any(|line| line.contains("web") && line.contains("\"UP\""))
            .then_some(())
    });
    until("a broken one that has failed", || {
        let listed = ww_ctl(["ls", "--filter", "label=io.whaleware.demo"]).stdout;
        listed.contains("ERROR").then_some(())
    });
    let (made, built) = (containers(), images());
    let again = ww_ctl(["demo", "up", "-o", "jsonl"]).expect(0);
    shapes.lines("demoUpLine", &again.stdout);
    assert!(!again.stderr.contains("replacing"), "{}", again.stderr);
    assert_eq!((containers(), images()), (made, built), "nothing is new");
    drop(down);
    assert_eq!((containers(), images()), (String::new(), String::new()));
    for format in ["json", "jsonl"] {
        let down = ww_ctl(["demo", "down", "-o", format]).expect(0);
        shapes.document("demoDown", &down.stdout);
    }
}
