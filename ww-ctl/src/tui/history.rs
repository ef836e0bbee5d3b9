//! What containers used and what their monitors counted lately, for graphs and comparisons.
//!
//! Bounded by design: so many samples a container, and nothing of containers that are gone. What
//! 10,000 containers used is some 20 MB at the most.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::Value;
use whaleware::lifecycle::Moment;

use super::lanes::Lane;
use super::model::Model;
use super::path::{Path, Step};
use super::tenths::Tenths;
use crate::fleet::{AgentView, ContainerKey, Input};
use whaleware::protocol::FromAgent;

/// How far back a graph reaches.
pub(super) const REACH: Duration = Duration::from_secs(300);
/// The most samples of what one container uses; agents tell it every two seconds.
const USES: usize = 150;
/// The most values kept of one number of a monitor.
const VALUES: usize = 32;
/// The most numbers of one monitor that are kept.
const NUMBERS: usize = 16;
/// How many places of one value are looked at for numbers.
const PLACES: usize = 400;

/// What is known of the past.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    of: HashMap<ContainerKey, Past>,
}

/// The past of one container.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    boot: String,
    uses: VecDeque<Use>,
    numbers: Vec<(Path, VecDeque<f32>)>,
    before: Option<Value>,
    lane: Lane,
}

/// What a container used at some time. There are a million of these with many containers.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Use {
    /// When.
    at: Tenths,
    /// The share of a processor in percent; not a number where it is not known.
    cpu: f32,
    /// The memory in MiB; not a number where it is not known.
    memory: f32,
}

impl Use {
    fn new(at: Moment, cpu: Option<f32>, memory: Option<f32>) -> Self {
        Self {
            at: Tenths::of(at),
            cpu: cpu.unwrap_or(f32::NAN),
            memory: memory.unwrap_or(f32::NAN),
        }
    }

    fn figure(self, gauge: Gauge) -> Option<f32> {
        let figure = match gauge {
            Gauge::Cpu => self.cpu,
            Gauge::Memory => self.memory,
        };
        Some(figure).filter(|figure| !figure.is_nan())
    }
}

/// What a graph shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gauge {
    /// The share of a processor, in percent.
    Cpu,
    /// The memory, in MiB.
    Memory,
}

/// What a message adds to the past, as far as it has to be known before it is taken in.
#[derive(Debug)]
pub(super) struct Lesson {
    key: ContainerKey,
    uses: bool,
    all: bool,
    check: Check,
}

/// Whether a message tells of a check.
#[derive(Debug)]
enum Check {
    /// It does not, or of one that is known.
    Old,
    /// It does; the check before it printed this, where that is known and JSON.
    New(Option<Value>),
}

impl Lesson {
    /// What there is to learn from a message that is about to be taken in.
    pub(super) fn of(model: &Model, input: &Input) -> Option<Self> {
        let Input::Frame { key, frame } = input else {
            return None;
        };
        let known = || {
            let agent = model.fleet.get(key)?.agent.as_ref()?;
            agent.monitor.as_ref()
        };
        let (uses, check) = match &**frame {
            FromAgent::Resources(_) => (true, Check::Old),
            FromAgent::Monitor(_) => {
                let before = known().and_then(|one| one.value.clone());
                (false, Check::New(before))
            }
            // After a reconnect it tells what is known already.
            FromAgent::Snapshot(snapshot) => {
                let told = snapshot.monitor.as_ref().map(|monitor| monitor.at);
                let is_new = told.is_some() && told != known().map(|monitor| monitor.at);
                (true, if is_new { Check::New(None) } else { Check::Old })
            }
            FromAgent::Hello(_)
            | FromAgent::Health(_)
            | FromAgent::State(_)
            | FromAgent::Hook(_)
            | FromAgent::Service(_)
            | FromAgent::Stopping(_)
            | FromAgent::Quiesced(_)
            | FromAgent::Answer(_)
            | FromAgent::Note(_)
            | FromAgent::Unknown => return None,
        };
        Some(Self {
            key: key.clone(),
            all: matches!(**frame, FromAgent::Snapshot(_)),
            uses,
            check,
        })
    }

