//! The conversation with a function: messages are sent, answers received, the instance watched, until there is
//! an end.

use std::time::{Duration, Instant};

use fnpack_sandbox::ExitStatus;

use super::exchange::Exchange;
use crate::error::CommandError;

/// How long one look at the broker takes, and so how soon anything else is noticed.
const TICK: Duration = Duration::from_millis(100);
/// How many messages are sent between two looks at the answers.
const BATCH: usize = 100;

/// The instance, as a conversation sees it.
pub(super) trait Instance {
    /// How it ended, if it has.
    fn ended(&self) -> Option<ExitStatus>;

    /// Whether it accepts connections of those who look after it.
    fn is_listening(&self) -> bool;

    /// Whether its log says that it will never answer.
    fn is_doomed(&self) -> bool;
}

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the instance to come up.
    pub(super) start: Duration,
    /// For the next answer.
    pub(super) answer: Duration,
    /// For an answer of which the log says that it will not come.
    pub(super) doomed: Duration,
    /// For answers beyond those wanted.
    pub(super) surplus: Duration,
}

/// What happens on the way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'m> {
    /// The instance listens.
    Up,
    /// An answer came.
    Answer(&'m [u8]),
}

/// Why it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All answers came.
    Answered,
    /// The instance ended before.
    Ended(ExitStatus),
    /// The instance did not come up.
    NotUp,
    /// It is up, and an answer did not come.
    Silent,
    /// The user stopped it.
    Interrupted,
}

/// Those who take part, and how it went.
pub(super) struct Conversation<'a> {
    pub(super) exchange: &'a mut dyn Exchange,
    pub(super) instance: &'a dyn Instance,
    pub(super) patience: Patience,
    pub(super) interrupted: &'a dyn Fn() -> bool,
    pub(super) observer: &'a mut dyn FnMut(Event<'_>),
    pub(super) sent: usize,
    pub(super) received: usize,
}

