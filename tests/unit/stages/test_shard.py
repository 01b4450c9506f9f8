"""Shard: a size and tiers that can be written."""

import pytest

from captionstew.errors import RecipeError
from captionstew.stages.shard import Shard


@pytest.mark.parametrize("tiers", [("audio",), ("audio", "captions")])
def test_both_tiers_may_be_written(tiers: tuple[str, ...]) -> None:
    assert Shard(tiers=tiers).tiers == tiers


@pytest.mark.parametrize("tiers", [(), ("captions",), ("audio", "video")])
def test_other_tiers_are_refused_with_those_that_are_known(tiers: tuple[str, ...]) -> None:
    with pytest.raises(RecipeError, match="no tiers") as caught:
        Shard(tiers=tiers)
    assert '("audio", "captions")' in caught.value.hint


@pytest.mark.parametrize("megabytes", [0, -5])
def test_files_of_no_size_are_refused(megabytes: int) -> None:
    with pytest.raises(RecipeError, match=f"files of {megabytes} MB"):
        Shard(megabytes=megabytes)
