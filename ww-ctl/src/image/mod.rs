//! Puts the agent and a tree of scripts on any base image, through the Engine's build API.
//!
//! * [`context`]: what is sent to the builder, as a stream of tar that never lies in memory whole;
//! * [`tree`]: an image author's directory, walked into such a context;
//! * [`binary`]: the static programs that go into images, found and checked;
//! * [`lint`]: the agent's own check of a tree, before it is built;
//! * [`inside`]: the same of an image that is there;
//! * [`template`]: what a new image's author begins with;
//! * [`mod@build`]: all of it together.

pub(crate) mod binary;
pub(crate) mod build;
pub(crate) mod context;
pub(crate) mod inside;
pub(crate) mod lint;
pub(crate) mod template;
pub(crate) mod tree;
mod version;

pub(crate) use binary::{BinaryError, StaticBinary, find_agent};
pub(crate) use build::{BuildError, BuildRequest, Check, Progress, build};
pub(crate) use tree::Tree;
