#!/bin/sh
# Runs the litmus tests through herd7 where it is installed, and holds each against the verdict in its header.
# 0: all as expected, or no herd7; 1: not.
set -eu
cd "$(dirname "$0")"
total=$(find . -name '*.litmus' | wc -l)
if ! command -v herd7 >/dev/null 2>&1; then
    echo "litmus: NOT RUN: herd7 is not installed, so none of the $total tests was checked (opam install herdtools7)"
    exit 0
fi
wrong=0
for test in c11/*.litmus aarch64/*.litmus; do
    case $test in
        c11/*) model=rc11.cat ;;
        *) model=aarch64.cat ;;
    esac
    expected=$(sed -n 's/^"Expected: \([A-Za-z]*\)\..*/\1/p' "$test")
    # herd7 says: Observation NAME Never|Sometimes|Always N M
    output=$(herd7 -model "$model" "$test" 2>&1) || true
    found=$(printf '%s\n' "$output" | sed -n 's/^Observation [^ ]* \([A-Za-z]*\) .*/\1/p')
    if [ -n "$expected" ] && [ "$found" = "$expected" ]; then
        printf '%-44s %s\n' "$test" "$found"
    else
        printf '%-44s WRONG: %s, expected %s\n' "$test" "${found:-no verdict}" "${expected:-nothing}"
        # No verdict: herd7 refused the test, and says why.
        [ -n "$found" ] || printf '%s\n' "$output" | sed 's/^/    /'
        wrong=$((wrong + 1))
    fi
done
echo "litmus: $total tests, $wrong wrong"
[ "$wrong" -eq 0 ]
