#!/bin/sh
# make demo: runs a publisher and two subscribers as separate processes, prints their summaries and compares the digests.
# INPUT=file replays a file. Without it the market is synthetic.
set -eu
cd "$(dirname "$0")/.."
bin=target/release
ring="demo.$$"
out=$(mktemp -d)
pids=""
cleanup() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$out"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

if [ -n "${INPUT:-}" ]; then
    set -- --input "$INPUT"
    echo "replaying $INPUT at ${RATE:-50000} messages a second to two subscribers"
else
    set -- --count "${COUNT:-500000}"
    echo "a synthetic market at ${RATE:-50000} messages a second to two subscribers"
fi
for n in 1 2; do
    "$bin/feed-subscriber" --ring "$ring" --from oldest --open-timeout 30 >"$out/subscriber$n" &
    pids="$pids $!"
    eval "subscriber$n=$!"
done
"$bin/feed-publisher" --ring "$ring" --wait-for-subscribers 2 --rate "${RATE:-50000}" "$@" >"$out/publisher" &
pids="$pids $!"
wait "$!"
wait "$subscriber1" && wait "$subscriber2"
pids=""
for name in publisher subscriber1 subscriber2; do
    printf '\n%s\n' "$name"
    cat "$out/$name"
done
digest() { sed -n 's/^ *digest *//p' "$out/$1"; }
echo
if [ "$(digest publisher)" = "$(digest subscriber1)" ] && [ "$(digest publisher)" = "$(digest subscriber2)" ]; then
    echo "digests agree: both subscribers received every message as it was published ($(digest publisher))"
else
    echo "digests differ: publisher $(digest publisher), subscribers $(digest subscriber1) and $(digest subscriber2)"
    exit 1
fi
