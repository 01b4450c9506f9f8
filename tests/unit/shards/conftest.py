"""Small true clips and whole build folders, made by arithmetic."""

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from captionstew.clip import subset
from captionstew.schema import schema
from captionstew.shards.findings import Report
from captionstew.shards.layout import shard_files, shard_path
from captionstew.shards.manifest import Account, write_manifest
from captionstew.shards.sidecar import write_sidecar
from captionstew.shards.validate import validate
from captionstew.shards.write import parquet_settings, write_shard, written

MakeRow = Callable[..., dict[str, Any]]
MakeTable = Callable[..., pa.Table]


@cache
def flac(number: int) -> tuple[bytes, int, str]:
    """A tone that no other number has: its FLAC bytes, its samples and their hash."""
    num_samples = 400 + 7 * (number % 50)
    pcm = (9000 * np.sin(np.arange(num_samples) * (0.02 + 0.0007 * number))).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, pcm, 16_000, format="FLAC", subtype="PCM_16")
    return file.getvalue(), num_samples, hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest()


def make_row(number: int, **changes: Any) -> dict[str, Any]:
    """A row of clip.v1 in which everything is true."""
    data, num_samples, sha256 = flac(number)
    human = {"text": f"tone {number}", "source": "tones", "style": "human", "language": "en"}
    machine = {"text": f"beep {number}", "source": "llm", "style": "machine", "model": "m", "language": "en"}
    row = {
        "clip_id": f"yt:{number:011d}@30", "corpus": "tones", "split": "train", "domain": "sound",
        "subset": subset(f"yt:{number:011d}@30"),
        "audio": {"bytes": data, "path": f"yt-{number}.flac"}, "codec": "flac", "sample_rate": 16_000,
        "num_samples": num_samples, "duration": num_samples / 16_000,
        "captions": [human, machine][: number % 3], "events": [{"label": "Beep", "score": 1.0}],
        "tags": ["tone"] * (number % 2), "license": "CC-BY-4.0" if number % 2 else "LicenseRef-Tones",
        "source_id": f"yt:{number:011d}", "start": 30.0, "end": 30.0 + num_samples / 16_000,
        "source_sample_rate": 44_100, "source_channels": 2, "source_container": "wav", "loudness": -20.0,
        "peak": -11.0, "silence": 0.0, "clipping": 0.0, "dc_offset": 0.0, "bandwidth": 800.0,
        "audio_sha256": sha256, "fingerprint": bytes([number % 256] * 8),
    }  # fmt: skip
    return row | changes


def make_table(numbers: Iterable[int], **changes: Any) -> pa.Table:
    """Those rows as a table of clip.v1."""
    rows = [make_row(number, **changes) for number in numbers]
    return pa.Table.from_pylist(rows, schema("clip.v1").arrow())


def finish(folder: Path, shards: list[Any]) -> None:
    """Manifest and sidecar of a folder, with an account that balances."""
    kept = sum(shard.rows for shard in shards)
    account = Account("tones", "duration", kept + 3, kept, {"short": 2, "long": 1})
    write_manifest(folder, shards, recipe="test", recipe_digest="0" * 16, accounting=[account])
    write_sidecar(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 270 clips in two shards of one corpus and one of another; not to be changed."""
    folder = tmp_path_factory.mktemp("build")
    shards = []
    for corpus, split, number, count, rows in (
        ("tones", "train", 0, 2, range(150)),
        ("tones", "train", 1, 2, range(150, 250)),
        ("beeps", "val", 0, 1, range(250, 270)),
    ):
        path = folder / shard_path("audio", corpus, split, number, count)
        shards.append(write_shard(path, [make_table(rows, corpus=corpus, split=split)]))
    finish(folder, shards)
    return folder


@pytest.fixture
def build(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished build that a test may damage."""
    return Path(shutil.copytree(finished, tmp_path / "build"))


@pytest.fixture(name="make_row")
def make_row_fixture() -> MakeRow:
    return make_row


@pytest.fixture(name="make_table")
def make_table_fixture() -> MakeTable:
    return make_table


@pytest.fixture(name="finish")
def finish_fixture() -> Callable[[Path, list[Any]], None]:
    return finish


@pytest.fixture
def failures() -> Callable[[Report], dict[str, str]]:
    """The broken promises of a report, each with all that was said of it."""

    def found(report: Report) -> dict[str, str]:
        assert report.passed == (not any(check.failures for check in report.checks))
        return {check.name: "\n".join(check.failures) for check in report.checks if not check.passed}

    return found


@pytest.fixture
def rewrite() -> Callable[..., None]:
    """Write a shard's rows again, changed, by hand: the writer itself would refuse them."""

    def written_anew(path: Path, change: Callable[[list[dict[str, Any]]], Any], **settings: Any) -> None:
        rows = pq.ParquetFile(path).read().to_pylist()
        change(rows)
        contract = schema("clip.v1").arrow()
        chosen = parquet_settings(contract) | settings
        group = chosen.pop("row_group_size", 100)
        with pq.ParquetWriter(path, contract, **chosen) as writer:
            writer.write_table(pa.Table.from_pylist(rows, contract), row_group_size=group)

    return written_anew


@pytest.fixture
def settle() -> Callable[[Path], None]:
    """Make manifest and sidecar agree with the files as they are now."""
    return lambda build: finish(build, [written(path) for path in shard_files(build)])


@pytest.fixture
def with_manifest(build: Path, failures: Any) -> Callable[..., dict[str, str]]:
    """What validation finds when facts of the manifest are replaced."""

    def found(**facts: Any) -> dict[str, str]:
        manifest = json.loads((build / "manifest.json").read_text())
        (build / "manifest.json").write_text(json.dumps(manifest | facts))
        result: dict[str, str] = failures(validate(build))
        return result

    return found
