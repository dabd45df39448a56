//! Versions as numbers.

/// The numbers of a dotted version, up to where it is something else: `2.41-12` is 2, 41.
pub(super) fn numbers(version: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    for part in version.split('.') {
        let digits = part.find(|character: char| !character.is_ascii_digit()).unwrap_or(part.len());
        let (digits, rest) = part.split_at(digits);
        let Ok(number) = digits.parse() else { break };
        numbers.push(number);
        if !rest.is_empty() {
            break;
        }
    }
    numbers
}

/// The feature release of a Java version: `21.0.9` is 21, `1.8.0_392` is 8.
pub(super) fn java_feature(version: &str) -> Option<u16> {
    let numbers = numbers(version);
    let feature = match numbers.as_slice() {
        [1, feature, ..] | [feature, ..] => *feature,
        [] => return None,
    };
    u16::try_from(feature).ok()
}

/// The minor release of a Python version: `3.13.5` is `3.13`.
pub(super) fn python_minor(version: &str) -> Option<String> {
    match numbers(version).as_slice() {
        [major, minor, ..] => Some(format!("{major}.{minor}")),
        _ => None,
    }
}
