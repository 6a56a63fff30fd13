"""Receiving: ``subscribe`` and ``connect``."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, AsyncIterator, Callable, Mapping, Optional, Sequence, Union

import numpy as np

from ._errors import Busy, Closed, WrongDtype
from ._native import Subscription
from ._values import Record

__all__ = ["Subscriber", "connect", "subscribe"]

Path = Union[str, "os.PathLike[str]"]

# How many messages or batches an `async for` takes without a break before it lets other tasks run.
_IN_A_ROW = 64


class Subscriber(Subscription):
    """One subscriber of a ring, made by :func:`subscribe` or :func:`connect`.

    A message is a ``numpy.void``, a structured scalar: ``message["price"]``. A batch is an array of shape ``(k,)`` and of
    dtype :attr:`dtype`. Of a ring of records, a message is a :class:`Record`, and a batch a list of them.

    Iterating waits for each message, until the ring is closed. What else happens to the feed is an :class:`Event`, raised
    (the default) or returned in a message's place (``events="yield"``). An event that was raised out of a ``for`` does not
    end the subscription: iterate again.

    With ``events="yield"`` a death is returned once; the next call waits for the next publisher. ``Closed`` and
    ``Superseded`` are the last items of an iteration.

    Every wait lets other threads run, and ends with what a signal's handler raises, such as KeyboardInterrupt, within 0.1 s.
    One thread uses it at a time; another gets :class:`Busy`. After a fork the child gets :class:`Forked`.
    """

    # How to wake the task that waits, from any thread.
    _wake: Optional[Callable[[], object]] = None

    @cached_property
    def kinds(self) -> Mapping[int, np.dtype[np.void]]:
        """The dtype of each kind, of a ring of records that are structs. Otherwise empty."""
        return dict(self._kinds())

    def decode(self, record: Record) -> np.void:
        """A record of a kind that :attr:`kinds` has, as a structured scalar.

        Raises KeyError for another kind, and WrongDtype for a record of another length.
        """
        dtype = self.kinds[record.kind]
        if len(record.data) != dtype.itemsize:
            text = f"kind {record.kind}: a record of {len(record.data)} bytes, {dtype.itemsize} expected"
            raise WrongDtype(text)
        return np.frombuffer(record.data, dtype)[0]  # type: ignore[no-any-return]

    async def recv_async(self) -> Any:
        """As ``recv``, for asyncio. A call that is cancelled has received nothing, so nothing is lost."""
        return await self._next(None)

    async def recv_batch_async(self, n: int = 1024) -> Any:
        """As ``recv_batch(n)``, for asyncio. A call that is cancelled has received nothing, so nothing is lost."""
        if n < 1:
            raise ValueError(f"n={n}: 1 or more expected")
        return await self._next(n)

    def batches_async(self, n: int = 1024) -> AsyncIterator[Any]:
        """``async for batch in subscriber.batches_async(n)``: as ``batches``, for asyncio."""
        if n < 1:
            raise ValueError(f"n={n}: 1 or more expected")
        return _Items(self, n)

    def __aiter__(self) -> AsyncIterator[Any]:
        return _Items(self, None)

    async def wait_for_publisher_async(self) -> None:
        """As ``wait_for_publisher``, for asyncio."""
        if not self.wait_for_publisher(0):
            await self._readable(for_publisher=True)

    async def _next(self, n: Optional[int]) -> Any:
        while True:
            item = self.try_recv() if n is None else self._try_recv_batch(n)
            if item is not None:
                return item
            await self._readable()

    async def _readable(self, for_publisher: bool = False) -> None:
        """Waits until there is something to receive. Receives nothing itself. Starts a thread, the first time."""
        if self._wake is not None:
            raise Busy("another task waits for this subscriber: give each task one of its own")
        loop = asyncio.get_running_loop()
        came: asyncio.Future[None] = loop.create_future()
        # One of its own: whoever closes the subscriber meanwhile frees the number of the other.
        descriptor = os.dup(self._descriptor())

        def wake() -> None:
            if not came.done():
                came.set_result(None)

        try:
            loop.add_reader(descriptor, wake)
            self._wake = partial(loop.call_soon_threadsafe, wake)
            self._arm(for_publisher)
            await came
        finally:
            self._wake = None
            loop.remove_reader(descriptor)
            os.close(descriptor)
        if self.closed:
            self._arm(for_publisher)  # raises HandleClosed

    def close(self) -> None:
        """Ends the subscription. A call in which another thread or a task waits ends with HandleClosed."""
        super().close()
        if wake := self._wake:
            # A loop that is closed runs no task any more.
            with suppress(RuntimeError):
                wake()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<feed_ring.Subscriber, closed>" if self.closed else f"<feed_ring.Subscriber, {self.account}>"


class _Items:
    """An asynchronous iterator over messages or batches."""

    def __init__(self, subscriber: Subscriber, n: Optional[int]) -> None:
        self._subscriber = subscriber
        self._n = n
        self._in_a_row = 0

    def __aiter__(self) -> _Items:
        return self

    async def __anext__(self) -> Any:
        if self._subscriber._ended():
            raise StopAsyncIteration
        # Before anything is received: a cancellation here loses nothing.
        self._in_a_row += 1
        if self._in_a_row >= _IN_A_ROW:
            self._in_a_row = 0
            await asyncio.sleep(0)
        try:
            return await self._subscriber._next(self._n)
        except Closed:
            raise StopAsyncIteration from None


def subscribe(
    name: str,
    *,
    root: Optional[Path] = None,
    join: Union[str, int] = "latest",
    wait: str = "block",
    open_timeout: Optional[float] = 0.0,
    events: str = "raise",
    trust_uids: Sequence[int] = (),
    hold_back: bool = True,
    map: str = "read-only",
    huge_pages: bool = False,
    lock_memory: bool = False,
) -> Subscriber:
    """Subscribes to the ring of this name, of messages or of records.

    >>> for batch in feed_ring.subscribe("quotes").batches(1024):
    ...     print(batch["price"].max())

    :param root: the directory of the ring, by default ``/dev/shm``.
    :param join: ``"latest"``, ``"oldest"``, or the sequence number of the first message wanted.
    :param wait: ``"block"`` sleeps until the publisher wakes it; ``"spin"`` and ``"yield"`` poll.
    :param open_timeout: how long to wait for the ring to appear, in seconds; ``None`` for ever.
    :param events: ``"raise"`` or ``"yield"``: see :class:`Subscriber`.
    :param trust_uids: users whose rings are opened as well; by default only your own and root's.
    :param hold_back: whether to let the publisher get ahead in a stream at full speed.
    :param map: ``"read-only"`` or ``"read-write"`` pages.
    :param huge_pages: whether to use huge pages if the publisher has put the ring on some.
    :param lock_memory: whether to lock the ring's files into memory.
    :raises OpenError: one subclass for each cause. ``NotFound`` is a FileNotFoundError too.
    """
    return Subscriber(dict(
        name=name, path=None, root=root, join=join, wait=wait, open_timeout=open_timeout, hold_back=hold_back, map=map,
        trust_uids=list(trust_uids), huge_pages=huge_pages, lock_memory=lock_memory, events=events,
    ))  # fmt: skip


def connect(
    path: Path,
    *,
    join: Union[str, int] = "latest",
    wait: str = "block",
    open_timeout: Optional[float] = 0.0,
    events: str = "raise",
    trust_uids: Sequence[int] = (),
    hold_back: bool = True,
    huge_pages: bool = False,
    lock_memory: bool = False,
) -> Subscriber:
    """Subscribes to the sealed ring that a publisher serves at a Unix socket. The options are those of :func:`subscribe`.

    A sealed ring ends with its publisher: after ``Closed`` or ``PublisherDead`` connect again.
    """
    return Subscriber(dict(
        name="", path=path, root=None, join=join, wait=wait, open_timeout=open_timeout, hold_back=hold_back, map="read-only",
        trust_uids=list(trust_uids), huge_pages=huge_pages, lock_memory=lock_memory, events=events,
    ))  # fmt: skip
