"""Addresses of values, found from a Parquet file's own structure."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.errors import StewError
from captionstew.shards.pages import Lengths, _Column, value_spans
from captionstew.shards.thrift import ThriftError

Wrong = Callable[[Lengths], Lengths]


def _pick(path: Path, leaf: str) -> list[bytes | None]:
    data = path.read_bytes()
    return [None if at < 0 else data[at : at + size] for at, size in value_spans(path, leaf).tolist()]


def _values(nulls: float, count: int = 700) -> list[bytes | None]:
    draw = random.Random(1)
    return [None if draw.random() < nulls else draw.randbytes(draw.randrange(40)) for _ in range(count)]


@pytest.mark.parametrize("nulls", [0, 0.3, 1])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_values_are_where_pyarrow_put_them(
    tmp_path: Path, version: str, dictionary: bool, nulls: float
) -> None:
    values, path = _values(nulls), tmp_path / "a.parquet"
    table = pa.table({"before": range(700), "audio": pa.array(values, pa.binary())})
    pq.write_table(table, path, compression="none", use_dictionary=dictionary, data_page_version=version,
                   row_group_size=300, data_page_size=500, write_batch_size=20)  # fmt: skip
    assert _pick(path, "audio") == values


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_nulls_of_the_struct_and_of_its_field_are_nulls(tmp_path: Path, version: str) -> None:
    rows = [{"bytes": b"one", "path": "a"}, None, {"bytes": None, "path": "b"}, {"bytes": b"", "path": None}]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    path = tmp_path / "a.parquet"
    table = pa.table({"audio": pa.array(rows, kind)})
    pq.write_table(table, path, compression="none", data_page_version=version)
    assert _pick(path, "audio.bytes") == [b"one", None, None, b""]


def test_a_dictionary_that_overflows_into_plain_pages(tmp_path: Path) -> None:
    draw, path = random.Random(2), tmp_path / "a.parquet"
    values = [draw.randbytes(300) for _ in range(200)] + [b"again"] * 200
    pq.write_table(pa.table({"audio": values}), path, compression="none", dictionary_pagesize_limit=5_000,
                   data_page_size=1_000, write_batch_size=10)  # fmt: skip
    assert set(pq.read_metadata(path).row_group(0).column(0).encodings) >= {"PLAIN", "RLE_DICTIONARY"}
    assert _pick(path, "audio") == values


def test_headers_with_long_statistics(tmp_path: Path) -> None:
    """Without a page index pyarrow puts the least and the largest value into the page header: 3 kB here."""
    path = tmp_path / "a.parquet"
    values = [bytes([n]) * 1_500 for n in range(9)]
    pq.write_table(pa.table({"audio": values}), path, compression="none", use_dictionary=False)
    assert _pick(path, "audio") == values


def test_no_rows_no_addresses(tmp_path: Path) -> None:
    pq.write_table(pa.table({"audio": pa.array([], pa.binary())}), tmp_path / "a.parquet", compression="none")
    assert value_spans(tmp_path / "a.parquet", "audio").shape == (0, 2)


@pytest.mark.parametrize(
    ("column", "settings", "message"),
    [
        (pa.array([b"a"]), {"compression": "snappy"}, r"compressed \(SNAPPY\).*hint: write column"),
        (pa.array([[b"a"]]), {"compression": "none"}, "has no column audio"),
        (pa.array([1]), {"compression": "none"}, "does not hold one byte string a row"),
        (
            pa.array([b"a"]),
            {"compression": "none", "use_dictionary": False, "column_encoding": "DELTA_LENGTH_BYTE_ARRAY"},
            "encoding 6 does not keep",
        ),
    ],
)
def test_what_cannot_be_addressed_is_said(
    tmp_path: Path, column: pa.Array, settings: dict[str, Any], message: str
) -> None:
    pq.write_table(pa.table({"audio": column}), tmp_path / "a.parquet", **settings)
    with pytest.raises(StewError, match=message):
        value_spans(tmp_path / "a.parquet", "audio")


def test_a_list_of_sounds_is_not_one_a_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"audio": [[b"a", b"b"]]}), tmp_path / "a.parquet", compression="none")
    with pytest.raises(StewError, match="one byte string a row"):
        value_spans(tmp_path / "a.parquet", "audio.list.element")


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really PAR1")
    for path in (tmp_path / "a.parquet", tmp_path / "missing.parquet"):
        with pytest.raises(StewError, match="cannot be read"):
            value_spans(path, "audio")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_any_changed_byte_gives_addresses_inside_the_file_or_a_clear_error(
    tmp_path: Path, version: str, dictionary: bool
) -> None:
    """Every seventeenth byte of the pages, footer untouched, made another: no crash, no hang, no wild address."""
    path, values = tmp_path / "a.parquet", _values(0.2, 50)
    table = pa.table({"audio": pa.array([*values, *values], pa.binary())})
    pq.write_table(table, path, compression="none", use_dictionary=dictionary, data_page_version=version,
                   data_page_size=200, write_batch_size=10)  # fmt: skip
    good = path.read_bytes()
    chunk = pq.read_metadata(path).row_group(0).column(0)
    refused = 0
    for at in range(4, 4 + chunk.total_compressed_size, 17):
        damaged = bytearray(good)
        damaged[at] ^= (0xFF, 0x80, 0x01)[at % 3]
        path.write_bytes(damaged)
        try:
            spans = value_spans(path, "audio")
        except StewError:
            refused += 1
        else:
            assert len(spans) == 100
            assert int((spans[:, 0] + spans[:, 1]).max()) < len(good)
    assert refused > 10


def test_a_length_that_leaves_bytes_over_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"audio": [b"one", b"three"]}), path, compression="none", use_dictionary=False)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\5\0\0\0three", b"\4\0\0\0three", 1))
    with pytest.raises(StewError, match="1 bytes left over"):
        value_spans(path, "audio")


def test_a_page_that_promises_more_values_than_bytes_costs_no_memory() -> None:
    with pytest.raises(ThriftError, match="1000000000000 values in 100 bytes"):
        _Column(read=lambda _, size: bytes(size), file_size=100, level=0)._plain(0, 100, 10**12)


def test_a_footer_that_promises_a_hundred_million_rows_costs_no_memory(tmp_path: Path) -> None:
    """The number of values as pyarrow's footer spells it, replaced by a far larger one of the same length."""
    path, rows = tmp_path / "a.parquet", 1_048_600
    nulls = pa.table({"audio": pa.nulls(rows, pa.binary())})
    pq.write_table(nulls, path, compression="none", row_group_size=rows)
    assert len(value_spans(path, "audio")) == rows
    data = path.read_bytes()
    promise, lie = bytes([0xB0, 0x80, 0x80, 0x01]), bytes([0xFE, 0xFF, 0xFF, 0x7F])  # zigzag varints
    assert promise in data
    path.write_bytes(data.replace(promise, lie))
    with pytest.raises(StewError, match="134217727 values in a file of"):
        value_spans(path, "audio")


