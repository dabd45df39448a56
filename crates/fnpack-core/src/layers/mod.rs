//! layers: being written.
