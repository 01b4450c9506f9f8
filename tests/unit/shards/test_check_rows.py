"""Promises about rows, kept and broken."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from captionstew.schema import schema
from captionstew.shards.validate import validate
from captionstew.shards.write import parquet_settings, write_shard

TRAIN = "data/audio/tones/train-00000-of-00002.parquet"


def test_swapped_rows(build: Path, failures: Any, rewrite: Any, settle: Any) -> None:
    def swap(rows: list[dict[str, Any]]) -> None:
        rows[4], rows[5] = rows[5], rows[4]

    rewrite(build / TRAIN, swap)
    settle(build)
    found = failures(validate(build))
    assert found == {"ids": f"{TRAIN}: yt:00000000004@30 stands after yt:00000000005@30"}


def test_swapped_audio(build: Path, failures: Any, rewrite: Any, settle: Any) -> None:
    def swap(rows: list[dict[str, Any]]) -> None:
        rows[4]["audio"], rows[54]["audio"] = rows[54]["audio"], rows[4]["audio"]  # of the same length

    rewrite(build / TRAIN, swap)
    settle(build)
    found = failures(validate(build))
    assert set(found) == {"audio"}
    assert "yt:00000000004@30: its samples hash to" in found["audio"]
    assert "yt:00000000054@30: its samples hash to" in found["audio"]


def test_a_row_that_stands_twice(build: Path, make_table: Any, failures: Any, settle: Any) -> None:
    path = build / "data/audio/beeps/val-00000-of-00001.parquet"
    write_shard(path, [make_table(range(149, 160), corpus="beeps", split="val")])
    settle(build)
    found = failures(validate(build))["ids"]
    assert f"{TRAIN}: yt:00000000149@30: not the only row with this id" in found
    assert "data/audio/beeps/val-00000-of-00001.parquet: yt:00000000155@30: not the only" in found
    assert len(found.splitlines()) == 22


@pytest.mark.parametrize(
    ("changes", "check", "message"),
    [
        ({"clip_id": "yt:../../x"}, "ids", "'yt:../../x' is not a safe id"),
        ({"num_samples": 5}, "audio", "decodes to (463,) samples at 16000 Hz, not 5 at 16000"),
        ({"num_samples": 5}, "durations", "s, but 5 samples at 16000 Hz"),
        ({"sample_rate": 0}, "durations", "samples at 0 Hz"),
        ({"duration": 1.0}, "durations", "1.0 s, but 463 samples"),
        ({"duration": float("nan")}, "durations", "nan s"),
        ({"audio_sha256": "0" * 64}, "audio", "not 000000000000"),
        ({"audio": {"bytes": b"noise", "path": "x"}}, "audio", "does not decode"),
        ({"audio": {"bytes": b"", "path": "x"}}, "audio", "has no audio"),
        ({"codec": "opus", "audio": {"bytes": b"noise", "path": "x"}}, "audio", "does not decode"),
        ({"license": ""}, "licenses", "'' is no SPDX expression"),
        ({"license": "unknown"}, "licenses", "'unknown' is no SPDX expression"),
        ({"license": "all rights reserved"}, "licenses", "'all rights reserved'"),
        ({"corpus": "beeps"}, "files", "rows of beeps train"),
    ],
)
def test_an_untrue_row_is_named(
    build: Path, changes: dict[str, Any], check: str, message: str, failures: Any, rewrite: Any, settle: Any
) -> None:
    rewrite(build / TRAIN, lambda rows: rows[9].update(changes))
    settle(build)
    assert message in failures(validate(build))[check]


@pytest.mark.parametrize("column", ["license", "source_id"])
def test_text_that_is_no_utf8_is_damage_not_a_crash(build: Path, column: str, failures: Any) -> None:
    table = pq.ParquetFile(build / TRAIN).read()
    index, bad = table.column_names.index(column), pa.array([b"\xff"] * len(table)).view(pa.string())
    table = table.set_column(index, table.schema.field(index), bad)
    contract = schema("clip.v1").arrow()
    with pq.ParquetWriter(build / TRAIN, contract, **parquet_settings(contract)) as writer:
        writer.write_table(table, row_group_size=100)
    assert "row group 1 cannot be read: " in failures(validate(build))["files"]


def test_captions_out_of_order_or_empty(build: Path, failures: Any, rewrite: Any, settle: Any) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[2]["captions"].reverse()
        rows[5]["captions"][0]["text"] = " "

    rewrite(build / TRAIN, change)
    settle(build)
    found = failures(validate(build))
    assert list(found) == ["captions"]
    assert "yt:00000000002@30: a human caption after a generated one" in found["captions"]
    assert "yt:00000000005@30: an empty caption" in found["captions"]


@pytest.mark.parametrize("license", ["CC0-1.0", "GPL-2.0+", "LicenseRef-YouTube", "MIT OR CC-BY-4.0"])
def test_licenses_that_are_well_formed(
    build: Path, license: str, failures: Any, rewrite: Any, settle: Any
) -> None:
    rewrite(build / TRAIN, lambda rows: rows[9].update(license=license))
    settle(build)
    assert failures(validate(build)) == {}


@pytest.mark.parametrize(
    ("source", "start", "end", "found"),
    [
        ("yt:00000000003", 29.0, 30.01, True),
        ("yt:00000000003", None, None, True),
        ("yt:00000000003", 30.01, None, True),
        ("yt:00000000003", 0.0, 30.0, False),
        ("yt:00000000003", 31.0, None, False),
        ("yt:00000000260", None, None, False),  # a clip of split val
        ("yt:99999999999", None, None, False),
    ],
)
def test_a_training_clip_that_overlaps_an_evaluation_clip(
    finished: Path, source: str, start: float | None, end: float | None, found: bool, failures: Any
) -> None:
    kinds = {"source_id": pl.String, "start": pl.Float64, "end": pl.Float64}
    evaluation = pl.DataFrame([[source], [start], [end]], schema=kinds)
    failures = failures(validate(finished, evaluation=evaluation, sample=0))
    assert list(failures) == (["evaluation"] if found else [])
    assert f"{TRAIN}: yt:00000000003@30: overlaps {source}" in failures.get("evaluation", "") or not found


def test_without_evaluation_clips_that_check_is_not_claimed(finished: Path) -> None:
    assert "evaluation" not in [check.name for check in validate(finished, sample=0).checks]


def test_lossy_audio_is_held_to_its_length_not_to_its_samples(
    build: Path, failures: Any, rewrite: Any, settle: Any
) -> None:
    """Opus never gives back the samples that were encoded, and `audio_sha256` is of those."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(1_600, np.int16), 16_000, format="OGG", subtype="OPUS")
    opus = {"codec": "opus", "audio": {"bytes": file.getvalue(), "path": "x.opus"}}

    def change(rows: list[dict[str, Any]]) -> None:
        rows[3].update(opus, num_samples=1_600, duration=0.1)
        rows[4].update(opus, num_samples=800, duration=0.05)

    rewrite(build / TRAIN, change)
    settle(build)
    found = failures(validate(build))
    assert found == {
        "audio": f"{TRAIN}: yt:00000000004@30: decodes to (1600,) samples at 16000 Hz, not 800 at 16000"
    }


def test_a_row_without_audio_never_passes(build: Path, failures: Any) -> None:
    """Whether Arrow calls the column nullable or not."""
    rows = pq.ParquetFile(build / TRAIN).read().to_pylist()
    rows[9]["audio"] = None
    contract = schema("clip.v1").arrow()
    index = contract.get_field_index("audio")
    audio = pa.field("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    loose = contract.set(index, audio).with_metadata(contract.metadata)
    with pq.ParquetWriter(build / TRAIN, loose, **parquet_settings(loose)) as writer:
        writer.write_table(pa.Table.from_pylist(rows, loose), row_group_size=100)
    found = failures(validate(build))
    assert "columns differ" in found.get("schema", "") or "yt:00000000009@30: has no audio" in found["audio"]
    assert "sidecar" in found
