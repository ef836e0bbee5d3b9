//! From a backup back to where the data were.
//!
//! A tree is put together beside the one it is to replace, compared with what the backup lists, and exchanged with it
//! in one step, while nobody uses the data. What was there before is kept.

mod area;
pub(crate) mod changes;
pub(crate) mod compare;
pub(crate) mod extract;
mod moves;
mod record;
#[cfg(test)]
mod tests;

pub(crate) use area::{Area, AreaError};
pub(crate) use record::Record;
