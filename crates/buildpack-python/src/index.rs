//! Where packages come from: pip's variables and `pip.conf`, in the words of `uv`.
//!
//! `uv` does not read pip's settings, and people have them: `PIP_INDEX_URL` and its like, or a file `pip.conf` in a
//! service binding of type `pip`. What the user says to `uv` itself goes first, then pip's variables, then the file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use fnpack_buildpack::{Variables, without_credentials};

/// pip's option, `uv`'s variable for it, and what divides several values there.
const OPTIONS: [(&str, &str, &str); 8] = [
    ("index-url", "UV_DEFAULT_INDEX", " "),
    ("extra-index-url", "UV_INDEX", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("no-index", "UV_NO_INDEX", " "),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("cert", "SSL_CERT_FILE", " "),
    ("client-cert", "SSL_CLIENT_CERT", " "),
    ("timeout", "UV_HTTP_TIMEOUT", " "),
];

/// `uv`'s older names, which mean the same.
const OLD_NAMES: [(&str, &str); 2] = [("UV_DEFAULT_INDEX", "UV_INDEX_URL"), ("UV_INDEX", "UV_EXTRA_INDEX_URL")];

/// The sections of `pip.conf` that an install reads.
const SECTIONS: [&str; 2] = ["global", "install"];

/// The variables for `uv`: the user's own, and what pip's settings say where they say nothing.
pub(crate) fn with_pip_settings(variables: &Variables, pip_conf: Option<&Path>) -> std::io::Result<Variables> {
    let file = pip_conf.map(fs_err::read_to_string).transpose()?.map(|text| parse(&text)).unwrap_or_default();
    let mut result = variables.clone();
    for (option, name, separator) in OPTIONS {
        let pips = format!("PIP_{}", option.to_uppercase().replace('-', "_"));
        let of_variable = variables.get(OsStr::new(&pips)).map(|value| value.to_string_lossy().into_owned());
        let Some(value) = of_variable.or_else(|| file.get(option).cloned()) else { continue };
        let value = value.split_whitespace().collect::<Vec<_>>().join(separator);
        if !value.is_empty() && !is_given(variables, name) {
            result.insert(name.into(), value.into());
        }
    }
    Ok(result)
}

/// The certificates that the whole build was given are no word on pip's.
fn is_given(variables: &Variables, name: &str) -> bool {
    let given = |name: &str| variables.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
    let old = OLD_NAMES.iter().find(|(new, _)| *new == name).map(|(_, old)| *old);
    name != "SSL_CERT_FILE" && (given(name) || old.is_some_and(given))
}

/// `key = value`, with more lines of a value indented below it.
fn parse(text: &str) -> BTreeMap<String, String> {
    let mut options: BTreeMap<String, String> = BTreeMap::new();
    let mut is_read = false;
    let mut last = None;
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])) {
        let trimmed = line.trim();
        if let Some(section) = trimmed.strip_prefix('[') {
            is_read = SECTIONS.contains(&section.trim_end_matches(']').trim());
            last = None;
        } else if line.starts_with([' ', '\t']) && !trimmed.is_empty() {
            if let Some(value) = last.as_ref().and_then(|key| options.get_mut(key)) {
                value.push(' ');
                value.push_str(trimmed);
            }
        } else if let Some((key, value)) = trimmed.split_once(['=', ':']).filter(|_| is_read) {
            let key = key.trim().replace('_', "-");
            options.insert(key.clone(), value.trim().to_owned());
            last = Some(key);
        }
    }
    options
}

/// What the choice of packages depends on, without passwords.
pub(crate) fn described(variables: &Variables) -> Vec<String> {
    let names = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"];
    let more = ["UV_PRERELEASE", "UV_RESOLUTION", "UV_EXCLUDE_NEWER", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_INDEX_STRATEGY"];
    let value = |name: &&str| variables.get(OsStr::new(name)).map(|value| format!("{name}={}", masked(&value.to_string_lossy())));
    names.iter().chain(&more).filter_map(value).collect()
}

/// A text with no password in any address.
pub(crate) fn masked(text: &str) -> String {
    let ends = |letter: char| letter.is_whitespace() || "`'\"()<>,".contains(letter);
    text.split_inclusive(ends).map(masked_word).collect()
}

fn masked_word(word: &str) -> String {
    match word.split_once("://") {
        Some((scheme, _)) => {
            let start = scheme
                .rfind(|letter: char| !letter.is_ascii_alphanumeric() && !"+.-".contains(letter))
                .map_or(0, |at| at + scheme.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8));
            let (before, address) = word.split_at_checked(start).unwrap_or(("", word));
            format!("{before}{}", without_credentials(address))
        }
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn value(variables: &Variables, name: &str) -> String {
        variables.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
    }

    #[test]
    fn pip_settings_become_those_of_uv() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pip.conf");
        let text = "# proxy\n[global]\nindex-url = https://me:secret@index/simple\nextra-index-url =\n    https://one\n    https://two\n\
                    trusted_host: index\n[freeze]\ntimeout = 10\n[install]\nfind-links = /a /b\n";
        fs_err::write(&file, text).unwrap();
        let found = with_pip_settings(&variables(&[("PIP_TIMEOUT", "5")]), Some(&file)).unwrap();
        for (name, expected) in [
            ("UV_DEFAULT_INDEX", "https://me:secret@index/simple"),
            ("UV_INDEX", "https://one https://two"),
            ("UV_INSECURE_HOST", "index"),
            ("UV_FIND_LINKS", "/a,/b"),
            ("UV_HTTP_TIMEOUT", "5"),
            ("UV_NO_INDEX", ""),
        ] {
            assert_eq!(value(&found, name), expected, "{name}");
        }
        let described = described(&found).join(" ");
        assert!(described.contains("https://***@index/simple") && !described.contains("secret"), "{described}");
    }

    #[test]
    fn pip_settings_give_way_to_those_of_uv() {
        for (given, name, expected) in [
            (&[("PIP_INDEX_URL", "https://pip"), ("UV_DEFAULT_INDEX", "https://uv")][..], "UV_DEFAULT_INDEX", "https://uv"),
            (&[("PIP_INDEX_URL", "https://pip"), ("UV_INDEX_URL", "https://uv")], "UV_DEFAULT_INDEX", ""),
            (&[("PIP_INDEX_URL", "https://pip")], "UV_DEFAULT_INDEX", "https://pip"),
            (&[("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", "/wheels")], "UV_NO_INDEX", "1"),
            (&[("PIP_INDEX_URL", "")], "UV_DEFAULT_INDEX", ""),
        ] {
            assert_eq!(value(&with_pip_settings(&variables(given), None).unwrap(), name), expected, "{given:?}");
        }
    }

    #[test]
    fn masked_hides_every_password() {
        for (text, expected) in [
            ("Failed to fetch: `https://me:p@index/simple/x/`", "Failed to fetch: `https://***@index/simple/x/`"),
            ("--index-url=https://me:p@index and (http://a:b@c)", "--index-url=https://***@index and (http://***@c)"),
            ("é=https://a@b", "é=https://***@b"),
            ("x @ git+https://t@host/x", "x @ git+https://***@host/x"),
            ("nothing: here @ all", "nothing: here @ all"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }
}
