//! What an instance prints: kept for the case that it fails, searched for known causes, shown if asked for.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::causes::{self, Cause};
use crate::ui::Ui;

/// How many lines are kept.
const KEPT_LINES: usize = 30;
/// A longer line is taken for several.
const LONGEST_LINE: usize = 16 << 10;
/// How much of a line is shown in an error.
const SHOWN: usize = 400;

/// An instance's log, written by one thread and read by another.
#[derive(Debug)]
pub(super) struct Log {
    show: Option<Ui>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    unfinished: Vec<u8>,
    last: VecDeque<String>,
    cause: Option<Found>,
}

/// A known cause and the line that gave it away.
#[derive(Debug, Clone)]
pub(super) struct Found {
    place: usize,
    pub(super) cause: &'static Cause,
    pub(super) line: String,
}

impl Log {
    /// An empty log; lines are shown as they come if there is somebody to show them to.
    pub(super) fn new(show: Option<Ui>) -> Self {
        Self { show, state: Mutex::default() }
    }

    /// The best explanation so far.
    pub(super) fn cause(&self) -> Option<Found> {
        self.state().cause.clone()
    }

    /// Whether the user sees each line as it comes.
    pub(super) fn is_shown(&self) -> bool {
        self.show.is_some()
    }

    /// The last lines.
    pub(super) fn last(&self) -> Vec<String> {
        self.state().last.iter().cloned().collect()
    }

    /// Takes what was printed.
    pub(super) fn take(&self, bytes: &[u8]) {
        let mut state = self.state();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            state.unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") || state.unfinished.len() >= LONGEST_LINE {
                self.finish(&mut state);
            }
        }
    }

    /// Takes what has no line end yet as a line: nothing more will come.
    pub(super) fn end(&self) {
        let mut state = self.state();
        if !state.unfinished.is_empty() {
            self.finish(&mut state);
        }
    }

    fn finish(&self, state: &mut State) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut state.unfinished)).trim_end().to_owned();
        if let Some(ui) = &self.show {
            ui.step(&format!("  | {line}"));
        }
        if let Some((place, cause)) = causes::of(&line)
            && state.cause.as_ref().is_none_or(|known| place < known.place)
        {
            state.cause = Some(Found { place, cause, line: shortened(&line) });
        }
        if !line.is_empty() {
            state.last.push_back(shortened(&line));
            if state.last.len() > KEPT_LINES {
                state.last.pop_front();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shortened(line: &str) -> String {
    fnpack_core::pipeline::one_line(line, SHOWN)
}

impl Write for &Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_the_last_are_kept() {
        let log = Log::new(None);
        log.take(b"one\ntw");
        log.take(b"o\r\n\nthree");
        assert_eq!(log.last(), ["one", "two"]);
        log.end();
        assert_eq!(log.last(), ["one", "two", "three"]);
        for number in 0..100 {
            log.take(format!("{number}\n").as_bytes());
        }
        assert_eq!((log.last().len(), log.last().first().map(String::as_str)), (KEPT_LINES, Some("70")));
    }

    #[test]
    fn line_without_end_does_not_grow_for_ever() {
        let log = Log::new(None);
        for _ in 0..100 {
            log.take(&[0xff; 1000]);
        }
        assert!(log.state().unfinished.len() < LONGEST_LINE);
        assert!(log.last().iter().all(|line| line.chars().count() <= SHOWN + 1));
    }

    #[test]
    fn best_explanation_wins_over_later_ones() {
        let log = Log::new(None);
        assert!(log.cause().is_none());
        log.take(b"Connection refused\nModuleNotFoundError: No module named 'x'\nCould not import User Function Module f.F\n");
        let found = log.cause().unwrap();
        assert_eq!((found.cause.text, found.line.as_str()), ("a Python module is missing", "ModuleNotFoundError: No module named 'x'"));
    }
}
