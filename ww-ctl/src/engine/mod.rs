//! The Engine's API. The only place that knows bollard.

pub(crate) mod image;
pub(crate) mod labelled;
