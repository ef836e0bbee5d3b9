//! The loop: messages in, commands out, frames when something changed.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, KeyCode};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, getpid, getppid, getsid};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;
use whaleware::lifecycle::Moment;

use super::model::{Access, FeedStatus, Keeping, Model, Scope, Tone};
use super::msg::{Answer, Cmd, Errand, Event, Msg, Printed, Reply, Request, Verb};
use super::own::{Frames, Meter};
use super::settings::Settings;
use super::shell::Shell;
use super::tape::{Tape, Wind};
use super::term::{self, Keys, Screen};
use super::theme::Look;
use super::update::update;
use super::view;
use crate::fleet::{Container, ContainerKey, HostName, Input, Stamp};
use crate::selection::Selection;

/// Between two frames that show news, on the average: ten a second are more than anybody reads.
const FRAME: Duration = Duration::from_millis(100);
/// Between two frames that answer a key, which must not be felt, or show the first of some news.
const QUICK_FRAME: Duration = Duration::from_millis(30);
/// How far quick frames may run ahead of the average.
const BURST: Duration = Duration::from_millis(300);
/// Between two frames that show that time goes by, or figures that change all the time. All ages
/// tick together: each by itself would be as many frames as there are rows.
const TICK: Duration = Duration::from_secs(1);
/// The most news taken in before keys are looked at again.
const BATCH: usize = 256;
/// The same where one goes far at once.
const LEAP: usize = 10_000;

/// Where news come from and requests go to.
#[derive(Debug)]
pub(crate) struct Feed<'a> {
    /// The hosts there will be news of.
    pub hosts: Vec<HostName>,
    /// The news.
    pub inputs: &'a mut mpsc::Receiver<Input>,
    /// What is to be done to containers.
    pub errands: mpsc::Sender<Errand>,
    /// What came of it.
    pub answers: &'a mut mpsc::Receiver<Answer>,
    /// What containers print, where that is followed.
    pub printed: &'a mut mpsc::Receiver<Printed>,
    /// Whether the news are kept, or were.
    pub tape: Tape,
    /// What runs a shell in a container; none where there are none, as in a recording.
    pub shell: Option<Shell>,
}

/// How the dashboard begins.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// By which address to name a host on the command line, where it has to be named.
    pub urls: BTreeMap<HostName, String>,
    /// Which containers it is about.
    pub selection: Selection,
    /// Whether they may be acted on.
    pub access: Access,
    /// How it looks.
    pub look: Look,
    /// Whether the key F12 is a fault of the program, for tests of what then becomes of the terminal.
    pub fault: bool,
    /// What its user has chosen.
    pub settings: Settings,
}

impl Start {
    /// The dashboard as it begins.
    pub(super) fn model(
        self,
        hosts: impl IntoIterator<Item = HostName>,
        size: (u16, u16),
        now: Stamp,
    ) -> Model {
        let mut model = Model::new(hosts, self.access, size, now);
        if self.selection.all {
            model.scope = Scope::All;
        }
        model.keymap = self.settings.keymap;
        model.columns = self.settings.columns;
        model.mouse = self.settings.mouse;
        if let Some(sort) = self.settings.sort {
            model.sort = sort;
        }
        model.urls = self.urls;
        model.selection = self.selection;
        model
    }
}

/// How the dashboard ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The operator left.
    Quit,
    /// By this signal.
    Signal(i32),
}

/// Why there is no dashboard.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TuiError {
    /// Input or output is no terminal.
    #[error("cannot show the dashboard: standard input and output are not a terminal")]
    NotATerminal,
    /// The terminal does not do what it should.
    #[error("cannot use the terminal")]
    Terminal(#[from] io::Error),
}

