//! Published ports: `[IP:][HOST:]CONTAINER[/PROTOCOL]`.

use std::net::IpAddr;
use std::str::FromStr;

const EXPECTED: &str = "expected [IP:][HOST_PORT:]CONTAINER_PORT[/tcp|udp|sctp], such as 8080:80, \
                        127.0.0.1:8080:80 or 8000-8010:8000-8010";

/// One `--publish`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish {
    /// As it was written.
    pub text: String,
    /// What it means.
    pub mappings: Vec<Mapping>,
}

/// One port of a container and where it is to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Inside, with its protocol: `80/tcp`.
    pub inside: String,
    /// The host's address; empty for all.
    pub ip: String,
    /// The host's port, or a range to choose from; empty for any.
    pub port: String,
}

impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mappings = read(text).map_err(|reason| format!("{reason}; {EXPECTED}"))?;
        Ok(Self {
            text: text.to_owned(),
            mappings,
        })
    }
}

fn read(text: &str) -> Result<Vec<Mapping>, String> {
    let mut parts: Vec<&str> = text.rsplitn(3, ':').collect();
    parts.reverse();
    let (ip, outside, inside) = match parts.as_slice() {
        [inside] => ("", "", *inside),
        [outside, inside] => ("", *outside, *inside),
        [ip, outside, inside] => (*ip, *outside, *inside),
        [..] => return Err("no port is named".into()),
    };
    let ip = match ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        Some(six) => six,
        None => ip,
    };
    if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
        return Err(format!("`{ip}` is no address"));
    }
    let (inside, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(format!("`{protocol}` is no protocol"));
    }
    let (first, last) = range(inside)?;
    let outer = match outside {
        "" => None,
        outside => Some(range(outside)?),
    };
    let several = first != last;
    if let Some((low, high)) = outer
        && several
        && high - low != last - first
    {
        return Err("the two ranges are not of the same length".into());
    }
    let mapping = |inside: u16| Mapping {
        inside: format!("{inside}/{protocol}"),
        ip: ip.to_owned(),
        port: match outer {
            None => String::new(),
            Some((low, _)) if several => (low + (inside - first)).to_string(),
            Some((low, high)) if low != high => format!("{low}-{high}"),
            Some((low, _)) => low.to_string(),
        },
    };
    Ok((first..=last).map(mapping).collect())
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(format!("the range `{text}` ends before it begins"));
    }
    Ok((first, last))
}

fn port(text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Err("a port is missing".into());
    }
    text.parse::<u16>()
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(|| format!("`{text}` is no port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<String>, String> {
        text.parse::<Publish>().map(|publish| {
            let shown = |one: &Mapping| format!("{}|{}|{}", one.ip, one.port, one.inside);
            publish.mappings.iter().map(shown).collect()
        })
    }

    #[test]
    fn ports_are_read_as_docker_reads_them() {
        for (text, expected) in [
            ("80", vec!["||80/tcp"]),
            ("8080:80", vec!["|8080|80/tcp"]),
            ("53:53/UDP", vec!["|53|53/udp"]),
            ("127.0.0.1:8080:80", vec!["127.0.0.1|8080|80/tcp"]),
            ("127.0.0.1::80", vec!["127.0.0.1||80/tcp"]),
            ("[::1]:8080:80", vec!["::1|8080|80/tcp"]),
            ("::1:8080:80", vec!["::1|8080|80/tcp"]),
            ("8000-8002:80", vec!["|8000-8002|80/tcp"]),
            ("8000-8001:80-81", vec!["|8000|80/tcp", "|8001|81/tcp"]),
            ("80-81", vec!["||80/tcp", "||81/tcp"]),
            (":80", vec!["||80/tcp"]),
        ] {
            assert_eq!(shown(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_port_is_told_with_what_is_expected() {
        for (text, words) in [
            ("", "a port is missing"),
            ("8080:", "a port is missing"),
            ("http:80", "`http` is no port"),
            ("70000:80", "`70000` is no port"),
            ("+80", "`+80` is no port"),
            ("80/icmp", "`icmp` is no protocol"),
            ("localhost:8080:80", "`localhost` is no address"),
            ("8001-8000:80", "ends before it begins"),
            ("8000-8002:80-81", "not of the same length"),
        ] {
            let error = shown(text).unwrap_err();
            assert!(
                error.contains(words) && error.contains("8080:80"),
                "{text}: {error}"
            );
        }
    }
}
