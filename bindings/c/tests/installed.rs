//! The library as `make install` leaves it: found by pkg-config, shared and static, and run from there.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{is_installed, library, succeeds};
use feed_testing::{PrivateRoot, skipped};

/// Runs a command and returns what it printed.
#[track_caller]
fn output(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn what_is_installed_is_found_by_pkg_config() {
    if !is_installed("pkg-config") {
        return skipped("the installed library is not looked for: pkg-config is not installed");
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (root, rings) = (PrivateRoot::new(), PrivateRoot::new());
    // The library is the real one. The programs, which this does not look at, are not.
    let built = root.path().join("built");
    fs::create_dir_all(built.join("release")).unwrap();
    fs::create_dir_all(built.join("manuals")).unwrap();
    for (library_s, name) in [("libfeed_ring.so", "libfeed_ring_c.so"), ("libfeed_ring.a", "libfeed_ring_c.a")] {
        fs::copy(library().join(library_s), built.join("release").join(name)).unwrap();
    }
    for program in ["feed-publisher", "feed-subscriber", "ringctl"] {
        fs::write(built.join("release").join(program), "#!/bin/sh\n").unwrap();
        fs::write(built.join("manuals").join(format!("{program}.1")), "").unwrap();
        for completion in [format!("{program}.bash"), format!("_{program}"), format!("{program}.fish")] {
            fs::write(built.join("manuals").join(completion), "").unwrap();
        }
    }
    let prefix = root.path().join("usr");
    let install = |what: &str| {
        let mut sh = Command::new("sh");
        sh.arg(here.join("../../install/install.sh")).arg(what).env("PREFIX", &prefix).env_remove("DESTDIR");
        output(sh.env("CARGO_TARGET_DIR", &built))
    };
    install("install");

    let flags = |linked: &[&str]| {
        let mut found = Command::new("pkg-config");
        found.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(["--cflags", "--libs"]).args(linked);
        output(found.arg("feed_ring"))
    };
    for (source, linked) in [("api", &[][..]), ("digest", &["--static"][..])] {
        let program = root.path().join(source);
        let mut compile = Command::new("cc");
        compile
            .current_dir(here)
            .args(["-std=c11", "-pthread"])
            .arg(format!("tests/c/{source}.c"))
            .arg("-o")
            .arg(&program);
        output(compile.args(flags(linked).split_whitespace()));
        let needed = output(Command::new("ldd").arg(&program).env("LD_LIBRARY_PATH", prefix.join("lib")));
        assert!(needed.contains(&format!("{}/lib/libfeed_ring.so.1", prefix.display())), "{needed}");
    }
    let mut api = Command::new(root.path().join("api"));
    succeeds(api.arg(rings.path()).env("LD_LIBRARY_PATH", prefix.join("lib")));
    install("uninstall");
    assert!(!prefix.exists(), "install made it, uninstall removes it");
}
