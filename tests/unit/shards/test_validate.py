"""Every promise of a build, kept and broken."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.errors import StewError
from captionstew.schema import schema
from captionstew.shards.layout import shard_files, shard_path
from captionstew.shards.manifest import Account, write_manifest
from captionstew.shards.validate import CHECKS, Report, validate
from captionstew.shards.write import Written, parquet_settings, write_shard, written

TRAIN = "data/audio/tones/train-00000-of-00002.parquet"


def _failures(report: Report) -> dict[str, str]:
    """The broken promises, each with all that was said of it."""
    assert report.passed == (not any(check.failures for check in report.checks))
    return {check.name: "\n".join(check.failures) for check in report.checks if not check.passed}


def _rewrite(path: Path, change: Callable[[list[dict[str, Any]]], Any], **settings: Any) -> None:
    """Write a shard's rows again, changed, by hand: the writer itself would refuse them."""
    rows = pq.ParquetFile(path).read().to_pylist()
    change(rows)
    contract = schema("clip.v1").arrow()
    table = pa.Table.from_pylist(rows, contract)
    chosen = parquet_settings(contract) | settings
    group = chosen.pop("row_group_size", 100)
    with pq.ParquetWriter(path, contract, **chosen) as writer:
        writer.write_table(table, row_group_size=group)


def _settle(build: Path, finish: Any) -> None:
    """Manifest and sidecar agree with the files as they are now."""
    finish(build, [written(path) for path in shard_files(build)])


def test_a_sound_build_keeps_every_promise(finished: Path) -> None:
    evaluation = pl.DataFrame({"source_id": ["yt:00000000260"], "start": [0.0], "end": [60.0]})
    seen: list[tuple[str, int, float]] = []
    report = validate(finished, evaluation=evaluation, progress=lambda *event: seen.append(event))
    assert _failures(report) == {}
    assert report.passed
    assert tuple(check.name for check in report.checks) == CHECKS
    assert all(check.detail for check in report.checks)
    assert (report.clips, len(seen), seen[2][:2]) == (270, 4, (TRAIN, 150))
    assert next(c for c in report.checks if c.name == "audio").detail == "270 of 270 clips decoded"


def test_a_sample_decodes_so_many_evenly(finished: Path) -> None:
    for sample in (0, 1, 10, 270, 999):
        report = validate(finished, sample=sample)
        detail = {check.name: check.detail for check in report.checks}["audio"]
        assert report.passed
        assert detail == f"{min(sample, 270)} of 270 clips decoded"


def test_a_build_may_hold_its_captions_beside(build: Path, make_table: Any, finish: Any) -> None:
    table = make_table(range(250)).select(schema("caption.v1").arrow().names)
    write_shard(build / shard_path("captions", "tones", "train", 0, 1), [table], "caption.v1")
    _settle(build, finish)
    assert _failures(validate(build)) == {}


def test_no_folder_is_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(StewError, match="there is no folder"):
        validate(tmp_path / "nothing")


def test_an_empty_folder_falls_short(tmp_path: Path) -> None:
    assert set(_failures(validate(tmp_path))) == {"manifest", "files", "accounting", "sidecar"}


