"""What a subscriber receives, and what it is told."""

import os
import sys
import threading
import time

import numpy as np
import pytest

import feed_ring

TICK = [("time", "u8"), ("price", "i8"), ("symbol", "S8")]


@pytest.fixture
def publisher(root):
    with feed_ring.publish("ticks", TICK, root=root, capacity=64) as publisher:
        yield publisher


def ticks(count, first=0):
    array = np.zeros(count, TICK)
    array["time"] = np.arange(first, first + count)
    array["price"] = -array["time"].astype("i8")
    array["symbol"] = b"ESH4"
    return array


def address(array):
    return array.__array_interface__["data"][0]


def test_messages_one_by_one(publisher, root):
    with feed_ring.subscribe("ticks", root=root) as subscriber:
        assert subscriber.try_recv() is None
        publisher.publish((7, -7, b"ESH4"))
        publisher.publish({"price": 8, "time": 9, "symbol": "X"})
        publisher.publish(ticks(3)[2])
        message = subscriber.recv()
        assert isinstance(message, np.void)
        assert (message["time"], message["price"], message["symbol"]) == (7, -7, b"ESH4")
        assert message.dtype == subscriber.dtype == np.dtype(TICK)
        assert subscriber.recv(1.0).item() == (9, 8, b"X")
        assert subscriber.try_recv() == ticks(3)[2]
        publisher.publish((1, 1, b""))
        assert message["time"] == 7, "a message does not change"
        with pytest.raises(TimeoutError):
            subscriber.recv(0)
            subscriber.recv(0)
        assert subscriber.schema == publisher.schema
        assert subscriber.capacity == publisher.capacity == 64


def test_a_batch_is_the_callers_own_memory(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)
    sent = ticks(20)
    assert publisher.publish_batch(sent) == range(20)
    out = np.full(12, 255, "S24").view(subscriber.dtype)
    before = address(out)
    batch = subscriber.recv_batch(out=out)
    assert address(batch) == address(out) == before
    assert np.array_equal(batch, sent[:12])
    assert out.tobytes() == sent[:12].tobytes(), "the ring's bytes are in that memory"
    rest = subscriber.recv_batch(8)
    assert rest.flags.owndata and rest.flags.writeable and rest.base is None
    assert np.array_equal(rest, sent[12:])
    publisher.publish_batch(sent[:3])
    short = subscriber.recv_batch(8)
    assert len(short) == 3 and len(short.base) == 8 and address(short) == address(short.base)
    assert subscriber.recv_batch(8, timeout=0).shape == (0,)
    publisher.publish_batch(ticks(40, 100))
    assert np.array_equal(rest, sent[12:]), "a batch does not change"


def test_a_large_batch_and_a_waiting_one(root):
    with feed_ring.publish("large", TICK, root=root, capacity=8192) as publisher:
        subscriber = feed_ring.subscribe("large", root=root)
        publisher.publish_batch(ticks(5000))
        assert np.array_equal(subscriber.recv_batch(8192), ticks(5000))
        batches = iter(subscriber.batches(1000))
        publisher.publish_batch(ticks(1500))
        assert [len(next(batches)), len(next(batches))] == [1000, 500]


def test_arguments_that_are_wrong(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)
    publisher.publish_batch(ticks(5))
    wrong = [
        (ValueError, lambda: subscriber.recv_batch()),
        (ValueError, lambda: subscriber.recv_batch(0)),
        (ValueError, lambda: subscriber.recv_batch(4, out=ticks(4))),
        (ValueError, lambda: subscriber.recv_batch(out=ticks(0))),
        (ValueError, lambda: subscriber.recv_batch(out=ticks(8)[::2])),
        (ValueError, lambda: subscriber.recv_batch(out=ticks(8).reshape(2, 4))),
        (ValueError, lambda: subscriber.recv_batch(timeout=0, out=ticks(1).reshape(()))),
        (feed_ring.WrongDtype, lambda: subscriber.recv_batch(out=np.zeros(4, "u8"))),
        (TypeError, lambda: subscriber.recv_batch(out=[1, 2])),
        (ValueError, lambda: subscriber.batches(0)),
        (ValueError, lambda: subscriber.recv(-1.0)),
        (ValueError, lambda: subscriber.recv(float("nan"))),
        (ValueError, lambda: feed_ring.subscribe("ticks", root=root, join="newest")),
        (ValueError, lambda: feed_ring.subscribe("ticks", root=root, wait="sleep")),
        (ValueError, lambda: feed_ring.subscribe("ticks", root=root, events="ignore")),
        (ValueError, lambda: feed_ring.subscribe("ticks", root=root, map="write")),
    ]
    readonly = ticks(4)
    readonly.flags.writeable = False
    wrong.append((ValueError, lambda: subscriber.recv_batch(out=readonly)))
    moved = {"names": ["price", "time", "symbol"], "formats": ["i8", "u8", "S8"], "offsets": [0, 8, 16]}
    wrong.append((feed_ring.WrongDtype, lambda: subscriber.recv_batch(out=np.zeros(4, moved))))
    subscriber.recv_batch(5)
    for error, call in wrong:
        with pytest.raises(error):
            call()
    assert subscriber.account.received == 5, "none of them received anything"


