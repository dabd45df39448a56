//! Jars and NARs.
