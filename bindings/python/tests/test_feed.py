"""A day of one future through one ring: Rust and Python on either side, equal digests."""

import collections
import csv
import io
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import xxhash

import feed_ring

FEED = ["--capacity", "131072", "--wait-for-subscribers"]
RUST = ["--from", "oldest", "--open-timeout", "30", "--wait", "block"]


def receive(subscriber):
    """Receives to the ring's end. Returns the messages and what else was told."""
    batches, events = [np.empty(0, subscriber.dtype)], []
    for item in subscriber.batches(4096):
        (events if isinstance(item, feed_ring.Event) else batches).append(item)
    return np.concatenate(batches), events


def digest(messages):
    return f"{xxhash.xxh3_64_intdigest(messages.tobytes()):016x}"


def test_a_python_subscriber_receives_what_rusts_does(root, start, esh4):
    publisher = start("feed-publisher", "--input", esh4, *FEED, "2")
    rust = start("feed-subscriber", *RUST)
    subscriber = feed_ring.subscribe("feed", root=root, join="oldest", open_timeout=30, events="yield")
    messages, events = receive(subscriber)
    published, received = publisher.summary(), rust.summary()
    assert len(messages) == published["messages"] == received["messages"] == 68_792
    assert digest(messages) == published["digest"] == received["digest"]
    assert [type(event) for event in events] == [feed_ring.Closed]
    account = subscriber.account
    assert (account.first, account.received, account.lost, account.sequence) == (0, 68_792, 0, 68_792)
    assert sum(messages["price"].tolist()) == int(published["price_sum"])
    assert messages.dtype.itemsize == 56


def test_records_byte_for_byte(root, start, esh4):
    publisher = start("feed-publisher", "--input", esh4, "--as", "records", "--capacity", "524288", "--wait-for-subscribers", "2")
    rust = start("feed-subscriber", *RUST)
    subscriber = feed_ring.subscribe("feed", root=root, join="oldest", open_timeout=30)
    assert subscriber.encoding == "dbn"
    hasher, count = xxhash.xxh3_64(), 0
    for batch in subscriber.batches(4096):
        for record in batch:
            hasher.update(record.data)
        count += len(batch)
    published, received = publisher.summary(), rust.summary()
    assert count == published["messages"] == received["messages"]
    assert published["digest"] == received["digest"]
    assert sum(published["by_type"].values()) == count and published["bytes"] > 0


def esh4_messages(root, start, esh4):
    """The day as an array, and its schema."""
    publisher = start("feed-publisher", "--ring", "source", "--input", esh4, *FEED, "1")
    with feed_ring.subscribe("source", root=root, join="oldest", open_timeout=30) as subscriber:
        messages = np.concatenate(list(subscriber.batches(4096)))
        schema = subscriber.schema
    assert digest(messages) == publisher.summary()["digest"]
    return messages, schema


def await_subscribers(publisher, count):
    deadline = time.monotonic() + 60
    while publisher.subscribers() < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_rust_subscriber_receives_what_python_publishes(root, start, esh4):
    messages, schema = esh4_messages(root, start, esh4)
    with feed_ring.publish("feed", schema=schema, root=root, capacity=131_072) as publisher:
        rust = start("feed-subscriber", *RUST)
        subscriber = feed_ring.subscribe("feed", root=root)
        await_subscribers(publisher, 2)
        for message in messages[:100]:
            publisher.publish(message)
        for first in range(100, len(messages), 1000):
            publisher.publish_batch(messages[first : first + 1000])
    received = rust.summary()
    assert received["messages"] == len(messages) and received["lost"] == 0
    assert received["digest"] == digest(messages) == digest(receive(subscriber)[0])


def test_a_publisher_killed_and_restarted_three_times(root, start, esh4):
    rust = start("feed-subscriber", *RUST)
    python = PythonSubscriber(root, start)
    for epoch in (1, 2, 3):
        publisher = start("feed-publisher", "--input", esh4, "--rate", "20000", *FEED, "2")
        python.await_messages(epoch, 2000)
        publisher.kill()
    start("feed-publisher", "--input", esh4, *FEED, "2").summary()
    python.assert_equal(rust.summary())


