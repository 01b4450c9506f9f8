"""Units: how the clips of a build are split into pieces of audio work."""

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from captionstew.audio.files import audio_files
from captionstew.errors import BuildError
from captionstew.pipeline.reach import reach_plan
from captionstew.pipeline.stage import Hearing
from captionstew.pipeline.unit import PLAN, Unit, run_unit
from captionstew.pipeline.units import units_of
from captionstew.stages.encode import Encode
from captionstew.stages.measure import Measure
from captionstew.stages.normalize import Normalize
from captionstew.stages.probe import Probe

STAGES = (Probe(), Normalize(), Measure(), Encode())
MEGABYTE = 1_000_000


def rows(count: int, **changes: object) -> pl.DataFrame:
    """Clips of one corpus, each a file of 10 s and 100 kB."""
    facts: dict[str, object] = {
        "clip_id": [f"c:{i:05}" for i in range(count)], "corpus": "c", "split": "train", "start": 0.0, "end": 10.0,
        "source_id": [f"c:{i:05}" for i in range(count)], "whole": False, "channel": None, "root": 0,
        "path": [f"{i:05}.wav" for i in range(count)], "offset": -1, "length": 100_000, "modified": 1,
    }  # fmt: skip
    return pl.DataFrame(facts | changes).select(PLAN)


def windows(count: int, length: int, name: str = "long") -> pl.DataFrame:
    """Ten seconds each, one after the other, of one recording."""
    starts = [10.0 * i for i in range(count)]
    return rows(count, whole=True, source_id=f"c:{name}", path=f"{name}.flac", length=length, start=starts,
                end=[start + 10 for start in starts])  # fmt: skip


def cut(
    clips: pl.DataFrame, tmp_path: Path, unit_bytes: int = MEGABYTE, root: Path | None = None
) -> list[Unit]:
    """The units of these clips."""
    hearing = Hearing(clips, STAGES, {"c": (root or tmp_path,)})
    return units_of(tmp_path / "work" / "units.parquet", hearing, tmp_path / "work" / "audio", unit_bytes)


def test_a_corpus_is_split_by_its_bytes(tmp_path: Path) -> None:
    units = cut(rows(200), tmp_path)
    assert sum(unit.count for unit in units) == 200
    assert len(units) > 12
    assert all(unit.size == 100_000 * unit.count <= 1.5 * MEGABYTE for unit in units)


def test_an_archive_is_split_by_its_members(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for i in range(120):
            samples = 0.1 * np.random.default_rng(i).standard_normal(16_000)
            soundfile.write(tmp_path / "one.wav", samples, 16_000)
            archive.add(tmp_path / "one.wav", f"clips/{i:05}.wav")
            (tmp_path / "one.wav").unlink()
    members = audio_files((tmp_path,))
    clips = rows(120).drop("path", "offset", "length", "modified", "root")
    units = cut(pl.concat([clips, members.drop("name")], how="horizontal").select(PLAN), tmp_path, 400_000)
    assert len(units) > 6
    assert max(unit.size for unit in units) <= 600_000
    done = run_unit(units[3])
    assert (done.received, done.drops) == (units[3].count, {})


def test_a_recording_of_a_day_is_split_by_its_windows(tmp_path: Path) -> None:
    units = cut(windows(6_700, length=6_700_000_000), tmp_path, 128 * MEGABYTE)
    assert sum(unit.count for unit in units) == 6_700
    assert len(units) > 30
    assert max(unit.count for unit in units) < 200


def test_windows_of_a_short_recording_stay_together(tmp_path: Path) -> None:
    units = cut(pl.concat([windows(20, 20 * MEGABYTE, f"r{i}") for i in range(5)]), tmp_path, 300 * MEGABYTE)
    assert all(unit.count % 20 == 0 for unit in units)
    assert sum(unit.size for unit in units) < 2 * 5 * 20 * MEGABYTE


def test_a_window_is_the_same_clip_whatever_unit_it_is_in(tmp_path: Path) -> None:
    samples = 0.1 * np.random.default_rng(0).standard_normal(44_100 * 65)
    path = tmp_path / "long.flac"
    soundfile.write(path, samples, 44_100)
    clips = windows(6, path.stat().st_size).with_columns(modified=pl.lit(path.stat().st_mtime_ns))
    found = []
    for unit_bytes in (MEGABYTE, 100 * MEGABYTE):
        units = cut(clips, tmp_path, unit_bytes)
        for unit in units:
            run_unit(unit)
        tables = [pl.read_parquet(unit.folder / f"{unit.name}.parquet") for unit in units]
        found.append((len(units), pl.concat(tables)["audio_sha256"].to_list()))
    assert (found[0][0], found[1][0]) == (6, 1)
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("threads", [1, 3])
def test_records_come_in_the_order_of_rows_however_files_are_shared_out(tmp_path: Path, threads: int) -> None:
    """Small files, a large one and windows of one recording among them."""
    draw = np.random.default_rng(0)
    lengths = [0.9 + 0.01 * i for i in range(40)]
    lengths[20] = 90.0  # more bytes than one thread takes at once
    for i, length in enumerate(lengths):
        soundfile.write(tmp_path / f"{i:05}.wav", 0.1 * draw.standard_normal(int(16_000 * length)), 16_000)
    soundfile.write(tmp_path / "long.flac", 0.1 * draw.standard_normal(16_000 * 65), 16_000)
    clips = pl.concat([rows(25), windows(6, 100_000), rows(40)[25:]])
    (unit,) = cut(clips, tmp_path, 100 * MEGABYTE)
    run_unit(replace(unit, threads=threads))
    table = pl.read_parquet(unit.folder / f"{unit.name}.parquet")
    assert table["clip_id"].to_list() == clips["clip_id"].to_list()
    expected = [*lengths[:25], *[10.0] * 6, *lengths[25:]]
    assert table["duration"].to_list() == pytest.approx(expected, abs=1e-3)
    assert table["offset"].is_sorted()


def test_a_build_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="does not see the build folder") as error:
        reach_plan(tmp_path / "units.parquet")
    assert error.value.where == str(tmp_path / "units.parquet")
