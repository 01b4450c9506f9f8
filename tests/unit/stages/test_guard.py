"""Guard: generated captions that say what is there stay, the others are dropped with a reason; nothing else moves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from captionstew.errors import RecipeError
from captionstew.pipeline.stage import Context, Tables
from captionstew.stages.guard import Guard

Make = Callable[..., Any]
LLM = {"source": "llm", "style": "machine", "model": "m", "prompt": "flap@1"}
DOG = [{"label": "Dog", "score": 0.9}, {"label": "Bark", "score": 0.8}, {"label": "Rain", "score": 0.3}]


@pytest.fixture
def enriched(tables: Make) -> Callable[..., Tables]:
    """One clip with a dog's events and the original "A dog barks", and these generated captions."""

    def make(*texts: str, **clip: Any) -> Tables:
        rows: list[dict[str, Any]] = [{"rank": 0, "origin": 0, "place": 0, "text": "A dog barks"}]
        rows += [{"rank": 0, "origin": 0, "place": n, "text": text, **LLM} for n, text in enumerate(texts, 1)]
        made: Tables = tables([{"clip_id": "a:0", "events": DOG} | clip], rows, merged=True)
        return made

    return make


def reasons(found: Any) -> list[str]:
    return list(found.caption_drops.sort("detail")["reason"])


def test_a_faithful_caption_stays_behind_the_original(enriched: Make, run: Make) -> None:
    found = run(Guard(), enriched("A dog is barking in the rain."))
    assert found.texts == [(0, "A dog barks"), (0, "A dog is barking in the rain.")]
    assert found.captions.filter(pl.col("source") == "llm")["model"].to_list() == ["m"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I'm sorry, I cannot do that.", "refusal"),
        ("Rain is falling all the time.", "lost-event"),
        ("A dog is barking as a siren wails.", "invented-sound"),
        ("Two dogs keep barking.", "invented-count"),
        ("A dog barks.", "echo"),
    ],
)
def test_a_false_caption_is_dropped_with_its_reason_and_the_clip_keeps_its_original(
    enriched: Make, run: Make, text: str, reason: str
) -> None:
    found = run(Guard(), enriched(text))
    assert found.texts == [(0, "A dog barks")]
    assert reasons(found) == [reason]
    assert found.caption_drops["corpus"].to_list() == ["llm"]
    assert found.caption_drops["detail"][0].endswith(text)
    assert found.kept == ["a:0"]


def test_each_of_several_captions_has_its_own_verdict(enriched: Make, run: Make) -> None:
    found = run(
        Guard(), enriched("A dog keeps barking.", "A cat meows.", "The barking of a dog.", "Caption:")
    )
    assert [text for _, text in found.texts] == [
        "A dog barks",
        "A dog keeps barking.",
        "The barking of a dog.",
    ]
    assert sorted(reasons(found)) == ["empty", "lost-event"]


def test_of_generated_captions_of_a_clip_that_are_alike_the_first_stays(tables: Make, run: Make) -> None:
    texts = ["A dog keeps barking.", "The dog keeps barking.", "A dog is barking on and on."]
    clips = [{"clip_id": f"a:{n}", "events": DOG} for n in range(2)]
    rows = [
        {"rank": n, "origin": n, "place": p, "text": text, **LLM}
        for n in range(2)
        for p, text in enumerate(texts)
    ]
    made = tables(clips, rows, merged=True)
    found = run(Guard(), made)
    assert found.texts == [(n, texts[p]) for n in range(2) for p in (0, 2)]
    assert reasons(found) == ["near-duplicate"] * 2
    assert len(run(Guard(allow=("near-duplicate",)), made).texts) == 6


def test_originals_are_never_judged_nor_repaired(tables: Make, run: Make) -> None:
    texts = ["I'm sorry, but there is no speech", 'Caption: "a dog"', "", "barks barks barks"]
    rows = [{"rank": 0, "origin": 0, "place": n, "text": text} for n, text in enumerate(texts)]
    found = run(Guard(), tables([{"clip_id": "a:0"}], rows, merged=True))
    assert [text for _, text in found.texts] == texts


def test_what_can_be_repaired_is_and_only_if_asked(enriched: Make, run: Make) -> None:
    made = enriched('Caption: "A dog keeps barking"')
    assert run(Guard(), made).texts[1] == (0, "A dog keeps barking.")
    assert reasons(run(Guard(repairs=False), made)) == ["quote"]


def test_the_column_finish_tells_what_the_token_limit_cut_and_ends_here(enriched: Make, run: Make) -> None:
    made = enriched("A dog keeps barking.", "A dog is barking.")
    finish = pl.when(pl.col("place") == 1).then(pl.lit("length"))
    found = run(Guard(), replace(made, captions=made.captions.with_columns(finish=finish)))
    assert [text for _, text in found.texts] == ["A dog barks", "A dog is barking."]
    assert reasons(found) == ["cut"]
    assert "finish" not in found.captions.columns


def test_thresholds_of_the_recipe_decide(enriched: Make, run: Make) -> None:
    made = enriched("A dog is barking as a siren wails.", "Two dogs keep barking.")
    assert len(run(Guard(most_invented=1, allow=("invented-count",)), made).texts) == 3


def test_a_label_only_clip_is_judged_by_its_labels(tables: Make, run: Make) -> None:
    rows = [
        {"rank": 0, "origin": 0, "place": 0, "text": "A dog barks.", **LLM},
        {"rank": 0, "origin": 0, "place": 1, "text": "A bell rings.", **LLM},
    ]
    found = run(Guard(), tables([{"clip_id": "a:0", "events": DOG}], rows, merged=True))
    assert found.texts == [(0, "A dog barks.")]
    assert reasons(found) == ["lost-event"]


def test_the_words_that_the_rules_know_are_part_of_the_fingerprint() -> None:
    context = Context((), {})
    assert Guard().upstream(context) == Guard().upstream(context)
    assert len(Guard().upstream(context)) > 8


def test_many_clips_are_judged_in_parts_and_none_is_lost(tables: Make, run: Make) -> None:
    count = 17_000  # more than one part
    clips = [{"clip_id": f"a:{n}", "events": DOG} for n in range(count)]
    texts = ["A dog keeps barking.", "A cat meows."]
    rows = [{"rank": n, "origin": n, "place": 1, "text": texts[n % 2], **LLM} for n in reversed(range(count))]
    found = run(Guard(), tables(clips, rows, merged=True))
    assert len(found.captions) == len(found.caption_drops) == count // 2
    assert set(found.captions["rank"] % 2) == {0}


def test_a_threshold_of_similarity_wants_a_model_and_a_model_wants_audio(enriched: Make, run: Make) -> None:
    with pytest.raises(RecipeError, match="needs a model"):
        Guard(least_similarity=0.2)
    with pytest.raises(RecipeError, match="no cosine"):
        Guard(similarity="any/model", least_similarity=20)
    with pytest.raises(RecipeError, match="needs the audio"):
        run(Guard(similarity="any/model"), enriched("A dog is barking in the rain."))
