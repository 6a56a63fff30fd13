//! The machine code of publishing and receiving has no fence, no locked instruction and no path to a panic. It calls
//! only the cold functions named here, and none of them while a message goes through.
#![cfg(target_arch = "x86_64")]

use std::collections::BTreeMap;
use std::process::Command;

use feed_testing::skipped;

/// Without `try_recv_into_248` and `recv_56`: they have a cold branch that calls memcpy, or waits, through a register.
const FUNCTIONS: [&str; 5] = ["publish_56", "try_recv_56", "try_recv_into_56", "take_array_56", "publish_248"];

/// The cold functions of the ring that they may call.
const COLD: [&str; 4] = [
    "published_with_fence", // for Wake::Fence, or where the kernel refuses membarrier
    "wake_all",             // a subscriber sleeps
    "attend",               // every 1,024 messages, in large rings every 64
    "look_again",           // there is no message, or an epoch began
];

/// Instructions that fence, besides locked ones.
const FENCES: [&str; 4] = ["mfence", "lfence", "sfence", "serialize"];

/// The instructions of each function, as objdump writes them.
type Listing = BTreeMap<&'static str, Vec<String>>;

#[test]
fn the_hot_path_has_no_fence_no_lock_and_no_panic() {
    let (Some(code), Some(relocations)) = (objdump("--disassemble"), objdump("--dynamic-reloc")) else {
        return skipped("the assembly is not read: objdump is not installed");
    };
    let listing = listing(&code, &relocations);
    for function in FUNCTIONS {
        let instructions = listing.get(function).unwrap_or_else(|| panic!("objdump shows no {function}"));
        assert!(instructions.len() > 20, "{function} has but {} instructions: is it compiled?", instructions.len());
        let wrong: Vec<_> = instructions.iter().filter_map(|line| objection(function, line)).collect();
        assert!(wrong.is_empty(), "{function}:\n{}", wrong.join("\n"));
        println!("{function}: {} instructions with its cold branches, none of them forbidden", instructions.len());
    }
}

/// The output of objdump for the program. `None` where objdump is not installed.
fn objdump(what: &str) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_feed-ring-hot-path");
    let output = Command::new("objdump").args([what, "--no-show-raw-insn", program]).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Finds the functions in the output of objdump: `0000000000001234 <symbol>:`, then one line for each instruction.
fn listing(code: &str, relocations: &str) -> Listing {
    let symbols: BTreeMap<u64, &str> = code.lines().filter_map(header).collect();
    let pointers: BTreeMap<u64, u64> = relocations.lines().filter_map(pointer).collect();
    let mut listing = Listing::new();
    let mut current = None;
    for line in code.lines() {
        if let Some((_, symbol)) = header(line) {
            current = FUNCTIONS.into_iter().find(|function| is(symbol, function));
        } else if let (Some(function), Some((_, instruction))) = (current, line.split_once(":\t")) {
            // Calls between crates go through a table: in `call *0x12(%rip)  # 6ebd0 <…>` the address is at 6ebd0.
            let entry = instruction.split_once("# ").and_then(|(_, entry)| hex(entry.split(' ').next()?));
            let symbol = entry.and_then(|entry| symbols.get(pointers.get(&entry)?));
            let instruction = match symbol {
                Some(symbol) => format!("{} <{symbol}>", instruction.trim()),
                None => instruction.trim().to_owned(),
            };
            listing.entry(function).or_default().push(instruction);
        }
    }
    listing
}

/// The head of a function: its address and its symbol.
fn header(line: &str) -> Option<(u64, &str)> {
    let (address, symbol) = line.strip_suffix(">:")?.split_once(" <")?;
    Some((hex(address)?, symbol))
}

/// One entry of the table, as objdump writes it: `000000000006ebd0 R_X86_64_RELATIVE  *ABS*+0x12345`.
fn pointer(line: &str) -> Option<(u64, u64)> {
    let (entry, holds) = line.split_once(" R_X86_64_RELATIVE")?;
    Some((hex(entry)?, hex(holds.trim().strip_prefix("*ABS*+0x")?)?))
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// Whether a symbol is the function `function`. In a compiler's symbol each name follows its length.
fn is(symbol: &str, function: &str) -> bool {
    symbol.contains(&format!("{}{function}", function.len()))
}

/// What is wrong with an instruction of a function, if anything.
fn objection(function: &str, instruction: &str) -> Option<String> {
    let prefixes = ["addr32", "data16", "notrack", "bnd"];
    let words: Vec<&str> = instruction.split_whitespace().filter(|word| !prefixes.contains(word)).collect();
    let mnemonic = *words.first()?;
    let exchanges_memory = mnemonic.starts_with("xchg") && instruction.contains('(');
    if FENCES.contains(&mnemonic) || mnemonic == "lock" || exchanges_memory {
        return Some(format!("a fence: {instruction}"));
    }
    if !mnemonic.starts_with("call") && !mnemonic.starts_with('j') {
        return None;
    }
    // The target: `<symbol>` or `<symbol+0x12>`. A call through a register has none, and one through a table has the
    // table's.
    let target = instruction.rsplit_once('<').map_or("", |(_, target)| target);
    let within = !mnemonic.starts_with("call") && is(target, function);
    let cold = COLD.iter().any(|cold| is(target, cold));
    (!within && !cold).then(|| format!("leads to neither this function nor a cold one: {instruction}"))
}

#[test]
fn allowed_and_forbidden_instructions_are_told_apart() {
    let text = "
0000000000001000 <_ZN18feed_ring_hot_path10publish_5617h1353c26ea9c2afb7E>:
    1000:\tmov    0x8(%rsi),%r8
    1004:\tje     100d <_ZN18feed_ring_hot_path10publish_5617h1353c26ea9c2afb7E+0xd>
    1006:\taddr32 call 2000 <_ZN9feed_ring4wait5Waker8wake_all17h0123456789abcdefE>
    100d:\tcall   *0x2f1a(%rip)        # 6ebd0 <_DYNAMIC+0x350>
    1013:\tret

0000000000002000 <_ZN9feed_ring4wait5Waker8wake_all17h0123456789abcdefE>:
    2000:\tmfence
";
    let found = listing(text, "000000000006ebd0 R_X86_64_RELATIVE  *ABS*+0x0000000000002000");
    assert_eq!(found.keys().collect::<Vec<_>>(), [&"publish_56"]);
    let instructions = &found["publish_56"];
    assert_eq!(instructions.len(), 5, "{instructions:?}");
    assert!(instructions.iter().all(|instruction| objection("publish_56", instruction).is_none()), "{instructions:?}");
    for wrong in [
        "mfence",
        "lock orl $0x0,-0x40(%rsp)",
        "xchg   %rax,(%rdx)",
        "call   3000 <_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE>",
        "ja     3000 <_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE>",
        "jmp    *%rax",
        "call   *0x2f1a(%rip)        # 5000 <_GLOBAL_OFFSET_TABLE_+0x10>",
    ] {
        assert!(objection("publish_56", wrong).is_some(), "{wrong} was overlooked");
    }
    assert!(objection("publish_56", "xchg   %ax,%ax").is_none(), "this exchange does nothing");
}
