//! The filter on system calls: what is not known to be harmless does not exist.
//!
//! Two filters, as each has one answer. The lower lets the calls on the list through and says "no such
//! call" to all others, so that programs fall back to what they used before: `clone3` is left out for
//! that, its flags lie in memory where a filter cannot look. The upper says "not permitted" to what
//! is well known and refused. Calls of another architecture (32-bit programs) end the process.

mod calls;

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Rules of one filter, by number of the call.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// `PER_LINUX`, `PER_LINUX32`, each also with `UNAME26`, and "which one is it?".
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The new-namespace flags of `clone` and `unshare`, less `CLONE_NEWTIME`, which means something else
/// to `clone`.
const NAMESPACE_FLAGS: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// `TIOCSTI` and `TIOCLINUX` write into the input of a terminal: a way out of the sandbox where it
/// shares the caller's.
const TERMINAL_INPUT: [u64; 2] = [0x5412, 0x541c];

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeccompError {
    #[error("{0}")]
    Compile(BackendError),
    #[error("{0}")]
    Install(seccompiler::Error),
}

/// Puts this process, and all it executes, under the filter. Sets `no_new_privs` too.
pub(crate) fn install() -> Result<(), SeccompError> {
    let [listed, refused] = programs().map_err(SeccompError::Compile)?;
    // Where both have an error to answer with, the one installed last is asked first.
    seccompiler::apply_filter(&listed).and_then(|()| seccompiler::apply_filter(&refused)).map_err(SeccompError::Install)
}

fn programs() -> Result<[BpfProgram; 2], BackendError> {
    Ok([
        compile(listed()?, SeccompAction::Errno(libc::ENOSYS.cast_unsigned()), SeccompAction::Allow)?,
        compile(refused()?, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.cast_unsigned()))?,
    ])
}

fn compile(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, otherwise, matched, TargetArch::try_from(std::env::consts::ARCH)?)?.try_into()
}

fn listed() -> Result<Rules, BackendError> {
    let mut rules: Rules = calls::LISTED.iter().chain(calls::LISTED_HERE).map(|number| (*number, Vec::new())).collect();
    let personalities = PERSONALITIES.into_iter().map(|value| rule(0, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value));
    rules.insert(libc::SYS_personality, personalities.collect::<Result<_, _>>()?);
    Ok(rules)
}

fn refused() -> Result<Rules, BackendError> {
    let mut rules: Rules = calls::REFUSED.iter().chain(calls::REFUSED_HERE).map(|number| (*number, Vec::new())).collect();
    let flags = NAMESPACE_FLAGS.map(|flag| u64::from(flag.cast_unsigned()));
    let with_flag = |flag| rule(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag);
    rules.insert(libc::SYS_clone, flags.into_iter().map(with_flag).collect::<Result<_, _>>()?);
    let new_time = u64::from(libc::CLONE_NEWTIME.cast_unsigned());
    rules.insert(libc::SYS_unshare, flags.into_iter().chain([new_time]).map(with_flag).collect::<Result<_, _>>()?);
    let input = TERMINAL_INPUT.into_iter().map(|request| rule(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, request));
    rules.insert(libc::SYS_ioctl, input.collect::<Result<_, _>>()?);
    let machine_sockets = u64::from(libc::AF_VSOCK.cast_unsigned());
    rules.insert(libc::SYS_socket, vec![rule(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, machine_sockets)?]);
    Ok(rules)
}

fn rule(argument: u8, length: SeccompCmpArgLen, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, length, operator, value)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compile_and_fit_the_kernel() {
        for program in programs().unwrap() {
            assert!((1..4096).contains(&program.len()), "{}", program.len());
        }
    }

    #[test]
    fn no_call_is_both_listed_and_refused_whatever_its_arguments() {
        let (listed, refused) = (listed().unwrap(), refused().unwrap());
        let both: Vec<_> = refused.iter().filter(|(number, rules)| rules.is_empty() && listed.contains_key(number)).collect();
        assert!(both.is_empty(), "{both:?}");
        assert!(!listed.contains_key(&libc::SYS_clone3) && !refused.contains_key(&libc::SYS_clone3));
    }

    #[test]
    fn lists_name_each_call_once() {
        for list in [[calls::LISTED, calls::LISTED_HERE].concat(), [calls::REFUSED, calls::REFUSED_HERE].concat()] {
            let mut unique = list.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), list.len());
        }
    }
}
