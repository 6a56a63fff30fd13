//! System calls that fail from now on, as under a filter of a container (seccomp).

use std::collections::BTreeMap;
use std::ffi::c_long;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// What an argument of a call must be for the call to be refused.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its index, from 0.
    pub index: u8,
    /// The bits that are compared.
    pub mask: u64,
    /// What these bits must be.
    pub value: u64,
}

/// Makes these system calls fail with `errno` from now on, in this thread and those that it starts: always, or only with
/// this argument.
///
/// # Panics
/// If the kernel has no such filters.
pub fn refuse(calls: &[c_long], only: Option<Argument>, errno: i32) {
    let rule = |Argument { index, mask, value }| {
        let like = SeccompCmpOp::MaskedEq(mask);
        let is = SeccompCondition::new(index, SeccompCmpArgLen::Dword, like, value).expect("an index of an argument");
        SeccompRule::new(vec![is]).expect("one condition")
    };
    let rules = calls.iter().map(|&call| (call, only.map(rule).into_iter().collect())).collect();
    apply(rules, SeccompAction::Allow, SeccompAction::Errno(errno.cast_unsigned()));
}

/// Any system call of this thread kills the process from now on, with SIGSYS. Even ending the thread is one.
///
/// # Panics
/// If the kernel has no such filters.
pub fn kill_on_any_call() {
    // For every call, because none has a rule.
    apply(BTreeMap::new(), SeccompAction::KillProcess, SeccompAction::Allow);
}

fn apply(rules: BTreeMap<c_long, Vec<SeccompRule>>, otherwise: SeccompAction, matched: SeccompAction) {
    let arch = std::env::consts::ARCH.try_into().expect("a processor that the filters know");
    let filter = SeccompFilter::new(rules, otherwise, matched, arch);
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a filter of few calls");
    seccompiler::apply_filter(&program).expect("a kernel with filters");
}
