//! `multipart/form-data` (RFC 7578) with a file that is streamed.

use std::io::{Cursor, Read};
use std::path::Path;

use fs_err::File;

use super::AdminError;

/// One form; opened anew for each try.
#[derive(Debug, Clone)]
pub(super) struct Form {
    boundary: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    head: String,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Text(String),
    File(std::path::PathBuf),
}

impl Form {
    pub(super) fn new() -> Self {
        // Long and of this program: nobody's file has a line of it but by intent, and then only harms its owner.
        Self { boundary: format!("fnpack-{:032x}", unique()), parts: Vec::new() }
    }

    /// Adds text of a content type.
    pub(super) fn text(self, name: &str, content_type: &str, text: &str) -> Self {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n");
        self.with(Part { head, body: Body::Text(text.to_owned()) })
    }

    /// Adds a file under a name, which the receiver keeps.
    pub(super) fn file(self, name: &str, path: &Path, file_name: &str) -> Self {
        let file_name = escaped(file_name);
        let head = format!(
            "Content-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        self.with(Part { head, body: Body::File(path.to_owned()) })
    }

    fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// The value of the header `Content-Type`.
    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The bytes and their number.
    pub(super) fn open(&self) -> Result<(Box<dyn Read + Send>, u64), AdminError> {
        let mut reader: Box<dyn Read + Send> = Box::new(std::io::empty());
        let mut length = 0;
        for part in &self.parts {
            let head = format!("--{}\r\n{}", self.boundary, part.head);
            length += head.len() as u64 + 2;
            let (body, size) = part.body.open()?;
            length += size;
            reader = Box::new(reader.chain(Cursor::new(head)).chain(body.take(size)).chain(&b"\r\n"[..]));
        }
        let end = format!("--{}--\r\n", self.boundary);
        length += end.len() as u64;
        Ok((Box::new(reader.chain(Cursor::new(end))), length))
    }
}

impl Body {
    fn open(&self) -> Result<(Box<dyn Read + Send>, u64), AdminError> {
        match self {
            Self::Text(text) => Ok((Box::new(Cursor::new(text.clone().into_bytes())), text.len() as u64)),
            Self::File(path) => {
                let failed = |source| AdminError::File { path: path.clone(), source };
                let file = File::open(path).map_err(failed)?;
                let size = file.metadata().map_err(failed)?.len();
                Ok((Box::new(file), size))
            }
        }
    }
}

/// As browsers do it (WHATWG HTML, multipart form data).
fn escaped(name: &str) -> String {
    name.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22")
}

fn unique() -> u128 {
    use std::hash::{BuildHasher, RandomState};
    // Every state is seeded by the system.
    let random = || u128::from(RandomState::new().hash_one(0_u8));
    (random() << 64) | random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_has_the_bytes_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs_err::write(&path, b"PK\r\n--x").unwrap();
        let form = Form::new().text("functionConfig", "application/json", "{}").file("data", &path, "a\"b\r\n.jar");
        let form = Form { boundary: "B".to_owned(), ..form };
        assert_eq!(form.content_type(), "multipart/form-data; boundary=B");
        for _try in 0..2 {
            let (mut reader, length) = form.open().unwrap();
            let mut bytes = String::new();
            reader.read_to_string(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, length);
            let expected = [
                "--B",
                "Content-Disposition: form-data; name=\"functionConfig\"",
                "Content-Type: application/json",
                "",
                "{}",
                "--B",
                "Content-Disposition: form-data; name=\"data\"; filename=\"a%22b%0D%0A.jar\"",
                "Content-Type: application/octet-stream",
                "",
                "PK",
                "--x",
                "--B--",
                "",
            ];
            assert_eq!(bytes, expected.join("\r\n"));
        }
    }

    #[test]
    fn form_without_its_file_is_an_error() {
        let form = Form::new().file("data", Path::new("/nowhere/at/all"), "x");
        assert!(matches!(form.open(), Err(AdminError::File { .. })));
    }
}
