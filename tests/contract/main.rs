//! What other people's tools depend on: the lines of the socket, and that versions mix.

#[cfg(test)]
mod corpus;
mod documented;
mod skew;
mod supervised;