/// Shows the dashboard until the operator leaves or a signal says so. `clock` tells the time, `frames`
/// is told how long each took.
///
/// # Errors
/// When there is no terminal, or it goes away.
pub(crate) async fn run(
    feed: Feed<'_>,
    start: Start,
    clock: impl Fn() -> Stamp,
    frames: &mut Frames,
) -> Result<Ended, TuiError> {
    if !term::is_terminal() {
        return Err(TuiError::NotATerminal);
    }
    // Before the terminal is taken: a signal in between must find its handler.
    let mut signals = Terminating::listen()?;
    let mut stop = signal(SignalKind::from_raw(libc::SIGTSTP))?;
    let mut go_on = signal(SignalKind::from_raw(libc::SIGCONT))?;
    let mut screen = Screen::open(start.settings.mouse)?;
    let mut keys = Keys::new();
    let look = start.look;
    let fault = start.fault;
    let mut tape = feed.tape;
    let mut stopped = tape.begin(clock().moment);
    let mut model = start.model(feed.hosts.clone(), screen.size()?, tape.at(clock()));
    model.keeping = tape.keeping();
    let mut pace = Pace::new(model, look, clock, tape, frames);
    pace.draw(&mut screen)?;
    if pace.tape.is_over() {
        pace.tell_how();
    }
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let commands = tokio::select! {
            biased;
            // First: nothing may be drawn any more.
            () = term::lost() => return Err(io::Error::other("it was given back after a panic").into()),
            number = signals.next() => return Ok(Ended::Signal(number)),
            _ = stop.recv() => vec![Cmd::Suspend],
            _ = go_on.recv() => {
                // Whoever stopped us may have changed the terminal meanwhile.
                screen.take_again()?;
                pace.draw(&mut screen)?
            }
            event = keys.next() => match event {
                Some(event) => {
                    let event = event?;
                    if fault {
                        fail_on_purpose(&event);
                    }
                    pace.terminal(event)
                }
                // The terminal is gone; the signal that says so may come later or never.
                None => return Ok(Ended::Signal(libc::SIGHUP)),
            },
            Some(answer) = feed.answers.recv() => pace.answered(answer),
            reason = heard(&mut stopped) => pace.news(Event::NotRecorded(reason)),
            () = tokio::time::sleep(pace.wait()) => pace.woken(&mut screen)?,
            count = feed.inputs.recv_many(&mut batch, BATCH), if pace.is_fed() => {
                pace.hears(count, &mut batch)
            }
            // Last: whoever prints without end must not keep anything else from being seen.
            Some(printed) = feed.printed.recv() => pace.news(Event::Printed(printed)),
        };
        for command in commands {
            match command {
                Cmd::Draw | Cmd::Refresh => {}
                Cmd::Act(request) => pace.send(&feed.errands, request),
                // Where too much waits already it is asked for again later.
                Cmd::Follow(keys) => pace.follow(&feed.errands, keys),
                Cmd::ReadConfiguration(key) => {
                    drop(feed.errands.try_send(Errand::ReadConfiguration(key)));
                }
                Cmd::Roll(containers) => pace.roll(&feed.errands, containers),
                Cmd::Copy(text) => screen.copy(&text)?,
                Cmd::Shell(container) => {
                    let Some(shell) = &feed.shell else {
                        continue;
                    };
                    // Nobody else may read what is typed in it.
                    drop(keys);
                    let told = {
                        let shell = shell.run(&mut screen, &container);
                        let mut shell = std::pin::pin!(shell);
                        loop {
                            tokio::select! {
                                biased;
                                number = signals.next() => return Ok(Ended::Signal(number)),
                                told = &mut shell => break told?,
                                // What happens meanwhile is taken in, and not drawn.
                                Some(answer) = feed.answers.recv() => drop(pace.answered(answer)),
                                count = feed.inputs.recv_many(&mut batch, BATCH), if pace.is_fed() => {
                                    drop(pace.hears(count, &mut batch));
                                }
                            }
                        }
                    };
                    keys = Keys::new();
                    pace.tell(told);
                    pace.draw(&mut screen)?;
                }
                Cmd::Measure(keys) => {
                    if feed.errands.try_send(Errand::Measure(keys)).is_err() {
                        pace.model.measured.clear();
                    }
                }
                Cmd::Mouse(wanted) => screen.listen_to_mouse(wanted)?,
                Cmd::Wind(wind) => pace.wind(wind),
                Cmd::Suspend if can_be_continued() => {
                    suspend(&mut screen)?;
                    pace.draw(&mut screen)?;
                }
                Cmd::Suspend => pace.refuse_to_suspend(),
                Cmd::Quit => return Ok(Ended::Quit),
            }
        }
    }
}

/// The model, and when it is to be drawn next.
struct Pace<'a, C> {
    model: Model,
    look: Look,
    clock: C,
    tape: Tape,
    meter: Meter,
    frames: &'a mut Frames,
    drawn: Moment,
    /// When all frames drawn so far would have been, at the average pace.
    paid: Moment,
    /// When the next frame is due; none when nothing has changed.
    due: Option<Moment>,
    /// How long after the last frame the time alone changes something on it; none when it does not.
    lasts: Option<Duration>,
}

impl<'a, C: Fn() -> Stamp> Pace<'a, C> {
    fn new(model: Model, look: Look, clock: C, tape: Tape, frames: &'a mut Frames) -> Self {
        let drawn = clock().moment;
        Self {
            model,
            look,
            clock,
            tape,
            meter: Meter::default(),
            frames,
            drawn,
            paid: drawn,
            due: None,
            lasts: None,
        }
    }

    fn take(&mut self, event: Event, frame: Duration) -> Vec<Cmd> {
        let at = self.tape.at((self.clock)());
        self.take_at(at, event, frame)
    }

