"""Pipelines: stages in the one order that can run."""

from dataclasses import replace

import pytest

from captionstew.errors import RecipeError
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.stage import Stage
from captionstew.stages.clean import Clean
from captionstew.stages.duration import Duration
from captionstew.stages.encode import Encode
from captionstew.stages.locate import Locate
from captionstew.stages.merge import Merge
from captionstew.stages.probe import Probe
from captionstew.stages.quality import Quality
from captionstew.stages.read import Read
from captionstew.stages.shard import Shard

STAGES: tuple[Stage, ...] = (
    Read(),
    Merge(),
    Locate(),
    Probe(),
    Duration(),
    Encode(),
    Quality(),
    Clean(),
    Shard(),
)


def pipeline(*stages: Stage) -> Pipeline:
    return Pipeline("test", ("clotho",), stages)


def test_stages_are_sorted_by_when_they_run() -> None:
    made = pipeline(*STAGES)
    assert made.before == STAGES[:3]
    assert made.audio == STAGES[3:6]
    assert made.after == STAGES[6:8]
    assert made.sink == Shard()


def test_stages_after_the_audio_may_be_left_out() -> None:
    assert pipeline(Read(), Probe(), Shard()).after == ()


@pytest.mark.parametrize(
    "stages",
    [
        (),
        (Shard(),),
        (Read(), Shard()),
        (Probe(), Shard()),
        (Read(), Probe()),
        (Probe(), Read(), Shard()),
        (Read(), Probe(), Shard(), Clean()),
        (Read(), Probe(), Clean(), Duration(), Shard()),
        (Read(), Probe(), Shard(), Shard()),
    ],
    ids=lambda stages: " ".join(stage.name for stage in stages) or "none",
)
def test_any_other_order_is_refused_with_what_was_given(stages: tuple[Stage, ...]) -> None:
    with pytest.raises(RecipeError, match="tables, then clips, then tables, then one sink") as caught:
        pipeline(*stages)
    assert all(f"{stage.name} (" in caught.value.cause for stage in stages)
    assert caught.value.hint


def test_a_stage_may_not_stand_twice() -> None:
    with pytest.raises(RecipeError, match="a stage stands twice"):
        pipeline(Read(), Merge(), Merge(), Probe(), Shard())


def test_what_is_no_stage_is_refused_with_a_hint() -> None:
    with pytest.raises(RecipeError, match="is not a stage") as caught:
        pipeline(Read(), "merge", Probe(), Shard())  # type: ignore[arg-type]
    assert caught.value.hint


def test_the_identity_is_that_of_name_corpora_and_stages() -> None:
    made = pipeline(*STAGES)
    assert made.identity() == pipeline(*STAGES).identity()
    others = [
        replace(made, name="other"),
        replace(made, corpora=("clotho", "audiocaps")),
        made.with_stages(stage for stage in STAGES if stage != Merge()),
        made.with_stages(
            replace(stage, longest=30.0) if isinstance(stage, Duration) else stage for stage in STAGES
        ),
    ]
    assert len({made.identity(), *(other.identity() for other in others)}) == 5


def test_what_a_pipeline_is_about_is_no_part_of_its_identity() -> None:
    assert replace(pipeline(*STAGES), about="words").identity() == pipeline(*STAGES).identity()
