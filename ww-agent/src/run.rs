//! The applet `run`: PID 1 of the container.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use whaleware::config::Settings;
use whaleware::lifecycle::Moment;
use whaleware::paths;

use crate::blackbox::BlackBox;
use crate::clock;
use crate::configuration::{Configuration, LoadError};
use crate::environment::Environment;
use crate::epitaph;
use crate::log::Level;
use crate::output::Output;
use crate::poller::{Interest, Poller, Token};
use crate::runtime::Runtime;
use crate::server;
use crate::shelf::Shelf;
use crate::signals::Signals;

/// It cannot begin at all.
const FAILED: u8 = 1;
/// The configuration cannot be used (`EX_CONFIG`).
const BAD_CONFIGURATION: u8 = 78;
/// The agent itself met a fault (`EX_SOFTWARE`).
const FAULT: u8 = 70;
/// The kernel refuses what the agent cannot do without (`EX_OSERR`).
const NO_SYSTEM: u8 = 71;
/// How long the last line may take to be read.
const LAST_LINE: Duration = Duration::from_secs(1);

thread_local! {
    /// Where the last panic was; its text is not kept, it might hold a secret.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Lives the container's life; answers its exit code.
///
/// With a `command` the container is there for that alone: it is the only service, its end is the
/// container's.
pub(crate) fn main(command: Option<Vec<OsString>>) -> ExitCode {
    // Before anything else: a signal that comes while PID 1 does not handle it is lost.
    let signals = Signals::block();
    let environment = Environment::read();
    let mut output = Output::new(environment.log_format);
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    // No mount is to be held by the agent's directory.
    if let Err(error) = std::env::set_current_dir("/") {
        output.log(Level::Warning, &format!("cannot change to /: {error}"));
    }
    let waiting = signals.and_then(|signals| {
        let poller = Poller::new()?;
        poller.add(&signals, Token::Signals, Interest::Read)?;
        Ok((signals, poller))
    });
    let (mut signals, poller) = match waiting {
        Ok(waiting) => waiting,
        Err(error) => {
            let text = format!("cannot wait for signals: {error}");
            return give_up(output, &environment, NO_SYSTEM, &text);
        }
    };
    // Two of them would manage the same services; a command of its own is nobody else's.
    if command.is_none()
        && let Some(pid) = other_agent(&environment)
    {
        let text = format!(
            "an agent runs in this container already, as process {pid}: two of them would start and \
             stop the same services; ask it with `ww-agent status`"
        );
        // The end of this one is not that of the container.
        output.log(Level::Error, &text);
        output.settle(LAST_LINE);
        return ExitCode::from(FAILED);
    }
    let is_guest = command.is_some() && !environment.path(paths::SCRIPTS).is_dir();
    let (configuration, settings) = match load(&environment, is_guest, &mut output) {
        Ok(loaded) => loaded,
        Err(error) => {
            let text = error.to_string();
            remember(&environment, BAD_CONFIGURATION, &text);
            return give_up(output, &environment, BAD_CONFIGURATION, &text);
        }
    };
    if command.is_some()
        && let Err(error) = signals.take_all()
    {
        let text = format!("some signals will not be passed on: {error}");
        output.log(Level::Warning, &text);
    }
    let mut runtime = Runtime::new(
        environment,
        configuration,
        settings,
        poller,
        signals,
        output,
        boot_id(),
    );
    if let Some(words) = command {
        runtime.wrap(words, directory, is_guest);
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        PLACE.with_borrow_mut(|kept| *kept = place.unwrap_or_default());
    }));
    if let Ok(code) = catch_unwind(AssertUnwindSafe(|| runtime.run())) {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    let place = PLACE.with_borrow(Clone::clone);
    // A second fault, in the clearing up of the first, must not keep the code from being told.
    let in_order = catch_unwind(AssertUnwindSafe(|| {
        runtime.stop_after_fault(&format!("at {place}"), FAULT.into())
    }));
    if !in_order.unwrap_or(false) {
        let _ = catch_unwind(AssertUnwindSafe(|| runtime.emergency(FAULT.into())));
    }
    ExitCode::from(FAULT)
}

/// In an image that knows nothing of whaleware `CFG` may be anything, and is then left to whom it
/// belongs.
fn load(
    environment: &Environment,
    is_guest: bool,
    output: &mut Output,
) -> Result<(Configuration, Settings), LoadError> {
    let configuration = match Configuration::load(environment) {
        Err(error) if is_guest => {
            let text = format!("not taken for the agent's configuration: {error}");
            output.log(Level::Warning, &text);
            Configuration::empty()
        }
        loaded => loaded?,
    };
    let settings = configuration.settings()?;
    Ok((configuration, settings))
}

/// The agent that lives this container's life, if that is not to be this one.
fn other_agent(environment: &Environment) -> Option<i32> {
    if std::process::id() == 1 {
        return None;
    }
    let usual = Environment {
        socket: None,
        ..environment.clone()
    };
    environment
        .sockets()
        .into_iter()
        .chain(usual.sockets())
        .find_map(|path| server::who_listens(&path))
}

/// Nobody was told a state, so this is all that is known of this boot. It matters too little to say
/// that it could not be kept.
fn remember(environment: &Environment, code: u8, text: &str) {
    let boot = format!("{:016x}", boot_id());
    let mut black_box = BlackBox::new(Shelf::of(environment), &boot);
    let _ = black_box.boot(None);
    let _ = black_box.exit(code.into(), Some(text));
}

fn give_up(mut output: Output, environment: &Environment, code: u8, text: &str) -> ExitCode {
    output.log(Level::Error, text);
    epitaph::leave(environment, text);
    output.settle(LAST_LINE);
    ExitCode::from(code)
}

/// A number that no other boot has.
fn boot_id() -> u64 {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    if read.is_ok() {
        return u64::from_ne_bytes(bytes);
    }
    // A root without devices: the clock and the process are all there is.
    let since = clock::now().since(Moment::default()).as_nanos();
    let wall = clock::wall().as_nanosecond();
    u64::try_from((since ^ wall.unsigned_abs()) & u128::from(u64::MAX)).unwrap_or(1)
}
