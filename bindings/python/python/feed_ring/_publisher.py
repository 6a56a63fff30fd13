"""Publishing: ``publish`` and ``publish_records``."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union

import numpy as np
import numpy.typing as npt

from ._native import CellWriting, Publication, TableWriting

__all__ = ["Publisher", "RecordPublisher", "publish", "publish_records"]

Path = Union[str, "os.PathLike[str]"]
_Self = TypeVar("_Self", bound="_Publisher")

class _Publisher(Publication):
    """What publishers of messages and of records have in common.

    At the end of a ``with`` the ring is closed. If an exception ends it, the ring is left instead, unless the exception is
    KeyboardInterrupt or SystemExit: subscribers learn that the publisher is gone, and the next one takes the ring over.
    """

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], _error: Optional[BaseException], _where: Optional[TracebackType]
    ) -> None:
        end(self, kind)

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.path}, {self.published} published"
        return f"<feed_ring.{type(self).__name__}, {state}>"


class Publisher(_Publisher):
    """The one publisher of a ring of messages, made by :func:`publish`."""

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The dtype of the messages."""
        return self._dtype()

    def publish(self, message: Any) -> int:
        """Publishes one message and returns its sequence number.

        :param message: a structured scalar (``array[0]``), a tuple in the order of the fields, or a dictionary with all
            fields. Of a ring made for a dtype without fields, a number or a text.
        """
        return self._publish(message)

    def publish_batch(self, array: npt.NDArray[Any]) -> range:
        """Publishes the messages of an array, in order and without a copy of it, and returns their sequence numbers.

        :param array: shape ``(n,)``, contiguous, with the names, types and offsets of :attr:`dtype`. No other thread may change
            it meanwhile: subscribers would receive messages of mixed bytes.
        :raises WrongDtype: if it has another dtype; ``array.astype(publisher.dtype)`` converts it.
        """
        return range(*self._publish_batch(array))


class RecordPublisher(_Publisher):
    """The one publisher of a ring of records, made by :func:`publish_records`."""

    @property
    def longest(self) -> int:
        """The longest record in bytes: a quarter of the ring, and at most 16 MiB less one."""
        return self._longest()

    def publish(self, kind: int, record: Any) -> int:
        """Publishes one record and returns its number.

        :param kind: 0 to 255; of a ring made with kinds, one of them.
        :param record: bytes, or anything with ``tobytes()``. Of a ring made with kinds, what ``Publisher.publish`` takes.
        :raises TooLong: if it is longer than :attr:`longest`. Nothing is published then.
        """
        return self._publish_record(kind, record)


def publish(
    name: str,
    dtype: Any = None,
    *,
    message: Optional[str] = None,
    schema: Optional[str] = None,
    capacity: int = 65_536,
    mode: int = 0o600,
    group: Optional[int] = None,
    root: Optional[Path] = None,
    keep: bool = False,
    fresh: bool = False,
    serve: Optional[Path] = None,
    allow_uids: Sequence[int] = (),
    allow_gids: Sequence[int] = (),
    max_clients: Optional[int] = None,
    wake: Optional[str] = None,
    ahead: int = 1,
    huge_pages: bool = False,
    numa_node: Optional[int] = None,
    lock_memory: bool = False,
) -> Publisher:
    """Makes the ring of this name, or takes over the one that an ended publisher left.

    >>> with feed_ring.publish("ticks", [("time", "u8"), ("price", "i8"), ("symbol", "S8")]) as ticks:
    ...     ticks.publish((1_723_161_255_030_314_667, 58_710_200_000_000, b"ESH4"))

    A program in Rust opens it with ``#[repr(C)] struct Message { time: u64, price: i64, symbol: [u8; 8] }``.

    :param dtype: a dtype, what numpy makes one of, or an array that has it. Numbers of 8 to 64 bits, bytes (``S8``), arrays and
        structs of them. Padding, bool, str, times and objects are refused; the exception says what to write.
    :param message: the name of the message's type, which Rust compares as well: by default ``Message``, or Rust's name of a dtype
        without fields.
    :param schema: the schema's text instead of a dtype and a name, for example of another ring: ``subscriber.schema``.
    :param capacity: number of slots, a power of two. A subscriber may fall ``capacity - 1`` messages behind.
    :param mode: who may subscribe, as a file mode: 0o600, with read bits for others.
    :param group: the group of the ring's files, as a number.
    :param root: the directory of the ring, by default ``/dev/shm``.
    :param keep: whether the files stay when the ring is closed.
    :param fresh: whether to replace a ring that could be taken over.
    :param serve: the path of a Unix socket: the ring is sealed, and :func:`connect` joins it there.
    :param allow_uids: of a sealed ring, further users that may connect; ``allow_gids`` groups, ``max_clients`` how many clients.
    :param wake: how it finds out that a subscriber sleeps: ``"membarrier"``, ``"fence"`` or ``"thread"``.
    :param ahead: how many messages ahead it brings cache lines to its core: 1 or 2.
    :param huge_pages: whether to put the ring on huge pages, on the NUMA node ``numa_node``, locked with ``lock_memory``.
    :raises CreateError: one subclass for each cause. ``AlreadyPublished`` is a FileExistsError too.
    :raises WrongDtype: if no message can have the dtype.
    """
    if dtype is not None:
        dtype = as_dtype(dtype)
    contents = dict(
        dtype=dtype, message=message, schema=schema, records=False, encoding=None, kinds=[], slot_size=64,
    )  # fmt: skip
    options = make_options(
        name, capacity, mode, group, root, keep, fresh, serve, allow_uids, allow_gids, max_clients, wake, ahead, huge_pages,
        numa_node, lock_memory,
    )  # fmt: skip
    return Publisher(options, contents)


