"""Clean: captions that are none go, and a clip goes with its last one."""

from collections.abc import Callable
from typing import Any

import pytest

from captionstew.pipeline.stage import Tables
from captionstew.stages.clean import Clean

Make = Callable[..., Any]


@pytest.fixture
def merged(tables: Make) -> Callable[..., Tables]:
    """Clips by number, and captions as Merge leaves them: `(clip, text)` or with changes."""

    def make(count: int, *captions: tuple[Any, ...]) -> Tables:
        rows = [
            {"rank": clip, "origin": clip, "place": place, "text": text} | (more[0] if more else {})
            for place, (clip, text, *more) in enumerate(captions)
        ]
        made: Tables = tables([{"clip_id": f"a:{i}"} for i in range(count)], rows, merged=True)
        return made

    return make


MACHINE = {"style": "machine", "source": "llm"}


@pytest.mark.parametrize(
    ("stage", "text", "style", "reason"),
    [
        (Clean(), "A dog barks", "machine", None),
        (Clean(), "I'm sorry, but there is no speech.", "machine", "refusal"),
        (Clean(), "I'm sorry, but there is no speech.", "template", "refusal"),
        (Clean(), "A man says I'm sorry", "human", None),
        (Clean(), "I am sorry, a man says", "human", None),
        (Clean(), "A woman says I'm sorry while rain falls", "machine", None),
        (Clean(), "Caption: a dog barks", "machine", "residue"),
        (Clean(), "Caption: a dog barks", "human", None),
        (Clean(), "...", "human", "short"),
        (Clean(), " \u200b ", "machine", "short"),
        (Clean(), "Rain", "human", None),
        (Clean(fewest_words=2), "Rain", "human", "short"),
        (Clean(), "rain " * 300, "human", None),
        (Clean(), "rain " * 301, "human", "long"),
        (Clean(most_words=3), "a b c d", "machine", "long"),
        (Clean(), "\u72d7" * 301, "human", "long"),
        (Clean(most_words=3), "I'm sorry, but no", "machine", "refusal"),
    ],
)
def test_each_rule_has_its_reason(
    merged: Make, run: Make, stage: Clean, text: str, style: str, reason: str | None
) -> None:
    found = run(stage, merged(1, (0, text, {"style": style}), (0, "rain falls")))
    assert found.caption_drops["reason"].to_list() == ([reason] if reason else [])
    assert found.kept == ["a:0"]
    if reason:
        assert found.texts == [(0, "rain falls")]
        assert found.caption_drops["corpus"].to_list() == ["clotho"]


def test_captions_are_cleaned(merged: Make, run: Make) -> None:
    found = run(Clean(), merged(1, (0, '  "A dog &amp; a <b>cat</b>" ')))
    assert found.texts == [(0, "A dog & a cat")]


def test_captions_that_cleaning_makes_equal_stay_once_the_human_one_first(merged: Make, run: Make) -> None:
    found = run(
        Clean(),
        merged(
            1, (0, "A dog  barks", MACHINE), (0, '"A dog barks"'), (0, "A dog barks "), (0, "a dog barks")
        ),
    )
    assert found.captions.sort("place").select("place", "text", "style").rows() == [
        (1, "A dog barks", "human"),
        (3, "a dog barks", "human"),
    ]
    assert sorted(found.caption_drops.select("corpus", "reason").rows()) == [
        ("clotho", "duplicate"),
        ("llm", "duplicate"),
    ]


def test_of_equal_machine_captions_the_earlier_row_stays(merged: Make, run: Make) -> None:
    found = run(
        Clean(), merged(1, (0, "rain", MACHINE | {"origin": 7}), (0, "rain ", MACHINE | {"origin": 2}))
    )
    assert found.captions["origin"].to_list() == [2]


def test_a_caption_that_is_dropped_takes_no_other_with_it(merged: Make, run: Make) -> None:
    found = run(Clean(), merged(1, (0, "Caption: rain", {"style": "human"}), (0, "Caption:  rain", MACHINE)))
    assert found.texts == [(0, "Caption: rain")]
    assert found.caption_drops["reason"].to_list() == ["residue"]


def test_the_same_caption_on_two_clips_stays_on_both(merged: Make, run: Make) -> None:
    assert run(Clean(), merged(2, (0, "rain"), (1, "rain"))).texts == [(0, "rain"), (1, "rain")]


def test_a_clip_goes_with_its_last_caption(merged: Make, run: Make) -> None:
    found = run(Clean(), merged(3, (0, "I cannot hear it", MACHINE), (0, "..."), (1, "rain"), (2, "!")))
    assert found.kept == ["a:1"]
    assert found.dropped == [("a:0", "no-caption"), ("a:2", "no-caption")]
    assert len(found.caption_drops) == 3


def test_clips_that_never_had_a_caption_stay(merged: Make, run: Make) -> None:
    found = run(Clean(), merged(2, (0, "rain")))
    assert found.kept == ["a:0", "a:1"]
    assert run(Clean(), merged(2)).kept == ["a:0", "a:1"]


def test_the_columns_of_captions_are_those_that_came(merged: Make, run: Make) -> None:
    given = merged(1, (0, "rain"))
    assert run(Clean(), given).captions.schema == given.captions.collect_schema()


def test_the_drops_quote_the_caption(merged: Make, run: Make) -> None:
    found = run(Clean(), merged(1, (0, "Output:   rain", MACHINE), (0, "rain")))
    assert found.caption_drops["detail"].to_list() == ["Output: rain"]
