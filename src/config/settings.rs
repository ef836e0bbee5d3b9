//! The agent's own settings, under the key `ww`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::SettingsError;
use super::layer::kind;
use crate::lifecycle::{Hook, Policy, ServiceRules};
use crate::spelling::nearest;

/// How `/data` is made to hold still for a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackupMode {
    /// The services are stopped while it is read.
    #[default]
    Quiesce,
    /// The services stay up.
    Live,
}

/// Everything under `ww`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// What the life cycle does.
    pub policy: Policy,
    /// `ww.version`: the image's version; none when it is not told.
    pub version: Option<String>,
    /// `ww.backup.mode`.
    pub backup_mode: BackupMode,
    /// `ww.backup.exclude`: glob patterns below `/data`.
    pub backup_exclude: Vec<String>,
}

/// The hooks whose failure can be taken for done. The failure of a check is what restarts are for,
/// that of `svcdown` never stops anything, and the other two only tell.
const TOLERABLE: [Hook; 5] = [
    Hook::Boot,
    Hook::Firstboot,
    Hook::Upgrade,
    Hook::Svcup,
    Hook::Warmup,
];

impl Settings {
    /// Reads the settings out of a merged configuration.
    ///
    /// # Errors
    /// The first key that is unknown or has a value of the wrong type, by its path.
    pub fn read(configuration: &Map<String, Value>) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let Some(ww) = configuration.get("ww") else {
            return Ok(settings);
        };
        let policy = &mut settings.policy;
        for (key, value) in object("ww", ww)? {
            match key.as_str() {
                "monitor" => read_monitor(policy, value)?,
                "restart" => read_restart(policy, value)?,
                "stop" => read_stop(policy, value)?,
                "drain" => policy.drain = duration("ww.drain", value)?,
                "hooks" => read_hooks(policy, value)?,
                "services" => read_services(policy, value)?,
                "version" => settings.version = Some(read_version(value)?),
                "backup" => {
                    (settings.backup_mode, settings.backup_exclude) = read_backup(value)?;
                }
                _ => {
                    let known = [
                        "monitor", "restart", "stop", "drain", "hooks", "services", "backup",
                        "version",
                    ];
                    return Err(unknown("ww", key, &known));
                }
            }
        }
        Ok(settings)
    }
}

fn read_monitor(policy: &mut Policy, value: &Value) -> Result<(), SettingsError> {
    const INTERVAL: &str = "ww.monitor.interval";
    for (key, value) in object("ww.monitor", value)? {
        match key.as_str() {
            "interval" => policy.monitor_interval = positive(INTERVAL, value)?,
            "timeout" => policy.monitor_timeout = positive("ww.monitor.timeout", value)?,
            "failures" => {
                policy.monitor_failures = count("ww.monitor.failures", value)?;
                if policy.monitor_failures == 0 {
                    return Err(SettingsError::Type {
                        key: "ww.monitor.failures".into(),
                        expected: "a whole number from 1",
                        found: "0",
                    });
                }
            }
            _ => {
                return Err(unknown(
                    "ww.monitor",
                    key,
                    &["interval", "timeout", "failures"],
                ));
            }
        }
    }
    Ok(())
}

fn read_restart(policy: &mut Policy, value: &Value) -> Result<(), SettingsError> {
    for (key, value) in object("ww.restart", value)? {
        match key.as_str() {
            "max" => policy.restart_max = count("ww.restart.max", value)?,
            "reset" => policy.restart_reset = duration("ww.restart.reset", value)?,
            "backoff" => policy.backoff = duration("ww.restart.backoff", value)?,
            "backoff_max" => policy.backoff_max = duration("ww.restart.backoff_max", value)?,
            "warmup" => policy.restart_warmup = boolean("ww.restart.warmup", value)?,
            _ => {
                let known = ["max", "reset", "backoff", "backoff_max", "warmup"];
                return Err(unknown("ww.restart", key, &known));
            }
        }
    }
    Ok(())
}

fn read_stop(policy: &mut Policy, value: &Value) -> Result<(), SettingsError> {
    for (key, value) in object("ww.stop", value)? {
        match key.as_str() {
            "timeout" => policy.stop_timeout = Some(positive("ww.stop.timeout", value)?),
            "grace" => policy.stop_grace = duration("ww.stop.grace", value)?,
            _ => return Err(unknown("ww.stop", key, &["timeout", "grace"])),
        }
    }
    Ok(())
}

