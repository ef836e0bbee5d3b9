//! What ssh says when it cannot, and what to do about it.

use super::super::transport::Obstacle;
use crate::fleet::clean;

/// So many lines of ssh's are told.
const LINES: usize = 3;
/// The most characters of them.
const TEXT: usize = 400;

/// What a part of ssh's words means one should do.
const HINTS: [(&str, &str); 9] = [
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "another machine answers there, or it was installed anew: be sure of it before you remove its old key (ssh-keygen -R HOST)",
    ),
    (
        "Host key verification failed",
        "its key is not known here: connect once by hand (ssh HOST), compare the key and accept it",
    ),
    (
        "Permission denied",
        "ww-ctl asks for no password: load a key (ssh-add) or name one for this host in ~/.ssh/config, and try it with ssh -o BatchMode=yes HOST true",
    ),
    (
        "Too many authentication failures",
        "name the right key for this host in ~/.ssh/config (IdentityFile, IdentitiesOnly yes)",
    ),
    (
        "Could not resolve hostname",
        "is the name right? it may be an alias of ~/.ssh/config",
    ),
    (
        "Connection refused",
        "is sshd running there, and is it the right port? ssh://HOST:PORT",
    ),
    ("timed out", "is the machine up, and the network between?"),
    (
        "No route to host",
        "is the machine up, and the network between?",
    ),
    (
        "Bad configuration option",
        "a file of ssh's configuration is not understood by the ssh that is installed",
    ),
];
/// What is to be done where nothing better is known.
const OTHERWISE: &str = "try it by hand: ssh -o BatchMode=yes HOST true";

/// What is left of ssh's words for people.
pub(super) fn told(lines: &[String]) -> String {
    let worth = |line: &&String| {
        let line = line.trim();
        !(line.is_empty() || line.starts_with('@') || line.starts_with("debug"))
    };
    let kept: Vec<&str> = lines.iter().filter(worth).map(|line| line.trim()).collect();
    let last = &kept[kept.len().saturating_sub(LINES)..];
    clean(&last.join("; "), TEXT)
}

/// Why ssh has ended.
pub(super) fn ended(lines: &[String], status: &str) -> Obstacle {
    let all = lines.join("\n");
    let hint = HINTS
        .iter()
        .find(|(part, _)| all.contains(part))
        .map_or(OTHERWISE, |(_, hint)| hint);
    let told = told(lines);
    let reason = if told.is_empty() {
        format!("ssh ended with {status}")
    } else {
        told
    };
    Obstacle {
        reason,
        hint: hint.to_owned(),
    }
}

/// Whether the other side does not forward.
pub(super) fn forwarding(complaint: &str) -> Option<Obstacle> {
    complaint
        .contains("administratively prohibited")
        .then(|| Obstacle {
            reason: "its sshd does not forward sockets".into(),
            hint:
                "its sshd_config must have AllowStreamLocalForwarding yes (the default), and the \
                   key there no `restrict` or `no-port-forwarding`"
                    .into(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_told_is_short_and_clean_and_ends_in_what_to_do() {
        let banner = "Welcome\x1b[31m to ops2\n\n".repeat(20);
        let text = format!("{banner}root@ops2: Permission denied (publickey).\r");
        let obstacle = ended(&lines(&text), "exit status 255");
        assert_eq!(
            obstacle.reason,
            "Welcome to ops2; Welcome to ops2; root@ops2: Permission denied (publickey)."
        );
        assert!(obstacle.hint.contains("ssh-add"), "{}", obstacle.hint);
        let changed = "@@@@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@@@@@\n\
                       Host key verification failed.";
        let obstacle = ended(&lines(changed), "exit status 255");
        assert_eq!(obstacle.reason, "Host key verification failed.");
        assert!(obstacle.hint.contains("ssh-keygen -R"), "{}", obstacle.hint);
        let obstacle = ended(&[], "exit status 255");
        assert_eq!(obstacle.reason, "ssh ended with exit status 255");
    }
}
