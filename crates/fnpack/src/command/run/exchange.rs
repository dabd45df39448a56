//! Messages in, answers out: what a conversation needs of a broker.

use std::time::Duration;

use crate::error::CommandError;

/// The two topics of a function.
pub(super) trait Exchange {
    /// Whether the function listens to its input topic; `None` if the broker does not say.
    fn is_subscribed(&mut self) -> Option<bool>;

    /// Sends a message to the function.
    fn send(&mut self, message: &[u8]) -> Result<(), CommandError>;

    /// The function's next answer, if one comes within `patience`.
    fn receive(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, CommandError>;
}
