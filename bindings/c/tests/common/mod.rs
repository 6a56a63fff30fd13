//! What the tests share: the library as it is installed, programs in C and C++ that are linked to it, and valgrind.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use feed_testing::{Program, skipped};

/// Warnings that are errors, in tests and examples alike.
const WARNINGS: [&str; 6] = ["-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-pedantic"];

/// A language, by its compiler.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Language {
    C,
    Cpp,
}

/// How a program is linked to the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Linked {
    Shared,
    Static,
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The target directory.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.ancestors().nth(3).expect("tests stand in target/PROFILE/deps").to_owned()
}

/// A directory with the library as programs find it: `libfeed_ring.so.1`, `libfeed_ring.so` and `libfeed_ring.a`. Built if it is
/// not, as it is installed.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--release", "--locked", "--lib"]).current_dir(here());
        let built = cargo.env("CARGO_TARGET_DIR", target()).status().expect("run cargo");
        assert!(built.success(), "the library cannot be built");
        let directory = target().join("c/lib");
        fs::create_dir_all(&directory).unwrap();
        for (built, installed) in [
            ("libfeed_ring_c.so", "libfeed_ring.so.1"),
            ("libfeed_ring_c.so", "libfeed_ring.so"),
            ("libfeed_ring_c.a", "libfeed_ring.a"),
        ] {
            let installed = directory.join(installed);
            let _ = fs::remove_file(&installed);
            fs::hard_link(target().join("release").join(built), installed).unwrap();
        }
        directory
    })
}

/// Whether a tool of the machine can be run.
pub(crate) fn is_installed(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Compiles a program of this folder, without a warning. `None` if there is no such compiler, which is said.
pub(crate) fn compiled(source: &str, linked: Linked) -> Option<PathBuf> {
    let language = if source.ends_with(".cpp") { Language::Cpp } else { Language::C };
    let (compilers, standard) = match language {
        Language::C => (["cc", "gcc", "clang"], "-std=c11"),
        Language::Cpp => (["c++", "g++", "clang++"], "-std=c++20"),
    };
    let Some(compiler) = compilers.into_iter().find(|compiler| is_installed(compiler)) else {
        skipped(&format!("{source} is not compiled: none of {} is installed", compilers.join(", ")));
        return None;
    };
    let library = library();
    let program = library.with_file_name(format!("{}-{linked:?}", source.replace(['/', '.'], "-")));
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(compiler);
    command.current_dir(here()).arg(standard).args(WARNINGS).args(["-O1", "-g", "-Iinclude", "-Iexamples", "-pthread"]);
    command.arg(source).arg("-o").arg(&program);
    match linked {
        Linked::Shared => {
            command.arg("-L").arg(library).arg("-lfeed_ring").arg(format!("-Wl,-rpath,{}", library.display()))
        }
        // What feed_ring.pc names as Libs.private.
        Linked::Static => {
            command.arg(library.join("libfeed_ring.a")).args(["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"])
        }
    };
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&done.stderr));
    Some(program)
}

/// What a C++ compiler says of a program's text: nothing if it compiles. `None` if there is no compiler, which is said.
pub(crate) fn compilers_words(text: &str) -> Option<String> {
    let Some(compiler) = ["c++", "g++", "clang++"].into_iter().find(|compiler| is_installed(compiler)) else {
        skipped("no C++ compiler is installed");
        return None;
    };
    let mut command = Command::new(compiler);
    command.current_dir(here()).args(["-std=c++20", "-Iinclude", "-fsyntax-only", "-x", "c++", "-"]);
    let mut compiling = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    compiling.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Some(String::from_utf8_lossy(&compiling.wait_with_output().unwrap().stderr).into_owned())
}

/// The command that runs a program under valgrind: an error or a leak ends it with 99. `None` if valgrind is not installed, which is
/// said.
pub(crate) fn under_valgrind(program: &Path) -> Option<Command> {
    if !is_installed("valgrind") {
        skipped(&format!("{} is not run under valgrind: it is not installed", program.display()));
        return None;
    }
    let mut command = Command::new("valgrind");
    command.args(["-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect"]);
    command.arg(program);
    Some(command)
}

/// Runs a program, which must succeed, and returns its standard output.
#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let finished = Program::start(command).finish();
    assert_eq!(finished.code, Some(0), "{command:?}\n{}\n{}", finished.stdout, finished.stderr);
    finished.stdout
}