fn read_hooks(policy: &mut Policy, value: &Value) -> Result<(), SettingsError> {
    let hooks = object("ww.hooks", value)?;
    // The general word first, so that a hook's own word stands against it whatever the order.
    if let Some(value) = hooks.get("on_failure")
        && tolerates("ww.hooks.on_failure", value)?
    {
        policy.tolerated.extend(TOLERABLE);
    }
    for (name, value) in hooks {
        if name == "on_failure" {
            continue;
        }
        let path = format!("ww.hooks.{name}");
        let Ok(hook) = name.parse::<Hook>() else {
            let known: Vec<_> = Hook::ALL
                .iter()
                .map(|hook| hook.name())
                .chain(["on_failure"])
                .collect();
            return Err(unknown("ww.hooks", name, &known));
        };
        for (key, value) in object(&path, value)? {
            match key.as_str() {
                "timeout" => {
                    let limit = positive(&format!("{path}.timeout"), value)?;
                    policy.timeouts.insert(hook, limit);
                }
                "on_failure" if TOLERABLE.contains(&hook) => {
                    if tolerates(&format!("{path}.on_failure"), value)? {
                        policy.tolerated.insert(hook);
                    } else {
                        policy.tolerated.remove(&hook);
                    }
                }
                "on_failure" => {
                    return Err(SettingsError::Unknown {
                        key: format!("{path}.on_failure"),
                        hint: format!("; it means nothing for {hook}, see the documentation"),
                    });
                }
                _ => return Err(unknown(&path, key, &["timeout", "on_failure"])),
            }
        }
    }
    Ok(())
}

fn read_services(policy: &mut Policy, value: &Value) -> Result<(), SettingsError> {
    for (name, value) in object("ww.services", value)? {
        let path = format!("ww.services.{}", shown(name));
        let mut rules = ServiceRules::default();
        for (key, value) in object(&path, value)? {
            let whole = || format!("{path}.{key}");
            match key.as_str() {
                "notify" => rules.notify = boolean(&whole(), value)?,
                "ready_timeout" => rules.ready_timeout = positive(&whole(), value)?,
                "stop_timeout" => rules.stop_timeout = Some(positive(&whole(), value)?),
                "watchdog" => rules.watchdog = Some(positive(&whole(), value)?),
                "restart_max" => rules.restart_max = Some(count(&whole(), value)?),
                _ => {
                    let known = [
                        "notify",
                        "ready_timeout",
                        "stop_timeout",
                        "watchdog",
                        "restart_max",
                    ];
                    return Err(unknown(&path, key, &known));
                }
            }
        }
        policy.services.insert(name.clone(), rules);
    }
    Ok(())
}

fn read_backup(value: &Value) -> Result<(BackupMode, Vec<String>), SettingsError> {
    let (mut mode, mut exclude) = (BackupMode::default(), Vec::new());
    for (key, value) in object("ww.backup", value)? {
        match key.as_str() {
            "mode" => {
                mode = match value.as_str() {
                    Some("quiesce") => BackupMode::Quiesce,
                    Some("live") => BackupMode::Live,
                    Some(_) | None => {
                        return Err(wrong("ww.backup.mode", "\"quiesce\" or \"live\"", value));
                    }
                };
            }
            "exclude" => {
                let expected = "an array of strings";
                let list = value
                    .as_array()
                    .ok_or_else(|| wrong("ww.backup.exclude", expected, value))?;
                for (index, pattern) in list.iter().enumerate() {
                    let key = format!("ww.backup.exclude[{index}]");
                    let text = pattern
                        .as_str()
                        .ok_or_else(|| wrong(&key, "a string", pattern))?;
                    exclude.push(text.to_owned());
                }
            }
            _ => return Err(unknown("ww.backup", key, &["mode", "exclude"])),
        }
    }
    Ok((mode, exclude))
}

/// The most characters of a version.
pub const MAX_VERSION: usize = 128;

/// Whether a text can be a version: 1 to [`MAX_VERSION`] characters, none of them a control character.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let length = text.chars().count();
    (1..=MAX_VERSION).contains(&length) && !text.chars().any(char::is_control)
}

fn read_version(value: &Value) -> Result<String, SettingsError> {
    const KEY: &str = "ww.version";
    let expected = "a string such as \"2.4.1\", of at most 128 characters and on one line";
    value
        .as_str()
        .filter(|text| is_version(text))
        .map(Into::into)
        .ok_or_else(|| wrong(KEY, expected, value))
}

fn object<'a>(key: &str, value: &'a Value) -> Result<&'a Map<String, Value>, SettingsError> {
    value
        .as_object()
        .ok_or_else(|| wrong(key, "an object", value))
}