    /// Whether the agent has told all it knows.
    pub(super) const fn is_all(&self) -> bool {
        self.all
    }

    /// Keeps it, now that the message is taken in.
    pub(super) fn learn(self, model: &mut Model) {
        let agent = model
            .fleet
            .get(&self.key)
            .and_then(|one| one.agent.as_ref());
        let Some(agent) = agent else {
            return;
        };
        if self.uses {
            model.history.used(&self.key, agent, model.now.moment);
        }
        if let Check::New(before) = self.check {
            model.history.checked(&self.key, agent, before);
        }
    }
}

impl History {
    /// The past of a container.
    pub(crate) fn past(&self, key: &ContainerKey) -> Option<&Past> {
        self.of.get(key)
    }

    /// Forgets a container.
    pub(super) fn forget(&mut self, key: &ContainerKey) {
        self.of.remove(key);
    }

    /// An agent has told what its container uses.
    fn used(&mut self, key: &ContainerKey, agent: &AgentView, at: Moment) {
        let Some(resources) = &agent.resources else {
            return;
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a graph has eight steps a line"
        )]
        let cpu = resources.cpu_percent.map(|share| share as f32);
        let memory = resources.memory_bytes.map(mebibytes);
        let past = self.begun(key, agent);
        if past.uses.len() >= USES {
            past.uses.pop_front();
        }
        past.uses.push_back(Use::new(at, cpu, memory));
    }

    /// A check has ended. `before` is what the one before it printed.
    fn checked(&mut self, key: &ContainerKey, agent: &AgentView, before: Option<Value>) {
        let past = self.begun(key, agent);
        if before.is_some() {
            past.before = before;
        }
        let value = agent
            .monitor
            .as_ref()
            .and_then(|monitor| monitor.value.as_ref());
        let Some(value) = value else {
            return;
        };
        for (path, number) in numbers(value) {
            past.count(path, number);
        }
    }

    /// How a container stands over time, to be told more.
    pub(super) fn lane(&mut self, key: &ContainerKey) -> &mut Lane {
        &mut self.of.entry(key.clone()).or_default().lane
    }

    /// Another boot has another past.
    fn begun(&mut self, key: &ContainerKey, agent: &AgentView) -> &mut Past {
        let past = self.of.entry(key.clone()).or_default();
        let boot = agent.hello.as_ref().map_or("", |hello| hello.boot.as_str());
        if past.boot != boot {
            *past = Past {
                boot: boot.to_owned(),
                lane: std::mem::take(&mut past.lane),
                ..Past::default()
            };
        }
        past
    }
}

#[expect(clippy::cast_precision_loss, reason = "a graph has eight steps a line")]
fn mebibytes(bytes: u64) -> f32 {
    (bytes >> 10) as f32 / 1024.0
}

impl Past {
    fn count(&mut self, path: Path, number: f32) {
        let known = self.numbers.iter().position(|(known, _)| *known == path);
        let place = match known {
            Some(place) => place,
            None if self.numbers.len() < NUMBERS => {
                self.numbers.push((path, VecDeque::new()));
                self.numbers.len() - 1
            }
            None => return,
        };
        let values = &mut self.numbers[place].1;
        if values.len() >= VALUES {
            values.pop_front();
        }
        values.push_back(number);
    }

    /// How it stood over time.
    pub(crate) const fn lane(&self) -> &Lane {
        &self.lane
    }

    /// What the check before the last one printed.
    pub(crate) fn before(&self) -> Option<&Value> {
        self.before.as_ref()
    }

    /// The last values of a number a monitor prints, oldest first.
    pub(crate) fn values(&self, path: &Path) -> Option<&VecDeque<f32>> {
        let mut numbers = self.numbers.iter();
        numbers
            .find(|(known, _)| known == path)
            .map(|(_, values)| values)
    }