@pytest.mark.parametrize("page", ["1.0", "2.0"])
def test_known_lengths_spare_a_read_for_each_value(
    tmp_path: Path, page: Literal["1.0", "2.0"], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, draw = tmp_path / "a.parquet", np.random.default_rng(0)
    values = [draw.bytes(int(size)) if size else None for size in draw.integers(0, 900, 3_000)]
    pq.write_table(pa.table({"audio": values}), path, compression="none", use_dictionary=False, row_group_size=700,
                   data_page_size=40_000, data_page_version=page)  # fmt: skip
    reads, pread = [], os.pread

    def counted(descriptor: int, size: int, position: int) -> bytes:
        reads.append(size)
        return pread(descriptor, size, position)

    monkeypatch.setattr(os, "pread", counted)
    slowly, slow = value_spans(path, "audio"), len(reads)
    lengths = np.array([len(value or b"") for value in values])
    np.testing.assert_array_equal(value_spans(path, "audio", lengths), slowly)
    assert len(reads) - slow < slow / 10


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda lengths: lengths[:-1], "99 values are expected, not 100"),
        (lambda lengths: lengths + (np.arange(100) == 60), "do not have the lengths that were expected"),
        (lambda lengths: np.roll(lengths, 1), "do not have the lengths that were expected"),
    ],
)
def test_lengths_that_are_not_those_of_the_file_are_refused(tmp_path: Path, wrong: Wrong, said: str) -> None:
    values = [bytes(i + 1) for i in range(100)]
    pq.write_table(
        pa.table({"audio": values}), tmp_path / "a.parquet", compression="none", use_dictionary=False
    )
    lengths = wrong(np.arange(1, 101))
    with pytest.raises(StewError) as error:
        value_spans(tmp_path / "a.parquet", "audio", lengths)
    assert said in str(error.value.cause)
