//! No size and no keys make it panic.
