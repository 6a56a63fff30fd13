"""A broadcast ring in shared memory for trading feeds: one publisher process, any number of subscriber processes.

>>> import feed_ring
>>> for batch in feed_ring.subscribe("quotes").batches(1024):
...     print(batch["price"].max())

Messages are structured numpy scalars and arrays, whose dtype comes from the ring. Programs in Rust, C and C++ use the same
rings. Losses and restarts are exceptions, or items of the iteration: see :class:`Subscriber`.
"""

import os as _os

from . import _errors, _native
from ._errors import *  # noqa: F403
from ._native import dtype_of, install_guard, schema_of
from ._publisher import Publisher, RecordPublisher, publish, publish_records
from ._subscriber import Subscriber, connect, subscribe
from ._tables import (
    CellReader, CellWriter, TableReader, TableWriter, make_cell, make_table, open_cell, open_table,
)  # fmt: skip
from ._values import Account, Record

# What is mapped is not mapped in a forked child: handles that were made before refuse to be used there.
_os.register_at_fork(after_in_child=_native.forked)

__all__ = [
    "Account", "CellReader", "CellWriter", "Publisher", "Record", "RecordPublisher", "Subscriber", "TableReader", "TableWriter", "connect", "dtype_of",
    "install_guard", "make_cell", "make_table", "open_cell", "open_table", "publish", "publish_records", "schema_of", "subscribe",
]  # fmt: skip
__all__ += _errors.__all__
