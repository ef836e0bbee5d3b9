//! A backup as it is told.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::TEXT;
use crate::backup::vault::{How, Listed, Set, Verified};
use crate::fleet::clean;
use crate::output::Tone;
use crate::units::age;

/// What there is under a name of a backup.
pub(super) struct Row {
    /// Whose it is.
    pub name: String,
    /// What it is.
    pub one: Listed,
}

impl Row {
    /// What it is called.
    pub(super) fn id(&self) -> String {
        self.one.id().to_string()
    }

    /// As it can be given again.
    pub(super) fn reference(&self) -> String {
        format!("{}/{}", self.name, self.id())
    }

    /// For other programs.
    pub(super) fn fields(&self) -> Map<String, Value> {
        match &self.one {
            Listed::Set(set) => fields(set),
            Listed::Broken { reason, .. } => {
                let known = ["begun", "ended", "consistency", "outage_ms", "encrypted"];
                let known = known.into_iter();
                let known = known.chain(["bytes", "content_bytes", "entries", "verified"]);
                let mut fields: Map<String, Value> =
                    known.map(|key| (key.to_owned(), Value::Null)).collect();
                fields.insert("name".into(), json!(self.name));
                fields.insert("id".into(), json!(self.id()));
                fields.insert("state".into(), json!("broken"));
                fields.insert("reason".into(), json!(clean(reason, TEXT)));
                fields
            }
        }
    }
}

/// A set for other programs, without what is in it.
pub(super) fn fields(set: &Set) -> Map<String, Value> {
    let manifest = &set.manifest;
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("name", json!(set.name));
    put("id", json!(set.id.to_string()));
    put("state", json!(state(set)));
    let reason = manifest.reason.as_ref();
    put("reason", json!(reason.map(|text| clean(text, TEXT))));
    put("begun", json!(manifest.begun));
    put("ended", json!(manifest.ended));
    put("consistency", json!(manifest.consistency.word()));
    put("outage_ms", json!(manifest.outage_ms));
    put("encrypted", json!(is_encrypted(set)));
    put("bytes", json!(set.bytes()));
    put("content_bytes", json!(content(set)));
    put("entries", json!(entries(set)));
    put(
        "verified",
        best(set).map_or(Value::Null, |(how, one)| verified(how, one)),
    );
    fields
}

/// Whether it is whole.
pub(super) fn state(set: &Set) -> &'static str {
    if set.manifest.complete {
        "complete"
    } else {
        "incomplete"
    }
}

/// Bytes of content.
pub(super) fn content(set: &Set) -> u64 {
    let parts = set.manifest.parts.iter();
    parts.fold(0, |sum, part| sum.saturating_add(part.counts.bytes))
}

/// Entries of all parts.
pub(super) fn entries(set: &Set) -> u64 {
    let parts = set.manifest.parts.iter();
    parts.fold(0, |sum, part| sum.saturating_add(part.counts.entries))
}

/// Whether some of it is encrypted.
pub(super) fn is_encrypted(set: &Set) -> bool {
    set.manifest.parts.iter().any(|part| part.payload.encrypted)
}

/// The most that is known of how it was verified; what has failed since counts most.
pub(super) fn best(set: &Set) -> Option<(How, &Verified)> {
    let all = [How::Quick, How::Full, How::Drill].into_iter();
    let failed = all
        .filter_map(|how| Some((how, set.verified.get(how)?)))
        .filter(|(_, one)| !one.ok)
        .max_by_key(|(_, one)| one.at);
    set.verified.good().or(failed)
}

/// A way to verify, in a word.
pub(super) const fn word(how: How) -> &'static str {
    match how {
        How::Quick => "quick",
        How::Full => "full",
        How::Drill => "drill",
    }
}

/// For other programs.
pub(super) fn verified(how: How, one: &Verified) -> Value {
    json!({
        "at": one.at,
        "how": word(how),
        "ok": one.ok,
        "text": one.text.as_ref().map(|text| clean(text, TEXT)),
    })
}

/// How it was verified, in words.
pub(super) fn verified_words(set: &Set, now: Timestamp) -> (String, Tone) {
    let Some((how, best)) = best(set) else {
        return ("no".to_owned(), Tone::Dim);
    };
    let words = format!("{}, {}", word(how), ago(best.at, now));
    if best.ok {
        (words, Tone::Good)
    } else {
        (format!("FAILED ({words})"), Tone::Bad)
    }
}

/// `3h ago`.
pub(in crate::commands) fn ago(at: Timestamp, now: Timestamp) -> String {
    if at > now {
        return format!("{} ahead", age(at.duration_since(now).unsigned_abs()));
    }
    format!("{} ago", age(now.duration_since(at).unsigned_abs()))
}
