"""A finished build whose ids have every character that a name of a file or a key may not have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from captionstew.audio.codec import decode_pcm
from captionstew.audio.encode import encode
from captionstew.clip import subset
from captionstew.schema import schema
from captionstew.shards.layout import shard_path
from captionstew.shards.read import Clips
from captionstew.shards.write import write_shard

from ..shards.conftest import finish, make_row

IDS = (
    "folder:a/b.c/d", "folder:a/b/c.d", "folder:a%2Fb", "folder:a~b", "folder:büro 7/ton", "fs:1@0.5", "fs:1@30",
    "yt:AbCdEfGhIjK@30", "yt:abcdefghijk@30", "folder:" + "x" * 390,
)  # fmt: skip


def _row(number: int, clip_id: str, codec: str) -> dict[str, Any]:
    row = make_row(number)
    audio = row["audio"]
    if codec != "flac":
        pcm, rate = decode_pcm(audio["bytes"], "flac")
        audio = {"bytes": encode(pcm, rate, codec), "path": "a"}
    transcript = (None, "", "hello")[number % 3]
    return row | {
        "clip_id": clip_id, "subset": subset(clip_id), "source_id": clip_id.partition("@")[0], "codec": codec,
        "audio": audio, "transcript": transcript, "loudness": -23.45, "attribution": "Ann" if number % 2 else None,
    }  # fmt: skip


def make_build(folder: Path, codec: str = "flac", clips: int = 60) -> Path:
    """`clips` of train, in two shards, with `IDS` among them; and ten of the val split of another corpus."""
    ids = sorted([*IDS, *(f"fs:{number}" for number in range(1000, 1000 + clips - len(IDS)))])
    rows = [_row(number, clip_id, codec) for number, clip_id in enumerate(ids)]
    others = [_row(100 + number, f"yt:{number:011d}@0", codec) for number in range(10)]
    shards = []
    for corpus, split, number, count, some in (
        ("tones", "train", 0, 2, rows[: clips // 2]),
        ("tones", "train", 1, 2, rows[clips // 2 :]),
        ("beeps", "val", 0, 1, others),
    ):
        table = pa.Table.from_pylist(
            [row | {"corpus": corpus, "split": split} for row in some], schema("clip.v1").arrow()
        )
        shards.append(write_shard(folder / shard_path("audio", corpus, split, number, count), [table]))
    finish(folder, shards)
    return folder


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy clips as FLAC; not to be changed."""
    return make_build(tmp_path_factory.mktemp("interchange"))


@pytest.fixture(scope="session")
def rows(build: Path) -> dict[str, dict[str, Any]]:
    """The rows of that build by id."""
    return {row["clip_id"]: row for group in Clips(build).groups() for row in group.to_pylist()}


@pytest.fixture(name="make_build")
def make_build_fixture() -> Callable[..., Path]:
    return make_build
