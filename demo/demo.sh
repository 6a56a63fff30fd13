#!/bin/sh
# make demo: a publisher and two subscribers, as separate processes, share a ring. Says what happened, how long messages took
# and why, and compares the digests of what was published and received. Exit code 0 if they agree.
#
# INPUT=file replays a file; without it the market is synthetic. COUNT= messages at most, RATE= messages a second.
# VERBOSE=1 prints the three summaries, too. BIN= is the folder of the programs.
#
# The ring and all output are in a directory of its own, which is removed in the end, when no process is left. A signal only
# sets `stopped`: the script looks at it between two steps, so a process that was started is always known.
set -u
case ${INPUT:-} in '' | - | /*) ;; *) INPUT=$PWD/$INPUT ;; esac
cd "$(dirname "$0")/.." || exit 1
bin=${BIN:-target/release}
count=${COUNT:-500000} rate=${RATE:-50000}
root=/dev/shm/feed-ring-demo.$$
made='' pids='' stopped=''
exec 3<&0 # the shell gives a process in the background no standard input

trap 'stopped=130' INT
trap 'stopped=143' TERM
trap 'stopped=129' HUP
trap 'stopped=141' PIPE
trap clean_up EXIT

stop_if_asked() { [ -z "$stopped" ] || exit "$stopped"; }

# Whether a child of this script runs. One that ended, and another process that has its id since, does not count.
runs() {
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # shellcheck disable=SC2086 # state and parent's id are the first two words behind the name
    set -- ${stat##*) }
    [ "$1" != Z ] && [ "$2" = $$ ]
}

any_runs() {
    for pid in $pids; do runs "$pid" && return 0; done
    return 1
}

clean_up() {
    code=$?
    trap '' INT TERM HUP PIPE
    # One that was just started may miss the first signal. A second one ends a program at once.
    for signal in TERM TERM KILL; do
        for pid in $pids; do runs "$pid" && kill -s "$signal" "$pid" 2>/dev/null; done
        tenths=0
        while any_runs && [ "$tenths" -lt 20 ]; do
            sleep 0.1
            tenths=$((tenths + 1))
        done
    done
    wait
    if [ -n "$made" ]; then
        cat "$root"/*.errors >&2 2>/dev/null
        rm -rf "$root"
    fi
    exit "$code"
}

# Waits for a process to end; leaves its exit code in `code`. A signal between a look at `stopped` and a `wait` would be
# noticed only after that wait, so this looks again and again.
await() {
    while runs "$1"; do
        stop_if_asked
        sleep 0.2
    done
    stop_if_asked
    wait "$1"
    code=$?
}

# 1234567 as 1,234,567.
grouped() {
    number=$1 text=
    while [ ${#number} -gt 3 ]; do
        text=",${number#"${number%???}"}$text" number=${number%???}
    done
    echo "$number$text"
}

# Nanoseconds as 850 ns, 6.1 us, 34 us, 3.2 ms.
readable() {
    if [ "$1" -lt 1000 ]; then
        echo "$1 ns"
    elif [ "$1" -lt 10000 ]; then
        echo "$(($1 / 1000)).$(($1 / 100 % 10)) us"
    elif [ "$1" -lt 1000000 ]; then
        echo "$(($1 / 1000)) us"
    elif [ "$1" -lt 10000000 ]; then
        echo "$(($1 / 1000000)).$(($1 / 100000 % 10)) ms"
    else
        echo "$(($1 / 1000000)) ms"
    fi
}

# A value of a summary: of NAME, the row ROW.
value() { sed -n "s/^$2  *//p" "$root/$1"; }

# The worse of the two subscribers' values of a row; nothing if there is none.
worse() {
    one=$(value subscriber1 "$1") two=$(value subscriber2 "$1")
    case $one$two in *-*) return ;; esac
    if [ "$one" -gt "$two" ]; then echo "$one"; else echo "$two"; fi
}

