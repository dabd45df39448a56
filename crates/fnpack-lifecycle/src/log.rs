//! What a phase says, on standard output as the reference lifecycle does.

use std::io::{self, IsTerminal, Write};
use std::str::FromStr;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Level {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

/// Not one of the four words.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no log level: `debug`, `info`, `warn` and `error` are")]
pub(crate) struct LevelError {
    text: String,
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        Ok(match text {
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "error" => Self::Error,
            other => return Err(LevelError { text: other.to_owned() }),
        })
    }
}

/// Says things.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) color: bool,
}

const CYAN: &str = "\x1b[36;1m";
const YELLOW: &str = "\x1b[33;1m";
const RED: &str = "\x1b[31;1m";
const PLAIN: &str = "\x1b[0m";

impl Log {
    /// In colour on a terminal only: logs are mostly kept in files.
    pub(crate) fn new(level: Level, no_color: bool) -> Self {
        Self { level, color: !no_color && io::stdout().is_terminal() }
    }

    /// The start of a phase.
    pub(crate) fn phase(self, name: &str) {
        let text = format!("{} {name}", self.colored(CYAN, "===>"));
        self.say(Level::Info, &text);
    }

    pub(crate) fn debug(self, text: &str) {
        self.say(Level::Debug, text);
    }

    pub(crate) fn info(self, text: &str) {
        self.say(Level::Info, text);
    }

    pub(crate) fn warn(self, text: &str) {
        let text = format!("{}{text}", self.colored(YELLOW, "Warning: "));
        self.say(Level::Warn, &text);
    }

    pub(crate) fn error(self, text: &str) {
        let text = format!("{}{text}", self.colored(RED, "ERROR: "));
        self.say(Level::Error, &text);
    }

    fn colored(self, color: &str, text: &str) -> String {
        if self.color { format!("{color}{text}{PLAIN}") } else { text.to_owned() }
    }

    fn say(self, level: Level, text: &str) {
        if level >= self.level {
            // Nobody is left to tell if the stream is closed.
            let _ = writeln!(io::stdout(), "{text}");
        }
    }
}
