//! What other people's tools depend on: the lines of the socket, and that versions mix.

mod documented;
mod skew;
mod supervised;
