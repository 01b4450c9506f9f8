"""What Lhotse itself reads of an export: every cut valid, every sample ours."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captionstew.audio.codec import decode_pcm
from captionstew.interchange.choose import Choice
from captionstew.interchange.export import export
from captionstew.interchange.lhotse import Lhotse

lhotse = pytest.importorskip("lhotse", reason="Lhotse is not installed: pip install lhotse")


@pytest.fixture(scope="module")
def shar(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(build, tmp_path_factory.mktemp("shar"), Lhotse("tar"), shard_clips=25).out


@pytest.fixture(scope="module")
def files(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(build, tmp_path_factory.mktemp("files"), Lhotse("files"), shard_clips=25).out


def sha256(samples: Any) -> str:
    pcm = np.round(samples[0] * 32768).astype("<i2")
    return hashlib.sha256(pcm.tobytes()).hexdigest()


def check(cuts: Any, rows: dict[str, Any]) -> list[str]:
    """The ids of cuts that are valid, have our samples and say what the rows say."""
    ids = []
    for cut in cuts:
        lhotse.validate(cut, read_data=True)
        row, (supervision,) = rows[cut.id], cut.supervisions
        assert sha256(cut.load_audio()) == row["audio_sha256"]
        assert supervision.custom["caption"] == [caption["text"] for caption in row["captions"]]
        assert supervision.custom["captions"] == row["captions"]
        assert supervision.custom["events"] == row["events"]
        assert supervision.text == row["transcript"]
        assert (cut.custom["license"], cut.custom["corpus"]) == (row["license"], row["corpus"])
        assert cut.custom.get("attribution") == row["attribution"]
        assert (cut.custom["source_id"], cut.custom["source_start"]) == (row["source_id"], row["start"])
        ids.append(cut.id)
    return ids


def test_shar_gives_every_clip_sample_for_sample(shar: Path, rows: dict[str, Any]) -> None:
    found = []
    for prefix in ("beeps-val", "tones-train"):
        found += check(lhotse.CutSet.from_shar(in_dir=shar / prefix), rows)
    assert sorted(found) == sorted(rows)
    assert len(lhotse.CutSet.from_shar(in_dir=shar / "tones-train")) == 60


def test_cuts_beside_files_do_as_well(files: Path, rows: dict[str, Any]) -> None:
    found = []
    for path in sorted(files.glob("*.jsonl.gz")):
        found += check(lhotse.CutSet.from_file(path).with_recording_path_prefix(files), rows)
    assert sorted(found) == sorted(rows)


def test_the_command_of_lhotse_finds_nothing_wrong(
    shar: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    assert said(shar / "tones-train" / "cuts.000000.jsonl.gz") == ""
    assert said("--read-data", "tones-train-000001.jsonl.gz") == ""
    cut = json.loads(gzip.decompress(Path("beeps-val-000000.jsonl.gz").read_bytes()).splitlines()[0])
    broken = Path("broken.jsonl.gz")
    broken.write_bytes(gzip.compress(json.dumps({**cut, "channel": 3}).encode()))
    try:
        assert said(broken).startswith("Validation failed")
    finally:
        broken.unlink()


def said(*words: object) -> str:
    """What `lhotse validate` prints: nothing where all is well."""
    import lhotse.bin.modes.validate
    from click.testing import CliRunner

    done = CliRunner().invoke(lhotse.bin.modes.validate.cli, ["validate", *map(str, words)])
    return f"{done.output}{done.exception or ''}"


def test_opus_is_passed_on_as_it_is(make_build: Callable[..., Path], tmp_path: Path) -> None:
    build = make_build(tmp_path / "build", codec="opus", clips=12)
    export(build, tmp_path / "out", Lhotse("tar"), Choice(splits=("val",)))
    clips = {row["clip_id"]: row for row in _rows(build)}
    cuts = list(lhotse.CutSet.from_shar(in_dir=tmp_path / "out" / "beeps-val"))
    assert len(cuts) == 10
    for cut in cuts:
        assert cut.recording.sources[0].source == clips[cut.id]["audio"]["bytes"]
        ours, _ = decode_pcm(clips[cut.id]["audio"]["bytes"], "opus")
        assert np.abs(cut.load_audio()[0] - ours / 32768).max() <= 1 / 32768


def test_the_gzip_has_no_time_and_no_name(shar: Path) -> None:
    assert (shar / "beeps-val" / "cuts.000000.jsonl.gz").read_bytes()[3:8] == bytes(5)


def _rows(build: Path) -> list[dict[str, Any]]:
    from captionstew.shards.read import Clips

    return [row for group in Clips(build).groups() for row in group.to_pylist()]
