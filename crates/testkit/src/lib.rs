//! Test environment of fnpack; never shipped.
