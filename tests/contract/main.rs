//! What other people's tools depend on: the lines of the socket, and that versions mix.

mod corpus;
mod documented;
mod skew;
