//! The parts of whaleware that `ww-agent` and `ww-ctl` share, none of which does any input or output.
//!
//! whaleware gives "fat" server containers a life cycle. Two programs live it:
//!
//! * `ww-agent` is PID 1 in the container. It runs the image's scripts, watches the application's
//!   health and tells its state on a Unix socket.
//! * `ww-ctl` is the operator's tool on the host. It sees the whole fleet and acts on it.
//!
//! They never use each other's code. What both must agree on lives here:
//!
//! * [`lifecycle`]: the life cycle as a pure machine. The agent feeds it events and performs the
//!   effects it answers with; time is passed in.
//! * [`protocol`]: the lines on the agent's socket as types, with a cap on their size.
//! * [`config`]: how layers of JSON become one configuration, and the settings under `ww`.
//! * [`paths`] and [`mod@env`]: every path and every environment variable, once.
//! * [`spelling`]: what was probably meant by a word that is not known.
//!
//! Data as a stream, for backups, is a crate of its own beside this one, `ww-archive`: it does input and output.
//!
//! ```text
//!   image's scripts          ww-agent (PID 1)                   ww-ctl (host)
//!   /ww/usr/boot …   <────  runtime: events ─> machine          engine/  Docker's API
//!                           effects <────────┘   │              agent/   socket or exec
//!                           server: protocol ────┴── socket ──> fleet/   what is known
//!                                                               commands/, tui/
//! ```
//!
//! Nothing in this crate opens a file, reads a clock or an environment variable, or knows of an
//! asynchronous runtime, so all of it is tested in virtual time.

pub mod config;
pub mod env;
pub mod lifecycle;
pub mod paths;
pub mod protocol;
pub mod spelling;
