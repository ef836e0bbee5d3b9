//! Pressure stall information, as far as this kernel has it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use whaleware::protocol::Pressure;

use crate::resources;

/// The container's own pressure where its cgroup tells it, else that of the whole machine; none where the
/// kernel tells neither.
pub(crate) fn here() -> Option<Pressure> {
    let own = resources::unified().and_then(|group| {
        let file = |name: &str| group.join(format!("{name}.pressure"));
        read(true, file)
    });
    own.or_else(|| read(false, |name| Path::new("/proc/pressure").join(name)))
}

fn read(own: bool, file: impl Fn(&str) -> std::path::PathBuf) -> Option<Pressure> {
    let share = |name: &str| {
        let mut text = String::new();
        let file = File::open(file(name)).ok()?;
        file.take(1024).read_to_string(&mut text).ok()?;
        parse(&text)
    };
    let (cpu, memory, io) = (share("cpu"), share("memory"), share("io"));
    (cpu.is_some() || memory.is_some() || io.is_some()).then_some(Pressure {
        own,
        cpu,
        memory,
        io,
    })
}

/// The share of the last ten seconds in which something waited.
fn parse(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let share = line
        .split(' ')
        .find_map(|word| word.strip_prefix("avg10="))?;
    share.parse().ok().filter(|share: &f64| share.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_the_last_ten_seconds_is_read() {
        let text = "some avg10=12.50 avg60=3.00 avg300=1.00 total=812345\n\
                    full avg10=2.00 avg60=0.00 avg300=0.00 total=1\n";
        let tree = tempfile::tempdir().unwrap();
        for name in ["cpu", "memory"] {
            std::fs::write(tree.path().join(name), text).unwrap();
        }
        let found = read(false, |name| tree.path().join(name)).unwrap();
        assert_eq!(
            (found.cpu, found.memory, found.io),
            (Some(12.5), Some(12.5), None)
        );
        assert_eq!(read(true, |_| tree.path().join("none")), None);
        for bad in ["", "some avg10=", "full avg10=1.0", "some avg10=nan"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
