"""What a publisher takes and refuses, and how it ends."""

import os

import numpy as np
import pytest

import feed_ring

TICK = [("time", "u8"), ("price", "i8"), ("symbol", "S8")]


def test_an_array_is_published_as_it_is(root):
    example = np.zeros(3, TICK)
    example["time"] = [1, 2, 3]
    with feed_ring.publish("ticks", example, root=root, capacity=64) as publisher:
        assert publisher.schema == "Message 24 8\ntime u64 0\nprice i64 8\nsymbol [u8;8] 16\n"
        assert publisher.dtype == example.dtype
        subscriber = feed_ring.subscribe("ticks", root=root)
        assert publisher.publish_batch(example) == range(3)
        assert publisher.publish_batch(example[1:]) == range(3, 5)
        assert publisher.publish_batch(example[:0]) == range(5, 5)
        bytes_of_symbol = np.zeros(2, [("time", "u8"), ("price", "i8"), ("symbol", "u1", (8,))])
        assert publisher.publish_batch(bytes_of_symbol) == range(5, 7), "the same fields, types and offsets"
        assert publisher.publish(bytes_of_symbol[0]) == 7
        assert subscriber.recv_batch(64)["time"].tolist() == [1, 2, 3, 2, 3, 0, 0, 0]
        assert publisher.published == 8 and publisher.epoch == 1 and publisher.subscribers() == 1
        assert publisher.wake == "membarrier" and not publisher.is_cut_off and not publisher.closed
        assert publisher.path == root / "ticks.ring"


@pytest.mark.parametrize(
    ("error", "array"),
    [
        (feed_ring.WrongDtype, np.zeros(2, "u8")),
        (feed_ring.WrongDtype, np.zeros(2, [("time", "u8"), ("price", "i8"), ("symbol", "S4")])),
        (feed_ring.WrongDtype, np.zeros(2, [("time", "u8"), ("price", "u8"), ("symbol", "S8")])),
        (feed_ring.WrongDtype, np.zeros(2, [("time", "u8"), ("cost", "i8"), ("symbol", "S8")])),
        (feed_ring.WrongDtype, np.zeros(2, [("price", "i8"), ("time", "u8"), ("symbol", "S8")])),
        (feed_ring.WrongDtype, np.zeros(2, [("time", ">u8"), ("price", "i8"), ("symbol", "S8")])),
        (feed_ring.WrongDtype, np.zeros(2, np.dtype({"names": ["price", "time", "symbol"], "formats": ["i8", "u8", "S8"], "offsets": [8, 16, 0]}))),
        (ValueError, np.zeros(4, TICK)[::2]),
        (ValueError, np.zeros((2, 2), TICK)),
        (TypeError, [(1, 2, b"")]),
        (TypeError, None),
    ],
)  # fmt: skip
def test_other_arrays_are_refused_whole(root, error, array):
    with feed_ring.publish("ticks", TICK, root=root, capacity=64) as publisher:
        with pytest.raises(error):
            publisher.publish_batch(array)
        assert publisher.published == 0


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError, (1, 2)),
        (ValueError, {"time": 1, "price": 2}),
        (ValueError, {"time": 1, "price": 2, "symbol": b"", "size": 3}),
        (ValueError, (1, 2, b"ABCDEFGHI")),
        (ValueError, (1, 2, "ABCDEFGHI")),
        (OverflowError, (-1, 2, b"")),
        (ValueError, ("x", 2, b"")),
        (ValueError, b"23 bytes are no message"),
        (TypeError, 5),
        (TypeError, [1, 2, b""]),
        (feed_ring.WrongDtype, np.zeros(1, [("time", "u8"), ("price", "i8"), ("symbol", "S4")])[0]),
    ],
)
def test_other_messages_are_refused(root, error, message):
    with feed_ring.publish("ticks", TICK, root=root, capacity=64) as publisher:
        with pytest.raises(error):
            publisher.publish(message)
        assert publisher.published == 0


def test_a_message_as_its_bytes_and_a_ring_by_its_schema(root):
    with feed_ring.publish("ticks", TICK, root=root, capacity=64, message="Tick") as publisher:
        subscriber = feed_ring.subscribe("ticks", root=root)
        publisher.publish((1, 2, b"ESH4"))
        message = subscriber.recv()
        with feed_ring.publish("again", schema=subscriber.schema, root=root, capacity=64) as again:
            assert again.schema.startswith("Tick 24 8\n")
            second = feed_ring.subscribe("again", root=root)
            again.publish(message.tobytes())
            again.publish(message)
            assert second.recv_batch(2).tolist() == [(1, 2, b"ESH4")] * 2
    for wrong in ({}, {"dtype": TICK, "schema": "u8 1 1\nvalue u8 0\n"}):
        with pytest.raises(ValueError):
            feed_ring.publish("wrong", root=root, **wrong)


def test_numbers_and_texts_without_fields(root):
    for name, dtype, values in [("n", "i4", [-1, 2]), ("t", "S4", [b"ES", b"ABCD"]), ("a", ("f8", (2,)), [[1.5, 2.5]])]:
        with feed_ring.publish(name, dtype, root=root, capacity=64) as publisher:
            subscriber = feed_ring.subscribe(name, root=root)
            for value in values:
                publisher.publish(np.array(value) if name == "a" else value)
            received = subscriber.recv_batch(8)
            assert received["value"].tolist() == values
    with feed_ring.publish("n", "i4", root=root, capacity=64) as publisher:
        publisher.publish_batch(np.arange(5, dtype="i4"))
        publisher.publish_batch(received_of := np.zeros(2, [("value", "i4")]))
        assert publisher.published == 5 + len(received_of)


