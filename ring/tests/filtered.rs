//! System calls that a filter (seccomp, as containers have one) refuses, each by itself, with EPERM and with ENOSYS. Each
//! operation works all the same, or ends with an error that names the call. Nothing is left, and nobody dies.
//! tests/scarce.rs does the same for what a machine may be short of; tests/refused.rs looks at sleepers more closely.

mod operations;

use std::fs;
use std::path::PathBuf;

use feed_testing::{Argument, Child, PrivateRoot, as_child, child, refuse};
use operations::{Act, OPERATIONS};

/// `O_TMPFILE` without `O_DIRECTORY`, which is part of it.
const TMPFILE: Argument = Argument { index: 2, mask: 0o20_000_000, value: 0o20_000_000 };

/// `F_OFD_GETLK` and the two numbers after it.
const LOCKS: Argument = Argument { index: 1, mask: 0xffff_fffc, value: libc::F_OFD_GETLK as u64 };

/// `F_ADD_SEALS` and `F_GET_SEALS`.
const SEALS: Argument = Argument { index: 1, mask: 0xffff_fffc, value: 1032 };

/// A call by name, its numbers, with which argument it is refused, and what an error must contain. `None`: no operation
/// needs it.
type Call = (&'static str, &'static [libc::c_long], Option<Argument>, Option<&'static str>);

const CALLS: [Call; 28] = [
    ("membarrier", &[libc::SYS_membarrier], None, None),
    ("futex_waitv", &[libc::SYS_futex_waitv], None, None),
    ("madvise", &[libc::SYS_madvise], None, None),
    ("eventfd", &[libc::SYS_eventfd2], None, None),
    ("getrandom", &[libc::SYS_getrandom], None, None),
    ("statfs", &[libc::SYS_statfs, libc::SYS_fstatfs], None, None),
    ("getrlimit", &[libc::SYS_prlimit64, libc::SYS_getrlimit], None, None),
    ("linkat", &[libc::SYS_linkat], None, None),
    ("open with O_TMPFILE", &[libc::SYS_openat], Some(TMPFILE), None),
    ("clone3", &[libc::SYS_clone3], None, Some("(clone)")),
    ("clone", &[libc::SYS_clone, libc::SYS_clone3], None, Some("(clone)")),
    ("fallocate", &[libc::SYS_fallocate], None, Some("(fallocate)")),
    ("ftruncate", &[libc::SYS_ftruncate], None, Some("(ftruncate)")),
    ("memfd_create", &[libc::SYS_memfd_create], None, Some("(memfd_create)")),
    ("pipe2", &[libc::SYS_pipe2], None, Some("(pipe2)")),
    ("mkdir", &[libc::SYS_mkdirat], None, Some("(mkdir)")),
    ("mknod", &[libc::SYS_mknodat], None, Some("(mknod)")),
    ("rename", &[libc::SYS_renameat, libc::SYS_renameat2], None, Some("(rename)")),
    ("fchmod", &[libc::SYS_fchmod], None, Some("(fchmod)")),
    ("socket", &[libc::SYS_socket], None, Some("(socket)")),
    ("bind", &[libc::SYS_bind], None, Some("cannot bind: ")),
    ("listen", &[libc::SYS_listen], None, Some("(listen)")),
    ("connect", &[libc::SYS_connect], None, Some("(connect)")),
    ("getsockopt", &[libc::SYS_getsockopt], None, Some("(getsockopt)")),
    ("recvmsg", &[libc::SYS_recvmsg], None, Some("(recvmsg)")),
    ("poll", &[libc::SYS_poll, libc::SYS_ppoll], None, Some("(poll)")),
    ("fcntl for locks", &[libc::SYS_fcntl], Some(LOCKS), Some("(fcntl)")),
    ("fcntl for seals", &[libc::SYS_fcntl], Some(SEALS), Some("(fcntl")),
];

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
