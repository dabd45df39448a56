//! All talk with the user: results to stdout, everything else to stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Results and errors.
    Quiet,
    /// A line a station.
    Normal,
    /// Details.
    Verbose,
}

/// The terminal, or what stands in its place.
///
/// Clones talk through the same terminal.
#[derive(Debug, Clone)]
pub(crate) struct Ui {
    level: Level,
    color: bool,
    bar: Arc<Mutex<Option<ProgressBar>>>,
    animate: bool,
    /// The end of what build steps printed and nobody saw, for an error that speaks of it.
    unseen: Arc<Mutex<Vec<u8>>>,
}

/// How much of it is kept.
const UNSEEN_LIMIT: usize = 16 << 10;

impl Ui {
    /// Colours and moving lines only on a terminal, and only if nothing forbids them (`NO_COLOR`, `CI`).
    pub(crate) fn new(level: Level, color: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let animate = terminal && level > Level::Quiet && std::env::var_os("CI").is_none();
        let color = color && terminal && std::env::var_os("NO_COLOR").is_none();
        Self { level, color, bar: Arc::default(), animate, unseen: Arc::default() }
    }

    /// One line of the result.
    pub(crate) fn result(&self, line: &str) {
        self.pause(|| write_line(&mut io::stdout().lock(), line));
    }

    /// One line of the result, as whoever made it wrote it.
    pub(crate) fn raw_result(&self, line: &[u8]) {
        self.pause(|| {
            let mut stream = io::stdout().lock();
            // Whoever reads may have gone away.
            let _ = stream.write_all(line).and_then(|()| stream.write_all(b"\n"));
        });
    }

    /// A whole document of the result.
    pub(crate) fn document(&self, text: &str) {
        self.pause(|| write_line(&mut io::stdout().lock(), text.strip_suffix('\n').unwrap_or(text)));
    }

    /// Whether steps are told.
    pub(crate) fn tells_steps(&self) -> bool {
        self.level >= Level::Normal
    }

    /// A station of the work begins or ended.
    pub(crate) fn step(&self, line: &str) {
        if self.level >= Level::Normal {
            self.pause(|| write_line(&mut io::stderr().lock(), line));
        }
    }

    /// A question that the answer is typed behind, asked however little is to be said.
    pub(crate) fn question(&self, text: &str) {
        self.pause(|| {
            let mut stream = io::stderr().lock();
            // Who cannot be asked gives no answer.
            let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
        });
    }

    /// A detail.
    pub(crate) fn detail(&self, line: &str) {
        if self.level >= Level::Verbose {
            self.pause(|| write_line(&mut io::stderr().lock(), line));
        }
    }

    /// Something that does not stop the work and should be known.
    pub(crate) fn warning(&self, line: &str) {
        let mark = self.painted("33", "warning:");
        self.pause(|| write_line(&mut io::stderr().lock(), &format!("{mark} {line}")));
    }

    /// A finished error text: `error:` and `hint:` at the start of a line are coloured. What build steps said before, and
    /// was not shown, comes first.
    pub(crate) fn error(&self, text: &str) {
        let unseen = std::mem::take(&mut *self.unseen());
        let _ = io::stderr().lock().write_all(&unseen);
        let painted = text
            .lines()
            .map(|line| match line {
                line if line.starts_with("error:") => line.replacen("error:", &self.painted("31", "error:"), 1),
                line if line.starts_with("hint:") => line.replacen("hint:", &self.painted("36", "hint:"), 1),
                line => line.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("\n");
        self.pause(|| write_line(&mut io::stderr().lock(), &painted));
    }

    /// Shows or moves a bar; without a terminal only long transfers' ends are seen, as steps.
    pub(crate) fn progress(&self, what: &str, done: u64, total: Option<u64>) {
        if !self.animate {
            return;
        }
        let mut slot = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bar = slot.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let template =
            if total.is_some() { "{spinner} {msg} {bytes}/{total_bytes} {bar:30} {bytes_per_sec}" } else { "{spinner} {msg} {bytes}" };
        if let (Ok(style), true) = (ProgressStyle::with_template(template), bar.message() != what) {
            bar.set_style(style);
            bar.set_message(what.to_owned());
            bar.set_length(total.unwrap_or(0));
        }
        bar.set_position(done);
    }

    /// Takes the bar away.
    pub(crate) fn progress_done(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    fn unseen(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.unseen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[1;{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn pause(&self, print: impl FnOnce()) {
        match &*self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

/// A reader that went away (`fnpack image ls | head -1`) is no fault of ours and no reason to stop.
fn write_line(stream: &mut impl Write, line: &str) {
    let _ = writeln!(stream, "{line}");
}

/// Whole lines as far as there are any.
fn keep_end(kept: &mut Vec<u8>, more: &[u8]) {
    kept.extend_from_slice(more);
    if let Some(surplus) = kept.len().checked_sub(UNSEEN_LIMIT).filter(|surplus| *surplus > 0) {
        let line = kept.iter().skip(surplus).position(|byte| *byte == b'\n').map_or(surplus, |end| surplus + end + 1);
        kept.drain(..line);
    }
}

impl fnpack_core::pipeline::Report for Ui {
    fn step(&self, text: &str) {
        Self::step(self, text);
    }

    fn detail(&self, text: &str) {
        Self::detail(self, text);
    }

    fn warning(&self, text: &str) {
        Self::warning(self, text);
    }

    fn progress(&self, what: &str, done: u64, total: Option<u64>) {
        Self::progress(self, what, done, total);
    }

    fn output(&self, bytes: &[u8]) {
        if self.level >= Level::Normal {
            self.pause(|| {
                // Who reads along may go away; the build goes on.
                let _ = io::stderr().lock().write_all(bytes);
            });
        } else {
            keep_end(&mut self.unseen(), bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_end_is_whole_lines_within_the_limit() {
        let mut kept = Vec::new();
        keep_end(&mut kept, b"first\n");
        assert_eq!(kept, b"first\n");
        for number in 0..UNSEEN_LIMIT {
            keep_end(&mut kept, format!("line {number}\n").as_bytes());
        }
        let text = String::from_utf8(kept).unwrap();
        assert!(text.len() <= UNSEEN_LIMIT && text.starts_with("line ") && text.ends_with(&format!("line {}\n", UNSEEN_LIMIT - 1)));
        let mut one_line = vec![b'x'; 2 * UNSEEN_LIMIT];
        keep_end(&mut one_line, b"");
        assert_eq!(one_line.len(), UNSEEN_LIMIT);
    }
}
