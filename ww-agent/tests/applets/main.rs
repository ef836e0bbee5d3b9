//! The applets as programs.
