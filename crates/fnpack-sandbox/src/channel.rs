//! A socket between two of our own processes: values as JSON behind their length, descriptors beside
//! them.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::SandboxError;

/// No plan comes near; a peer that went mad does not eat the memory.
const LONGEST_MESSAGE: usize = 256 << 20;
const MOST_DESCRIPTORS: usize = 4;

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Both ends, each closed by exec.
    pub(crate) fn pair() -> Result<(Self, OwnedFd), SandboxError> {
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(failed)?;
        Ok((Self(ours), theirs))
    }

    /// The end that the parent made our standard input.
    pub(crate) fn from_stdin() -> Result<Self, SandboxError> {
        rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map(Self).map_err(failed)
    }

    /// Sends a value, and descriptors with it.
    pub(crate) fn send(&self, value: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> Result<(), SandboxError> {
        let body = serde_json::to_vec(value).map_err(|_| failed(Errno::INVAL))?;
        let length = u64::try_from(body.len()).map_err(|_| failed(Errno::MSGSIZE))?.to_le_bytes();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(failed(Errno::MSGSIZE));
        }
        // Eight bytes into a stream socket that is empty or nearly so are never split.
        let sent =
            retry_on_intr(|| rustix::net::sendmsg(&self.0, &[IoSlice::new(&length)], &mut beside, SendFlags::NOSIGNAL)).map_err(failed)?;
        if sent != length.len() {
            return Err(failed(Errno::IO));
        }
        self.send_all(&body)
    }

    fn send_all(&self, mut bytes: &[u8]) -> Result<(), SandboxError> {
        while !bytes.is_empty() {
            let sent = retry_on_intr(|| rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL)).map_err(failed)?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// The next value and the descriptors sent with it; `None` when the other end is closed.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> Result<Option<(T, Vec<OwnedFd>)>, SandboxError> {
        let mut length = [0; 8];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let received = retry_on_intr(|| {
            rustix::net::recvmsg(&self.0, &mut [IoSliceMut::new(&mut length)], &mut beside, RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL)
        });
        match received {
            Ok(message) if message.bytes == 0 => return Ok(None),
            Ok(message) if message.bytes == length.len() => {}
            Ok(_) => return Err(failed(Errno::IO)),
            // The peer died with something of ours unread.
            Err(Errno::CONNRESET) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        }
        let descriptors = beside.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>(),
            _ => Vec::new(),
        });
        let descriptors = descriptors.collect();
        let Some(body) = self.receive_exactly(u64::from_le_bytes(length))? else { return Ok(None) };
        serde_json::from_slice(&body).map(|value| Some((value, descriptors))).map_err(|_| failed(Errno::BADMSG))
    }

    fn receive_exactly(&self, length: u64) -> Result<Option<Vec<u8>>, SandboxError> {
        let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST_MESSAGE).ok_or(failed(Errno::MSGSIZE))?;
        let mut body = vec![0; length];
        let mut at = 0;
        while let Some(rest) = body.get_mut(at..).filter(|rest| !rest.is_empty()) {
            match retry_on_intr(|| rustix::io::read(&self.0, &mut *rest)) {
                Ok(0) | Err(Errno::CONNRESET) => return Ok(None),
                Ok(count) => at += count,
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(Some(body))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn failed(source: Errno) -> SandboxError {
    SandboxError::Channel { source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_carries_values_longer_than_its_buffer_and_descriptors() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel(theirs);
        let long = "x".repeat(3 << 20);
        let null = fs_err::File::open("/dev/null").unwrap();
        let sender = std::thread::spawn({
            let long = long.clone();
            move || {
                ours.send(&long, &[null.as_fd(), null.as_fd()]).unwrap();
                ours.send(&7, &[]).unwrap();
            }
        });
        let (value, descriptors) = theirs.receive::<String>().unwrap().unwrap();
        assert!(value == long);
        assert_eq!(descriptors.len(), 2);
        assert_eq!(theirs.receive::<i32>().unwrap().unwrap().0, 7);
        sender.join().unwrap();
        assert!(theirs.receive::<i32>().unwrap().is_none());
    }

    #[test]
    fn channel_refuses_an_absurd_length_and_other_words() {
        let (ours, theirs) = Channel::pair().unwrap();
        ours.send_all(&u64::MAX.to_le_bytes()).unwrap();
        assert!(matches!(Channel(theirs).receive::<i32>(), Err(SandboxError::Channel { source: Errno::MSGSIZE })));
        let (ours, theirs) = Channel::pair().unwrap();
        ours.send(&"text", &[]).unwrap();
        assert!(matches!(Channel(theirs).receive::<i32>(), Err(SandboxError::Channel { source: Errno::BADMSG })));
    }

    #[test]
    fn channel_cut_in_the_middle_is_an_end() {
        let (ours, theirs) = Channel::pair().unwrap();
        ours.send_all(&10_u64.to_le_bytes()).unwrap();
        ours.send_all(b"123").unwrap();
        drop(ours);
        assert!(Channel(theirs).receive::<i32>().unwrap().is_none());
    }
}
