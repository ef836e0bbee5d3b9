//! x
use std::ffi::OsString;
use super::usage::Usage;
pub(super) fn main(_usage: Usage, _arguments: &[OsString]) -> u8 { 0 }
