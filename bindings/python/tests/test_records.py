"""Rings of records: bytes of any length, each with a kind."""

import numpy as np
import pytest

import feed_ring

TRADE = [("price", "i8"), ("size", "u8")]


def test_bytes_of_any_length(root):
    with feed_ring.publish_records("lines", encoding="text", root=root, capacity=1024) as publisher:
        assert publisher.schema == "Records text\n" and publisher.longest > 10_000
        subscriber = feed_ring.subscribe("lines", root=root)
        assert (subscriber.encoding, subscriber.dtype, subscriber.kinds) == ("text", None, {})
        sent = [bytes([number]) * number * 13 for number in range(50)]
        for number, data in enumerate(sent):
            assert publisher.publish(number, data) == number
        first = subscriber.recv()
        assert first == (0, b"", 0) and isinstance(first, feed_ring.Record)
        kind, data, number = subscriber.recv()
        assert (kind, data, number) == (1, sent[1], 1)
        batch = subscriber.recv_batch(40)
        assert [record.data for record in batch] == sent[2:42] and [record.kind for record in batch] == list(range(2, 42))
        assert subscriber.latest().data == sent[49] and subscriber.account.skipped == 7
        assert subscriber.try_recv() is None and subscriber.recv_batch(3, timeout=0) == []
        for data in (bytearray(b"ab"), memoryview(b"ab"), np.frombuffer(b"ab", "u1")):
            publisher.publish(7, data)
            assert subscriber.recv(1).data == b"ab"
        with pytest.raises(feed_ring.TooLong, match="this ring takes at most"):
            publisher.publish(7, bytes(publisher.longest + 1))
        for wrong in (5, "text", None):
            with pytest.raises(TypeError):
                publisher.publish(7, wrong)
        with pytest.raises(OverflowError):
            publisher.publish(256, b"")
        with pytest.raises(ValueError):
            subscriber.recv_batch(out=np.zeros(3, "u1"))
    assert list(subscriber) == []


def test_structs_by_kind(root):
    kinds = {1: ("Trade", TRADE), 7: ("Clear", [("time", "u8")])}
    with feed_ring.publish_records("events", kinds=kinds, root=root, capacity=64) as publisher:
        subscriber = feed_ring.subscribe("events", root=root)
        assert subscriber.encoding == "structs"
        assert subscriber.kinds == {1: np.dtype(TRADE), 7: np.dtype([("time", "u8")])}
        publisher.publish(1, (58_710, 14))
        publisher.publish(7, {"time": 9})
        publisher.publish(1, np.array([(1, 2)], TRADE)[0])
        decoded = [subscriber.decode(record) for record in subscriber.recv_batch(8)]
        assert [message.item() for message in decoded] == [(58_710, 14), (9,), (1, 2)]
        with pytest.raises(ValueError, match="kind 2: 1, 7 expected"):
            publisher.publish(2, b"")
        with pytest.raises(ValueError):
            publisher.publish(1, b"short")
        with pytest.raises(KeyError):
            subscriber.decode(feed_ring.Record(2, b"", 0))
        with pytest.raises(feed_ring.WrongDtype):
            subscriber.decode(feed_ring.Record(1, b"short", 0))


def test_losses_restarts_and_options(root):
    first = feed_ring.publish_records("lines", root=root, capacity=64)
    subscriber = feed_ring.subscribe("lines", root=root, events="yield")
    for _ in range(100):
        first.publish(0, bytes(100))
    first.leave()
    assert isinstance(subscriber.recv_batch(8), feed_ring.Lagged)
    while not isinstance(item := subscriber.recv_batch(64), feed_ring.Event):
        assert all(len(record.data) == 100 for record in item)
    assert isinstance(item, feed_ring.PublisherDead)
    with feed_ring.publish_records("lines", root=root, capacity=64) as second:
        second.publish(3, b"new")
        assert isinstance(subscriber.recv(), feed_ring.Restarted)
        assert subscriber.recv().data == b"new"
        account = subscriber.account
        assert account.first + account.received + account.lost + account.skipped == account.sequence == 101
    for wrong in (dict(slot_size=100), dict(encoding="A B"), dict(capacity=3)):
        with pytest.raises(feed_ring.InvalidOption):
            feed_ring.publish_records("wrong", root=root, **wrong)
    with pytest.raises(ValueError):
        feed_ring.publish_records("wrong", root=root, encoding="x", kinds={1: ("T", TRADE)})
