"""Audio attached to a captions release makes the very shards of the build that the release was made from."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from captionstew.attach.order import Order, ordered
from captionstew.attach.outcome import attached, left_out, other_copies
from captionstew.attach.release import open_release
from captionstew.corpora.facts import Corpus, corpus
from captionstew.corpora.readers.folder import own
from captionstew.digest import file_sha256
from captionstew.pipeline.build import Build
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.progress import Event
from captionstew.pipeline.request import Request
from captionstew.recipe import override, recipe
from captionstew.shards.layout import inside, shard_files
from captionstew.shards.validate import validate

Places = dict[str, tuple[Path, ...]]
CaptionsOf = Callable[[Path, Path], Path]


def _build(
    pipeline: Pipeline, corpora: tuple[Corpus, ...], places: Places, out: Path, limit: int | None = None
) -> None:
    Build(Request(pipeline, out, corpora, places, limit, cluster="none")).run()


def _order(release: Path, places: Places, out: Path) -> Order:
    return ordered(open_release(str(release)), places, out, cluster="none")


def _shards(out: Path) -> dict[str, str]:
    return {inside(out, path): file_sha256(path) for path in shard_files(out)}


def _same(built: Path, places: Places, captions_of: CaptionsOf, tmp_path: Path) -> Path:
    """The folder of an attached build whose shards are those of `built`, byte for byte, and which is valid."""
    order = _order(captions_of(built, tmp_path / "captions"), places, tmp_path / "attached")
    Build(order.request).run()
    assert _shards(order.request.out) == _shards(built)
    assert [check.failures for check in validate(order.request.out).checks if not check.passed] == []
    assert len(other_copies(order.request.out, order.release)) == 0
    return order.request.out


@pytest.fixture(scope="module")
def pairs(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 81 real clips in five formats, in several shards."""
    (facts, folders), out = own(real / "pairs.jsonl"), tmp_path_factory.mktemp("pairs")
    _build(override(recipe("folder"), ["megabytes=2"]), (facts,), {"folder": tuple(folders)}, out)
    return out


def test_real_clips_in_five_formats_come_out_as_they_were_built(
    real: Path, pairs: Path, captions_of: CaptionsOf, tmp_path: Path
) -> None:
    assert len(_shards(pairs)) >= 4
    out = _same(pairs, {"folder": (real,)}, captions_of, tmp_path)
    assert left_out(out).collect().is_empty()


def test_a_real_corpus_is_found_by_the_names_in_its_annotations(
    real: Path, captions_of: CaptionsOf, tmp_path: Path
) -> None:
    places: Places = {"esc50": (real / "esc10",)}
    _build(recipe("esc50"), (corpus("esc50"),), places, tmp_path / "built", limit=30)
    _same(tmp_path / "built", places, captions_of, tmp_path)


def test_audio_that_is_not_here_is_told_by_corpus_and_by_clip(
    real: Path, pairs: Path, captions_of: CaptionsOf, tmp_path: Path
) -> None:
    order = _order(captions_of(pairs, tmp_path / "captions"), {"folder": (real / "music",)}, tmp_path / "out")
    manifest = Build(order.request).run().manifest
    (one,) = attached(manifest.accounting)
    assert (one.published, one.kept, one.missing) == (81, 4, 77)
    gone = left_out(tmp_path / "out").collect()
    assert set(gone["reason"]) == {"missing"}
    here = pl.read_parquet(shard_files(tmp_path / "out"))["clip_id"]
    every = pl.read_parquet(shard_files(pairs))["clip_id"]
    assert sorted([*gone["clip_id"], *here]) == sorted(every)


def test_an_attachment_that_was_stopped_goes_on_and_comes_out_the_same(
    real: Path, pairs: Path, captions_of: CaptionsOf, tmp_path: Path
) -> None:
    order = _order(captions_of(pairs, tmp_path / "captions"), {"folder": (real,)}, tmp_path / "out")
    request = replace(order.request, unit_bytes=2_000_000)

    def stop(event: Event) -> None:
        if event.stage == "probe..encode" and event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Build(request, stop).run()
    assert not shard_files(tmp_path / "out")
    assert Build(request).run().skipped >= 4  # release, locate and two units of audio
    assert _shards(tmp_path / "out") == _shards(pairs)
