//! lifecycle: being written.
