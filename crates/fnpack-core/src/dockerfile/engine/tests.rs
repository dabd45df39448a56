//! Whole builds against a host of plain folders.

mod copying;
mod fake;
mod stages;
mod steps;
