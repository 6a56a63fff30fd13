//! What this machine may not have: /proc, inodes, large files, a system call. The remedy is for the cause, and nothing is
//! left behind.

mod common;

use std::process::Command;

use common::{assert_one_line, publisher};
use feed_testing::{Finished, PrivateRoot, Program, after, refuse, with_mounts};

fn run(command: &mut Command) -> Finished {
    Program::start(command).finish()
}

#[test]
fn a_limit_of_file_sizes() {
    let root = PrivateRoot::new();
    let finished = run(&mut after("ulimit -f 1", publisher(&root).args(["--count", "1"])));
    assert_one_line(
        &finished,
        1,
        &["RLIMIT_FSIZE is 512 bytes: raise the limit of a file's size (ulimit -f", "(--capacity N)"],
    );
    assert!(root.names().is_empty(), "{:?}", root.names());
    let socket = root.path().join("socket");
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-publisher"));
    let finished = run(&mut after("ulimit -f 1", command.arg("--serve").arg(&socket).args(["--count", "1"])));
    assert_one_line(&finished, 1, &["RLIMIT_FSIZE is 512 bytes", "(ulimit -f"]);
    assert!(!socket.exists());
}

#[test]
fn without_proc() {
    let root = PrivateRoot::new();
    let mut command = publisher(&root);
    let Some(mut command) = with_mounts("umount -l /proc", command.args(["--count", "1"])) else { return };
    let finished = run(&mut command);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "a ring on disk does not need it");
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-publisher"));
    command.arg("--serve").arg(root.path().join("socket")).args(["--count", "1"]);
    let finished = run(&mut with_mounts("umount -l /proc", &command).unwrap());
    assert_one_line(
        &finished,
        1,
        &["a sealed ring cannot be served without /proc: mount it (mount -t proc proc /proc)"],
    );
    assert!(root.names().is_empty());
}

#[test]
fn without_inodes() {
    let root = PrivateRoot::new();
    let path = root.path().display();
    let mut command = publisher(&root);
    let script = format!("mount -t tmpfs -o nr_inodes=4,size=64m tmpfs {path}");
    let Some(mut command) = with_mounts(&script, command.args(["--count", "1"])) else { return };
    let says = ["all 4 inodes of its file system are used", "(df -i", "or choose another (--root DIR)"];
    assert_one_line(&run(&mut command), 1, &says);
}

#[test]
fn a_filter_of_system_calls() {
    for (errno, says) in [
        (libc::ENOSYS, "Function not implemented (os error 38): allow the call in the filter of system calls (seccomp"),
        (libc::EPERM, "run as a user who may use it, or allow the call in the filter of system calls (seccomp"),
    ] {
        let root = PrivateRoot::new();
        let mut command = publisher(&root);
        command.args(["--count", "1"]);
        // The filter is the thread's, and what it starts inherits it.
        let filtered = std::thread::spawn(move || {
            refuse(&[libc::SYS_ftruncate], None, errno);
            run(&mut command)
        });
        let finished = filtered.join().unwrap();
        assert_one_line(&finished, 1, &[says]);
        assert!(!finished.stderr.contains("/dev/shm ("), "{finished:?}");
        assert!(root.names().is_empty(), "{:?}", root.names());
    }
}
