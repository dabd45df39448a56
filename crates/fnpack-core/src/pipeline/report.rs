//! What the pipeline tells while it works.

use std::error::Error;

/// Takes notes of progress. The command prints them; tests keep them.
pub trait Report: Sync {
    /// A station begins or ended: one line.
    fn step(&self, text: &str);

    /// A detail that is only of interest to one who asks.
    fn detail(&self, text: &str);

    /// Something that does not stop the work and should be known.
    fn warning(&self, text: &str);

    /// A long transfer or unpacking moved on; `done` and `total` in bytes.
    fn progress(&self, what: &str, done: u64, total: Option<u64>);

    /// What a build step printed, as it is.
    fn output(&self, bytes: &[u8]);
}

/// A text as one line of at most `longest` characters, for people.
pub fn one_line(text: &str, longest: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(&line)),
        None => line,
    }
}

/// An error and what caused it, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Passes what is written on to [`Report::output`].
pub(super) struct ReportedOutput<'a>(pub(super) &'a dyn Report);

impl std::io::Write for ReportedOutput<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.output(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_blanks_are_joined() {
        for (text, line) in [("", ""), ("a\n  b\tc", "a b c"), ("abcdef", "abcde…"), ("äöüß€", "äöüß€"), ("äöüß€x", "äöüß€…")]
        {
            assert_eq!(one_line(text, 5), line);
        }
    }
}
