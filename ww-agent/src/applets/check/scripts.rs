//! Looks at `usr/`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use whaleware::spelling::nearest;

use whaleware::lifecycle::Hook;

use super::finding::{Finding, Level};
use super::tree::Tree;
use super::{open, relative};
use crate::script::{Form, ScriptFault, diagnose};
use crate::services;

/// What the agent knows in `usr/` besides the hooks.
const OTHERS: [&str; 1] = ["svc.d"];

/// As much of a script as is searched for carriage returns.
const SEARCHED: u64 = 1024 * 1024;

pub(super) fn lint(tree: &Tree, findings: &mut Vec<Finding>) {
    let names = tree.names(Path::new("usr"), findings);
    let known = known();
    let mut present = Vec::new();
    let mut missed = Missed::new();
    let mut services = 0;
    for name in &names {
        let path = tree.directory().join("usr").join(name);
        if name == "svc.d" {
            services = lint_services(tree, findings, &mut missed);
        } else if known.contains(&name.as_str()) {
            if lint_script(tree, &path, findings, &mut missed) {
                present.push(name.as_str());
            }
        } else {
            lint_stranger(name, &names, &known, findings);
        }
    }
    lint_company(&present, services > 0, findings);
    if !missed.is_empty() {
        // One for all of them: nearly every script has the same.
        let missed: Vec<_> = missed.iter().map(String::as_str).collect();
        let verb = if missed.len() == 1 { "was" } else { "were" };
        findings.push(Finding::new(
            Level::Note,
            "usr/",
            format!("{} {verb} not looked for", missed.join(", ")),
            "give the image's root with --root, or check it in the image",
        ));
    }
}

/// What scripts and programs need that is in an image and not in a tree.
type Missed = BTreeSet<String>;

fn known() -> Vec<&'static str> {
    Hook::ALL
        .iter()
        .map(|hook| hook.name())
        .chain(OTHERS)
        .collect()
}

/// How many services there are that do something, well or badly.
fn lint_services(tree: &Tree, findings: &mut Vec<Finding>, missed: &mut Missed) -> usize {
    let directory = Path::new("usr/svc.d");
    let mut found = 0;
    for name in tree.names(directory, findings) {
        let shown = format!("usr/svc.d/{name}");
        let path = tree.directory().join(directory).join(&name);
        if services::is_left_out(name.as_ref()) {
            // `.gitkeep` and its like are nobody's service.
            if name.starts_with('.') && !is_runnable(&path) {
                continue;
            }
            let what = "its name says that it is no service: the agent leaves it out";
            findings.push(Finding::new(Level::Note, shown, what, ""));
            continue;
        }
        // The names were made legible: what is not there under its name had another one.
        let fault = if path.symlink_metadata().is_ok() {
            services::fault(name.as_ref())
        } else {
            Some("a service cannot be called this: it is not UTF-8".to_owned())
        };
        if let Some(fault) = fault {
            findings.push(Finding::new(Level::Error, shown, fault, "rename it"));
            continue;
        }
        found += usize::from(lint_script(tree, &path, findings, missed));
    }
    if found > services::MOST {
        let what = format!(
            "it holds {found} services, and there may be {}",
            services::MOST
        );
        let remedy = "let one of them start what belongs together";
        findings.push(Finding::new(Level::Error, "usr/svc.d", what, remedy));
    }
    found
}

