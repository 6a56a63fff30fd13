"""The native half of feed_ring. Programs use what `feed_ring` exports."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, final, type_check_only

import numpy as np
import numpy.typing as npt
from typing_extensions import Self, disjoint_base

from ._values import Account

__all__ = [
    "Batches", "CellReading", "CellWriting", "Publication", "Subscription", "TableReading", "TableWriting", "dtype_of",
    "forked", "install_guard", "schema_of",
]  # fmt: skip

def dtype_of(schema: str) -> np.dtype[np.void]:
    """The dtype that a schema's text describes: exact offsets and size. ``[u8; N]`` is ``S{N}``, a number of 128 bits ``V16``."""

def schema_of(dtype: Any, message: Optional[str] = None) -> str:
    """The schema's text of messages of a dtype, under a name. Raises WrongDtype if no message can have it."""

def install_guard() -> None:
    """Keeps this process alive when somebody cuts a ring's file short: a subscriber then gets CutShort, and not SIGBUS."""

def forked() -> None: ...

@disjoint_base
class Subscription:
    def __new__(cls, options: Dict[str, Any]) -> Self: ...
    def recv(self, timeout: Optional[float] = None) -> Any:
        """Waits for the next message and returns it: a structured scalar, a Record, or an Event with ``events="yield"``.

        ``timeout`` is in seconds, ``None`` for ever; ``TimedOut``, a TimeoutError, is raised after it.
        """

    def try_recv(self) -> Any:
        """Returns the next message, or None if there is none yet."""

    def latest(self) -> Any:
        """Returns the newest message and skips those before it, or None if it was received already."""

    def recv_batch(
        self, n: Optional[int] = None, timeout: Optional[float] = None, *, out: Optional[npt.NDArray[Any]] = None
    ) -> Any:
        """Waits for messages and returns as many as there are: an array of shape ``(k,)``, 1 to ``n``; empty after ``timeout`` s.

        Give either ``n`` or ``out``, an array of the ring's dtype. The messages are copied once, from the ring into the memory
        of ``out`` or of a new array of ``n``, of which the first ``k`` are returned. No other thread may use ``out`` meanwhile.
        Of a ring of records it is a list.
        """

    def batches(self, n: int = 1024) -> Batches:
        """Iterates over batches of at most ``n`` messages, as ``recv_batch`` returns them."""

    def __iter__(self) -> Iterator[Any]: ...
    def __next__(self) -> Any: ...
    def wait_for_publisher(self, timeout: Optional[float] = None) -> bool:
        """Waits until a publisher takes the ring over, for ``timeout`` s. True if it is worth receiving again."""

    def publisher_is_alive(self) -> bool:
        """Whether a publisher lives. Asks the kernel."""

    def lag(self) -> int:
        """Number of messages that are published and not yet received. It disturbs the publisher: do not call it often."""

    @property
    def account(self) -> Account:
        """Its position, and what became of every message."""

    @property
    def capacity(self) -> int:
        """Number of slots. The ring holds the last ``capacity - 1`` messages."""

    @property
    def schema(self) -> str:
        """The schema's text in the ring's header."""

    @property
    def dtype(self) -> Optional[np.dtype[np.void]]:
        """The structured dtype of the messages: exact offsets and size. None of records."""

    @property
    def encoding(self) -> Optional[str]:
        """The name of the records' encoding, empty if nothing is known of them. None of messages."""

    @property
    def without_entry(self) -> Optional[str]:
        """Why neither the publisher nor a tool counts this subscriber. None if they do."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

    def close(self) -> None:
        """Ends the subscription. A call in which another thread waits ends with HandleClosed."""

    def _kinds(self) -> List[Tuple[int, np.dtype[np.void]]]: ...
    def _descriptor(self) -> int: ...
    def _arm(self, for_publisher: bool) -> None: ...
    def _try_recv_batch(self, n: int) -> Any: ...
    def _ended(self) -> bool: ...

@final
class Batches:
    def __iter__(self) -> Iterator[Any]: ...
    def __next__(self) -> Any: ...

@disjoint_base
class Publication:
    def __new__(cls, options: Dict[str, Any], contents: Dict[str, Any]) -> Self: ...
    def subscribers(self) -> int:
        """How many subscribers are attached now. One system call for each."""

    def close(self) -> None:
        """Ends the ring and removes its files, unless it was made with ``keep``. Closing twice is no error."""

    def leave(self) -> None:
        """Ends this publisher and leaves the ring open for the next one."""

    @property
    def published(self) -> int:
        """The number of the next message: how many were published since the ring began."""

    @property
    def epoch(self) -> int:
        """The epoch: 1 for a new ring's first publisher, and one more for each that took it over."""

    @property
    def capacity(self) -> int:
        """Number of slots. The ring holds the last ``capacity - 1`` messages."""

    @property
    def path(self) -> Optional[Path]:
        """The ring's directory, or the socket of a sealed ring."""

    @property
    def schema(self) -> str:
        """The schema's text in the ring's header."""

    @property
    def wake(self) -> str:
        """How it finds out that a subscriber sleeps: as asked for, or ``fence`` where the kernel refused."""

    @property
    def is_cut_off(self) -> bool:
        """Whether somebody cut the segment's file short, so that messages reach nobody any more."""

    @property
    def closed(self) -> bool:
        """Whether it was closed, or left."""

    def _publish(self, message: Any) -> int: ...
    def _publish_record(self, kind: int, record: Any) -> int: ...
    def _publish_batch(self, array: Any) -> Tuple[int, int]: ...
    def _longest(self) -> int: ...
    def _dtype(self) -> np.dtype[np.void]: ...

