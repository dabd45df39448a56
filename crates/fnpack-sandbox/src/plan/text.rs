//! Names of the system in JSON: a string where they are UTF-8, a list of bytes where not. (serde's
//! own form of paths fails on the latter, that of other strings is never readable.)

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl Text {
    fn of(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Bytes(bytes.to_vec()), |text| Self::Utf8(text.to_owned()))
    }

    fn of_name(name: impl AsRef<OsStr>) -> Self {
        Self::of(name.as_ref().as_bytes())
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Utf8(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    fn into_name<T: From<OsString>>(self) -> T {
        OsString::from_vec(self.into_bytes()).into()
    }
}

/// A path or other name.
pub(crate) mod one {
    use super::{Deserialize, Deserializer, OsStr, OsString, Serialize, Serializer, Text};

    pub(crate) fn serialize<T: AsRef<OsStr>, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        Text::of_name(value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: From<OsString>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Text::deserialize(deserializer).map(Text::into_name)
    }
}

/// Several of them.
pub(crate) mod list {
    use super::{Deserialize, Deserializer, OsStr, OsString, Serializer, Text};

    pub(crate) fn serialize<T: AsRef<OsStr>, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Text::of_name))
    }

    pub(crate) fn deserialize<'de, T: From<OsString>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        Ok(Vec::<Text>::deserialize(deserializer)?.into_iter().map(Text::into_name).collect())
    }
}

/// Names with values.
pub(crate) mod pairs {
    use super::{Deserialize, Deserializer, OsString, Serializer, Text};
    use std::collections::BTreeMap;

    pub(crate) fn serialize<S: Serializer>(values: &BTreeMap<OsString, OsString>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|(name, value)| (Text::of_name(name), Text::of_name(value))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<OsString, OsString>, D::Error> {
        let pairs = Vec::<(Text, Text)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(name, value)| (name.into_name(), value.into_name())).collect())
    }
}

/// Contents of a file.
pub(crate) mod bytes {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Text};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        Text::of(bytes).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Text::deserialize(deserializer).map(Text::into_bytes)
    }
}
