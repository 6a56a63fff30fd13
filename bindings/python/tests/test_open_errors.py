"""Why a ring is not opened: a class for each cause, with the library's text."""

import errno
import os
import shutil
import socket

import pytest

import feed_ring


def refused(error, root, name="ticks", **options):
    with pytest.raises(error) as raised:
        feed_ring.subscribe(name, root=root, **options)
    assert isinstance(raised.value, feed_ring.OpenError)
    return raised.value


def test_nothing_there(root):
    error = refused(FileNotFoundError, root)
    assert isinstance(error, feed_ring.NotFound) and error.path == root / "ticks.ring"
    assert str(error) == f"{root}/ticks.ring: no such ring: start its publisher, or wait for it with an open timeout"
    assert "no such directory" in str(refused(feed_ring.NotFound, "/nowhere"))


def test_no_ring(root):
    (root / "ticks.ring").write_text("not a ring")
    assert "not a ring" in str(refused(feed_ring.NotARing, root))
    refused(feed_ring.InvalidName, root, name="../x")
    refused(feed_ring.InvalidOption, root, join=1 << 63)


def test_another_kind(root):
    with feed_ring.make_table("ticks", "u4", "u8", root=root, capacity=4):
        error = refused(feed_ring.WrongKind, root)
        assert (error.found, error.expected) == ("a table", "a ring of messages")
    with feed_ring.publish("ticks", "u8", root=root, capacity=64):
        with pytest.raises(feed_ring.WrongKind, match="a ring of messages"):
            feed_ring.open_table("ticks", root=root)


def change(root, offset, value):
    with open(root / "ticks.ring" / "segment", "r+b") as file:
        file.seek(offset)
        file.write(value.to_bytes(8, "little"))


def test_a_damaged_header_and_another_version(root):
    with feed_ring.publish("ticks", "u8", root=root, capacity=64):
        change(root, 8, 99)
        assert "ABI 99" in str(refused(feed_ring.WrongVersion, root))
        change(root, 8, 1)
        feed_ring.subscribe("ticks", root=root)
        segment = root / "ticks.ring" / "segment"
        os.truncate(segment, os.path.getsize(segment) + 4096)
        assert "the segment is damaged" in str(refused(feed_ring.Damaged, root))


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root can give files away")
def test_another_owner(root):
    with feed_ring.publish("ticks", "u8", root=root, capacity=64) as publisher:
        for path in (root / "ticks.ring", *(root / "ticks.ring").iterdir()):
            os.chown(path, 12345, -1)
        error = refused(feed_ring.WrongOwner, root)
        assert isinstance(error, PermissionError) and "owned by uid 12345" in str(error)
        feed_ring.subscribe("ticks", root=root, trust_uids=[12345])
        publisher.leave()
    shutil.rmtree(root / "ticks.ring")


def test_a_socket_that_nobody_serves(root):
    path = root / "ticks.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))
    with pytest.raises(ConnectionRefusedError) as raised:
        feed_ring.connect(path)
    assert isinstance(raised.value, feed_ring.NotServed)
    with pytest.raises(FileNotFoundError):
        feed_ring.connect(root / "nothing.sock")


def test_a_sealed_ring_that_is_full(root):
    path = root / "ticks.sock"
    with feed_ring.publish("ticks", "u8", serve=path, capacity=64, max_clients=1):
        with feed_ring.connect(path):
            with pytest.raises(feed_ring.Refused, match="refused by its publisher"):
                feed_ring.connect(path)


def test_a_ring_in_the_making(root):
    with feed_ring.publish("ticks", "u8", root=root, capacity=64):
        live = root / "ticks.ring" / "live"
        live.rename(root / "aside")
        assert "do not belong together" in str(refused(feed_ring.Unfinished, root, open_timeout=0.25))
        (root / "aside").rename(live)


def test_system_calls_that_fail(root):
    too_long = "/" + "x/" * 3000
    error = refused(OSError, too_long)
    assert isinstance(error, feed_ring.OpenFailed) and error.errno == errno.ENAMETOOLONG
    with pytest.raises(feed_ring.CreateFailed) as raised:
        feed_ring.publish("ticks", "u8", root=too_long, capacity=64)
    assert raised.value.errno == errno.ENAMETOOLONG and isinstance(raised.value, OSError)


def test_a_node_that_there_is_not(root):
    with pytest.raises(feed_ring.PlacementFailed):
        feed_ring.publish("ticks", "u8", root=root, capacity=64, numa_node=999)
    assert os.listdir(root) == []


NOBODY = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root can become another user")


@NOBODY
def test_a_ring_that_may_not_be_read(root, start):
    root.chmod(0o755)
    with feed_ring.publish("ticks", "u8", root=root, capacity=64):
        program = start("python", f"""
import os
import feed_ring
os.setuid(65534)
for timeout in (0, 0.2, 2):
    try:
        feed_ring.subscribe("ticks", root={str(root)!r}, trust_uids=[0], open_timeout=timeout)
    except PermissionError as error:
        print(type(error).__name__)
""")
        assert program.finish().split() == ["PermissionDenied"] * 3


@NOBODY
def test_files_that_cannot_be_removed(root, start):
    os.chown(root, 65534, -1)
    program = start("python", f"""
import errno, os
import feed_ring
os.setuid(65534)
publisher = feed_ring.publish("ticks", "u8", root={str(root)!r}, capacity=64)
os.chmod({str(root)!r}, 0o500)
try:
    publisher.close()
except feed_ring.CloseFailed as error:
    print(error.errno == errno.EACCES, publisher.closed)
""")
    assert program.finish().split() == ["True", "True"]


def test_every_exception_is_exported_and_an_error():
    for name in feed_ring._errors.__all__:
        assert issubclass(getattr(feed_ring, name), feed_ring.Error), name
    assert issubclass(feed_ring.TimedOut, TimeoutError)
