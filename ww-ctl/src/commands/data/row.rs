//! A data container as it is told.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::apart;
use super::gather::Host;
use super::local::rights;
use super::measure::measure;
use crate::data::{DataContainer, Kind, Mode, Owner, Recorded, User};
use crate::exit::Failure;
use crate::fleet::{HostName, clean};

/// The most characters of a word of others.
const TEXT: usize = 1024;

/// A data container, and what is seen of its data on this machine.
#[derive(Debug)]
pub(super) struct Row {
    /// The host it is on.
    pub host: HostName,
    /// The container.
    pub one: DataContainer,
    /// What the data lie in.
    pub kind: Kind,
    /// The directory the data lie in on their host.
    pub directory: Option<PathBuf>,
    /// Whether that is this machine.
    pub is_here: bool,
    /// Who owns it.
    pub owner: Option<Owner>,
    /// Its permissions.
    pub mode: Option<Mode>,
    /// Whether it is not there; none where it cannot be seen from here.
    pub missing: Option<bool>,
    /// How much is in it, where that was counted.
    pub bytes: Option<u64>,
}

impl Row {
    /// Looks at the data of one, and counts them where that is wanted.
    ///
    /// # Errors
    /// When this program cannot go on.
    pub(super) async fn new(host: &Host, one: DataContainer, count: bool) -> Result<Self, Failure> {
        let directory = host.directory(&one.data.backing);
        let place = directory.clone().filter(|_| host.is_here);
        let seen = apart(move || {
            let place = place?;
            let rights = rights(&place);
            // Others may not look below Docker's own directory: not seen is not missing.
            let gone = std::fs::symlink_metadata(&place)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
            let bytes = measure_if(count && rights.is_some(), &place);
            Some((rights, gone, bytes))
        })
        .await?;
        let rights = seen.and_then(|(rights, _, _)| rights);
        let missing = seen.and_then(|(rights, gone, _)| (gone || rights.is_some()).then_some(gone));
        Ok(Self {
            host: host.target.name.clone(),
            kind: Kind::of(&one.data),
            one,
            directory,
            is_here: host.is_here,
            owner: rights.map(|(owner, _)| owner),
            mode: rights.map(|(_, mode)| mode),
            missing,
            bytes: seen.and_then(|(_, _, bytes)| bytes),
        })
    }

    /// Where the data lie: the directory, or the volume's name.
    pub(super) fn source(&self) -> String {
        clean(&Recorded::of(&self.one.data).source, TEXT)
    }

    /// For other programs: all of it.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let one = &self.one;
        let users: Vec<Value> = one.users.iter().map(user).collect();
        let mut fields = Map::new();
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("host", json!(*self.host));
        put("id", json!(one.seen.id));
        put("name", json!(clean(&one.seen.name, TEXT)));
        put("kind", json!(self.kind.word()));
        put("place", json!(clean(&one.data.place, TEXT)));
        put("source", json!(self.source()));
        let directory = self.directory.as_ref();
        put(
            "directory",
            json!(directory.map(|path| clean(&path.to_string_lossy(), TEXT))),
        );
        put("missing", json!(self.missing));
        put("uid", json!(self.owner.map(|owner| owner.uid)));
        put("gid", json!(self.owner.map(|owner| owner.gid)));
        put("mode", json!(self.mode.map(|mode| mode.to_string())));
        put("bytes", json!(self.bytes));
        put("users", Value::Array(users));
        put("whaleware", json!(one.because.is_none()));
        let because = one.because.as_ref();
        put("reason", json!(because.map(|text| clean(text, TEXT))));
        put("image", json!(one.seen.image));
        put("created", json!(one.seen.created));
        fields
    }
}

fn measure_if(wanted: bool, place: &std::path::Path) -> Option<u64> {
    wanted.then(|| measure(place).ok()).flatten()
}

fn user(user: &User) -> Value {
    json!({
        "id": user.id,
        "name": clean(&user.name, TEXT),
        "running": user.running,
        "part": user.is_part,
    })
}

/// Who uses it, in words.
pub(super) fn users(one: &DataContainer) -> String {
    let words = one.users.iter().map(|user| {
        let name = clean(&user.name, TEXT);
        let part = if user.is_part { ", a part" } else { "" };
        match (user.running, user.is_part) {
            (true, false) => name,
            (true, true) => format!("{name} (a part)"),
            (false, _) => format!("{name} (stopped{part})"),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}
