//! An Engine on another machine, reached by the installed ssh: one connection a host, whatever goes
//! on over it.

mod home;
mod tunnel;
mod words;

use std::fmt;
use std::io;

use tokio::net::UnixStream;
use tokio::sync::Mutex;

pub(super) use self::tunnel::LOGIN;
use self::tunnel::{There, Tunnel};
use super::endpoint::DEFAULT_SOCKET;
use super::transport::Obstacle;

/// An account on another machine, and the socket there.
pub(crate) struct Ssh {
    user: Option<String>,
    host: String,
    port: Option<u16>,
    socket: String,
    tunnel: Mutex<Option<Tunnel>>,
}

impl fmt::Display for Ssh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ssh://{}", self.short())?;
        if self.socket != DEFAULT_SOCKET {
            formatter.write_str(&self.socket)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Ssh {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Ssh({self})")
    }
}

impl PartialEq for Ssh {
    fn eq(&self, other: &Self) -> bool {
        (&self.user, &self.host, self.port, &self.socket)
            == (&other.user, &other.host, other.port, &other.socket)
    }
}

impl Eq for Ssh {}

impl Ssh {
    /// What follows `ssh://`: `[user@]host[:port][/path/to/docker.sock]`.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn parse(rest: &str) -> Result<Self, String> {
        let (account, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (user, place) = match account.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, account),
        };
        let (host, port) = match place.rsplit_once(':') {
            // Colons inside an address, its port left out.
            Some(_) if place.ends_with(']') => (place, None),
            Some((host, port)) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, Some(port.ok_or("its port is no number up to 65535")?))
            }
            None => (place, None),
        };
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').ok_or("a bracket is not closed")?,
            None if host.contains(':') => return Err("an IPv6 address is put in brackets".into()),
            None => host,
        };
        if host.is_empty() {
            return Err("there is no host in it".into());
        }
        if let Some(user) = user {
            if user.contains(':') {
                return Err("a password cannot be given; ssh takes keys (ssh-add)".into());
            }
            word("user", user, "._-+@=")?;
        }
        word("host", host, "._-:%")?;
        let socket = match path.trim_end_matches('/') {
            "" => DEFAULT_SOCKET,
            path => path,
        };
        // It goes through a shell there and is one side of a pair with a colon between.
        word("path", socket, "/._-+@,=")?;
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            socket: socket.to_owned(),
            tunnel: Mutex::default(),
        })
    }

    /// The account, without the socket.
    pub(super) fn short(&self) -> String {
        let user = self
            .user
            .as_ref()
            .map_or_else(String::new, |user| format!("{user}@"));
        let port = self
            .port
            .map_or_else(String::new, |port| format!(":{port}"));
        if self.host.contains(':') {
            format!("{user}[{}]{port}", self.host)
        } else {
            format!("{user}{}{port}", self.host)
        }
    }

    /// A stream to the socket there. The first one takes as long as ssh takes to log in; when ssh has
    /// ended it is started again.
    ///
    /// # Errors
    /// When ssh cannot connect, with its own words.
    pub(super) async fn connect(&self) -> io::Result<UnixStream> {
        let socket = {
            let mut slot = self.tunnel.lock().await;
            let alive = slot.take().filter(Tunnel::is_alive);
            let tunnel = match alive {
                Some(tunnel) => tunnel,
                None => Tunnel::start(self).await?,
            };
            slot.insert(tunnel).entrance()
        };
        UnixStream::connect(socket).await
    }

    /// Why nobody answered over a connection that was made: what the other side says of the socket,
    /// or ssh of itself. None where neither knows. A connection that is stuck is given up, so that the
    /// next one is new.
    pub(super) async fn obstacle(&self) -> Option<Obstacle> {
        let mut slot = self.tunnel.lock().await;
        let tunnel = slot.as_mut()?;
        let there = tunnel.look().await;
        let complaint = match there {
            Ok(There::Open) => tunnel.complaint().await.join("\n"),
            Ok(There::Denied | There::Missing) | Err(_) => String::new(),
        };
        let hint = |text: &str| text.to_owned();
        let (reason, hint) = match there {
            Ok(There::Missing) => (
                format!("there is no socket {} there", self.socket),
                hint("is Docker running there? another socket is ssh://HOST/path/to/docker.sock"),
            ),
            Ok(There::Denied) => (
                format!("{} may not be used by this user there", self.socket),
                hint("be in the `docker` group there, or log in as another: ssh://USER@HOST"),
            ),
            Ok(There::Open) => {
                if let Some(obstacle) = words::forwarding(&complaint) {
                    return Some(obstacle);
                }
                if !complaint.contains("open failed") {
                    // It is there and takes its time.
                    return None;
                }
                (
                    // A server that does not forward says no more than one that cannot.
                    format!(
                        "nobody listens on {} there, or its sshd does not forward to it",
                        self.socket
                    ),
                    hint(
                        "is Docker running there (systemctl start docker)? does its sshd_config \
                         have AllowStreamLocalForwarding yes, as it is by default?",
                    ),
                )
            }
            Err(error) => {
                *slot = None;
                return Some(match error.downcast::<Obstacle>() {
                    Ok(obstacle) => obstacle,
                    Err(error) => Obstacle {
                        reason: format!("ssh does not answer: {error}"),
                        hint: "is the network there? it is tried anew".into(),
                    },
                });
            }
        };
        Some(Obstacle { reason, hint })
    }
}