    /// The largest figure of each of so many spans of time up to now, oldest first; none where
    /// nothing was told. Spans are fixed in time, so that a graph moves instead of flickering.
    pub(crate) fn spans(&self, gauge: Gauge, now: Moment, count: usize) -> Vec<Option<f32>> {
        let mut spans = vec![None; count];
        let Some(width) = u32::try_from(count).ok().filter(|count| *count > 0) else {
            return spans;
        };
        let width = (REACH / width).max(Duration::from_millis(1));
        let number = |moment: Moment| (moment - Moment::default()).as_nanos() / width.as_nanos();
        let last = number(now);
        for one in &self.uses {
            let back =
                usize::try_from(last.saturating_sub(number(one.at.moment()))).unwrap_or(usize::MAX);
            let place = count.checked_sub(back.saturating_add(1));
            if let (Some(place), Some(figure)) = (place, one.figure(gauge)) {
                let known = spans[place].unwrap_or(figure);
                spans[place] = Some(figure.max(known));
            }
        }
        spans
    }
}

/// The numbers in a value and their places.
fn numbers(value: &Value) -> Vec<(Path, f32)> {
    let mut found = Vec::new();
    let mut left = PLACES;
    walk(value, &mut Vec::new(), &mut left, &mut found);
    found
}

fn walk(value: &Value, steps: &mut Vec<Step>, left: &mut usize, found: &mut Vec<(Path, f32)>) {
    if *left == 0 || found.len() >= NUMBERS {
        return;
    }
    *left -= 1;
    let mut enter = |step: Step, value: &Value| {
        steps.push(step);
        walk(value, steps, left, found);
        steps.pop();
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                enter(Step::Key(key.clone()), value);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                enter(Step::Index(index), value);
            }
        }
        Value::Number(number) => {
            let figure = number.as_f64().filter(|figure| figure.is_finite());
            if let (Some(path), Some(figure)) = (Path::new(steps), figure) {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a sparkline has eight steps"
                )]
                found.push((path, figure as f32));
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_found_and_bounded() {
        let value = json!({"a": {"b": 1, "c": "x"}, "d": [2, {"e": 3.5}]});
        let found: Vec<_> = numbers(&value)
            .into_iter()
            .map(|(path, number)| (path.to_string(), number))
            .collect();
        let named = |path: &str, number| (path.to_owned(), number);
        assert_eq!(
            found,
            [
                named(".a.b", 1.0),
                named(".d[0]", 2.0),
                named(".d[1].e", 3.5)
            ]
        );
        let many: Vec<u32> = (0..10_000).collect();
        assert_eq!(numbers(&json!(many)).len(), NUMBERS);
        let deep = (0..1000).fold(json!(1), |value, _| json!([value]));
        assert_eq!(numbers(&deep), [], "a place that deep has no name");
    }

    #[test]
    fn only_so_many_values_are_kept() {
        let mut past = Past::default();
        let path = Path::parse(".a").unwrap();
        for number in 0..100_u8 {
            past.count(path.clone(), f32::from(number));
        }
        let values = past.values(&path).unwrap();
        assert_eq!((values.len(), values.back()), (VALUES, Some(&99.0)));
        for number in 0..100 {
            past.count(Path::parse(&format!(".b{number}")).unwrap(), 1.0);
        }
        assert_eq!(past.numbers.len(), NUMBERS);
    }

    #[test]
    fn spans_have_the_largest_figure_and_gaps() {
        let at = |seconds| Moment::at(Duration::from_secs(seconds));
        let used = |seconds, cpu: f32| Use::new(at(seconds), Some(cpu), None);
        let past = Past {
            uses: [used(1, 9.0), used(301, 1.0), used(302, 3.0), used(599, 2.0)].into(),
            ..Past::default()
        };
        let spans = past.spans(Gauge::Cpu, at(599), 3);
        assert_eq!(spans, [Some(3.0), None, Some(2.0)]);
        assert_eq!(past.spans(Gauge::Memory, at(599), 2), [None, None]);
        assert_eq!(past.spans(Gauge::Cpu, at(599), 0), []);
    }
}
