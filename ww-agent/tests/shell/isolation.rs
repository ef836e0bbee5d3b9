//! What a script finds: no signal blocked or ignored, no descriptor of the agent's, its own group.

use crate::harness::Image;

#[test]
fn a_script_finds_what_a_program_expects() {
    let body = "cp /proc/self/status $ROOT/status; ls /proc/self/fd > $ROOT/fds; \
                cut -d' ' -f1,5 /proc/$$/stat > $ROOT/stat; pwd > $ROOT/pwd; env > $ROOT/env";
    // The state of the shell itself, read by a program it starts, is that of its children too.
    let mut agent = Image::new().script("upgrade", body).start();
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
