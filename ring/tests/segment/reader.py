"""Reads a ring of messages or of records as docs/segment.md says, and prints a line for each thing that happens.

reader.py DIRECTORY NUMBER [end]    from message NUMBER on; `end` stops when there is nothing more, and does not wait.
"""

import mmap
import os
import struct
import sys
import time


class Ring:
    def __init__(self, directory):
        with open(os.path.join(directory, "segment"), "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self.live = os.open(os.path.join(directory, "live"), os.O_RDONLY | os.O_NONBLOCK)
        assert self.bytes[:8] == b"FEEDRING" and self.word(8) in (1, 2, 3), "no ring of a format that is known"
        self.records = self.word(8) in (2, 3) and self.word(464) == 3
        assert self.records or self.word(8) == 1, "no ring that is read here"
        self.slots, self.size, self.capacity, self.payload = (self.word(at) for at in (384, 392, 400, 408))

    def word(self, at):
        return struct.unpack_from("=Q", self.bytes, at)[0]

    def slot(self, position):
        return self.slots + position % self.capacity * self.size

    def is_dead(self):
        try:
            return os.read(self.live, 1) == b""
        except BlockingIOError:
            return False

    def message(self, number):
        """The message, or None; and the word that was there."""
        at = self.slot(number)
        word = self.word(at)
        if word != 2 * number + 2:
            return None, word
        copy = self.bytes[at + 8 : at + 8 + self.payload]
        again = self.word(at)
        return (copy if again == word else None), again

    def record(self, position):
        """Number, kind, bytes and the next position, or None; and the word that was there. No kind: numbers up to this are lost."""
        at = self.slot(position)
        word = self.word(at)
        if self.word(8) == 3 and word == 4 * position + 4:
            until = self.word(at + 16)
            again = self.word(at)
            return ((until, None, b"", position + 1) if again == word else None), again
        if word != 4 * position + 2:
            return None, word
        head, count = self.word(at + 8), self.word(512)
        length = min(head >> 32 & 0xFFFFFF, self.payload)
        copy, position = self.bytes[at + 16 : at + min(self.size, 16 + length)], position + 1
        while len(copy) < length:
            at = self.slot(position)
            copy, position = copy + self.bytes[at + 8 : at + min(self.size, 8 + length - len(copy))], position + 1
        number = count - ((count - head) & 0xFFFFFFFF)
        again = self.word(self.slot(word // 4))
        return ((number, head >> 56, copy, position) if again == word else None), again


def read_messages(ring, number):
    """Yields messages and losses; None if there is nothing."""
    while True:
        message, word = ring.message(number)
        if message is not None:
            yield f"{number} {message.hex()}"
            number += 1
        elif word and (word - 1) // 2 > number or number < ring.word(448):
            oldest = max(ring.word(512) - (ring.capacity - 1), ring.word(448))
            yield f"lost {oldest - number}"
            number = oldest
        else:
            yield None


def read_records(ring, number):
    """The same for records, from the oldest on whose number is at least `number`."""
    position = end = ring.word(520)
    while (found := ring.record(end)[0]) is not None:
        end = found[3]
    position = max(end + 1 - ring.capacity, 0)
    while position < end and ring.word(ring.slot(position)) != 4 * position + 2:
        position += 1
    while True:
        record, word = ring.record(position)
        if record is None:
            yield None
            continue
        if record[0] > number:
            yield f"lost {record[0] - number}"
            number = record[0]
        if record[0] == number and record[1] is not None:
            yield f"{record[0]} {record[1]} {record[2].hex()}"
            number = record[0] + 1
        position = record[3]


def main(directory, number, end=None):
    ring = Ring(directory)
    epoch = ring.word(136)
    for event in (read_records if ring.records else read_messages)(ring, int(number)):
        if ring.word(136) != epoch:
            epoch = ring.word(136)
            print(f"epoch {epoch} from {ring.word(144 + epoch % 8 * 8)}", flush=True)
        if event is not None:
            print(event, flush=True)
        elif ring.word(128) != 1:
            return print({2: "closed", 3: "replaced"}[ring.word(128)])
        elif ring.is_dead() and end is None and ring.word(128) == 1:
            return print("dead")
        elif end is not None:
            return print("end")
        else:
            time.sleep(0.001)


main(*sys.argv[1:])
