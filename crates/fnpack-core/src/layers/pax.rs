//! The records of a PAX extended header and the name of the entry that holds them.

use std::collections::BTreeMap;

/// The records in the order of their keys, each with its own length in front.
pub(super) fn encode(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + " =\n".len();
        bytes.extend(record_length(rest).to_string().into_bytes());
        for part in [b" ", key.as_slice(), b"=", value, b"\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

/// The length of a record counts the digits of the length itself.
fn record_length(rest: usize) -> usize {
    let digits = |number: usize| number.to_string().len();
    let guess = rest + digits(rest);
    rest + digits(guess)
}

/// `folder/PaxHeaders.0/name`, in the ASCII that a name field of `limit` bytes holds.
pub(super) fn header_name(path: &[u8], limit: usize) -> Vec<u8> {
    let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => path.split_at(slash + 1),
        None => (&b""[..], path),
    };
    let mut short: Vec<u8> = cleaned(&[folder, b"/PaxHeaders.0/", name].concat(), folder.starts_with(b"/"))
        .into_iter()
        .filter(u8::is_ascii)
        .take(limit)
        .collect();
    while short.ends_with(b"/") {
        short.pop();
    }
    short
}

/// A path without empty parts, `.` and, as far as there is something to go up from, `..`.
fn cleaned(path: &[u8], absolute: bool) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => drop(parts.pop()),
            b".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    if absolute { [b"/", joined.as_slice()].concat() } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_length_counts_its_own_digits() {
        for (value_length, text) in [(0, "5 a=\n"), (4, "9 a=vvvv\n"), (5, "11 a=vvvvv\n")] {
            let records = BTreeMap::from([(b"a".to_vec(), vec![b'v'; value_length])]);
            assert_eq!(String::from_utf8(encode(&records)).unwrap(), text);
        }
        for rest in 1..2000 {
            assert_eq!(record_length(rest), rest + record_length(rest).to_string().len());
        }
    }

    #[test]
    fn header_name_is_beside_the_entry() {
        for (path, name) in [
            ("/a/b", "/a/PaxHeaders.0/b"),
            ("a", "PaxHeaders.0/a"),
            ("./a//b/", "a/b/PaxHeaders.0"),
            ("/../a/ü", "/a/PaxHeaders.0"),
            ("../a", "../PaxHeaders.0/a"),
        ] {
            assert_eq!(String::from_utf8(header_name(path.as_bytes(), 100)).unwrap(), name, "{path}");
        }
    }
}
