"""How fast Python receives and publishes messages of 56 bytes, beside Rust, in the same rounds: make python-bench

Each round publishes 60,000 messages into a ring of 65,536, then each way receives them all, in an order that changes from round
to round. Medians over the rounds; the ratio is the median of the ratios within one round. Times are per message.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import feed_ring

MESSAGES, BATCH, ROUNDS = 60_000, 1024, 40
DTYPE = [("time", "u8"), ("price", "i8"), ("size", "u8"), ("id", "u8"), ("flags", "u8"), ("a", "u8"), ("b", "u8")]


def drain_batches(subscriber):
    count = 0
    while len(batch := subscriber.recv_batch(BATCH, timeout=0)):
        count += len(batch)
    return count


def drain_into(subscriber):
    count, out = 0, np.empty(BATCH, subscriber.dtype)
    while len(batch := subscriber.recv_batch(out=out, timeout=0)):
        count += len(batch)
    return count


def drain_one_by_one(subscriber):
    count = 0
    while subscriber.try_recv() is not None:
        count += 1
    return count


def drain_fields(subscriber):
    """As a program would: one by one, with a field of each."""
    count = 0
    while (message := subscriber.try_recv()) is not None:
        message["flags"]
        count += 1
    return count


def measure(drain, subscriber):
    begun = time.perf_counter_ns()
    count = drain(subscriber)
    taken = time.perf_counter_ns() - begun
    assert count == MESSAGES, count
    return taken / count


def main(drain_program):
    root = tempfile.mkdtemp(prefix="feed-ring-bench-", dir="/dev/shm")
    publisher = feed_ring.publish("bench", DTYPE, root=root)
    subscribe = lambda: feed_ring.subscribe("bench", root=root)  # noqa: E731
    rust = subprocess.Popen([drain_program, root, "bench", str(BATCH)], stdin=-1, stdout=-1, text=True, bufsize=1)
    assert rust.stdout.readline() == "ready\n"

    def drain_in_rust():
        rust.stdin.write("\n")
        count, taken = map(int, rust.stdout.readline().split())
        assert count == MESSAGES, count
        return taken / count

    ways = {"Rust, batches of bytes into one buffer": drain_in_rust}
    for name, drain in [
        (f"recv_batch({BATCH}), a new array each", drain_batches),
        (f"recv_batch(out=...), {BATCH}", drain_into),
        ("one by one", drain_one_by_one),
        ("one by one, and a field", drain_fields),
    ]:
        ways[name] = lambda drain=drain, subscriber=subscribe(): measure(drain, subscriber)
    array = np.zeros(MESSAGES, DTYPE)
    times = {name: [] for name in ["publish_batch", "publish(array[0])", "publish(tuple)", *ways]}
    order = list(ways)
    for _ in range(ROUNDS):
        for name, one, count in [("publish(array[0])", array[0], 1000), ("publish(tuple)", array[0].item(), 1000)]:
            begun = time.perf_counter_ns()
            for _ in range(count):
                publisher.publish(one)
            times[name].append((time.perf_counter_ns() - begun) / count)
        begun = time.perf_counter_ns()
        publisher.publish_batch(array[:-2000])
        times["publish_batch"].append((time.perf_counter_ns() - begun) / (MESSAGES - 2000))
        random.shuffle(order)
        for name in order:
            times[name].append(ways[name]())
    rust.stdin.close()
    rust.wait()
    publisher.close()
    os.rmdir(root)
    base = times["Rust, batches of bytes into one buffer"]
    processor = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    print(f"{processor}, {os.cpu_count()} virtual cores, Python {sys.version.split()[0]}, numpy {np.__version__}")
    print(f"{'':42} {'ns':>8} {'M/s':>8} {'rate / Rust':>12}")
    for name, taken in times.items():
        ns = statistics.median(taken)
        ratio = statistics.median(rust / python for rust, python in zip(base, taken))
        shown = f"{ratio:12.3f}" if name in ways else ""
        print(f"{name:42} {ns:8.1f} {1e3 / ns:8.2f} {shown}")


if __name__ == "__main__":
    main(sys.argv[1])
