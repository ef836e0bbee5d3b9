//! How things look: colours by role, and the signs that go with them.

use ratatui::style::{Color, Modifier, Style};
use whaleware::env;

/// Whether colours may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tint {
    /// The terminal's own 16 colours.
    Sixteen,
    /// None; only weight, underlining and inversion.
    Monochrome,
}

/// What a piece of text is, which decides how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Ordinary text.
    Plain,
    /// What matters most in its line.
    Strong,
    /// What matters least.
    Dim,
    /// The heading of a column or a section.
    Heading,
    /// It serves.
    Good,
    /// It is on its way.
    Busy,
    /// It needs a look.
    Warn,
    /// It has failed.
    Bad,
    /// The row under the cursor.
    Selected,
    /// The same while the details have the movement keys.
    Resting,
    /// A key to press.
    Key,
    /// A mode that must not be overlooked.
    Banner,
    /// What was searched for.
    Found,
}

/// The signs.
#[derive(Debug)]
pub(crate) struct Glyphs {
    /// UP.
    pub up: &'static str,
    /// UP, but failing.
    pub failing: &'static str,
    /// ERROR, or ended badly.
    pub failed: &'static str,
    /// RESTARTING.
    pub restarting: &'static str,
    /// On its way up.
    pub starting: &'static str,
    /// On its way down.
    pub stopping: &'static str,
    /// Down.
    pub down: &'static str,
    /// Nothing heard yet.
    pub unheard: &'static str,
    /// Not heard any more.
    pub stale: &'static str,
    /// Frozen by Docker.
    pub paused: &'static str,
    /// No life cycle.
    pub plain: &'static str,
    /// The row under the cursor.
    pub cursor: &'static str,
    /// A marked row.
    pub mark: &'static str,
    /// A bar.
    pub bar: &'static str,
    /// The end of a bar that still grows.
    pub growing: &'static str,
    /// What lies before a bar.
    pub track: &'static str,
    /// How high something is, from nothing in eighths to full.
    pub levels: [char; 9],
    /// A rule.
    pub rule: &'static str,
    /// Between two things.
    pub dot: &'static str,
    /// From one to the next.
    pub arrow: &'static str,
    /// Sorted downwards.
    pub descending: &'static str,
    /// Sorted upwards.
    pub ascending: &'static str,
    /// No figure yet.
    pub none: &'static str,
    /// Text was left out.
    pub more: &'static str,
    /// More lines below.
    pub below: &'static str,
    /// More lines above.
    pub above: &'static str,
}

static UNICODE: Glyphs = Glyphs {
    up: "●",
    failing: "▲",
    failed: "✖",
    restarting: "↻",
    starting: "◐",
    stopping: "▼",
    down: "○",
    unheard: "◌",
    stale: "?",
    paused: "‖",
    plain: "·",
    cursor: "▸",
    mark: "✓",
    bar: "█",
    growing: "▒",
    track: " ",
    levels: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    rule: "─",
    dot: "·",
    arrow: "→",
    descending: "▾",
    ascending: "▴",
    none: "–",
    more: "…",
    below: "↓",
    above: "↑",
};

static ASCII: Glyphs = Glyphs {
    up: "+",
    failing: "!",
    failed: "X",
    restarting: "@",
    starting: ">",
    stopping: "v",
    down: "o",
    unheard: ".",
    stale: "?",
    paused: "=",
    plain: ":",
    cursor: ">",
    mark: "*",
    bar: "#",
    growing: "+",
    track: " ",
    levels: [' ', '_', '_', '.', '.', ':', ':', '|', '#'],
    rule: "-",
    dot: "-",
    arrow: "->",
    descending: "v",
    ascending: "^",
    none: "-",
    more: "~",
    below: "v",
    above: "^",
};

/// How everything looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    tint: Tint,
    charset: Charset,
    palette: Palette,
}

/// Which colours say what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Palette {
    /// It serves.
    pub good: Color,
    /// It is on its way.
    pub busy: Color,
    /// It needs a look.
    pub warn: Color,
    /// It has failed.
    pub bad: Color,
    /// A key to press.
    pub key: Color,
}

