//! What reaches the dashboard and what it asks for.

use super::configuration::Setting;
use super::own::Own;
use super::tape::{Telling, Wind};
use crate::fleet::{Container, ContainerKey, Input, Stamp};
use crossterm::event::{KeyEvent, MouseEvent};
use jiff::Timestamp;
use whaleware::protocol::Resources;

/// Something that happened, and when.
#[derive(Debug, Clone)]
pub(crate) struct Msg {
    /// When.
    pub at: Stamp,
    /// What.
    pub event: Event,
}

/// What can happen to a dashboard.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// The fleet has news.
    Input(Box<Input>),
    /// What came of a request.
    Reply(Reply),
    /// A container has printed something.
    Printed(Printed),
    /// What a container is configured with, or why that is not known.
    Configuration(ContainerKey, Result<Vec<Setting>, String>),
    /// What the dashboard itself costs.
    Own(Own),
    /// A frame is about to be drawn, or the time shown has moved on.
    Frame,
    /// The feed has ended; nothing new will come.
    FeedEnded,
    /// A recording is told otherwise, or to its end.
    Telling(Telling),
    /// It is told from its beginning again.
    Rewound,
    /// What happens is not recorded any more; why.
    NotRecorded(String),
}

/// What the runtime is to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cmd {
    /// What is seen has changed.
    Draw,
    /// Figures that change all the time have changed; with the next tick of the clock will do.
    Refresh,
    /// Act on a container.
    Act(Request),
    /// Restart containers one after the other.
    Roll(Vec<Container>),
    /// Give the terminal to a shell in a container, and take it again.
    Shell(Box<Container>),
    /// Have the terminal keep a text for pasting.
    Copy(String),
    /// Tell what these containers have printed last and print from now on, and no others.
    Follow(Vec<ContainerKey>),
    /// Find out what a container is configured with.
    ReadConfiguration(ContainerKey),
    /// Have the Engine tell what these containers use, and no others.
    Measure(Vec<ContainerKey>),
    /// Listen to the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Go through the recording.
    Wind(Wind),
    /// Give the terminal back and stop until continued.
    Suspend,
    /// Leave.
    Quit,
}

/// What can be done to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    /// Stop and start its services.
    Restart,
    /// Stop it.
    Stop,
    /// Start it.
    Start,
    /// End its processes without asking them.
    Kill,
    /// Keep what it has.
    Backup,
}

impl Verb {
    /// The word for it, which is also the command's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Kill => "kill",
            Self::Backup => "backup",
        }
    }
}

/// What a container has printed since that was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Printed {
    /// The container.
    pub key: ContainerKey,
    /// Whether its output is read anew: what was told before is over, and may come again.
    pub is_anew: bool,
    /// In its order, each with its time by the Engine's clock where that is known.
    pub lines: Vec<(Option<Timestamp>, Said)>,
}

/// What a line of output says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// What was printed.
    Line(String),
    /// So many lines came too fast.
    LeftOut(u64),
    /// Something about the reading itself.
    Word(String),
    /// Why it cannot be read, which is the end of it.
    Failed(String),
}

/// What is to be done to which container, bound to the life it was decided for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    /// What.
    pub verb: Verb,
    /// The container as it was then; whoever acts must not act on a later life of it.
    pub container: Box<Container>,
}

/// What came of a request: not whether it is true already, which the fleet tells, but whether it
/// was sent. A backup is the exception: of that the answer tells all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The container.
    pub key: ContainerKey,
    /// What was asked.
    pub verb: Verb,
    /// What there is to say of it, or why it could not be sent.
    pub result: Result<String, String>,
}

/// What goes out of the dashboard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Errand {
    /// Act on a container.
    Act(Request),
    /// Restart containers one after the other; there is an answer for each.
    Roll(Vec<Container>),
    /// Tell what these containers have printed last and print from now on, and no others.
    Follow(Vec<ContainerKey>),
    /// Find out what a container is configured with.
    ReadConfiguration(ContainerKey),
    /// Have the Engine tell what these containers use, and no others.
    Measure(Vec<ContainerKey>),
}

/// What comes back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// What came of a request.
    Acted(Reply),
    /// What a container is configured with, or why that is not known.
    Configuration(ContainerKey, Result<Vec<Setting>, String>),
    /// What a container uses as its host counts it; none where it does not any more.
    Used(ContainerKey, Option<Resources>),
}