    fn take_at(&mut self, at: Stamp, event: Event, frame: Duration) -> Vec<Cmd> {
        let kept = match &event {
            Event::Input(input) => self.tape.keep(at, input),
            Event::Key(_)
            | Event::Mouse(_)
            | Event::Paste(_)
            | Event::Resize(..)
            | Event::Reply(_)
            | Event::Printed(_)
            | Event::Configuration(..)
            | Event::Own(_)
            | Event::Frame
            | Event::FeedEnded
            | Event::Telling(_)
            | Event::Rewound
            | Event::NotRecorded(_) => None,
        };
        let mut commands = update(&mut self.model, Msg { at, event });
        if let Some(reason) = kept {
            let event = Event::NotRecorded(reason);
            commands.extend(update(&mut self.model, Msg { at, event }));
        }
        let pause = commands.iter().filter_map(|command| match command {
            Cmd::Draw => Some(frame),
            Cmd::Refresh => Some(TICK),
            Cmd::Act(_)
            | Cmd::Roll(_)
            | Cmd::Shell(_)
            | Cmd::Copy(_)
            | Cmd::Follow(_)
            | Cmd::ReadConfiguration(_)
            | Cmd::Measure(_)
            | Cmd::Mouse(_)
            | Cmd::Wind(_)
            | Cmd::Suspend
            | Cmd::Quit => None,
        });
        if let Some(pause) = pause.min() {
            let due = self.drawn + pause;
            self.due = Some(self.due.map_or(due, |known| known.min(due)));
        }
        commands
    }

    /// News are shown at once, unless so many came before that they add up to a flicker.
    fn news(&mut self, event: Event) -> Vec<Cmd> {
        let ahead = self.paid - (self.clock)().moment;
        let frame = if ahead <= BURST { QUICK_FRAME } else { FRAME };
        self.take(event, frame)
    }

    fn terminal(&mut self, event: TerminalEvent) -> Vec<Cmd> {
        let event = match event {
            TerminalEvent::Key(key) => Event::Key(key),
            TerminalEvent::Paste(text) => Event::Paste(text),
            TerminalEvent::Resize(width, height) => Event::Resize(width, height),
            TerminalEvent::Mouse(mouse) => Event::Mouse(mouse),
            TerminalEvent::FocusGained | TerminalEvent::FocusLost => {
                return Vec::new();
            }
        };
        self.take(event, QUICK_FRAME)
    }

    fn is_fed(&self) -> bool {
        self.model.feed == FeedStatus::Open && !matches!(self.tape, Tape::Replay(_))
    }

    /// How long until the next frame: until it is due, or until the time alone changes something.
    fn wait(&self) -> Duration {
        const IDLE: Duration = Duration::from_secs(3600);
        let told = self.tape.wait((self.clock)().moment);
        let wait = told.into_iter().chain(self.frame_wait()).min();
        wait.unwrap_or(IDLE)
    }

    /// The wait is over: what a recording has to tell is told, up to the next frame.
    fn woken(&mut self, screen: &mut Screen) -> io::Result<Vec<Cmd>> {
        if self.frame_wait().is_some_and(|wait| wait.is_zero()) {
            return self.draw(screen);
        }
        self.catch_up(BATCH);
        Ok(Vec::new())
    }

    /// Takes in what a recording has to tell by now, so much at most. There is nothing to be done
    /// about what has been.
    fn catch_up(&mut self, most: usize) {
        for _ in 0..most {
            let now = (self.clock)().moment;
            match self.tape.tell(now) {
                None => break,
                Some(Ok((at, input))) => {
                    let event = Event::Input(Box::new(input));
                    self.take_at(at, event, FRAME);
                }
                // How it has ended says so.
                Some(Err(_)) => {}
            }
            if self.tape.is_over() {
                self.tell_how();
            }
        }
    }

    /// Goes through a recording.
    fn wind(&mut self, wind: Wind) {
        let now = (self.clock)().moment;
        match self.tape.wind(wind, now) {
            Ok(false) => {}
            Ok(true) => drop(self.news(Event::Rewound)),
            Err(reason) => self.tell(Err(reason)),
        }
        // One goes from picture to picture, and does not see all those between.
        self.catch_up(LEAP);
        self.tell_how();
    }

    /// Says how a recording is told.
    fn tell_how(&mut self) {
        if let Keeping::Replayed(telling) = self.tape.keeping() {
            self.news(Event::Telling(telling));
        }
    }

    fn frame_wait(&self) -> Option<Duration> {
        let now = (self.clock)().moment;
        let due = self.due.map(|due| due - now);
        let change = self
            .lasts
            .map(|wait| self.drawn + self.tape.shortened(wait).max(TICK) - now);
        due.into_iter().chain(change).min()
    }

