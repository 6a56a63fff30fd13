"""Tables and cells."""

import os
import threading
import time

import numpy as np
import pytest

import feed_ring

QUOTE = [("bid", "i8"), ("ask", "i8")]


def test_a_table_by_text(root):
    with feed_ring.make_table("last", "S16", QUOTE, root=root, capacity=4) as writer:
        assert writer.store(b"ESH4", (1, 2)) == 0
        assert writer.store("NQH4", {"bid": 3, "ask": 4}) == 1
        table = feed_ring.open_table("last", root=root)
        assert (table.key_dtype, table.value_dtype) == (np.dtype([("value", "S16")]), np.dtype(QUOTE))
        assert table.get(b"ESH4").item() == (1, 2) and table.get("NQH4")["ask"] == 4 and table.get(b"CLF4") is None
        assert {key: value.item() for key, value in table.to_dict().items()} == {b"ESH4": (1, 2), b"NQH4": (3, 4)}
        array = table.to_array()
        assert array.dtype.names == ("key", "bid", "ask")
        assert array.tolist() == [(b"ESH4", 1, 2), (b"NQH4", 3, 4)]
        rows, since = table.changed_since(0)
        assert (len(rows), since, table.stores, len(table), table.capacity) == (2, 2, 2, 2, 4)
        writer.store(b"NQH4", (5, 6))
        rows, since = table.changed_since(since)
        assert (rows.tolist(), since) == ([(b"NQH4", 5, 6)], 3)
        assert array.tolist()[1] == (b"NQH4", 3, 4), "an array does not change"
        with pytest.raises(ValueError):
            writer.store(b"a key of more than 16 bytes", (1, 2))
        with pytest.raises(ValueError):
            writer.store(b"new", (1, 2, 3))
        assert len(table) == 2, "what was refused added no key"
        for name in (b"A", b"B"):
            writer.store(name, (0, 0))
        with pytest.raises(feed_ring.TableFull, match="room for 4 keys"):
            writer.store(b"C", (0, 0))
        assert writer.readers() == 1 and table.writer_is_alive()
    assert os.listdir(root) == []


def test_keys_of_fields_and_values_without(root):
    key = [("venue", "u2"), ("bid", "u2")]
    with feed_ring.make_table("levels", key, QUOTE, root=root, key_name="Key") as writer:
        for number in range(200):
            writer.store((number, 1), (number, -number))
        table = feed_ring.open_table("levels", root=root)
        assert table.to_array().dtype.names == ("venue", "key.bid", "bid", "ask")
        assert table.to_dict()[(7, 1)].item() == (7, -7) and table.get((199, 1))["bid"] == 199
        assert len(table.to_array()) == 200
    with feed_ring.make_table("counts", "u4", "f8", root=root) as writer:
        writer.store(7, 1.5)
        table = feed_ring.open_table("counts", root=root)
        assert table.to_dict() == {7: 1.5} and table.get(7) == 1.5 and table.to_array().tolist() == [(7, 1.5)]
        assert table.to_array().dtype.names == ("key", "value")


def test_waiting_for_a_store(root):
    writer = feed_ring.make_table("last", "u4", "u8", root=root)
    table = feed_ring.open_table("last", root=root)
    assert not table.wait(0, 0) and not table.wait(0, 0.15)
    thread = threading.Thread(target=lambda: (time.sleep(0.2), writer.store(1, 2)))
    thread.start()
    assert table.wait(0) and table.get(1) == 2
    thread.join()
    assert table.wait(0, 0), "what was stored already"
    writer.leave()
    with pytest.raises(feed_ring.PublisherDead, match="its writer died"):
        table.wait(1)
    with feed_ring.make_table("last", "u4", "u8", root=root) as writer:
        assert writer.epoch == 2 and writer.stores == 1
    with pytest.raises(feed_ring.Closed):
        table.wait(1)
    assert table.get(1) == 2, "the last values stay"
    table.close()
    with pytest.raises(feed_ring.HandleClosed):
        table.get(1)


def test_a_wait_is_ended_by_close(root):
    with feed_ring.make_cell("book", "u8", root=root):
        cell, raised = feed_ring.open_cell("book", root=root), []

        def wait():
            try:
                cell.wait(0)
            except feed_ring.Error as error:
                raised.append(type(error))

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.2)
        cell.close()
        thread.join(10)
        assert raised == [feed_ring.HandleClosed]


def test_a_cell(root):
    book = np.dtype([("bids", "i8", (100,)), ("asks", "i8", (100,))])
    with feed_ring.make_cell("book", book, root=root, copies=4) as writer:
        cell = feed_ring.open_cell("book", root=root)
        assert cell.get() is None and cell.stores == 0 and cell.dtype == book
        levels = np.zeros(1, book)
        levels["bids"] = np.arange(100)
        assert writer.store(levels[0]) == 0 and writer.get() == levels[0]
        assert cell.get() == levels[0] and cell.stores == 1
        assert cell.wait(0) and not cell.wait(1, 0)
    with pytest.raises(feed_ring.Closed):
        cell.wait(1)
    with pytest.raises(feed_ring.InvalidOption):
        feed_ring.make_cell("book", book, root=root, copies=1)
    with pytest.raises(ValueError):
        feed_ring.open_cell(root=root)


def test_sealed(root):
    with feed_ring.make_table("last", "S8", "u8", serve=root / "last.sock") as writer:
        writer.store(b"A", 1)
        with feed_ring.open_table(path=root / "last.sock") as table:
            assert table.to_dict() == {b"A": 1}


@pytest.mark.parametrize("key", [("u4", (2,)), [("leg", "u4", (2,)), ("side", "u1")]])
def test_keys_with_arrays(root, key):
    value = (1, 2) if isinstance(key, tuple) else ((1, 2), 3)
    with feed_ring.make_table("spreads", key, "u8", root=root, capacity=4) as writer:
        writer.store(value if isinstance(key, list) else (value,), 5)
        table = feed_ring.open_table("spreads", root=root)
        assert table.to_dict() == {value: 5}
