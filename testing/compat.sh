#!/bin/sh
# make compat: whether the programs of another commit (BASE=) and those of this checkout understand each other's rings.
# A publishes and B reads, on disk and through a socket; A's publisher is killed and B's takes its ring over. Both ways.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target/compat"
target=$(cd "$target" && pwd)
commit=$(git rev-parse --verify --quiet "${BASE:-3783555}^{commit}") || { echo "compat: no commit ${BASE:-3783555}"; exit 1; }
old=$target/compat/old/release
new=$target/release
tree=$target/compat/tree
root=""
pids=""

cleanup() {
    for pid in $pids; do kill -9 "$pid" 2>/dev/null || true; done
    remove_tree
    [ -z "$root" ] || rm -rf "$root"
}
remove_tree() {
    git worktree remove --force "$tree" 2>/dev/null || true
    rm -rf "$tree"
    git worktree prune
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

build() { "$cargo" build --release --locked --quiet -p feed-publisher -p feed-subscriber -p ringctl; }

# The binaries of BASE are kept with the commit that they are of, and built anew for another one only.
if [ "$(cat "$old/commit" 2>/dev/null)" != "$commit" ]; then
    rm -f "$old/commit"
    remove_tree
    git worktree add --quiet --detach "$tree" "$commit"
    (cd "$tree" && CARGO_TARGET_DIR=$target/compat/old build)
    echo "$commit" >"$old/commit"
    remove_tree
fi
CARGO_TARGET_DIR=$target build
root=$(mktemp -d /dev/shm/feed-ring-compat.XXXXXX)

fail() { # what [file whose text explains it]...
    echo "$way  $check: FAILED: $1"
    shift
    for file; do
        echo "--- ${file##*/}"
        cat "$file"
    done
    exit 1
}

# Starts a program in the background: its output goes to NAME.out and NAME.err, its pid to $pid.
start() { # NAME program [argument]...
    name=$1
    shift
    "$@" >"$root/$name.out" 2>"$root/$name.err" &
    pid=$!
    pids="$pids $pid"
}

# Waits for a program's end; its exit code goes to $code.
end() { # pid
    code=0
    { wait "$1" || code=$?; } 2>/dev/null
    rest=""
    for pid in $pids; do [ "$pid" = "$1" ] || rest="$rest $pid"; done
    pids=$rest
}

end_well() { # NAME pid
    end "$2"
    [ "$code" = 0 ] || fail "$1 ended with $code" "$root/$1.out" "$root/$1.err"
}

# Runs a program that has to succeed.
run() { # NAME program [argument]...
    start "$@"
    end_well "$1" "$pid"
}

# A number or a string of the JSON object on the last line of a program's output.
field() { # NAME field
    tail -n 1 "$root/$1.out" | sed -n "s/.*\"$2\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

equal() { # what found expected NAME...
    what=$1 found=$2 expected=$3
    shift 3
    [ -n "$found" ] && [ "$found" = "$expected" ] && return
    for name; do set -- "$@" "$root/$name.out" "$root/$name.err"; shift; done
    fail "$what: '$found', expected '$expected'" "$@"
}

# first + received + lost + skipped = next, nothing lost.
conserved() { # NAME
    sum=$(($(field "$1" first_sequence) + $(field "$1" messages) + $(field "$1" lost) + $(field "$1" skipped)))
    equal "first + received + lost + skipped of $1" "$sum" "$(field "$1" next_sequence)" "$1"
    equal "messages lost by $1" "$(field "$1" lost)" 0 "$1"
}

# Waits until this many messages are published by the process $publisher.
published() { # ringctl count where...
    ringctl=$1 count=$2
    shift 2
    tries=0
    while "$ringctl" --root "$root" --json stat "$@" >"$root/stat.out" 2>"$root/stat.err" || true
        now=$(field stat published)
        [ "${now:-0}" -lt "$count" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] && kill -0 "$publisher" 2>/dev/null ||
            fail "$count messages were not published within 60 s" "$root/publisher.err" "$root/stat.out" "$root/stat.err"
        sleep 0.1
    done
}

# Waits until a program has said something on standard error.
said() { # NAME text
    tries=0
    until grep -q "$2" "$root/$1.err"; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "$1 did not say '$2' within 60 s" "$root/$1.out" "$root/$1.err"
        sleep 0.1
    done
}

# More than a lap of the ring, at a rate that leaves a subscriber two seconds.
capacity=16384
messages=20000
publish="--capacity $capacity --rate 8000 --summary json"
follow="--from oldest --open-timeout 60 --summary json"

# B follows a ring of A to its end, and B's ringctl looks at it meanwhile.
read_ring() { # publisher's place, subscriber's place, ringctl's place
    start publisher "$a/feed-publisher" $publish $1 --wait-for-subscribers 1
    publisher=$pid
    start subscriber "$b/feed-subscriber" $follow $2 --wait block
    subscriber=$pid
    published "$b/ringctl" "$messages" $3
    run verify "$b/ringctl" --root "$root" verify $3
    run stat "$b/ringctl" --root "$root" --json stat $3
    equal "the publisher in stat" "$(field stat publisher)" alive stat
    run tail "$b/ringctl" --root "$root" --json tail $3 -n 1
    newest=$(field tail sequence)
    run dump "$b/ringctl" --root "$root" dump $3 --sequence "$newest"
    run dump-of-its-own "$a/ringctl" --root "$root" dump $3 --sequence "$newest"
    equal "message $newest in dump" "$(cat "$root/dump.out")" "$(cat "$root/dump-of-its-own.out")" dump dump-of-its-own
    kill -TERM "$publisher"
    end_well publisher "$publisher"
    end_well subscriber "$subscriber"
    for name in digest messages next_sequence; do
        equal "$name received" "$(field subscriber "$name")" "$(field publisher "$name")" publisher subscriber
    done
    equal "the subscriber's end" "$(field subscriber ended)" closed subscriber
    conserved subscriber
    echo "$way  $check: ok ($(field publisher messages) messages, digest $(field publisher digest) on both sides, none lost; verify, stat, tail, dump)"
}

# A's publisher is killed, and B's goes on with its ring and its subscribers, one of A and one of B.
take_over() {
    start publisher "$a/feed-publisher" $publish --root "$root" --ring "$check" --wait-for-subscribers 2
    publisher=$pid
    start subscriber-a "$a/feed-subscriber" $follow --root "$root" --ring "$check" --wait block
    subscriber_a=$pid
    start subscriber-b "$b/feed-subscriber" $follow --root "$root" --ring "$check" --wait block
    subscriber_b=$pid
    published "$b/ringctl" "$messages" "$check"
    kill -KILL "$publisher"
    end "$publisher"
    said subscriber-a "the publisher died"
    said subscriber-b "the publisher died"
    run stat "$b/ringctl" --root "$root" --json stat "$check"
    dead_at=$(field stat published)
    start publisher "$b/feed-publisher" $publish --root "$root" --ring "$check" --seed 2
    publisher=$pid
    published "$b/ringctl" $((dead_at + messages)) "$check"
    for side in a b; do
        eval "bin=\$$side"
        run "verify-$side" "$bin/ringctl" --root "$root" verify "$check"
        run "stat-$side" "$bin/ringctl" --root "$root" --json stat "$check"
        equal "the epoch in stat-$side" "$(field "stat-$side" epoch)" 2 "stat-$side"
    done
    kill -TERM "$publisher"
    end_well publisher "$publisher"
    end_well subscriber-a "$subscriber_a"
    end_well subscriber-b "$subscriber_b"
    # A publisher may die between a message and the count: the next one knows of one message more.
    first=$(field publisher first_sequence)
    [ "$first" = "$dead_at" ] || equal "the first sequence of epoch 2" "$first" $((dead_at + 1)) publisher
    equal "the publisher's epoch" "$(field publisher epoch)" 2 publisher
    equal "the publisher's next sequence" "$(field publisher next_sequence)" $((first + $(field publisher messages))) publisher
    for side in a b; do
        name=subscriber-$side
        equal "restarts of $name" "$(field "$name" restarts)" 1 "$name"
        equal "epochs of $name" "$(field "$name" epochs)" 2 "$name"
        equal "rings reopened by $name" "$(field "$name" reopened)" 0 "$name"
        equal "the first sequence of $name" "$(field "$name" first_sequence)" 0 "$name"
        equal "the next sequence of $name" "$(field "$name" next_sequence)" "$(field publisher next_sequence)" "$name" publisher
        conserved "$name"
    done
    equal "the digest of subscriber-b" "$(field subscriber-b digest)" "$(field subscriber-a digest)" subscriber-a subscriber-b
    echo "$way  $check: ok (epoch 2 from sequence $first to $(field publisher next_sequence); two subscribers: one restart, none lost, digest $(field subscriber-a digest); verify by both)"
}

three_checks() { # way a b
    way=$1 a=$2 b=$3
    check=read
    read_ring "--root $root --ring read" "--root $root --ring read" read
    check=takeover
    take_over
    check=sealed
    read_ring "--serve $root/socket" "--connect $root/socket" "--connect $root/socket"
}

echo "old: $(git log -1 --format='%h %s' "$commit"); new: this checkout"
three_checks "old -> new" "$old" "$new"
three_checks "new -> old" "$new" "$old"
