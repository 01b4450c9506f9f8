"""The ways to a Hub and what goes there."""

import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from captionstew.digest import file_sha256
from captionstew.fetch.patience import Patience
from captionstew.publish import hub_patience
from captionstew.publish.contents import DataFile

from .sending import KILOBYTES

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again at once, and few times."""
    quick = Patience(tries=3, first_wait=0.01, longest_wait=0.02, longest_asked=5)
    monkeypatch.setattr(hub_patience, "PATIENCE", quick)
    clock = SimpleNamespace(sleep=lambda _seconds: None)  # its own tries are a second apart
    monkeypatch.setattr("huggingface_hub.utils._http.time", clock)


@pytest.fixture(params=["xet", "lfs"])
def way(
    request: pytest.FixtureRequest, hub: "LoopbackHub", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """How contents are sent in this test."""
    hub.enter(monkeypatch, tmp_path / "hub-home", xet=request.param == "xet")
    return str(request.param)


@pytest.fixture
def shards(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., list[DataFile]]:
    """Files of the data tier that no other test and seed have: the Hub keeps each content once."""
    salt = zlib.crc32(request.node.name.encode())  # the same in each run: chunks are cut by content

    def make(seed: int, count: int = 3, changed: int = 0) -> list[DataFile]:
        files = []
        for number in range(count):
            path = f"data/audio/tones/train-{number:05d}-of-{count:05d}.parquet"
            source = tmp_path / str(seed) / str(changed) / path
            source.parent.mkdir(parents=True, exist_ok=True)
            content = bytearray(np.random.default_rng([salt, seed, number]).bytes(KILOBYTES * 1000))
            content[:changed] = bytes(changed)
            source.write_bytes(content)
            files.append(DataFile(path, source, len(content), file_sha256(source)))
        return files

    return make