def publish_records(
    name: str,
    *,
    encoding: Optional[str] = None,
    kinds: Optional[Mapping[int, Tuple[str, Any]]] = None,
    slot_size: int = 64,
    capacity: int = 65_536,
    mode: int = 0o600,
    group: Optional[int] = None,
    root: Optional[Path] = None,
    keep: bool = False,
    fresh: bool = False,
    serve: Optional[Path] = None,
    allow_uids: Sequence[int] = (),
    allow_gids: Sequence[int] = (),
    max_clients: Optional[int] = None,
    wake: Optional[str] = None,
    huge_pages: bool = False,
    numa_node: Optional[int] = None,
    lock_memory: bool = False,
) -> RecordPublisher:
    """Makes a ring of records: bytes of any length, each with a kind. Further options are those of :func:`publish`.

    >>> with feed_ring.publish_records("events", kinds={1: ("Trade", [("price", "i8"), ("size", "u8")])}) as events:
    ...     events.publish(1, (58_710, 14))

    :param encoding: the name of the records' encoding, for tools: ``dbn``, ``itch``, or 1 to 32 characters of ``a-z 0-9 - _``.
    :param kinds: of records that are structs, the name and the dtype of each kind.
    :param slot_size: bytes of a slot, a power of two from 64 to 4096. A record takes as many slots as it needs.
    """
    of_kinds = [(kind, of, as_dtype(dtype)) for kind, (of, dtype) in (kinds or {}).items()]
    contents = dict(
        dtype=None, message=None, schema=None, records=True, encoding=encoding, kinds=of_kinds, slot_size=slot_size,
    )  # fmt: skip
    options = make_options(
        name, capacity, mode, group, root, keep, fresh, serve, allow_uids, allow_gids, max_clients, wake, 1, huge_pages,
        numa_node, lock_memory,
    )  # fmt: skip
    return RecordPublisher(options, contents)


def end(writer: Union[Publication, TableWriting, CellWriting], kind: Optional[Type[BaseException]]) -> None:
    """Ends what a ``with`` wrote to: closed, or left if this kind of exception ends the ``with``."""
    if writer.closed:
        return
    if kind is None or issubclass(kind, (KeyboardInterrupt, SystemExit)):
        writer.close()
    else:
        writer.leave()


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """The dtype of an array, or what numpy makes of a dtype."""
    return dtype.dtype if isinstance(dtype, (np.ndarray, np.generic)) else np.dtype(dtype)


def make_options(
    name: str,
    capacity: Optional[int],
    mode: int,
    group: Optional[int],
    root: Optional[Path],
    keep: bool,
    fresh: bool,
    serve: Optional[Path],
    allow_uids: Sequence[int],
    allow_gids: Sequence[int],
    max_clients: Optional[int],
    wake: Optional[str],
    ahead: int,
    huge_pages: bool,
    numa_node: Optional[int],
    lock_memory: bool,
) -> Dict[str, Any]:
    """The options as the native half takes them."""
    return dict(
        name=name, capacity=capacity, mode=mode, group=group, root=root, keep=keep, fresh=fresh, serve=serve,
        allow_uids=list(allow_uids), allow_gids=list(allow_gids), max_clients=max_clients, wake=wake, ahead=ahead,
        huge_pages=huge_pages, numa_node=numa_node, lock_memory=lock_memory,
    )  # fmt: skip
