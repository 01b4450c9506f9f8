"""Thrift's compact protocol over bytes that nobody vouches for."""

import pytest

from captionstew.shards.thrift import Compact, ThriftError

# A data page header as pyarrow writes it: type 0, sizes 300 and 300, body {values 2, encodings 0, 3, 3}.
PAGE = bytes.fromhex("1500 15d804 15d804 2c 1504 1500 1506 1506 00 00")


def test_a_page_header_is_read_to_its_end() -> None:
    reader = Compact(PAGE + b"the page itself")
    assert reader.struct() == {1: 0, 2: 300, 3: 300, 5: {1: 2, 2: 0, 3: 3, 4: 3}}
    assert reader.position == len(PAGE)


def test_every_type_is_understood() -> None:
    fields = [
        b"\x11", b"\x12", b"\x13\x7f", b"\x14\x03", b"\x16\x01", b"\x17\0\0\0\0\0\0\xf0\x3f", b"\x18\x02hi",
        b"\x19\x25\x02\x04", b"\x1a\x21\x01\x00", b"\x1b\x01\x85\x01k\x02", b"\x1b\x00", b"\x05\x50\x02",
    ]  # fmt: skip
    got = Compact(b"".join(fields) + b"\0").struct()
    assert got == {1: True, 2: False, 3: 127, 4: -2, 5: -1, 6: 1.0, 7: b"hi", 8: [1, 2], 9: [1, 0],
                   10: [(b"k", 1)], 11: [], 40: 1}  # fmt: skip


@pytest.mark.parametrize("size", range(len(PAGE)))
def test_a_cut_header_is_an_error(size: int) -> None:
    with pytest.raises(ThriftError, match="ends inside"):
        Compact(PAGE[:size]).struct()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x15" + b"\xff" * 11, "more than 64 bits"),
        (b"\x18\xff\xff\xff\xff\x0f", "ends inside"),
        (b"\x19\xfc\xff\xff\xff\xff\x7f", "values announced"),
        (b"\x1b\xff\xff\xff\xff\x7f\x55", "values announced"),
        (b"\x1c" * 2000, "nested too deep"),
        (b"\x19" * 2 + b"\x19" * 2000, "nested too deep"),
        (b"\x1e\x00", "unknown type 14"),
    ],
)
def test_a_lying_header_costs_neither_memory_nor_the_stack(data: bytes, message: str) -> None:
    with pytest.raises(ThriftError, match=message):
        Compact(data).struct()
