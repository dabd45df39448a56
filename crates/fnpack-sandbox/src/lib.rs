//! Runs a command in a root file system.
