//! Class files and jars, made without a compiler.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

const PUBLIC: u16 = 0x0001;

/// A class to be: public, concrete, with a public constructor without parameters, for Java 17.
#[derive(Debug, Clone)]
pub struct ClassSource {
    name: String,
    super_class: String,
    interfaces: Vec<String>,
    signature: Option<String>,
    flags: u16,
    major: u16,
    /// Flags and descriptor.
    constructor: (u16, String),
}

impl ClassSource {
    /// By its name as class files write it: `org/example/Orders`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            super_class: "java/lang/Object".to_owned(),
            interfaces: Vec::new(),
            signature: None,
            flags: PUBLIC,
            major: 61,
            constructor: (PUBLIC, "()V".to_owned()),
        }
    }

    /// A function of Pulsar's own interface, from text to text.
    pub fn function(name: &str) -> Self {
        let interface = "org/apache/pulsar/functions/api/Function";
        Self::new(name).implements(interface).signature(&format!("Ljava/lang/Object;L{interface}<Ljava/lang/String;Ljava/lang/String;>;"))
    }

    /// With another superclass.
    #[must_use]
    pub fn extends(mut self, class: &str) -> Self {
        class.clone_into(&mut self.super_class);
        self
    }

    /// With one more interface.
    #[must_use]
    pub fn implements(mut self, interface: &str) -> Self {
        self.interfaces.push(interface.to_owned());
        self
    }

    /// With a generic signature.
    #[must_use]
    pub fn signature(mut self, signature: &str) -> Self {
        self.signature = Some(signature.to_owned());
        self
    }

    /// With these access flags alone.
    #[must_use]
    pub fn flags(mut self, flags: u16) -> Self {
        self.flags = flags;
        self
    }

    /// With this major version: 61 is Java 17.
    #[must_use]
    pub fn major(mut self, major: u16) -> Self {
        self.major = major;
        self
    }

    /// With another constructor.
    #[must_use]
    pub fn constructor(mut self, flags: u16, descriptor: &str) -> Self {
        self.constructor = (flags, descriptor.to_owned());
        self
    }

    /// The class file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut pool = Pool::default();
        let mut body = Vec::new();
        let mut push = |number: u16| body.extend(number.to_be_bytes());
        push(self.flags);
        push(pool.class(&self.name));
        push(pool.class(&self.super_class));
        push(length(self.interfaces.len()));
        self.interfaces.iter().for_each(|interface| push(pool.class(interface)));
        push(0);
        push(1);
        push(self.constructor.0);
        push(pool.text("<init>"));
        push(pool.text(&self.constructor.1));
        push(0);
        push(u16::from(self.signature.is_some()));
        if let Some(signature) = &self.signature {
            let fields = [pool.text("Signature"), 0, 2, pool.text(signature)];
            fields.into_iter().for_each(push);
        }
        let mut file = vec![0xCA, 0xFE, 0xBA, 0xBE, 0, 0];
        file.extend(self.major.to_be_bytes());
        file.extend((pool.count + 1).to_be_bytes());
        [file, pool.bytes, body].concat()
    }

    /// The class file, with its place in a jar.
    pub fn entry(&self) -> (String, Vec<u8>) {
        (format!("{}.class", self.name), self.bytes())
    }
}

/// A constant pool on its way.
#[derive(Default)]
struct Pool {
    bytes: Vec<u8>,
    count: u16,
}

impl Pool {
    fn text(&mut self, text: &str) -> u16 {
        self.bytes.push(1);
        self.bytes.extend(length(text.len()).to_be_bytes());
        self.bytes.extend(text.as_bytes());
        self.count += 1;
        self.count
    }

    fn class(&mut self, name: &str) -> u16 {
        let name = self.text(name);
        self.bytes.push(7);
        self.bytes.extend(name.to_be_bytes());
        self.count += 1;
        self.count
    }
}

fn length(length: usize) -> u16 {
    u16::try_from(length).expect("short names")
}

/// A jar of entries, in the given order, all of one time. A name that ends with `/` makes a folder.
pub fn jar<N: AsRef<str>, B: AsRef<[u8]>>(entries: &[(N, B)]) -> Vec<u8> {
    jar_of_time(entries, 2026)
}

/// The same, of a year.
pub fn jar_of_time<N: AsRef<str>, B: AsRef<[u8]>>(entries: &[(N, B)], year: u16) -> Vec<u8> {
    let time = DateTime::from_date_and_time(year, 1, 2, 3, 4, 6).expect("a valid time");
    let options = SimpleFileOptions::default().last_modified_time(time);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        if name.as_ref().ends_with('/') {
            zip.add_directory(name.as_ref(), options).expect("written to memory");
        } else {
            zip.start_file(name.as_ref(), options).expect("written to memory");
            zip.write_all(bytes.as_ref()).expect("written to memory");
        }
    }
    zip.finish().expect("written to memory").into_inner()
}
