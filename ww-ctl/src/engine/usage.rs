//! What a container uses, as the Engine counts it. It costs the Engine milliseconds every second, so it
//! is asked only for what has no agent and is looked at.

use bytes::BytesMut;
use futures::{Stream, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use whaleware::protocol::Resources;

use super::client::Engine;
use super::error::EngineError;
use super::wire::{Answered, Body, get, line};

const MEASURE: &str = "follow what the container uses";
/// The longest sample, in bytes.
const MAX_LINE: usize = 256 * 1024;

/// A sample as the Engine tells it, of which only this is read.
#[derive(Debug, Deserialize)]
struct Told {
    read: Timestamp,
    #[serde(default)]
    cpu_stats: Cpu,
    #[serde(default)]
    memory_stats: Memory,
    #[serde(default)]
    pids_stats: Pids,
}

#[derive(Debug, Default, Deserialize)]
struct Cpu {
    #[serde(default)]
    cpu_usage: CpuUsage,
}

#[derive(Debug, Default, Deserialize)]
struct CpuUsage {
    /// In nanoseconds.
    total_usage: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct Memory {
    usage: Option<u64>,
    #[serde(default)]
    stats: MemoryParts,
}

#[derive(Debug, Default, Deserialize)]
struct MemoryParts {
    /// The page cache as cgroup v1 counts it, with what is below.
    total_cache: Option<u64>,
    cache: Option<u64>,
    /// As v2 does.
    inactive_file: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct Pids {
    current: Option<u64>,
}

impl Engine {
    /// What a running container uses, a sample a second, until the Engine ends it.
    pub(crate) fn usage(
        &self,
        id: &str,
    ) -> impl Stream<Item = Result<Resources, EngineError>> + Send + use<> {
        let (engine, id) = (self.clone(), id.to_owned());
        let begun = async move {
            let body = engine.measure(&id).await?;
            Ok((engine, body, BytesMut::new(), None))
        };
        futures::stream::once(begun)
            .map_ok(|begun| {
                futures::stream::try_unfold(
                    begun,
                    |(engine, mut body, mut buffer, mut before)| async move {
                        loop {
                            let line = line(&mut body, &mut buffer, MAX_LINE).await;
                            let line = line.map_err(|error| engine.broken(MEASURE, &error))?;
                            let Some(line) = line else {
                                return Ok(None);
                            };
                            // What makes no sense is no reason to give the rest up.
                            if let Ok(told) = serde_json::from_slice::<Told>(&line) {
                                let sample = sample(&told, &mut before);
                                return Ok(Some((sample, (engine, body, buffer, before))));
                            }
                        }
                    },
                )
            })
            .try_flatten()
    }

    async fn measure(&self, id: &str) -> Result<Body, EngineError> {
        let version = self.inner.quick.client_version();
        let path = format!("/v{version}/containers/{id}/stats?stream=true");
        let answered = get(self.endpoint(), &path).await;
        match answered.map_err(|error| self.broken(MEASURE, &error))? {
            Answered::Accepted(body) => Ok(body),
            Answered::Refused { status, message } => {
                Err(EngineError::answered(self.at(), MEASURE, status, &message))
            }
        }
    }
}

/// When a sample was taken, and the time of processors used until then, in nanoseconds.
type Counted = (Timestamp, u64);

fn sample(told: &Told, before: &mut Option<Counted>) -> Resources {
    let counted = told.cpu_stats.cpu_usage.total_usage;
    let counted = counted.map(|used| (told.read, used));
    let cpu_percent = before.zip(counted).and_then(share);
    *before = counted.or(*before);
    let memory = &told.memory_stats;
    // Version 1 has both words; what it calls inactive is not all of the cache.
    let parts = &memory.stats;
    let cache = parts.total_cache.or(parts.cache).or(parts.inactive_file);
    Resources {
        at: told.read,
        cpu_usec: counted.map(|(_, used)| used / 1000),
        cpu_percent,
        memory_bytes: memory
            .usage
            .map(|all| all.saturating_sub(cache.unwrap_or(0))),
        memory_limit: None,
        pids: told.pids_stats.current,
        oom_kills: None,
    }
}

/// In percent of one processor; none where no time has gone by.
fn share(((then, before), (now, after)): (Counted, Counted)) -> Option<f64> {
    let time = now.duration_since(then);
    if time <= SignedDuration::ZERO {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share is shown with one digit after the point"
    )]
    let used = after.checked_sub(before)? as f64;
    Some(used / 1e9 / time.as_secs_f64() * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Told {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn there_is_no_share_before_the_second_sample() {
        let mut before = None;
        let first = told(
            r#"{"read":"2026-11-22T09:00:00Z","cpu_stats":{"cpu_usage":{"total_usage":1000000000}}}"#,
        );
        assert_eq!(sample(&first, &mut before).cpu_percent, None);
        let second = told(
            r#"{"read":"2026-11-22T09:00:02Z","cpu_stats":{"cpu_usage":{"total_usage":4000000000}}}"#,
        );
        assert_eq!(sample(&second, &mut before).cpu_percent, Some(150.0));
        // A new life counts from nothing; a clock may stand still.
        let third = told(
            r#"{"read":"2026-11-22T09:00:02Z","cpu_stats":{"cpu_usage":{"total_usage":5000000000}}}"#,
        );
        assert_eq!(sample(&third, &mut before).cpu_percent, None);
        let fourth = told(
            r#"{"read":"2026-11-22T09:00:03Z","cpu_stats":{"cpu_usage":{"total_usage":1000}}}"#,
        );
        assert_eq!(sample(&fourth, &mut before).cpu_percent, None);
    }

    #[test]
    fn memory_is_without_the_page_cache_of_either_version() {
        let memory = |text: &str| {
            let text = format!(
                r#"{{"read":"2026-11-22T09:00:00Z","memory_stats":{text},"pids_stats":{{"current":3}}}}"#
            );
            sample(&told(&text), &mut None).memory_bytes
        };
        let first = r#"{"usage":1000,"stats":{"cache":300,"inactive_file":200,"total_cache":400}}"#;
        assert_eq!(memory(first), Some(600));
        let second = r#"{"usage":1000,"stats":{"inactive_file":200,"file":500}}"#;
        assert_eq!(memory(second), Some(800));
        assert_eq!(memory(r#"{"usage":100,"stats":{"cache":300}}"#), Some(0));
        // It does not run.
        assert_eq!(memory("{}"), None);
    }
}
