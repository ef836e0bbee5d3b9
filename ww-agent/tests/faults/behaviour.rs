//! What a script can do that it should not.

use nix::sys::signal::Signal;

/// The twenty signals besides STOP that end a program which does not handle them.
pub(crate) const SIGNALS: [i32; 20] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27,
];

/// Processes a script makes.
const CHILDREN: u32 = 200;

/// What a script can do that it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// It does not end.
    Hangs,
    /// It does not end, nor when it is asked to.
    IgnoresTerm,
    /// It does not end, nor do its 200 children.
    Forks,
    /// It prints without end, and nobody reads it.
    Floods,
    /// It does not end, and a process of a session of its own does neither.
    Escapes,
    /// It leaves a daemon behind that holds its stdout and stderr.
    Daemonises,
    /// It is ended by this signal.
    Signalled(i32),
    /// It ends with this code.
    Exits(u8),
}

/// Those that are still running when the stop comes.
pub(crate) const RUNNING: [Behaviour; 5] = [
    Behaviour::Hangs,
    Behaviour::IgnoresTerm,
    Behaviour::Forks,
    Behaviour::Floods,
    Behaviour::Escapes,
];

impl Behaviour {
    /// Those that have ended by the time the stop comes: all of them, or a few.
    pub(crate) fn ended(all: bool) -> Vec<Self> {
        let signals: &[i32] = if all { &SIGNALS } else { &[1, 9, 11, 15] };
        let codes: Vec<u8> = if all {
            (0..=u8::MAX).collect()
        } else {
            vec![0, 1, 127, 143, 255]
        };
        let signals = signals.iter().map(|number| Self::Signalled(*number));
        let codes = codes.into_iter().map(Self::Exits);
        signals.chain(codes).chain([Self::Daemonises]).collect()
    }

    /// Whether the script is still running when the stop comes.
    pub(crate) fn is_running(self) -> bool {
        RUNNING.contains(&self)
    }

    /// What the agent must say about it; nothing when the script did well.
    pub(crate) fn complaint(self, script: &str) -> Option<String> {
        match self {
            Self::Signalled(number) => {
                let name = Signal::try_from(number).unwrap();
                Some(format!("{script} was ended by {}", name.as_str()))
            }
            Self::Exits(0)
            | Self::Hangs
            | Self::IgnoresTerm
            | Self::Forks
            | Self::Floods
            | Self::Escapes
            | Self::Daemonises => None,
            Self::Exits(code) => Some(format!("{script} exited {code}")),
        }
    }

    /// Whether a process is left that notes in the log that it was asked to end.
    pub(crate) const fn leaves_one_behind(self) -> bool {
        matches!(self, Self::Escapes | Self::Daemonises)
    }

    /// The name of it as a column of the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hangs => "hangs",
            Self::IgnoresTerm => "ignores TERM",
            Self::Forks => "200 children",
            Self::Floods => "floods stdout",
            Self::Escapes => "`setsid` escapes",
            Self::Daemonises => "daemonises, keeps the pipe",
            Self::Exits(0) => "exits 0",
            Self::Exits(_) => "exits 1–255",
            Self::Signalled(_) => "ended by a signal",
        }
    }

    /// What a shell script does for it. It makes the file `ready` when that has begun.
    pub(crate) fn body(self) -> String {
        let ready = ": > \"$ROOT/ready\"";
        // Notes that it was asked to end: it was, and was waited for. It makes no process after it has
        // said that it is ready: one that is being made while all are asked may not hear it.
        let other = |then: &str| {
            format!(
                "sh -c 'sleep 1000 & trap \"echo told >> \\\"$LOG\\\"; exit 0\" TERM; {then}; wait' $$ &"
            )
        };
        match self {
            Self::Hangs => format!("{ready}; exec sleep 1000"),
            Self::IgnoresTerm => {
                format!("trap '' TERM; {ready}; while :; do sleep 1; done")
            }
            // Each waits for a writer that does not come: cheaper to make than as many programs.
            Self::Forks => format!(
                "mkfifo \"$ROOT/fifo\"; i=0; while [ $i -lt {CHILDREN} ]; do
                 read -r line < \"$ROOT/fifo\" & i=$((i+1)); done; {ready}; wait"
            ),
            Self::Floods => format!("{ready}; exec yes"),
            Self::Escapes => format!("setsid {}\nexec sleep 1000", other(ready)),
            Self::Daemonises => {
                // The agent has seen the end of the script when its number is free.
                let then = format!(
                    ": > \"$ROOT/there\"; while kill -0 $0 2>&-; do sleep 0.01; done; {ready}"
                );
                let there = "until [ -e \"$ROOT/there\" ]; do sleep 0.01; done; exit 0";
                format!("{}\n{there}", other(&then))
            }
            Self::Signalled(number) => {
                format!("ulimit -c 0; {ready}; kill -{number} $$; exec sleep 1000")
            }
            Self::Exits(code) => format!("{ready}; exit {code}"),
        }
    }
}