    fn draw(&mut self, screen: &mut Screen) -> io::Result<Vec<Cmd>> {
        let now = (self.clock)().moment;
        let at = self.tape.at((self.clock)());
        // Asked again at every frame: a message about a resize can come after the frame.
        let size = screen.size()?;
        if size != self.model.size {
            update(
                &mut self.model,
                Msg {
                    at,
                    event: Event::Resize(size.0, size.1),
                },
            );
        }
        if let Some(own) = self.meter.look(now) {
            let event = Event::Own(own);
            update(&mut self.model, Msg { at, event });
        }
        let commands = update(
            &mut self.model,
            Msg {
                at,
                event: Event::Frame,
            },
        );
        let (model, look) = (&self.model, self.look);
        screen.draw(|frame| view::view(model, look, frame))?;
        self.frames.took((self.clock)().moment - now);
        self.drawn = now;
        self.paid = self.paid.max(now) + FRAME;
        self.due = None;
        self.lasts = view::next_change(&self.model);
        Ok(commands)
    }

    fn send(&mut self, errands: &mpsc::Sender<Errand>, request: Request) {
        let reply = Reply {
            key: request.container.key.clone(),
            verb: request.verb,
            result: Err("too much is under way; try again".into()),
        };
        if errands.try_send(Errand::Act(request)).is_err() {
            self.news(Event::Reply(reply));
        }
    }

    /// Takes in what came of a request.
    fn answered(&mut self, answer: Answer) -> Vec<Cmd> {
        self.news(match answer {
            Answer::Acted(reply) => Event::Reply(reply),
            Answer::Configuration(key, settings) => Event::Configuration(key, settings),
            Answer::Used(key, used) => Event::Input(Box::new(Input::Used { key, used })),
        })
    }

    /// Takes in so many news; none when there will be none any more.
    fn hears(&mut self, count: usize, batch: &mut Vec<Input>) -> Vec<Cmd> {
        if count == 0 {
            return self.news(Event::FeedEnded);
        }
        let inputs = batch.drain(..);
        inputs
            .flat_map(|input| self.news(Event::Input(Box::new(input))))
            .collect()
    }

    fn tell(&mut self, told: Result<String, String>) {
        match told {
            Ok(text) => self.model.say(Tone::Calm, text),
            Err(text) => self.model.say(Tone::Wrong, text),
        }
    }

    fn roll(&mut self, errands: &mpsc::Sender<Errand>, containers: Vec<Container>) {
        let keys: Vec<_> = containers.iter().map(|one| one.key.clone()).collect();
        if errands.try_send(Errand::Roll(containers)).is_err() {
            for key in keys {
                let result = Err("too much is under way; try again".into());
                let verb = Verb::Restart;
                self.news(Event::Reply(Reply { key, verb, result }));
            }
        }
    }

    fn follow(&mut self, errands: &mpsc::Sender<Errand>, keys: Vec<ContainerKey>) {
        if errands.try_send(Errand::Follow(keys)).is_err() {
            self.model.logs.ask_again();
        }
    }

    fn refuse_to_suspend(&mut self) {
        self.model.say(
            Tone::Wrong,
            "cannot suspend: there is no shell to come back from",
        );
        self.due = Some(self.drawn + QUICK_FRAME);
    }
}

/// Waits until recording has stopped by itself; why.
async fn heard(stopped: &mut Option<oneshot::Receiver<String>>) -> String {
    if let Some(told) = stopped {
        let told = told.await;
        *stopped = None;
        if let Ok(reason) = told {
            return reason;
        }
    }
    std::future::pending().await
}

/// The signals that end the dashboard.
struct Terminating {
    term: Signals,
    hup: Signals,
    int: Signals,
    quit: Signals,
}

impl Terminating {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.term.recv() => libc::SIGTERM,
            _ = self.hup.recv() => libc::SIGHUP,
            _ = self.int.recv() => libc::SIGINT,
            _ = self.quit.recv() => libc::SIGQUIT,
        }
    }
}

#[expect(clippy::panic, reason = "that is the purpose")]
fn fail_on_purpose(event: &TerminalEvent) {
    let is_key = |code| matches!(event, TerminalEvent::Key(key) if key.code == code);
    assert!(!is_key(KeyCode::F(12)), "a fault on purpose");
    if is_key(KeyCode::F(11)) {
        TaskTracker::new().spawn(async { panic!("a fault on purpose") });
    }
}

/// Whether a shell is there that can continue what is stopped; otherwise nobody ever would.
fn can_be_continued() -> bool {
    getpgrp() != getpid()
        || matches!((getsid(Some(getppid())), getsid(None)), (Ok(theirs), Ok(ours)) if theirs == ours)
}

/// Gives the terminal back and stops, with everything that was started together with us (`make`,
/// `sudo`), until continued.
fn suspend(screen: &mut Screen) -> io::Result<()> {
    term::give_back();
    kill(Pid::from_raw(0), Signal::SIGSTOP)?;
    screen.take_again()
}
