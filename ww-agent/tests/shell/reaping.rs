//! Every process that ends is reaped, and no status is lost.

use nix::sys::signal::Signal;

use crate::harness::{Image, until};

#[test]
fn a_thousand_orphans_are_reaped() {
    let orphans = "i=0; while [ $i -lt 1000 ]; do (sleep 0.05 &) ; i=$((i+1)); done";
    let mut agent = Image::new().script("boot", orphans).start();
    agent.wait_state("UP");
    until("all orphans to be reaped", || {
        agent.others().is_empty().then_some(())
    });
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_thousand_that_end_while_the_agent_stands_still_are_one_signal_and_all_reaped() {
    let orphans = "while [ ! -e $ROOT/go ]; do sleep 0.05; done; i=0; \
                   while [ $i -lt 1000 ]; do (true &); i=$((i+1)); done; touch $ROOT/done";
    let mut agent = Image::new()
        .script("svcup", &format!("setsid sh -c '{orphans}' &"))
        .start();
    agent.wait_state("UP");
    agent.signal(Signal::SIGSTOP);
    std::fs::write(agent.path("go"), "").unwrap();
    until("a thousand that nobody has reaped", || {
        let dead = agent.others();
        let dead = dead.iter().filter(|(_, state)| *state == 'Z').count();
        (dead >= 1000).then_some(())
    });
    agent.signal(Signal::SIGCONT);
    until("all of them to be reaped", || {
        agent.others().is_empty().then_some(())
    });
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn no_status_is_lost_in_a_storm_of_orphans() {
    const CHECKS: usize = 200;
    let body = "n=$(cat $ROOT/n 2>/dev/null || echo 0); echo $((n+1)) > $ROOT/n\n\
                (true &); (true &); (sleep 0.01 &); echo $n; exit $((n % 3))";
    let agent = Image::new()
        .script("monitor", body)
        .cfg(r#"{"ww":{"monitor":{"interval":"1ms","failures":1000000}}}"#)
        .start();
    let mut listener = agent.listen();
    let (mut seen, mut next) = (0, None);
    while seen < CHECKS {
        let line = listener.line("monitor");
        let number = line["value"].as_u64().expect("the number it printed");
        assert_eq!(line["exit"], number % 3, "{line}");
        assert!(
            next.is_none_or(|next| next == number),
            "one is missing: {line}"
        );
        next = Some(number + 1);
        seen += 1;
    }
    assert!(
        agent
            .others()
            .iter()
            .filter(|(_, state)| *state == 'Z')
            .count()
            < 5
    );
}

#[test]
fn a_death_by_signal_is_told_by_its_name() {
    let mut agent = Image::new().script("upgrade", "kill -SEGV $$").start();
    assert_eq!(agent.exit(), 1);
    let stderr = agent.stderr();
    assert!(stderr.contains("upgrade was ended by SIGSEGV"), "{stderr}");
}

#[test]
fn a_death_by_a_real_time_signal_is_not_lost() {
    let mut agent = Image::new().script("upgrade", "kill -37 $$").start();
    assert_eq!(agent.exit(), 1);
    let stderr = agent.stderr();
    assert!(
        stderr.contains("upgrade was ended by SIGRTMIN+3"),
        "{stderr}"
    );
}

/// A shell cannot ignore this one.
const IGNORES: &str = "$SIG{CHLD} = 'IGNORE'; exec { $ARGV[0] } @ARGV or die;";

#[test]
fn one_that_ignores_its_children_does_not_hand_that_on_to_the_agent() {
    let mut agent = Image::new()
        .script("upgrade", "exit 7")
        .around(&["/usr/bin/perl", "-e", IGNORES])
        .start();
    assert_eq!(agent.exit(), 1);
    let stderr = agent.stderr();
    assert!(stderr.contains("upgrade exited 7"), "{stderr}");
}

#[test]
fn a_death_by_signal_has_the_code_a_shell_would_tell() {
    let agent = Image::new()
        .script("monitor", "kill -KILL $$")
        .cfg(r#"{"ww":{"monitor":{"interval":"10ms"}}}"#)
        .start();
    assert_eq!(agent.listen().line("monitor")["exit"], 137);
}
