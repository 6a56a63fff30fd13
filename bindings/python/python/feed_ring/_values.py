"""What calls return beside arrays."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Account", "Record"]


class Account(NamedTuple):
    """What became of every message: ``first + received + lost + skipped == sequence``."""

    #: The sequence number at which the subscriber joined.
    first: int
    #: Number of messages that were returned.
    received: int
    #: Number of messages that were overwritten before they were read.
    lost: int
    #: Number of messages that ``latest`` skipped.
    skipped: int
    #: The sequence number of the next message.
    sequence: int
    #: The epoch that was reported last: 1 for a ring's first publisher; 0 if it is not known.
    epoch: int


class Record(NamedTuple):
    """A record of a ring of records."""

    #: The kind that the publisher gave it: 0 to 255.
    kind: int
    #: Its bytes, a copy.
    data: bytes
    #: Its number, counted from 0 since the ring began.
    number: int