def test_a_python_publisher_killed_and_restarted_three_times(root, start, esh4):
    messages, schema = esh4_messages(root, start, esh4)
    np.save(root / "day.npy", messages)
    program = f"""
import time
import numpy as np
import feed_ring
messages = np.load({str(root / "day.npy")!r})
publisher = feed_ring.publish("feed", schema={schema!r}, root={str(root)!r}, capacity=131072)
while publisher.subscribers() < 2:
    time.sleep(0.002)
pause = PAUSE
for first in range(0, len(messages), 100):
    publisher.publish_batch(messages[first : first + 100])
    time.sleep(pause)
publisher.close()
"""
    rust = start("feed-subscriber", *RUST)
    python = PythonSubscriber(root, start)
    for epoch in (1, 2, 3):
        publisher = start("python", program.replace("PAUSE", "0.005"))
        python.await_messages(epoch, 2000)
        publisher.kill()
    start("python", program.replace("PAUSE", "0")).finish()
    python.assert_equal(rust.summary())


class PythonSubscriber:
    """A subscriber in a process of its own, which tells how far it is."""

    PROGRAM = """
import sys
import xxhash
import feed_ring
hasher, count, since, epoch, events = xxhash.xxh3_64(), 0, 0, 1, []
subscriber = feed_ring.subscribe("feed", root=sys.argv[1], join="oldest", open_timeout=60, events="yield")
for item in subscriber.batches(1024):
    if isinstance(item, feed_ring.Event):
        events.append((type(item).__name__, getattr(item, "epoch", 0)))
        if isinstance(item, feed_ring.Restarted):
            epoch, since = item.epoch, 0
    else:
        hasher.update(item.tobytes())
        count += len(item)
        since += len(item)
        print(epoch, since, flush=True)
print("end", count, f"{hasher.intdigest():016x}", events, tuple(subscriber.account))
"""

    def __init__(self, root, start):
        self.program = start("python", self.PROGRAM.replace("sys.argv[1]", repr(str(root))))

    def await_messages(self, epoch, count):
        """Waits until it has so many messages of this epoch."""
        while tuple(map(int, self.program.process.stdout.readline().split())) < (epoch, count):
            pass

    def assert_equal(self, rust):
        end = self.program.finish().splitlines()[-1].split(maxsplit=3)
        assert end[0] == "end"
        assert (int(end[1]), end[2]) == (rust["messages"], rust["digest"])
        events, account = eval(end[3].replace("] (", "], ("))
        assert [event for event in events if event[0] == "Restarted"] == [("Restarted", epoch) for epoch in (2, 3, 4)]
        assert {name for name, _ in events} <= {"Restarted", "PublisherDead", "Closed"} and events[-1] == ("Closed", 0)
        first, received, lost, skipped, sequence, epoch = account
        assert (first + received + lost + skipped, lost, epoch) == (sequence, 0, 4)
        assert rust["restarts"] == 3 and rust["lost"] == 0


def test_the_example_of_a_vwap(root, start, esh4):
    """Against the prices and sizes that the Rust subscriber prints, in exact decimals."""
    publisher = start("feed-publisher", "--input", esh4, "--table", *FEED, "2")
    rust = start("feed-subscriber", *RUST, "--output", "csv")
    example = Path(__file__).parents[1] / "examples" / "vwap.py"
    printed = subprocess.run([sys.executable, example, "feed", root], capture_output=True, text=True, timeout=120)
    assert printed.returncode == 0, printed.stderr
    publisher.summary()
    value, volume = collections.Counter(), collections.Counter()
    lines = [line for line in rust.finish().splitlines() if not line.startswith("{")]
    for row in csv.DictReader(io.StringIO("\n".join(lines))):
        if row["kind"] == "trade":
            value[row["instrument"]] += Decimal(row["price"]) * Decimal(row["size"])
            volume[row["instrument"]] += Decimal(row["size"])
    (instrument,) = value
    vwap = value[instrument] / volume[instrument]
    symbol, shown, traded = printed.stdout.splitlines()[-1].split()
    assert (symbol, Decimal(traded)) == ("ESH4", volume[instrument])
    assert abs(Decimal(shown) - vwap) <= Decimal("0.000001")


def test_nothing_is_left(root, start, esh4):
    start("feed-publisher", "--input", esh4, "--table").summary()
    assert os.listdir(root) == []
