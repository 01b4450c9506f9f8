"""Quality: clips are judged by their measures, and the first reason counts."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from captionstew.pipeline.stage import Context
from captionstew.stages.quality import Quality

Make = Callable[..., Any]

GOOD = {"silence": 0.1, "clipping": 0.0, "dc_offset": 0.0, "bandwidth": 4000.0}


def measured(*clips: dict[str, float]) -> Context:
    """A context in which clip `a:<n>` has these measures."""
    rows = [{"clip_id": f"a:{i}", **GOOD, **clip} for i, clip in enumerate(clips)]
    return Context((), {}, audio=pl.LazyFrame(rows))


@pytest.mark.parametrize(
    ("stage", "measures", "reason"),
    [
        (Quality(), {}, None),
        (Quality(), {"silence": 1.0}, "silent"),
        (Quality(), {"silence": 0.98}, None),
        (Quality(), {"clipping": 0.26}, "clipped"),
        (Quality(), {"clipping": 0.25}, None),
        (Quality(), {"dc_offset": 0.3}, "dc"),
        (Quality(), {"dc_offset": -0.3}, "dc"),
        (Quality(), {"dc_offset": -0.25}, None),
        (Quality(), {"bandwidth": 0.0}, None),
        (Quality(least_bandwidth=4000.0), {}, None),
        (Quality(least_bandwidth=4001.0), {}, "narrow"),
        (Quality(most_silence=0.05), {}, "silent"),
        (Quality(most_clipping=0.0), {"clipping": 1e-6}, "clipped"),
        (Quality(), {"silence": 1.0, "clipping": 1.0, "dc_offset": 1.0}, "silent"),
        (Quality(), {"clipping": 1.0, "dc_offset": 1.0}, "clipped"),
    ],
)
def test_thresholds_decide(
    tables: Make, run: Make, stage: Quality, measures: dict[str, float], reason: str | None
) -> None:
    found = run(
        stage,
        tables([{"clip_id": "a:0"}, {"clip_id": "a:1"}]),
        measured(measures, {"silence": 0.0, "bandwidth": 9e3}),
    )
    assert found.dropped == ([("a:0", reason)] if reason else [])
    assert len(found.kept) == (1 if reason else 2)


def test_captions_are_not_touched(tables: Make, run: Make) -> None:
    given = tables([{"clip_id": "a:0"}], [{"rank": 0, "text": "rain"}])
    assert run(Quality(), given, measured({"silence": 1.0})).texts == [(0, "rain")]


def test_without_measures_it_says_what_is_missing(tables: Make, run: Make) -> None:
    with pytest.raises(AssertionError, match="audio stages before"):
        run(Quality(), tables([{"clip_id": "a:0"}]))
