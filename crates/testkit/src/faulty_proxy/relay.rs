//! A request on its way to the registry, and the answer on its way back.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Mishap, State};
use crate::http::{Answer, Request, read_body};
use crate::registry::digest;

/// Servers read so much of what they do not want before they close.
const READ_ANYWAY: u64 = 64 * 1024;
/// Of one connection only, or made anew.
const HOP_BY_HOP: [&str; 5] = ["connection", "expect", "transfer-encoding", "content-length", "keep-alive"];

/// How a request ended.
enum End {
    /// The next one may come.
    Open,
    Closed,
    /// The client gets a reset and no orderly end.
    Reset,
}

/// Serves the requests of one connection.
pub(super) fn serve(stream: TcpStream, state: &State) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Ok(Some(mut request)) = Request::read_head(&mut reader) {
        if request.invite_body(&mut writer).is_err() {
            return;
        }
        let mishap = state.mishap_of(&request);
        match relay(&mut request, mishap, &mut Client { reader: &mut reader, writer: &mut writer }, state) {
            Ok(End::Open) => {}
            Ok(End::Reset) => {
                let _ = rustix::net::sockopt::set_socket_linger(&writer, Some(Duration::ZERO));
                return;
            }
            Ok(End::Closed) | Err(_) => return,
        }
    }
}

struct Client<'a> {
    reader: &'a mut BufReader<TcpStream>,
    writer: &'a mut TcpStream,
}

fn relay(request: &mut Request, mishap: Option<Mishap>, client: &mut Client<'_>, state: &State) -> io::Result<End> {
    match mishap {
        Some(Mishap::ResetBefore) => return Ok(End::Reset),
        Some(Mishap::ResetDuring) => return drop_half(request, client, state.registry),
        Some(Mishap::Limited(after)) => {
            let mut answer = Answer::error(429, "TOOMANYREQUESTS", "too many requests");
            if let Some(after) = after {
                answer = answer.header("Retry-After", after.to_string());
            }
            return refuse(request, &answer, client);
        }
        Some(Mishap::Failed(status)) => return refuse(request, &Answer::error(status, "UNAVAILABLE", "a fault of the network"), client),
        _ => {}
    }
    request.body = read_body(client.reader, &request.headers, 0)?;
    if mishap == Some(Mishap::FlippedUpload) {
        flip(&mut request.body);
    }
    let answer = pass_on(request, state)?;
    give(answer, mishap, request.method == "HEAD", client)
}

/// The registry's answer to a request.
fn pass_on(request: &Request, state: &State) -> io::Result<Answer> {
    let _under_way = state.begin();
    let mut upstream = TcpStream::connect(state.registry)?;
    upstream.write_all(&head_of(request, request.body.len()))?;
    upstream.write_all(&request.body)?;
    let head = request.method == "HEAD";
    let mut answer = Answer::read(&mut BufReader::new(upstream), head)?;
    let length = answer.headers.iter().find(|(name, _)| name == "content-length").cloned();
    answer.headers.retain(|(name, _)| !HOP_BY_HOP.contains(&name.as_str()));
    // That of an answer to a HEAD is the one of the body which is not there.
    answer.headers.extend(length.filter(|_| head));
    Ok(answer)
}

/// Writes an answer with what befalls it.
fn give(mut answer: Answer, mishap: Option<Mishap>, head: bool, client: &mut Client<'_>) -> io::Result<End> {
    let half = answer.body.len() / 2;
    let length = |answer: Answer, bytes: usize| answer.header("content-length", bytes.to_string());
    match mishap {
        Some(Mishap::ResetAfter) => return Ok(End::Reset),
        Some(Mishap::Late(wait)) => std::thread::sleep(wait),
        Some(Mishap::Truncated) => {
            answer.write(client.writer, head, half)?;
            return Ok(End::Closed);
        }
        Some(Mishap::Stalled(wait)) => {
            if half > 0 {
                answer.write(client.writer, head, half)?;
            }
            return wait_for_the_end(client, wait);
        }
        Some(Mishap::LengthTooLong) => {
            let announced = answer.body.len() + 7;
            length(answer, announced).write(client.writer, head, usize::MAX)?;
            return Ok(End::Closed);
        }
        Some(Mishap::LengthTooShort) => answer = length(answer, half),
        Some(Mishap::Flipped) => flip(&mut answer.body),
        Some(Mishap::WrongDigest) => replace(&mut answer, "docker-content-digest", &digest(b"something else")),
        Some(Mishap::DuplicateHeaders) => {
            let named = answer.headers.iter().map(|(name, _)| name.clone());
            let again: Vec<String> = named.filter(|name| name == "location" || name == "docker-content-digest").collect();
            answer.headers.extend(again.into_iter().map(|name| (name, "elsewhere".to_owned())));
        }
        Some(Mishap::AbsentHeaders) => {
            answer.headers.retain(|(name, _)| !["location", "docker-content-digest", "range", "content-type"].contains(&name.as_str()));
        }
        _ => {}
    }
    answer.write(client.writer, head, usize::MAX)?;
    Ok(End::Open)
}

/// Answers in place of the registry. What is long and unread is cut off by the end of the connection.
fn refuse(request: &Request, answer: &Answer, client: &mut Client<'_>) -> io::Result<End> {
    let short = request.length() <= READ_ANYWAY;
    if short {
        read_body(client.reader, &request.headers, 0)?;
    }
    answer.write(client.writer, request.method == "HEAD", usize::MAX)?;
    Ok(if short { End::Open } else { End::Closed })
}

/// Passes half of a body on.
fn drop_half(request: &Request, client: &mut Client<'_>, registry: SocketAddr) -> io::Result<End> {
    let mut half = Vec::new();
    client.reader.take(request.length() / 2).read_to_end(&mut half)?;
    let mut upstream = TcpStream::connect(registry)?;
    upstream.write_all(&head_of(request, usize::try_from(request.length()).unwrap_or(usize::MAX)))?;
    upstream.write_all(&half)?;
    Ok(End::Reset)
}

/// Waits until the client has had enough.
fn wait_for_the_end(client: &mut Client<'_>, longest: Duration) -> io::Result<End> {
    client.writer.set_read_timeout(Some(longest))?;
    let _ = client.reader.read(&mut [0]);
    Ok(End::Closed)
}

/// Request line and headers, with the host that the client spoke to: the registry makes its addresses of it.
fn head_of(request: &Request, length: usize) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in request.headers.iter().filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str())) {
        text = format!("{text}{name}: {value}\r\n");
    }
    format!("{text}connection: close\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}

fn replace(answer: &mut Answer, name: &str, value: &str) {
    for (_, old) in answer.headers.iter_mut().filter(|(key, _)| key == name) {
        value.clone_into(old);
    }
}
