//! A tree of files as a stream, and back.
//!
//! The stream is a tar archive of the PAX kind (POSIX.1-2001), so that GNU tar and others read it too. It keeps what
//! a backup must not lose: owners by number, modes, times to the nanosecond, hard links, extended attributes, access
//! control lists, file capabilities, holes, fifos, sockets, devices, names of any bytes and any length.
//!
//! * [`pack`]: walks a tree by directory descriptors and writes the stream. What changes meanwhile neither breaks the
//!   stream nor goes unsaid: it is a [`Problem`].
//! * [`measure`]: how much that would be.
//! * [`read`]: reads such a stream, one that an Engine made, or one of GNU tar, and trusts none of it.
//! * [`unpack`]: makes a tree of what was read, in a directory that nothing gets out of.
//! * [`remove`]: removes one, however deep it is.
//! * [`look`]: one file of a tree, as an archive would tell of it.
//!
//! Of extended attributes `user.*`, `trusted.*`, `security.capability` and the lists of access control are kept. The
//! others of `security.` and `system.` are the host's own (labels, measurements): it sets them again by its rules.
//!
//! Nothing here knows of an asynchronous runtime, reads a clock or an environment variable; both binaries use it.

pub mod look;
pub mod measure;
pub mod pack;
pub mod pattern;
pub mod read;
pub mod remove;
pub mod unpack;

mod attribute;
mod block;
mod entry;
mod ladder;
mod link;
mod listing;
mod problem;
mod record;
mod shown;
mod status;
mod walk;

pub use entry::{Entry, Kind, Segment, Time, Xattr};
pub use problem::{Problem, ProblemKind, Watch};
