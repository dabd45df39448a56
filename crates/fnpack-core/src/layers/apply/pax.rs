//! PAX extended headers: what they override and the extended attributes in them (POSIX.1-2017, `pax`,
//! "pax Extended Header"; the `SCHILY.xattr` and `GNU.sparse` keys of star and GNU tar).

use rustix::fs::Timespec;

use super::archive::Segment;

/// What the extended headers before an entry say about it.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) time: Option<Timespec>,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: Sparse,
}

/// The `GNU.sparse` keys, formats 0.0, 0.1 and 1.0.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    /// Format 1.0: the map stands before the data.
    pub(super) map_in_data: bool,
    /// Formats 0.0 and 0.1.
    pub(super) map: Option<Vec<Segment>>,
    offset: Option<u64>,
}

/// Reads the records of an extended header over what earlier ones said.
pub(super) fn parse(mut records: &[u8], into: &mut Extensions) -> Result<(), &'static str> {
    while !records.is_empty() {
        let (key, value, rest) = record(records).ok_or("an extended header has a broken record")?;
        set(into, key, value)?;
        records = rest;
    }
    Ok(())
}

/// `length key=value\n`, where length counts the whole record. The value may hold any bytes, line ends too.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(bytes.get(..space)?)?).ok()?;
    let body = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((body.get(..equals)?, body.get(equals + 1..)?, bytes.get(length..)?))
}

fn set(into: &mut Extensions, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
    // An empty value takes an earlier one back.
    let text = (!value.is_empty()).then(|| value.to_vec());
    let number = |reason| if value.is_empty() { Ok(None) } else { decimal(value).map(Some).ok_or(reason) };
    match key {
        b"path" => into.path = text,
        b"linkpath" => into.link = text,
        b"size" => into.size = number("an extended header has a size that is no number")?,
        b"uid" => into.uid = number("an extended header has a user id that is no number")?,
        b"gid" => into.gid = number("an extended header has a group id that is no number")?,
        b"mtime" if value.is_empty() => into.time = None,
        b"mtime" => into.time = Some(time(value).ok_or("an extended header has a time that is no number")?),
        _ => match (key.strip_prefix(b"SCHILY.xattr."), key.strip_prefix(b"GNU.sparse.")) {
            (Some(name), _) => into.attributes.push((name.to_vec(), value.to_vec())),
            (_, Some(name)) => into.sparse.set(name, value).ok_or("an extended header has a broken map of a sparse file")?,
            _ => {}
        },
    }
    Ok(())
}

impl Sparse {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.real_size = Some(decimal(value)?),
            b"major" => self.map_in_data = decimal(value)? == 1,
            b"numblocks" => self.map = Some(Vec::new()),
            b"offset" => self.offset = Some(decimal(value)?),
            b"numbytes" => {
                let segment = Segment { offset: self.offset.take()?, length: decimal(value)? };
                self.map.get_or_insert_default().push(segment);
            }
            b"map" => self.map = Some(map(value)?),
            _ => {}
        }
        Some(())
    }
}

/// `offset,length,offset,length…`
fn map(value: &[u8]) -> Option<Vec<Segment>> {
    let numbers: Vec<u64> = value.split(|byte| *byte == b',').map(decimal).collect::<Option<_>>()?;
    numbers
        .chunks(2)
        .map(|pair| match pair {
            [offset, length] => Some(Segment { offset: *offset, length: *length }),
            _ => None,
        })
        .collect()
}

/// A number of decimal digits and nothing else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Seconds since 1970, negative ones too, with a fraction of any length.
fn time(value: &[u8]) -> Option<Timespec> {
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanoseconds = (0..9).fold(0, |sum, place| sum * 10 + i64::from(fraction.get(place).map_or(0, |digit| digit - b'0')));
    Some(match (negative, nanoseconds) {
        (false, _) => Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
        (true, 0) => Timespec { tv_sec: -seconds, tv_nsec: 0 },
        (true, _) => Timespec { tv_sec: -seconds - 1, tv_nsec: 1_000_000_000 - nanoseconds },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(records: &[u8]) -> Result<Extensions, &'static str> {
        let mut extensions = Extensions::default();
        parse(records, &mut extensions).map(|()| extensions)
    }

    #[test]
    fn records_hold_any_bytes() {
        let extensions = parsed(b"12 path=a/b\n29 SCHILY.xattr.user.k=a\n=\0\xff\n").unwrap();
        assert_eq!(extensions.path.as_deref(), Some(&b"a/b"[..]));
        assert_eq!(extensions.attributes, [(b"user.k".to_vec(), b"a\n=\0\xff".to_vec())]);
        assert!(parsed(b"12 path=a/b\n8 path=\n").unwrap().path.is_none());
    }

    #[test]
    fn records_that_lie_are_refused() {
        for bad in [
            &b"x"[..],
            b"5",
            b" path=a\n",
            b"99 path=a\n",
            b"9 path=ab\n",
            b"3 =",
            b"9 pathab\n",
            b"18446744073709551616 a=b\n",
            b"10 size=x\n",
        ] {
            assert!(parsed(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn times_have_signs_and_fractions() {
        let cases = [
            (b"1350244992.023960108".as_slice(), Some((1_350_244_992, 23_960_108))),
            (b"1.5", Some((1, 500_000_000))),
            (b"-1.25", Some((-2, 750_000_000))),
            (b"-3", Some((-3, 0))),
            (b"1.0000000009", Some((1, 0))),
            (b"1.x", None),
            (b"", None),
        ];
        for (text, expected) in cases {
            assert_eq!(time(text).map(|time| (time.tv_sec, time.tv_nsec)), expected, "{}", text.escape_ascii());
        }
    }
}
