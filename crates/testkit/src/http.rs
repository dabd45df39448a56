//! As much of HTTP/1.1 as registries, engines and their clients speak on this machine.

use std::io::{self, BufRead, BufReader, Read, Write};

/// What a client sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What the server answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a header; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The values of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Vec<String> {
        form_values(self.target.split_once('?').map_or("", |(_, query)| query), name)
    }

    /// The values of a field of a form sent as body.
    pub(crate) fn form(&self, name: &str) -> Vec<String> {
        form_values(&String::from_utf8_lossy(&self.body), name)
    }

    /// Reads the next request of a connection; `None` when the client closed it.
    pub(crate) fn read<S: Read + Write>(stream: &mut BufReader<S>) -> io::Result<Option<Self>> {
        let Some(mut request) = Self::read_head(stream)? else { return Ok(None) };
        request.read_body(stream)?;
        Ok(Some(request))
    }

    /// The same without the body.
    pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let line = read_line(stream)?;
        let mut words = line.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
        Ok(Some(Self { method: method.to_owned(), target: target.to_owned(), headers: read_headers(stream)?, body: Vec::new() }))
    }

    /// Reads the body that belongs to the head.
    pub(crate) fn read_body<S: Read + Write>(&mut self, stream: &mut BufReader<S>) -> io::Result<()> {
        self.invite_body(stream.get_mut())?;
        self.body = read_body(stream, &self.headers, 0)?;
        Ok(())
    }

    /// Tells a client that asks first to send its body.
    pub(crate) fn invite_body(&self, stream: &mut impl Write) -> io::Result<()> {
        match self.header("expect") {
            Some(_) => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n"),
            None => Ok(()),
        }
    }

    /// How many bytes of body are announced.
    pub(crate) fn length(&self) -> u64 {
        length(&self.headers).unwrap_or(0)
    }
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// An error in the form of the distribution specification.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        Self::new(status).header("Content-Type", "application/json").body(body.to_string().into_bytes())
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Reads an answer; one to a HEAD has no body, whatever length it announces.
    pub(crate) fn read(stream: &mut impl BufRead, head: bool) -> io::Result<Self> {
        let line = read_line(stream)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let headers = read_headers(stream)?;
        let empty = head || matches!(status, 100..=199 | 204 | 304);
        let body = if empty { Vec::new() } else { read_body(stream, &headers, u64::MAX)? };
        Ok(Self { status, headers, body })
    }

    /// Writes the answer; of the body only the first `limit` bytes, whatever its announced length.
    pub(crate) fn write(&self, stream: &mut impl Write, head: bool, limit: usize) -> io::Result<()> {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            text = format!("{text}{name}: {value}\r\n");
        }
        let named = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if !named && !matches!(self.status, 204 | 304) {
            text = format!("{text}Content-Length: {}\r\n", self.body.len());
        }
        stream.write_all(format!("{text}\r\n").as_bytes())?;
        if !head {
            stream.write_all(&self.body[..limit.min(self.body.len())])?;
        }
        stream.flush()
    }
}

fn length(headers: &[(String, String)]) -> Option<u64> {
    headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok())
}

fn read_headers(stream: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else { return Ok(headers) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// A body of the length that the headers say, or else of this one, `u64::MAX` for all that comes.
pub(crate) fn read_body(stream: &mut impl BufRead, headers: &[(String, String)], unsaid: u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        loop {
            let size = u64::from_str_radix(read_line(stream)?.trim(), 16).map_err(io::Error::other)?;
            stream.take(size).read_to_end(&mut body)?;
            read_line(stream)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    let length = length(headers).unwrap_or(unsaid);
    if stream.take(length).read_to_end(&mut body)? as u64 != length && length != u64::MAX {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

fn reason(status: u16) -> &'static str {
    match status {
        200..=299 => "OK",
        300..=399 => "Elsewhere",
        400..=499 => "Refused",
        _ => "Failed",
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.take(64 * 1024).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn form_values(text: &str, name: &str) -> Vec<String> {
    text.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == name).map(|(_, value)| decode(value)).collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        let escaped = text.get(position + 1..position + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, escaped) {
            (b'%', Some(value)) => {
                decoded.push(value);
                position += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        position += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
