"""The stages that take the place of annotations and of judgement: Release and Compare."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from captionstew.attach.compare import Compare
from captionstew.attach.release import CaptionsRelease
from captionstew.attach.rows import Release
from captionstew.audio.fingerprint import fingerprint
from captionstew.corpora.facts import Corpus, corpus
from captionstew.pipeline.stage import Context, Out, Tables

from .conftest import NUM_CLIPS
from .test_release import SHARD, _rewritten

NOTHING = Tables(pl.LazyFrame(), pl.LazyFrame())
Samples = npt.NDArray[np.float32]


def _rows(folder: Path, facts: Sequence[Corpus] = (), **places: tuple[Path, ...]) -> Out:
    context = Context(tuple(facts) or (corpus("folder"),), places)
    return Release(folder=str(folder))(NOTHING, context)


def _reasons(out: Out) -> dict[str, str]:
    return dict(out.drops.select("clip_id", "reason").collect().iter_rows())


def test_rows_are_as_they_were_published(folder: Path) -> None:
    out = _rows(folder)
    clips, captions = out.tables.clips.collect(), out.tables.captions.collect()
    assert clips["clip_id"].to_list() == [f"folder:{n}.wav" for n in range(NUM_CLIPS)]
    assert clips["file"].to_list() == [f"{n}.wav" for n in range(NUM_CLIPS)]
    assert clips["whole"].to_list() == [False] * NUM_CLIPS
    told = captions.sort("rank", "place").group_by("rank", maintain_order=True).agg("text")["text"].to_list()
    assert told == [[f"Second to none {n}", f"A tune {n}"] for n in range(NUM_CLIPS)]
    assert (captions["rank"] == captions["origin"]).all()
    assert _reasons(out) == {}


def test_what_was_taken_down_or_has_no_id_to_be_used_is_a_counted_drop(folder: Path) -> None:
    pl.DataFrame({"clip_id": ["folder:1.wav", "folder:9.wav"]}).write_parquet(folder / "removed.parquet")
    table = pq.read_table(folder / SHARD)
    ids = pa.array(["folder:0.wav", "folder:1.wav", "folder:../2.wav", "folder:0.wav", "folder:4.wav"])
    _rewritten(folder, table.set_column(0, table.schema.field("clip_id"), ids))
    out = _rows(folder)
    assert out.tables.clips.collect()["clip_id"].to_list() == ["folder:0.wav", "folder:4.wav"]
    rows = out.drops.select("clip_id", "reason").collect().rows()
    assert sorted(rows) == [
        ("folder:../2.wav", "id"),
        ("folder:0.wav", "repeated"),
        ("folder:1.wav", "removed"),
    ]


def test_the_work_is_done_again_when_something_is_taken_down(folder: Path) -> None:
    context = Context((corpus("folder"),), {})
    before = Release(folder=str(folder)).upstream(context)
    assert Release(folder=str(folder)).upstream(context) == before
    pl.DataFrame({"clip_id": ["folder:1.wav"]}).write_parquet(folder / "removed.parquet")
    assert Release(folder=str(folder)).upstream(context) != before


def _heard(release: CaptionsRelease, prints: Sequence[bytes], seconds: Sequence[float]) -> pl.LazyFrame:
    """What an audio pass would say of the clips, with samples that nobody has published."""
    ids = [f"folder:{n}.wav" for n in range(NUM_CLIPS)]
    table = {
        "clip_id": ids,
        "audio_sha256": ["0" * 64] * NUM_CLIPS,
        "duration": seconds,
        "fingerprint": prints,
    }
    return pl.LazyFrame(table)


def _compared(
    release: CaptionsRelease, audio: pl.LazyFrame, access: Any = "direct", **changes: Any
) -> dict[str, str]:
    facts = corpus("folder")
    facts = replace(facts, audio=replace(facts.audio, access=access))
    context = Context((facts,), {}, audio=audio)
    rows = Release(folder=str(release.folder))(NOTHING, context)
    return _reasons(Compare(folder=str(release.folder), **changes)(rows.tables, context))


def test_samples_of_the_published_hash_stay_whatever_else_is_said(release: CaptionsRelease) -> None:
    published = pl.scan_parquet(release.folder / SHARD).select("clip_id", "audio_sha256")
    audio = published.with_columns(duration=pl.lit(99.0), fingerprint=pl.lit(b""))
    assert _compared(release, audio) == {}


@pytest.fixture
def copies(melody: Callable[..., Samples]) -> list[bytes]:
    """Fingerprints of a quieter copy of every clip but the last, which is another melody."""
    sounds = [0.5 * melody(n if n < NUM_CLIPS - 1 else 77, seconds=2.0) for n in range(NUM_CLIPS)]
    prints = [fingerprint(np.round(samples * 32767).astype(np.int16), 16_000) for samples in sounds]
    return [words.astype("<u4").tobytes() for words in prints]


def test_copies_stay_where_they_are_accepted_and_others_never(
    release: CaptionsRelease, copies: list[bytes]
) -> None:
    audio = _heard(release, copies, [2.0, 2.0, 2.2, 3.0, 2.0])
    strict = dict.fromkeys([f"folder:{n}.wav" for n in range(3)], "other-copy")
    never = {"folder:3.wav": "other-length", "folder:4.wav": "other-audio"}
    assert _compared(release, audio) == strict | never
    assert _compared(release, audio, other_audio=True) == never
    assert _compared(release, audio, access="youtube") == never
    assert _compared(release, audio, other_audio=True, seconds=0.1) == never | {
        "folder:2.wav": "other-length"
    }
