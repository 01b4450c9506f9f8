"""Shards of the codec for speed are builds like any other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from captionstew.audio.codec import decode_pcm
from captionstew.audio.encode import encode
from captionstew.schema import schema
from captionstew.shards.layout import shard_path
from captionstew.shards.read import Clips
from captionstew.shards.sidecar import write_sidecar
from captionstew.shards.validate import validate
from captionstew.shards.write import write_shard


def _coded(row: dict[str, Any], damage: int = 0) -> dict[str, Any]:
    pcm, rate = decode_pcm(row["audio"]["bytes"], "flac")
    data = bytearray(encode(pcm, rate, "pcm-zstd"))
    data[len(data) // 2] ^= damage
    return row | {"audio": {"bytes": bytes(data), "path": "a.pcmz"}, "codec": "pcm-zstd"}


@pytest.fixture
def shard(tmp_path: Path, make_row: Callable[..., dict[str, Any]], finish: Any) -> Callable[..., Path]:
    """A build of 40 clips, the thirtieth of them damaged if asked for."""

    def make(damage: int = 0) -> Path:
        rows = [_coded(make_row(n), damage if n == 30 else 0) for n in range(40)]
        table = pa.Table.from_pylist(rows, schema("clip.v1").arrow())
        finish(tmp_path, [write_shard(tmp_path / shard_path("audio", "tones", "train", 0, 1), [table])])
        return tmp_path

    return make


def test_a_build_of_them_keeps_every_promise(shard: Any, make_row: Any, failures: Any) -> None:
    folder = shard()
    assert failures(validate(folder)) == {}
    write_sidecar(folder)
    clips = Clips(folder)
    for number in (0, 17, 39):
        pcm, rate = decode_pcm(clips.clip_bytes(number), "pcm-zstd")
        assert rate == clips.sample_rate(number)
        assert np.array_equal(pcm, decode_pcm(make_row(number)["audio"]["bytes"], "flac")[0])


def test_one_damaged_clip_among_them_is_named(shard: Any, failures: Any) -> None:
    found = failures(validate(shard(damage=1)))
    assert list(found) == ["audio"]
    assert "yt:00000000030@30: does not decode: undecodable: the bytes do not add up" in found["audio"]
    assert found["audio"].count("\n") == 0


@pytest.mark.slow
def test_datasets_reads_them_as_a_table(shard: Any) -> None:
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face datasets")
    path = str(shard() / shard_path("audio", "tones", "train", 0, 1))
    table = datasets.Dataset.from_parquet(path, cache_dir=str(Path(path).parent / "cache"))
    rows = table.cast_column("audio", datasets.Audio(decode=False))
    assert rows[7]["codec"] == "pcm-zstd"
    assert rows[7]["audio"]["bytes"][:4] == b"PCMZ"