def test_with_closes_and_an_exception_leaves(root):
    with pytest.raises(KeyError):
        with feed_ring.publish("ticks", "u8", root=root, capacity=64) as publisher:
            subscriber = feed_ring.subscribe("ticks", root=root)
            publisher.publish(1)
            raise KeyError
    assert subscriber.recv()["value"] == 1
    with pytest.raises(feed_ring.PublisherDead):
        subscriber.recv()
    with pytest.raises(KeyboardInterrupt):
        with feed_ring.publish("ticks", "u8", root=root, capacity=64) as publisher:
            assert publisher.epoch == 2
            raise KeyboardInterrupt
    assert publisher.closed and "closed" in repr(publisher)
    assert os.listdir(root) == []
    publisher.close()
    for call in (lambda: publisher.publish(1), publisher.leave, lambda: publisher.published):
        with pytest.raises(feed_ring.HandleClosed, match="this publisher is closed"):
            call()


def test_a_publisher_that_is_dropped_closes(root):
    publisher = feed_ring.publish("ticks", "u8", root=root, capacity=64)
    subscriber = feed_ring.subscribe("ticks", root=root)
    publisher.publish(1)
    del publisher
    assert [int(message["value"]) for message in subscriber] == [1]
    assert os.listdir(root) == []


def test_a_program_that_ends_leaves_nothing(root, start):
    program = start("python", f"""
import feed_ring
publisher = feed_ring.publish("ticks", "u8", root={str(root)!r}, capacity=64)
publisher.publish(1)
""")
    program.finish()
    assert os.listdir(root) == []


def test_a_sealed_ring(root):
    path = root / "ticks.sock"
    with feed_ring.publish("ticks", TICK, serve=path, capacity=64, max_clients=3) as publisher:
        with feed_ring.connect(path, join="oldest", open_timeout=1) as subscriber:
            publisher.publish((1, 2, b"X"))
            assert subscriber.recv().item() == (1, 2, b"X")
            assert publisher.path == path and publisher.wake == "thread"
    assert os.listdir(root) == []


OPTIONS = [
    (feed_ring.InvalidName, dict(name="a/b")),
    (feed_ring.InvalidOption, dict(capacity=100)),
    (feed_ring.InvalidOption, dict(mode=0o777)),
    (feed_ring.InvalidOption, dict(max_clients=3)),
    (feed_ring.NoRoom, dict(capacity=1 << 32)),
    (feed_ring.CreateError, dict(root="/nowhere")),
    (ValueError, dict(ahead=3)),
    (ValueError, dict(wake="never")),
    (TypeError, dict(capacity="many")),
]


@pytest.mark.parametrize(("error", "options"), OPTIONS)
def test_options_that_are_wrong(root, error, options):
    options = {"name": "ticks", "root": root, **options}
    with pytest.raises(error) as raised:
        feed_ring.publish(options.pop("name"), "u8", **options)
    assert str(raised.value)
    assert os.listdir(root) == []


def test_a_second_publisher_is_refused(root):
    with feed_ring.publish("ticks", "u8", root=root, capacity=64) as publisher:
        with pytest.raises(FileExistsError, match="already has a publisher: stop it first") as raised:
            feed_ring.publish("ticks", "u8", root=root, capacity=64)
        assert isinstance(raised.value, feed_ring.AlreadyPublished) and isinstance(raised.value, feed_ring.CreateError)
        assert raised.value.path == publisher.path


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("S4", b"ESH4A"), ("S4", 12345), ("S4", np.array(b"ESH4A")), ("S4", None), (("S4", (2,)), ["A", b"ESH4A"]),
        (("S4", (2,)), np.array([b"A", b"ESH4A"])), (("S4", (2, 1)), [["A"], ["ESH4A"]]), (("S4", (2,)), "ESH4A"),
        (np.dtype(([("side", "u1"), ("name", "S4")], (2,))), [(1, b"A"), (2, b"ESH4A")]),
    ],
)  # fmt: skip
def test_what_numpy_would_cut_is_refused(root, dtype, value):
    with feed_ring.publish("ticks", [("time", "u8"), ("text", dtype)], root=root, capacity=64) as publisher:
        with pytest.raises((ValueError, TypeError), match="text.*(at most 4|bytes or a str expected)"):
            publisher.publish((1, value))
        assert publisher.published == 0


def test_texts_within_arrays_and_structs(root):
    dtype = [("texts", "S4", (2,)), ("levels", [("side", "u1"), ("name", "S4")], (2,))]
    with feed_ring.publish("ticks", dtype, root=root, capacity=64) as publisher:
        subscriber = feed_ring.subscribe("ticks", root=root)
        publisher.publish(([b"ESH4", "A"], [(1, b"ESH4"), (2, "")]))
        message = subscriber.recv()
        assert message["texts"].tolist() == [b"ESH4", b"A"]
        publisher.publish((message["texts"], message["levels"]))
        assert subscriber.recv().tobytes() == message.tobytes()


def test_nothing_of_this_programs_memory_is_published(root):
    schema = "Gap 16 8\nside u8 0\nprice u64 8\n"
    # The memory that numpy uses again.
    del [np.full(16, 98, "u1") for _ in range(1000)][:]
    with feed_ring.publish("ticks", schema=schema, root=root, capacity=64) as publisher:
        subscriber = feed_ring.subscribe("ticks", root=root)
        for _ in range(20):
            publisher.publish((1, 2))
            assert subscriber.recv().tobytes() == bytes([1] + 7 * [0] + [2] + 7 * [0])
