//! A thousand orphans, all reaped, and no exit status lost meanwhile.

use crate::lab::{Lab, docker, until};

#[test]
fn a_thousand_orphans_are_reaped_and_no_status_is_lost() {
    let lab = Lab::new("orphans");
    let tree = lab.tree("app");
    // Each inner shell leaves its child behind, which ends a moment later with PID 1 as parent.
    tree.all_scripts()
        .script(
            "warmup",
            "i=0; while [ $i -lt 1000 ]; do (sh -c 'sleep 0.0$(($$ % 10)); exit 9' & ) ; i=$((i+1)); done",
        )
        .script("monitor", "n=$(cat /data/n 2>/dev/null || echo 0); echo $((n+1)) > /data/n; exit $((n % 7))")
        .defaults(
            r#"{"ww":{"monitor":{"interval":"10ms","failures":1000000}}}"#,
        );
    let guest = lab.start("app", &lab.image(&tree), &[], &[]);
    guest.reaches("UP");
    // The checks end with known codes, one after the other; the agent must have seen each.
    let seen = until("200 checks", || {
        let count: u32 = std::fs::read_to_string(guest.data.join("n"))
            .ok()?
            .trim()
            .parse()
            .ok()?;
        (count > 200).then_some(count)
    });
    assert!(seen > 200);
    // Nothing in state Z, and nothing of the thousand is left.
    until("the orphans to be gone", || {
        let listing = docker([
            "exec",
            &guest.name,
            "sh",
            "-c",
            "cat /proc/[0-9]*/stat 2>/dev/null; true",
        ])
        .expect(0);
        let processes: Vec<_> = listing.stdout.lines().collect();
        let zombies = processes
            .iter()
            .filter(|line| line.contains(") Z "))
            .count();
        (zombies == 0 && processes.len() < 12).then_some(())
    });
    let mut failing = Vec::new();
    until("a failing check with its code", || {
        let status = guest.status();
        let code = status
            .split("\"detail\":\"monitor exited ")
            .nth(1)?
            .chars()
            .next()?;
        if !failing.contains(&code) {
            failing.push(code);
        }
        (failing.len() >= 4).then_some(())
    });
    docker(["stop", "-t", "60", &guest.name]).expect(0);
    assert_eq!(guest.exit_code(), 0);
}
