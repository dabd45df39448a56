//! `fnpack run`: a function by the real instance of its image.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fnpack_core::accounts;
use fnpack_core::executor::{Command, Network, Privilege};
use fnpack_core::function_mesh::{self, Container, LogLevel, Ports};
use fnpack_core::image::Image;
use fnpack_sandbox::{ExitStatus, SandboxPlan, Stdio};

use super::answers::{differences, lines_of, messages, shown};
use super::conversation::{Conversation, End, Event, Patience};
use super::exchange::PulsarExchange;
use super::function::{RunName, Telling, Topics, facts};
use super::ground::{Ground, environment, machine, working_folder};
use super::log::Log;
use super::pulsar::{self, Pulsar};
use super::started::{Started, check_free, free_ports};
use super::subject::Subject;
use crate::arguments::{PlatformKind, RunArguments};
use crate::command::Session;
use crate::command::signals::Interruption;
use crate::command::variables::variables;
use crate::error::{Class, CommandError};

/// A Java instance on a slow machine takes some ten seconds.
const START: Duration = Duration::from_mins(2);
/// An answer to what came before may still be on its way.
const DOOMED: Duration = Duration::from_secs(10);
/// A function that answers twice does so at once.
const SURPLUS: Duration = Duration::from_secs(1);

/// What is sent and what is expected for it.
struct Script {
    messages: Vec<Vec<u8>>,
    expected: Option<Vec<Vec<u8>>>,
}

/// How a conversation went.
struct Course {
    end: End,
    sent: usize,
    received: usize,
}

/// Starts the function, talks with it, and says how it went.
pub(super) fn run(arguments: &RunArguments, session: &Session<'_>) -> Result<ExitCode, CommandError> {
    let script = Script::of(arguments)?;
    let run = RunName::new();
    // What is declared later is dropped earlier: the instance, then the topics, the broker, last the image's name.
    let subject = Subject::of(arguments, &run, session)?;
    let facts = facts(&subject.name, &subject.image, &arguments.function)?;
    let ports = ports(arguments)?;
    let ground = Ground::of(&subject.image, session)?;
    let fetched = pulsar::fetched(arguments, session)?;
    // Until here Ctrl-C may end the program where it is; now there is something to end in good order.
    let interruption = Interruption::watch().map_err(machine)?;
    let pulsar = Pulsar::open(arguments, fetched, session, &interruption)?;
    let topics = Topics::of(arguments, &run);
    session.ui.detail(&format!("it reads `{}` and writes `{}`", topics.input.name, topics.output.name));
    let log_level = arguments.messages.log_level.map(LogLevel::from).unwrap_or_default();
    let telling =
        Telling { facts: &facts, arguments: &arguments.function, run: &run, topics: &topics, broker: &pulsar.broker, ports, log_level };
    let instance = telling.instance()?;
    let container = match arguments.function.under {
        Some(PlatformKind::FunctionMesh) => instance.container()?,
        None => instance.repaired_container()?,
    };
    container.caveats.iter().for_each(|caveat| session.ui.warning(&caveat.to_string()));
    let mut exchange = PulsarExchange::open(&pulsar, &topics, &instance, &run, session.ui)?;
    let plan = plan(arguments, &subject.image, &container, &ground)?;
    let shows_log = arguments.messages.show_logs && session.ui.tells_steps();
    let log = Arc::new(Log::new(shows_log.then(|| session.ui.clone())));
    let began = Instant::now();
    let started = Started::start(&plan, ports, log.clone())?;

    let mut answers = Vec::new();
    let mut observer = |event: Event<'_>| match event {
        Event::Up => session.ui.step(&format!("instance is up ({:.1} s)", began.elapsed().as_secs_f64())),
        Event::Answer(answer) => {
            session.ui.raw_result(answer);
            if script.expected.is_some() {
                answers.push(answer.to_vec());
            }
        }
    };
    let mut conversation = Conversation {
        exchange: &mut exchange,
        instance: &started,
        patience: script.patience(arguments),
        interrupted: &|| interruption.asked(),
        observer: &mut observer,
        sent: 0,
        received: 0,
    };
    let end = conversation.hold(&script.messages, script.wanted())?;
    let course = Course { end, sent: conversation.sent, received: conversation.received };
    drop(started);
    if !script.messages.is_empty() {
        session.ui.step(&format!("sent {}, received {}", course.sent, course.received));
    }
    script.verdict(&course, &answers, &log, arguments)
}

fn ports(arguments: &RunArguments) -> Result<Ports, CommandError> {
    match arguments.function.under {
        Some(PlatformKind::FunctionMesh) => check_free(Ports::default()).map(|()| Ports::default()),
        None => free_ports(),
    }
}

/// The instance's sandbox: Function Mesh's command by the image's user, or by Function Mesh's.
fn plan(arguments: &RunArguments, image: &Image, container: &Container, ground: &Ground<'_>) -> Result<SandboxPlan, CommandError> {
    let config = &image.config().config;
    let pod = function_mesh::user();
    let user = match arguments.function.under {
        Some(PlatformKind::FunctionMesh) => format!("{}:{}", pod.uid, pod.gid),
        None => config.user.clone(),
    };
    // The view must be gone before the sandbox mounts the same folders.
    let account = {
        let view = ground.view()?;
        accounts::account(&view, &user)?
    };
    let more = container.environment.iter().cloned().chain(variables(&[], &arguments.env)?);
    let command = Command {
        arguments: container.command.iter().map(Into::into).collect(),
        environment: environment(config, &account.home, more),
        working_folder: working_folder(config),
        user: account.user,
        network: Network::Host,
        privilege: Privilege::None,
    };
    ground.plan(&command, &arguments.volumes, Stdio::Capture)
}

