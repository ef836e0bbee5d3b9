//! The terminal: taken over for the dashboard, given back whatever happens.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, Event, EventStream};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use futures::StreamExt;
use futures::stream::{FuturesUnordered, StreamFuture};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};
use tokio::sync::Notify;

/// What makes a terminal tell of clicks and of the wheel, and not of every move.
const LISTEN: &str = "\u{1b}[?1000h\u{1b}[?1006h";
const LISTEN_NO_MORE: &str = "\u{1b}[?1006l\u{1b}[?1000l";

/// Whether the mouse is listened to, while the terminal is ours.
static MOUSE: AtomicBool = AtomicBool::new(false);
/// Whether the terminal is ours. It is one for the whole process, and a panic has to know.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// That somebody panicked: the loop may be waiting for something that does not come.
static LOST: Notify = Notify::const_new();
static HOOK: Once = Once::new();

/// The terminal while it shows the dashboard. Given back when dropped.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

/// Whether standard input and output are a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Waits until the terminal is not ours any more after a panic somewhere.
pub(super) async fn lost() {
    LOST.notified().await;
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open(mouse: bool) -> io::Result<Self> {
        MOUSE.store(mouse, Ordering::SeqCst);
        // Left to itself crossterm obeys NO_COLOR by a reset that also undoes inversion, and the
        // row under the cursor cannot be told from the others. What has no colour is in `theme`.
        crossterm::style::force_color_output(true);
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                LOST.notify_one();
                before(panic);
            }));
        });
        take()?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 14, io::stdout()));
        match Terminal::new(backend) {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Listens to the mouse, or leaves it to the terminal.
    pub(super) fn listen_to_mouse(&mut self, wanted: bool) -> io::Result<()> {
        MOUSE.store(wanted, Ordering::SeqCst);
        let words = if wanted { LISTEN } else { LISTEN_NO_MORE };
        self.terminal.backend_mut().write_all(words.as_bytes())?;
        self.terminal.backend_mut().flush()
    }

    /// Has the terminal keep a text for pasting (OSC 52); nobody knows whether it does.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let copy = CopyToClipboard::to_clipboard_from(text);
        execute!(self.terminal.backend_mut(), copy)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Draws a frame; only what differs from the last one is written, and shown at once.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(view)?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        self.terminal.backend_mut().flush()
    }

    /// Takes the terminal over again after [`give_back`]; the next frame is drawn in full.
    pub(super) fn take_again(&mut self) -> io::Result<()> {
        take()?;
        // Not `clear()`: that asks the terminal where its cursor is, and waits for the answer while
        // the keys are read elsewhere.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let taken = execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        cursor::Hide
    );
    let taken = taken.and_then(|()| {
        if MOUSE.load(Ordering::SeqCst) {
            execute!(io::stdout(), Print(LISTEN))
        } else {
            Ok(())
        }
    });
    if taken.is_err() {
        give_back();
    }
    taken
}

/// Gives the terminal back as it was. Does nothing when it is not ours.
pub(super) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    if MOUSE.load(Ordering::SeqCst) {
        let _ = execute!(io::stdout(), Print(LISTEN_NO_MORE));
    }
    // Where one of them fails the terminal is gone, and there is nobody left to tell.
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
}
/// What is typed, and what else the terminal tells.
pub(super) struct Keys {
    /// Asked only when there is something: to ask in vain, at each of the news, takes a lock that is
    /// held by who waits for keys.
    waiting: FuturesUnordered<StreamFuture<EventStream>>,
}

impl Keys {
    /// Whoever has this reads what is typed; nobody else may.
    pub(super) fn new() -> Self {
        Self {
            waiting: std::iter::once(EventStream::new().into_future()).collect(),
        }
    }

    /// What comes next; none when the terminal is gone. Nothing is lost when the call is given up.
    pub(super) async fn next(&mut self) -> Option<io::Result<Event>> {
        let (event, rest) = self.waiting.next().await?;
        if event.is_some() {
            self.waiting.push(rest.into_future());
        }
        event
    }
}