fn boolean(key: &str, value: &Value) -> Result<bool, SettingsError> {
    value
        .as_bool()
        .ok_or_else(|| wrong(key, "true or false", value))
}

fn count(key: &str, value: &Value) -> Result<u32, SettingsError> {
    value
        .as_u64()
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| wrong(key, "a whole number from 0", value))
}

fn tolerates(key: &str, value: &Value) -> Result<bool, SettingsError> {
    match value.as_str() {
        Some("error") => Ok(false),
        Some("continue") => Ok(true),
        Some(_) | None => Err(wrong(key, "\"error\" or \"continue\"", value)),
    }
}

const DURATION: &str = "a duration such as \"30s\", \"2m\" or \"1h 30m\"";

/// Longer than this is a typing error, and would overflow somebody's clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

fn duration(key: &str, value: &Value) -> Result<Duration, SettingsError> {
    value
        .as_str()
        .and_then(|text| text.trim().parse::<jiff::SignedDuration>().ok())
        .and_then(|signed| Duration::try_from(signed).ok())
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| wrong(key, DURATION, value))
}

fn positive(key: &str, value: &Value) -> Result<Duration, SettingsError> {
    let duration = duration(key, value)?;
    if duration < Duration::from_millis(1) {
        return Err(SettingsError::Type {
            key: key.into(),
            expected: "a duration longer than zero",
            found: "zero",
        });
    }
    Ok(duration)
}