impl Script {
    fn of(arguments: &RunArguments) -> Result<Self, CommandError> {
        let expected = arguments.messages.expect.as_deref().map(lines_of).transpose()?;
        Ok(Self { messages: messages(&arguments.messages.inputs)?, expected })
    }

    /// How many answers there should be: as many as are expected, else one for each message. Without messages
    /// nobody knows.
    fn wanted(&self) -> Option<usize> {
        (!self.messages.is_empty()).then(|| self.expected.as_ref().map_or(self.messages.len(), Vec::len))
    }

    fn patience(&self, arguments: &RunArguments) -> Patience {
        let surplus = if self.expected.is_some() { SURPLUS } else { Duration::ZERO };
        Patience { start: START, answer: Duration::from_secs(arguments.messages.timeout), doomed: DOOMED, surplus }
    }

    fn verdict(&self, course: &Course, answers: &[Vec<u8>], log: &Log, arguments: &RunArguments) -> Result<ExitCode, CommandError> {
        let what = match course.end {
            End::Answered => return self.compare(answers, arguments),
            End::Interrupted => return Ok(ExitCode::from(Class::Interrupted as u8)),
            End::Ended(ExitStatus::Code(0)) => format!("the instance ended with status 0 without working{}", self.missing(course)),
            End::Ended(ExitStatus::Code(code)) => format!("the instance ended with status {code}{}", self.missing(course)),
            End::Ended(ExitStatus::Signal(signal)) => format!("the instance was ended by signal {signal}{}", self.missing(course)),
            End::NotUp => format!("the instance did not come up within {} s", START.as_secs()),
            End::Silent => format!("there was no answer in time{}", self.missing(course)),
        };
        Err(failed(&what, log))
    }

    /// Which answer did not come: instances answer in order.
    fn missing(&self, course: &Course) -> String {
        match self.messages.get(course.received) {
            Some(message) if self.expected.is_none() => {
                format!(", no answer to message {} of {} (`{}`)", course.received + 1, self.messages.len(), shown(message))
            }
            _ => match self.wanted() {
                Some(wanted) => format!(", {} of {wanted} answers came", course.received),
                None => String::new(),
            },
        }
    }

    fn compare(&self, answers: &[Vec<u8>], arguments: &RunArguments) -> Result<ExitCode, CommandError> {
        let different = self.expected.as_ref().map(|expected| differences(expected, answers)).unwrap_or_default();
        if different.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let file = arguments.messages.expect.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
        Err(CommandError::message(Class::YourCode, format!("the answers are not those of `{file}`")).details(different))
    }
}

/// With the cause that the log gives, or else with its end.
fn failed(what: &str, log: &Log) -> CommandError {
    let found = log.cause();
    let because = found.as_ref().map(|found| format!(": {}", found.cause.text)).unwrap_or_default();
    let error = CommandError::message(Class::YourCode, format!("{what}{because}"));
    let sign = found.iter().map(|found| found.line.clone());
    let last = log.last().into_iter().filter(|_| !log.is_shown()).map(|line| format!("| {line}"));
    let error = error.details(sign.chain(last));
    match found {
        Some(found) => error.hint(found.cause.hint),
        None if log.is_shown() => error,
        None => error.hint("see all that the instance logs with `--show-logs`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(messages: &[&str], expected: Option<&[&str]>) -> Script {
        let bytes = |lines: &[&str]| lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        Script { messages: bytes(messages), expected: expected.map(bytes) }
    }

    #[test]
    fn wanted_answers_are_those_expected_or_one_a_message() {
        assert_eq!(script(&["a", "b"], None).wanted(), Some(2));
        assert_eq!(script(&["a", "b"], Some(&["x"])).wanted(), Some(1));
        assert_eq!(script(&["a"], Some(&[])).wanted(), Some(0));
        assert_eq!(script(&[], None).wanted(), None);
    }

    #[test]
    fn missing_answer_is_named() {
        let course = |received| Course { end: End::Silent, sent: 2, received };
        assert_eq!(script(&["a", "b"], None).missing(&course(1)), ", no answer to message 2 of 2 (`b`)");
        assert_eq!(script(&["a", "b"], Some(&["x", "y", "z"])).missing(&course(1)), ", 1 of 3 answers came");
        assert_eq!(script(&[], None).missing(&course(0)), "");
    }

    #[test]
    fn failure_tells_the_cause_and_the_last_lines() {
        let log = Log::new(None);
        log.take(b"starting\nModuleNotFoundError: No module named 'requests'\n");
        let text = failed("the instance ended with status 1", &log).render();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "error: the instance ended with status 1: a Python module is missing",
                "  ModuleNotFoundError: No module named 'requests'",
                "  | starting",
                "  | ModuleNotFoundError: No module named 'requests'",
                "hint: add it to the project's dependencies, or correct the module in `--class-name`",
            ]
        );
        assert!(failed("it ended", &Log::new(None)).render().contains("--show-logs"));
    }
}
