//! One right use of every command, in each form of output it has.

use std::collections::BTreeSet;

use crate::lab::{Lab, Ran, run, until, ww_ctl_command, ww_ctl_path};
use crate::pty::Terminal;
use crate::shape::Shapes;
use crate::{commands, demo};

/// A command, the rest of its line, and the documents it prints with `-o json` and, a line each,
/// with `-o jsonl`; none where it prints no JSON.
type Use<'a> = (&'a str, Vec<&'a str>, Option<(&'a str, &'a str)>);

fn ctl(command: &str, arguments: &[&str], more: &[&str]) -> Ran {
    let words = command.split(' ');
    run(ww_ctl_command().args(more).args(words).args(arguments))
}

#[test]
fn every_command_is_used_as_it_is_meant_to_be() {
    let shapes = Shapes::new();
    let lab = Lab::new("uses");
    let tree = lab.tree("app");
    tree.all_scripts().defaults(r#"{"db":{"host":"a"}}"#);
    let image = lab.image(&tree);
    let guest = lab.start("app", &image, &[], &[]);
    guest.reaches("UP");
    let name = guest.name.as_str();
    let directory = lab.directory("man");
    let manual = directory.to_str().expect("UTF-8");
    let tree = tree.path().to_str().expect("UTF-8").to_owned();
    let vault = lab.directory("vault");
    let vault = vault.to_str().expect("UTF-8");
    let scratch = lab.directory("scratch");
    let scratch = scratch.to_str().expect("UTF-8");
    let both = |one| Some((one, one));
    let result = Some(("results", "resultLine"));
    let mut uses: Vec<Use<'_>> = vec![
        ("ls", vec![name], Some(("ls", "lsLine"))),
        ("show", vec![name], both("show")),
        (
            "show",
            vec![name, "--history"],
            Some(("history", "historyLine")),
        ),
        ("wait", vec![name, "--for", "healthy"], result),
        ("logs", vec![name, "--tail", "3"], None),
        ("exec", vec![name, "--", "cat", "/data/log"], None),
        ("cfg", vec![name, ".db"], Some(("cfg", "cfgLine"))),
        (
            "cfg",
            vec![name, "--origin"],
            Some(("origins", "originLine")),
        ),
        ("restart", vec![name], result),
        ("stop", vec![name], result),
        ("start", vec![name], result),
        (
            "backup",
            vec![name, "--to", vault],
            Some(("backup", "backupLine")),
        ),
    ];
    uses.extend(kept(name, vault, scratch));
    uses.extend([
        (
            "restore",
            vec![name, name, "--from", vault, "--yes"],
            Some(("restore", "restore")),
        ),
        ("audit", vec!["-n", "3"], Some(("audit", "auditLine"))),
        ("completions", vec!["zsh"], None),
        ("man", vec![manual], Some(("man", "manLine"))),
    ]);
    let mut covered: BTreeSet<String> = demo::USED.map(str::to_owned).into();
    for (command, arguments, documents) in &uses {
        covered.insert((*command).to_owned());
        let ran = ctl(command, arguments, &[]).expect(0);
        assert_ne!(ran.stdout, "", "{command} {arguments:?}");
        let Some((document, line)) = documents else {
            continue;
        };
        let json = ctl(command, arguments, &["-o", "json"]).expect(0);
        shapes.document(document, &json.stdout);
        let lines = ctl(command, arguments, &["-o", "jsonl"]).expect(0);
        shapes.lines(line, &lines.stdout);
    }
    covered.extend(begins(&shapes, &lab, &tree, &image).map(str::to_owned));
    covered.extend(makes(&shapes, &lab, &tree, &image, name).map(str::to_owned));
    covered.extend(keeps_data(&shapes, &lab).map(str::to_owned));
    covered.extend(goes_on(name).map(str::to_owned));
    let all = commands::all(&|words| {
        let ran = run(ww_ctl_command().args(words).arg("--help"));
        ran.expect(0).stdout
    });
    for command in all {
        assert!(
            covered.contains(&command),
            "`ww-ctl {command}` is used nowhere"
        );
    }
}

/// Those that look after backups.
fn kept<'a>(name: &'a str, vault: &'a str, scratch: &'a str) -> [Use<'a>; 5] {
    let both = |one| Some((one, one));
    [
        (
            "backups ls",
            vec![name, "--from", vault],
            Some(("backups", "backupsLine")),
        ),
        (
            "backups show",
            vec![name, "--from", vault],
            both("backupsShow"),
        ),
        (
            "backups verify",
            vec!["--all", "--full", "--from", vault],
            Some(("backupsVerify", "backupsVerifyLine")),
        ),
        (
            "backups drill",
            vec![name, "--from", vault, "--scratch", scratch],
            Some(("backupsDrill", "backupsDrillLine")),
        ),
        (
            "backups prune",
            vec!["--keep-last=1", "--yes", "--from", vault],
            Some(("backupsPrune", "backupsPruneLine")),
        ),
    ]
}

/// Those an image begins with.
fn begins(shapes: &Shapes, lab: &Lab, tree: &str, image: &str) -> [&'static str; 2] {
    for (form, document) in [("json", "init"), ("jsonl", "initLine")] {
        let new = lab.directory("new").join(form);
        let new = new.to_str().expect("UTF-8");
        let written = ctl("init", &[new, "-o", form], &[]).expect(0).stdout;
        if form == "json" {
            shapes.document(document, &written);
        } else {
            shapes.lines(document, &written);
        }
    }
    // There is no monitor, which is worth a note.
    for what in [&["--image", image][..], &[tree]] {
        let found = ctl("check", what, &["-o", "json"]);
        shapes.document("check", &found.stdout);
        let lines = ctl("check", what, &["-o", "jsonl"]);
        shapes.lines("checkLine", &lines.stdout);
    }
    ["init", "check"]
}

