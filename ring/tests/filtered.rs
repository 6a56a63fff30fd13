//! System calls that a filter (seccomp, as containers have one) refuses, each by itself, with EPERM and with ENOSYS. Each
//! operation works all the same, or ends with an error that names the call. Nothing is left, and nobody dies.
//! tests/scarce.rs does the same for what a machine may be short of; tests/refused.rs looks at sleepers more closely.

mod operations;

use std::fs;
use std::path::PathBuf;

use feed_testing::{Child, PrivateRoot, as_child, child};
use operations::{Act, OPERATIONS};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Which calls of a number are refused: all, or those whose argument of this index has this value under this mask.
#[derive(Clone, Copy)]
enum Only {
    All,
    Argument(u8, u64, u64),
}

/// `O_TMPFILE` without `O_DIRECTORY`, which is part of it.
const TMPFILE: Only = Only::Argument(2, 0o20_000_000, 0o20_000_000);

/// `F_OFD_GETLK` and the two numbers after it.
const LOCKS: Only = Only::Argument(1, 0xffff_fffc, libc::F_OFD_GETLK as u64);

/// `F_ADD_SEALS` and `F_GET_SEALS`.
const SEALS: Only = Only::Argument(1, 0xffff_fffc, 1032);

/// A call by name, its numbers, and what an error must contain. `None`: no operation needs it.
type Call = (&'static str, &'static [libc::c_long], Only, Option<&'static str>);

const CALLS: [Call; 28] = [
    ("membarrier", &[libc::SYS_membarrier], Only::All, None),
    ("futex_waitv", &[libc::SYS_futex_waitv], Only::All, None),
    ("madvise", &[libc::SYS_madvise], Only::All, None),
    ("eventfd", &[libc::SYS_eventfd2], Only::All, None),
    ("getrandom", &[libc::SYS_getrandom], Only::All, None),
    ("statfs", &[libc::SYS_statfs, libc::SYS_fstatfs], Only::All, None),
    ("getrlimit", &[libc::SYS_prlimit64, libc::SYS_getrlimit], Only::All, None),
    ("linkat", &[libc::SYS_linkat], Only::All, None),
    ("open with O_TMPFILE", &[libc::SYS_openat], TMPFILE, None),
    ("clone3", &[libc::SYS_clone3], Only::All, Some("(clone)")),
    ("clone", &[libc::SYS_clone, libc::SYS_clone3], Only::All, Some("(clone)")),
    ("fallocate", &[libc::SYS_fallocate], Only::All, Some("(fallocate)")),
    ("ftruncate", &[libc::SYS_ftruncate], Only::All, Some("(ftruncate)")),
    ("memfd_create", &[libc::SYS_memfd_create], Only::All, Some("(memfd_create)")),
    ("pipe2", &[libc::SYS_pipe2], Only::All, Some("(pipe2)")),
    ("mkdir", &[libc::SYS_mkdirat], Only::All, Some("(mkdir)")),
    ("mknod", &[libc::SYS_mknodat], Only::All, Some("(mknod)")),
    ("rename", &[libc::SYS_renameat, libc::SYS_renameat2], Only::All, Some("(rename)")),
    ("fchmod", &[libc::SYS_fchmod], Only::All, Some("(fchmod)")),
    ("socket", &[libc::SYS_socket], Only::All, Some("(socket)")),
    ("bind", &[libc::SYS_bind], Only::All, Some("cannot bind: ")),
    ("listen", &[libc::SYS_listen], Only::All, Some("(listen)")),
    ("connect", &[libc::SYS_connect], Only::All, Some("(connect)")),
    ("getsockopt", &[libc::SYS_getsockopt], Only::All, Some("(getsockopt)")),
    ("recvmsg", &[libc::SYS_recvmsg], Only::All, Some("(recvmsg)")),
    ("poll", &[libc::SYS_poll, libc::SYS_ppoll], Only::All, Some("(poll)")),
    ("fcntl for locks", &[libc::SYS_fcntl], LOCKS, Some("(fcntl)")),
    ("fcntl for seals", &[libc::SYS_fcntl], SEALS, Some("(fcntl")),
];

/// Makes these system calls fail from now on, in this thread and those that it starts.
fn refuse(calls: &[libc::c_long], only: Only, errno: i32) {
    let rules = || match only {
        Only::All => Vec::new(),
        Only::Argument(index, mask, value) => {
            let like = SeccompCmpOp::MaskedEq(mask);
            let is = SeccompCondition::new(index, SeccompCmpArgLen::Dword, like, value).unwrap();
            vec![SeccompRule::new(vec![is]).unwrap()]
        }
    };
    let filter = SeccompFilter::new(
        calls.iter().map(|&call| (call, rules())).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.cast_unsigned()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

/// Runs each operation where the call `CALL` fails with `ERRNO`.
#[test]
#[ignore = "a child of another test"]
fn with_a_filter() {
    if !as_child() {
        return;
    }
    let var = |name| std::env::var(name).unwrap();
    let root = PathBuf::from(var("ROOT"));
    let mut prepared: Vec<(_, _, Act)> = Vec::new();
    for (name, prepare) in OPERATIONS {
        let root = root.join(name);
        fs::create_dir(&root).unwrap();
        let operation = prepare(&root);
        prepared.push((name, root, operation));
    }
    let call = var("CALL");
    let (_, numbers, only, says) = CALLS.iter().find(|(name, ..)| *name == call).unwrap();
    refuse(numbers, *only, var("ERRNO").parse().unwrap());
    let mut failed = Vec::new();
    for (name, root, operation) in &mut prepared {
        let before = operations::files(root);
        if let Err(error) = operation.act() {
            assert!(says.is_some_and(|says| error.contains(says)), "{name}: {error}");
            failed.push(*name);
        }
        assert_eq!(before, operations::files(root), "{name}: something is left, or missing");
    }
    println!("\nfailed {failed:?}");
}

#[test]
fn each_call_by_itself() {
    for (call, _, _, says) in CALLS {
        for errno in [libc::EPERM, libc::ENOSYS] {
            let root = PrivateRoot::new();
            let mut command = child("with_a_filter");
            command.env("ROOT", root.path()).env("CALL", call).env("ERRNO", errno.to_string());
            let (status, said) = Child::start(&mut command).finish();
            let failed = said.lines().find_map(|line| line.strip_prefix("failed "));
            let Some(failed) = failed.filter(|_| status.success()) else { panic!("{call} {errno}: {status}: {said}") };
            println!("{call}, error {errno}: {failed}");
            // The C library asks for clone, if clone3 is not there.
            let fallback = (call, errno) == ("clone3", libc::ENOSYS);
            assert_eq!(failed == "[]", says.is_none() || fallback, "{call} {errno}: {failed}");
        }
    }
}
