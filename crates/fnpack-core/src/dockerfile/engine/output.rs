//! What a `RUN` prints: passed on, and read for one lie.
//!
//! `apt-get update` without a network prints warnings and ends well. The layer then holds an empty
//! package list, which an `apt-get install` further down is blamed for.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::dockerfile::host::{Event, Host, StepInfo};

const FETCH_FAILED: &str = "W: Failed to fetch ";
const LISTS_FAILED: &str = "W: Some index files failed to download.";

/// Longer lines are not looked at to their end.
const LONGEST_LINE: usize = 4096;

/// Reports output as it comes.
pub(super) struct Output<'a> {
    host: &'a dyn Host,
    info: StepInfo<'a>,
    line: Vec<u8>,
    hosts: BTreeSet<String>,
    lists_failed: bool,
}

impl<'a> Output<'a> {
    pub(super) fn new(host: &'a dyn Host, info: StepInfo<'a>) -> Self {
        Self { host, info, line: Vec::new(), hosts: BTreeSet::new(), lists_failed: false }
    }

    /// The servers that apt could not reach, if it went on without its package lists.
    pub(super) fn unreachable(mut self) -> Option<Vec<String>> {
        self.end_line();
        (self.lists_failed && !self.hosts.is_empty()).then(|| self.hosts.into_iter().collect())
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        if let Some(url) = line.strip_prefix(FETCH_FAILED) {
            let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', ' ']).next());
            self.hosts.extend(host.filter(|host| !host.is_empty()).map(str::to_owned));
        }
        self.lists_failed |= line.starts_with(LISTS_FAILED);
        self.line.clear();
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.host.report(&Event::Output(self.info, bytes));
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST_LINE.saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room).filter(|byte| **byte != b'\n'));
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
