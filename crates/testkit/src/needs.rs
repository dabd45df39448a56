//! What tests need of the machine.

/// Whether a test has to be left out; says why.
///
/// # Panics
///
/// On a CI machine, where nothing is left out silently.
#[expect(clippy::print_stderr, reason = "the reason for leaving a test out")]
pub fn missing(works: bool, reason: &str) -> bool {
    assert!(works || std::env::var_os("CI").is_none(), "{reason}");
    if !works {
        eprintln!("left out: {reason}");
    }
    !works
}