impl Palette {
    /// The terminal's own 16 colours.
    pub(crate) const USUAL: Self = Self {
        good: Color::Green,
        busy: Color::Cyan,
        warn: Color::Yellow,
        bad: Color::Red,
        key: Color::Cyan,
    };
    /// The same, bright.
    const BRIGHT: Self = Self {
        good: Color::LightGreen,
        busy: Color::LightCyan,
        warn: Color::LightYellow,
        bad: Color::LightRed,
        key: Color::LightCyan,
    };
    /// Dark enough for a bright background; of the 256 colours.
    const LIGHT: Self = Self {
        good: Color::Indexed(28),
        busy: Color::Indexed(25),
        warn: Color::Indexed(130),
        bad: Color::Indexed(124),
        key: Color::Indexed(25),
    };
    /// Told apart without red and green; of the 256 colours.
    const COLOUR_BLIND: Self = Self {
        good: Color::Indexed(32),
        busy: Color::Indexed(74),
        warn: Color::Indexed(214),
        bad: Color::Indexed(166),
        key: Color::Indexed(74),
    };

    /// Those there are, by their names.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("usual", Self::USUAL),
        ("bright", Self::BRIGHT),
        ("light", Self::LIGHT),
        ("colour-blind", Self::COLOUR_BLIND),
    ];
}

/// What the terminal can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Unicode,
    Ascii,
}

impl Look {
    /// Good for counting lines, where looks do not matter.
    pub(crate) const PLAIN: Self = Self {
        tint: Tint::Monochrome,
        charset: Charset::Unicode,
        palette: Palette::USUAL,
    };

    /// As the environment wants it. `variable` answers with the value of an environment variable.
    pub(crate) fn from_environment(tint: Tint, variable: impl Fn(&str) -> Option<String>) -> Self {
        // As the C library does it: the first one that is set and not empty decides.
        let locale = [env::LC_ALL, env::LC_CTYPE, env::LANG]
            .into_iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let unicode = locale.is_some_and(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let charset = if unicode {
            Charset::Unicode
        } else {
            Charset::Ascii
        };
        Self {
            tint,
            charset,
            palette: Palette::USUAL,
        }
    }

    /// The same with other colours, and with signs of ASCII alone or with all of them, whatever the
    /// locale says.
    pub(crate) const fn chosen(self, palette: Palette, ascii: Option<bool>) -> Self {
        let charset = match ascii {
            Some(true) => Charset::Ascii,
            Some(false) => Charset::Unicode,
            None => self.charset,
        };
        Self {
            charset,
            palette,
            ..self
        }
    }

    /// The signs.
    pub(crate) fn glyphs(self) -> &'static Glyphs {
        match self.charset {
            Charset::Unicode => &UNICODE,
            Charset::Ascii => &ASCII,
        }
    }

    /// Whether nothing but ASCII may be printed.
    pub(crate) fn is_ascii(self) -> bool {
        self.charset == Charset::Ascii
    }

    /// How a piece of text looks.
    pub(crate) fn style(self, role: Role) -> Style {
        let plain = Style::new();
        let modifiers = match role {
            Role::Plain | Role::Good | Role::Busy => Modifier::empty(),
            Role::Strong | Role::Bad | Role::Key | Role::Resting => Modifier::BOLD,
            Role::Dim => Modifier::DIM,
            Role::Heading => match self.tint {
                Tint::Sixteen => Modifier::DIM,
                Tint::Monochrome => Modifier::UNDERLINED,
            },
            Role::Warn => match self.tint {
                Tint::Sixteen => Modifier::empty(),
                Tint::Monochrome => Modifier::UNDERLINED,
            },
            Role::Selected | Role::Found => Modifier::REVERSED,
            Role::Banner => Modifier::REVERSED.union(Modifier::BOLD),
        };
        let style = plain.add_modifier(modifiers);
        let color = match role {
            Role::Good => self.palette.good,
            Role::Busy => self.palette.busy,
            Role::Key => self.palette.key,
            Role::Warn | Role::Found => self.palette.warn,
            Role::Bad => self.palette.bad,
            Role::Plain
            | Role::Strong
            | Role::Dim
            | Role::Heading
            | Role::Selected
            | Role::Resting
            | Role::Banner => return style,
        };
        match self.tint {
            Tint::Sixteen => style.fg(color),
            Tint::Monochrome => style,
        }
    }

    /// How one of several looks that are to be told apart, where colours may be used.
    pub(crate) fn apart(self, number: usize) -> Style {
        const COLOURS: [Color; 6] = [
            Color::Cyan,
            Color::Magenta,
            Color::Green,
            Color::Yellow,
            Color::Blue,
            Color::LightCyan,
        ];
        match self.tint {
            Tint::Sixteen => Style::new().fg(COLOURS[number % COLOURS.len()]),
            Tint::Monochrome => Style::new(),
        }
    }
}