@type_check_only
class _Reading:
    def wait(self, since: int, timeout: Optional[float] = None) -> bool:
        """Waits until ``stores`` is no longer ``since``. False after ``timeout`` s. Closed, PublisherDead or Superseded is raised
        if nothing more will be stored."""

    def writer_is_alive(self) -> bool:
        """Whether the writer lives. Asks the kernel."""

    def close(self) -> None:
        """Ends the reader. A call in which another thread waits ends with HandleClosed."""

    @property
    def stores(self) -> int:
        """The number of the next store: it tells whether anything changed."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

@type_check_only
class _Writing:
    def readers(self) -> int:
        """How many readers are attached now. One system call for each."""

    def close(self) -> None:
        """Ends it and removes its files, unless it was made with ``keep``. Closing twice is no error."""

    def leave(self) -> None:
        """Ends this writer and leaves the values for the next one."""

    @property
    def stores(self) -> int:
        """The number of the next store."""

    @property
    def epoch(self) -> int:
        """The epoch: 1 for the first writer, and one more for each that took it over."""

    @property
    def path(self) -> Optional[Path]:
        """Its directory, or the socket of a sealed one."""

    @property
    def closed(self) -> bool:
        """Whether it was closed, or left."""

@disjoint_base
class TableReading(_Reading):
    def __new__(cls, options: Dict[str, Any]) -> Self: ...
    def __len__(self) -> int: ...
    @property
    def capacity(self) -> int:
        """The most keys."""

    @property
    def key_dtype(self) -> np.dtype[np.void]:
        """The structured dtype of the keys."""

    @property
    def value_dtype(self) -> np.dtype[np.void]:
        """The structured dtype of the values."""

    def _get(self, key: Any) -> Any: ...
    def _read(self, since: Optional[int] = None) -> Tuple[npt.NDArray[np.void], int]: ...

@disjoint_base
class CellReading(_Reading):
    def __new__(cls, options: Dict[str, Any]) -> Self: ...
    def get(self) -> Any:
        """The newest value, or None if nothing was stored yet."""

    @property
    def dtype(self) -> np.dtype[np.void]:
        """The structured dtype of the value."""

@disjoint_base
class TableWriting(_Writing):
    def __new__(
        cls, options: Dict[str, Any], key: Tuple[np.dtype[Any], Optional[str]], value: Tuple[np.dtype[Any], Optional[str]], copies: int
    ) -> Self: ...
    def __len__(self) -> int: ...
    def store(self, key: Any, value: Any) -> int:
        """Stores a value under a key and returns the number of the store. Both are what ``Publisher.publish`` takes.

        TableFull is raised if the key is new and every row has another one.
        """

    @property
    def capacity(self) -> int:
        """The most keys."""

@disjoint_base
class CellWriting(_Writing):
    def __new__(cls, options: Dict[str, Any], value: Tuple[np.dtype[Any], Optional[str]], copies: int) -> Self: ...
    def store(self, value: Any) -> int:
        """Stores a value, what ``Publisher.publish`` takes, and returns the number of the store."""

    def get(self) -> Any:
        """The value that was stored last, or None if none was."""
