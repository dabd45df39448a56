//! dockerfile: being written.