def test_latest_skips_and_a_loss_is_told_exactly(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)
    publisher.publish_batch(ticks(10))
    assert subscriber.lag() == 10
    assert subscriber.latest()["time"] == 9
    assert subscriber.latest() is None
    publisher.publish_batch(ticks(100))
    with pytest.raises(feed_ring.Lagged) as lagged:
        subscriber.recv()
    account = subscriber.account
    assert lagged.value.missed == account.lost > 0
    assert str(lagged.value) == f"lagged: {account.lost} messages lost: read faster, or enlarge the ring"
    assert subscriber.recv()["time"] == lagged.value.missed
    account = subscriber.account
    assert account.first + account.received + account.lost + account.skipped == account.sequence
    assert (account.first, account.skipped, account.epoch) == (0, 9, 1)


@pytest.mark.parametrize("join", ["oldest", 3, 0])
def test_where_to_join(publisher, root, join):
    publisher.publish_batch(ticks(10))
    first = 0 if join == "oldest" else join
    assert feed_ring.subscribe("ticks", root=root, join=join).recv()["time"] == first


def test_the_end_is_raised_and_ends_an_iteration(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)
    publisher.publish_batch(ticks(10))
    publisher.close()
    assert [message["time"] for message in subscriber] == list(range(10))
    with pytest.raises(feed_ring.Closed, match="the ring is closed"):
        subscriber.recv()
    with pytest.raises(feed_ring.Closed):
        subscriber.recv_batch(4)
    assert list(subscriber.batches(4)) == []


def test_restart_death_and_supersession_are_raised(root):
    first = feed_ring.publish("ticks", TICK, root=root, capacity=64)
    subscriber = feed_ring.subscribe("ticks", root=root)
    first.publish_batch(ticks(3))
    first.leave()
    assert len(subscriber.recv_batch(10)) == 3
    for call in (subscriber.recv, subscriber.try_recv, lambda: subscriber.recv_batch(3), subscriber.latest):
        with pytest.raises(feed_ring.PublisherDead, match="restart it"):
            call()
    assert not subscriber.wait_for_publisher(0.01) and not subscriber.publisher_is_alive()
    with feed_ring.publish("ticks", TICK, root=root, capacity=64) as second:
        assert second.epoch == 2 and second.published == 3
        assert subscriber.wait_for_publisher() and subscriber.publisher_is_alive()
        second.publish((9, 9, b""))
        with pytest.raises(feed_ring.Restarted) as restarted:
            subscriber.recv()
        assert (restarted.value.epoch, restarted.value.sequence) == (2, 3)
        assert subscriber.recv()["time"] == 9
        second.leave()
    with feed_ring.publish("ticks", TICK, root=root, capacity=64, fresh=True):
        with pytest.raises(feed_ring.Superseded, match="open it again"):
            subscriber.recv()
        with pytest.raises(feed_ring.Superseded):
            next(subscriber)


def test_restarts_that_the_ring_cannot_place(root):
    first = feed_ring.publish("ticks", TICK, root=root, capacity=64)
    subscriber = feed_ring.subscribe("ticks", root=root)
    first.leave()
    for number in range(12):
        publisher = feed_ring.publish("ticks", TICK, root=root, capacity=64)
        publisher.publish((number, 0, b""))
        publisher.leave()
    told = []
    while True:
        try:
            subscriber.recv()
        except feed_ring.PublisherDead:
            break
        except feed_ring.Event as event:
            told.append(event)
    assert isinstance(told[0], feed_ring.RestartsUnknown) and 0 < told[0].until < 12
    assert isinstance(told[-1], feed_ring.Restarted) and told[-1].epoch == 13


