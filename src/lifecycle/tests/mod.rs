//! The machine in virtual time: stories, every cell, random lives, the diagram.

mod cells;
mod diagram;
mod life;
mod lives;
mod promises;
mod quiesce;
mod rounds;
mod services;
mod stories;
mod world;
