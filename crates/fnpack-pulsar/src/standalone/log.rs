//! The server's log while it starts: read as it grows, for what only it says.

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;

use fs_err::File;

use super::error::{LogTail, StandaloneError};

/// Until this line, functions cannot be registered, whatever the worker's interface answers.
const LEADING: &str = "FunctionMetaDataManager done becoming leader";
const PORT_TAKEN: &str = "Address already in use";

const MOST_LINES: usize = 12;
const LONGEST_LINE: usize = 400;
/// So much is read at a time.
const CHUNK: u64 = 1 << 20;

pub(super) struct Log {
    file: File,
    /// A line whose end is not written yet.
    begun: Vec<u8>,
    last: VecDeque<String>,
    faults: VecDeque<String>,
    is_leading: bool,
    port_is_taken: bool,
}

impl Log {
    pub(super) fn open(path: &Path) -> Result<Self, StandaloneError> {
        let file = File::open(path).map_err(StandaloneError::file("open", path))?;
        let (begun, last, faults) = (Vec::new(), VecDeque::new(), VecDeque::new());
        Ok(Self { file, begun, last, faults, is_leading: false, port_is_taken: false })
    }

    /// Reads what was written since.
    pub(super) fn follow(&mut self) -> Result<(), StandaloneError> {
        let path = self.file.path().to_owned();
        let read = (&mut self.file).take(CHUNK).read_to_end(&mut self.begun);
        read.map_err(StandaloneError::file("read", path))?;
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let rest = self.begun.split_off(end + 1);
        let lines = std::mem::replace(&mut self.begun, rest);
        String::from_utf8_lossy(&lines).lines().for_each(|line| self.take(line));
        Ok(())
    }

    fn take(&mut self, line: &str) {
        self.is_leading |= line.contains(LEADING);
        self.port_is_taken |= line.contains(PORT_TAKEN);
        // Lines of a stack trace say where in Pulsar; nobody who starts it can do anything with that.
        if line.trim_start().starts_with("at ") || line.trim().is_empty() {
            return;
        }
        keep(&mut self.last, line);
        if line.contains("ERROR") || line.contains("Exception") || line.contains("Caused by") || line.starts_with("Error") {
            keep(&mut self.faults, line);
        }
    }

    pub(super) fn is_leading(&self) -> bool {
        self.is_leading
    }

    pub(super) fn port_is_taken(&self) -> bool {
        self.port_is_taken
    }

    /// Errors, if there were any; else the last lines.
    pub(super) fn tail(&self) -> LogTail {
        let lines = if self.faults.is_empty() { &self.last } else { &self.faults };
        LogTail { lines: lines.iter().cloned().collect() }
    }
}

fn keep(lines: &mut VecDeque<String>, line: &str) {
    if lines.len() == MOST_LINES {
        lines.pop_front();
    }
    lines.push_back(line.chars().take(LONGEST_LINE).collect());
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn log_is_followed_as_it_grows() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        let mut log = Log::open(written.path()).unwrap();
        log.follow().unwrap();
        assert_eq!(log.tail().to_string(), "it said nothing");
        written.write_all(b"one\ntwo\nFunctionMetaDataManager done becom").unwrap();
        log.follow().unwrap();
        assert_eq!((log.tail().lines, log.is_leading()), (vec!["one".to_owned(), "two".to_owned()], false));
        written.write_all(b"ing leader\n\xff ERROR java.net.BindException: Address already in use\n\tat some.Class(X.java)\n").unwrap();
        log.follow().unwrap();
        assert!(log.is_leading() && log.port_is_taken());
        assert_eq!(log.tail().lines, ["\u{fffd} ERROR java.net.BindException: Address already in use"]);
    }

    #[test]
    fn tail_is_short_whatever_comes() {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        let mut log = Log::open(written.path()).unwrap();
        for number in 0..100 {
            writeln!(written, "{number}{}", "x".repeat(9000)).unwrap();
        }
        log.follow().unwrap();
        let tail = log.tail();
        assert_eq!(tail.lines.len(), MOST_LINES);
        assert!(tail.lines.iter().all(|line| line.len() <= LONGEST_LINE));
        assert!(tail.lines.last().unwrap().starts_with("99x"));
    }
}
