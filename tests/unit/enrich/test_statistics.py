"""The figures of a run are those of its texts, however the work was cut and ordered."""

import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.rows import EVENTS
from captionstew.enrich.attempts import Judging, Made
from captionstew.enrich.compare import compared
from captionstew.enrich.engine import Answer
from captionstew.enrich.guard import Rules
from captionstew.enrich.item import Item
from captionstew.enrich.provenance import provenance
from captionstew.enrich.statistics import Counting
from captionstew.enrich.want import Asking, weighed
from captionstew.shards.manifest import Enrichment

ASKING = Asking(weighed(["flap", "rewrite_short"]), "vicuna", "abc")
ITEM = Item("a:1", ("A dog barks at a car",), ("Dog",))
TEXTS = (
    "A dog keeps barking at a passing car.",
    "A dog barks loudly; a car drives past.",
    "As an AI I cannot.",
    None,
)


def made(number: int) -> Made:
    """What came of a clip: three texts and a failure in turn."""
    item = replace(ITEM, clip_id=f"a:{number}", captions=(f"A dog barks at a car in take {number}",))
    (want,) = replace(ASKING, captions=1).wants(item)
    text = TEXTS[number % 4]
    key = want.ask_key(0)
    answer = Answer(key, text, "stop", None, 100, 9) if text else Answer.failed(key, "HTTP 503")
    return Judging(Rules())(want, 0, answer, ("echo",) if number % 8 == 0 else ())


def about(count: int) -> pl.DataFrame:
    """The clips of so many captions."""
    return pl.DataFrame(
        {"corpus": ["a"] * count, "events": [[]] * count}, schema={"corpus": pl.String, "events": EVENTS}
    )


def counted(several: list[Made], folder: Path) -> tuple[Enrichment, ...]:
    counting = Counting(ASKING)
    for first in range(0, len(several), 7):
        counting.clips(one.want.item for one in several[first : first + 7])
        counting.add(several[first : first + 7])
    folder.mkdir()
    provenance(several, ASKING, about(len(several))).write_parquet(folder / "p.parquet")
    return counting.result(folder / "p.parquet")


def test_the_counts_are_those_of_the_answers(tmp_path: Path) -> None:
    several = [made(number) for number in range(80)]
    rows = counted(several, tmp_path / "one")
    assert [row.prompt for row in rows] == [one.prompt.label for one in ASKING.prompts]
    assert sum(row.asked for row in rows) == 80
    assert sum(row.passed for row in rows) == 40
    assert sum(row.failed for row in rows) == 20
    assert sum(row.retried for row in rows) == 10
    assert sum(row.rejected["refusal"] for row in rows) == 20
    assert sum(row.rejected["echo"] for row in rows) == 10
    assert sum(row.completion_tokens for row in rows) == 9 * 60
    assert rows[0].clips == rows[1].clips == 80


def test_words_and_vocabulary_are_counted_over_what_passed(tmp_path: Path) -> None:
    several = [one for one in map(made, range(80)) if one.want.one.prompt.name == "flap"]
    row = counted(several, tmp_path / "one")[0]
    passed = [one.text.lower().rstrip(".").replace(";", "").split() for one in several if one.verdict.kept]
    words = [word for text in passed for word in text]
    assert row.words == pytest.approx(len(words) / len(passed), abs=1e-4)
    assert row.distinct_words == len(set(words))
    assert row.distinct_1 == pytest.approx(len(set(words)) / len(words), abs=1e-4)
    assert row.sampled == len(passed)


def test_the_order_of_the_work_changes_nothing(tmp_path: Path) -> None:
    several = [made(number) for number in range(80)]
    first = counted(several, tmp_path / "one")
    random.Random(3).shuffle(several)
    assert counted(several, tmp_path / "other") == first


def test_two_ways_are_compared_on_the_clips_that_both_have(tmp_path: Path) -> None:
    better = [made(4 * number) for number in range(30)]
    worse = [replace(one, text="A siren.", verdict=replace(one.verdict, kept=False)) for one in better[:20]]
    found = compared(better, worse)
    figures = {figure.name: figure for figure in found.figures}
    assert found.clips == 20
    assert (figures["kept"].first, figures["kept"].second) == (1.0, 0.0)
    assert figures["kept"].p < 0.001
    assert figures["unsupported sounds"].second == 1.0
    same = compared(better, better)
    assert all(figure.p == 1.0 and figure.first == figure.second for figure in same.figures)
    assert compared(better, []).clips == 0
