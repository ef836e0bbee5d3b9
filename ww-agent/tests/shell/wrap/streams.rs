//! The command finds everything as if it had been started without the agent.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write, pipe};
use std::path::Path;

use super::{both, shell};
use crate::harness::{Image, until};

/// Bytes of every value, in no simple order.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn a_megabyte_passes_through_byte_by_byte() {
    let sent = noise(1 << 20);
    for image in shell("tee /dev/fd/2") {
        let (read, write) = pipe().unwrap();
        let (back, far) = pipe().unwrap();
        let mut agent = image.stdin(read).stdout(far).start();
        let writing = sent.clone();
        let writer = std::thread::spawn(move || (&write).write_all(&writing).unwrap());
        // The test still holds the writing end in the image: only so many bytes are there to come.
        let mut got = vec![0; sent.len()];
        (&back).read_exact(&mut got).unwrap();
        writer.join().unwrap();
        assert_eq!(agent.exit(), 0);
        assert!(got == sent, "stdout");
        assert!(fs::read(agent.path("stderr")).unwrap() == sent, "stderr");
    }
}

#[test]
fn the_streams_are_the_very_same_files() {
    for image in both(&["sleep", "1000"]) {
        let input = File::open("/dev/zero").unwrap();
        let agent = image.stdin(input).start();
        agent.wait_state("UP");
        let (own, command) = (agent.pid(), agent.children()[0]);
        let file = |pid: i32, number: i32| fs::read_link(format!("/proc/{pid}/fd/{number}"));
        assert_eq!(file(command, 0).unwrap(), Path::new("/dev/zero"));
        for number in 1..3 {
            assert_eq!(file(command, number).unwrap(), file(own, number).unwrap());
        }
    }
}

/// The numbers of a process's descriptors.
fn descriptors(process: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

/// Those that this test itself hands to all it starts: whoever started it handed them on.
fn handed_on() -> BTreeSet<String> {
    const CLOSES: u32 = 0o2_000_000;
    let mut all = descriptors("self");
    all.retain(|number| {
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        flags.is_some_and(|flags| flags & CLOSES == 0)
    });
    all
}

#[test]
fn descriptors_it_was_handed_are_passed_on_and_none_of_the_agents() {
    let around = ["sh", "-c", "exec \"$@\" 7< /dev/null", "sh"];
    for image in both(&["sleep", "1000"]) {
        let agent = image.around(&around).start();
        agent.wait_state("UP");
        let command = agent.children()[0];
        let mut expected = handed_on();
        expected.extend(["0", "1", "2", "7"].map(str::to_owned));
        // As soon as it is loaded: its libraries are opened and closed before.
        until("these descriptors and no more", || {
            (descriptors(&command.to_string()) == expected).then_some(())
        });
    }
}

#[test]
fn no_signal_is_blocked_or_ignored_whoever_started_the_agent() {
    let around = ["env", "--ignore-signal=USR1", "--block-signal=HUP"];
    for image in both(&["sleep", "1000"]) {
        let agent = image.around(&around).start();
        agent.wait_state("UP");
        let command = agent.children()[0];
        let status = fs::read_to_string(format!("/proc/{command}/status")).unwrap();
        for field in ["SigBlk", "SigIgn", "SigCgt"] {
            let line = format!("{field}:\t0000000000000000");
            assert!(status.lines().any(|seen| seen == line), "{status}");
        }
    }
}

#[test]
fn the_directory_is_kept_and_the_agent_holds_none() {
    for image in both(&["pwd", "-P"]) {
        fs::create_dir(image.path("work")).unwrap();
        let directory = image.path("work").canonicalize().unwrap();
        let mut agent = image.directory(&directory).start();
        assert_eq!(agent.exit(), 0);
        assert_eq!(Path::new(agent.stdout().trim_end()), directory);
    }
}

#[test]
fn the_words_are_kept_the_first_too() {
    let words = [
        "sh",
        "-c",
        "tr '\\0' '|' < /proc/$$/cmdline",
        "a name",
        "",
        "--",
        "two\nlines",
    ];
    for image in both(&words) {
        let mut agent = image.start();
        assert_eq!(agent.exit(), 0);
        assert_eq!(agent.stdout(), format!("{}|", words.join("|")));
    }
}

#[test]
fn the_environment_is_kept_and_three_names_are_added() {
    for image in both(&["env"]) {
        let root = format!("WW_ROOT={}", image.path("").display());
        let given = [
            &root,
            "EMPTY=",
            "NOTIFY_SOCKET=/somebody/elses",
            "WATCHDOG_USEC=7",
        ];
        let around = [["env", "-i"].as_slice(), &given].concat();
        let mut agent = image.around(&around).start();
        assert_eq!(agent.exit(), 0);
        let stdout = agent.stdout();
        let (added, kept): (Vec<&str>, Vec<&str>) = stdout
            .lines()
            .partition(|line| line.starts_with("WW_") && !line.starts_with("WW_ROOT="));
        assert_eq!(kept.len(), given.len(), "{stdout}");
        assert!(given.iter().all(|line| kept.contains(line)), "{stdout}");
        let mut names: Vec<&str> = added
            .iter()
            .filter_map(|line| line.split('=').next())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["WW_NOTIFY_SOCKET", "WW_SERVICE", "WW_STATE"]);
    }
}