/// What is handed to ssh is no option and nothing that a shell would obey.
fn word(what: &str, text: &str, besides: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("its {what} is empty"));
    }
    if text.starts_with('-') {
        return Err(format!("its {what} begins with a dash"));
    }
    let bad = text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || besides.contains(*c)));
    match bad {
        Some(c) => Err(format!("its {what} has {c:?} in it")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_account_a_port_and_a_socket() {
        for (rest, short, shown) in [
            ("ops2", "ops2", "ssh://ops2"),
            (
                "alice@ops2:2222",
                "alice@ops2:2222",
                "ssh://alice@ops2:2222",
            ),
            ("ops2/", "ops2", "ssh://ops2"),
            ("ops2/var/run/docker.sock", "ops2", "ssh://ops2"),
            (
                "ops2/run/user/1000/docker.sock",
                "ops2",
                "ssh://ops2/run/user/1000/docker.sock",
            ),
            (
                "[fe80::1%eth0]:22",
                "[fe80::1%eth0]:22",
                "ssh://[fe80::1%eth0]:22",
            ),
            ("a@b@ops2", "a@b@ops2", "ssh://a@b@ops2"),
        ] {
            let ssh = Ssh::parse(rest).unwrap();
            assert_eq!((ssh.short(), ssh.to_string()), (short.into(), shown.into()));
        }
    }

    #[test]
    fn nothing_in_it_is_an_option_or_a_command() {
        for (rest, reason) in [
            ("", "there is no host in it"),
            ("alice@", "there is no host in it"),
            ("@ops2", "its user is empty"),
            (
                "alice:secret@ops2",
                "a password cannot be given; ssh takes keys (ssh-add)",
            ),
            ("-oProxyCommand=reboot", "its host begins with a dash"),
            ("-lroot@ops2", "its user begins with a dash"),
            ("ops2:0", "its port is no number up to 65535"),
            ("ops2:ssh", "its port is no number up to 65535"),
            ("fe80::1", "an IPv6 address is put in brackets"),
            ("[fe80::1", "a bracket is not closed"),
            ("$(reboot)", "its host has '$' in it"),
            ("a;b@ops2", "its user has ';' in it"),
            ("ops2/run/a:b", "its path has ':' in it"),
            ("ops2/run/it's", "its path has '\\'' in it"),
            ("ops2/run/a%h", "its path has '%' in it"),
            ("ops2/run/a?x=1", "its path has '?' in it"),
        ] {
            assert_eq!(Ssh::parse(rest).unwrap_err(), reason, "{rest}");
        }
    }
}
