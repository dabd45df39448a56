//! rebase: being written.