impl Conversation<'_> {
    /// Sends all messages and waits for as many answers as are wanted; without that number, until something else
    /// ends it.
    pub(super) fn hold(&mut self, messages: &[Vec<u8>], wanted: Option<usize>) -> Result<End, CommandError> {
        if let Some(end) = self.wait_for_start()? {
            return Ok(end);
        }
        (self.observer)(Event::Up);
        let mut last = Instant::now();
        loop {
            if (self.interrupted)() {
                return Ok(End::Interrupted);
            }
            let all_sent = self.send_some(messages)?;
            let enough = all_sent && wanted.is_some_and(|wanted| wanted > 0 && self.received >= wanted) && self.patience.surplus.is_zero();
            if !enough && self.receive_one(if all_sent { TICK } else { Duration::ZERO })? {
                last = Instant::now();
            } else if let Some(end) = self.end(last.elapsed(), wanted.filter(|_| all_sent))? {
                return Ok(end);
            }
        }
    }

    fn wait_for_start(&mut self) -> Result<Option<End>, CommandError> {
        let started = Instant::now();
        while !self.exchange.is_subscribed().unwrap_or_else(|| self.instance.is_listening()) {
            if (self.interrupted)() {
                return Ok(Some(End::Interrupted));
            }
            if let Some(status) = self.instance.ended() {
                return Ok(Some(End::Ended(status)));
            }
            if started.elapsed() > self.patience.start {
                return Ok(Some(End::NotUp));
            }
            // What was there before the function came up is an answer all the same.
            self.receive_one(TICK)?;
        }
        Ok(None)
    }

    /// Whether all are sent.
    fn send_some(&mut self, messages: &[Vec<u8>]) -> Result<bool, CommandError> {
        for message in messages.iter().skip(self.sent).take(BATCH) {
            self.exchange.send(message)?;
            self.sent += 1;
        }
        Ok(self.sent == messages.len())
    }

    fn receive_one(&mut self, patience: Duration) -> Result<bool, CommandError> {
        let answer = self.exchange.receive(patience)?;
        if let Some(answer) = &answer {
            self.received += 1;
            (self.observer)(Event::Answer(answer));
        }
        Ok(answer.is_some())
    }

    /// Whether it is over, after no answer came for as long as `quiet`.
    fn end(&mut self, quiet: Duration, wanted: Option<usize>) -> Result<Option<End>, CommandError> {
        let answered = wanted.is_some_and(|wanted| wanted > 0 && self.received >= wanted);
        if answered {
            return Ok((quiet >= self.patience.surplus).then_some(End::Answered));
        }
        if let Some(status) = self.instance.ended() {
            // Its last answers may still be on their way.
            while self.receive_one(TICK)? {}
            return Ok(Some(End::Ended(status)));
        }
        let doomed = self.instance.is_doomed();
        let patience = if doomed { self.patience.doomed } else { self.patience.answer };
        let over = if wanted == Some(0) && !doomed { End::Answered } else { End::Silent };
        Ok((wanted.is_some() && quiet > patience).then_some(over))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::VecDeque;

    use super::*;

    type Reply = fn(&[u8]) -> Vec<Vec<u8>>;

    /// A function in memory: answers some messages, then does something else.
    #[derive(Default)]
    struct Fake {
        answers: VecDeque<Vec<u8>>,
        /// What each message is answered with.
        reply: Option<Reply>,
        subscribed: Option<bool>,
    }

    impl Exchange for Fake {
        fn is_subscribed(&mut self) -> Option<bool> {
            self.subscribed
        }

        fn send(&mut self, message: &[u8]) -> Result<(), CommandError> {
            self.answers.extend(self.reply.map(|reply| reply(message)).unwrap_or_default());
            Ok(())
        }

        fn receive(&mut self, _: Duration) -> Result<Option<Vec<u8>>, CommandError> {
            Ok(self.answers.pop_front())
        }
    }

    #[derive(Default)]
    struct Process {
        ended: Option<ExitStatus>,
        listening: bool,
        doomed: bool,
    }

    impl Instance for Process {
        fn ended(&self) -> Option<ExitStatus> {
            self.ended
        }

        fn is_listening(&self) -> bool {
            self.listening
        }

        fn is_doomed(&self) -> bool {
            self.doomed
        }
    }

    const PATIENCE: Patience = Patience {
        start: Duration::from_millis(30),
        answer: Duration::from_millis(30),
        doomed: Duration::from_millis(1),
        surplus: Duration::ZERO,
    };

    fn exclaim(message: &[u8]) -> Vec<Vec<u8>> {
        vec![[message, b"!"].concat()]
    }

    /// How it ended, and the answers.
    fn hold(fake: &mut Fake, process: &Process, patience: Patience, messages: &[&str], wanted: Option<usize>) -> (End, Vec<String>) {
        let mut answers = Vec::new();
        let mut observer = |event: Event<'_>| {
            if let Event::Answer(answer) = event {
                answers.push(String::from_utf8_lossy(answer).into_owned());
            }
        };
        let messages: Vec<Vec<u8>> = messages.iter().map(|message| message.as_bytes().to_vec()).collect();
        let mut conversation = Conversation {
            exchange: fake,
            instance: process,
            patience,
            interrupted: &|| false,
            observer: &mut observer,
            sent: 0,
            received: 0,
        };
        let end = conversation.hold(&messages, wanted).unwrap();
        (end, answers)
    }

    fn up() -> Process {
        Process { listening: true, ..Process::default() }
    }

    #[test]
    fn every_message_is_answered() {
        let mut fake = Fake { reply: Some(exclaim), ..Fake::default() };
        assert_eq!(hold(&mut fake, &up(), PATIENCE, &["a", "b"], Some(2)), (End::Answered, vec!["a!".into(), "b!".into()]));
        let many = vec!["a"; 3 * BATCH + 1];
        let (end, answers) = hold(&mut fake, &up(), PATIENCE, &many, Some(many.len()));
        assert_eq!((end, answers.len()), (End::Answered, many.len()));
    }

    #[test]
    fn surplus_answers_are_seen_if_asked_for() {
        let twice = |message: &[u8]| [exclaim(message), exclaim(message)].concat();
        let patience = Patience { surplus: Duration::from_millis(10), ..PATIENCE };
        let mut fake = Fake { reply: Some(twice), ..Fake::default() };
        let (end, answers) = hold(&mut fake, &up(), patience, &["a"], Some(1));
        assert_eq!((end, answers.len()), (End::Answered, 2));
    }

    #[test]
    fn no_answer_may_be_the_right_one() {
        let (end, answers) = hold(&mut Fake::default(), &up(), PATIENCE, &["a"], Some(0));
        assert_eq!((end, answers.len()), (End::Answered, 0));
    }

    #[test]
    fn silence_has_an_end_and_a_sooner_one_without_hope() {
        assert_eq!(hold(&mut Fake::default(), &up(), PATIENCE, &["a"], Some(1)).0, End::Silent);
        let doomed = Process { doomed: true, ..up() };
        let patience = Patience { answer: Duration::from_hours(1), ..PATIENCE };
        assert_eq!(hold(&mut Fake::default(), &doomed, patience, &["a"], Some(1)).0, End::Silent);
    }

    #[test]
    fn instance_that_ends_is_noticed_in_both_phases() {
        let status = ExitStatus::Code(3);
        let dead = Process { ended: Some(status), ..Process::default() };
        assert_eq!(hold(&mut Fake::default(), &dead, PATIENCE, &["a"], Some(1)).0, End::Ended(status));
        let mut first_only = Fake { reply: Some(|message| if message == b"a" { exclaim(message) } else { Vec::new() }), ..Fake::default() };
        let later = Process { ended: Some(status), ..up() };
        assert_eq!(hold(&mut first_only, &later, PATIENCE, &["a", "b"], Some(2)), (End::Ended(status), vec!["a!".into()]));
        assert_eq!(hold(&mut Fake::default(), &later, PATIENCE, &[], None).0, End::Ended(status));
    }

    #[test]
    fn what_the_broker_says_counts_more_than_an_open_port() {
        let mut fake = Fake { subscribed: Some(false), ..Fake::default() };
        assert_eq!(hold(&mut fake, &up(), PATIENCE, &["a"], Some(1)).0, End::NotUp);
        let mut fake = Fake { subscribed: Some(true), reply: Some(exclaim), ..Fake::default() };
        assert_eq!(hold(&mut fake, &Process::default(), PATIENCE, &["a"], Some(1)).0, End::Answered);
    }

    #[test]
    fn interruption_ends_it_in_both_phases() {
        for process in [up(), Process::default()] {
            let looks = Cell::new(0);
            let interrupted = || looks.replace(looks.get() + 1) > 3;
            let mut fake = Fake::default();
            let mut conversation = Conversation {
                exchange: &mut fake,
                instance: &process,
                patience: Patience { start: Duration::from_hours(1), ..PATIENCE },
                interrupted: &interrupted,
                observer: &mut |_| {},
                sent: 0,
                received: 0,
            };
            assert_eq!(conversation.hold(&[], None).unwrap(), End::Interrupted);
        }
    }
}
