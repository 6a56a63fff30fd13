"""A schema as a dtype, and a dtype as a schema."""

import numpy as np
import pytest

import feed_ring

BOOK = "Book 40 8\nbid.price i32 0\nbid.size u32 4\nlevels [{price:i64@0,sizes:[u16;4]@8};2] 8\n"


def test_offsets_types_and_size_are_the_schemas():
    dtype = feed_ring.dtype_of(BOOK)
    assert dtype.itemsize == 40
    assert {name: (of.str if of.subdtype is None else of.shape, at) for name, (of, at) in dtype.fields.items()} == {
        "bid.price": ("<i4", 0), "bid.size": ("<u4", 4), "levels": ((2,), 8),
    }  # fmt: skip
    level = dtype["levels"].base
    assert (level.itemsize, level.fields["sizes"][1], level["sizes"].shape) == (16, 8, (4,))


def test_every_number_and_text():
    numbers = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "u128", "i128"]
    sizes = [1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 16, 16]
    lines, at = [], 0
    for name, size in zip(numbers, sizes):
        lines.append(f"a{name} {name} {at}\n")
        at += size
    dtype = feed_ring.dtype_of(f"All {at + 5} 1\n{''.join(lines)}text [u8;5] {at}\n")
    kinds = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8", "V16", "V16", "S5"]
    assert [dtype[name] for name in dtype.names] == [np.dtype(kind) for kind in kinds]


@pytest.mark.parametrize(
    ("dtype", "schema"),
    [
        ("u4", "u32 4 4\nvalue u32 0\n"),
        ("S16", "text 16 1\nvalue [u8;16] 0\n"),
        (("i8", (3,)), "array 24 8\nvalue [i64;3] 0\n"),
        ([("time", "u8"), ("side", "S1"), ("pad", "u1", (7,))], "Message 16 8\ntime u64 0\nside [u8;1] 8\npad [u8;7] 9\n"),
        ([("bid", [("price", "i4"), ("size", "u4")])], "Message 8 4\nbid.price i32 0\nbid.size u32 4\n"),
        ([("x", [("p", "i8"), ("q", "u8")], (3,))], "Message 48 8\nx [{p:i64@0,q:u64@8};3] 0\n"),
        ([("x", "u2", (2, 3))], "Message 12 2\nx [[u16;3];2] 0\n"),
        ([("a", "u1"), ("b", "u8")], "Message 9 1\na u8 0\nb u64 1\n"),  # packed
        ({"names": ["a", "b"], "formats": ["u4", "i4"], "offsets": [4, 0]}, "Message 8 4\nb i32 0\na u32 4\n"),
    ],
)
def test_the_schema_of_a_dtype(dtype, schema):
    assert feed_ring.schema_of(dtype) == schema
    again = feed_ring.dtype_of(schema)
    assert again.itemsize == np.dtype(dtype).itemsize
    assert feed_ring.schema_of(again, schema.split()[0]) == schema


@pytest.mark.parametrize(
    ("dtype", "said"),
    [
        ("?", 'write a number ("u1")'),
        ("O", "means nothing in another process"),
        ("U4", 'write bytes ("S8")'),
        ("M8[ns]", "a ring has no unit"),
        ("c16", "two numbers"),
        ("f2", "float16"),
        (">u8", "byte order"),
        (np.dtype([("a", "u1"), ("b", "u8")], align=True), '7 bytes of padding after field `a`, at byte 1'),
        ({"names": ["a"], "formats": ["u4"], "itemsize": 8}, "4 bytes of padding after field `a`"),
        ({"names": ["a", "b"], "formats": ["u4", "u4"], "offsets": [0, 2]}, "overlaps `a`"),
        ([("x", np.dtype([("p", "u1"), ("q", "u4")], align=True), (2,))], "3 bytes of padding after field `p`"),
        ([("a b", "u4")], "a name without spaces"),
        ([("flags", [("last", "?")])], "field `flags.last`: bool"),
    ],
)
def test_a_dtype_that_no_message_can_have_is_refused(dtype, said):
    with pytest.raises(feed_ring.WrongDtype, match=said.replace("(", r"\(").replace(")", r"\)")):
        feed_ring.schema_of(dtype)


def test_what_is_no_schema_is_refused():
    with pytest.raises(feed_ring.WrongDtype, match="line 2"):
        feed_ring.dtype_of("T 8 8\nprice i65 0\n")
    with pytest.raises(feed_ring.WrongDtype, match="one word expected"):
        feed_ring.schema_of("u4", "two words")


@pytest.mark.parametrize(
    "schema",
    [
        "T 16 8\nprice u64 0\nprice u64 8\n", "T 2147483648 1\ntext [u8;2147483648] 0\n",
        "T 2147483648 8\nprices [u64;268435456] 0\n",
    ],
)  # fmt: skip
def test_a_schema_that_numpy_has_no_dtype_for_is_refused(schema):
    with pytest.raises(feed_ring.WrongDtype, match="numpy has no dtype for messages T: "):
        feed_ring.dtype_of(schema)
