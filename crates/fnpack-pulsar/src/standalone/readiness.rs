//! When a server can be used. It answers on all its ports long before that.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;

const HEALTH: &str = "/admin/v2/brokers/health";
/// Made last by a standalone broker.
const NAMESPACE: &str = "/admin/v2/namespaces/public/default";
const WORKERS: &str = "/admin/v2/worker/cluster";
const FUNCTIONS: &str = "/admin/v3/functions/public/default";
const PACKAGES: &str = "/admin/v3/packages/function/public/default";

/// The questions of readiness, each asked until it was answered well once.
pub(super) struct Readiness {
    agent: Agent,
    web: String,
    open: Vec<&'static str>,
}

impl Readiness {
    pub(super) fn of(web: &str, with_functions_worker: bool) -> Self {
        let agent =
            Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(Duration::from_secs(5))).build().into();
        let mut open = vec![HEALTH, NAMESPACE];
        if with_functions_worker {
            open.extend([WORKERS, FUNCTIONS, PACKAGES]);
        }
        Self { agent, web: web.to_owned(), open }
    }

    /// Whether all is well by now.
    pub(super) fn ask(&mut self) -> bool {
        let (agent, web) = (&self.agent, &self.web);
        while let Some(path) = self.open.first() {
            if !answer(agent, &format!("{web}{path}")).is_some_and(|answer| is_well(path, &answer)) {
                return false;
            }
            self.open.remove(0);
        }
        true
    }
}

/// The body of an answer without error; none of these is long.
fn answer(agent: &Agent, url: &str) -> Option<String> {
    let answer = agent.get(url).call().ok().filter(|answer| answer.status().is_success())?;
    let mut text = String::new();
    answer.into_body().into_reader().take(64 << 10).read_to_string(&mut text).ok()?;
    Some(text)
}

fn is_well(path: &str, answer: &str) -> bool {
    match path {
        HEALTH => answer.trim() == "ok",
        WORKERS => answer.contains("workerId"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// A server with an answer for each path.
    fn server(answers: impl Fn(&str) -> (u16, &'static str) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let web = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let mut tcp = tcp.unwrap();
                let mut line = String::new();
                let mut reader = BufReader::new(tcp.try_clone().unwrap());
                reader.read_line(&mut line).unwrap();
                let mut rest = String::new();
                while reader.read_line(&mut rest).is_ok_and(|size| size > 2) {}
                let (status, body) = answers(line.split(' ').nth(1).unwrap());
                let _ = write!(tcp, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            }
        });
        web
    }

    fn good(path: &str) -> (u16, &'static str) {
        match path {
            HEALTH => (200, "ok"),
            WORKERS => (200, r#"[{"workerId":"w"}]"#),
            _ => (200, "[]"),
        }
    }

    #[test]
    fn server_is_ready_when_every_question_is_answered_well() {
        assert!(Readiness::of(&server(good), true).ask());
        for bad in [HEALTH, NAMESPACE, WORKERS, FUNCTIONS, PACKAGES] {
            for (status, body) in [(500, "ok"), (404, "ok"), (200, "\u{0}")] {
                let web = server(move |path| if path == bad { (status, body) } else { good(path) });
                let ready = Readiness::of(&web, true).ask();
                assert_eq!(ready, status == 200 && !matches!(bad, HEALTH | WORKERS), "{bad} {status}");
            }
        }
    }

    #[test]
    fn worker_is_only_asked_for_where_there_is_one() {
        let web = server(|path| if path.contains("worker") || path.contains("v3") { (503, "") } else { good(path) });
        assert!(Readiness::of(&web, false).ask());
        assert!(!Readiness::of(&web, true).ask());
        assert!(!Readiness::of("http://127.0.0.1:1", false).ask());
    }
}
