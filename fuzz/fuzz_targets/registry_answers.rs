//! What a registry answers: status line, headers with a challenge, bodies.
//!
//! A server on loopback sends the input, cut at lines of `----` into one answer a connection; the last
//! is repeated. `HOST` in it becomes the server's address.

#![no_main]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use fnpack_core::reference::Reference;
use fnpack_core::registry::{RegistryClient, Retry, Settings, Timeouts};
use fnpack_core::target::Target;
use libfuzzer_sys::fuzz_target;

/// Answers still to be given.
static ANSWERS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

static HOST: LazyLock<String> = LazyLock::new(|| {
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

fuzz_target!(|bytes: &[u8]| {
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

    let wait = Duration::from_millis(200);
    let settings = Settings {
        timeouts: Timeouts { connect: wait, stall: wait },
        retry: Retry { attempts: 1, first_delay: Duration::ZERO, longest_delay: Duration::ZERO },
        ..Settings::default()
    };
    let client = RegistryClient::new(settings).expect("a client without a proxy");
    let reference: Reference = format!("{}/team/image:1", *HOST).parse().expect("a valid name");
    let target: Target = "linux/amd64".parse().expect("a valid target");
    if let Ok(image) = client.pull(&reference, &target) {
        for layer in image.layers() {
            if let Ok(mut reader) = layer.blob.open() {
                let _ = std::io::copy(&mut reader, &mut std::io::sink());
            }
        }
    }
});
