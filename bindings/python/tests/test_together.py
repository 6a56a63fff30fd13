"""One ring, a publisher in C or in Python, subscribers in Rust, C, C++ and Python: equal digests, also of a publisher that is killed."""

import json
import sys

import pytest
import xxhash
from conftest import PROGRAMS, Program

import feed_ring

CAPACITY = 262_144
C = PROGRAMS.parent / "c"
SUBSCRIBERS = ["tests-c-digest-c-Shared", "tests-c-digest-cpp-Shared"]

# What tests/c/relay.c of the C library does: publishes what it receives, and goes on where the one before it was killed.
RELAY = """
import sys, time
import feed_ring
root, source, to, capacity, awaited = sys.argv[1:]
schema = feed_ring.subscribe(source, root=root, open_timeout=60).schema
publisher = feed_ring.publish(to, schema=schema, root=root, capacity=int(capacity))
subscriber = feed_ring.subscribe(source, root=root, join=publisher.published)
print(f"relay: epoch {publisher.epoch} from {publisher.published}", flush=True)
while publisher.subscribers() < int(awaited):
    time.sleep(0.002)
for batch in subscriber.batches(512):
    publisher.publish_batch(batch)
publisher.close()
"""


def fnv1a(data):
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{digest:016x}"


@pytest.fixture
def relay(root):
    """Starts a publisher of the language that the test names, and waits until it is there."""
    started = []

    def begin(language, awaited):
        arguments = [root, "source", "relayed", CAPACITY, awaited]
        if language == "c":
            program = Program(C / "tests-c-relay-c-Shared", *arguments)
        else:
            program = Program(sys.executable, "-c", RELAY, *arguments)
        started.append(program)
        return program, program.process.stdout.readline().strip()

    yield begin
    for program in started:
        if program.process.poll() is None:
            program.kill()


@pytest.mark.parametrize("kills", [0, 3])
@pytest.mark.parametrize("language", ["c", "python"])
def test_every_language_receives_the_same(root, start, esh4, relay, language, kills):
    missing = [name for name in ["tests-c-relay-c-Shared", *SUBSCRIBERS] if not (C / name).is_file()]
    if missing:
        pytest.skip(f"SKIPPED: no {C / missing[0]} (make c compiles it)")
    rate = ["--rate", "200000" if kills == 0 else "15000"]
    source = start("feed-publisher", "--ring", "source", "--input", esh4, "--capacity", str(CAPACITY), "--wait-for-subscribers", "1", "--keep", *rate)
    publisher, said = relay(language, 4)
    assert said == "relay: epoch 1 from 0"
    others = [Program(C / name, root, "relayed") for name in SUBSCRIBERS]
    rust = start("feed-subscriber", "--ring", "relayed", "--from", "oldest")
    subscriber = feed_ring.subscribe("relayed", root=root, join="oldest", events="yield")

    data, restarts, until = bytearray(), 0, 5_000
    for item in subscriber.batches(1024):
        if isinstance(item, feed_ring.Restarted):
            restarts += 1
        elif not isinstance(item, feed_ring.Event):
            data += item.tobytes()
        if restarts < kills and subscriber.account.sequence >= until and publisher.process.poll() is None:
            publisher.kill()
            publisher, said = relay(language, 0)
            assert said.startswith(f"relay: epoch {restarts + 2} from")
            until = subscriber.account.sequence + 5_000
    publisher.finish()

    published, received = source.summary(), rust.summary()
    assert published["messages"] == received["messages"] == 68_792
    assert published["digest"] == received["digest"] == f"{xxhash.xxh3_64_intdigest(bytes(data)):016x}"
    assert restarts == received["restarts"] == kills
    account = subscriber.account
    assert (account.first, account.received, account.lost, account.epoch) == (0, 68_792, 0, kills + 1)
    told = {"digest": fnv1a(data), "messages": 68_792, "lost": 0, "restarts": kills, "epoch": kills + 1}
    assert [json.loads(program.finish()) for program in others] == [told] * len(others)
