//! Whether a Python release is one that a project is for: `Requires-Python`, `requires-python` (version specifiers).

use super::wheel::Version;

/// Whether some release of this minor is meant, such as 3.13 by `>=3.11,<4`. What cannot be read is taken to fit: the
/// installer knows more.
pub fn python_fits(specifiers: &str, python: Version) -> bool {
    specifiers.split(',').all(|specifier| clause_fits(specifier.trim(), python))
}

fn clause_fits(clause: &str, python: Version) -> bool {
    let end = clause.find(|letter: char| letter.is_ascii_digit()).unwrap_or(clause.len());
    let (operator, release) = clause.split_at_checked(end).unwrap_or((clause, ""));
    let numbers: Vec<Option<u16>> = release.trim().split('.').map(|number| number.parse().ok()).collect();
    let Some(Some(major)) = numbers.first().copied() else { return true };
    let minor = numbers.get(1).copied().flatten();
    let named = Version(major, minor.unwrap_or(0));
    let has_patch = numbers.get(2).copied().flatten().is_some_and(|patch| patch > 0);
    match operator.trim() {
        ">=" => python >= named,
        ">" => {
            if numbers.len() > 2 {
                python >= named
            } else {
                python > named
            }
        }
        "<=" => python <= named,
        "<" => python < named || has_patch && python == named,
        "==" | "===" | "" => python.0 == major && minor.is_none_or(|minor| python.1 == minor),
        "!=" => numbers.len() > 2 && numbers.get(2) != Some(&None) || python != named,
        "~=" if numbers.len() > 2 => python == named,
        "~=" | "^" => python >= named && python.0 == major,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_fits_some_release_of_the_minor() {
        for (specifiers, expected) in [
            (">=3.11", true),
            (">=3.14", false),
            (">=3.13.4", true),
            (">3.13", false),
            (">3.13.1", true),
            (">= 3.8, <4", true),
            (">=3.8,<3.13", false),
            (">=3.8,<3.13.2", true),
            ("<=3.13", true),
            ("==3.13.*", true),
            ("==3.12.*", false),
            ("3.13", true),
            ("==3", true),
            ("!=3.13.*", false),
            ("!=3.13.1", true),
            ("!=3.12.*", true),
            ("~=3.11", true),
            ("~=3.13.1", true),
            ("~=3.12.1", false),
            ("^3.11", true),
            ("^4", false),
            ("", true),
            ("*", true),
            (">=x", true),
            ("é", true),
        ] {
            assert_eq!(python_fits(specifiers, Version(3, 13)), expected, "{specifiers}");
        }
    }
}
