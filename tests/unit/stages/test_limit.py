"""Limit: the same first clips of each corpus, and the others are counted."""

from collections.abc import Callable
from typing import Any

from captionstew.pipeline.stage import Context
from captionstew.stages.limit import Limit

Make = Callable[..., Any]


def test_each_corpus_keeps_its_first_clips_by_id_and_the_others_are_counted(tables: Make, run: Make) -> None:
    rows = [{"clip_id": f"{corpus}:{n}", "corpus": corpus} for n in (3, 1, 2) for corpus in ("a", "b")]
    found = run(Limit(), tables([*rows, {"clip_id": "c:1", "corpus": "c"}]), Context((), {}, limit=2))
    assert sorted(found.kept) == ["a:1", "a:2", "b:1", "b:2", "c:1"]
    assert sorted(found.dropped) == [("a:3", "limit"), ("b:3", "limit")]
    assert len(run(Limit(), tables(rows)).kept) == 6
