//! What extended headers say.

use crate::entry::{Time, Xattr};
use crate::record::{decimal, take, time, unescaped};

/// What is understood of the records of extended headers. All else is passed over.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Time>,
    pub(super) xattrs: Vec<Xattr>,
    pub(super) socket: bool,
    /// The version of the map of holes, if there are any.
    pub(super) sparse: Option<(u64, u64)>,
    pub(super) sparse_name: Option<Vec<u8>>,
    pub(super) sparse_size: Option<u64>,
}

/// Who sets something for all entries that follow may set these; else one entry could be taken for another.
const GLOBAL: [&[u8]; 3] = [b"uid", b"gid", b"mtime"];

impl Records {
    /// Reads the records of one entry.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut records = Self::default();
        records.add(bytes, false)?;
        Ok(records)
    }

    /// These, and what is set for all entries from here on.
    pub(super) fn with_global(&self, bytes: &[u8]) -> Result<Self, String> {
        let mut records = self.clone();
        records.add(bytes, true)?;
        Ok(records)
    }

    fn add(&mut self, mut bytes: &[u8], global: bool) -> Result<(), String> {
        while !bytes.is_empty() {
            let (key, value, rest) =
                take(bytes).ok_or("an extended header has something in it that is no record")?;
            bytes = rest;
            if global && !GLOBAL.contains(&key) && is_known(key) {
                return Err(format!("{} is set for several entries", key.escape_ascii()));
            }
            self.set(key, value).ok_or_else(|| {
                format!(
                    "the record {} of an extended header makes no sense",
                    key.escape_ascii()
                )
            })?;
        }
        Ok(())
    }

    /// Sets one; an empty value takes it back, as the standard has it.
    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let own = !value.is_empty();
        match key {
            b"path" => self.path = own.then(|| value.to_vec()),
            b"linkpath" => self.link = own.then(|| value.to_vec()),
            b"size" => self.size = some(own, || decimal(value))?,
            b"uid" => self.uid = some(own, || u32::try_from(decimal(value)?).ok())?,
            b"gid" => self.gid = some(own, || u32::try_from(decimal(value)?).ok())?,
            b"mtime" => self.mtime = some(own, || time(value))?,
            b"WHALEWARE.type" => {
                if value != b"socket" {
                    return None;
                }
                self.socket = true;
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattr(unescaped(name), value)?;
                } else if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse(key, value)?;
                }
            }
        }
        Some(())
    }

    fn xattr(&mut self, name: Vec<u8>, value: &[u8]) -> Option<()> {
        // The kernel takes no longer ones.
        if name.is_empty() || name.len() > 255 || name.contains(&0) || value.len() > 64 * 1024 {
            return None;
        }
        self.xattrs.push(Xattr {
            name,
            value: value.to_vec(),
        });
        Some(())
    }

    fn sparse(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (major, minor) = self.sparse.unwrap_or((0, 0));
        match key {
            b"major" => self.sparse = Some((decimal(value)?, minor)),
            b"minor" => self.sparse = Some((major, decimal(value)?)),
            b"name" => self.sparse_name = Some(value.to_vec()),
            b"realsize" => self.sparse_size = Some(decimal(value)?),
            // Of a version before 1.0, which is found out by that it does not say so.
            _ => self.sparse = Some((major, minor)),
        }
        Some(())
    }
}

/// Nothing, or what must then make sense.
#[expect(
    clippy::option_option,
    reason = "the outer one is whether it makes sense, the inner one whether it is set"
)]
fn some<T>(own: bool, value: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if own { value().map(Some) } else { Some(None) }
}

fn is_known(key: &[u8]) -> bool {
    matches!(key, b"path" | b"linkpath" | b"size" | b"WHALEWARE.type")
        || key.starts_with(b"SCHILY.xattr.")
        || key.starts_with(b"GNU.sparse.")
}
