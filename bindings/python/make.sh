#!/bin/sh
# Builds the Python package in an environment of its own and tests it (test), or measures it (bench). Leaves nothing outside
# the target directory.
set -eu
cd "$(dirname "$0")"
project=$(cd ../.. && pwd)
: "${CARGO:=cargo}"
# Cargo takes it for a path from where it is called; the tests look for the programs there.
case "${CARGO_TARGET_DIR:=$project/target}" in
/*) ;;
*) CARGO_TARGET_DIR=$project/$CARGO_TARGET_DIR ;;
esac
export CARGO_TARGET_DIR
home=$CARGO_TARGET_DIR/python
venv=$home/venv

skip() {
    echo "SKIPPED: make python: $1"
    exit 0
}

python=${PYTHON:-python3}
command -v "$python" >/dev/null || skip "there is no $python (PYTHON= for another one)"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9) or sys.implementation.name != "cpython")' ||
    skip "$("$python" -V 2>&1) is no CPython of 3.9 or later (PYTHON= for another one)"
"$python" -c 'import ensurepip, venv' 2>/dev/null || skip "$python makes no virtual environments (install its venv and pip)"

# The tools, once for each list of them and each Python.
wanted=$("$python" -c 'import sys; print(sys.version)' | cat - requirements.txt)
if [ "$(cat "$home/tools" 2>/dev/null)" != "$wanted" ]; then
    mkdir -p "$home"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
    echo "$wanted" >"$home/tools"
fi
export PATH="$venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 MYPY_CACHE_DIR="$home/mypy" PYO3_PYTHON="$venv/bin/python"

rm -rf "$home/wheels"
maturin build --release --locked --quiet --interpreter "$venv/bin/python" --out "$home/wheels"
python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$home"/wheels/*.whl

case ${1:-test} in
test)
    # The programs at the other end of the tests' rings.
    (cd "$project" && "$CARGO" build --release --locked --quiet -p feed-publisher -p feed-subscriber)
    python -m pytest -q -rs --basetemp "$home/tmp" tests
    "$CARGO" fmt --check
    "$CARGO" clippy --release --all-targets --locked --quiet -- -D warnings
    ;;
bench)
    "$CARGO" build --release --locked --quiet --example drain
    python bench/bench.py "$CARGO_TARGET_DIR/release/examples/drain"
    ;;
esac
