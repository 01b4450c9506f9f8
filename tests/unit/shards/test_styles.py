"""Captions drawn by their style."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from captionstew.errors import StewError
from captionstew.shards.batching import Batching
from captionstew.shards.layout import shard_files, shard_path
from captionstew.shards.plan import START, Plan
from captionstew.shards.read import Clips
from captionstew.shards.shuffle import hashed
from captionstew.shards.styles import STYLES, Styles
from captionstew.shards.texts import Texts
from captionstew.shards.write import write_shard

_KINDS = {"human": None, "machine": None, "flap": "flap@0123", "rewrite_short": "rewrite_short@4567"}


def _captions(*kinds: str) -> list[dict[str, Any]]:
    """Captions of those kinds, each with its kind and its place for a text."""
    return [
        {"text": f"{kind} {place}", "source": "llm" if _KINDS[kind] else "a", "language": "en", "model": "m",
         "style": "machine" if _KINDS[kind] else kind, "prompt": _KINDS[kind]}
        for place, kind in enumerate(kinds)
    ]  # fmt: skip


@pytest.fixture
def styled(tmp_path: Path, make_table: Any, finish: Any) -> Path:
    """Clips of a human caption alone, of two and a machine's and an enriched one, of two enriched ones, of none."""
    kinds = [("human",), ("human", "human", "machine", "flap"), ("flap", "rewrite_short"), ()]
    rows = [make_table([number], captions=_captions(*kinds[number % 4])) for number in range(240)]
    table = pa.concat_tables(rows).combine_chunks()
    finish(tmp_path, [write_shard(tmp_path / shard_path("audio", "tones", "train", 0, 1), [table])])
    return tmp_path


def _drawn(folder: Path, epochs: int, weights: dict[str, float]) -> list[tuple[int, str]]:
    """What comes in so many epochs: clips with a caption each."""
    clips = Clips(folder)
    plan, texts = Plan.of(clips, _batching(weights)), Texts(clips)
    rows = []
    for items, position in plan.batches(START):
        pairs = zip(items.clips.tolist(), items.captions.tolist(), strict=True)
        rows += [(clip, texts.caption(clip, number)) for clip, number in pairs]
        if position.epoch == epochs:
            break
    return rows


def _batching(weights: dict[str, float]) -> Batching:
    return Batching(shortest=0.0, longest=1.0, seconds=10.0, squares=10.0, window=64, styles=weights)


def test_styles_come_as_often_as_their_weights_say(styled: Path) -> None:
    weights = {"human": 3.0, "machine": 1.0, "flap": 2.0}
    rows = _drawn(styled, 60, weights)
    of_four = [text.split()[0] for clip, text in rows if clip % 4 == 1]
    counts = Counter(of_four)
    assert len(of_four) == 60 * 60
    for style, weight in weights.items():  # within four standard deviations: 1 in 16,000 falls outside
        share = weight / 6
        assert abs(counts[style] - share * 3_600) < 4 * np.sqrt(3_600 * share * (1 - share)), counts


def test_captions_of_the_drawn_style_take_turns(styled: Path) -> None:
    rows = _drawn(styled, 60, {"machine": 0.0, "flap": 0.0})
    places = Counter(text for clip, text in rows if clip == 1)
    assert places == {"human 0": 30, "human 1": 30}


def test_without_a_weight_a_style_weighs_1_and_with_0_it_never_comes(styled: Path) -> None:
    rows = _drawn(styled, 20, {"flap": 0.0})
    assert {text for clip, text in rows if clip % 4 == 2} == {"rewrite_short 1"}
    assert {text.split()[0] for clip, text in rows if clip % 4 == 1} == {"human", "machine"}


def test_clips_that_no_weight_reaches_are_left_out_and_counted(styled: Path) -> None:
    plan = Plan.of(Clips(styled), _batching({"human": 0.0}))
    assert plan.left_out["without a caption of these styles"] == 60
    assert (plan.num_items, plan.left_out["uncaptioned"]) == (120, 60)


def test_a_style_that_no_caption_has_is_named_with_those_there_are(styled: Path) -> None:
    with pytest.raises(StewError, match="no caption has the style 'flop'") as raised:
        Plan.of(Clips(styled), _batching({"flop": 2.0}))
    assert raised.value.hint == "styles of this build: flap, human, machine, rewrite_short"


def test_weights_of_nothing_leave_nothing(styled: Path) -> None:
    with pytest.raises(StewError, match="there is no clip to read") as raised:
        Plan.of(Clips(styled), _batching(dict.fromkeys(_KINDS, 0.0)))
    assert raised.value.hint == "give more styles a weight above 0"


@pytest.mark.parametrize(
    ("weights", "captions"),
    [({"human": -1.0}, "one"), ({"human": float("nan")}, "one"), ({"human": 1.0}, "all")],
)
def test_weights_that_cannot_be_drawn_by_are_refused(weights: dict[str, float], captions: Any) -> None:
    with pytest.raises(StewError, match="cannot be drawn so"):
        Batching(styles=weights, captions=captions)


def test_the_index_is_made_again_when_the_shards_change(styled: Path, rewrite: Any, settle: Any) -> None:
    before = Styles(Clips(styled), {})
    assert sorted(os.listdir(styled / "index")) == ["clips.arrow", "styles.arrow"]
    place = (styled / STYLES).stat().st_ino
    Styles(Clips(styled), {})
    assert (styled / STYLES).stat().st_ino == place

    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["captions"][0]["style"] = "label"

    rewrite(shard_files(styled, "audio")[0], change)
    settle(styled)
    after = Styles(Clips(styled), {"label": 0.0})
    assert np.flatnonzero(before.reach() != after.reach()).tolist() == [0]


def test_a_draw_is_that_of_clips_alone_in_any_company(styled: Path) -> None:
    styles = Styles(Clips(styled), {"flap": 0.3})
    clips = np.flatnonzero(styles.reach())
    chance, turns = hashed(7, clips), clips % 5
    whole = styles.draw(clips, chance, turns)
    one_by_one = [styles.draw(clips[[n]], chance[[n]], turns[[n]])[0] for n in range(len(clips))]
    assert whole.tolist() == one_by_one
