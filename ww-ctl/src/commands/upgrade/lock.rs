//! One `ww-ctl` at a time exchanges a container.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use crate::exit::{Exit, Failure};

/// Held while a container is exchanged: a name among this machine's abstract sockets, which the kernel
/// frees whatever ends this program, and which needs no directory that every operator may write to.
/// Against another machine's `ww-ctl` there are only the containers' names at the Engine.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "it is only held")] UnixListener);

impl Lock {
    /// Takes the lock of the container with this id, which it has wherever it is reached from.
    ///
    /// # Errors
    /// [`Exit::Locked`] when another run has it.
    pub(super) fn take(id: &str, name: &str) -> Result<Self, Failure> {
        let bound = SocketAddr::from_abstract_name(format!("ww-ctl/upgrade/{id}"))
            .and_then(|address| UnixListener::bind_addr(&address));
        bound.map(Self).map_err(|error| {
            if error.kind() == io::ErrorKind::AddrInUse {
                let message = format!("another ww-ctl on this machine upgrades {name} just now");
                return Failure::new(Exit::Locked, message).hint("wait until it has ended");
            }
            let message = format!("cannot make sure that no other ww-ctl upgrades {name}: {error}");
            Failure::new(Exit::Failed, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_kept_out_until_the_first_has_ended() {
        let id = format!("test-{}", std::process::id());
        let lock = Lock::take(&id, "shop").unwrap();
        let refused = Lock::take(&id, "shop").unwrap_err();
        assert_eq!(refused.exit, Exit::Locked);
        assert!(Lock::take(&format!("{id}-other"), "db").is_ok());
        drop(lock);
        assert!(Lock::take(&id, "shop").is_ok());
    }
}