def test_events_in_messages_places(root):
    first = feed_ring.publish("ticks", TICK, root=root, capacity=64)
    subscriber = feed_ring.subscribe("ticks", root=root, events="yield")
    first.publish_batch(ticks(100))
    first.leave()
    items = [subscriber.recv()]
    assert isinstance(items[0], feed_ring.Lagged)
    while not isinstance(items[-1], feed_ring.PublisherDead):
        items.append(subscriber.recv())
    assert items[0].missed + len(items) - 2 == 100
    with pytest.raises(feed_ring.TimedOut):  # it is told once, then the next one is waited for
        subscriber.recv(0.01)
    assert subscriber.try_recv() is None and len(subscriber.recv_batch(3, timeout=0)) == 0
    second = feed_ring.publish("ticks", TICK, root=root, capacity=64)
    second.publish((5, 5, b""))
    assert isinstance(subscriber.recv(), feed_ring.Restarted)
    assert subscriber.recv()["time"] == 5
    second.publish_batch(ticks(4))
    second.close()
    items = list(subscriber.batches(10))
    assert [len(items[0]), type(items[1])] == [4, feed_ring.Closed] and len(items) == 2
    assert list(subscriber) == []


def test_an_event_behind_a_waiting_batch_comes_with_the_next(publisher, root):
    """The subscriber has its first message and waits for Python's lock; whoever holds it laps the ring."""
    subscriber = feed_ring.subscribe("ticks", root=root)
    one, many = ticks(1), ticks(200, 1)  # numpy releases the lock meanwhile

    def lap():
        time.sleep(0.25)  # not a multiple of the wait's slice of 0.1 s
        publisher.publish_batch(one)
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            pass
        publisher.publish_batch(many)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(10)
    try:
        thread = threading.Thread(target=lap)
        thread.start()
        first = subscriber.recv_batch(300)  # sleeps
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert first["time"].tolist() == [0]
    with pytest.raises(feed_ring.Lagged) as lagged:
        subscriber.recv_batch(300)
    assert subscriber.recv_batch(300)["time"].tolist() == list(range(1 + lagged.value.missed, 201))


def test_damage_is_raised_whatever_the_events_are(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root, events="yield")
    publisher.publish_batch(ticks(2))
    assert subscriber.recv()["time"] == 0
    segment = root / "ticks.ring" / "segment"
    with open(segment, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(size - 63 * 64)  # the slot of message 1
        file.write((1_000_001).to_bytes(8, "little"))
    with pytest.raises(feed_ring.Corrupt) as corrupt:
        while True:
            subscriber.recv(0.5)
    assert corrupt.value.sequence == 1 and corrupt.value.found == 1_000_001


def test_a_segment_that_is_cut_short(root, start):
    """With the guard, in a process of its own: the guard is for a whole process."""
    program = start("python", f"""
import os, feed_ring
feed_ring.install_guard()
publisher = feed_ring.publish("ticks", "u8", root={str(root)!r}, capacity=1024)
subscriber = feed_ring.subscribe("ticks", root={str(root)!r})
publisher.publish(1)
assert subscriber.recv()["value"] == 1
os.truncate({str(root / "ticks.ring" / "segment")!r}, 0)
try:
    subscriber.recv(5)
except feed_ring.CutShort as error:
    print(type(error).__name__, publisher.is_cut_off)
publisher.close()
""")
    assert program.finish().split()[0] == "CutShort"


def test_what_is_closed_says_so(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)
    assert "received=0" in repr(subscriber)
    subscriber.close()
    subscriber.close()
    assert subscriber.closed and "closed" in repr(subscriber)
    for call in (subscriber.recv, subscriber.try_recv, subscriber.lag, lambda: subscriber.account, lambda: next(subscriber)):
        with pytest.raises(feed_ring.HandleClosed, match="this subscriber is closed"):
            call()
    assert publisher.subscribers() == 0
