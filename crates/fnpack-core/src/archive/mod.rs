//! archive: being written.
