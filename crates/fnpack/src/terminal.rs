//! Questions to the person at the terminal.

use std::io::{self, BufRead, IsTerminal, Read};

use fnpack_core::registry::credentials::Secret;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::error::{Class, CommandError};
use crate::ui::Ui;

/// Nobody types more.
const LONGEST_LINE: usize = 64 * 1024;

const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const ERASE_LINE: u8 = 0x15;

/// Whether there is a person to answer.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a line that may be seen.
pub(crate) fn ask(question: &str, ui: &Ui) -> Result<String, CommandError> {
    ui.question(question);
    let mut line = String::new();
    io::stdin().lock().take(LONGEST_LINE as u64).read_line(&mut line).map_err(unreadable)?;
    Ok(line.trim().to_owned())
}

/// Asks for a line that nobody sees, not even its length.
pub(crate) fn ask_hidden(question: &str, ui: &Ui) -> Result<Secret, CommandError> {
    ui.question(question);
    let hidden = Hidden::begin().map_err(unreadable)?;
    let typed = typed(io::stdin().lock());
    drop(hidden);
    // What ended the line was hidden, too.
    ui.question("\n");
    match typed.map_err(unreadable)? {
        Some(line) => Ok(Secret::new(line)),
        None => Err(CommandError::message(Class::Interrupted, "stopped")),
    }
}

fn unreadable(error: io::Error) -> CommandError {
    CommandError::new(Class::Usage, error)
}

/// While this exists, the terminal shows nothing of what is typed and leaves all keys to us: Ctrl-C would otherwise end us and
/// leave it so.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

/// The line that these keys make; `None` if it was given up.
fn typed(keys: impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    for key in keys.bytes() {
        match key? {
            b'\n' | b'\r' => break,
            INTERRUPT => return Ok(None),
            END if line.is_empty() => return Ok(None),
            END => break,
            ERASE_LINE => line.clear(),
            0x08 | 0x7f => erase_letter(&mut line),
            letter if letter >= b' ' && line.len() < LONGEST_LINE => line.push(letter),
            _ => {}
        }
    }
    String::from_utf8(line).map(Some).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "what was typed is no UTF-8"))
}

/// A letter may be of several bytes: all but the first begin with the bits 10.
fn erase_letter(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line() {
        for (keys, expected) in [
            ("word\nmore", Some("word")),
            ("word\r", Some("word")),
            ("word", Some("word")),
            ("wrong\x15right\n", Some("right")),
            ("worx\x7fd\n", Some("word")),
            ("w\u{f6}\u{20ac}\x08\x08ord\n", Some("word")),
            ("\x7f\x7fword\n", Some("word")),
            ("wo\x1ard\x1b\n", Some("word")),
            ("pass word \n", Some("pass word ")),
            ("word\x04", Some("word")),
            ("\x04", None),
            ("wor\x03d\n", None),
            ("\n", Some("")),
        ] {
            assert_eq!(typed(keys.as_bytes()).unwrap().as_deref(), expected, "{keys:?}");
        }
        assert!(typed(&b"\xff\n"[..]).is_err());
        assert_eq!(typed("x".repeat(1 << 20).as_bytes()).unwrap().unwrap().len(), LONGEST_LINE);
    }
}
