//! The machine in virtual time: stories, every cell, random lives, the diagram.

mod cells;
mod diagram;
mod lives;
mod promises;
mod rounds;
mod services;
mod stories;
mod world;
