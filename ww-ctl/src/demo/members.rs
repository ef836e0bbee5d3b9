//! The members of the demonstration fleet, and their trees, which this program carries.

use crate::image::tree::CarriedFile;

/// One container of the fleet and the tree of its image.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its name; the container is `demo-NAME`, the image `whaleware-demo-NAME`.
    pub(crate) name: &'static str,
    /// What there is to see, in a few words.
    pub(crate) about: &'static str,
    /// What becomes its `/ww`.
    pub(crate) files: &'static [CarriedFile],
}

/// A file below `examples/demo/`; scripts are executable.
macro_rules! carried {
    ($member:literal, $($path:literal),+ $(,)?) => {
        &[$(CarriedFile {
            path: $path,
            mode: if matches!($path.as_bytes(), [b'u', b's', b'r', b'/', ..]) { 0o755 } else { 0o644 },
            text: include_str!(concat!("../../../examples/demo/", $member, "/", $path)),
        }),+]
    };
}

/// The fleet, in the order it is started: the one with the longest way up first.
pub(crate) const MEMBERS: &[Member] = &[
    Member {
        name: "importer",
        about: "a migration of two minutes before it is UP",
        files: carried!(
            "importer",
            "etc/defaults.json",
            "usr/firstboot",
            "usr/monitor",
            "usr/svcdown",
            "usr/svcup",
            "usr/upgrade"
        ),
    },
    Member {
        name: "web",
        about: "a web server; watch its warm-up",
        files: carried!(
            "web",
            "etc/defaults.json",
            "usr/boot",
            "usr/firstboot",
            "usr/monitor",
            "usr/svcdown",
            "usr/svcup",
            "usr/upgrade",
            "usr/warmup"
        ),
    },
    Member {
        name: "flaky",
        about: "a worker that gets stuck now and then and is restarted by the watchdog",
        files: carried!(
            "flaky",
            "etc/defaults.json",
            "usr/boot",
            "usr/monitor",
            "usr/svcdown",
            "usr/svcup"
        ),
    },
    Member {
        name: "slowstop",
        about: "a database that takes six seconds to stop",
        files: carried!(
            "slowstop",
            "etc/defaults.json",
            "usr/firstboot",
            "usr/monitor",
            "usr/svcdown",
            "usr/svcup"
        ),
    },
    Member {
        name: "broken",
        about: "firstboot fails: ERROR, and the container ends with 1",
        files: carried!("broken", "etc/defaults.json", "usr/boot", "usr/firstboot"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_file_of_the_examples_is_carried() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/demo");
        let mut found = BTreeSet::new();
        for member in std::fs::read_dir(&examples).unwrap() {
            let member = member.unwrap();
            for directory in std::fs::read_dir(member.path()).unwrap() {
                for file in std::fs::read_dir(directory.unwrap().path()).unwrap() {
                    let path = file.unwrap().path();
                    found.insert(path.strip_prefix(&examples).unwrap().display().to_string());
                }
            }
        }
        let carried: BTreeSet<_> = MEMBERS
            .iter()
            .flat_map(|member| {
                member
                    .files
                    .iter()
                    .map(move |file| format!("{}/{}", member.name, file.path))
            })
            .collect();
        assert_eq!(carried, found);
    }

    #[test]
    fn settings_are_valid_and_scripts_begin_as_scripts_do() {
        for file in MEMBERS.iter().flat_map(|member| member.files) {
            if file.path == "etc/defaults.json" {
                let layer = whaleware::config::parse(file.path, file.text.as_bytes()).unwrap();
                whaleware::config::Settings::read(&layer.object).unwrap();
            } else {
                assert!(file.text.starts_with("#!/bin/sh\n"), "{}", file.path);
                assert_eq!(file.mode, 0o755, "{}", file.path);
            }
        }
    }
}
