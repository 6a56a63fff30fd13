#!/bin/sh
# make c-bench: publishing and receiving 56 bytes from C beside Rust, in one process.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-../../target}
release=$target/release
program=$target/c/bench
root=$(mktemp -d /dev/shm/feed-ring-bench.XXXXXX)
trap 'rm -rf "$root"' EXIT
mkdir -p "$target/c"
ln -sf libfeed_ring_c.so "$release/libfeed_ring.so.1"
cc -std=c11 -O2 -Wall -Wextra -Iinclude benches/bench.c -o "$program" "$release/libfeed_ring_c.so" \
    "$release/libfeed_ring_loops.so" -Wl,-rpath,"$release"
"$program" "$root"
