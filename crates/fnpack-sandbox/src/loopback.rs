//! Switches on the loopback interface of a new network namespace, which starts switched off.
//!
//! One `RTM_NEWLINK` message over netlink (`man 7 rtnetlink`).

use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// The first interface of every network namespace.
const LOOPBACK_INDEX: u32 = 1;
const MESSAGE_LENGTH: u32 = 32;

pub(crate) fn switch_on() -> Result<()> {
    // No protocol given is NETLINK_ROUTE.
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    rustix::net::send(&socket, &message(), SendFlags::empty())?;
    let mut answer = [0; 256];
    let (_, length) = rustix::net::recv(&socket, &mut answer, RecvFlags::empty())?;
    acknowledged(answer.get(..length).unwrap_or_default())
}

fn message() -> Vec<u8> {
    let (kind, flags) = (libc::RTM_NEWLINK, libc::NLM_F_REQUEST | libc::NLM_F_ACK);
    let up = libc::IFF_UP.cast_unsigned().to_ne_bytes();
    [
        // nlmsghdr: length, type, flags, sequence number, port
        MESSAGE_LENGTH.to_ne_bytes().as_slice(),
        &kind.to_ne_bytes(),
        &u16::try_from(flags).unwrap_or_default().to_ne_bytes(),
        &[0; 8],
        // ifinfomsg: family, padding, type, index, flags, which flags change
        &[0; 4],
        &LOOPBACK_INDEX.to_ne_bytes(),
        &up,
        &up,
    ]
    .concat()
}

/// The answer is an `nlmsgerr`: a header of 16 bytes, then a negated error number, 0 for success.
fn acknowledged(answer: &[u8]) -> Result<()> {
    let number = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match number {
        Some(0) => Ok(()),
        Some(number) if (-4095..0).contains(&number) => Err(Errno::from_raw_os_error(-number)),
        _ => Err(Errno::PROTO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_has_the_length_it_says() {
        assert_eq!(message().len(), MESSAGE_LENGTH as usize);
    }

    #[test]
    fn answer_is_success_only_if_it_says_so() {
        let answer = |number: i32| [[0; 16].as_slice(), &number.to_ne_bytes()].concat();
        assert_eq!(acknowledged(&answer(0)), Ok(()));
        assert_eq!(acknowledged(&answer(-1)), Err(Errno::PERM));
        for broken in [answer(1), answer(i32::MIN), Vec::new(), vec![0; 19]] {
            assert_eq!(acknowledged(&broken), Err(Errno::PROTO));
        }
    }
}
