"""Every promise of a build, kept and broken."""

import os
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from captionstew.errors import StewError
from captionstew.schema import schema
from captionstew.shards.layout import shard_files, shard_path
from captionstew.shards.validate import CHECKS, validate
from captionstew.shards.write import write_shard

TRAIN = "data/audio/tones/train-00000-of-00002.parquet"


def test_a_sound_build_keeps_every_promise(finished: Path, failures: Any) -> None:
    evaluation = pl.DataFrame({"source_id": ["yt:00000000260"], "start": [0.0], "end": [60.0]})
    seen: list[tuple[str, int]] = []
    apart = {"recording": ("val", "test"), "speaker": ("test",)}
    report = validate(finished, evaluation=evaluation, progress=lambda *e: seen.append(e), apart=apart)
    assert failures(report) == {}
    assert report.passed
    assert tuple(check.name for check in report.checks) == CHECKS
    assert all(check.detail for check in report.checks)
    assert (report.clips, len(seen), seen[2]) == (270, 4, (TRAIN, 150))
    assert next(c for c in report.checks if c.name == "audio").detail == "270 of 270 clips decoded"


def test_a_sample_decodes_so_many_evenly(finished: Path) -> None:
    for sample in (0, 1, 10, 270, 999):
        report = validate(finished, sample=sample)
        detail = {check.name: check.detail for check in report.checks}["audio"]
        assert report.passed
        assert detail == f"{min(sample, 270)} of 270 clips decoded"


def test_a_build_may_hold_its_captions_beside(
    build: Path, make_table: Any, failures: Any, settle: Any
) -> None:
    table = make_table(range(250)).select(schema("caption.v1").arrow().names)
    write_shard(build / shard_path("captions", "tones", "train", 0, 1), [table], "caption.v1")
    settle(build)
    assert failures(validate(build)) == {}


def change(column: str, value: Any, *rows: int) -> Any:
    """A change of that column in those rows, or in all."""

    def changed(table: list[dict[str, Any]]) -> None:
        for row in rows or range(len(table)):
            table[row][column] = value

    return changed


def test_a_clip_in_another_subset_than_its_id_says(build: Path, rewrite: Any, failures: Any) -> None:
    rewrite(build / TRAIN, change("subset", "400k"))
    assert "is not '10m'" in failures(validate(build))["subset"]
    rewrite(build / TRAIN, change("subset", None))
    assert "subset" not in failures(validate(build))


@pytest.mark.parametrize(
    ("column", "value", "kind"), [("source_id", "yt:00000000255", "recording"), ("speaker", "s:5", "speaker")]
)
def test_a_training_clip_on_the_other_side_of_a_split(
    build: Path, rewrite: Any, failures: Any, column: str, value: str, kind: str
) -> None:
    rewrite(build / TRAIN, change(column, value, 3))
    rewrite(build / "data/audio/beeps/val-00000-of-00001.parquet", change(column, value, 7))
    found = failures(validate(build, apart={kind: ("val",)}))
    assert f"yt:00000000003@30: its {kind} {value} is in val too" in found["splits"]
    assert "splits" not in failures(validate(build, apart={kind: ("test",)}))
    assert "splits" not in failures(validate(build))


def test_no_folder_is_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(StewError, match="there is no folder"):
        validate(tmp_path / "nothing")


def test_an_empty_folder_falls_short(tmp_path: Path, failures: Any) -> None:
    assert set(failures(validate(tmp_path))) == {"manifest", "files", "accounting", "sidecar"}


def test_a_truncated_shard(build: Path, failures: Any) -> None:
    os.truncate(build / TRAIN, (build / TRAIN).stat().st_size // 2)
    found = failures(validate(build))
    assert set(found) == {"manifest", "files", "sidecar"}
    assert f"{TRAIN}: " in found["files"]
    assert "bytes, " in found["files"]


def test_a_shard_of_zero_bytes_and_one_of_noise(build: Path, failures: Any) -> None:
    (build / TRAIN).write_bytes(b"")
    shard_files(build)[2].write_bytes(os.urandom(5_000))
    found = failures(validate(build))
    assert found["files"].count("\n") == 3
    assert set(found) == {"manifest", "files", "sidecar"}


def test_a_flipped_byte_in_the_audio_names_the_clip(build: Path, failures: Any) -> None:
    path = build / TRAIN
    row = pq.ParquetFile(path).read().to_pylist()[42]
    data = bytearray(path.read_bytes())
    data[data.index(row["audio"]["bytes"]) + 300] ^= 0x10
    path.write_bytes(data)
    found = failures(validate(build))
    assert set(found) == {"files", "audio"}
    assert found["audio"].startswith(f"{TRAIN}: yt:00000000042@30: ")
    assert found["audio"].count("\n") == 0
    assert "sha256" in found["files"]


@pytest.mark.parametrize("step", range(7))
def test_damage_anywhere_is_found_and_never_a_crash(build: Path, step: int, failures: Any) -> None:
    """Bytes changed all over a shard, its compressed columns, page headers and footer included."""
    path = build / TRAIN
    data = bytearray(path.read_bytes())
    for at in range(len(data) * (step + 1) // 9, len(data), 40_009):
        data[at] ^= 0xFF
    path.write_bytes(data)
    assert "files" in failures(validate(build))


def test_unfinished_work_is_not_looked_at(build: Path, failures: Any) -> None:
    (build / "work").mkdir()
    (build / "work" / "part.parquet").write_bytes(b"unfinished")
    (build / "ledger.jsonl").write_text("{}\n")
    (build / "data/audio/tones/.train-00000-of-00002.parquet.1.part").write_bytes(b"unfinished")
    assert failures(validate(build)) == {}


def test_a_long_list_of_failures_is_cut_with_its_length(
    build: Path, failures: Any, rewrite: Any, settle: Any
) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["captions"] = [{"text": "", "source": "a", "style": "human", "language": "en"}]

    rewrite(build / TRAIN, spoil)
    settle(build)
    assert len(failures(validate(build))["captions"].splitlines()) == 150
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("captionstew.shards.findings._MOST_LISTED", 10)
        assert failures(validate(build))["captions"].splitlines()[-1] == "and 140 more"