fn is_runnable(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// A file that the agent never runs: is that what the author wants?
fn lint_stranger(
    name: &str,
    names: &[String],
    known: &[&'static str],
    findings: &mut Vec<Finding>,
) {
    let path = format!("usr/{name}");
    if name.starts_with('.') {
        return;
    }
    let stem = name.split(['.', '~', '-', '_']).next().unwrap_or(name);
    if let Some(same) = known.iter().find(|known| **known == stem) {
        let remedy =
            format!("rename it to `{same}` if it is to be run, or leave it out of the image");
        findings.push(Finding::new(
            Level::Warning,
            path,
            "the agent does not run it under this name",
            remedy,
        ));
    } else if let Some(near) = nearest(&name.to_lowercase(), known)
        && !names.iter().any(|name| name == near)
    {
        findings.push(Finding::new(
            Level::Error,
            path,
            "the agent knows no script of this name and does not run it",
            format!("did you mean `{near}`?"),
        ));
    } else {
        findings.push(Finding::new(
            Level::Note,
            path,
            "the agent knows no script of this name and does not run it",
            "files of your own are better kept in files/",
        ));
    }
}

/// Whether there is a script here that does something, well or badly.
fn lint_script(tree: &Tree, path: &Path, findings: &mut Vec<Finding>, missed: &mut Missed) -> bool {
    let shown = relative(tree.directory(), path);
    let (path, placed) = place(tree, path);
    if placed == Placed::OutsideTree {
        findings.push(Finding::new(
            Level::Note,
            shown,
            "it is a link to a place outside the tree, which was not checked",
            "give the image's root with --root",
        ));
        return true;
    }
    // Without a root every interpreter is missed, which says nothing; the host's are not the image's.
    let root = tree.root().unwrap_or(tree.directory());
    match diagnose(&path, root) {
        Ok(Form::Missing) if !path.exists() => {
            let fault = ScriptFault::DanglingLink { target: path };
            findings.push(explain(&shown, &fault));
            return true;
        }
        Ok(Form::Missing) => {
            findings.push(Finding::new(
                Level::Note,
                shown,
                "it is empty: there is nothing to do",
                "",
            ));
            return false;
        }
        Ok(Form::Plain) => findings.push(Finding::new(
            Level::Warning,
            shown.clone(),
            "it has no first line that names its interpreter, so /bin/sh runs it",
            "write `#!/bin/sh` into its first line",
        )),
        Ok(Form::Native) => {}
        Err(
            ScriptFault::MissingInterpreter { interpreter: file }
            | ScriptFault::MissingLoader { loader: file },
        ) if tree.root().is_none() => {
            missed.insert(file);
        }
        Err(fault) => findings.push(explain(&shown, &fault)),
    }
    lint_text(&path, &shown, findings);
    true
}

#[derive(PartialEq, Eq)]
enum Placed {
    InTree,
    OutsideTree,
}

/// Where the file is. A link that is absolute means a place in the image, not on this machine.
fn place(tree: &Tree, path: &Path) -> (PathBuf, Placed) {
    let Ok(target) = fs::read_link(path) else {
        return (path.to_path_buf(), Placed::InTree);
    };
    if !target.is_absolute() || tree.root() == Some(Path::new("/")) {
        return (path.to_path_buf(), Placed::InTree);
    }
    match (target.strip_prefix("/ww"), tree.root()) {
        (Ok(below), _) => (tree.directory().join(below), Placed::InTree),
        (Err(_), Some(root)) => (
            root.join(target.strip_prefix("/").unwrap_or(&target)),
            Placed::InTree,
        ),
        (Err(_), None) => (path.to_path_buf(), Placed::OutsideTree),
    }
}

fn explain(path: &str, fault: &ScriptFault) -> Finding {
    let text = fault.to_string();
    let (what, told) = text.split_once("; ").unwrap_or((&text, ""));
    let (level, remedy) = match fault {
        ScriptFault::MissingInterpreter { .. } | ScriptFault::BadInterpreter { .. } => {
            (Level::Error, "install it in the image or name another one")
        }
        ScriptFault::NotOnPath { .. }
        | ScriptFault::NoCommand { .. }
        | ScriptFault::NoFile { .. } => {
            (Level::Warning, "install it in the image, or set PATH there")
        }
        ScriptFault::DanglingLink { .. } => (Level::Error, "add the file or remove the link"),
        ScriptFault::Directory | ScriptFault::NotAFile => {
            (Level::Error, "make it an executable file")
        }
        ScriptFault::NoInterpreter => (Level::Error, "write `#!/bin/sh` into its first line"),
        ScriptFault::NotAProgram => (Level::Error, "build it for this machine's architecture"),
        ScriptFault::Denied { .. } => (Level::Warning, "`chmod a+x` it in the image"),
        ScriptFault::NoExecMount => (Level::Note, "check it where programs may be run"),
        ScriptFault::Other(_) => (Level::Error, "make it a file that can be read"),
        ScriptFault::NoRunBit { .. }
        | ScriptFault::ByteOrderMark
        | ScriptFault::CarriageReturn { .. }
        | ScriptFault::MissingLoader { .. } => (Level::Error, told),
    };
    Finding::new(level, path, what, remedy)
}

/// What the kernel does not mind but the interpreter will.
fn lint_text(path: &Path, shown: &str, findings: &mut Vec<Finding>) {
    let mut text = Vec::new();
    // What cannot be read was told already.
    let Ok(file) = open(path) else { return };
    if file.take(SEARCHED).read_to_end(&mut text).is_err() || text.starts_with(b"\x7fELF") {
        return;
    }
    let told = |what: &str| {
        findings
            .iter()
            .any(|finding| finding.path == shown && finding.what.contains(what))
    };
    let mut more = Vec::new();
    if text.starts_with(b"\xef\xbb\xbf") && !told("byte order mark") {
        more.push(Finding::new(
            Level::Error,
            shown,
            "it starts with a byte order mark, which becomes part of its first word",
            "save it as UTF-8 without one",
        ));
    }
    if !told("carriage return") {
        let ends = text.split(|&byte| byte == b'\n').enumerate();
        if let Some((line, _)) = ends.into_iter().find(|(_, line)| line.ends_with(b"\r")) {
            // Some interpreters put up with it, and it may be meant.
            let level = if line == 0 {
                Level::Error
            } else {
                Level::Warning
            };
            more.push(Finding::new(
                level,
                shown,
                format!("line {} ends in a carriage return (CRLF)", line + 1),
                "save it with Unix line endings",
            ));
        }
    }
    findings.append(&mut more);
}

/// Which script needs which. What `svc.d` holds is watched and stopped without any script.
fn lint_company(present: &[&str], services: bool, findings: &mut Vec<Finding>) {
    let has = |name: &str| present.contains(&name);
    let mut add = |level, name: &str, what: &str, remedy: &str| {
        findings.push(Finding::new(level, format!("usr/{name}"), what, remedy));
    };
    if present.is_empty() && !services {
        add(
            Level::Warning,
            "",
            "there are no scripts: the container would do nothing",
            "write at least `svcup`",
        );
        return;
    }
    if has("svcup") && !has("svcdown") {
        // Beside services it may well start nothing that stays.
        let (level, remedy) = if services {
            (Level::Note, "")
        } else {
            (Level::Warning, "write `svcdown`")
        };
        add(
            level,
            "svcup",
            "there is no `svcdown`: a stop ends what it started with a signal only, and a restart does not stop what left the script's process group",
            remedy,
        );
    }
    if has("svcup") && !has("monitor") {
        let what = if services {
            "there is no `monitor`: the services of `svc.d` are watched, what it starts is not"
        } else {
            "there is no `monitor`: the services are not watched, and never restarted when they fail"
        };
        add(Level::Note, "svcup", what, "write `monitor`");
    }
    if has("monitor") && !has("svcup") && !services {
        add(
            Level::Warning,
            "monitor",
            "there is no `svcup`: a restart could not bring back what it finds failing",
            "start the services in `svcup`",
        );
    }
    if has("pushstats") && !has("monitor") {
        add(
            Level::Warning,
            "pushstats",
            "there is no `monitor`, so it is never run",
            "write `monitor`",
        );
    }
    if has("restore") != has("backup") {
        let (one, other) = if has("backup") {
            ("backup", "restore")
        } else {
            ("restore", "backup")
        };
        add(Level::Note, one, &format!("there is no `{other}`"), "");
    }
}
