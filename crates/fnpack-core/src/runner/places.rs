//! Where the files lie that facts of a run image come from.

/// The system, and what of Pulsar functions are started by.
const PLACES: [&str; 11] =
    ["/bin", "/etc", "/lib", "/lib32", "/lib64", "/opt", "/pulsar/instances", "/pulsar/lib", "/sbin", "/usr", "/var"];

const OPAQUE: &str = ".wh..wh..opq";
const WHITEOUT: &str = ".wh.";

/// Whether an entry of a layer may change what is known of the image below: something in one of the places, in a folder of the
/// search path or beside one, or something other than a folder where a place is.
pub(super) fn is_told_by(name: &str, is_folder: bool, search_path: &str) -> bool {
    let (parent, last) = name.trim_matches('/').rsplit_once('/').unwrap_or(("", name.trim_matches('/')));
    let (last, is_folder) = match last.strip_prefix(WHITEOUT) {
        Some(_) if last == OPAQUE => ("", false),
        Some(removed) => (removed, false),
        None => (last, is_folder),
    };
    let entry: String = [parent, last]
        .iter()
        .flat_map(|part| part.split('/'))
        .filter(|part| !matches!(*part, "" | "."))
        .fold(String::new(), |path, part| format!("{path}/{part}"));
    let folders = search_path.split(':').filter(|folder| folder.starts_with('/')).map(|folder| folder.trim_end_matches('/'));
    let beside = folders.flat_map(|folder| [folder, folder.rsplit_once('/').map_or("", |(parent, _)| parent)]);
    let mut places = PLACES.into_iter().chain(beside).filter(|place| !place.is_empty());
    places.any(|place| is_below(&entry, place) || !is_folder && is_below(place, &entry))
}

/// Whether a path is a folder or in it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_tell_nothing_of_their_runner() {
        const PATH: &str = "/usr/local/bin:/bin:/srv/java/bin:relative:";
        for (name, is_folder, expected) in [
            ("pulsar/function/function.jar", false, false),
            ("pulsar/function.jar", false, false),
            ("pulsar/", true, false),
            ("pulsar", false, true),
            ("/pulsar/lib/x.jar", false, true),
            ("pulsar/library", false, false),
            ("pulsar/.wh.lib", false, true),
            ("pulsar/.wh.function", false, false),
            ("pulsar/.wh..wh..opq", false, true),
            (".wh..wh..opq", false, true),
            ("usr/", true, true),
            ("./etc/os-release", false, true),
            ("srv/java/release", false, true),
            ("srv/data", false, false),
            ("srv", false, true),
        ] {
            assert_eq!(is_told_by(name, is_folder, PATH), expected, "{name}");
        }
    }
}
