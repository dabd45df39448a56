//! Which kernel this is.

/// The release as it calls itself.
pub(crate) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Whether it is at least this version; yes if its release cannot be read, so that it is tried.
pub(crate) fn is_at_least(version: (u32, u32)) -> bool {
    version_of(&release()).is_none_or(|this| this >= version)
}

fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_the_release() {
        for (release, version) in
            [("6.18.44-fc-v595", Some((6, 18))), ("5.12", Some((5, 12))), ("5.4.0-1-amd64", Some((5, 4))), ("odd", None)]
        {
            assert_eq!(version_of(release), version, "{release}");
        }
    }

    #[test]
    fn this_kernel_is_older_than_one_that_is_never_made() {
        assert!(is_at_least((2, 6)) && !is_at_least((u32::MAX, 0)));
    }
}
