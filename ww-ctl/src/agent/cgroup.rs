//! Which container a process belongs to, by its `/proc/PID/cgroup`.

/// Where in the hierarchy of cgroups a container begins, for each controller that says so:
/// lines of `controller:path`, each path ending with the part that names the container.
///
/// Two processes are in the same container when this is equal and not empty. The whole path counts,
/// not only the id: a container may name a group below its own as it likes.
pub(super) fn place(cgroup: &str, id: &str) -> Vec<String> {
    let mut places: Vec<String> = cgroup
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let mut end = 0;
            for part in path.split_inclusive('/') {
                end += part.len();
                if names(part.trim_end_matches('/'), id) {
                    let path = path[..end].trim_end_matches('/');
                    return Some(format!("{controllers}:{path}"));
                }
            }
            None
        })
        .collect();
    places.sort_unstable();
    places
}

/// `ID` (cgroupfs) or `docker-ID.scope` (systemd); with Podman `libpod-ID` or `libpod-ID.scope`.
fn names(part: &str, id: &str) -> bool {
    if part == id || part.strip_prefix("libpod-") == Some(id) {
        return true;
    }
    part.strip_suffix(".scope")
        .and_then(|part| part.strip_suffix(id))
        .is_some_and(|prefix| prefix.ends_with('-'))
}

/// Where the host may list the processes of a container; the layouts of cgroup v1 and v2 under
/// cgroupfs and systemd.
pub(super) fn process_lists(id: &str) -> [String; 6] {
    [
        format!("/sys/fs/cgroup/system.slice/docker-{id}.scope/cgroup.procs"),
        format!("/sys/fs/cgroup/docker/{id}/cgroup.procs"),
        format!("/sys/fs/cgroup/pids/docker/{id}/cgroup.procs"),
        format!("/sys/fs/cgroup/memory/docker/{id}/cgroup.procs"),
        format!("/sys/fs/cgroup/pids/system.slice/docker-{id}.scope/cgroup.procs"),
        format!("/sys/fs/cgroup/systemd/system.slice/docker-{id}.scope/cgroup.procs"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0f5a3e0c9a7d4e1b8c6f2a1d3b5c7e9f0a2b4c6d8e0f1a3b5c7d9e1f2a4b6c8d";
    const OTHER: &str = "ffff3e0c9a7d4e1b8c6f2a1d3b5c7e9f0a2b4c6d8e0f1a3b5c7d9e1f2a4bffff";

    #[test]
    fn every_layout_names_its_container() {
        for (text, expected) in [
            (
                format!("0::/system.slice/docker-{ID}.scope\n"),
                vec![format!(":/system.slice/docker-{ID}.scope")],
            ),
            (format!("0::/docker/{ID}\n"), vec![format!(":/docker/{ID}")]),
            (
                format!("8:pids:/libpod_parent/libpod-{ID}\n"),
                vec![format!("pids:/libpod_parent/libpod-{ID}")],
            ),
            (
                format!("0::/machine.slice/libpod-{ID}.scope/container\n"),
                vec![format!(":/machine.slice/libpod-{ID}.scope")],
            ),
            // The container's own groups below do not matter.
            (
                format!("0::/docker/{ID}/init.scope\n"),
                vec![format!(":/docker/{ID}")],
            ),
            (
                format!("4:pids:/docker/{ID}\n3:cpu,cpuacct:/docker/{ID}\n0::/\n"),
                vec![
                    format!("cpu,cpuacct:/docker/{ID}"),
                    format!("pids:/docker/{ID}"),
                ],
            ),
            (
                format!(
                    "2:pids:/system.slice/docker-{ID}.scope\n1:name=systemd:/system.slice/docker-{ID}.scope\n"
                ),
                vec![
                    format!("name=systemd:/system.slice/docker-{ID}.scope"),
                    format!("pids:/system.slice/docker-{ID}.scope"),
                ],
            ),
            // Rootless, and an Engine inside a container.
            (
                format!(
                    "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope\n"
                ),
                vec![format!(
                    ":/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope"
                )],
            ),
            (
                format!("0::/docker/{OTHER}/docker/{ID}\n"),
                vec![format!(":/docker/{OTHER}/docker/{ID}")],
            ),
        ] {
            assert_eq!(place(&text, ID), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_of_the_container_is_nowhere() {
        for text in [
            String::new(),
            "0::/\n".into(),
            "0::/system.slice/docker.service\n".into(),
            format!("0::/docker/{OTHER}\n"),
            format!("0::/docker/{ID}x\n"),
            format!("0::/docker/x{ID}\n"),
            format!("0::/docker/{}\n", &ID[..12]),
            format!("0::/docker-{ID}\n"),
            format!("no colons {ID}\n"),
        ] {
            assert_eq!(place(&text, ID), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_group_that_another_container_named_after_this_one_is_elsewhere() {
        let own = place(&format!("0::/docker/{ID}\n"), ID);
        let planted = place(&format!("0::/docker/{OTHER}/{ID}\n"), ID);
        assert_ne!(own, planted);
    }
}