/// Those that make something.
fn makes(shapes: &Shapes, lab: &Lab, tree: &str, image: &str, name: &str) -> [&'static str; 3] {
    let tag = lab.tag();
    let lines = ctl("logs", &[name, "-o", "jsonl"], &[]).expect(0);
    shapes.lines("logsLine", &lines.stdout);
    // In its other form it has made the image of all these.
    let arguments = [
        "--base",
        lab.base(),
        "--tree",
        tree,
        "-t",
        &tag,
        "-o",
        "json",
    ];
    let built = ctl("image build", &arguments, &[]).expect(0);
    shapes.document("imageBuild", &built.stdout);
    let made = lab.named("made");
    let data = lab.directory("data-made");
    let data = format!("--data={}", data.display());
    let label = format!("--label={}", lab.label());
    let arguments = [image, "--name", &made, &data, &label, "--set", "db.host=b"];
    let printed = [&arguments[..], &["--print", "-o", "json"]].concat();
    shapes.document("runPrint", &ctl("run", &printed, &[]).expect(0).stdout);
    let ran = ctl("run", &arguments, &["-o", "json"]).expect(0);
    shapes.document("results", &ran.stdout);
    ctl("wait", &[&made, "--for", "UP"], &[]).expect(0);
    let differ = ["--diff", name, &made];
    let json = ctl("cfg", &differ, &["-o", "json"]).expect(1);
    shapes.document("cfgDiff", &json.stdout);
    let lines = ctl("cfg", &differ, &["-o", "jsonl"]).expect(1);
    shapes.lines("cfgDiffLine", &lines.stdout);
    // To the image that was built first.
    let ran = ctl("upgrade", &[&made, "--image", &tag, "-o", "json"], &[]).expect(0);
    shapes.document("results", &ran.stdout);
    ["image build", "run", "upgrade"]
}

/// Those about data containers.
fn keeps_data(shapes: &Shapes, lab: &Lab) -> [&'static str; 7] {
    let name = lab.named("uses-data");
    let root = lab.directory("kept");
    let root = format!("--root={}", root.display());
    let label = format!("--label={}", lab.label());
    let made = ctl("data create", &[&name, &root, &label, "-o", "json"], &[]).expect(0);
    shapes.document("dataShow", &made.stdout);
    let listed = ctl("data ls", &[&name, "--size"], &[]).expect(0);
    assert!(listed.stdout.contains("0 B"), "{}", listed.stdout);
    let listed = ctl("data ls", &[&name, "--size", "-o", "json"], &[]).expect(0);
    shapes.document("data", &listed.stdout);
    let listed = ctl("data ls", &[&name, "-o", "jsonl"], &[]).expect(0);
    shapes.lines("dataLine", &listed.stdout);
    for format in ["json", "jsonl"] {
        let shown = ctl("data show", &[&name, "-o", format], &[]).expect(0);
        shapes.document("dataShow", &shown.stdout);
    }
    // A directory of the host is in no danger.
    let healthy = ctl("data doctor", &[&name, &root, "-o", "json"], &[]).expect(0);
    shapes.document("dataDoctor", &healthy.stdout);
    let keeper = ["create", "--name", &lab.named("old"), "-v", "/data"];
    let label = ["--label", &lab.label(), lab.base(), "true"];
    let volume = run(std::process::Command::new("docker")
        .args(keeper)
        .args(label))
    .expect(0);
    let id = volume.stdout.trim();
    run(std::process::Command::new("docker").args([
        "cp",
        "-a",
        "/etc/hostname",
        &format!("{id}:/data/"),
    ]))
    .expect(0);
    let ill = ctl("data doctor", &[&lab.named("old"), "-o", "jsonl"], &[]).expect(1);
    shapes.lines("dataDoctorLine", &ill.stdout);
    let adopted = ctl("data adopt", &[&name, &root, "-o", "json"], &[]).expect(0);
    shapes.document("dataShow", &adopted.stdout);
    let copy = lab.named("copy-data");
    let cloned = ctl("data clone", &[&name, &copy, &root, "-o", "json"], &[]).expect(0);
    shapes.document("dataShow", &cloned.stdout);
    let words = [&copy, "--without-backup", "--yes", &root, "-o", "jsonl"];
    let removed = ctl("data rm", &words, &[]).expect(0);
    shapes.lines("dataTrashLine", &removed.stdout);
    let trash = ctl("data ls", &["--trash", &root, "-o", "json"], &[]).expect(0);
    shapes.document("dataTrash", &trash.stdout);
    [
        "data create",
        "data ls",
        "data show",
        "data doctor",
        "data adopt",
        "data clone",
        "data rm",
    ]
}

/// Those that go on until they are told to end: by a key, and by a signal.
fn goes_on(name: &str) -> [&'static str; 2] {
    for (command, seen, key, code) in [
        ("top", " UP", "q", 0),
        ("events", "RESTARTING", "\u{3}", 130),
    ] {
        // The shell hears the key too, and is to outlive it.
        let shell = format!(
            "trap : INT; {} {command} {name}; echo left with $?",
            ww_ctl_path().display()
        );
        let mut terminal = Terminal::new(&shell, 45, 160);
        until_shown(&mut terminal, name, seen);
        terminal.keys(key);
        let words = format!("left with {code}");
        terminal.shows(&words, |screen| screen.contains(&words));
    }
    ["top", "events"]
}

/// Restarts the services of a container until that is seen.
fn until_shown(terminal: &mut Terminal, name: &str, seen: &str) {
    until(seen, || {
        ctl("restart", &[name], &[]).expect(0);
        terminal.look();
        terminal.contents().contains(seen).then_some(())
    });
}
