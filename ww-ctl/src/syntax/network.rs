//! `--network NAME`, or with more to say `name=NAME,alias=…,ip=…`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::fields::{fields, needed};

/// One `--network`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Network {
    /// The network, or one of Docker's own words: `bridge`, `host`, `none`, `container:NAME`.
    pub name: String,
    /// Names it answers to there.
    pub aliases: Vec<String>,
    /// Its address there.
    pub ip: Option<Ipv4Addr>,
    /// The same of the newer kind.
    pub ip6: Option<Ipv6Addr>,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).map_err(|reason| {
            format!("{reason}; expected NAME, or name=NAME[,alias=ALIAS][,ip=ADDRESS]")
        })
    }
}

fn read(text: &str) -> Result<Network, String> {
    let mut network = Network::default();
    if text.contains('=') {
        for (key, value) in fields(text)? {
            let value = needed(&key, value)?;
            let address = || format!("`{value}` is no address for `{key}`");
            match key.as_str() {
                "name" => network.name.clone_from(&value),
                "alias" => network.aliases.push(value),
                "ip" => network.ip = Some(value.parse().map_err(|_| address())?),
                "ip6" => network.ip6 = Some(value.parse().map_err(|_| address())?),
                _ => return Err(format!("`{key}` is not known")),
            }
        }
    } else {
        text.clone_into(&mut network.name);
    }
    if network.name.is_empty() {
        return Err("no network is named".into());
    }
    Ok(network)
}

impl Network {
    /// Whether it is one of those Docker has by itself, where no names are known.
    pub(crate) fn is_builtin(&self) -> bool {
        matches!(self.name.as_str(), "default" | "bridge" | "host" | "none")
            || self.name.starts_with("container:")
    }

    /// Whether there is more to say of it than its name.
    pub(crate) const fn is_plain(&self) -> bool {
        self.aliases.is_empty() && self.ip.is_none() && self.ip6.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_a_name_and_may_have_more() {
        let read: Network = "shop".parse().unwrap();
        assert_eq!(
            (read.name.as_str(), read.is_plain(), read.is_builtin()),
            ("shop", true, false)
        );
        let read: Network = "name=shop,alias=web,alias=www,ip=10.9.0.7".parse().unwrap();
        assert_eq!(read.aliases, ["web", "www"]);
        assert_eq!(read.ip, Some(Ipv4Addr::new(10, 9, 0, 7)));
        assert!("container:db".parse::<Network>().unwrap().is_builtin());
        for text in ["", "alias=web", "name=shop,ip=300.1.1.1", "name=shop,mtu=9"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
