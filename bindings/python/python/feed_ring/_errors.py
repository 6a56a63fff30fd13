"""The exceptions of feed_ring. Their texts say what was found, what was expected, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

__all__ = [
    "Error", "Event", "Ended", "Lagged", "Restarted", "RestartsUnknown", "Closed", "PublisherDead", "Superseded",
    "TimedOut", "Corrupt", "CutShort", "Busy", "Forked", "HandleClosed", "WrongDtype", "TooLong", "TableFull", "Overtaken",
    "OpenError", "CreateError", "CloseFailed", "InvalidName", "InvalidOption", "NotFound", "Unfinished", "NotARing",
    "WrongOwner", "PermissionDenied", "WrongVersion", "WrongKind", "Damaged", "NotServed", "Refused",
    "Unsealed", "PlacementFailed", "OpenFailed", "AlreadyPublished", "NoRoom", "CreateFailed",
]  # fmt: skip


class Error(Exception):
    """Every exception of this package is one."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


# What a receive returns instead of a message.


class Event(Error):
    """Something that happened to the feed. It is raised, or returned in a message's place (``events="yield"``)."""


class Lagged(Event):
    """The publisher overwrote messages before they were read. Receiving goes on behind them."""

    #: The number of lost messages.
    missed: int

    def __init__(self, text: str, missed: int) -> None:
        super().__init__(text, missed)
        self.missed = missed


class Restarted(Event):
    """A new publisher took the ring over. Rebuild what came from earlier messages."""

    #: The epoch: 1 for a ring's first publisher.
    epoch: int
    #: The sequence number of the epoch's first message.
    sequence: int

    def __init__(self, text: str, epoch: int, sequence: int) -> None:
        super().__init__(text, epoch, sequence)
        self.epoch = epoch
        self.sequence = sequence


class RestartsUnknown(Event):
    """The ring was taken over more often than it can tell where. Rebuild what came from earlier messages at ``until``."""

    #: The first sequence number whose epoch is known again.
    until: int

    def __init__(self, text: str, until: int) -> None:
        super().__init__(text, until)
        self.until = until


class Ended(Event):
    """There are no more messages for now. Every message was read."""


class Closed(Ended):
    """The publisher closed the ring."""


class PublisherDead(Ended):
    """The publisher ended without closing the ring. A new one may take it over: ``wait_for_publisher``."""


class Superseded(Ended):
    """Another ring has the name now. Subscribe to it again."""


class TimedOut(Error, TimeoutError):
    """Nothing came in time."""


# Damage, and wrong use.


class Corrupt(Error):
    """The segment holds a value that no publisher can have stored."""

    #: The word: a slot's sequence, or the ring's state.
    what: str
    #: Its value.
    found: int
    #: The sequence number that was about to be read.
    sequence: int

    def __init__(self, text: str, what: str, found: int, sequence: int) -> None:
        super().__init__(text, what, found, sequence)
        self.what = what
        self.found = found
        self.sequence = sequence


class CutShort(Error):
    """Somebody cut the segment's file short while it was mapped."""


class Busy(Error, RuntimeError):
    """Another thread, or another task, is in a call of this handle. Give each thread a handle of its own."""


class Forked(Error, RuntimeError):
    """The handle was made before a fork: its memory is not mapped in the child. Make another one there."""


class HandleClosed(Error, ValueError):
    """The handle was closed by this program."""


class WrongDtype(Error, TypeError):
    """A dtype that no message can have, or another one than the ring's."""


class TooLong(Error, ValueError):
    """A record is longer than its ring allows. Nothing was published."""


class TableFull(Error):
    """The table has no row left for another key. Nothing was stored."""


class Overtaken(Error):
    """The writer stored faster than the value could be copied."""


# Opening and making.


class OpenError(Error):
    """Nothing was opened."""

    #: The file or directory that was looked at, where there is one.
    path: Optional[Path] = None


class CreateError(Error):
    """Nothing was made, and nothing was left behind."""

    #: The file or directory that was to be made, where there is one.
    path: Optional[Path] = None


class CloseFailed(Error, OSError):
    """It is closed, but its files could not be removed."""

    #: The file or directory that is still there.
    path: Optional[Path] = None


class InvalidName(OpenError, CreateError, ValueError):
    """No ring can have this name."""


class InvalidOption(OpenError, CreateError, ValueError):
    """An option has a value that it cannot have, or stands beside one that excludes it."""


class NotFound(OpenError, FileNotFoundError):
    """There is no ring, table or cell of this name, or no such directory."""


class Unfinished(OpenError):
    """It is being made, replaced or removed."""


class NotARing(OpenError, CreateError):
    """Something else stands under this name."""


class WrongOwner(OpenError, CreateError, PermissionError):
    """It belongs to a user whom this program does not trust."""


class PermissionDenied(OpenError, PermissionError):
    """The kernel does not let this program read it."""


class WrongVersion(OpenError):
    """It was made by another version of the library, whose segments are laid out differently."""


class WrongKind(OpenError):
    """It is of another kind, such as a table where a ring was asked for."""

    #: What it is.
    found: str = ""
    #: What was asked for.
    expected: str = ""


class Damaged(OpenError):
    """Its header contradicts itself."""


class NotServed(OpenError, ConnectionRefusedError):
    """Nobody serves the socket any more."""


class Refused(OpenError, PermissionError):
    """The publisher refused to hand over its sealed ring."""


class Unsealed(OpenError):
    """What came through the socket is no sealed ring."""


class PlacementFailed(OpenError, CreateError):
    """Its memory could not be placed as asked for."""


class OpenFailed(OpenError, OSError):
    """A system call failed. ``errno`` says how."""


class AlreadyPublished(CreateError, FileExistsError):
    """Another publisher has the name."""


class NoRoom(CreateError, OSError):
    """There is too little memory, or room for files."""


class CreateFailed(CreateError, OSError):
    """A system call failed. ``errno`` says how."""