# How many processors this script may use: those of its affinity, or fewer if the cgroup limits its time.
cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
if { read -r quota period </sys/fs/cgroup/cpu.max; } 2>/dev/null && [ "$quota" != max ]; then
    limit=$(((quota + period - 1) / period))
    [ "$limit" -ge "$cores" ] || cores=$limit
fi
stop_if_asked
have="3 processes, $cores cores"
[ "$cores" -gt 1 ] || have='3 processes, 1 core'
if [ "$cores" -lt 3 ]; then
    wait=block why="$have: subscribers sleep (--wait block); waking takes microseconds."
else
    wait=spin why="$have: each subscriber polls on its own (--wait spin)."
fi

# A signal ends mkdir either before it begins or not at all.
if (trap '' INT TERM HUP && exec mkdir -m 700 "$root"); then
    made=1
else
    stop_if_asked
    exit 1
fi
set -- --count "$count" --rate "$rate"
source='a synthetic market'
if [ -n "${INPUT:-}" ]; then
    set -- --input "$INPUT" "$@"
    source=$INPUT
fi
echo "Replaying $source through a ring in memory: 1 publisher, 2 subscribers."
for name in subscriber1 subscriber2; do
    stop_if_asked
    "$bin/feed-subscriber" --root "$root" --from oldest --open-timeout 30 --wait "$wait" \
        >"$root/$name" 2>"$root/$name.errors" &
    pids="$pids $!"
done
stop_if_asked
"$bin/feed-publisher" --root "$root" --wait-for-subscribers 2 "$@" >"$root/publisher" <&3 &
publisher=$!
pids="$pids $publisher"
await "$publisher"
[ "$code" -eq 0 ] || exit "$code"
for subscriber in $pids; do
    [ "$subscriber" = "$publisher" ] || await "$subscriber"
    [ "$code" -eq 0 ] || exit "$code"
done

if [ "${VERBOSE:-0}" != 0 ]; then
    for name in publisher subscriber1 subscriber2; do
        printf '\n%s\n' "$name"
        cat "$root/$name"
    done
    echo
fi
published=$(value publisher messages)
lost1=$(value subscriber1 lost) lost2=$(value subscriber2 lost)
digest=$(value publisher digest) digest1=$(value subscriber1 digest) digest2=$(value subscriber2 digest)
result=1
if [ "$digest" = "$digest1" ] && [ "$digest" = "$digest2" ]; then
    result=0
    echo "Result    $(grouped "$published") messages published, $(grouped "$rate") a second; both subscribers received all."
    echo "          The digests agree: $digest."
elif [ "$lost1" -gt 0 ] || [ "$lost2" -gt 0 ]; then
    echo "Result    Of $(grouped "$published") messages subscriber 1 lost $(grouped "$lost1"), subscriber 2 $(grouped "$lost2"):"
    echo "          they had no core for longer than the ring holds messages. Lower RATE=$rate."
else
    echo "Result    The digests differ: published $digest, received $digest1 and $digest2."
fi
median=$(worse 'latency_ns p50') slowest=$(worse 'latency_ns max')
if [ -n "$median" ]; then
    tail=$(readable "$(worse 'latency_ns p99')")
    echo "Latency   half within $(readable "$median"), 99 % within $tail, the slowest $(readable "$slowest")"
    if [ "$median" -ge 1000000 ]; then
        why="other work keeps the cores busy: most of it is waiting. Try again on a quiet machine."
    fi
    echo "Why       $why"
    if [ "$median" -lt 1000000 ] && [ "$slowest" -ge 1000000 ]; then
        echo "Tail      What took a millisecond or more waited for a core: the scheduler, not the ring."
    fi
fi
if [ "${VERBOSE:-0}" = 0 ]; then
    echo "Next      make demo VERBOSE=1               every figure"
    echo "          make demo INPUT=day.mbo.dbn.zst   real data: Databento DBN, NASDAQ ITCH 5.0, CSV"
    echo "          make report QUICK=1               beside pipes, sockets and other rings"
    echo "          target/release/ringctl doctor     what this machine could do better"
fi
exit $result
