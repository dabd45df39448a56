//! A server on loopback that says what it is told to.
//!
//! The input is cut at lines of `----` into one answer a connection; the last is repeated. `HOST` in it becomes the
//! server's address.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// Answers still to be given.
static ANSWERS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// The server's address, host and port.
pub static HOST: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let host = listener.local_addr().expect("a bound socket has an address").to_string();
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    host
});

fn answer(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let answer = {
        let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() > 1 { answers.pop() } else { answers.last().cloned() }
    };
    let _ = stream.write_all(&answer.unwrap_or_default());
    let _ = stream.shutdown(Shutdown::Both);
}

/// Gives these answers from now on.
pub fn prepare(bytes: &[u8]) {
    let text: Vec<u8> = String::from_utf8_lossy(bytes).replace("HOST", &HOST).into_bytes();
    let mut answers: Vec<Vec<u8>> = vec![Vec::new()];
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match answers.last_mut() {
            Some(last) if line != b"----\n" => last.extend_from_slice(line),
            _ => answers.push(Vec::new()),
        }
    }
    answers.reverse();
    *ANSWERS.lock().unwrap_or_else(PoisonError::into_inner) = answers;
}