#[test]
fn one_that_is_to_say_when_it_is_ready_finds_where_to() {
    let program = "echo $NOTIFY_SOCKET > $ROOT/socket; until [ -e $ROOT/go ]; do sleep 0.01; done; \
                   $AGENT notify --ready; exec sleep 1000";
    for image in shell(program) {
        let agent = image
            .variable("AGENT", env!("CARGO_BIN_EXE_ww-agent"))
            .cfg(r#"{"ww":{"services":{"main":{"notify":true}}}}"#)
            .start();
        let mut listener = agent.listen();
        listener.state("WARMUP");
        fs::write(agent.path("go"), "").unwrap();
        listener.state("UP");
        let socket = fs::read_to_string(agent.path("socket")).unwrap();
        assert!(socket.starts_with('@'), "{socket}");
    }
}

/// Everything below a directory.
fn tree(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        found.push(path.to_string_lossy().into_owned());
        if path.is_dir() {
            found.extend(tree(&path));
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn nothing_is_written_in_an_image_that_knows_nothing_of_it() {
    for image in both(&["sleep", "1000"]) {
        let mut agent = image.start();
        agent.wait_state("UP");
        let below = |agent: &crate::harness::Agent| -> Vec<String> {
            let root = agent.path("").to_string_lossy().into_owned();
            let paths = tree(Path::new(&root));
            paths
                .iter()
                .map(|path| path[root.len()..].to_owned())
                .collect()
        };
        let streams = ["stderr", "stdout"];
        let running = [&["run", "run/ww", "run/ww/agent.sock"], streams.as_slice()].concat();
        assert_eq!(below(&agent), running);
        assert_eq!(agent.stop().0, 143);
        // An empty directory is all that is left of it.
        assert_eq!(
            below(&agent),
            [&["run", "run/ww"], streams.as_slice()].concat()
        );
    }
}

#[test]
fn a_variable_that_only_looks_like_the_agents_does_not_keep_it_from_starting() {
    for (name, value) in [("CFG", "/etc/app.ini"), ("CFG_FILE", "/no/such/file")] {
        for image in shell(&format!("echo ${name}; exit 3")) {
            let mut agent = image.variable(name, value).start();
            assert_eq!(agent.exit(), 3);
            assert_eq!(agent.stdout(), format!("{value}\n"));
            let stderr = agent.stderr();
            assert!(
                stderr.contains("not taken for the agent's configuration"),
                "{stderr}"
            );
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }
    }
    // What is meant for it and cannot be used is an error here too.
    let mut agent = Image::foreign()
        .command(&["true"])
        .cfg(r#"{"ww":{"stop":{"gracee":"1s"}}}"#)
        .start();
    assert_eq!(agent.exit(), 78);
}

#[test]
fn a_reader_that_goes_away_is_the_commands_affair() {
    for image in shell(
        "trap 'echo pipe >> $LOG; exit 5' PIPE; echo first; \
                        until [ -e $ROOT/go ]; do sleep 0.01; done; echo second",
    ) {
        let (read, write) = pipe().unwrap();
        let agent = image.stdout(write).start();
        let mut first = [0; 6];
        (&read).read_exact(&mut first).unwrap();
        assert_eq!(&first, b"first\n");
        drop(read);
        fs::write(agent.path("go"), "").unwrap();
        agent.wait_log("pipe", 1);
        let mut agent = agent;
        assert_eq!(agent.exit(), 5);
    }
}

#[test]
fn it_reads_the_end_of_its_input() {
    for image in both(&["cat"]) {
        let (read, mut write) = pipe().unwrap();
        let mut agent = image.stdin(read).start();
        agent.wait_state("UP");
        write.write_all(b"last words").unwrap();
        drop(write);
        assert_eq!(agent.exit(), 0);
        until("what it read", || {
            (agent.stdout() == "last words").then_some(())
        });
    }
}
