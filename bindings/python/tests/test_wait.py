"""Waiting: no lock is held, Ctrl-C ends it, one thread at a time, no use after a fork."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import feed_ring


@pytest.fixture
def publisher(root):
    with feed_ring.publish("ticks", "u8", root=root, capacity=64) as publisher:
        yield publisher


WAITS = {
    "recv": lambda subscriber: subscriber.recv(),
    "next": lambda subscriber: next(subscriber),
    "recv_batch": lambda subscriber: subscriber.recv_batch(8),
    "wait_for_publisher": lambda subscriber: subscriber.wait_for_publisher(),
}


def begin(call):
    """Calls it in a thread. Returns the thread and what it raised."""
    raised = []

    def run():
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.2)
    return thread, raised


@pytest.mark.parametrize("how", ["block", "spin", "yield"])
@pytest.mark.parametrize("call", ["recv", "recv_batch"])
def test_other_threads_run_during_a_wait(publisher, root, call, how):
    subscriber = feed_ring.subscribe("ticks", root=root, wait=how)
    thread, raised = begin(lambda: WAITS[call](subscriber))
    counted = 0
    while counted < 1000:  # would never end if the waiting thread held the lock
        counted += 1
    assert thread.is_alive()
    publisher.publish(7)
    thread.join(10)
    assert not thread.is_alive() and not raised


@pytest.mark.parametrize("call", WAITS)
@pytest.mark.parametrize("events", ["raise", "yield"])
def test_ctrl_c_ends_a_wait(root, start, call, events):
    publisher = feed_ring.publish("ticks", "u8", root=root, capacity=64)
    if call == "wait_for_publisher":
        publisher.leave()
    program = start("python", f"""
import feed_ring
subscriber = feed_ring.subscribe("ticks", root={str(root)!r}, events={events!r})
print("waits", flush=True)
try:
    {dict(recv="subscriber.recv()", next="next(subscriber)", recv_batch="subscriber.recv_batch(8)",
          wait_for_publisher="subscriber.wait_for_publisher()")[call]}
except KeyboardInterrupt:
    print("interrupted", subscriber.account.received)
""")
    assert program.process.stdout.readline() == "waits\n"
    time.sleep(0.2)
    program.process.send_signal(signal.SIGINT)
    assert program.finish() == "interrupted 0\n"
    publisher.close()


def test_ctrl_c_ends_the_wait_for_a_ring(root, start):
    program = start("python", f"""
import feed_ring
print("waits", flush=True)
try:
    feed_ring.subscribe("ticks", root={str(root)!r}, open_timeout=None)
except KeyboardInterrupt:
    print("interrupted")
""")
    assert program.process.stdout.readline() == "waits\n"
    time.sleep(0.2)
    program.process.send_signal(signal.SIGINT)
    assert program.finish() == "interrupted\n"


def test_the_wait_for_a_ring_ends_when_it_comes(root):
    opened = []
    thread, raised = begin(lambda: opened.append(feed_ring.subscribe("late", root=root, open_timeout=float("inf"))))
    with feed_ring.publish("late", "u8", root=root, capacity=64):
        thread.join(10)
        assert opened and not raised
    with pytest.raises(feed_ring.NotFound):
        feed_ring.subscribe("never", root=root, open_timeout=0.25)


@pytest.mark.parametrize("call", WAITS)
def test_a_second_thread_is_refused_and_close_ends_the_first(publisher, root, call):
    if call == "wait_for_publisher":
        publisher.leave()
    subscriber = feed_ring.subscribe("ticks", root=root)
    thread, raised = begin(lambda: WAITS[call](subscriber))
    for second in (subscriber.try_recv, subscriber.recv, subscriber.lag, lambda: subscriber.account):
        with pytest.raises(feed_ring.Busy, match="give each thread one of its own"):
            second()
    subscriber.close()
    thread.join(10)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [feed_ring.HandleClosed]
    with pytest.raises(feed_ring.HandleClosed):
        subscriber.try_recv()


def test_threads_without_end_on_one_subscriber(publisher, root):
    """Every message comes once, whoever receives it; the others are refused."""
    subscriber = feed_ring.subscribe("ticks", root=root)
    received, stop = [], threading.Event()

    def receive():
        while not stop.is_set():
            try:
                message = subscriber.try_recv()
            except feed_ring.Busy:
                continue
            if message is not None:
                received.append(int(message["value"]))

    threads = [threading.Thread(target=receive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        while subscriber_is_behind(publisher, received):
            time.sleep(0)
        publisher.publish(number)
    deadline = time.monotonic() + 20
    while len(received) < 2000 and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert sorted(received) == list(range(2000))


def subscriber_is_behind(publisher, received):
    return publisher.published - len(received) > 40


def test_a_signal_handler_may_close_what_waits(root, start):
    feed_ring.publish("ticks", "u8", root=root, capacity=64).leave()
    program = start("python", f"""
import feed_ring, signal
subscriber = feed_ring.subscribe("ticks", root={str(root)!r}, events="yield")
print(type(subscriber.recv()).__name__, flush=True)
signal.signal(signal.SIGUSR1, lambda *_: subscriber.close())
print("waits", flush=True)
try:
    subscriber.recv()
except feed_ring.HandleClosed:
    print("closed")
""")
    assert [program.process.stdout.readline() for _ in range(2)] == ["PublisherDead\n", "waits\n"]
    time.sleep(0.2)
    program.process.send_signal(signal.SIGUSR1)
    assert program.finish() == "closed\n"


def test_a_forked_child_is_told_and_harms_nobody(root, start):
    program = start("python", f"""
import os, feed_ring
publisher = feed_ring.publish("ticks", "u8", root={str(root)!r}, capacity=64)
subscriber = feed_ring.subscribe("ticks", root={str(root)!r})
publisher.publish(1)
child = os.fork()
if child == 0:
    told = 0
    for call in (subscriber.recv, subscriber.lag, lambda: publisher.publish(2), lambda: publisher.published):
        try:
            call()
        except feed_ring.Forked:
            told += 1
    del subscriber, publisher
    with feed_ring.subscribe("ticks", root={str(root)!r}, join="oldest") as own:
        told += int(own.recv()["value"])
    os._exit(told)
_, status = os.waitpid(child, 0)
publisher.publish(3)
print(os.waitstatus_to_exitcode(status), int(subscriber.recv()["value"]), int(subscriber.recv()["value"]))
publisher.close()
""")
    assert program.finish() == "5 1 3\n"


def test_a_large_array_is_published_while_others_run(root):
    with feed_ring.publish("large", "u8", root=root, capacity=1 << 16) as publisher:
        array = np.arange(1 << 16, dtype="u8")
        threads = [begin(lambda: publisher.publish_batch(array)) for _ in range(2)]
        for thread, raised in threads:
            thread.join(10)
            assert all(isinstance(error, feed_ring.Busy) for error in raised)
        assert publisher.published in (1 << 16, 2 << 16)
    assert os.listdir(root) == []


def test_a_publisher_that_lives_needs_no_time(publisher, root):
    subscriber = feed_ring.subscribe("ticks", root=root)
    assert subscriber.wait_for_publisher(0)
    publisher.leave()
    assert not subscriber.wait_for_publisher(0)
