//! The operator's terminal while its keys go to a program in a container.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::engine::Size;

/// How the terminal was. There is one for the whole process, and a panic has to know.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// The terminal while every key goes through. Given back when dropped, and before a panic is told.
pub(super) struct Raw(());

impl Raw {
    /// Takes it.
    pub(super) fn take() -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        let modes = tcgetattr(io::stdin())?;
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(modes.clone());
        let raw = Self(());
        set_raw(modes)?;
        Ok(raw)
    }
}

/// Takes it again: whoever stopped this program and went on with it has set the terminal for itself
/// meanwhile.
pub(super) fn take_again() -> io::Result<()> {
    set_raw(tcgetattr(io::stdin())?)
}

impl Drop for Raw {
    fn drop(&mut self) {
        give_back();
    }
}

fn set_raw(mut modes: Termios) -> io::Result<()> {
    cfmakeraw(&mut modes);
    Ok(tcsetattr(io::stdin(), SetArg::TCSANOW, &modes)?)
}

fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(modes) = before {
        // Where that fails the terminal is gone, and there is nobody left to tell.
        let _gone = tcsetattr(io::stdin(), SetArg::TCSANOW, &modes);
    }
}

/// How large it is.
pub(super) fn size() -> Option<Size> {
    let (columns, rows) = crossterm::terminal::size().ok()?;
    (columns > 0 && rows > 0).then_some(Size { rows, columns })
}
