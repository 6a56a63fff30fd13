//! One message costs no more instructions, counted by callgrind, than docs/performance.md says.
#![cfg(target_arch = "x86_64")]

use std::path::Path;
use std::process::Command;

use feed_testing::{Program, skipped};

/// For each operation: its name in the program, its function, its name in the documentation, and the documented number
/// of instructions.
const DOCUMENTED: [(&str, &str, &str, u64); 15] = [
    ("publish-56", "publish_56", "`publish`, 56 bytes", 43),
    ("try-recv-56", "try_recv_56", "`try_recv`, 56 bytes", 43),
    ("try-recv-into-56", "try_recv_into_56", "`try_recv_into`, 56 bytes", 43),
    ("recv-56", "recv_56", "`recv`, 56 bytes", 61),
    ("publish-array-56", "publish_array_56", "`raw::Publisher::publish_array`, 56 bytes", 46),
    ("take-array-56", "take_array_56", "`raw::Subscriber::take_array`, 56 bytes", 39),
    ("publish-248", "publish_248", "`publish`, 248 bytes", 84),
    ("try-recv-into-248", "try_recv_into_248", "`try_recv_into`, 248 bytes", 100),
    ("publish-store-56", "store_56", "`TableWriter::store`, 56 bytes", 74),
    ("get-into-56", "get_into_56", "`TableReader::get_into`, 56 bytes", 53),
    ("get-56", "get_56", "`TableReader::get`, 56 bytes", 52),
    ("publish-keyed-56", "publish_keyed_56", "`KeyedPublisher::publish`, 56 bytes", 123),
    ("publish-record-48", "publish_record", "`RecordPublisher::publish`, 48 bytes", 80),
    ("try-recv-record-48", "try_recv_record", "`RecordSubscriber::try_recv`, 48 bytes", 93),
    ("empty-56", "try_recv_56", "`try_recv` that finds nothing", 96),
];

/// Another compiler may need this many more.
const MARGIN: u64 = 2;

/// How often each operation runs. Few enough that a subscriber neither records its position, which it does every 1,024
/// messages, nor reads the clock, which it does every 17 empty calls.
const TIMES: u64 = 16;

#[test]
fn a_message_costs_no_more_instructions_than_documented() {
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return skipped("instructions are not counted: valgrind is not installed");
    }
    let mut exceeded = Vec::new();
    for (operation, function, name, documented) in DOCUMENTED {
        let Some(total) = count(operation, function) else {
            skipped(&format!("{operation} is not counted: the kernel or valgrind refuses membarrier"));
            continue;
        };
        assert!(total > 0, "callgrind did not find {function}");
        // The header names every eighth slot of records, which takes a few more.
        let is_same = total % TIMES == 0 || operation == "publish-record-48";
        assert!(is_same, "{name}: not the same each time; {total} instructions for {TIMES}");
        let found = total.div_ceil(TIMES);
        println!("{name}: {found} instructions, documented {documented}");
        if found > documented + MARGIN {
            exceeded.push(format!("{name}: {found} instructions, {documented} are documented"));
        }
    }
    let remedy = "compare the assembly of hot-path/src/lib.rs before and after; if it cannot be helped, or is another \
                  compiler's doing, write the new count down here and in docs/performance.md";
    assert!(exceeded.is_empty(), "{}\n{remedy}", exceeded.join("\n"));
}

/// Number of instructions in a function and what it calls. `None` if the publisher has to fence.
fn count(operation: &str, function: &str) -> Option<u64> {
    let mut callgrind = Command::new("valgrind");
    callgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    callgrind.arg(format!("--toggle-collect=*{function}*"));
    callgrind.args([env!("CARGO_BIN_EXE_feed-ring-hot-path"), operation, &TIMES.to_string()]);
    let finished = Program::start(&mut callgrind).finish();
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    if operation.starts_with("publish") && !finished.stdout.contains("wake Membarrier") {
        return None;
    }
    let collected = finished.stderr.lines().find_map(|line| line.split_once("Collected : "));
    let (_, collected) = collected.unwrap_or_else(|| panic!("callgrind gave no count: {}", finished.stderr));
    Some(collected.trim().parse().unwrap_or_else(|_| panic!("callgrind's count is {collected:?}")))
}

#[test]
fn the_documentation_says_the_same() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
    let text = std::fs::read_to_string(path).expect("docs/performance.md");
    for (_, _, name, documented) in DOCUMENTED {
        let row = format!("| {name} | {documented} |");
        assert!(text.contains(&row), "docs/performance.md has no row {row:?}");
    }
}
