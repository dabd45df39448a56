//! What one class file says of its class (Java virtual machine specification, "The class File Format").

use noak::AccessFlags;
use noak::MStr;
use noak::error::DecodeError;
use noak::reader::attributes::Signature;
use noak::reader::cpool::{self, ConstantPool};
use noak::reader::{Class, Method};

/// Class files of Java 1.1 had major version 45; since then every feature release counted one up.
const MAJOR_BEFORE_FIRST: u16 = 44;

/// A class, with names as class files write them: `java/lang/String`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClassFile {
    pub(super) name: String,
    pub(super) super_class: Option<String>,
    pub(super) interfaces: Vec<String>,
    /// Of generic classes and heirs of such.
    pub(super) signature: Option<String>,
    flags: AccessFlags,
    /// A public one without parameters.
    pub(super) has_constructor: bool,
}

impl ClassFile {
    /// Reads the bytes of a class file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let class = Class::new(bytes)?;
        let pool = class.pool();
        let name_of = |index: cpool::Index<cpool::Class<'_>>| pool.retrieve(index).map(|class| text(class.name));
        let signature = class.attributes().find_attribute::<Signature<'_>>(pool)?;
        Ok(Self {
            name: name_of(class.this_class())?,
            super_class: class.super_class().map(name_of).transpose()?,
            interfaces: class.interfaces().iter().map(|index| name_of(index?)).collect::<Result<_, _>>()?,
            signature: signature.map(|found| pool.retrieve(found.signature()).map(text)).transpose()?,
            flags: class.access_flags(),
            has_constructor: has_constructor(&class, pool)?,
        })
    }

    pub(super) fn is_public(&self) -> bool {
        self.flags.contains(AccessFlags::PUBLIC)
    }

    pub(super) fn is_abstract(&self) -> bool {
        self.flags.contains(AccessFlags::ABSTRACT)
    }

    pub(super) fn is_interface(&self) -> bool {
        self.flags.contains(AccessFlags::INTERFACE)
    }
}

fn has_constructor(class: &Class<'_>, pool: &ConstantPool<'_>) -> Result<bool, DecodeError> {
    for method in &class.methods() {
        if is_constructor(&method?, pool)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_constructor(method: &Method<'_>, pool: &ConstantPool<'_>) -> Result<bool, DecodeError> {
    let is_public = method.access_flags().contains(AccessFlags::PUBLIC);
    let named = |index: cpool::Index<cpool::Utf8<'_>>, name: &[u8]| pool.retrieve(index).map(|text| text.as_bytes() == name);
    Ok(is_public && named(method.name(), b"<init>")? && named(method.descriptor(), b"()V")?)
}

fn text(name: &MStr) -> String {
    name.display().to_string()
}

/// The Java feature release that a class file needs, by its head alone: 8, 17, 21.
pub(super) fn java_release(bytes: &[u8]) -> Option<u16> {
    let (magic, version) = (bytes.get(..4)?, bytes.get(6..8)?);
    let major = u16::from_be_bytes(version.try_into().ok()?);
    (magic == [0xCA, 0xFE, 0xBA, 0xBE]).then(|| major.checked_sub(MAJOR_BEFORE_FIRST)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::java::ClassSource;

    #[test]
    fn class_file_is_read() {
        let class = ClassSource::new("x/F").implements("java/util/function/Function").signature("Ljava/lang/Object;");
        let expected = ClassFile {
            name: "x/F".into(),
            super_class: Some("java/lang/Object".into()),
            interfaces: vec!["java/util/function/Function".into()],
            signature: Some("Ljava/lang/Object;".into()),
            flags: AccessFlags::PUBLIC,
            has_constructor: true,
        };
        assert_eq!(ClassFile::parse(&class.bytes()).unwrap(), expected);
    }

    #[test]
    fn class_file_constructor_is_public_and_without_parameters() {
        for (flags, descriptor, found) in [(1, "()V", true), (2, "()V", false), (0, "()V", false), (1, "(I)V", false)] {
            let class = ClassSource::new("F").constructor(flags, descriptor).bytes();
            assert_eq!(ClassFile::parse(&class).unwrap().has_constructor, found, "{flags} {descriptor}");
        }
    }

    #[test]
    fn class_file_cut_short_is_an_error() {
        let class = ClassSource::new("x/F").bytes();
        for length in 0..class.len() {
            assert!(ClassFile::parse(&class[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn java_release_by_major_version() {
        for (major, release) in [(45, Some(1)), (52, Some(8)), (61, Some(17)), (69, Some(25)), (3, None)] {
            assert_eq!(java_release(&ClassSource::new("F").major(major).bytes()), release, "{major}");
        }
        for bytes in [b"".as_slice(), b"\xCA\xFE\xBA\xBE\0\0\0", b"PK\x03\x04\0\0\0\x3d"] {
            assert_eq!(java_release(bytes), None);
        }
    }
}
