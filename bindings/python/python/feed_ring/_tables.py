"""Tables, the newest value of each key, and cells, one value: for whoever comes late."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Dict, Optional, Sequence, Tuple, Type, Union

import numpy as np
import numpy.typing as npt

from ._native import CellReading, CellWriting, TableReading, TableWriting
from ._publisher import as_dtype, end, make_options

__all__ = ["CellReader", "CellWriter", "TableReader", "TableWriter", "make_cell", "make_table", "open_cell", "open_table"]

Path = Union[str, "os.PathLike[str]"]


class TableReader(TableReading):
    """One reader of a table, made by :func:`open_table`. A value is never torn, and never older than the one before.

    A key or a value of a dtype without fields is a number or bytes; any other is a structured scalar (``numpy.void``).
    """

    def get(self, key: Any) -> Any:
        """The newest value of a key, or None if there is none. A key of several fields is a tuple."""
        return self._get(key)

    def to_dict(self) -> Dict[Any, Any]:
        """Every key that has a value, and its newest value. A key of several fields is a tuple."""
        pairs, _ = self._read()
        return dict(zip(_plain(pairs["key"], tuples=True), _plain(pairs["value"], tuples=False)))

    def to_array(self) -> npt.NDArray[np.void]:
        """Every key that has a value, and its newest value: shape ``(rows,)``, one field for each field of key and value.

        ``pandas.DataFrame(table.to_array())`` takes it. A key without fields is the field ``key``, a value without fields the
        field ``value``. If the value has a field of the same name, the key's is called ``key.NAME``.
        """
        return self._flat(self._read()[0])

    def changed_since(self, since: int) -> Tuple[npt.NDArray[np.void], int]:
        """The rows into which was stored from store ``since`` on, as ``to_array`` has them, and the number to ask for next.

        >>> rows, since = table.changed_since(0)
        >>> while table.wait(since):
        ...     rows, since = table.changed_since(since)
        """
        pairs, following = self._read(since)
        return self._flat(pairs), following

    def _flat(self, pairs: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        key: Any = self.key_dtype
        value: Any = self.value_dtype
        names, formats, offsets = [], [], []
        for name in key.names:
            own = "key" if key.names == ("value",) else name
            names.append(f"key.{own}" if own in value.names else own)
            formats.append(key.fields[name][0])
            offsets.append(key.fields[name][1])
        for name in value.names:
            names.append(name)
            formats.append(value.fields[name][0])
            offsets.append(key.itemsize + value.fields[name][1])
        flat = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": pairs.dtype.itemsize})
        return pairs.view(flat)

    def __enter__(self) -> TableReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CellReader(CellReading):
    """One reader of a cell, made by :func:`open_cell`."""

    def __enter__(self) -> CellReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TableWriter(TableWriting):
    """The one writer of a table, made by :func:`make_table`. A ``with`` ends it as it ends a publisher."""

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], _error: Optional[BaseException], _where: Optional[TracebackType]
    ) -> None:
        end(self, kind)


class CellWriter(CellWriting):
    """The one writer of a cell, made by :func:`make_cell`. A ``with`` ends it as it ends a publisher."""

    def __enter__(self) -> CellWriter:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], _error: Optional[BaseException], _where: Optional[TracebackType]
    ) -> None:
        end(self, kind)


def _plain(values: npt.NDArray[np.void], tuples: bool) -> Any:
    """Elements as a program wants them: numbers and bytes, tuples, or structured scalars."""
    if values.dtype.names == ("value",):
        values = values["value"]
        return list(map(_hashable, values.tolist())) if tuples else values.tolist()
    return list(map(_hashable, values.tolist())) if tuples else values


def _hashable(value: Any) -> Any:
    """Arrays within a key as tuples, which a dictionary takes and a writer too."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value


def open_table(
    name: str = "",
    *,
    path: Optional[Path] = None,
    root: Optional[Path] = None,
    wait: str = "block",
    open_timeout: Optional[float] = 0.0,
    trust_uids: Sequence[int] = (),
    map: str = "read-only",
    huge_pages: bool = False,
    lock_memory: bool = False,
) -> TableReader:
    """Opens the table of this name, or the sealed one that is served at ``path``. The options are those of ``subscribe``.

    The table of a keyed ring NAME is ``NAME.table``.
    """
    return TableReader(_open_options(name, path, root, wait, open_timeout, trust_uids, map, huge_pages, lock_memory))


def open_cell(
    name: str = "",
    *,
    path: Optional[Path] = None,
    root: Optional[Path] = None,
    wait: str = "block",
    open_timeout: Optional[float] = 0.0,
    trust_uids: Sequence[int] = (),
    map: str = "read-only",
    huge_pages: bool = False,
    lock_memory: bool = False,
) -> CellReader:
    """Opens the cell of this name, or the sealed one that is served at ``path``. The options are those of ``subscribe``."""
    return CellReader(_open_options(name, path, root, wait, open_timeout, trust_uids, map, huge_pages, lock_memory))


def _open_options(
    name: str,
    path: Optional[Path],
    root: Optional[Path],
    wait: str,
    open_timeout: Optional[float],
    trust_uids: Sequence[int],
    map: str,
    huge_pages: bool,
    lock_memory: bool,
) -> Dict[str, Any]:
    if (path is None) == (not name):
        raise ValueError(f"name={name!r}, path={path!r}: one of them expected")
    return dict(
        name=name, path=path, root=root, join="latest", wait=wait, open_timeout=open_timeout, hold_back=True, map=map,
        trust_uids=list(trust_uids), huge_pages=huge_pages, lock_memory=lock_memory, events="raise",
    )  # fmt: skip


def make_table(
    name: str,
    key: Any,
    value: Any,
    *,
    key_name: Optional[str] = None,
    value_name: Optional[str] = None,
    capacity: int = 4096,
    copies: int = 2,
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
) -> TableWriter:
    """Makes the table of this name, or takes over the one that an ended writer left. Further options are those of ``publish``.

    >>> with feed_ring.make_table("last", "S16", [("bid", "i8"), ("ask", "i8")]) as last:
    ...     last.store(b"ESH4", (471_525, 471_550))

    :param key: the dtype of the keys, at most 4096 bytes.
    :param value: the dtype of the values.
    :param key_name: the name of the key's type, as ``message`` of ``publish``; ``value_name`` that of the value's.
    :param capacity: the most keys, 1 to 16,777,216.
    :param copies: of each row, 2 to 64; 4 for values of more than 56 bytes that are stored without a pause.
    """
    options = make_options(
        name, capacity, mode, group, root, keep, fresh, serve, allow_uids, allow_gids, max_clients, wake, 1, huge_pages,
        numa_node, lock_memory,
    )  # fmt: skip
    return TableWriter(options, (as_dtype(key), key_name), (as_dtype(value), value_name), copies)


def make_cell(
    name: str,
    value: Any,
    *,
    value_name: Optional[str] = None,
    copies: int = 2,
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
) -> CellWriter:
    """Makes the cell of this name, or takes over the one that an ended writer left. The options are those of ``make_table``.

    >>> with feed_ring.make_cell("book", [("bids", "i8", (10,)), ("asks", "i8", (10,))]) as book:
    ...     book.store(levels[0])
    """
    options = make_options(
        name, None, mode, group, root, keep, fresh, serve, allow_uids, allow_gids, max_clients, wake, 1, huge_pages, numa_node,
        lock_memory,
    )  # fmt: skip
    return CellWriter(options, (as_dtype(value), value_name), copies)
