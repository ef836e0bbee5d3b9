//! Docker's own ways to write things down: ports, volumes, networks, sizes, limits. What is written is
//! checked as Docker's own tool checks it, in words that say what was expected.

mod amount;
mod fields;
mod limit;
mod mount;
mod network;
mod port;
mod volume;

pub(crate) use amount::{Cpus, Size, SwapSize};
pub(crate) use limit::{Device, ExtraHost, Pair, Restart, Ulimit};
pub(crate) use mount::{Mount, MountKind};
pub(crate) use network::Network;
pub(crate) use port::{Mapping, Publish};
pub(crate) use volume::{Source, Tmpfs, Volume};

/// The longest name of a container.
const LONGEST_NAME: usize = 255;

/// Whether Docker takes a word as the name of a container, a volume or the like.
pub(crate) fn is_name(word: &str) -> bool {
    let mut letters = word.bytes();
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    letters.next().is_some_and(plain)
        && (2..=LONGEST_NAME).contains(&word.len())
        && letters.all(|byte| plain(byte) || b"_.-".contains(&byte))
}

/// A path inside a container: absolute, and not the root itself.
fn target(path: &str) -> Result<String, String> {
    if !path.starts_with('/') {
        return Err(format!(
            "`{path}` is no place in the container: it must begin with /"
        ));
    }
    if path.trim_matches('/').is_empty() {
        return Err("the place in the container cannot be / itself".into());
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads it as everything it could be; how many of those it is.
    fn readings(text: &str) -> usize {
        [
            text.parse::<Publish>().is_ok(),
            text.parse::<Volume>().is_ok(),
            text.parse::<Tmpfs>().is_ok(),
            text.parse::<Mount>().is_ok(),
            text.parse::<Network>().is_ok(),
            text.parse::<Size>().is_ok(),
            text.parse::<SwapSize>().is_ok(),
            text.parse::<Cpus>().is_ok(),
            text.parse::<Ulimit>().is_ok(),
            text.parse::<Device>().is_ok(),
            text.parse::<ExtraHost>().is_ok(),
            text.parse::<Restart>().is_ok(),
            text.parse::<Pair>().is_ok(),
        ]
        .into_iter()
        .filter(|read| *read)
        .count()
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*", odd in "[0-9a-z:/.,=\"\\[\\] -]{0,24}") {
            prop_assert!(readings(&text) <= 13);
            prop_assert!(readings(&odd) <= 13);
        }

        #[test]
        fn a_range_has_as_many_ports_as_it_says(first in 1_u16..60_000, more in 0_u16..50, host in 1_u16..60_000) {
            let text = format!("{host}-{}:{first}-{}", host + more, first + more);
            let read: Publish = text.parse().unwrap();
            prop_assert_eq!(read.mappings.len(), usize::from(more) + 1);
            let last = read.mappings.last().unwrap();
            prop_assert_eq!(&last.port, &(host + more).to_string());
            prop_assert_eq!(&last.inside, &format!("{}/tcp", first + more));
        }
    }

    #[test]
    fn names_are_dockers() {
        for (word, expected) in [
            ("shop", true),
            ("shop-1.a_b", true),
            ("1a", true),
            ("s", false),
            ("-shop", false),
            ("sh/op", false),
            ("sh\u{e9}p", false),
            ("", false),
        ] {
            assert_eq!(is_name(word), expected, "{word}");
        }
        assert!(!is_name(&"x".repeat(LONGEST_NAME + 1)));
    }
}
