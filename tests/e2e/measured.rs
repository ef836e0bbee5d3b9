//! What the dashboard asks the Engine to count, and what the dashboard itself takes.

use crate::lab::{Lab, until, ww_ctl_path};
use crate::proxy::{Moment, Proxy};
use crate::pty::Terminal;

#[test]
fn the_engine_counts_only_what_has_no_agent_and_is_seen() {
    let lab = Lab::new("measured");
    let tree = lab.tree("app");
    tree.all_scripts();
    let agent = lab.start("agent", &lab.image(&tree), &[], &[]);
    let plain = |what| lab.start_bare(what, lab.base(), &[], &["sleep", "600"]);
    let (one, two) = (plain("one"), plain("two"));
    agent.reaches("UP");
    let id = |guest: &crate::lab::Guest| guest.inspect("{{.Id}}");
    let (agent_id, one_id, two_id) = (id(&agent), id(&one), id(&two));
    let proxy = Proxy::listen(&lab.directory("proxy").join("s"), 0, Moment::Before);
    let counts = |ids: &[&String]| {
        let mut wanted: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        wanted.sort();
        until(&format!("figures of {wanted:?} to be read"), || {
            (proxy.measured() == wanted).then_some(())
        });
    };
    let own = lab.named("");
    let shell = format!(
        "{} -H {} top '{own}*'",
        ww_ctl_path().display(),
        proxy.url()
    );
    let mut terminal = Terminal::new(&shell, 30, 160);
    terminal.shows("the agent's figures", |screen| {
        screen
            .lines()
            .any(|line| line.contains(&agent.name) && line.contains('%'))
    });
    // What has no agent is hidden, and costs nothing.
    assert_eq!(proxy.ever_measured(), [""; 0]);
    terminal.keys("a");
    counts(&[&one_id, &two_id]);
    // There is no share of a processor before the second sample, and then there is.
    for guest in [&one, &two] {
        terminal.shows("figures", |screen| {
            screen
                .lines()
                .any(|line| line.contains(&guest.name) && line.contains('%'))
        });
    }
    terminal.keys(&format!("/{}\r", one.name));
    counts(&[&one_id]);
    // Neither rows hidden by details on the whole screen are counted, nor a picture that stands still.
    terminal.keys("\r");
    counts(&[]);
    terminal.keys("\u{1b}");
    counts(&[&one_id]);
    terminal.keys("z");
    counts(&[]);
    terminal.keys("z");
    counts(&[&one_id]);
    terminal.keys("a");
    counts(&[]);
    assert!(!proxy.ever_measured().contains(&agent_id));
    terminal.keys("q");
}