def test_a_truncated_shard(build: Path) -> None:
    os.truncate(build / TRAIN, (build / TRAIN).stat().st_size // 2)
    found = _failures(validate(build))
    assert set(found) == {"manifest", "files", "sidecar"}
    assert f"{TRAIN}: " in found["files"]
    assert "bytes, " in found["files"]


def test_a_shard_of_zero_bytes_and_one_of_noise(build: Path) -> None:
    (build / TRAIN).write_bytes(b"")
    shard_files(build)[2].write_bytes(os.urandom(5_000))
    found = _failures(validate(build))
    assert found["files"].count("\n") == 3
    assert set(found) == {"manifest", "files", "sidecar"}


def test_a_flipped_byte_in_the_audio_names_the_clip(build: Path) -> None:
    path = build / TRAIN
    row = pq.ParquetFile(path).read().to_pylist()[42]
    data = bytearray(path.read_bytes())
    data[data.index(row["audio"]["bytes"]) + 300] ^= 0x10
    path.write_bytes(data)
    found = _failures(validate(build))
    assert set(found) == {"files", "audio"}
    assert found["audio"].startswith(f"{TRAIN}: yt:00000000042@30: ")
    assert found["audio"].count("\n") == 0
    assert "sha256" in found["files"]


@pytest.mark.parametrize("step", range(7))
def test_damage_anywhere_is_found_and_never_a_crash(build: Path, step: int) -> None:
    """Bytes changed all over a shard, its compressed columns, page headers and footer included."""
    path = build / TRAIN
    data = bytearray(path.read_bytes())
    for at in range(len(data) * (step + 1) // 9, len(data), 40_009):
        data[at] ^= 0xFF
    path.write_bytes(data)
    assert "files" in _failures(validate(build))


def test_a_missing_and_an_extra_shard(build: Path) -> None:
    (build / TRAIN).rename(build / "data/audio/tones/train-00002-of-00003.parquet")
    found = _failures(validate(build))
    assert "data/audio/tones/train-00002-of-00003.parquet: not in the manifest" in found["files"]
    assert f"{TRAIN}: missing" in found["files"]
    assert "covers other shards" in found["sidecar"]


def test_swapped_rows(build: Path, finish: Any) -> None:
    def swap(rows: list[dict[str, Any]]) -> None:
        rows[4], rows[5] = rows[5], rows[4]

    _rewrite(build / TRAIN, swap)
    _settle(build, finish)
    found = _failures(validate(build))
    assert found == {"ids": f"{TRAIN}: yt:00000000004@30 stands after yt:00000000005@30"}


def test_swapped_audio(build: Path, finish: Any) -> None:
    def swap(rows: list[dict[str, Any]]) -> None:
        rows[4]["audio"], rows[54]["audio"] = rows[54]["audio"], rows[4]["audio"]  # of the same length

    _rewrite(build / TRAIN, swap)
    _settle(build, finish)
    found = _failures(validate(build))
    assert set(found) == {"audio"}
    assert "yt:00000000004@30: its samples hash to" in found["audio"]
    assert "yt:00000000054@30: its samples hash to" in found["audio"]


def test_a_row_that_stands_twice(build: Path, finish: Any, make_table: Any) -> None:
    path = build / "data/audio/beeps/val-00000-of-00001.parquet"
    write_shard(path, [make_table(range(149, 160), corpus="beeps", split="val")])
    _settle(build, finish)
    found = _failures(validate(build))["ids"]
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
    build: Path, finish: Any, changes: dict[str, Any], check: str, message: str
) -> None:
    _rewrite(build / TRAIN, lambda rows: rows[9].update(changes))
    _settle(build, finish)
    assert message in _failures(validate(build))[check]


@pytest.mark.parametrize("column", ["license", "source_id"])
def test_text_that_is_no_utf8_is_damage_not_a_crash(build: Path, column: str) -> None:
    table = pq.ParquetFile(build / TRAIN).read()
    index, bad = table.column_names.index(column), pa.array([b"\xff"] * len(table)).view(pa.string())
    table = table.set_column(index, table.schema.field(index), bad)
    contract = schema("clip.v1").arrow()
    with pq.ParquetWriter(build / TRAIN, contract, **parquet_settings(contract)) as writer:
        writer.write_table(table, row_group_size=100)
    assert "row group 1 cannot be read: " in _failures(validate(build))["files"]


def test_captions_out_of_order_or_empty(build: Path, finish: Any) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[2]["captions"].reverse()
        rows[5]["captions"][0]["text"] = " "

    _rewrite(build / TRAIN, change)
    _settle(build, finish)
    found = _failures(validate(build))
    assert list(found) == ["captions"]
    assert "yt:00000000002@30: a human caption after a generated one" in found["captions"]
    assert "yt:00000000005@30: an empty caption" in found["captions"]


@pytest.mark.parametrize("license", ["CC0-1.0", "GPL-2.0+", "LicenseRef-YouTube", "MIT OR CC-BY-4.0"])
def test_licenses_that_are_well_formed(build: Path, finish: Any, license: str) -> None:
    _rewrite(build / TRAIN, lambda rows: rows[9].update(license=license))
    _settle(build, finish)
    assert _failures(validate(build)) == {}


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
def test_a_file_that_our_writer_did_not_write(build: Path, settings: Any, message: str) -> None:
    _rewrite(build / TRAIN, lambda rows: None, **settings)
    assert message in _failures(validate(build))["writer"]


def test_a_row_group_too_large_for_the_viewer(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captionstew.shards.check_shard._VIEWER_LIMIT", 10_000)
    assert "row group 0 has " in _failures(validate(build))["writer"]


def test_other_columns_and_lost_metadata(build: Path) -> None:
    table = pq.ParquetFile(build / TRAIN).read()
    pq.write_table(table.drop_columns(["tags"]), build / TRAIN)
    second = shard_files(build)[2]
    pq.write_table(pq.ParquetFile(second).read().replace_schema_metadata(None), second)
    found = _failures(validate(build))["schema"]
    assert f"{TRAIN}: columns differ from the contract: ['tags']" in found
    assert "train-00001-of-00002.parquet: metadata huggingface is not the contract's" in found


def test_a_sidecar_that_points_elsewhere(build: Path) -> None:
    path = build / "index/clips.arrow"
    data = bytearray(path.read_bytes())
    with pa.memory_map(str(path)) as source:
        offsets = pa.ipc.open_file(source).read_all()["offset"].to_numpy().tobytes()
    data[data.index(offsets) + 8 * 25] ^= 1
    path.write_bytes(data)
    message = f"{TRAIN}: the clips lie elsewhere than index/clips.arrow says"
    assert _failures(validate(build)) == {"sidecar": message}
    shutil.rmtree(build / "index")
    assert "there is no index/clips.arrow" in _failures(validate(build))["sidecar"]


def _with_manifest(build: Path, **facts: Any) -> dict[str, str]:
    manifest = json.loads((build / "manifest.json").read_text())
    (build / "manifest.json").write_text(json.dumps(manifest | facts))
    return _failures(validate(build))


def test_a_manifest_that_is_wrong(build: Path) -> None:
    good = json.loads((build / "manifest.json").read_text())
    files = [*good["files"][:2], good["files"][2] | {"rows": 7, "captions": 8, "sha256": "0" * 64}]
    found = _with_manifest(build, files=files)
    assert "sha256" in found["files"]
    assert "7 rows in the manifest, 100 there" in found["files"]
    assert "SHA256SUMS does not agree" in found["manifest"]
    totals = [good["totals"][0] | {"clips": 1}, good["totals"][1]]
    found = _with_manifest(build, files=good["files"], totals=totals)
    assert "the totals are not those of the shards" in found["manifest"]


def test_paths_of_a_manifest_are_not_trusted(build: Path) -> None:
    good = json.loads((build / "manifest.json").read_text())["files"]
    outside = good[0] | {"path": "../../etc/passwd"}
    found = _with_manifest(build, files=[*good, outside])
    assert "../../etc/passwd: not where a shard of beeps val lies" in found["manifest"]
    assert "../../etc/passwd: missing" in found["files"]


def test_a_gap_in_the_numbers(build: Path) -> None:
    good = json.loads((build / "manifest.json").read_text())["files"]
    (build / TRAIN).unlink()
    assert "audio/tones/train: shards [1] of 2" in _with_manifest(build, files=[good[0], good[2]])["manifest"]


def test_damaged_manifest_and_sums(build: Path) -> None:
    (build / "SHA256SUMS").unlink()
    assert "SHA256SUMS" in _failures(validate(build))["manifest"]
    (build / "manifest.json").write_text("{")
    found = _failures(validate(build))
    assert "manifest.json is damaged" in found["manifest"]
    assert found["files"].count("not in the manifest") == 3


@pytest.mark.parametrize(
    ("account", "message"),
    [
        (Account("tones", "peak", 10, 7, {"loud": 2}), "tones, peak: received 10, kept 7, dropped 2"),
        (Account("tones", "merge", 10, 12, {"odd": -2}), "tones, merge: received 10, kept 12, dropped -2"),
    ],
)
def test_an_account_that_does_not_balance(build: Path, account: Account, message: str) -> None:
    shards: list[Written] = [written(path) for path in shard_files(build)]
    write_manifest(build, shards, recipe="r", recipe_digest="d", accounting=[account])
    assert _failures(validate(build)) == {"accounting": message}


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
    finished: Path, source: str, start: float | None, end: float | None, found: bool
) -> None:
    kinds = {"source_id": pl.String, "start": pl.Float64, "end": pl.Float64}
    evaluation = pl.DataFrame([[source], [start], [end]], schema=kinds)
    failures = _failures(validate(finished, evaluation=evaluation, sample=0))
    assert list(failures) == (["evaluation"] if found else [])
    assert f"{TRAIN}: yt:00000000003@30: overlaps {source}" in failures.get("evaluation", "") or not found


def test_without_evaluation_clips_that_check_is_not_claimed(finished: Path) -> None:
    assert "evaluation" not in [check.name for check in validate(finished, sample=0).checks]


def test_unfinished_work_is_not_looked_at(build: Path) -> None:
    (build / "work").mkdir()
    (build / "work" / "part.parquet").write_bytes(b"unfinished")
    (build / "ledger.jsonl").write_text("{}\n")
    (build / "data/audio/tones/.train-00000-of-00002.parquet.1.part").write_bytes(b"unfinished")
    assert _failures(validate(build)) == {}


def test_a_long_list_of_failures_is_cut_with_its_length(build: Path, finish: Any) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["captions"] = [{"text": "", "source": "a", "style": "human", "language": "en"}]

    _rewrite(build / TRAIN, spoil)
    _settle(build, finish)
    assert len(_failures(validate(build))["captions"].splitlines()) == 150
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("captionstew.shards.findings._MOST_LISTED", 10)
        assert _failures(validate(build))["captions"].splitlines()[-1] == "and 140 more"
