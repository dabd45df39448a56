//! Credential helpers: programs `docker-credential-NAME` that keep logins, asked through standard input and
//! output (docker/docker-credential-helpers, "Development").

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use super::{CredentialHelper, HelperError, Login, Secret};

/// Identity tokens are a few KiB.
const LONGEST_ANSWER: u64 = 256 * 1024;
/// What of a failed helper's answer is shown.
const LONGEST_MESSAGE: usize = 200;
/// The name under which helpers keep identity tokens.
const TOKEN_USER: &str = "<token>";

/// Starts helpers.
#[derive(Debug, Clone)]
pub struct HelperPrograms {
    /// Where they are; empty for the folders of `PATH`.
    pub folder: PathBuf,
    /// How long to wait for one: some ask the user, or a cloud.
    pub timeout: Duration,
}

impl Default for HelperPrograms {
    fn default() -> Self {
        Self { folder: PathBuf::new(), timeout: Duration::from_mins(1) }
    }
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is none, or it cannot be started.
    #[error("cannot start `{program}`")]
    Start {
        /// Its full name.
        program: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It cannot be spoken to.
    #[error("the talk with `{program}` broke")]
    Talk {
        /// Its full name.
        program: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// It did not end in time, and was stopped.
    #[error("`{program}` gave no answer within {seconds} s")]
    TimedOut {
        /// Its full name.
        program: String,
        /// The limit.
        seconds: u64,
    },
    /// It ended as failed.
    #[error("`{program} {verb}` says `{message}`")]
    Failed {
        /// Its full name.
        program: String,
        /// What it was asked for.
        verb: &'static str,
        /// Its words, or its exit status.
        message: String,
    },
    /// Its answer is not the JSON that it should be.
    #[error("`{program} get` gives something that is no login")]
    Junk {
        /// Its full name.
        program: String,
        /// The fault, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// Its answer is endless.
    #[error("`{program} {verb}` gives more than {LONGEST_ANSWER} bytes")]
    TooLong {
        /// Its full name.
        program: String,
        /// What it was asked for.
        verb: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl CredentialHelper for HelperPrograms {
    fn get(&self, helper: &str, server: &str) -> Result<Option<Login>, HelperError> {
        let helper = Program::new(helper, self);
        let answer = match helper.ask("get", server.as_bytes()) {
            Ok(answer) => answer,
            Err(ProgramError::Failed { message, .. }) if is_not_found(&message) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Answer { username, secret } =
            serde_json::from_slice(&answer).map_err(|source| ProgramError::Junk { program: helper.name.clone(), source })?;
        // Some say so that they have nothing.
        if secret.is_empty() {
            return Ok(None);
        }
        let secret = Secret::new(secret);
        Ok(Some(if username == TOKEN_USER { Login::IdentityToken(secret) } else { Login::Password { user: username, password: secret } }))
    }

    fn store(&self, helper: &str, server: &str, user: &str, password: &Secret) -> Result<(), HelperError> {
        let login = serde_json::json!({ "ServerURL": server, "Username": user, "Secret": password.reveal() });
        Program::new(helper, self).ask("store", login.to_string().as_bytes())?;
        Ok(())
    }

    fn erase(&self, helper: &str, server: &str) -> Result<(), HelperError> {
        match Program::new(helper, self).ask("erase", server.as_bytes()) {
            Err(ProgramError::Failed { message, .. }) if is_not_found(&message) => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    }
}

/// The one sentence that all helpers share.
fn is_not_found(message: &str) -> bool {
    message.contains("credentials not found")
}

struct Program {
    folder: PathBuf,
    name: String,
    timeout: Duration,
}

impl Program {
    fn new(helper: &str, programs: &HelperPrograms) -> Self {
        Self { folder: programs.folder.clone(), name: format!("docker-credential-{helper}"), timeout: programs.timeout }
    }

    fn ask(&self, verb: &'static str, input: &[u8]) -> Result<Vec<u8>, ProgramError> {
        let mut child = Command::new(self.folder.join(&self.name))
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| ProgramError::Start { program: self.name.clone(), source })?;
        let answer = self.talk(&mut child, input);
        if answer.is_err() {
            // It may have ended by itself.
            let _ = child.kill();
        }
        let status = child.wait().map_err(|source| self.broken(source))?;
        let answer = answer?;
        if answer.len() as u64 > LONGEST_ANSWER {
            return Err(ProgramError::TooLong { program: self.name.clone(), verb });
        }
        if !status.success() {
            return Err(ProgramError::Failed { program: self.name.clone(), verb, message: told(&answer, status) });
        }
        Ok(answer)
    }

    fn talk(&self, child: &mut Child, input: &[u8]) -> Result<Vec<u8>, ProgramError> {
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(self.broken(io::ErrorKind::BrokenPipe.into()));
        };
        match stdin.write_all(input) {
            // One that fails early does not read.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(self.broken(error)),
            _ => drop(stdin),
        }
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let mut answer = Vec::new();
            let read = stdout.take(LONGEST_ANSWER + 1).read_to_end(&mut answer).map(|_| answer);
            // Nobody waits any more after the time limit.
            let _ = sender.send(read);
        });
        match receiver.recv_timeout(self.timeout) {
            Ok(answer) => answer.map_err(|source| self.broken(source)),
            Err(_) => Err(ProgramError::TimedOut { program: self.name.clone(), seconds: self.timeout.as_secs() }),
        }
    }

    fn broken(&self, source: io::Error) -> ProgramError {
        ProgramError::Talk { program: self.name.clone(), source }
    }
}

/// Helpers write what went wrong to standard output.
fn told(answer: &[u8], status: std::process::ExitStatus) -> String {
    let text = String::from_utf8_lossy(answer);
    let line: String = text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST_MESSAGE).collect();
    if line.is_empty() { status.to_string() } else { line }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// What a helper with this script, asked for the login of `a.b`, gives.
    fn asked(script: &str) -> Result<Option<Login>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker-credential-test");
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let programs = HelperPrograms { folder: folder.path().to_owned(), timeout: Duration::from_millis(1500) };
        programs.get("test", "a.b").map_err(|error| error.to_string())
    }

    #[test]
    fn helper_is_told_the_server_and_gives_a_login() {
        let login = |user: &str| Ok(Some(Login::Password { user: user.to_owned(), password: Secret::new("s") }));
        assert_eq!(asked(r#"read s; echo "{\"ServerURL\":\"$s\",\"Username\":\"$1 $s\",\"Secret\":\"s\"}""#), login("get a.b"));
        let token = asked(r#"echo '{"Username":"<token>","Secret":"t"}'"#);
        assert_eq!(token, Ok(Some(Login::IdentityToken(Secret::new("t")))));
        assert_eq!(asked("echo credentials not found in native keychain; exit 1"), Ok(None));
        assert_eq!(asked(r#"echo '{"Username":"","Secret":""}'"#), Ok(None));
    }

    #[test]
    fn helper_that_fails_is_told() {
        for (script, expected) in [
            ("echo junk", "`docker-credential-test get` gives something that is no login"),
            ("echo no cloud today; exit 1", "`docker-credential-test get` says `no cloud today`"),
            ("exit 3", "`docker-credential-test get` says `exit status: 3`"),
            ("exec sleep 60", "`docker-credential-test` gave no answer within 1 s"),
            ("exec cat /dev/zero", "`docker-credential-test get` gives more than 262144 bytes"),
        ] {
            assert_eq!(asked(script), Err(expected.to_owned()));
        }
        let missing = HelperPrograms::default().get("surely-not-there", "a.b").unwrap_err();
        assert_eq!(missing.to_string(), "cannot start `docker-credential-surely-not-there`");
    }
}
