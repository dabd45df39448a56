//! What the pipeline tells while it works.

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
