//! `ww-ctl ls`, with every agent's live state, against `docker ps`.

use std::process::Command;
use std::time::Duration;

use crate::lab::{Lab, now, run, ww_ctl_command};
use crate::{median, millis};

const ROUNDS: usize = 21;

/// Prints the ratio for fleets of these sizes.
pub(crate) fn measure(sizes: &[usize]) {
    let lab = Lab::new("bench-ls");
    let tree = lab.tree("app");
    tree.all_scripts().script("monitor", "echo '{\"queue\":1}'");
    let image = lab.image(&tree);
    let mut guests = Vec::new();
    for &size in sizes {
        while guests.len() < size {
            guests.push(lab.start(&format!("c{}", guests.len()), &image, &[], &[]));
        }
        for guest in &guests {
            guest.reaches("UP");
        }
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let (our, listed) = timed(ww_ctl_command().arg("ls"));
            let (their, _) = timed(Command::new("docker").arg("ps"));
            let up = listed.lines().filter(|line| line.contains("UP")).count();
            assert!(up >= size, "{up} of {size} UP:\n{listed}");
            // The first round warms up.
            if round > 0 {
                ours.push(millis(our));
                theirs.push(millis(their));
                ratios.push(millis(our) / millis(their));
            }
        }
        println!(
            "ls, {size} running: ww-ctl ls {:.1} ms, docker ps {:.1} ms, ratio {:.2} (medians of {ROUNDS} pairs)",
            median(ours),
            median(theirs),
            median(ratios),
        );
    }
}

fn timed(command: &mut Command) -> (Duration, String) {
    let begun = now();
    let ran = run(command);
    let took = begun.elapsed();
    (took, ran.expect(0).stdout)
}
