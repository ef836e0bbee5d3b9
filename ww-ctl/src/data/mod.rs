//! Data containers: never started, they only say where data lie, for `--volumes-from`.
//!
//! What is here asks no Engine: how one is described, what is remembered of it beside its data, where
//! the data lie on this machine, and what is to be told from all that an Engine has.

mod copy;
mod danger;
mod owner;
mod record;
mod root;
mod survey;
mod trash;

pub(crate) use copy::{Copied, CopyError, Copying, copy};
pub(crate) use danger::{Danger, Peril, Pruning, dangers};
pub(crate) use owner::{Mode, Owner};
pub(crate) use record::{BEFORE_ADOPT, Kind, REPOSITORY, Record, Recorded, TAG};
pub(crate) use root::{Lock, Root, RootError, absolute};
pub(crate) use survey::{DataContainer, Seen, Standing, User, survey};
pub(crate) use trash::Trash;
