//! What a script finds: no signal blocked or ignored, no descriptor of the agent's, its own group.

use crate::harness::Image;

/// Ignores and blocks what can be, leaves a descriptor open, and becomes the agent.
const SLOPPY: &str = "use POSIX;\n\
                      my $ignore = POSIX::SigAction->new('IGNORE');\n\
                      for my $n (1..31, 34..64) {\n\
                      \x20 next if $n == 9 || $n == 19;\n\
                      \x20 POSIX::sigaction($n, $ignore) or die \"signal $n\";\n\
                      }\n\
                      my $all = POSIX::SigSet->new; $all->fillset;\n\
                      POSIX::sigprocmask(SIG_BLOCK, $all) or die;\n\
                      POSIX::dup2(0, 7) or die;\n\
                      exec { $ARGV[0] } @ARGV or die;\n";

#[test]
fn a_script_finds_what_a_program_expects() {
    let body = "cp /proc/self/status $ROOT/status; ls /proc/self/fd > $ROOT/fds; \
                cut -d' ' -f1,5 /proc/$$/stat > $ROOT/stat; pwd > $ROOT/pwd; env > $ROOT/env";
    // The state of the shell itself, read by a program it starts, is that of its children too.
    // Whoever starts the agent may ignore signals and leave a descriptor open: no script sees that.
    let mut agent = Image::new()
        .script("upgrade", body)
        .around(&["/usr/bin/perl", "-e", SLOPPY])
        .start();
    let _listener = agent.listen();
    agent.wait_state("UP");
    let read = |name: &str| std::fs::read_to_string(agent.path(name)).unwrap();
    let status = read("status");
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{field}:\t")))
            .unwrap();
        assert_eq!(u64::from_str_radix(value, 16).unwrap(), 0, "{field}");
    }
    // `ls` itself has the directory open as one more.
    assert_eq!(
        read("fds").split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
    let stat = read("stat");
    let (pid, group) = stat.trim().split_once(' ').unwrap();
    assert_eq!(pid, group);
    assert_eq!(read("pwd").trim(), "/");
    assert!(read("env").lines().any(|line| line == "WW_STATE=UPGRADING"));
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn the_agent_holds_no_directory_and_has_one_thread() {
    let mut agent = Image::new().start();
    agent.wait_state("UP");
    let process = std::path::PathBuf::from(format!("/proc/{}", agent.pid()));
    assert_eq!(
        std::fs::read_link(process.join("cwd")).unwrap(),
        std::path::Path::new("/")
    );
    let threads = std::fs::read_dir(process.join("task")).unwrap().count();
    assert_eq!(threads, 1);
    assert_eq!(agent.stop().0, 0);
}

#[test]
fn a_program_that_changes_its_user_can_still_print() {
    let mut agent = Image::new()
        .script(
            "svcup",
            "setpriv --reuid=12345 --regid=12345 --clear-groups -- \
             sh -c 'echo as it is; echo opened anew > /dev/stdout; echo complained > /dev/stderr'",
        )
        .start();
    agent.wait_state("UP");
    assert_eq!(agent.stop().0, 0);
    for line in ["as it is\n", "opened anew\n"] {
        assert!(agent.stdout().contains(line), "{line}: {}", agent.stderr());
    }
    assert!(agent.stderr().contains("complained\n"));
}
