"""Promises about the layout of shards, kept and broken."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.shards.layout import shard_files
from captionstew.shards.validate import validate

TRAIN = "data/audio/tones/train-00000-of-00002.parquet"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"row_group_size": 150}, "row group 0 has 150 rows"),
        ({"row_group_size": 60}, "row group 1 has 60 rows"),
        ({"write_page_index": False}, "clip_id has no page index"),
        ({"compression": "zstd"}, "audio is ZSTD"),
        ({"use_dictionary": True}, "audio is UNCOMPRESSED, PLAIN, RLE, RLE_DICTIONARY"),
    ],
)
def test_a_file_that_our_writer_did_not_write(
    build: Path, settings: Any, message: str, failures: Any, rewrite: Any
) -> None:
    rewrite(build / TRAIN, lambda rows: None, **settings)
    assert message in failures(validate(build))["writer"]


def test_a_row_group_too_large_for_the_viewer(
    build: Path, monkeypatch: pytest.MonkeyPatch, failures: Any
) -> None:
    monkeypatch.setattr("captionstew.shards.check_shard._VIEWER_LIMIT", 10_000)
    assert "row group 0 has " in failures(validate(build))["writer"]


def test_other_columns_and_lost_metadata(build: Path, failures: Any) -> None:
    table = pq.ParquetFile(build / TRAIN).read()
    pq.write_table(table.drop_columns(["tags"]), build / TRAIN)
    second = shard_files(build)[2]
    pq.write_table(pq.ParquetFile(second).read().replace_schema_metadata(None), second)
    found = failures(validate(build))["schema"]
    assert f"{TRAIN}: columns differ from the contract: ['tags']" in found
    assert "train-00001-of-00002.parquet: metadata huggingface is not the contract's" in found


def test_a_sidecar_that_points_elsewhere(build: Path, failures: Any) -> None:
    path = build / "index/clips.arrow"
    data = bytearray(path.read_bytes())
    with pa.memory_map(str(path)) as source:
        offsets = pa.ipc.open_file(source).read_all()["offset"].to_numpy().tobytes()
    data[data.index(offsets) + 8 * 25] ^= 1
    path.write_bytes(data)
    message = f"{TRAIN}: the clips lie elsewhere than index/clips.arrow says"
    assert failures(validate(build)) == {"sidecar": message}
    shutil.rmtree(build / "index")
    assert "there is no index/clips.arrow" in failures(validate(build))["sidecar"]