fn wrong(key: &str, expected: &'static str, value: &Value) -> SettingsError {
    let found = match value {
        // Where a string is expected, this one must be of another form.
        Value::String(_) if expected.contains('"') => "another string",
        Value::Number(number) if number.as_u64().is_none() && expected.contains("number") => {
            "another number"
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => kind(value),
    };
    SettingsError::Type {
        key: key.into(),
        expected,
        found,
    }
}

/// A key as it may be shown.
fn shown(key: &str) -> String {
    key.chars().take(60).filter(|c| !c.is_control()).collect()
}

fn unknown(parent: &str, key: &str, known: &[&str]) -> SettingsError {
    let key = shown(key);
    let hint = nearest(&key, known).map_or_else(
        || format!("; known below `{parent}`: {}", known.join(", ")),
        |name| format!("; did you mean `{name}`?"),
    );
    SettingsError::Unknown {
        key: format!("{parent}.{key}"),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(ww: &Value) -> Result<Settings, SettingsError> {
        let Value::Object(object) = json!({"ww": ww, "memory": "anything else is not ours"}) else {
            panic!("an object")
        };
        Settings::read(&object)
    }

    #[test]
    fn the_defaults_are_the_contracts() {
        let policy = read(&json!({})).unwrap().policy;
        assert_eq!(policy.monitor_interval, Duration::from_secs(30));
        assert_eq!(policy.monitor_timeout, Duration::from_secs(25));
        assert_eq!(policy.monitor_failures, 1);
        assert_eq!(policy.restart_max, 5);
        assert_eq!(policy.restart_reset, Duration::from_secs(600));
        assert_eq!(policy.backoff, Duration::from_secs(1));
        assert_eq!(policy.backoff_max, Duration::from_secs(60));
        assert!(!policy.restart_warmup);
        assert_eq!(policy.stop_timeout, None);
        assert_eq!(policy.stop_grace, Duration::from_secs(5));
        assert_eq!(policy.drain, Duration::ZERO);
        assert!(policy.timeouts.is_empty());
        assert!(policy.tolerated.is_empty());
        assert_eq!(Settings::read(&Map::new()).unwrap(), Settings::default());
    }

    #[test]
    fn every_setting_is_read() {
        let settings = read(&json!({
            "monitor": {"interval": "10s", "timeout": "500ms", "failures": 3},
            "restart": {"max": 0, "reset": "1h 30m", "backoff": "0s", "backoff_max": "2m", "warmup": true},
            "stop": {"timeout": "1m30s", "grace": "250ms"},
            "drain": "3s",
            "hooks": {
                "firstboot": {"timeout": "2h", "on_failure": "error"},
                "on_failure": "continue"
            },
            "services": {
                "web": {"notify": true, "ready_timeout": "5m", "stop_timeout": "20s", "watchdog": "30s", "restart_max": 0},
                "db": {}
            },
            "backup": {"mode": "live", "exclude": ["cache/**", "*.tmp"]},
            "version": "2.4.1"
        }))
        .unwrap();
        let policy = settings.policy;
        assert_eq!(policy.monitor_interval, Duration::from_secs(10));
        assert_eq!(policy.monitor_timeout, Duration::from_millis(500));
        assert_eq!(policy.monitor_failures, 3);
        assert_eq!(policy.restart_max, 0);
        assert_eq!(policy.restart_reset, Duration::from_secs(5400));
        assert_eq!(policy.backoff, Duration::ZERO);
        assert_eq!(policy.backoff_max, Duration::from_secs(120));
        assert!(policy.restart_warmup);
        assert_eq!(policy.stop_timeout, Some(Duration::from_secs(90)));
        assert_eq!(policy.stop_grace, Duration::from_millis(250));
        assert_eq!(policy.drain, Duration::from_secs(3));
        assert_eq!(policy.timeouts[&Hook::Firstboot], Duration::from_secs(7200));
        assert_eq!(
            policy
                .tolerated
                .iter()
                .map(|hook| hook.name())
                .collect::<Vec<_>>(),
            ["boot", "upgrade", "svcup", "warmup"]
        );
        let web = ServiceRules {
            notify: true,
            ready_timeout: Duration::from_secs(300),
            stop_timeout: Some(Duration::from_secs(20)),
            watchdog: Some(Duration::from_secs(30)),
            restart_max: Some(0),
        };
        assert_eq!(policy.services["web"], web);
        assert_eq!(policy.services["db"], ServiceRules::default());
        assert_eq!(settings.backup_mode, BackupMode::Live);
        assert_eq!(settings.backup_exclude, ["cache/**", "*.tmp"]);
        assert_eq!(settings.version.as_deref(), Some("2.4.1"));
    }

    #[test]
    fn a_typing_error_is_named_and_its_value_is_not() {
        for (ww, expected) in [
            (
                json!({"monitr": {}}),
                "unknown setting `ww.monitr`; did you mean `monitor`?",
            ),
            (
                json!({"monitor": {"intervall": "1s"}}),
                "unknown setting `ww.monitor.intervall`; did you mean `interval`?",
            ),
            (
                json!({"stop": {"colour": 1}}),
                "unknown setting `ww.stop.colour`; known below `ww.stop`: timeout, grace",
            ),
            (
                json!({"drain": 5}),
                "setting `ww.drain` must be a duration such as \"30s\", \"2m\" or \"1h 30m\", but is a number",
            ),
            (
                json!({"drain": "hunter2"}),
                "setting `ww.drain` must be a duration such as \"30s\", \"2m\" or \"1h 30m\", but is another string",
            ),
            (
                json!({"drain": "-1s"}),
                "setting `ww.drain` must be a duration such as \"30s\", \"2m\" or \"1h 30m\", but is another string",
            ),
            (
                json!({"monitor": {"interval": "0s"}}),
                "setting `ww.monitor.interval` must be a duration longer than zero, but is zero",
            ),
            (
                json!({"monitor": {"failures": 0}}),
                "setting `ww.monitor.failures` must be a whole number from 1, but is 0",
            ),
            (
                json!({"restart": {"max": -1}}),
                "setting `ww.restart.max` must be a whole number from 0, but is another number",
            ),
            (
                json!({"restart": []}),
                "setting `ww.restart` must be an object, but is an array",
            ),
            (json!([]), "setting `ww` must be an object, but is an array"),
            (
                json!({"hooks": {"svcupp": {"timeout": "1s"}}}),
                "unknown setting `ww.hooks.svcupp`; did you mean `svcup`?",
            ),
            (
                json!({"hooks": {"on_failure": "hunter2"}}),
                "setting `ww.hooks.on_failure` must be \"error\" or \"continue\", but is another string",
            ),
            (
                json!({"hooks": {"monitor": {"on_failure": "continue"}}}),
                "unknown setting `ww.hooks.monitor.on_failure`; it means nothing for monitor, see the documentation",
            ),
            (
                json!({"services": {"web": {"notfy": true}}}),
                "unknown setting `ww.services.web.notfy`; did you mean `notify`?",
            ),
            (
                json!({"services": {"web": true}}),
                "setting `ww.services.web` must be an object, but is a boolean",
            ),
            (
                json!({"version": 2.4}),
                "setting `ww.version` must be a string such as \"2.4.1\", of at most 128 characters and on one line, but is a number",
            ),
            (
                json!({"version": "2.4\nhunter2"}),
                "setting `ww.version` must be a string such as \"2.4.1\", of at most 128 characters and on one line, but is another string",
            ),
            (
                json!({"backup": {"exclude": ["a", 1]}}),
                "setting `ww.backup.exclude[1]` must be a string, but is a number",
            ),
        ] {
            assert_eq!(read(&ww).unwrap_err().to_string(), expected, "{ww}");
        }
    }
}
